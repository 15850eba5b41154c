"""What is done with a message that arrives: who sent it, whether anybody asked for it, where it belongs, and what its reader wants done."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate

import orjson

from ocean import settings
from ocean.context import Ocean
from ocean.core import mail
from ocean.core.drop import Drop
from ocean.core.mail import Results
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.calendar import replies
from ocean.services.mail import authentic, messages, rules
from ocean.services.mail.arrival import Arrival, read
from ocean.services.mail.messages import Envelope
from ocean.store import outbox as rows
from ocean.store.engine import Steps
from ocean.store.mail import Mailbox
from ocean.store.reader import now

_TRACES = re.compile(rb"(?im)^(return-path|authentication-results)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)")


async def arrive(ocean: Ocean, arrival: Arrival) -> None:
    """Keeps a message in each mailbox that it is for; it is on disk when this returns. Raises OceanError where it is not."""
    parsed = await read(arrival)
    shown = mail.host_of(parsed.sender.address) if parsed.plain_from else ""
    results = arrival.trusted or await authentic.authenticate(ocean.dns, arrival.raw, arrival.ip, arrival.helo, arrival.sender, shown)
    if not parsed.plain_from:  # nobody can say who it is from (RFC 7489, 6.6.1)
        results = results._replace(dmarc="fail", policy="reject" if parsed.froms > 1 else "none")
    spam = mail.spam_of(results, parsed.faults)
    if ocean.settings["OCEAN_SPAM_FILTER"] and arrival.trusted is None:
        spam = await _filtered(ocean, arrival, spam)
    done: set[str] = set()
    for address, box in arrival.recipients:
        if box.name not in done:
            done.add(box.name)
            await _keep(ocean, arrival, address, box, results, spam)


async def _keep(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, results: Results, spam: tuple[float, list[str]]) -> None:
    flagged = spam[0] >= mail.SPAM
    ruled = [] if flagged or box.ruled is False else await ocean.reader.entities(mail.folder(box.name, mail.RULES), rules.MOST)
    if not ruled:
        await _kept(ocean, arrival, address, box, results, spam, ruled, flagged=flagged)
        return
    async with _one_after_another(box, arrival.sender):
        await _kept(ocean, arrival, address, box, results, spam, ruled, flagged=flagged)


@asynccontextmanager
async def _one_after_another(box: Mailbox, sender: str) -> AsyncIterator[None]:
    """Of what one person writes to one mailbox: that nobody is there is said once, however much comes at once."""
    name = (box.name, sender.lower())
    lock, count = _locks.get(name, (asyncio.Lock(), 0))
    _locks[name] = (lock, count + 1)
    try:
        async with lock:
            yield
    finally:
        lock, count = _locks[name]
        if count > 1:
            _locks[name] = (lock, count - 1)
        else:
            del _locks[name]


_locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}


async def _kept(
    ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, results: Results, spam: tuple[float, list[str]], ruled: list[Drop], *,
    flagged: bool,
) -> None:  # fmt: skip
    parsed = arrival.parsed
    raw = traced(ocean, arrival, address, results)
    also, queue, faults = await rules.wanted(ocean, arrival, address, box, ruled)
    envelope = Envelope(arrival.ip, arrival.helo, arrival.sender, address)

    def beside(filed: messages.Filed) -> Steps:
        if arrival.beside is not None:
            yield arrival.beside()
        forwards = [row if row.letter else row._replace(letter=filed.id) for row in queue]
        if forwards:
            yield rows.added(forwards)
        for row in forwards:
            if row.sender == "" and row.letter != filed.id:  # that nobody is there was said
                yield rules.said_away(box, row.recipient)

    once = arrival.once or f"{hashlib.sha256(arrival.raw).hexdigest()} {arrival.sender}"
    await messages.receive(ocean, box, raw, parsed, results, envelope, spam=spam, faults=faults, once=once, beside=beside, also=also)
    if parsed.invitations and not flagged:  # once more where it was kept before: who kept it may have ended there. It changes nothing then
        await replies.take(ocean, box, parsed, results)


def traced(ocean: Ocean, arrival: Arrival, address: str, results: Results) -> bytes:
    """The message with what every host that takes one writes in front of it (RFC 5321, 4.4; RFC 8601)."""
    here = settings.mail_host(ocean.settings)
    said_by = _word(arrival.sender or arrival.helo)
    found = f"spf={results.spf} smtp.mailfrom={said_by}; dkim={results.dkim}; dmarc={results.dmarc}; arc={results.arc}"
    heads = (
        f"Return-Path: <{_word(arrival.sender)}>\r\n"
        f"Authentication-Results: {here};\r\n {found}\r\n"
        f"Received: from {_word(arrival.helo)}{f' ([{_word(arrival.ip)}])' if arrival.ip else ''}\r\n by {here} with {arrival.by}\r\n"
        f" for <{_word(address)}>; {formatdate(now() / 1000)}\r\n"
    )
    return heads.encode(errors="replace") + _unforged(arrival.raw, here)


def _unforged(raw: bytes, here: str) -> bytes:
    """Without what only we may have written: results in our name (RFC 8601, 5), however it is written, and the way back."""
    head = mail.head_of(raw)
    lower = head.lower()
    if b"authentication-results" not in lower and b"return-path" not in lower:
        return raw
    name = here.lower().encode()

    def kept(header: re.Match[bytes]) -> bytes:
        return header[0] if header[1].lower() == b"authentication-results" and name not in header[0].lower() else b""

    return _TRACES.sub(kept, head) + raw[len(head) :]


def _word(text: str) -> str:
    return re.sub(r"[^!-~\u00a1-\ud7ff]|[<>();]", "", text)[:254]


async def _filtered(ocean: Ocean, arrival: Arrival, spam: tuple[float, list[str]]) -> tuple[float, list[str]]:
    """With what the operator's filter says of it (rspamd, POST /checkv2). One that does not answer says nothing."""
    headers = {"IP": arrival.ip, "Helo": _word(arrival.helo), "From": _word(arrival.sender), "Rcpt": _word(arrival.recipients[0][0])}
    address = ocean.settings["OCEAN_SPAM_FILTER"].rstrip("/") + "/checkv2"
    try:
        reply = await ocean.egress.post(address, arrival.raw, headers, seconds=10)
        told = orjson.loads(reply.body)
        score, action = float(told["score"]), str(told["action"])
    except (EgressError, OceanError, ValueError, KeyError, TypeError):
        return spam
    points = max(score, mail.SPAM) if action in ("reject", "add header", "rewrite subject") else min(score, mail.SPAM - 0.1)
    return max(spam[0], points), [*spam[1], f"the filter says: {action[:40]} ({score:g})"]
