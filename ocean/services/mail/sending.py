"""Sending: a message is made, kept in `sent`, and put into the outbox once for each recipient, together."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import uuid_utils

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.core.accounts import is_address
from ocean.core.changes import Op
from ocean.core.mail import Address
from ocean.core.payloads import encode, loads
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.data.writing import write
from ocean.services.files import blobs
from ocean.services.mail import composing, mailboxes, markup, messages, outbox
from ocean.services.mail.composing import Outgoing, Part
from ocean.services.mail.messages import Prepared
from ocean.services.mail.outbox import Message
from ocean.services.mail.parsing import Parsed, parse
from ocean.store import outbox as rows
from ocean.store.engine import Steps
from ocean.store.mail import Mailbox, mailbox
from ocean.store.outbox import Queued
from ocean.store.reader import now

MAX_FILES = 50
MANY = 20  # messages that are made in a thread
ACCEPTED = mail.MAX_SIZE * 3 // 4  # bytes of files that go with a message: they are written out a third longer


@dataclass(frozen=True, slots=True)
class Posting:
    """A message and to whom it goes, blind copies among them; `files` as the record shows them."""

    message: Outgoing | None
    recipients: Sequence[str]
    files: Sequence[dict[str, Any]] | None = ()
    bcc: Sequence[str] = ()


async def send(
    ocean: Ocean, caller: Caller, *, to: Any, sender: str | None = None, cc: Any = None, bcc: Any = None, subject: str = "",
    body: str | None = None, html: str | None = None, attach: Any = None, reply_to: str | None = None, reply: str | None = None,
    references: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """Sends a message from a mailbox of the caller's. `attach` names uploads by their ids, `reply` a received message by its key.

    Raises INVALID_VALUE, FORBIDDEN, NOT_FOUND, CONFLICT for who wants no mail from here, LIMIT_REACHED.
    """
    box, chosen = await mailboxes.sender(ocean, caller, sender)
    people = [mail.read_addresses(given, name) if given else [] for given, name in ((to, "to"), (cc, "cc"), (bcc, "bcc"))]
    recipients = list(dict.fromkeys(one.address for ones in people for one in ones))
    if not people[0] or len(recipients) > mail.MAX_RECIPIENTS:
        raise OceanError("INVALID_VALUE", f"A message has 1 to {mail.MAX_RECIPIENTS} recipients.", 'to: "bob@example.com"')
    await _check_wanted(ocean, box, recipients)
    text = mail.check_body(body) if body is not None else markup.text_of(mail.check_body(html)) if html is not None else ""
    refers, before = await _answers(ocean, caller, box, reply) if reply is not None else (_references(references), "")
    subject = subject or before
    parts, files = await _files(ocean, caller, attach)
    message = Outgoing(
        chosen, people[0], mail.check_subject(subject), text, people[1], mail.check_body(html) if html is not None else None, parts,
        mail.read_addresses(reply_to, "reply_to")[0] if reply_to is not None else None, refers,
    )  # fmt: skip
    (told,) = await post(ocean, caller, box, [Posting(message, recipients, files, [one.address for one in people[2]])])
    return told


async def send_each(ocean: Ocean, caller: Caller, notes: Sequence[Message]) -> tuple[list[dict[str, Any]], list[str]]:
    """A message of its own to each of many, who can say by one click that they want no more (RFC 8058); all are queued, or none. Those who
    want none are left out, and told of."""
    if not notes:
        return [], []
    box, chosen = await mailboxes.sender(ocean, caller)
    postings, left_out = [], []
    for note in notes:
        address = mail.check_address(note.recipient)
        if await unwanted(ocean, box, address):
            left_out.append(address)
            continue
        message = Outgoing(chosen, [Address("", address)], note.subject, note.body, headers=unsubscribing(ocean, box, address))
        postings.append(Posting(message, [address]))
    return (await post(ocean, caller, box, postings) if postings else []), left_out


async def post(
    ocean: Ocean, caller: Caller, box: Mailbox, postings: Sequence[Posting], beside: Callable[[], Steps] | None = None,
    ops: Sequence[Op] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Each is kept in `sent` and queued; all in one commit, so that of several either all go or none, with what is written `beside` them
    and other changes (`ops`)."""
    moment = now()
    large = len(postings) > MANY or any(posting.message is not None and posting.message.files for posting in postings)
    made = await asyncio.to_thread(_made, postings, moment) if large else _made(postings, moment)
    return await _queue(ocean, caller, box, made, beside, ops)


def _made(postings: Sequence[Posting], moment: int) -> list[tuple[bytes, Parsed, Posting]]:
    """The bytes of each. Raises INVALID_VALUE, PAYLOAD_TOO_LARGE."""
    made = []
    for posting in postings:
        assert posting.message is not None
        raw = composing.compose(posting.message, composing.new_message_id(posting.message.sender.host), moment)
        if len(raw) > mail.MAX_SIZE:
            raise OceanError("PAYLOAD_TOO_LARGE", f"A message has at most {mail.MAX_SIZE // 2**20} MB, files and all.", "Send links.")
        made.append((raw, parse(raw), posting))
    return made


async def submit(ocean: Ocean, caller: Caller, box: Mailbox, raw: bytes, host: str, recipients: Sequence[str]) -> dict[str, Any]:
    """The same of a message that a mail program made, from an address at `host`."""
    await _check_wanted(ocean, box, recipients)
    whole = composing.completed(raw, host)
    parsed = await asyncio.to_thread(parse, whole)
    shown = {one.address for one in (*parsed.to, *parsed.cc)}
    posting = Posting(None, recipients, None, [one for one in recipients if one not in shown])
    (told,) = await _queue(ocean, caller, box, [(whole, parsed, posting)], None, ())
    return told


async def _queue(
    ocean: Ocean, caller: Caller, box: Mailbox, made: Sequence[tuple[bytes, Parsed, Posting]], beside: Callable[[], Steps] | None,
    ops: Sequence[Op],
) -> list[dict[str, Any]]:  # fmt: skip
    who, holder, moment = str(caller.writer("Sending mail needs a key.")), outbox.holder_of(caller), now()
    kept: list[Prepared] = []
    queue: list[Queued] = []
    try:
        for raw, parsed, posting in made:
            more = {"bcc": list(posting.bcc)} if posting.bcc else {}
            one = await messages.prepare(ocean, box, mail.SENT, raw, parsed, more, by=who, files=posting.files)
            kept.append(one)
            queue += [
                Queued(
                    str(uuid_utils.uuid7()), who, holder, recipient, parsed.subject, "", rows.QUEUED, 0, moment, moment, box.name,
                    parsed.sender.address, one.filed.id, host=mail.host_of(recipient),
                )
                for recipient in posting.recipients
            ]  # fmt: skip

        def rest() -> Steps:
            yield from outbox.within_quota(who, holder, len(queue))
            for one in kept:
                yield one.letter.added()
            yield rows.added(queue)
            if beside is not None:
                yield from beside()

        results = await write(ocean, caller, [*(op for one in kept for op in one.ops), *ops], rest)
    except BaseException:
        for one in kept:
            await one.take_back(ocean)
        raise
    return [_told(parsed, posting, id_) for (_, parsed, posting), id_ in zip(made, _ids(results, kept), strict=True)]


def _ids(results: list[dict[str, Any]], kept: Sequence[Prepared]) -> list[str]:
    """The keys of the messages in `sent`: those of now, or of then where the same request was made before."""
    places, at = [], 0
    for one in kept:
        places.append(at)
        at += len(one.ops)
    return [str(results[place]["key"]) for place in places]


def _told(parsed: Parsed, posting: Posting, id_: str) -> dict[str, Any]:
    return {
        "queued": True, "id": id_, "message_id": parsed.message_id, "from": parsed.sender.address, "to": list(posting.recipients),
        "subject": parsed.subject,
    }  # fmt: skip


def _references(given: Any) -> list[str]:
    return mail.message_ids(" ".join(one for one in given if isinstance(one, str))) if isinstance(given, list) else []


async def _answers(ocean: Ocean, caller: Caller, box: Mailbox, key: str) -> tuple[list[str], str]:
    """What an answer refers to (RFC 5322, 3.6.4), and what it is called. Raises NOT_FOUND."""
    route = mail.folder(box.name, mail.INBOUND)
    try:
        await records.get(ocean, caller, route=route, key=key, resolve=False)
    except OceanError as fault:
        if fault.code == "NOT_FOUND":
            fault.hint = f'It was looked for in the mailbox that the answer is from: from another, say so (from "{box.name}@...").'
        raise
    drop = await ocean.reader.entity(route, key)
    body = loads(drop.body()) if drop is not None else None
    payload = body if isinstance(body, dict) else {}
    ids = [*payload.get("references", ()), payload.get("message_id", "")]
    return mail.message_ids(" ".join(one for one in ids if isinstance(one, str))), mail.reply_subject(str(payload.get("subject", "")))


async def _files(ocean: Ocean, caller: Caller, attach: Any) -> tuple[list[Part], list[dict[str, Any]]]:
    """The files that go with a message, by the ids of what was uploaded. Raises INVALID_VALUE, NOT_FOUND, FORBIDDEN, PAYLOAD_TOO_LARGE."""
    names = attach if isinstance(attach, list) else [] if attach is None else [attach]
    if len(names) > MAX_FILES or not all(isinstance(name, str) for name in names):
        raise OceanError("INVALID_VALUE", f"'attach' names at most {MAX_FILES} uploads by their ids.", "Upload first: POST /blob.")
    found = [(await blobs.find(ocean, caller, name), await _called(ocean, name)) for name in names]
    if sum(reference.size for reference, _ in found) > ACCEPTED:
        raise OceanError("PAYLOAD_TOO_LARGE", f"The files of a message have at most {ACCEPTED // 2**20} MB.", "Send links.")
    parts = [Part(called, reference.type, await ocean.blobs.get(reference.key)) for reference, called in found]
    return parts, [messages.shown_file(ocean, reference, called) for reference, called in found]


async def _called(ocean: Ocean, drop_id: str) -> str:
    """What a file is called: as its record says, or its id."""
    drop = await ocean.reader.drop(drop_id)
    payload = loads(drop.payload) if drop is not None and drop.payload else None
    name = payload.get("name") if isinstance(payload, dict) else None
    return name[:200] if isinstance(name, str) and name.isprintable() and name else drop_id


async def _check_wanted(ocean: Ocean, box: Mailbox, recipients: Sequence[str]) -> None:
    """Raises CONFLICT for an address that wants no mail from this mailbox, or that none reaches."""
    for address in recipients:
        if why := await unwanted(ocean, box, address):
            way = f'If it does: remove {mail.folder(box.name, mail.SUPPRESSED)} @"{address.lower()}"'
            raise OceanError("CONFLICT", f"{address} takes no mail from here ({str(why)[:60]}).", way)


async def unwanted(ocean: Ocean, box: Mailbox, address: str) -> str:
    """Why nothing is sent to an address from a mailbox; nothing where it may be."""
    drop = await ocean.reader.entity(mail.folder(box.name, mail.SUPPRESSED), address.lower())
    if drop is None or not drop.live(now()):
        return ""
    payload = loads(drop.body())
    return str(payload.get("reason") or "suppressed") if isinstance(payload, dict) else "suppressed"


async def suppress(ocean: Ocean, box: Mailbox, address: str, reason: str) -> None:
    """Nothing is sent to an address from a mailbox any more, until its owner removes the record."""
    if is_address(address):
        await write(ocean, Caller(box.owner), [suppression(box, address, reason)])


def suppression(box: Mailbox, address: str, reason: str) -> Op:
    payload = encode({"address": address.lower(), "reason": reason})
    return Op("save", mail.folder(box.name, mail.SUPPRESSED), address.lower(), payload)


def unsubscribing(ocean: Ocean, box: Mailbox, address: str) -> dict[str, str]:
    """Headers by which a mail program offers to end it (RFC 2369, 8058)."""
    link = f"{settings.api_url(ocean.settings)}/mail/unsubscribe?token={_token(ocean, box.name, address)}"
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated"}


def _token(ocean: Ocean, name: str, address: str) -> str:
    whom = base64.urlsafe_b64encode(f"{name} {address.lower()}".encode()).decode().rstrip("=")
    return f"{whom}.{ocean.master.derived(f'unsubscribe {whom}', 12).hex()}"


async def unsubscribe(ocean: Ocean, token: str) -> dict[str, Any]:
    """Whoever has the link of a message says that its reader wants no more from that mailbox. Raises INVALID_TOKEN."""
    whom, _, proof = token.partition(".")
    if not whom.isascii() or not hmac.compare_digest(proof.encode(), ocean.master.derived(f"unsubscribe {whom[:2000]}", 12).hex().encode()):
        raise OceanError("INVALID_TOKEN", "This link is none of ours.", "Use the one in the message.")
    name, _, address = base64.urlsafe_b64decode(whom + "=" * (-len(whom) % 4)).decode().partition(" ")
    box = await mailbox(ocean.engine, name)
    if box is not None:
        await suppress(ocean, box, address, "unsubscribed")
    return {"unsubscribed": True, "address": address}
