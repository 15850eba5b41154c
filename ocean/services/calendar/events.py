"""Events of a folder: made, listed in a range, answered."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core import events, mail
from ocean.core.access import decide
from ocean.core.changes import Op, missing
from ocean.core.drop import Drop
from ocean.core.events import Event
from ocean.core.payloads import dumps, encode, loads
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import may_see, require
from ocean.services.data.writing import write
from ocean.services.mail import mailboxes
from ocean.services.query import folders
from ocean.store import accounts
from ocean.store.calendars import Invitation, invitation_id
from ocean.store.engine import Steps
from ocean.store.reader import now

MAX_EVENTS = 5000  # of a folder that are looked at
MAX_SHOWN = 1000
MAX_BUSY = 20_000  # times that are put together
SECONDS = 3.0  # that looking for what recurs may take
MAX_KNOWN = 20_000  # records whose events are kept read
PAGE = 1000
LONGEST = 3660  # days of a range
TRIES = 5  # where others change the same event meanwhile


def uid_of(ocean: Ocean, route: str, key: str, event: Event | None = None) -> str:
    """What an event is known by everywhere: its own `uid`, or one that follows from where it is."""
    if event is not None and event.uid:
        return event.uid
    secret = ocean.master.derived(f"uid {route} {key}", 16).hex()  # who was not invited can't say it either
    return f"{secret}@infinite-ocean"  # the same whatever the server is called by now


async def save(ocean: Ocean, caller: Caller, *, route: str, event: dict[str, Any], key: str | None = None) -> dict[str, Any]:
    """Makes an event, or a new version of one: its `sequence` grows, and the answers of those who are invited still stay.

    With `send_invites` they are invited by mail, from a mailbox of the caller's. Raises INVALID_VALUE, FORBIDDEN, and what saving does.
    """
    route = check_route(route)
    key = check_key(key) if key is not None else str(uuid_utils.uuid7())
    read = events.check(event)
    invites = event.get("send_invites", False)
    if not isinstance(invites, bool):
        raise OceanError("INVALID_VALUE", "'send_invites' is true or false.")
    if invites and not (read.organizer and read.attendees):
        raise OceanError("INVALID_VALUE", "Invitations have an 'organizer' and 'attendees'.", 'organizer: "alice@example.com"')
    box = await _mailbox(ocean, caller, read.organizer) if invites else None
    for _ in range(TRIES):
        before = await ocean.reader.entity(route, key)
        payload, if_match = _next(event, before, caller)
        uid = uid_of(ocean, route, key, read)
        row = Invitation(invitation_id(route, key), uid, route, key, str(caller.key), box or "", 0, "", "", now())

        def beside(row: Invitation = row) -> Steps:
            if box is not None:
                yield row.begun()

        try:
            (result,) = await write(ocean, caller, [Op("save", route, key, encode(payload), if_match=if_match)], beside)
        except OceanError as fault:
            if fault.code == "PRECONDITION_FAILED":
                continue
            raise
        told = {**result, "uid": uid, "sequence": payload["sequence"], **({"invites": len(read.attendees)} if invites else {})}
        warning = await _warning(ocean, event, read, box)
        return {**told, "warning": warning} if warning else told
    raise OceanError("CONFLICT", f"The event {key!r} in {route!r} is being changed by others.", "Try again.")


async def _warning(ocean: Ocean, event: dict[str, Any], read: Event, box: str | None) -> str:
    """What may be a slip: a field that is nearly one of an event's, or an organizer whose answers come to somebody else."""
    slips = [(name, near[0]) for name in event if name not in events.FIELDS and (near := get_close_matches(name, events.FIELDS, 1, 0.8))]
    if slips:
        return f"{slips[0][0]!r} means nothing to a calendar: is it {slips[0][1]!r}?"
    if box is not None and await mailboxes.accepts(ocean, read.organizer) is None:
        here = f"calendar@{box}.{mailboxes.domain(ocean)}"
        return f"{read.organizer} is no address of yours: people are invited by {here}, and their answers come there."
    return ""


async def _mailbox(ocean: Ocean, caller: Caller, organizer: str) -> str:
    """The mailbox that invitations are sent from: the organizer's own, where the caller may send as them, else the caller's first."""
    if await mailboxes.accepts(ocean, organizer) is not None:
        return (await mailboxes.sender(ocean, caller, organizer))[0].name
    return (await mailboxes.sender(ocean, caller))[0].name


def _next(event: dict[str, Any], before: Drop | None, caller: Caller) -> tuple[dict[str, Any], str | None]:
    """What is saved, and the version that it follows."""
    old = loads(before.body()) if before is not None and before.live(now()) else None
    payload: dict[str, Any] = {**event, "sequence": 0}
    payload.setdefault("status", "confirmed")
    if before is None or not isinstance(old, dict):
        return payload, None
    sequence = old.get("sequence")
    payload["sequence"] = (
        sequence + 1 if isinstance(sequence, int) and not isinstance(sequence, bool) and 0 <= sequence < events.MAX_SEQUENCE else 1
    )
    known = {one["email"].lower(): one for one in old.get("attendees") or [] if isinstance(one, dict) and isinstance(one.get("email"), str)}
    if isinstance(event.get("attendees"), list):
        payload["attendees"] = [_with_answer(one, known) for one in event["attendees"]]
    return payload, before.drop_id


def _with_answer(one: Any, known: dict[str, Any]) -> dict[str, Any]:
    given = {"email": one} if isinstance(one, str) else dict(one)
    before = known.get(str(given.get("email")).lower(), {})
    return {**{name: before[name] for name in ("status", "occurrences") if name in before}, **given}


async def listed(ocean: Ocean, caller: Caller, *, route: str, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    """The folder's events by when they start. In a range, recurring ones once for each time; without one as they are kept.

    Raises INVALID_VALUE, LIMIT_REACHED and what reading the folder does.
    """
    route = check_route(route)
    found = await all_of(ocean, caller, route)
    if start is None and end is None:
        ordered = sorted(found, key=lambda pair: _order(pair[1].span.start))
        return {"events": [drop.to_json() for drop, _ in ordered[:MAX_SHOWN]], "count": len(found)}
    low, high = _range(start, end)
    async with ocean.turns.of(*caller.holders):
        rows = await asyncio.to_thread(_in_range, found, low, high)
    return {"events": [row[1] for row in rows], "count": len(rows)}


def _in_range(found: list[tuple[Drop, Event]], low: datetime, high: datetime) -> list[tuple[date | datetime, dict[str, Any]]]:
    """Raises LIMIT_REACHED."""
    rows: list[tuple[date | datetime, dict[str, Any]]] = []
    end = time.monotonic() + SECONDS
    for drop, event in found:
        rows += _occurrences(drop, event, low, high)
        if len(rows) > MAX_SHOWN or time.monotonic() > end:
            raise OceanError("LIMIT_REACHED", f"More than {MAX_SHOWN} events are in that range.", "Ask for a shorter one.")
    rows.sort(key=lambda row: _order(row[0]))
    return rows


async def all_of(ocean: Ocean, caller: Caller, route: str) -> list[tuple[Drop, Event]]:
    """The folder's events that the caller may read, with their records."""
    found: list[tuple[Drop, Event]] = []
    after = 0
    while True:
        drops = await folders.everything(ocean, caller, route, PAGE, after)
        for drop in drops:
            event = event_of(drop)
            if event is not None:
                found.append((drop, event))
        if len(found) > MAX_EVENTS:
            raise OceanError("LIMIT_REACHED", f"The folder {route!r} has more than {MAX_EVENTS} events.", "Keep them in several folders.")
        if not drops:
            return found
        after = drops[-1].seq


_known: OrderedDict[str, Event | None] = OrderedDict()  # of drops, which never change, by their ids


def event_of(drop: Drop) -> Event | None:
    """The event that a record is, read once."""
    if drop.counters:
        return events.read(loads(drop.body()))
    if drop.drop_id in _known:
        _known.move_to_end(drop.drop_id)
        return _known[drop.drop_id]
    found = events.read(loads(drop.body())) if '"start"' in (drop.payload or "") else None
    _known[drop.drop_id] = found
    if len(_known) > MAX_KNOWN:
        _known.popitem(last=False)
    return found


def _order(value: date | datetime) -> datetime:
    return value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)


def _range(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """Raises INVALID_VALUE."""
    utc = ZoneInfo("UTC")
    low = _order(events.read_when(start, "start", utc)) if start is not None else None
    high = _order(events.read_when(end, "end", utc)) if end is not None else None
    low = low or (high - timedelta(days=366) if high is not None else datetime.now(UTC))
    high = high or low + timedelta(days=366)
    if not timedelta() < high - low <= timedelta(days=LONGEST):
        raise OceanError("INVALID_VALUE", f"A range ends after it starts, and is at most {LONGEST} days long.")
    return low, high


def _occurrences(drop: Drop, event: Event, low: datetime, high: datetime) -> Iterator[tuple[date | datetime, dict[str, Any]]]:
    if event.cancelled and event.rule:
        return
    for span, one, at in event.within(low, high, MAX_SHOWN + 1):
        record = drop.to_json()
        if at is not None:
            body = loads(drop.body())
            body |= {"start": events.show_when(span.start), "recurrence_id": events.show_when(at)}
            if "end" in body or span.end != span.start:
                body["end"] = events.show_when(span.end)
            if one is not event:
                body |= {"title": one.title, "location": one.location, "description": one.description, "status": one.status}
            record["payload"] = orjson.Fragment(dumps({name: value for name, value in body.items() if value != ""}).encode())
        yield span.start, record


async def busy(ocean: Ocean, caller: Caller, *, route: str, start: str, end: str) -> dict[str, Any]:
    """When the folder's events take somebody's time in a range, those that touch as one."""
    route, (low, high) = check_route(route), _range(start, end)
    found = await all_of(ocean, caller, route)
    async with ocean.turns.of(*caller.holders):
        spans = await asyncio.to_thread(busy_times, found, low, high)
    times = [{"start": events.show_when(first), "end": events.show_when(last)} for first, last in spans]
    return {"busy": times, "count": len(times)}


def busy_times(found: list[tuple[Drop, Event]], low: datetime, high: datetime) -> list[tuple[datetime, datetime]]:
    """Raises LIMIT_REACHED."""
    times: list[tuple[datetime, datetime]] = []
    ends = time.monotonic() + SECONDS
    for _, event in found:
        if len(times) > MAX_BUSY or time.monotonic() > ends:
            raise OceanError("LIMIT_REACHED", "Too much is in that range.", "Ask for a shorter one.")
        if not event.cancelled:
            for span, one, _at in event.within(low, high, MAX_SHOWN):
                first, last = span.bounds(one.zone)
                if last > first and not one.cancelled:
                    times.append((max(first, low), min(last, high)))
    return events.merged(times)


async def rsvp(ocean: Ocean, caller: Caller, *, route: str, key: str, email: str, answer: str) -> dict[str, Any]:
    """Says whether somebody who is invited comes: they themselves, signed in by that address, or who may change the event. An invitation
    that came by mail is answered by mail. Raises INVALID_VALUE, NOT_FOUND, FORBIDDEN."""
    route, key, said = check_route(route), check_key(key), answer.lower()
    if said not in events.ANSWERS:
        raise OceanError("INVALID_VALUE", f"{answer[:40]!r} is no answer to an invitation.", f"One of {', '.join(events.ANSWERS)}.")
    found = await ocean.reader.look(route, key)
    verdict = require(caller, route, "entity", found.rules)
    if found.drop is None or not found.drop.live(now()) or (verdict == "own" and not may_see(caller, found.drop, "entity", found.rules)):
        raise missing(route, key)
    box = mail.mailbox_of(route)
    if box is not None and route == mail.folder(box, mail.INBOUND):
        from ocean.services.calendar import replies

        return await replies.answer(ocean, caller, found.drop, email, said)
    who = caller.writer("Answering needs a key.")
    account = await accounts.by_key(ocean.engine, str(who))
    themselves = account is not None and account.email == email.lower() and decide(route, who, "drop", found.rules) == "deny"
    acting = Caller(found.owner, caller.ip) if themselves and found.owner else caller
    return await note_answer(ocean, acting, route, key, email, said)


async def note_answer(
    ocean: Ocean, caller: Caller, route: str, key: str, email: str, answer: str, *, at: date | datetime | None = None, more: Any = None
) -> dict[str, Any]:  # fmt: skip
    """Writes somebody's answer on an event, `at` one occurrence of it, where given; `more` is what they propose instead."""
    for _ in range(TRIES):
        drop = await ocean.reader.entity(route, key)
        payload = loads(drop.body()) if drop is not None and drop.live(now()) else None
        if drop is None or not isinstance(payload, dict):
            raise missing(route, key)
        changed = _changed(payload, email, answer, at)
        if changed is None:
            raise OceanError("NOT_FOUND", f"{email[:80]!r} is not invited to {key!r} in {route!r}.", "Its attendees are who may answer.")
        if more is not None:
            known = payload.get("proposals")
            changed["proposals"] = [*(known if isinstance(known, list) else [])[-19:], more]
        wanted: dict[str, Any] = {name: changed[name] for name in ("attendees", "proposals") if name in changed}
        try:
            await write(ocean, caller, [Op("update", route, key, changes=wanted, if_match=drop.drop_id)])
        except OceanError as fault:
            if fault.code == "PRECONDITION_FAILED":
                continue
            raise
        return {"route": route, "key": key, "email": email, "status": answer}
    raise OceanError("CONFLICT", f"The event {key!r} in {route!r} is being changed by others.", "Try again.")


def _changed(payload: dict[str, Any], email: str, answer: str, at: date | datetime | None) -> dict[str, Any] | None:
    if at is None:
        return events.answered(payload, email, answer)
    changed = events.answered(payload, email, "")
    for one, old in zip(changed["attendees"], payload["attendees"], strict=True) if changed is not None else ():
        if one.get("email", "").lower() == email.lower() if isinstance(one, dict) else False:
            one["status"] = old.get("status", "needs-action") if isinstance(old, dict) else "needs-action"
            one["occurrences"] = {**one.get("occurrences", {}), events.show_when(at): answer}
    return changed
