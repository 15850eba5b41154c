"""Calendars: feeds and invitations as two other programs read them, answers that come by mail, and who may do what."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import ics as other
import pytest
import vobject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocean.context import Caller, Ocean
from ocean.core import events as core
from ocean.core import keys
from ocean.core.mail import Results
from ocean.errors import OceanError
from ocean.services.access import accounts
from ocean.services.calendar import events, feeds, ics
from ocean.services.calendar.ics import Placed
from ocean.services.calendar.invites import Inviting
from ocean.services.mail import mailboxes
from ocean.store import mail as letters
from ocean.store import outbox
from tests.mail.mailed import letter, read
from tests.mail.test_mailboxes import arrived, ask, refused

STAMP = datetime(2026, 11, 28, 10, tzinfo=UTC)
PROVEN = Results("pass", "pass", "pass", "none", "reject", "example.com", ("example.com",))
EVENTS: list[dict[str, Any]] = [
    {"title": "Plain", "start": "2026-03-10T10:00:00Z", "end": "2026-03-10T11:00:00Z", "location": "Room 3"},
    {"title": "Day, all of it; yes", "start": "2026-03-10"},
    {
        "title": "Weekly",
        "start": "2026-03-23T10:00:00",
        "end": "2026-03-23T11:00:00",
        "timezone": "Europe/Copenhagen",
        "rrule": "FREQ=WEEKLY;COUNT=9",
        "exdates": ["2026-03-30T10:00:00"],
        "exceptions": [{"at": "2026-04-06T10:00:00", "start": "2026-04-06T15:00:00"}],
    },
    {
        "title": "x\r\nATTENDEE:mailto:evil@example.com",
        "start": "2026-03-10T10:00:00Z",
        "description": "a\nb\rc\x01\x85d" * 40,
        "organizer": "a@example.com",
        "attendees": [{"email": "b@example.com", "name": 'B"\r\nX-EVIL:1;:,^n'}],
    },
]


def feed_of(*payloads: dict[str, Any]) -> str:
    return ics.feed("calendar/team", [Placed(core.check(one), f"{n}@ocean.test", STAMP) for n, one in enumerate(payloads)]).decode()


def test_two_other_programs_read_every_kind_of_event() -> None:
    text = feed_of(*EVENTS)
    read_ = vobject.readOne(text)
    assert [str(one.summary.value) for one in read_.vevent_list if "recurrence-id" not in one.contents][:2] == [
        "Plain",
        "Day, all of it; yes",
    ]
    weekly = next(one for one in read_.vevent_list if one.summary.value == "Weekly" and hasattr(one, "rrule"))
    assert [str(moment)[:16] for moment in list(weekly.rruleset)[:2]] == ["2026-03-23 10:00", "2026-04-06 10:00"]
    assert len(other.Calendar(text).events) == 5
    for line in text.split("\r\n"):
        assert len(line.encode()) <= 75


def test_an_invitation_is_read_by_both_and_holds_nothing_that_was_smuggled_in() -> None:
    text = ics.message("REQUEST", Placed(core.check(EVENTS[3]), "u@ocean.test", STAMP))
    unfolded = text.replace("\r\n ", "")
    assert [line for line in unfolded.split("\r\n") if line.startswith(("ATTENDEE", "X-EVIL"))] == [
        line for line in unfolded.split("\r\n") if line.startswith("ATTENDEE") and line.endswith("mailto:b@example.com")
    ]
    (event,) = vobject.readOne(text).vevent_list
    assert event.attendee.value == "mailto:b@example.com"
    assert next(iter(other.Calendar(text).events)).name.startswith("x\n")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1, max_size=80).filter(str.strip), st.text(max_size=80), st.text(max_size=40))
def test_whatever_is_written_in_an_event_stays_in_its_field(title: str, description: str, name: str) -> None:
    if "\x00" in title + description:
        return
    payload = {
        "title": title,
        "description": description,
        "start": "2026-03-10T10:00:00Z",
        "organizer": "a@example.com",
        "attendees": [{"email": "b@example.com", "name": name}],
    }
    text = ics.message("REQUEST", Placed(core.check(payload), "u@ocean.test", STAMP))
    names = [line.split(":")[0].split(";")[0] for line in text.replace("\r\n ", "").split("\r\n") if line]
    assert names.count("ATTENDEE") == names.count("SUMMARY") == names.count("BEGIN") - 1 == 1
    assert set(names) <= {
        "BEGIN",
        "END",
        "PRODID",
        "VERSION",
        "CALSCALE",
        "METHOD",
        "UID",
        "DTSTAMP",
        "LAST-MODIFIED",
        "DTSTART",
        "SUMMARY",
        "DESCRIPTION",
        "SEQUENCE",
        "STATUS",
        "ORGANIZER",
        "ATTENDEE",
    }
    (found,) = ics.parse(text.encode())
    assert found.attendees == {"b@example.com": "needs-action"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"x",
        b"BEGIN:VCALENDAR",
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n",
        b"BEGIN:VCALENDAR\r\n" * 3000,
        b"x" * 300_000,
        b"\xff\xfe",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=" + b"x" * 9000 + b":20260101T000000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    ],
)
def test_what_is_no_calendar(raw: bytes) -> None:
    with pytest.raises(ValueError, match="calendar"):
        ics.parse(raw)


async def test_events_are_listed_and_their_sequence_grows(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    made = await ask(
        ocean,
        alice,
        'event calendar/team @w { title: "W", start: "2026-03-02T10:00:00Z", end: "2026-03-02T11:00:00Z", rrule: "FREQ=WEEKLY" }',
    )
    assert (made["sequence"], made["key"]) == (0, "w")
    await ask(ocean, alice, 'save calendar/team title: "Any record" start: "2026-03-05"')
    await ask(ocean, alice, 'save calendar/team @note text: "no event"')
    await ask(ocean, alice, 'save calendar/team @odd title: "odd" start: "soon"')
    found = await ask(ocean, bob, 'events calendar/team start "2026-03-01" end "2026-03-17"')
    assert [(e["payload"]["title"], e["payload"]["start"]) for e in found["events"]] == [
        ("W", "2026-03-02T10:00:00Z"),
        ("Any record", "2026-03-05"),
        ("W", "2026-03-09T10:00:00Z"),
        ("W", "2026-03-16T10:00:00Z"),
    ]
    assert found["events"][2]["payload"]["end"] == "2026-03-09T11:00:00Z"
    assert (await ask(ocean, bob, "events calendar/team"))["count"] == 2
    assert (await ask(ocean, alice, 'event calendar/team @w { title: "W2", start: "2026-03-02T10:00:00Z" }'))["sequence"] == 1
    await refused("FORBIDDEN", ask(ocean, bob, 'event calendar/team @w { title: "mine", start: "2026-03-02T10:00:00Z" }'))
    for wrong in (
        '{ title: "x" }',
        '{ title: "x", start: "soon" }',
        '{ title: "x", start: "2026-01-01", rrule: "FREQ=SECONDLY" }',
        '{ title: "x", start: "2026-01-01", send_invites: 1 }',
        '{ title: "x", start: "2026-01-01", send_invites: true }',
    ):
        await refused("INVALID_VALUE", ask(ocean, alice, f"event calendar/team @x {wrong}"))
    await refused("INVALID_VALUE", ask(ocean, bob, 'events calendar/team start "2026-03-01" end "2046-03-17"'))
    told = await ask(ocean, bob, 'busy calendar/team start "2026-03-01" end "2026-03-10"')
    assert told["busy"] == [{"start": "2026-03-05T00:00:00Z", "end": "2026-03-06T00:00:00Z"}]


async def test_an_event_that_many_change_at_once_loses_no_version(ocean: Ocean, alice: Caller) -> None:
    await ask(ocean, alice, 'event calendar/team @w { title: "W", start: "2026-03-02" }')
    told = await asyncio.gather(
        *(events.save(ocean, alice, route="calendar/team", key="w", event={"title": f"W{n}", "start": "2026-03-02"}) for n in range(4))
    )
    assert sorted(one["sequence"] for one in told) == [1, 2, 3, 4]


async def test_a_feed_is_its_owners_to_give_and_to_end(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await ask(ocean, alice, 'event calendar/team @w { title: "Secret", start: "2026-03-02T10:00:00Z", end: "2026-03-02T11:00:00Z" }')
    await ask(ocean, alice, "share calendar/team with @nobody mode shared")
    await refused("FORBIDDEN", feeds.feed(ocean, bob, route="calendar/team"))
    await refused("KEY_REQUIRED", feeds.feed(ocean, Caller(None), route="calendar/team"))
    url = (await feeds.feed(ocean, alice, route="calendar/team"))["feed_url"]
    assert (await feeds.feed(ocean, alice, route="calendar/team"))["feed_url"] == url
    token = url.partition("token=")[2]
    assert b"SUMMARY:Secret" in await feeds.text(ocean, "calendar/team", token)
    busy = await feeds.text(ocean, "calendar/team", token, only_busy=True)
    assert b"Secret" not in busy
    assert vobject.readOne(busy.decode()).vfreebusy is not None
    for wrong in ("", token[:-1] + "x", "ä"):
        await refused("FORBIDDEN", feeds.text(ocean, "calendar/team", wrong))
    await refused("FORBIDDEN", feeds.text(ocean, "calendar/other", token))
    await ask(ocean, alice, "calendar revoke calendar/team")
    await refused("FORBIDDEN", feeds.text(ocean, "calendar/team", token))
    await refused("NOT_FOUND", feeds.revoke(ocean, alice, route="calendar/team"))
    again = (await feeds.feed(ocean, alice, route="calendar/team"))["feed_url"]
    assert again != url
    await feeds.text(ocean, "calendar/team", again.partition("token=")[2])


async def test_a_feed_shows_what_its_owner_may_read_now(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await ask(ocean, alice, 'event calendar/team @w { title: "Open", start: "2026-03-02" }')
    token = (await feeds.feed(ocean, bob, route="calendar/team"))["feed_url"].partition("token=")[2]
    assert b"Open" in await feeds.text(ocean, "calendar/team", token)
    await ask(ocean, alice, "share calendar/team with @nobody mode shared")
    await refused("FORBIDDEN", feeds.text(ocean, "calendar/team", token))


@pytest.fixture
async def owner(ocean: Ocean, alice: Caller) -> Caller:
    await mailboxes.give(ocean, str(alice.key), "alice")
    return alice


INVITE = (
    'event calendar/team @s {{ title: "Sprint", start: "2026-12-10T10:00:00Z", end: "2026-12-10T11:00:00Z", organizer: "{who}", '
    "attendees: ({people}), send_invites: true{more} }}"
)


def invite(*people: str, who: str = "me@alice.localhost", more: str = "") -> str:
    return INVITE.format(who=who, people=", ".join(f'{{ email: "{one}" }}' for one in people), more=more)


async def told(ocean: Ocean) -> list[tuple[str, str]]:
    """What the follower has queued since the last look: the method, and for whom."""
    inviting = Inviting(ocean)
    while await inviting.step():
        pass
    await inviting.close()
    found = []
    for row in reversed(await outbox.newest(ocean.engine, 100)):
        raw = (await letters.letter(ocean.engine, row.letter)).source  # type: ignore[union-attr]
        part = next(one for one in read(raw or b"").walk() if one.get_content_type() == "text/calendar")
        found.append((str(part.get_param("method")), row.recipient))
        await ocean.log.put("DELETE FROM outbox WHERE id = ?", [(row.id,)])
    return sorted(found)


async def test_who_is_invited_hears_of_what_matters_to_them_once(ocean: Ocean, owner: Caller) -> None:
    await ask(ocean, owner, invite("b@example.com", "c@example.com"))
    assert await told(ocean) == [("REQUEST", "b@example.com"), ("REQUEST", "c@example.com")]
    assert await told(ocean) == []
    await ask(ocean, owner, 'rsvp calendar/team @s "b@example.com" accepted')
    assert await told(ocean) == []  # an answer is no news to the others
    await ask(ocean, owner, invite("b@example.com", "d@example.com"))
    assert await told(ocean) == [("CANCEL", "c@example.com"), ("REQUEST", "d@example.com")]
    event = (await ask(ocean, owner, "get calendar/team @s"))["payload"]
    assert event["attendees"][0]["status"] == "accepted"  # the answer outlives the new version
    await ask(ocean, owner, 'update calendar/team @s location: "Room 9"')
    assert await told(ocean) == [("REQUEST", "b@example.com"), ("REQUEST", "d@example.com")]
    await ask(ocean, owner, "remove calendar/team @s")
    assert await told(ocean) == [("CANCEL", "b@example.com"), ("CANCEL", "d@example.com")]
    assert await told(ocean) == []


async def test_invitations_go_from_a_mailbox_of_ones_own(ocean: Ocean, owner: Caller, bob: Caller) -> None:
    await refused("FORBIDDEN", ask(ocean, bob, invite("b@example.com").replace("calendar/team", "calendar/bob")))
    await mailboxes.give(ocean, str(bob.key), "bob")
    await refused("FORBIDDEN", ask(ocean, bob, invite("b@example.com").replace("calendar/team", "calendar/bob")))  # as alice
    await ask(ocean, bob, invite("b@example.com", who="boss@elsewhere.example").replace("calendar/team", "calendar/bob"))
    inviting = Inviting(ocean)
    while await inviting.step():
        pass
    (row,) = await outbox.newest(ocean.engine, 1)
    raw = (await letters.letter(ocean.engine, row.letter)).source  # type: ignore[union-attr]
    assert read(raw or b"")["from"] == "calendar@bob.localhost"
    part = next(one for one in read(raw or b"").walk() if one.get_content_type() == "text/calendar").get_content().replace("\r\n ", "")
    assert "ORGANIZER:mailto:calendar@bob.localhost" in part


def reply(uid: str, who: str, answer: str, *, method: str = "REPLY", sender: str | None = None, more: str = "") -> bytes:
    made = read(letter(sender or who, "me@alice.localhost", f"{answer}: Sprint"))
    made.add_alternative(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261128T100000Z\r\n"
        f"DTSTART:20261210T100000Z\r\nORGANIZER:mailto:me@alice.localhost\r\nATTENDEE;PARTSTAT={answer}:MAILTO:{who}\r\n{more}"
        "SEQUENCE:0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        subtype="calendar",
        params={"method": method},
    )
    return bytes(made.as_bytes())


async def status(ocean: Ocean, who: Caller) -> list[str]:
    return [one.get("status", "") for one in (await ask(ocean, who, "get calendar/team @s"))["payload"]["attendees"]]


async def test_answers_count_of_who_was_asked_and_proves_who_they_are(ocean: Ocean, owner: Caller) -> None:
    uid = (await ask(ocean, owner, invite("b@example.com", "c@example.com")))["uid"]
    await told(ocean)
    fails = Results("fail", "none", "fail", "none", "none", "example.com")
    to = "me@alice.localhost"
    for raw, results in (
        (reply(uid, "b@example.com", "ACCEPTED"), fails),
        (reply(uid, "b@example.com", "ACCEPTED", sender="eve@example.com"), PROVEN),
        (reply("other@x", "b@example.com", "ACCEPTED"), PROVEN),
        (reply(uid, "eve@example.com", "ACCEPTED"), PROVEN),
        (reply(uid, "b@example.com", "X-ODD"), PROVEN),
    ):
        await arrived(ocean, raw, to=to, results=results)
    assert await status(ocean, owner) == ["", ""]
    await arrived(ocean, reply(uid, "b@example.com", "ACCEPTED"), to=to)
    await arrived(ocean, reply(uid, "c@example.com", "DECLINED"), to=to)
    assert await status(ocean, owner) == ["accepted", "declined"]
    await arrived(
        ocean, reply(uid, "c@example.com", "TENTATIVE", method="COUNTER", more="COMMENT:Later?\r\nDTEND:20261210T120000Z\r\n"), to=to
    )
    event = (await ask(ocean, owner, "get calendar/team @s"))["payload"]
    assert (event["proposals"][0]["email"], event["proposals"][0]["comment"]) == ("c@example.com", "Later?")
    await arrived(ocean, reply(uid, "b@example.com", "DECLINED", more="RECURRENCE-ID:20261217T100000Z\r\n"), to=to)
    event = (await ask(ocean, owner, "get calendar/team @s"))["payload"]
    assert event["attendees"][0]["status"] == "accepted"
    assert event["attendees"][0]["occurrences"] == {"2026-12-17T10:00:00Z": "declined"}


async def test_who_is_signed_in_by_the_address_answers_for_it(ocean: Ocean, owner: Caller, bob: Caller) -> None:
    await ask(ocean, owner, invite("b@example.com", "c@example.com"))
    account, _ = await accounts.account_for(ocean, "b@example.com", accounts.PERSONAL)
    them = Caller(account.key)
    await ask(ocean, them, 'rsvp calendar/team @s "b@example.com" accepted')
    assert await status(ocean, owner) == ["accepted", ""]
    await refused("FORBIDDEN", ask(ocean, them, 'rsvp calendar/team @s "c@example.com" declined'))
    await refused("FORBIDDEN", ask(ocean, bob, 'rsvp calendar/team @s "c@example.com" declined'))
    await refused("NOT_FOUND", ask(ocean, owner, 'rsvp calendar/team @s "z@example.com" declined'))
    await refused("NOT_FOUND", ask(ocean, owner, 'rsvp calendar/team @none "b@example.com" declined'))
    await refused("INVALID_VALUE", ask(ocean, owner, 'rsvp calendar/team @s "b@example.com" perhaps'))


async def test_an_invitation_that_came_is_answered_by_mail(ocean: Ocean, owner: Caller) -> None:
    request = read(letter("boss@example.com", "me@alice.localhost", "Invitation: Talk"))
    payload = {
        "title": "Talk",
        "start": "2026-12-10T10:00:00Z",
        "organizer": "boss@example.com",
        "attendees": [{"email": "me@alice.localhost"}],
    }
    request.add_alternative(
        ics.message("REQUEST", Placed(core.check(payload), "u1@example.com", STAMP)), subtype="calendar", params={"method": "REQUEST"}
    )
    await arrived(ocean, bytes(request.as_bytes()), to="me@alice.localhost", sender="boss@example.com")
    (record,) = (await ask(ocean, owner, "list mail/alice/inbound"))["entities"]
    shown = record["payload"]["invitations"][0]
    assert (shown["method"], shown["title"], shown["organizer"]) == ("REQUEST", "Talk", "boss@example.com")
    await ask(ocean, owner, f'rsvp mail/alice/inbound @{record["key"]} "me@alice.localhost" accepted')
    (row,) = await outbox.newest(ocean.engine, 1)
    raw = (await letters.letter(ocean.engine, row.letter)).source or b""  # type: ignore[union-attr]
    text = next(one for one in read(raw).walk() if one.get_content_type() == "text/calendar").get_content().replace("\r\n ", "")
    assert re.search(r"ATTENDEE;.*PARTSTAT=ACCEPTED.*:mailto:me@alice.localhost", text)
    assert "UID:u1@example.com" in text
    assert (row.recipient, (await ask(ocean, owner, "list mail/alice/inbound"))["entities"][0]["payload"]["answer"]) == (
        "boss@example.com",
        "accepted",
    )
    with pytest.raises(OceanError):
        await ask(ocean, owner, f'rsvp mail/alice/inbound @{record["key"]} "other@alice.localhost" accepted')


async def test_an_event_in_a_folder_of_ones_own_stays_there(ocean: Ocean) -> None:
    pair = keys.generate()
    them = Caller(pair.public)
    await ask(ocean, them, f'event {pair.public}/calendar @x {{ title: "Mine", start: "2026-12-10" }}')
    await refused("FORBIDDEN", ask(ocean, Caller(keys.generate().public), f"events {pair.public}/calendar"))
