"""Messages in mailboxes: what came and what went, each a record with its letter beside it, committed together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import uuid_utils

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.core.changes import Op, missing
from ocean.core.drop import show_time
from ocean.core.files import Reference
from ocean.core.mail import Address, Results
from ocean.core.payloads import encode
from ocean.services.data import records
from ocean.services.data.writing import KEPT
from ocean.services.files import blobs
from ocean.services.files.blobs import Received
from ocean.services.mail.parsing import Attached, Parsed
from ocean.store import mail as rows
from ocean.store.batch import Once, Write
from ocean.store.engine import Steps
from ocean.store.mail import Letter, Mailbox
from ocean.store.reader import now

IN_ROW = 64 * 1024  # bytes of a letter that is kept beside its record; a larger one is a file
MAX_HEADERS = 100  # that a record shows


class Envelope(NamedTuple):
    """How a message came: from which host, said by whom to be from whom, for whom (RFC 5321)."""

    ip: str = ""
    helo: str = ""
    sender: str = ""
    recipient: str = ""


class Filed(NamedTuple):
    """A message in a mailbox: the key of its record, and its conversation. `known`: it was there already."""

    id: str
    thread: str
    known: bool = False


@dataclass(slots=True)
class Prepared:
    """A message that is to be kept: its record and its attachments' as ops, its letter, and the files that are there for it already."""

    filed: Filed
    letter: Letter
    ops: list[Op]
    files: list[Reference]

    async def take_back(self, ocean: Ocean) -> None:
        """It is not kept after all."""
        await _forget(ocean, self.files)


async def prepare(
    ocean: Ocean, box: Mailbox, folder: str, raw: bytes, parsed: Parsed, more: Mapping[str, Any], *, by: str | None = None,
    files: Sequence[dict[str, Any]] | None = None,
) -> Prepared:  # fmt: skip
    """`by` is whose record it is, where not the owner's; `files` are its attachments where they are there already. Raises STORAGE_FULL."""
    id_, who = str(uuid_utils.uuid7()), by or box.owner
    found = await rows.thread_with(ocean.engine, box.name, parsed.references) if parsed.references else None
    thread = found or mail.thread_of([*parsed.references, parsed.message_id or id_])
    kept: list[Reference] = []
    try:
        letter = await _letter(ocean, Letter(id_, box.name, folder, parsed.message_id, thread, raw, "", len(raw), now()), who, kept)
        ops, shown = await _attachments(ocean, box, who, id_, parsed.attachments if files is None else [], kept)
    except BaseException:
        await asyncio.shield(_forget(ocean, kept))
        raise
    payload = encode(described(parsed, list(files) if files is not None else shown, thread, len(raw)) | dict(more))
    return Prepared(Filed(id_, thread), letter, [Op("save", mail.folder(box.name, folder), id_, payload), *ops], kept)


async def file(
    ocean: Ocean, box: Mailbox, folder: str, raw: bytes, parsed: Parsed, more: Mapping[str, Any], *, once: str = "",
    beside: Callable[[Filed], Steps] | None = None, also: Sequence[Prepared] = (),
) -> Filed:  # fmt: skip
    """Keeps a message in a folder of a mailbox: attachments as files, the letter, the record, and rows `beside` them, all or none.

    `also` are other messages that are kept with it; `once` names what happens once a day. Raises what the log does: STORAGE_FULL,
    SERVER_BUSY, FORBIDDEN.
    """
    made = await prepare(ocean, box, folder, raw, parsed, more)

    def rest() -> Steps:
        for one in (made, *also):
            yield one.letter.added()
        if beside is not None:
            yield from beside(made.filed)

    try:
        ops = [op for one in (made, *also) for op in one.ops]
        result = await ocean.log.append(Write(ops, box.owner, _once(once, box.owner), rest))
    except BaseException:
        for one in (made, *also):
            await asyncio.shield(one.take_back(ocean))
        raise
    if result[0]["key"] != made.filed.id:  # the same was kept before
        for one in (made, *also):
            await one.take_back(ocean)
        return Filed(result[0]["key"], made.filed.thread, True)
    return made.filed


def _once(name: str, who: str) -> Once | None:
    return Once(hashlib.sha256(f"mail {name} {who}".encode()).hexdigest(), "mail", now() + KEPT) if name else None


async def _letter(ocean: Ocean, letter: Letter, owner: str, kept: list[Reference]) -> Letter:
    if letter.size <= IN_ROW:
        return letter
    reference = await _keep(ocean, owner, mail.folder(letter.mailbox, letter.folder), "message/rfc822", letter.source or b"")
    kept.append(reference)
    return letter._replace(source=None, file=reference.key)


async def _keep(ocean: Ocean, owner: str, route: str, type_: str, body: bytes) -> Reference:
    received = Received(mail.MAX_SIZE * 2)
    try:
        await received.take(body)
        return await blobs.keep(ocean, owner, route, type_, received)
    finally:
        received.close()


async def _forget(ocean: Ocean, kept: list[Reference]) -> None:
    for reference in kept:
        await blobs.forget(ocean, reference)


async def _attachments(
    ocean: Ocean, box: Mailbox, owner: str, id_: str, attached: list[Attached], kept: list[Reference]
) -> tuple[list[Op], list[dict[str, Any]]]:
    """Each is a record of its own in the mailbox's `attachments`, by which it is read: GET /blob/ID."""
    route = mail.folder(box.name, mail.ATTACHMENTS)
    ops, shown = [], []
    for one in attached:
        reference = await _keep(ocean, owner, route, one.type, one.body)
        kept.append(reference)
        payload = {"name": one.name, "message": id_, "blob": reference.to_json()}
        ops.append(Op("save", route, None, encode(payload), drop_id=reference.id))
        shown.append(shown_file(ocean, reference, one.name, one.content_id, inline=one.inline))
    return ops, shown


def shown_file(ocean: Ocean, reference: Reference, name: str, content_id: str = "", *, inline: bool = False) -> dict[str, Any]:
    """A file as a message's record tells of it."""
    told: dict[str, Any] = {"name": name, "type": reference.type, "size": reference.size, "blob": reference.id}
    told["url"] = f"{settings.api_url(ocean.settings)}/blob/{reference.id}"
    if content_id:
        told["content_id"] = content_id
    return {**told, "inline": True} if inline else told


def described(parsed: Parsed, files: list[dict[str, Any]], thread: str, size: int) -> dict[str, Any]:
    """A message as its record has it, with what it can be found by in all folders."""
    told: dict[str, Any] = {
        "message_id": parsed.message_id, "from": parsed.sender.address, "from_name": parsed.sender.name,
        "to": [one.address for one in parsed.to], "cc": [one.address for one in parsed.cc],
        "reply_to": [one.address for one in parsed.reply_to], "subject": parsed.subject,
        "date": show_time(parsed.date) if parsed.date is not None and 0 <= parsed.date < 253_402_300_800_000 else "",
        "text": parsed.text, "html": parsed.html, "thread": thread, "references": parsed.references, "size": size,
        "headers": [{"name": name, "value": value} for name, value in parsed.headers[:MAX_HEADERS]],
        "attachments": files, "faults": parsed.faults, "cut": parsed.cut,
    }  # fmt: skip
    if parsed.invitations:
        from ocean.services.calendar import ics

        told["invitations"] = [ics.shown(one) for one in parsed.invitations]
    told = {name: value for name, value in told.items() if value not in ("", [], False)}
    people = [("from", [parsed.sender]), ("to", parsed.to), ("cc", parsed.cc)]
    told["_identifiers"] = [_identifier(one, role) for role, ones in people for one in ones if one.address]
    told["_texts"] = [text for text in (parsed.subject, parsed.text[:1000]) if text]
    if told.get("date"):
        told["_dates"] = [{"start": told["date"], "type": "sent"}]
    if files:
        told["_blobs"] = [{"url": one["url"], "mime": one["type"], "name": one["name"], "size": one["size"]} for one in files]
    return told


def _identifier(one: Address, role: str) -> dict[str, str]:
    told = {"type": "email", "value": one.address.lower(), "role": role}
    return {**told, "name": one.name} if one.name else told


async def receive(
    ocean: Ocean, box: Mailbox, raw: bytes, parsed: Parsed, results: Results, envelope: Envelope, *, spam: tuple[float, list[str]],
    faults: Sequence[str], once: str, beside: Callable[[Filed], Steps] | None = None, also: Sequence[Prepared] = (),
) -> Filed:  # fmt: skip
    """Keeps a message that came; what is known by the same `once` within a day, from somebody who has not heard that we have it, is kept
    once. `faults` are those of this mailbox alone, beside the message's own."""
    score, reasons = spam
    more: dict[str, Any] = {
        "auth": results.to_json(), "spam": {"score": score, "flag": score >= mail.SPAM, **({"reasons": reasons} if reasons else {})},
        "envelope": {name: value for name, value in envelope._asdict().items() if value}, "received_at": show_time(now()),
        "faults": [*parsed.faults, *faults],
    }  # fmt: skip
    return await file(ocean, box, mail.INBOUND, raw, parsed, more, once=f"{box.name} {once}", beside=beside, also=also)


async def source(ocean: Ocean, letter: Letter) -> bytes:
    """The bytes of a letter."""
    return letter.source if letter.source is not None else await ocean.blobs.get(letter.file)


async def original(ocean: Ocean, caller: Caller, route: str, key: str) -> bytes:
    """The same, for who may read its record. Raises NOT_FOUND and what reading a record does."""
    await records.get(ocean, caller, route=route, key=key)
    found = await rows.letter(ocean.engine, key)
    if found is None or mail.folder(found.mailbox, found.folder) != route:
        raise missing(route, key)
    return await source(ocean, found)
