"""What is done with a message that arrives: who sent it, whether anybody asked for it, where it belongs, and what its reader wants done."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import orjson
import uuid_utils

from ocean import settings
from ocean.context import Ocean
from ocean.core import mail
from ocean.core.drop import Drop, read_time
from ocean.core.mail import Address, Results
from ocean.core.payloads import loads
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.calendar import replies
from ocean.services.mail import authentic, composing, mailboxes, markup, messages, outbox, sending
from ocean.services.mail.composing import Outgoing
from ocean.services.mail.messages import Envelope, Prepared
from ocean.services.mail.parsing import Parsed, parse
from ocean.store import outbox as rows
from ocean.store import passes
from ocean.store.engine import Step, Steps, only
from ocean.store.mail import Mailbox, mailbox
from ocean.store.outbox import Queued
from ocean.store.reader import now

_DEAR = (b"text/html", b"text/calendar")  # what takes its time to read
_READERS = ThreadPoolExecutor(4, "read")  # what is hard to read holds up no other work in threads
IN_LOOP = 16 * 1024  # bytes of a message that is read on the loop: a thread would take longer to begin
MAX_BACK = 1024 * 1024  # bytes of a notice that a message did not arrive
COMES_BACK = 14 * 86_400_000  # milliseconds in which one may come
HOPS = 50  # that a message may have come by (RFC 5321, 6.3)
MAX_RULES = 50
_TRACES = re.compile(rb"(?im)^(return-path|authentication-results)[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*(?:\r\n|\Z)")
AWAY_KIND = "away"
FORWARD = "forward "  # whom a quota counts for, of what is passed on for a mailbox
AWAY = 7 * 86_400_000  # milliseconds in which one person is told once that nobody is there


@dataclass(slots=True)
class Arrival:
    """A message and how it came. `raw` is as it was sent; `by` says how it was carried (RFC 3848)."""

    raw: bytes
    ip: str
    helo: str
    sender: str
    recipients: Sequence[tuple[str, Mailbox]]
    by: str = "ESMTP"
    once: str = ""  # what it is known by, where not by what it holds
    trusted: Results | None = None  # where it is one of ours, which was authenticated when it was handed in
    beside: Any = None  # rows that are written with it
    parsed: Parsed = field(default_factory=Parsed)


async def read(arrival: Arrival) -> Parsed:
    """The message, read once."""
    raw = arrival.raw
    arrival.parsed = parse(raw) if _quick(raw) else await asyncio.get_running_loop().run_in_executor(_READERS, parse, raw)
    return arrival.parsed


def _quick(raw: bytes) -> bool:
    if len(raw) > IN_LOOP:
        return False
    lower = raw.lower()
    return not any(kind in lower for kind in _DEAR)


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
    rules = [] if flagged or box.ruled is False else await ocean.reader.entities(mail.folder(box.name, mail.RULES), MAX_RULES)
    if not rules:
        await _kept(ocean, arrival, address, box, results, spam, rules, flagged=flagged)
        return
    async with _one_after_another(box, arrival.sender):
        await _kept(ocean, arrival, address, box, results, spam, rules, flagged=flagged)


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
    ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, results: Results, spam: tuple[float, list[str]], rules: list[Drop], *,
    flagged: bool,
) -> None:  # fmt: skip
    parsed = arrival.parsed
    raw = traced(ocean, arrival, address, results)
    also, queue = await _wanted(ocean, arrival, address, box, rules)
    envelope = Envelope(arrival.ip, arrival.helo, arrival.sender, address)

    def beside(filed: messages.Filed) -> Steps:
        if arrival.beside is not None:
            yield arrival.beside()
        forwards = [row if row.letter else row._replace(letter=filed.id) for row in queue]
        if forwards:
            yield rows.added(forwards)
        for row in forwards:
            if row.sender == "" and row.letter != filed.id:  # that nobody is there was said
                yield _said_away(box, row.recipient)

    once = arrival.once or f"{hashlib.sha256(arrival.raw).hexdigest()} {arrival.sender}"
    await messages.receive(ocean, box, raw, parsed, results, envelope, spam=spam, once=once, beside=beside, also=also)
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


async def _wanted(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, found: list[Drop]) -> tuple[list[Prepared], list[Queued]]:
    """What the mailbox's rules (`_rules`) have sent for this message: it itself to somebody else, or an answer that nobody is there."""
    also: list[Prepared] = []
    queue: list[Queued] = []
    moment, parsed = now(), arrival.parsed
    if not found or len(parsed.all("received")) > HOPS // 2:
        return also, queue
    for drop in found:
        rule = loads(drop.body()) if drop.live(moment) else None
        if not isinstance(rule, dict) or not _holds(rule, parsed, moment):
            continue
        try:
            if rule.get("type") == "forward" and mail.is_address(rule.get("to")):
                back = await mailboxes.accepts(ocean, str(rule["to"]))
                if (back is not None and back.name == box.name) or passed_mark(ocean, box.name) in parsed.all("x-passed-on-by"):
                    parsed.faults.append(f"the rule {drop.key} was not followed: it would go round in circles")
                    continue
                queue.append(_forward(box, str(rule["to"]), parsed, arrival, moment))
            elif rule.get("type") == "vacation" and await _may_answer(ocean, arrival, address, box):
                made, row = await _away(ocean, box, address, rule, parsed, arrival)
                also.append(made)
                queue.append(row)
        except OceanError as fault:  # what a rule says can't be done: that is no reason to refuse the message
            parsed.faults.append(f"the rule {drop.key} was not followed: {fault.message}")
    if queue and await outbox.full(ocean, rule_owner(box), len(queue)):
        for made in also:
            await made.take_back(ocean)
        parsed.faults.append("its rules were not followed: too much was sent for this mailbox in a day")
        return [], []
    return also, queue


def passed_mark(ocean: Ocean, name: str) -> str:
    """What says that a mailbox has passed a message on; nobody else can write it."""
    return f"<{name}> {ocean.master.derived(f'passed on {name}', 8).hex()}"


def rule_owner(box: Mailbox) -> str:
    """Whom what rules send counts for: what strangers make a mailbox send is not its owner's own."""
    return f"@rule {box.name}"


def _holds(rule: dict[str, Any], parsed: Parsed, moment: int) -> bool:
    """Whether a rule is in force, and for this message: `active`, `start`, `end`, `from` (an address, or a domain), `subject` (a part)."""
    try:
        starts, ends = (read_time(rule[name]) if rule.get(name) else None for name in ("start", "end"))
    except OceanError:
        return False
    if rule.get("active") is False or (starts is not None and moment < starts) or (ends is not None and moment >= ends):
        return False
    sender, subject = str(rule.get("from", "")).lower(), str(rule.get("subject_has", "")).lower()
    shown = parsed.sender.address.lower()
    return (not sender or shown == sender or shown.endswith("@" + sender)) and subject in parsed.subject.lower()


def _forward(box: Mailbox, to: str, parsed: Parsed, arrival: Arrival, moment: int) -> Queued:
    """The letter itself, from an address of ours that a bounce comes back to; its `letter` is named once it is kept."""
    id_, holder, subject = str(uuid_utils.uuid7()), f"{FORWARD}{box.name}", parsed.subject[:500]
    return Queued(
        id_, rule_owner(box), holder, mail.check_address(to), subject, "", rows.QUEUED, 0, moment, moment, box.name,
        arrival.sender or "forward", host=mail.host_of(to),
    )  # fmt: skip


async def _may_answer(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox) -> bool:
    """A person wrote to this address itself, and was not told yet (RFC 3834, 2)."""
    parsed, sender = arrival.parsed, arrival.sender
    people = {one.address.lower() for one in (*parsed.to, *parsed.cc)}
    robot = re.match(r"(mailer-daemon|postmaster|no-?reply|bounce|owner-|.*-request@|.*-owner@)", sender.lower())
    if not mail.is_address(sender) or robot or parsed.automatic or parsed.invitations or address.lower() not in people:
        return False
    return not await passes.stands(ocean.engine, AWAY_KIND, _away_id(box, sender), now())


def _away_id(box: Mailbox, sender: str) -> str:
    return f"{box.name} {sender.lower()}"


def _said_away(box: Mailbox, sender: str) -> Step:
    return passes.put_again(AWAY_KIND, _away_id(box, sender), now() + AWAY)


async def _away(
    ocean: Ocean, box: Mailbox, address: str, rule: dict[str, Any], parsed: Parsed, arrival: Arrival
) -> tuple[Prepared, Queued]:
    """The answer that nobody is there, with no address for what comes back of it."""
    moment, subject, body = now(), rule.get("reply_subject"), rule.get("body", rule.get("text", ""))
    titled = subject if isinstance(subject, str) and subject.isprintable() else mail.reply_subject(parsed.subject)
    html = rule.get("html")
    message = Outgoing(
        Address("", address), [Address("", arrival.sender)], titled[: mail.MAX_SUBJECT], str(body)[:10_000].replace("\x00", ""),
        html=markup.safe(html) if isinstance(html, str) else None,
        references=[*parsed.references, parsed.message_id] if parsed.message_id else parsed.references,
        headers={"Auto-Submitted": "auto-replied"},
    )  # fmt: skip
    raw = composing.compose(message, composing.new_message_id(mail.host_of(address)), moment)
    made = await messages.prepare(ocean, box, mail.SENT, raw, parse(raw), {"automatic": True})
    row = Queued(
        str(uuid_utils.uuid7()), rule_owner(box), f"mailbox {box.name}", arrival.sender, titled, "", rows.QUEUED, 0, moment, moment,
        box.name, "", made.filed.id, host=mail.host_of(arrival.sender),
    )  # fmt: skip
    return made, row


async def came_back(ocean: Ocean, id_: str, arrival: Arrival) -> None:
    """What comes to the address that one of ours was sent from: a notice that it did not arrive (RFC 3464), or a complaint (RFC 5965)."""
    sent = await rows.one(ocean.engine, id_)
    if sent is None or not may_come_back(sent) or len(arrival.raw) > MAX_BACK:
        return
    parsed = await read(arrival)
    complaint = any(kind == "message/feedback-report" for kind, _ in parsed.reports)
    report = next((_fields(body) for kind, body in parsed.reports if kind.endswith("delivery-status")), {})
    action, status = report.get("action", "failed" if not complaint else "").lower(), report.get("status", "")
    said = f"{status} {report.get('diagnostic-code', '').partition(';')[2].strip() or parsed.subject}".strip()[:500]
    box = await mailbox(ocean.engine, sent.mailbox) if sent.mailbox else None
    if box is not None:
        more = {"message": sent.letter, "recipient": sent.recipient, "action": "complaint" if complaint else action, "status": status}
        once = f"back {id_}"  # one notice of each: whoever has the address can write more
        await messages.file(ocean, box, mail.BOUNCES, arrival.raw, parsed, {k: v for k, v in more.items() if v}, once=once)
        if complaint or (action == "failed" and status.startswith("5.") and status.startswith(NOBODY)):
            await sending.suppress(ocean, box, sent.recipient, "complaint" if complaint else f"bounced: {said[:100]}")
    if action == "failed":
        await ocean.log.transact(only(rows.bounced(id_, said)))


def may_come_back(sent: Queued) -> bool:
    """Whether something may still be said of a message: another host has taken it, and not long ago."""
    return sent.state in (rows.SENT, rows.FAILED) and sent.done_at is not None and sent.done_at > now() - COMES_BACK


NOBODY = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1")  # an address that none reaches (RFC 3463)


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a delivery status, those of its first recipient among them."""
    found: dict[str, str] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", body).decode(errors="replace").splitlines():
        name, sign, value = line.partition(":")
        if sign:
            found.setdefault(name.strip().lower(), value.strip()[:1000])
    return found
