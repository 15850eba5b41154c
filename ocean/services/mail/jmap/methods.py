"""All methods of JMAP that there are, and the bytes that go beside them."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.errors import OceanError
from ocean.services.files import blobs
from ocean.services.files.blobs import Received
from ocean.services.mail import messages
from ocean.services.mail.jmap import emails, folders, submission
from ocean.services.mail.jmap.protocol import Method, MethodError, Turn, request
from ocean.store.mail import mailbox, mailboxes_of, newest_of


async def _echo(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    return dict(args)


async def _no_changes(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    raise MethodError("cannotCalculateChanges")


METHODS: dict[str, Method] = {
    "Core/echo": _echo,
    "Mailbox/get": folders.get,
    "Mailbox/query": folders.query,
    "Mailbox/changes": folders.changes,
    "Identity/get": folders.identities,
    "Email/get": emails.get,
    "Email/query": emails.query,
    "Email/changes": emails.changes,
    "Email/set": emails.set_,
    "Email/queryChanges": _no_changes,
    "Mailbox/queryChanges": _no_changes,
    "Thread/get": emails.threads,
    "Thread/changes": _no_changes,
    "EmailSubmission/set": submission.set_,
    "EmailSubmission/get": submission.get,
}


async def ask(ocean: Ocean, caller: Caller, body: Any) -> dict[str, Any]:
    return await request(ocean, caller, body, METHODS)


async def states(ocean: Ocean, caller: Caller) -> dict[str, str]:
    """How far each mailbox of a caller is: the place of what was written in it last."""
    found = {}
    for box in await mailboxes_of(ocean.engine, str(caller.key)):
        turn = Turn(ocean, caller, {})
        routes = [mail.folder(box.name, name) for name in folders.FOLDERS if await turn.may(box, name, "entity")]
        if routes:
            found[box.name] = str(await newest_of(ocean.engine, routes))
    return found


async def download(ocean: Ocean, caller: Caller, account: str, blob: str) -> tuple[bytes, str]:
    """A message byte for byte, or a file of one, and its type. Raises NOT_FOUND and what reading its record does."""
    kind, _, rest = blob.partition("-")
    if kind == "b":
        reference = await blobs.find(ocean, caller, rest)
        return await ocean.blobs.get(reference.key), reference.type
    folder, key = emails.place_of(rest)
    if kind != "m" or not folder or not key or await mailbox(ocean.engine, account) is None:
        raise OceanError("NOT_FOUND", f"There is no {blob[:60]!r} in {account[:60]!r}.")
    return await messages.original(ocean, caller, mail.folder(account, folder), key), "message/rfc822"


async def upload(ocean: Ocean, caller: Caller, account: str, type_: str, body: bytes) -> dict[str, Any]:
    """A file that a message is to have. Raises FORBIDDEN, BLOB_TOO_LARGE."""
    received = Received(mail.MAX_SIZE)
    try:
        await received.take(body)
        told = await blobs.upload(ocean, caller, mail.folder(account, mail.ATTACHMENTS), type_, received)
    finally:
        received.close()
    return {"accountId": account, "blobId": f"b-{told['drop_id']}", "type": told["blob"]["type"], "size": told["blob"]["size"]}
