"""Time zones as calendars carry them (RFC 5545, 3.6.5): each changeover by a rule where it follows one, else by its dates.

What the library makes of a zone puts several calendar programs an hour off for months of a year.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FROM, UNTIL = 2000, 2038  # years that are told of
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_STEP = timedelta(days=5)  # no two changeovers are nearer
Change = tuple[timedelta, timedelta, str]  # the offset before, the one after, and what the time is called then


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _changes(zone: ZoneInfo) -> Iterator[tuple[datetime, Change]]:
    """When clocks are changed, as the clock says it before."""
    moment, end = datetime(FROM, 1, 1, tzinfo=UTC), datetime(UNTIL, 1, 1, tzinfo=UTC)
    while moment < end:
        before, after = _offset(zone, moment), _offset(zone, moment + _STEP)
        if before != after:
            low, high = moment, moment + _STEP
            while high - low > timedelta(seconds=30):
                middle = low + (high - low) / 2
                low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
            at = (high - timedelta(seconds=high.second, microseconds=high.microsecond)).astimezone(zone)
            yield (at.astimezone(UTC) + before).replace(tzinfo=None), (before, after, at.tzname() or "")
        moment += _STEP


def _show(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _part(kind: str, start: datetime, change: Change, extra: Sequence[str] = ()) -> list[str]:
    before, after, name = change
    return [
        f"BEGIN:{kind}", f"DTSTART:{start:%Y%m%dT%H%M%S}", *extra, f"TZOFFSETFROM:{_show(before)}", f"TZOFFSETTO:{_show(after)}",
        f"TZNAME:{name}", f"END:{kind}",
    ]  # fmt: skip


@lru_cache(600)
def timezone(name: str) -> str:
    """A VTIMEZONE for a zone of the IANA's."""
    zone = ZoneInfo(name)
    base = datetime(FROM, 1, 1, tzinfo=UTC).astimezone(zone)
    groups: dict[Change, list[datetime]] = {}
    for at, change in _changes(zone):
        groups.setdefault(change, []).append(at)
    offset = base.utcoffset() or timedelta()
    lines = ["BEGIN:VTIMEZONE", f"TZID:{name}", *_part("STANDARD", datetime(1970, 1, 1), (offset, offset, base.tzname() or ""))]
    for change, times in groups.items():
        kind = "DAYLIGHT" if change[1] > change[0] else "STANDARD"
        lines += [line for start, extra in _runs(times) for line in _part(kind, start, change, extra)]
    return "\r\n".join([*lines, "END:VTIMEZONE", ""])


def _runs(times: list[datetime]) -> Iterator[tuple[datetime, list[str]]]:
    """Times, the longest run of years that follows one rule up to the end by that rule, those before it by their dates."""
    first = next((place for place in range(len(times)) if _rule(times[place:])), len(times))
    if first:
        yield times[0], [f"RDATE:{at:%Y%m%dT%H%M%S}" for at in times[1:first]]
    if first < len(times):
        yield times[first], [_rule(times[first:])]


def _rule(times: list[datetime]) -> str:
    """The rule that one time a year follows to the end, empty where there is none."""
    if len(times) < 3 or times[-1].year < UNTIL - 1 or len({at.year for at in times}) != len(times):
        return ""
    if len({(at.month, at.weekday(), at.time()) for at in times}) != 1 or times[-1].year - times[0].year != len(times) - 1:
        return ""
    weeks = {(at.day - 1) // 7 + 1 for at in times}
    last = all((at + timedelta(days=7)).month != at.month for at in times)
    if not last and len(weeks) != 1:
        return ""
    return f"RRULE:FREQ=YEARLY;BYMONTH={times[0].month};BYDAY={-1 if last else weeks.pop()}{_DAYS[times[0].weekday()]}"
