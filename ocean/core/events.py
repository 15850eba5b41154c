"""Events: any record with a `start` and a `title`. What they are, and what they may be made to be. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ocean.core.accounts import is_address
from ocean.core.mail import host_of
from ocean.core.payloads import dumps
from ocean.core.recurrence import Span, check_rule, check_zone, expand
from ocean.errors import OceanError

STATUSES = ("confirmed", "tentative", "cancelled")
ANSWERS = ("accepted", "declined", "tentative", "needs-action", "delegated")
MAX_ATTENDEES = 100
MAX_DATES = 1000  # dates that a recurrence leaves out
MAX_CHANGES = 100  # occurrences that are another than the rule says
MAX_SEQUENCE = 10**9
_TEXTS = {"title": 1000, "description": 50_000, "location": 1000, "url": 2000}
FIELDS = (
    "title", "start", "end", "timezone", "description", "location", "url", "organizer", "attendees", "rrule", "exdates", "exceptions",
    "status", "sequence", "uid", "send_invites",
)  # fmt: skip
_SHARED = ("title", "timezone", "description", "location", "url", "status", "organizer", "sequence")  # what an occurrence has of the event
_TOLD = ("title", "start", "end", "timezone", "description", "location", "organizer", "rrule", "exdates", "exceptions", "status", "url")


@dataclass(frozen=True, slots=True)
class Attendee:
    email: str
    name: str = ""
    status: str = "needs-action"


@dataclass(frozen=True, slots=True)
class Change:
    """An occurrence of a recurring event that is another than the rule says: `at` is when it would have begun; no event: it is not held."""

    at: date | datetime
    event: Event | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event, read. A moment has a zone; `rule` is empty for what happens once."""

    title: str
    span: Span
    zone: ZoneInfo
    description: str = ""
    location: str = ""
    url: str = ""
    organizer: str = ""
    attendees: tuple[Attendee, ...] = ()
    rule: str = ""
    without: frozenset[date | datetime] = frozenset()
    changes: tuple[Change, ...] = ()
    status: str = "confirmed"
    sequence: int = 0
    uid: str = ""
    named_zone: bool = False  # whether its times are by the wall clock of a zone that it names

    @property
    def cancelled(self) -> bool:
        return self.status == "cancelled"

    def within(self, low: datetime, high: datetime, most: int = 1000) -> Iterator[tuple[Span, Event, date | datetime | None]]:
        """When it is in a range, with what it is then, and for an occurrence when the rule has it."""
        if not self.rule:
            starts, ends = self.span.bounds(self.zone)
            if starts < high and (ends > low or starts >= low):
                yield self.span, self, None
            return
        moved = {change.at for change in self.changes}
        for span in expand(self.span, self.rule, self.zone, low, high, self.without | moved, most):
            yield span, self, span.start
        for change in self.changes:
            if change.event is not None:
                starts, ends = change.event.span.bounds(self.zone)
                if starts < high and (ends > low or starts >= low):
                    yield change.event.span, change.event, change.at


def read(payload: Any) -> Event | None:
    """The event that a record is, or None: whatever somebody saved is a record all the same."""
    if not isinstance(payload, dict) or not payload.get("title") or not payload.get("start"):
        return None
    try:
        return check(payload)
    except OceanError:
        return None


def check(payload: Any) -> Event:
    """The same of what is to be one. Raises INVALID_VALUE, which names the field."""
    if not isinstance(payload, dict):
        raise OceanError("INVALID_VALUE", "An event is an object.", '{ title: "Sprint planning", start: "2026-03-10T10:00:00Z" }')
    texts = {name: _text(payload, name, most) for name, most in _TEXTS.items()}
    if not texts["title"].strip():
        raise OceanError("INVALID_VALUE", "An event has a 'title'.", 'title: "Sprint planning"')
    named = payload.get("timezone")
    zone = check_zone(named) if isinstance(named, str) and named else ZoneInfo("UTC")
    span = _span(payload, zone)
    rule = payload.get("rrule") or ""
    if not isinstance(rule, str):
        raise OceanError("INVALID_VALUE", "'rrule' is a text.", "Such as FREQ=WEEKLY;BYDAY=MO.")
    if rule:
        check_rule(rule)
    status, sequence, uid = payload.get("status") or "confirmed", payload.get("sequence", 0), payload.get("uid") or ""
    if not isinstance(status, str) or status.lower() not in STATUSES:
        raise OceanError("INVALID_VALUE", f"{str(status)[:40]!r} is no status of an event.", f"One of {', '.join(STATUSES)}.")
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 <= sequence <= MAX_SEQUENCE:
        raise OceanError("INVALID_VALUE", "'sequence' is a whole number.")
    if not isinstance(uid, str) or len(uid) > 500 or not uid.isprintable():
        raise OceanError("INVALID_VALUE", "'uid' is a line of text.")
    without = frozenset(_when(one, "exdates", zone, span) for one in _list(payload, "exdates", MAX_DATES))
    return Event(
        texts["title"], span, zone, texts["description"], texts["location"], texts["url"], _organizer(payload),
        tuple(_attendee(one) for one in _list(payload, "attendees", MAX_ATTENDEES)), rule, without,
        tuple(_change(one, payload, zone, span) for one in _list(payload, "exceptions", MAX_CHANGES)) if rule else (),
        status.lower(), sequence, uid, bool(named),
    )  # fmt: skip


def _text(payload: Mapping[str, Any], name: str, most: int) -> str:
    value = payload.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or "\x00" in value:
        raise OceanError("INVALID_VALUE", f"{name!r} is a text of at most {most} characters.")
    return value


def _list(payload: Mapping[str, Any], name: str, most: int) -> list[Any]:
    value = payload.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise OceanError("INVALID_VALUE", f"{name!r} is a list of at most {most}.")
    return value


def read_when(value: Any, name: str, zone: ZoneInfo) -> date | datetime:
    """A day, or a moment: without a zone of its own it is by the wall clock of the event's. Raises INVALID_VALUE."""
    try:
        if isinstance(value, str) and len(value) == 10:
            day = date.fromisoformat(value)
            found: date | datetime = day
        else:
            moment = datetime.fromisoformat(value)
            found = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
        if not 1900 <= found.year < 2200:
            raise ValueError(value)
    except (TypeError, ValueError, OverflowError):
        hint = "Write 2026-03-10T10:00:00Z, or 2026-03-10 for a whole day."
        raise OceanError("INVALID_VALUE", f"{str(value)[:60]!r} in {name!r} is not a time.", hint) from None
    return found


def _when(value: Any, name: str, zone: ZoneInfo, span: Span) -> date | datetime:
    found = read_when(value, name, zone)
    if span.all_day == isinstance(found, datetime):
        raise OceanError("INVALID_VALUE", f"{name!r} has days where 'start' is a day, and else moments.")
    return found


def _span(payload: Mapping[str, Any], zone: ZoneInfo) -> Span:
    if not payload.get("start"):
        raise OceanError(
            "INVALID_VALUE", "An event has a 'start'.", 'start: "2026-03-10T10:00:00Z", or start: "2026-03-10" for a whole day.'
        )
    start = read_when(payload.get("start"), "start", zone)
    given = payload.get("end")
    if not given:
        return Span(start, start if isinstance(start, datetime) else start + timedelta(days=1))
    end = read_when(given, "end", zone)
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise OceanError("INVALID_VALUE", "'start' and 'end' are both days, or both moments.")
    if end < start:
        raise OceanError("INVALID_VALUE", "The event ends before it starts.", "Without an 'end' it takes no time, or a whole day.")
    return Span(start, end if isinstance(start, datetime) or end > start else start + timedelta(days=1))


def _organizer(payload: Mapping[str, Any]) -> str:
    value = payload.get("organizer")
    if value is None:
        return ""
    if not is_address(value) or not host_of(str(value)):
        raise OceanError("INVALID_VALUE", f"{str(value)[:60]!r} is not an organizer's address.", "such as alice@example.com")
    return str(value)


def _attendee(one: Any) -> Attendee:
    if isinstance(one, str):
        one = {"email": one}
    if not isinstance(one, dict) or not is_address(one.get("email")) or not host_of(one["email"]):
        raise OceanError("INVALID_VALUE", "An attendee has an 'email'.", 'attendees: ({ email: "bob@example.com" })')
    status, name = one.get("status") or "needs-action", one.get("name") or ""
    if not isinstance(status, str) or status.lower() not in ANSWERS or not isinstance(name, str) or len(name) > 200:
        raise OceanError("INVALID_VALUE", f"The attendee {one['email']} has a wrong status or name.", f"Statuses: {', '.join(ANSWERS)}.")
    return Attendee(one["email"], name, status.lower())


def _change(one: Any, payload: Mapping[str, Any], zone: ZoneInfo, span: Span) -> Change:
    if not isinstance(one, dict) or not one.get("at"):
        raise OceanError("INVALID_VALUE", "An exception has 'at', when the rule has it, and what is other then.")
    at = _when(one["at"], "exceptions", zone, span)
    if one.get("status") == "cancelled":
        return Change(at, None)
    length = span.end - span.start
    start = one.get("start", one["at"])
    made = {name: payload[name] for name in _SHARED if name in payload} | {name: one[name] for name in _SHARED if name in one}
    made |= {"start": start, "end": one.get("end")}
    if "end" not in one:
        made["end"] = (read_when(start, "exceptions", zone) + length).isoformat()
    return Change(at, check(made))


def show_when(value: date | datetime) -> str:
    """As records have it: a day, or a moment in UTC."""
    if not isinstance(value, datetime):
        return value.isoformat()
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def digest_of(payload: Mapping[str, Any]) -> str:
    """What those who are invited are told by: it changes when they are to be told again, and not when one of them answers."""
    told: dict[str, Any] = {name: payload.get(name) for name in _TOLD}
    return hashlib.sha256(dumps(told).encode()).hexdigest()


def answered(payload: dict[str, Any], email: str, answer: str) -> dict[str, Any] | None:
    """The event with somebody's answer on it; None where they are not invited."""
    people = payload.get("attendees")
    found = False
    changed: list[Any] = []
    for one in people if isinstance(people, list) else []:
        address = one if isinstance(one, str) else one.get("email") if isinstance(one, dict) else None
        if isinstance(address, str) and address.lower() == email.lower():
            found = True
            one = {**(one if isinstance(one, dict) else {"email": one}), "status": answer}
        changed.append(one)
    return {**payload, "attendees": changed} if found else None


def merged(busy: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """Times that touch, as one."""
    found: list[tuple[datetime, datetime]] = []
    for start, end in sorted(busy):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found
