"""What the rules of a mailbox (`_rules`) have sent for a message that comes: the message itself, or an answer that nobody is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import uuid_utils

from ocean.context import Ocean
from ocean.core import mail
from ocean.core.drop import Drop, read_time
from ocean.core.mail import Address
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.mail import composing, mailboxes, markup, messages, outbox
from ocean.services.mail.arrival import HOPS, Arrival
from ocean.services.mail.composing import Outgoing
from ocean.services.mail.messages import Prepared
from ocean.services.mail.parsing import Parsed, parse
from ocean.store import outbox as rows
from ocean.store import passes
from ocean.store.engine import Step
from ocean.store.mail import Mailbox
from ocean.store.outbox import Queued
from ocean.store.reader import now

MOST = 50  # rules of a mailbox
FORWARD = "forward "  # whom a quota counts for, of what is passed on for a mailbox
_AWAY_KIND = "away"
_AWAY = 7 * 86_400_000  # milliseconds in which one person is told once that nobody is there


class Wanted(NamedTuple):
    """What is sent: messages of ours that are kept beside, rows of the outbox; and why some rules were not followed."""

    also: list[Prepared]
    queue: list[Queued]
    faults: list[str]


async def wanted(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, found: Sequence[Drop]) -> Wanted:
    moment, parsed = now(), arrival.parsed
    asked = Wanted([], [], [])
    if len(parsed.all("received")) > HOPS // 2:
        return asked
    for drop in found:
        rule = loads(drop.body()) if drop.live(moment) else None
        if not isinstance(rule, dict) or not _holds(rule, parsed, moment):
            continue
        try:
            await _follow(ocean, arrival, address, box, rule, asked)
        except OceanError as fault:  # what a rule says can't be done: that is no reason to refuse the message
            asked.faults.append(f"the rule {drop.key} was not followed: {fault.message}")
    if asked.queue and await outbox.full(ocean, mail.of_rules(box.name), len(asked.queue)):
        for made in asked.also:
            await made.take_back(ocean)
        return Wanted([], [], [*asked.faults, "its rules were not followed: too much was sent for this mailbox in a day"])
    return asked


async def _follow(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox, rule: dict[str, Any], asked: Wanted) -> None:
    """Raises OceanError where the rule can't be followed."""
    if rule.get("type") == "forward" and mail.is_address(rule.get("to")):
        back = await mailboxes.accepts(ocean, str(rule["to"]))
        if (back is not None and back.name == box.name) or passed_mark(ocean, box.name) in arrival.parsed.all("x-passed-on-by"):
            raise OceanError("CONFLICT", "it would go round in circles")
        asked.queue.append(_forward(box, str(rule["to"]), arrival, now()))
    elif rule.get("type") == "vacation" and await _may_answer(ocean, arrival, address, box):
        made, row = await _away(ocean, box, address, rule, arrival)
        asked.also.append(made)
        asked.queue.append(row)


def passed_mark(ocean: Ocean, name: str) -> str:
    """What says that a mailbox has passed a message on; nobody else can write it."""
    return f"<{name}> {ocean.master.derived(f'passed on {name}', 8).hex()}"


def _holds(rule: dict[str, Any], parsed: Parsed, moment: int) -> bool:
    """Whether a rule is in force, and for this message: `active`, `start`, `end`, `from` (an address, or a domain), `subject_has`."""
    try:
        starts, ends = (read_time(rule[name]) if rule.get(name) else None for name in ("start", "end"))
    except OceanError:
        return False
    if rule.get("active") is False or (starts is not None and moment < starts) or (ends is not None and moment >= ends):
        return False
    sender, subject = str(rule.get("from", "")).lower(), str(rule.get("subject_has", "")).lower()
    shown = parsed.sender.address.lower()
    return (not sender or shown == sender or shown.endswith("@" + sender)) and subject in parsed.subject.lower()


def _forward(box: Mailbox, to: str, arrival: Arrival, moment: int) -> Queued:
    """The letter itself, from an address of ours that a bounce comes back to; its `letter` is named once it is kept."""
    id_, holder, subject = str(uuid_utils.uuid7()), f"{FORWARD}{box.name}", arrival.parsed.subject[:500]
    return Queued(
        id_, mail.of_rules(box.name), holder, mail.check_address(to), subject, "", rows.QUEUED, 0, moment, moment, box.name,
        arrival.sender or "forward", host=mail.host_of(to),
    )  # fmt: skip


async def _may_answer(ocean: Ocean, arrival: Arrival, address: str, box: Mailbox) -> bool:
    """A person wrote to this address itself, and was not told yet (RFC 3834, 2)."""
    parsed, sender = arrival.parsed, arrival.sender
    people = {one.address.lower() for one in (*parsed.to, *parsed.cc)}
    robot = re.match(r"(mailer-daemon|postmaster|no-?reply|bounce|owner-|.*-request@|.*-owner@)", sender.lower())
    if not mail.is_address(sender) or robot or parsed.automatic or parsed.invitations or address.lower() not in people:
        return False
    own = await mailboxes.accepts(ocean, sender)
    if own is not None and own.name == box.name:
        return False
    return not await passes.stands(ocean.engine, _AWAY_KIND, _away_id(box, sender), now())


def _away_id(box: Mailbox, sender: str) -> str:
    return f"{box.name} {sender.lower()}"


def said_away(box: Mailbox, sender: str) -> Step:
    return passes.put_again(_AWAY_KIND, _away_id(box, sender), now() + _AWAY)


async def _away(ocean: Ocean, box: Mailbox, address: str, rule: dict[str, Any], arrival: Arrival) -> tuple[Prepared, Queued]:
    """The answer that nobody is there, with no address for what comes back of it."""
    parsed, moment, subject, body = arrival.parsed, now(), rule.get("reply_subject"), rule.get("body", "")
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
        str(uuid_utils.uuid7()), mail.of_rules(box.name), f"mailbox {box.name}", arrival.sender, titled, "", rows.QUEUED, 0, moment, moment,
        box.name, "", made.filed.id, host=mail.host_of(arrival.sender),
    )  # fmt: skip
    return made, row
