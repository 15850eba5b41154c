"""Events: what is one, when it is, and what becomes of it when somebody answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from ocean.core import events
from ocean.core.recurrence import Span, check_rule, check_zone, expand
from ocean.errors import OceanError

COPENHAGEN = ZoneInfo("Europe/Copenhagen")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def starts(event: dict[str, Any], low: str, high: str) -> list[str]:
    found = events.check(event)
    return [events.show_when(span.start) for span, _, _ in found.within(at(low + "T00:00:00+00:00"), at(high + "T00:00:00+00:00"))]


def test_the_wall_clock_is_kept_when_clocks_are_changed() -> None:
    event = {
        "title": "t",
        "start": "2026-03-23T10:00:00",
        "end": "2026-03-23T11:00",
        "timezone": "Europe/Copenhagen",
        "rrule": "FREQ=WEEKLY;BYDAY=MO",
    }
    assert starts(event, "2026-03-01", "2026-04-07") == ["2026-03-23T09:00:00Z", "2026-03-30T08:00:00Z", "2026-04-06T08:00:00Z"]


def test_exceptions() -> None:
    event = {
        "title": "t",
        "start": "2026-03-02T10:00:00Z",
        "end": "2026-03-02T11:00:00Z",
        "rrule": "FREQ=DAILY;COUNT=6",
        "exdates": ["2026-03-03T10:00:00Z"],
        "exceptions": [
            {"at": "2026-03-04T10:00:00Z", "start": "2026-03-04T15:00:00Z", "title": "later"},
            {"at": "2026-03-05T10:00:00Z", "status": "cancelled"},
            {"at": "2026-03-06T10:00:00Z", "start": "2027-01-01T10:00:00Z", "end": "2027-01-01T12:00:00Z"},
        ],
    }
    assert sorted(starts(event, "2026-03-01", "2026-04-01")) == ["2026-03-02T10:00:00Z", "2026-03-04T15:00:00Z", "2026-03-07T10:00:00Z"]
    moved = next(one for _, one, _ in events.check(event).within(at("2026-03-04T12:00:00+00:00"), at("2026-03-05T00:00:00+00:00")))
    assert (moved.title, moved.span.end) == ("later", at("2026-03-04T16:00:00+00:00"))


def test_whole_days() -> None:
    event = {
        "title": "t",
        "start": "2026-03-30",
        "end": "2026-04-01",
        "rrule": "FREQ=MONTHLY;BYMONTHDAY=-2;COUNT=3",
        "exdates": ["2026-04-29"],
    }
    assert starts(event, "2026-01-01", "2027-01-01") == ["2026-03-30", "2026-05-30"]
    assert events.check({"title": "t", "start": "2026-03-30"}).span == Span(date(2026, 3, 30), date(2026, 3, 31))
    assert events.check({"title": "t", "start": "2026-03-30", "end": "2026-03-30"}).span.end == date(2026, 3, 31)
    assert starts({"title": "t", "start": "2026-03-30"}, "2026-03-30", "2026-03-31") == ["2026-03-30"]
    assert starts({"title": "t", "start": "2026-03-30"}, "2026-03-31", "2026-04-01") == []


def test_once() -> None:
    event = {"title": "t", "start": "2026-03-10T10:00:00Z"}
    assert starts(event, "2026-03-10", "2026-03-11") == ["2026-03-10T10:00:00Z"]
    assert starts(event, "2026-03-11", "2026-03-12") == []
    assert not events.check(event).cancelled
    assert events.check({**event, "status": "Cancelled"}).cancelled


@pytest.mark.parametrize("until", ["UNTIL=20260304", "UNTIL=20260304T100000Z", "UNTIL=20260304T100000"])
def test_ends(until: str) -> None:
    event = {"title": "t", "start": "2026-03-02T10:00:00Z", "rrule": f"FREQ=DAILY;{until}"}
    assert starts(event, "2026-01-01", "2027-01-01") == [f"2026-03-0{day}T10:00:00Z" for day in (2, 3, 4)]
    days = {"title": "t", "start": "2026-03-02", "rrule": f"FREQ=DAILY;{until}"}
    assert starts(days, "2026-01-01", "2027-01-01") == ["2026-03-02", "2026-03-03", "2026-03-04"]


RULES = st.builds(
    lambda freq, interval, days: f"FREQ={freq};INTERVAL={interval}" + (f";BYDAY={','.join(days)}" if days and freq == "WEEKLY" else ""),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 20),
    st.lists(st.sampled_from(["MO", "WE", "SU"]), unique=True),
)


@settings(max_examples=60, deadline=None)
@given(RULES, st.integers(0, 4000), st.integers(1, 60))
def test_a_range_far_on_has_what_walking_from_the_start_finds(rule: str, ahead: int, length: int) -> None:
    first = datetime(2020, 1, 6, 9, tzinfo=UTC)
    low = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=ahead)
    high = low + timedelta(days=length)
    found = [span.start for span in expand(Span(first, first), rule, ZoneInfo("UTC"), low, high)]
    walked = [one for one in rrulestr(f"{rule};UNTIL=20330101T000000Z", dtstart=first).between(low, high, inc=True) if one < high]
    assert found == walked


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("FREQ=MONTHLY", ["2090-01-31T10:00:00Z", "2090-03-31T10:00:00Z"]),
        ("FREQ=MONTHLY;BYDAY=-1FR", ["2090-01-27T10:00:00Z", "2090-02-24T10:00:00Z", "2090-03-31T10:00:00Z"]),
        ("FREQ=YEARLY;INTERVAL=10", ["2090-01-31T10:00:00Z"]),
        ("FREQ=YEARLY;BYMONTH=2", []),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=1MO", ["2090-03-06T10:00:00Z"]),
    ],
)
def test_months_and_years_far_on(rule: str, found: list[str]) -> None:
    assert starts({"title": "t", "start": "2020-01-31T10:00:00Z", "rrule": rule}, "2090-01-01", "2090-04-01") == found


def test_what_is_walked_is_bounded() -> None:
    first = datetime(1900, 1, 1, tzinfo=UTC)
    span = Span(first, first)
    many = expand(
        span,
        "FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
        ZoneInfo("UTC"),
        first,
        at("2199-01-01T00:00:00+00:00"),
        most=30_000,
    )
    assert len(list(many)) == 20_000
    assert len(list(expand(span, "FREQ=DAILY", ZoneInfo("UTC"), first, at("2199-01-01T00:00:00+00:00"), most=7))) == 7
    never = expand(span, "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", ZoneInfo("UTC"), first, at("2199-01-01T00:00:00+00:00"))
    assert list(never) == []


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=HOURLY",
        "",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0",
        "INTERVAL=2",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;X-A=1",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;UNTIL=20261399",
        "FREQ=DAILY;UNTIL=00010101",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=DAILY;BYWEEKNO=3",
        "FREQ=DAILY;BYDAY=" + ",".join(["MO"] * 61),
        "FREQ=DAILY\nEXRULE:FREQ=DAILY",
        "x" * 501,
    ],
)
def test_what_is_no_recurrence(rule: str) -> None:
    with pytest.raises(OceanError) as caught:
        check_rule(rule)
    assert caught.value.code == "INVALID_VALUE"


def test_rules_are_read_however_they_are_written() -> None:
    assert dict(check_rule("rrule:freq=weekly;byday=mo,we")) == {"FREQ": "WEEKLY", "BYDAY": "MO,WE"}
    assert dict(check_rule("FREQ=MONTHLY;BYMONTHDAY=31"))["BYMONTHDAY"] == "31"


@pytest.mark.parametrize("zone", ["Europe", "", "localtime", "../etc/passwd", "x" * 9999, "Mars/Base"])
def test_what_is_no_time_zone(zone: str) -> None:
    with pytest.raises(OceanError):
        check_zone(zone)


GOOD: dict[str, Any] = {"title": "t", "start": "2026-03-10T10:00:00Z"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": " "},
        {"title": 7},
        {"title": "x" * 1001},
        {"description": "a\x00"},
        {"start": "soon"},
        {"start": None},
        {"start": 7},
        {"start": "1899-01-01"},
        {"end": "2026-03-09T10:00:00Z"},
        {"end": "2026-03-11"},
        {"timezone": "Mars"},
        {"rrule": 7},
        {"rrule": "FREQ=ODD"},
        {"status": "maybe"},
        {"status": 7},
        {"sequence": -1},
        {"sequence": True},
        {"sequence": "1"},
        {"uid": "a\nb"},
        {"uid": 7},
        {"organizer": "alice"},
        {"attendees": "bob@example.com"},
        {"attendees": [{}]},
        {"attendees": [{"email": "x"}]},
        {"attendees": [7]},
        {"attendees": [{"email": "b@example.com", "status": "perhaps"}]},
        {"attendees": [{"email": "b@example.com", "name": 7}]},
        {"attendees": [{"email": "b@example.com"}] * 101},
        {"exdates": ["2026-03-10"]},
        {"exdates": "x"},
        {"rrule": "FREQ=DAILY", "exceptions": [7]},
        {"rrule": "FREQ=DAILY", "exceptions": [{"at": "2026-03-10"}]},
    ],
)
def test_what_is_no_event(wrong: dict[str, Any]) -> None:
    with pytest.raises(OceanError) as caught:
        events.check({**GOOD, **wrong})
    assert caught.value.code == "INVALID_VALUE"
    assert events.read({**GOOD, **wrong}) is None


@pytest.mark.parametrize("payload", [None, [], "x", {}, {"title": "t"}, {"start": "2026-03-10"}])
def test_records_that_are_none(payload: Any) -> None:
    assert events.read(payload) is None


def test_an_event_is_an_object() -> None:
    with pytest.raises(OceanError):
        events.check([])


def test_all_that_an_event_has() -> None:
    found = events.read(
        {
            **GOOD,
            "end": "2026-03-10T12:00:00+01:00",
            "timezone": "Europe/Copenhagen",
            "description": "d",
            "location": "l",
            "url": "https://x.example",
            "organizer": "a@example.com",
            "attendees": ["b@example.com", {"email": "c@example.com", "name": "C", "status": "Accepted"}],
            "status": "tentative",
            "sequence": 3,
            "uid": "u1",
            "color": "red",
        }
    )
    assert found is not None
    assert found.span == Span(at("2026-03-10T11:00:00+01:00"), at("2026-03-10T12:00:00+01:00"))
    assert [(one.email, one.status) for one in found.attendees] == [("b@example.com", "needs-action"), ("c@example.com", "accepted")]
    assert (found.zone, found.named_zone, found.sequence, found.uid) == (COPENHAGEN, True, 3, "u1")


def test_who_is_told_again() -> None:
    told = events.digest_of({**GOOD, "attendees": [{"email": "b@example.com"}]})
    assert told == events.digest_of({**GOOD, "attendees": [{"email": "b@example.com", "status": "accepted"}], "color": "red"})
    assert told != events.digest_of({**GOOD, "location": "elsewhere"})


def test_answers() -> None:
    payload: dict[str, Any] = {**GOOD, "attendees": ["B@example.com", {"email": "c@example.com", "name": "C"}, 7]}
    changed = events.answered(payload, "b@Example.com", "accepted")
    assert changed is not None
    assert changed["attendees"] == [{"email": "B@example.com", "status": "accepted"}, {"email": "c@example.com", "name": "C"}, 7]
    assert events.answered(payload, "d@example.com", "accepted") is None
    assert events.answered({}, "d@example.com", "accepted") is None


def test_times_that_touch_are_one() -> None:
    hour = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(8)]
    busy = [(hour[3], hour[4]), (hour[0], hour[2]), (hour[1], hour[3]), (hour[6], hour[7]), (hour[0], hour[1])]
    assert events.merged(busy) == [(hour[0], hour[4]), (hour[6], hour[7])]
    assert events.show_when(hour[1]) == "2026-01-01T01:00:00Z"
