"""Calendars as text (RFC 5545, 5546), made of events and read back, by icalendar: 3 MB of a process, from when there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ocean.core.accounts import is_address
from ocean.core.events import Change, Event, show_when
from ocean.services.calendar.zones import timezone

if TYPE_CHECKING:
    import icalendar
    from icalendar import Calendar, vCalAddress

MAX_BYTES, MAX_LINES = 128 * 1024, 2000  # of a calendar that came by mail
_ID = "-//Infinite Ocean//Calendar//EN"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
_BROKEN = (ValueError, KeyError, TypeError, AttributeError, AssertionError, OSError, OverflowError, RecursionError, IndexError)


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with what it is known by, where it came from, and when it was changed (UTC)."""

    event: Event
    uid: str
    changed: datetime


def feed(name: str, placed: Iterable[Placed]) -> bytes:
    """A calendar to subscribe to."""
    made = _calendar("PUBLISH")
    made.add("x-wr-calname", _text(name))
    return _written(made, placed, people=False)


def message(method: str, placed: Placed, only: Sequence[str] | None = None) -> str:
    """What an invitation, or the end of one, says (RFC 5546): REQUEST, CANCEL; for `only` some who are invited, where given."""
    return _written(_calendar(method), [placed], people=True, only=only).decode()


def busy(start: datetime, end: datetime, times: Sequence[tuple[datetime, datetime]], uid: str) -> bytes:
    """When somebody has no time (VFREEBUSY)."""
    from icalendar import FreeBusy, vPeriod

    made, part = _calendar("PUBLISH"), FreeBusy()
    for name, value in (("uid", uid), ("dtstamp", datetime.now(UTC)), ("dtstart", start.astimezone(UTC)), ("dtend", end.astimezone(UTC))):
        part.add(name, value)
    for low, high in times:
        part.add("freebusy", vPeriod((low.astimezone(UTC), high.astimezone(UTC))), parameters={"FBTYPE": "BUSY"})
    made.add_component(part)
    return bytes(made.to_ical())


def _calendar(method: str) -> Calendar:
    from icalendar import Calendar

    made = Calendar()
    for name, value in (("prodid", _ID), ("version", "2.0"), ("calscale", "GREGORIAN"), ("method", method)):
        made.add(name, value)
    return made


def _written(made: Calendar, placed: Iterable[Placed], *, people: bool, only: Sequence[str] | None = None) -> bytes:
    zones: set[str] = set()
    for one in placed:
        made.add_component(_component(one, one.event, None, people=people, only=only))
        for change in one.event.changes:
            if change.event is not None:
                made.add_component(_component(one, change.event, change, people=people, only=only))
        if one.event.named_zone and not one.event.span.all_day:
            zones.add(one.event.zone.key)
    body = bytes(made.to_ical())
    at = body.find(b"BEGIN:VEVENT")
    told = "".join(timezone(zone) for zone in sorted(zones - {"UTC"})).encode()
    return body[:at] + told + body[at:] if told else body


def _component(placed: Placed, event: Event, change: Change | None, *, people: bool, only: Sequence[str] | None) -> icalendar.Event:
    import icalendar

    made = icalendar.Event()
    made.add("uid", _text(placed.uid))
    made.add("dtstamp", placed.changed)
    made.add("last-modified", placed.changed)
    made.add("dtstart", _when(event, event.span.start))
    if event.span.end != event.span.start:
        made.add("dtend", _when(event, event.span.end))
    for name, value in (("summary", event.title), ("description", event.description), ("location", event.location)):
        if value:
            made.add(name, _text(value))
    if event.url.startswith(("https://", "http://")) and event.url.isascii() and event.url.isprintable():
        made.add("url", event.url)
    made.add("sequence", event.sequence)
    made.add("status", event.status.upper())
    if change is not None:
        made.add("recurrence-id", _when(event, change.at))
    elif event.rule:
        made.add("rrule", icalendar.vRecur.from_ical(event.rule.upper().removeprefix("RRULE:")))
        gone = [*event.without, *(one.at for one in event.changes if one.event is None)]
        if gone:
            made.add("exdate", [_when(event, at) for at in sorted(gone)], parameters={"VALUE": "DATE"} if event.span.all_day else {})
    if people:
        _people(made, event, only)
    return made


def _people(made: icalendar.Event, event: Event, only: Sequence[str] | None) -> None:
    if event.organizer:
        made.add("organizer", _person(event.organizer))
    for one in event.attendees:
        if only is None or one.email.lower() in only:
            params = {"CN": one.name, "ROLE": "REQ-PARTICIPANT", "PARTSTAT": one.status.upper(), "RSVP": "TRUE", "CUTYPE": "INDIVIDUAL"}
            made.add("attendee", _person(one.email, **params))


def _person(address: str, **params: str) -> vCalAddress:
    from icalendar import vCalAddress

    found = vCalAddress(f"mailto:{address}")
    for name, value in params.items():
        if shown := re.sub(r'[\n":;,^]+', " ", _text(value)).strip()[:200]:
            found.params[name] = shown
    return found


def _when(event: Event, value: date | datetime) -> date | datetime:
    """By the wall clock of the zone that the event names, else in UTC."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(event.zone if event.named_zone else UTC)


def _text(value: str) -> str:
    return _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))[:50_000]


@dataclass(frozen=True, slots=True)
class Received:
    """One event of a calendar that came: of whom, for whom, and what each of them answers."""

    method: str
    uid: str
    sequence: int
    title: str
    start: date | datetime | None
    end: date | datetime | None
    location: str
    organizer: str
    attendees: dict[str, str]
    comment: str
    occurrence: date | datetime | None  # which one of a recurring event it is about


def parse(raw: bytes) -> list[Received]:
    """What a calendar says. Raises ValueError for what is none."""
    if len(raw) > MAX_BYTES or raw.count(b"\n") > MAX_LINES:
        raise ValueError("the calendar is too large")
    from icalendar import Calendar

    try:
        found = Calendar.from_ical(raw)
        if not isinstance(found, Calendar) or found.name != "VCALENDAR":
            raise ValueError("no calendar")
        method = str(_one(found.get("METHOD")) or "").upper()[:20]
        return [_received(method, part) for part in found.walk("VEVENT")[:100]]
    except _BROKEN as fault:
        raise ValueError("it is no calendar") from fault


def _received(method: str, part: Any) -> Received:
    people = part.get("ATTENDEE") or []
    people = people if isinstance(people, list) else [people]
    sequence = _one(part.get("SEQUENCE"))
    answers = {_address(one): str(getattr(one, "params", {}).get("PARTSTAT", "NEEDS-ACTION")).lower() for one in people[:500]}
    return Received(
        method, str(_one(part.get("UID")) or "")[:500], int(sequence) if isinstance(sequence, int) else 0, _line(part, "SUMMARY"),
        _moment(part, "DTSTART"), _moment(part, "DTEND"), _line(part, "LOCATION"), _address(_one(part.get("ORGANIZER"))),
        {address: answer for address, answer in answers.items() if address}, _line(part, "COMMENT"), _moment(part, "RECURRENCE-ID"),
    )  # fmt: skip


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _line(part: Any, name: str) -> str:
    return _text(str(_one(part.get(name)) or ""))[:1000]


def _moment(part: Any, name: str) -> date | datetime | None:
    try:
        value = getattr(_one(part.get(name)), "dt", None)
        return value if isinstance(value, date) else None
    except _BROKEN:
        return None


def _address(value: Any) -> str:
    text = str(value or "")
    address = (text[7:] if text[:7].lower() == "mailto:" else text).lower()
    return address if is_address(address) else ""


def shown(received: Received) -> dict[str, Any]:
    """What a message's record says of a calendar that came with it."""
    told: dict[str, Any] = {"method": received.method, "uid": received.uid, "sequence": received.sequence, "title": received.title}
    for name in ("start", "end", "occurrence"):
        value = getattr(received, name)
        if value is not None:
            told[name] = show_when(value if not isinstance(value, datetime) or value.tzinfo else value.replace(tzinfo=UTC))
    for name, value in (("location", received.location), ("organizer", received.organizer), ("comment", received.comment)):
        if value:
            told[name] = value
    told["attendees"] = [{"email": address, "status": status} for address, status in list(received.attendees.items())[:100]]
    return told
