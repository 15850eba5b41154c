"""Invitations by mail (iMIP, RFC 6047): whoever is invited hears of each change that matters to them, however the event was changed."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from ocean.context import Caller, Ocean
from ocean.core import access, events, mail
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.events import Event, digest_of
from ocean.core.mail import Address
from ocean.core.payloads import dumps, encode, loads
from ocean.errors import OceanError
from ocean.services.calendar import ics
from ocean.services.calendar.ics import Placed
from ocean.services.data.writing import write
from ocean.services.mail import mailboxes, sending
from ocean.services.mail.composing import Outgoing
from ocean.services.mail.sending import Posting
from ocean.store import calendars as rows
from ocean.store.calendars import Invitation
from ocean.store.engine import Step, only
from ocean.store.leases import Lease, LostLeaseError, Tenure, moves
from ocean.store.mail import Mailbox, mailbox
from ocean.store.reader import now

LEASE = 15.0  # seconds
AGAIN, MUCH_LATER = 30_000, 3_600_000  # milliseconds until one that could not be told is tried again
log = logging.getLogger("ocean.invites")


class Inviting:
    """Follows the log, and has told whom it concerns; one process does, by a lease."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._tenure = Tenure(ocean.engine, "invitations", LEASE)

    async def step(self) -> None:
        """Tells of what was written since the last one, and of what is due."""
        lease = await self._tenure.hold()
        if lease is None:
            return
        head, _ = await self._ocean.reader.head()
        for one in await rows.to_look_at(self._ocean.engine, lease.position, head, now()):
            await self._look(one)
        if head > lease.position:
            await self._moved(lease, head)

    async def _look(self, one: Invitation) -> None:
        """Whatever is wrong with one event, the others are told: it is looked at again later, or said to who invited."""
        try:
            await self._tell(one)
        except OceanError as fault:
            limited = fault.code == "LIMIT_REACHED"
            if not fault.temporary and not limited:
                await self._gave_up(one, fault.message)
                return
            log.warning("invitations to %s in %s wait: %s", one.key, one.route, fault.message)
            await self._put(one.later(now() + (MUCH_LATER if limited else AGAIN)))
        except Exception as fault:  # of what somebody has written there, whatever that is
            log.exception("invitations to %s in %s are not sent", one.key, one.route)
            await self._gave_up(one, f"This event can't be sent: {type(fault).__name__}.")

    async def _put(self, step: Step) -> None:
        await self._ocean.log.transact(only(step))

    async def _moved(self, lease: Lease, position: int) -> None:
        with suppress(LostLeaseError):
            await self._ocean.engine.transact(moves(lease, position), small=True, quiet=True)
        self._tenure.moved(position)

    async def close(self) -> None:
        await self._tenure.leave()

    async def _tell(self, known: Invitation) -> None:
        """Sends what those who are, or were, invited have not heard. Done again it sends nothing: what they know is written with it."""
        ocean = self._ocean
        box = await mailbox(ocean.engine, known.mailbox)
        drop = await ocean.reader.entity(known.route, known.key)
        payload = loads(drop.body()) if drop is not None and drop.live(now()) else None
        event = events.read(payload)
        told = orjson.loads(known.told) if known.told else None
        before = events.read(told)
        if box is None or not await self._may_tell(known):
            await self._put(known.over())
            return
        here = await _organizer(ocean, box, event or before)
        if event is None or event.cancelled:
            await self._cancel(known, box, drop, before, here, gone=event is None)
            return
        assert isinstance(payload, dict)
        digest = digest_of(payload)
        people = {one.email.lower(): one.email for one in event.attendees}
        heard = {one.email.lower(): one.email for one in before.attendees} if before is not None else {}
        changed = before is None or digest != known.digest
        sequence = max(event.sequence, _next(known.sequence)) if changed and before is not None else max(event.sequence, known.sequence)
        now_known = known._replace(sequence=sequence, digest=digest, told=dumps(payload))
        asked = [(address, lower in heard) for lower, address in people.items() if changed or lower not in heard]
        gone = [address for lower, address in heard.items() if lower not in people]
        placed = _placed(ocean, known, event, drop, here, sequence)
        postings = await asyncio.to_thread(_requests, placed, here, asked) if asked else []
        if gone and before is not None:
            postings += await asyncio.to_thread(_cancels, _placed(ocean, known, before, drop, here, sequence), here, gone)
        if postings or not known.told:
            await self._post(known, box, postings, now_known.said())

    async def _may_tell(self, known: Invitation) -> bool:
        """Whether who invited may still read the event: else they would tell what is not theirs by now."""
        rules = await self._ocean.reader.rules(known.route)
        found = await self._ocean.reader.look(known.route, known.key)
        verdict = access.decide(known.route, known.owner, "entity", rules)
        return verdict == "allow" or (verdict == "own" and found.owner == known.owner)

    async def _cancel(self, known: Invitation, box: Mailbox, drop: Drop | None, before: Event | None, here: Address, *, gone: bool) -> None:
        sequence, postings = _next(known.sequence), []
        if before is not None:
            placed = _placed(self._ocean, known, before, drop, here, sequence)
            postings = await asyncio.to_thread(_cancels, placed, here, [one.email for one in before.attendees])
        after = known.over() if gone else known._replace(sequence=sequence, digest="", told="").said()
        await self._post(known, box, postings, after)

    async def _post(self, known: Invitation, box: Mailbox, postings: Sequence[Posting], after: Step) -> None:
        wanted = [one for one in postings if not await sending.unwanted(self._ocean, box, one.recipients[0])]
        if wanted:
            await sending.post(self._ocean, Caller(known.owner), box, wanted, lambda: only(after))
        else:
            await self._put(after)

    async def _gave_up(self, known: Invitation, why: str) -> None:
        """Whoever invited reads why nobody was told, where what comes back is."""
        log.warning("invitations to %s in %s are not sent: %s", known.key, known.route, why)
        payload = {"event": {"route": known.route, "key": known.key}, "error": why}
        box = await mailbox(self._ocean.engine, known.mailbox)
        if box is None:
            return
        op = Op("save", mail.folder(box.name, mail.BOUNCES), None, encode(payload))
        await write(self._ocean, Caller(box.owner), [op], lambda: only(known.later(None)))


def _next(sequence: int) -> int:
    return min(sequence + 1, 2 * events.MAX_SEQUENCE)


async def _organizer(ocean: Ocean, box: Mailbox, event: Event | None) -> Address:
    """Whom answers go to: the organizer, where their mail comes to this mailbox, else an address of it."""
    if event is not None and event.organizer:
        found = await mailboxes.accepts(ocean, event.organizer)
        if found is not None and found.name == box.name:
            return Address("", event.organizer)
    return Address("", f"calendar@{box.name}.{mailboxes.domain(ocean)}")


def _placed(ocean: Ocean, known: Invitation, event: Event, drop: Drop | None, here: Address, sequence: int) -> Placed:
    changed = datetime.fromtimestamp(drop.created_at // 1000, UTC) if drop is not None else datetime.now(UTC)
    return Placed(replace(event, organizer=here.address, sequence=sequence), known.uid, changed)


def _requests(placed: Placed, here: Address, people: Sequence[tuple[str, bool]]) -> list[Posting]:
    """To each, `(address, whether they were told before)`: one calendar, which is written once."""
    calendar, words = ics.message("REQUEST", placed), {True: "Updated invitation", False: "Invitation"}
    return [_posting("REQUEST", words[told], calendar, placed.event, here, address) for address, told in people]


def _cancels(placed: Placed, here: Address, people: Sequence[str]) -> list[Posting]:
    """To each of those who are not invited any more."""
    over = Placed(replace(placed.event, status="cancelled", changes=()), placed.uid, placed.changed)
    return [_posting("CANCEL", "Cancelled", ics.message("CANCEL", over, [one.lower()]), over.event, here, one) for one in people]


def _posting(method: str, word: str, calendar: str, event: Event, here: Address, address: str) -> Posting:
    subject = mail.subject_of(f"{word}: {event.title}")
    text, page = _letter(word, event)
    return Posting(Outgoing(here, [Address("", address)], subject, text, html=page, calendar=(method, calendar)), [address])


def _letter(word: str, event: Event) -> tuple[str, str]:
    """The same for who has no calendar, as text and as HTML."""
    start = event.span.start
    when = f"{start:%A, %d %B %Y, %H:%M} ({event.zone.key})" if isinstance(start, datetime) else f"{start:%A, %d %B %Y}"
    facts = [("When", when), ("Repeats", event.rule), ("Where", event.location), ("Organizer", event.organizer)]
    said = [(name, value) for name, value in facts if value]
    lines = "\n".join(f"{name}: {value}" for name, value in said)
    rows_ = "".join(f"<tr><th align='left'>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in said)
    about = f"<p>{html.escape(event.description)}</p>" if event.description else ""
    page = f"<h2>{html.escape(word)}: {html.escape(event.title)}</h2><table cellpadding='4'>{rows_}</table>{about}"
    return f"{word}: {event.title}\n\n{lines}\n" + (f"\n{event.description}\n" if event.description else ""), page
