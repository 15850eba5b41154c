"""Recurring events (RFC 5545, 3.3.10): rules that can be followed in bounded time, and the times they come to. Pure."""

from __future__ import annotations

import datetime as _datetime
import re
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import dateutil.rrule
from dateutil.rrule import rrulestr

from ocean.errors import OceanError

LAST_YEAR = 2200  # that is looked at: the library goes on to the year 9999 for a day that never comes
MAX_RULE = 500  # characters
MAX_STEPS = 20_000  # occurrences that one expansion walks by
MAX_VALUES = 60  # of one part of a rule

_years = types.ModuleType("datetime")
_years.__dict__.update(vars(_datetime))
_years.__dict__["MAXYEAR"] = LAST_YEAR
dateutil.rrule.datetime = _years  # type: ignore[attr-defined]

_NUMBER = r"[+-]?(?:[1-9]\d?|[12]\d\d|3[0-5]\d|36[0-6])"
_DAY = "MO|TU|WE|TH|FR|SA|SU"
_PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY", "INTERVAL": r"[1-9]\d{0,2}", "COUNT": r"[1-9]\d{0,3}", "UNTIL": r"\d{8}(?:T\d{6}Z?)?",
    "BYDAY": rf"(?:[+-]?(?:[1-9]|[1-4]\d|5[0-3]))?(?:{_DAY})", "BYMONTH": r"[1-9]|1[0-2]",
    "BYMONTHDAY": r"[+-]?(?:[1-9]|[12]\d|3[01])", "BYSETPOS": _NUMBER, "BYYEARDAY": _NUMBER, "BYWEEKNO": r"[+-]?(?:[1-9]|[1-4]\d|5[0-3])",
    "WKST": _DAY,
}  # fmt: skip
_LISTS = frozenset(("BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "BYYEARDAY", "BYWEEKNO"))
_YEARLY = frozenset(("BYYEARDAY", "BYWEEKNO"))  # parts that belong to years (RFC 5545; elsewhere they are followed for ages)
_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_zone(name: str) -> ZoneInfo:
    """A time zone of the IANA's. Raises INVALID_VALUE."""
    if name not in _zones():
        raise OceanError("INVALID_VALUE", f"{name[:60]!r} is no time zone.", "Such as Europe/Copenhagen.")
    return ZoneInfo(name)


@lru_cache(1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime"})


@lru_cache(4096)
def check_rule(text: str) -> tuple[tuple[str, str], ...]:
    """The parts of a rule. Raises INVALID_VALUE for what is none, and for what never comes."""
    parts: dict[str, str] = {}
    for part in text.upper().removeprefix("RRULE:").split(";") if len(text) <= MAX_RULE else [""]:
        name, _, value = part.partition("=")
        values = value.split(",") if name in _LISTS else [value]
        if name not in _PARTS or name in parts or len(values) > MAX_VALUES or not all(re.fullmatch(_PARTS[name], one) for one in values):
            raise _no_rule(text, part)
        parts[name] = value
    if "FREQ" not in parts or ("COUNT" in parts and "UNTIL" in parts) or (parts["FREQ"] != "YEARLY" and _YEARLY & parts.keys()):
        raise _no_rule(text, "")
    if "BYDAY" in parts and not _counts(parts):
        raise _no_rule(text, f"BYDAY={parts['BYDAY']}")
    if "BYMONTHDAY" in parts and not _comes(parts):
        raise OceanError("INVALID_VALUE", f"The recurrence {text[:80]!r} never comes: no such month has such a day.")
    if "UNTIL" in parts:
        _until(parts["UNTIL"], ZoneInfo("UTC"), text)
    return tuple(parts.items())


def _no_rule(text: str, part: str) -> OceanError:
    about = f" ({part[:40]!r})" if part else ""
    return OceanError("INVALID_VALUE", f"{text[:80]!r} is no recurrence{about}.", "Such as FREQ=WEEKLY;BYDAY=MO (RFC 5545).")


def _counts(parts: dict[str, str]) -> bool:
    """Whether the weekdays' numbers can be: the fifth Monday of a month at most, and none in weeks."""
    most = {"YEARLY": 53, "MONTHLY": 5}.get(parts["FREQ"], 0)
    return all(abs(int(day[:-2] or "0")) <= most for day in parts["BYDAY"].split(","))


def _comes(parts: dict[str, str]) -> bool:
    months = [int(month) for month in parts["BYMONTH"].split(",")] if "BYMONTH" in parts else range(1, 13)
    return any(abs(int(day)) <= _DAYS[month] for month in months for day in parts["BYMONTHDAY"].split(","))


def _until(text: str, zone: ZoneInfo, rule: str) -> datetime:
    """The last moment as the wall clock has it. Raises INVALID_VALUE."""
    try:
        moment = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d")
        if moment.year < 1900:
            raise ValueError(text)
        if text.endswith("Z"):
            return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise _no_rule(rule, f"UNTIL={text}") from None
    return moment if "T" in text else moment + timedelta(days=1, microseconds=-1)


class Span(NamedTuple):
    """When something is: `start` and `end` both days (the end is the first day after), or both moments with a zone."""

    start: date | datetime
    end: date | datetime

    @property
    def all_day(self) -> bool:
        return not isinstance(self.start, datetime)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The same as moments: days as they begin in a zone."""
        return _moment(self.start, zone), _moment(self.end, zone)


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time(), zone)


def expand(
    span: Span,
    rule: str,
    zone: ZoneInfo,
    low: datetime,
    high: datetime,
    without: frozenset[date | datetime] = frozenset(),
    most: int = 1000,
) -> Iterator[Span]:
    """The occurrences of a recurring span that touch [low, high), in order, `most` at most. The wall clock of the zone is kept from one to
    the next, whatever the clocks do in between; `without` are starts that are left out."""
    parts = dict(check_rule(rule))
    first = _wall(span.start, zone)
    length = span.end - span.start if span.all_day else _utc(span.end) - _utc(span.start)
    lowest, highest = (_limited(bound.astimezone(zone).replace(tzinfo=None)) for bound in (low, high))
    begin, end = _limited(lowest - length - timedelta(days=2)), _limited(highest + timedelta(days=2))
    skipped = {_wall(one, zone) for one in without}
    found = 0
    for at in _walk(parts, first, begin, end, zone, rule, whole_days=span.all_day):
        if at in skipped or at < begin:
            continue
        one = _placed(at, length, zone, all_day=span.all_day)
        starts, ends = one.bounds(zone)
        if starts < high and (ends > low or starts >= low):
            yield one
            found += 1
            if found >= most:
                return


def _walk(
    parts: dict[str, str], first: datetime, begin: datetime, end: datetime, zone: ZoneInfo, rule: str, *, whole_days: bool
) -> Iterator[datetime]:
    """Starts by the wall clock, up to `end`. Without a count it need not begin at the beginning."""
    until, count = parts.pop("UNTIL", None), parts.pop("COUNT", None)
    if until is not None:
        last = _until(until, zone, rule)
        end = min(end, datetime.combine(last.date(), time()) if whole_days else last)
    base = first
    if count is None and begin > first:
        base, parts = _nearer(parts, first, begin)
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    limit = f"COUNT={count}" if count is not None else f"UNTIL={end:%Y%m%dT%H%M%S}"
    for steps, at in enumerate(rrulestr(f"{text};{limit}", dtstart=base)):
        if at > end or steps >= MAX_STEPS:
            return
        yield at


def _nearer(parts: dict[str, str], first: datetime, begin: datetime) -> tuple[datetime, dict[str, str]]:
    """A beginning shortly before `begin` that the same times follow from, and the rule with what it took from the old one written out."""
    every, kind = int(parts.get("INTERVAL", "1")), parts["FREQ"]
    if kind in ("DAILY", "WEEKLY"):
        step = timedelta(days=every * (7 if kind == "WEEKLY" else 1))
        return first + max((begin - first) // step - 1, 0) * step, parts
    months = every if kind == "MONTHLY" else every * 12
    passed = (begin.year - first.year) * 12 + begin.month - first.month
    skipped = max(passed // months - 1, 0) * months
    if not skipped:
        return first, parts
    said = dict(parts)
    if not {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & said.keys():
        said["BYMONTHDAY"] = str(first.day)
        if kind == "YEARLY":
            said.setdefault("BYMONTH", str(first.month))
    at = first.year * 12 + (first.month - 1 if kind == "MONTHLY" else 0) + skipped
    return first.replace(year=at // 12, month=at % 12 + 1, day=1), said


def _wall(value: date | datetime, zone: ZoneInfo) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.astimezone(zone).replace(tzinfo=None)


def _utc(value: date | datetime) -> datetime:
    assert isinstance(value, datetime)
    return value.astimezone(UTC)


def _limited(moment: datetime) -> datetime:
    return min(max(moment, datetime(1800, 1, 1)), datetime(LAST_YEAR, 1, 1))


def _placed(at: datetime, length: timedelta, zone: ZoneInfo, *, all_day: bool) -> Span:
    if all_day:
        return Span(at.date(), at.date() + length)
    start = at.replace(tzinfo=zone).astimezone(UTC)
    return Span(start.astimezone(zone), (start + length).astimezone(zone))
