"""What attackers and readers found in mail and calendars: each does what it should by now."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ocean.context import Caller, Ocean
from ocean.core import events as core
from ocean.core import keys
from ocean.core.mail import Results
from ocean.core.recurrence import check_rule
from ocean.egress.broker import Broker
from ocean.egress.dns import Dns, DnsError
from ocean.egress.smtp import Carrier, Outcome, Smarthost
from ocean.errors import OceanError
from ocean.services.access import scoped
from ocean.services.calendar import invites
from ocean.services.calendar.invites import Inviting
from ocean.services.data import records
from ocean.services.mail import arriving, authentic, composing, domains, mailboxes, markup, outbox, returning, rules, sending
from ocean.services.mail.arrival import Arrival
from ocean.services.mail.delivering import Delivering
from ocean.services.mail.jmap import methods
from ocean.services.mail.parsing import parse
from ocean.services.money import credits
from ocean.store import mail as letters
from ocean.store import outbox as rows
from ocean.turns import household
from tests.mail.mailed import letter
from tests.mail.test_calendars import invite, reply, told
from tests.mail.test_mailboxes import PROVEN, arrived, ask, inbox, refused


@pytest.fixture
async def owner(ocean: Ocean, alice: Caller) -> Caller:
    await mailboxes.give(ocean, str(alice.key), "alice")
    return alice


@pytest.fixture
async def mallory(ocean: Ocean) -> Caller:
    made = Caller(keys.generate().public)
    await mailboxes.give(ocean, str(made.key), "mallory")
    return made


async def test_whoever_knows_a_uid_takes_no_invitation_over(ocean: Ocean, owner: Caller, mallory: Caller) -> None:
    uid = (await ask(ocean, owner, invite("b@example.com")))["uid"]
    await told(ocean)
    theirs = invite("x@example.com", who="me@mallory.localhost", more=f', uid: "{uid}"').replace("calendar/team", "calendar/mallory")
    await ask(ocean, mallory, theirs)
    assert await told(ocean) == [("REQUEST", "x@example.com")]
    await ask(ocean, owner, 'update calendar/team @s description: "SECRET"')
    assert await told(ocean) == [("REQUEST", "b@example.com")]
    sent = [one for one in (await ask(ocean, owner, "find mail/alice/sent"))["results"] if "SECRET" in one["payload"]["text"]]
    assert len(sent) == 1
    assert (await ask(ocean, mallory, "find mail/mallory/sent"))["count"] == 1
    await arrived(ocean, reply(uid, "b@example.com", "ACCEPTED"), to="me@alice.localhost")
    event = (await ask(ocean, owner, "get calendar/team @s"))["payload"]
    assert event["attendees"][0]["status"] == "accepted"


async def test_who_may_not_read_an_event_any_more_tells_nobody_of_it(ocean: Ocean, owner: Caller, mallory: Caller) -> None:
    await ask(ocean, owner, 'save calendar/team @other "x"')
    await ask(ocean, owner, f"share calendar/team with @{mallory.key} mode shared")
    await ask(ocean, mallory, invite("b@example.com", who="me@mallory.localhost"))
    assert await told(ocean) == [("REQUEST", "b@example.com")]
    await ask(ocean, owner, f"revoke calendar/team from {mallory.key}")
    await ask(ocean, owner, 'update calendar/team @s description: "SECRET"')
    assert await told(ocean) == []


async def test_an_event_that_can_not_be_sent_holds_up_no_other(ocean: Ocean, owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    await ask(ocean, owner, invite("b@example.com"))
    await ask(ocean, owner, invite("c@example.com").replace("@s ", "@t "))
    whole = invites._requests

    def breaks(placed: Any, here: Any, people: Any) -> Any:
        if people[0][0] == "b@example.com":
            raise IndexError("of the library's")
        return whole(placed, here, people)

    monkeypatch.setattr(invites, "_requests", breaks)
    assert await told(ocean) == [("REQUEST", "c@example.com")]
    assert "IndexError" in (await inbox(ocean, owner, "bounces"))[0]["error"]
    await refused("INVALID_VALUE", ask(ocean, owner, invite("d@example.com", more=", sequence: 2147483647")))


async def test_what_could_not_be_told_is_told_later(ocean: Ocean, owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invites, "AGAIN", 0)
    await ask(ocean, owner, invite("b@example.com"))
    whole = sending.post

    async def busy(*args: Any, **more: Any) -> Any:
        raise OceanError("SERVER_BUSY", "Busy.")

    monkeypatch.setattr(sending, "post", busy)
    assert await told(ocean) == []
    monkeypatch.setattr(sending, "post", whole)
    inviting = Inviting(ocean)
    await inviting.step()
    await inviting.close()
    assert [row.recipient for row in await rows.newest(ocean.engine, 5)] == ["b@example.com"]


async def test_an_event_of_many_exceptions_and_guests_is_read_and_sent_quickly(ocean: Ocean, owner: Caller) -> None:
    people = [{"email": f"p{n}@example.com"} for n in range(100)]
    exceptions = [{"at": f"2026-12-{10 + n % 20:02}T10:00:00Z", "title": f"x{n}"} for n in range(100)]
    event = {"title": "T", "start": "2026-12-10T10:00:00Z", "end": "2026-12-10T11:00:00Z", "rrule": "FREQ=DAILY", "exceptions": exceptions}
    event |= {"attendees": people, "organizer": "me@alice.localhost", "send_invites": True}
    began = time.process_time()
    core.check(event)
    assert time.process_time() - began < 0.5
    for wrong in ([{"at": "2026-12-10T10:00:00Z"}] * 101, [{"at": "2026-12-10T10:00:00Z", "title": 7}]):
        with pytest.raises(OceanError):
            core.check({**event, "exceptions": wrong})
    nested: dict[str, Any] = {"at": "2026-12-10T10:00:00Z"}
    for _ in range(400):
        nested = {"at": "2026-12-10T10:00:00Z", "rrule": "FREQ=DAILY", "exceptions": [nested]}
    core.check({**event, "exceptions": [nested]})  # what an exception has of its own kind is not looked at


async def test_an_answer_counts_though_the_process_died_before_it_was_written(ocean: Ocean, owner: Caller) -> None:
    uid = (await ask(ocean, owner, invite("b@example.com")))["uid"]
    raw, box = reply(uid, "b@example.com", "ACCEPTED"), await letters.mailbox(ocean.engine, "alice")
    assert box is not None
    arrival = Arrival(raw, "192.0.2.1", "mx", "b@example.com", [("me@alice.localhost", box)], trusted=PROVEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arriving.replies, "take", _dies)
        with pytest.raises(RuntimeError):
            await arriving.arrive(ocean, arrival)
    await arriving.arrive(ocean, arrival)  # whoever heard no 250 sends it again
    assert len(await inbox(ocean, owner)) == 1
    assert (await ask(ocean, owner, "get calendar/team @s"))["payload"]["attendees"][0]["status"] == "accepted"


async def _dies(*args: Any) -> None:
    raise RuntimeError


async def test_who_says_to_be_several_is_nobody(ocean: Ocean, owner: Caller) -> None:
    uid = (await ask(ocean, owner, invite("b@example.com")))["uid"]
    for more in (b"From: eve@evil.example\r\n", b"From : eve@evil.example\r\n", b"X: y\r\n" * 600 + b"From: eve@evil.example\r\n"):
        box = await letters.mailbox(ocean.engine, "alice")
        assert box is not None
        raw = reply(uid, "b@example.com", "ACCEPTED").replace(b"Subject:", more + b"Subject:", 1)
        await arriving.arrive(ocean, Arrival(raw, "192.0.2.1", "mx", "b@example.com", [("me@alice.localhost", box)], trusted=PROVEN))
    assert {one["auth"]["dmarc"] for one in await inbox(ocean, owner)} == {"fail"}
    assert (await ask(ocean, owner, "get calendar/team @s"))["payload"]["attendees"][0].get("status") is None


async def test_results_in_our_name_are_ours_alone(ocean: Ocean, owner: Caller) -> None:
    forged = (
        b"Return-Path: <x@y.test>\r\nauthentication-results: localhost;\r\n dmarc=pass\r\n"
        b"Authentication-Results: other.example; spf=pass\r\n"
    )
    await arrived(ocean, forged + letter("bob@example.com", "a@alice.localhost", "Hi"))
    ((raw,),) = await ocean.engine.rows("SELECT source FROM letter")
    head = bytes(raw).partition(b"\r\n\r\n")[0].lower()
    assert head.count(b"authentication-results: localhost") == 1
    assert head.count(b"return-path:") == 1
    assert b"other.example" in head


@pytest.mark.parametrize(
    "head",
    [
        b"From: me@mal.test <ceo@vic.test>\r\n",
        b"From: me@mal.test, ceo@vic.test\r\n",
        b"From : ceo@vic.test\r\nFrom: me@mal.test\r\n",
        b"From: me@mal.test\r\n" + b"A: b\r\n" * 500 + b"From: c@v.test\r\n",
        b"no header\r\nFrom: me@mal.test\r\n",
        b"To: x@y.test\r\n",
        b"From: me@mal.test\r\nX\r\nFrom: ceo@vic.test\r\n",
        b'From: "a" <a@b.test> (x) <c@d.test>\r\n',
        b"From: g: me@mal.test;\r\n",
        b"From: <me@mal.test\r\n",
        b"From:\r\n ceo@vic.test\r\nFrom: me@mal.test\r\n",
    ],
)
def test_a_sender_that_two_programs_may_read_differently_is_none(head: bytes) -> None:
    with pytest.raises(OceanError) as caught:
        composing.sender_of(head + b"Subject: x\r\n\r\nbody\r\nFrom: z@z.test\r\n")
    assert caught.value.code == "INVALID_VALUE"


@pytest.mark.parametrize(
    "head",
    [
        b"From: me@mal.test",
        b"from: Me <me@mal.test>",
        b'FROM: "Me, \\"myself\\"" <me@mal.test>',
        b"From: =?utf-8?q?M=C3=A9?=\r\n <me@mal.test>",
    ],
)
def test_one_address_however_it_is_named(head: bytes) -> None:
    assert composing.sender_of(b"X: y\r\n" + head + b"\r\n\r\n") == "me@mal.test"


def test_what_is_handed_in_tells_of_no_blind_copies_and_no_other_senders() -> None:
    raw = (
        b"From: a@b.test\r\nBcc: secret@x.test,\r\n other@x.test\r\nSender: ceo@vic.test\r\nResent-From: x@y.test\r\n"
        b"Subject: s\r\n\r\nBcc: stays\r\n"
    )
    made = composing.completed(raw, "b.test")
    head, _, body = made.partition(b"\r\n\r\n")
    assert b"secret" not in head
    assert b"other@" not in head
    assert b"ceo@" not in head
    assert b"Resent" not in head
    assert body == b"Bcc: stays\r\n"
    assert b"Message-ID: <" in head
    assert b"Date: " in head
    whole = composing.completed(b"From: a@b.test\r\nmessage-id: <x@y>\r\ndate: Sat, 28 Nov 2026 10:00:00 +0000\r\n\r\nx", "b.test")
    assert whole.lower().count(b"message-id:") == whole.lower().count(b"date:") == 1


async def test_no_rule_is_a_reason_to_refuse_a_message(ocean: Ocean, owner: Caller) -> None:
    await ask(ocean, owner, 'save mail/alice/_rules @away { type: "vacation", body: "Back in May." }')
    for wrong in ('{ type: "forward", to: "a@١.com" }', '{ type: "teleport" }', '{ type: "vacation", body: "x", end: "someday" }'):
        await refused("INVALID_VALUE", ask(ocean, owner, f"save mail/alice/_rules @x {wrong}"))
    await ask(ocean, owner, 'save mail/alice/_rules @on { type: "forward", to: "me@alice.localhost" }')
    raw = letter("bob@example.com", "hello@alice.localhost", "x").replace(b"Subject: x", b"Subject: =?utf-8?q?a=0AX-Evil:_b?=")
    await arrived(ocean, raw)
    (found,) = await inbox(ocean, owner)
    assert "\n" not in found["subject"]
    assert any("rule on" in one for one in found.get("faults", []))
    assert [row.recipient for row in await rows.newest(ocean.engine, 9)] == ["bob@example.com"]


async def test_strangers_do_not_spend_the_owners_share(ocean: Ocean, owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_PER_DAY", 3)
    await ask(ocean, owner, 'save mail/alice/_rules @on { type: "forward", to: "me@elsewhere.example" }')
    for number in range(5):
        await arrived(ocean, letter("bob@example.com", "a@alice.localhost", f"{number}"))
    assert len(await rows.newest(ocean.engine, 99)) == 3
    assert len(await inbox(ocean, owner)) == 5
    await sending.send(ocean, owner, to="x@example.com", body="mine")


async def test_one_who_wants_no_mail_holds_up_nobody_elses(ocean: Ocean, owner: Caller) -> None:
    box = await letters.mailbox(ocean.engine, "alice")
    assert box is not None
    await sending.suppress(ocean, box, "b@example.com", "unsubscribed")
    await ask(ocean, owner, 'save people @a email: "a@example.com"; save people @b email: "b@example.com"')
    answer = await ask(ocean, owner, 'find people then send email to email subject "S" body "B"')
    assert (answer["affected"], answer["skipped"]) == (1, ["b@example.com"])


@pytest.mark.parametrize(
    "html", ["<div>" * 20_000, "<b><i>" * 9000 + "x", "<table><tr><td>" * 8000, "x<p>" * 40_000, "<div " + "a=b " * 60_000 + ">"]
)
def test_html_that_is_a_bomb_is_not_shown(html: str) -> None:
    began = time.process_time()
    markup.text_of(markup.safe(html))
    assert time.process_time() - began < 2
    assert markup.safe("<p>fine</p>") == "<p>fine</p>"


async def test_recurrences_far_on_are_found_at_once(ocean: Ocean, owner: Caller) -> None:
    days = ",".join(map(str, range(1, 61)))
    for number in range(20):
        await ask(
            ocean,
            owner,
            f'event calendar/far @{number} {{ title: "T", start: "1900-01-01T10:00:00Z", rrule: "FREQ=YEARLY;BYYEARDAY={days}" }}',
        )
    began = time.process_time()
    found = await ask(ocean, owner, 'events calendar/far start "2189-01-01" end "2189-01-10"')
    assert found["count"] == 180
    assert time.process_time() - began < 2
    await refused("LIMIT_REACHED", ask(ocean, owner, 'events calendar/far start "2180-01-01" end "2190-01-01"'))


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY;UNTIL=00010101", "FREQ=DAILY;UNTIL=00010101T000000Z", "FREQ=MONTHLY;BYDAY=53MO", "FREQ=WEEKLY;BYDAY=2MO"]
)
def test_rules_that_the_library_breaks_on_are_none(rule: str) -> None:
    with pytest.raises(OceanError):
        check_rule(rule)


async def test_a_domain_is_paid_for_once_though_it_is_asked_for_twice_at_once(ocean: Ocean, owner: Caller) -> None:
    ocean.settings = {**ocean.settings, "OCEAN_MAIL_DOMAIN": "ocean.test"}
    await credits.grant(ocean, str(owner.key), 1000)
    await mailboxes.give(ocean, str(owner.key), "other")
    await asyncio.gather(*(domains.add(ocean, owner, domain="site.test", mailbox="other") for _ in range(3)))
    assert await credits.balance(ocean, str(owner.key)) == 500
    assert (await domains.add(ocean, owner, domain="site.test"))["mailbox"] == "other"  # it stays where it was led to


async def test_one_key_that_claims_a_name_twice_at_once_has_it(ocean: Ocean, alice: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 1000)
    claimed = await asyncio.gather(*(mailboxes.claim(ocean, alice, username="alice") for _ in range(5)))
    assert sum("cost" in one for one in claimed) == 1
    assert await credits.balance(ocean, str(alice.key)) == 900


class Silent(Dns):
    """A name server that answers for some names alone."""

    def __init__(self, texts: dict[str, bytes]) -> None:
        super().__init__()
        self._texts = texts

    async def answer(self, name: str, kind: str) -> list[Any]:
        if name.endswith("slow.test") and name != "slow.test":
            raise DnsError("no answer")
        text = self._texts.get(name)
        return [type("Text", (), {"strings": (text,)})()] if text is not None and kind == "TXT" else []


async def test_a_slow_name_server_of_ones_own_proves_nothing() -> None:
    dns = Silent({"slow.test": b"v=spf1 include:a.slow.test -all", "_dmarc.good.test": b"v=DMARC1; p=reject", "good.test": b"v=spf1 -all"})
    raw = letter("ceo@good.test", "a@alice.localhost", "Pay")
    found = await authentic.authenticate(dns, raw, "192.0.2.1", "mx", "a@slow.test", "good.test")
    assert (found.dmarc, found.policy) == ("fail", "reject")
    assert isinstance(found, Results)


async def test_a_notice_of_what_was_never_sent_is_none(ocean: Ocean, owner: Caller) -> None:
    await sending.send(ocean, owner, to="b@example.com", body="b")
    (row,) = await rows.newest(ocean.engine, 1)
    raw = b"From: x@y.test\r\nSubject: failed\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.1.1\r\nAction: failed\r\n"
    await returning.came_back(ocean, row.id, Arrival(raw, "192.0.2.1", "mx", "", []))
    assert await inbox(ocean, owner, "bounces") == []
    assert (await rows.one(ocean.engine, row.id)).state == rows.QUEUED  # type: ignore[union-attr]


class Peer:
    """Hosts that say what a test wants: `answer` gives the outcome, and may take its time."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.told: list[str] = []

    async def carry(self, host: str, sender: str, recipient: str, raw: bytes) -> Outcome:
        self.told.append(recipient)
        return Outcome(*await self.answer(host))


@asynccontextmanager
async def delivering(ocean: Ocean, peer: Peer) -> AsyncIterator[Delivering]:
    ocean.settings = {**ocean.settings, "OCEAN_MAIL_DOMAIN": "localhost"}
    made = Delivering(ocean, peer)  # type: ignore[arg-type]
    yield made
    await made.close()


async def _until(look: Any) -> None:
    async with asyncio.timeout(30):
        while not await look():
            await asyncio.sleep(0.01)


async def test_what_was_sent_is_not_sent_again_though_that_can_not_be_written(
    ocean: Ocean, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken(host: str) -> tuple[int, str]:
        return 250, "ok"

    await sending.send(ocean, owner, to="b@example.com", body="b")
    peer = Peer(taken)
    full, refused = True, 0
    whole = rows.settled

    def settled(*args: Any) -> Any:
        nonlocal refused
        if full:
            refused += 1
            raise OceanError("STORAGE_FULL", "Full.")
        return whole(*args)

    monkeypatch.setattr(rows, "settled", settled)
    async with delivering(ocean, peer) as sends:

        async def tried() -> bool:
            await sends.step()
            return refused > 0

        await _until(tried)
        for _ in range(5):
            await sends.step()
        assert peer.told == ["b@example.com"]
        full = False

        async def sent() -> bool:
            return (await rows.newest(ocean.engine, 1))[0].state == rows.SENT

        await _until(sent)
    assert peer.told == ["b@example.com"]


async def test_a_host_that_is_slow_holds_up_no_other(ocean: Ocean, owner: Caller, mallory: Caller) -> None:
    async def slow(host: str) -> tuple[int, str]:
        if host.startswith("slow"):
            await asyncio.sleep(60)
        return 250, "ok"

    for number in range(3):
        people = [f"p{n}@slow{number}.test" for n in range(100)]
        await sending.send(ocean, mallory, to=people, body="b")
    await sending.send(ocean, owner, to="me@alice.localhost", body="here")
    await sending.send(ocean, owner, to="b@quick.test", body="there")
    peer = Peer(slow)
    async with delivering(ocean, peer) as sends:

        async def both() -> bool:
            await sends.step()
            return len(await inbox(ocean, owner)) == 1 and "b@quick.test" in peer.told

        await _until(both)
        assert sum("slow" in one for one in peer.told) <= 8
        going = next(row for row in await rows.newest(ocean.engine, 500) if row.state == rows.SENDING)
        await refused("NOT_FOUND", outbox.drop(ocean, mallory, id=going.id))  # it is on its way
    assert not [row for row in await rows.newest(ocean.engine, 500) if row.state == rows.SENDING]  # what was begun waits again


@pytest.mark.parametrize("words", ["greeting", "password"])
async def test_what_a_host_says_before_the_message_is_no_judgement_of_it(words: str) -> None:
    over = asyncio.Event()

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.7.1 Not you\r\n" if words == "greeting" else b"220 hi\r\n")
        while line := await reader.readline():
            writer.write(b"250-x\r\n250 AUTH PLAIN\r\n" if line.startswith(b"EHLO") else b"535 5.7.8 No\r\n")
        writer.close()
        await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(host, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    carrier = Carrier(Dns(), Broker(), "mx.test", Smarthost("127.0.0.1", port, "u", "p"))
    outcome = await carrier.carry("example.com", "a@b.test", "c@example.com", b"From: a@b.test\r\n\r\nx\r\n")
    assert (outcome.code, outcome.refused) == (0, False)
    await over.wait()
    server.close()
    await server.wait_closed()


def test_a_calendar_that_takes_its_time_is_not_read() -> None:
    many = b"DTSTART;TZID=Foo/Bar:20260101T000000\r\n" * 4900
    raw = (
        b"From: a@b.test\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"
        + many
        + b"END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    began = time.process_time()
    assert parse(raw).invitations == []
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    "raw",
    [
        b'Content-Type: multipart/mixed; boundary=b; a="' + b";" * 1_500_000 + b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"".join(b'--b\r\nContent-Disposition: x; a="' + b";" * 900 + b"\r\n\r\nx\r\n" for _ in range(300)),
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 400_000,
        b"".join(b"X-%d: %b\r\n" % (n, b"=?utf-8?q?=C3=A4?= " * 90) for n in range(490)) + b"\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\nContent-Type: text/html\r\n\r\n<b>\r\n" * 150 + b"<div>" * 9000,
    ],
)
def test_a_message_that_takes_its_time_is_not_read_whole(raw: bytes) -> None:
    began = time.process_time()
    found = parse(b"From: a@b.test\r\nSubject: s\r\n" + raw)
    assert found.subject == "s"
    assert time.process_time() - began < 3


def test_a_sender_of_spaces_is_looked_at_at_once() -> None:
    began = time.process_time()
    for value in (b" " * 900 + b"x", b" " * 100_000 + b"<a@b.test>", b"a " * 400 + b"@"):
        with pytest.raises(OceanError):
            composing.sender_of(b"From:" + value + b"\r\n\r\n")
    assert time.process_time() - began < 0.2
    for named in (b"=?utf-8?q?ceo=40bank.test?= <me@mal.test>", b'"ceo@bank.test" <me@mal.test>'):
        with pytest.raises(OceanError):
            composing.sender_of(b"From: " + named + b"\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        b"From: ceo@bank.test\r\nSubject: s\r\nQUJD\r\nREVG",
        b"From: x@free.test, ceo@bank.test\r\nSubject: s\r\n\r\nx\r\n",
        b"From:\r\nSubject: s\r\n\r\n",
        b"From: CEO ceo@bank.test\r\n\r\nx",
        b"Subject: s\r\n\r\nx\r\n",
        b"From: ceo@bank.test.\r\n\r\nx\r\n",
    ],
)
async def test_who_a_message_is_from_is_plain_or_it_fails(ocean: Ocean, owner: Caller, head: bytes) -> None:
    ocean.dns = Silent({"_dmarc.bank.test": b"v=DMARC1; p=reject", "bank.test": b"v=spf1 -all"})
    box = await letters.mailbox(ocean.engine, "alice")
    assert box is not None
    await arriving.arrive(ocean, Arrival(head, "192.0.2.1", "mx", "a@free.test", [("me@alice.localhost", box)]))
    (found,) = await inbox(ocean, owner)
    assert found["auth"]["dmarc"] == "fail"
    assert found["spam"]["score"] >= 3


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: (x) mx.t; dmarc=pass",
        b'Authentication-Results: "mx.t"; spf=pass',
        b"authentication-results : mx.t; x=y",
        b"Authentication-Results:\r\n mx.t;\r\n dmarc=pass",
    ],
)
def test_results_in_our_name_are_taken_out_however_they_are_written(forged: bytes) -> None:
    assert arriving._unforged(b"A: b\r\n" + forged + b"\r\nC: d\r\n\r\nbody", "mx.t") == b"A: b\r\nC: d\r\n\r\nbody"
    assert arriving._unforged(b"A: b\r\n" + forged, "mx.t") == b"A: b\r\n"


def test_results_of_others_and_words_in_the_body_stay() -> None:
    other = b"Authentication-Results: other.test; spf=pass\r\n\r\nAuthentication-Results: mx.t; in the body\r\n"
    assert arriving._unforged(other, "mx.t") == other


async def test_a_stranger_does_not_switch_forwarding_off(ocean: Ocean, owner: Caller) -> None:
    await ask(ocean, owner, 'save mail/alice/_rules @on { type: "forward", to: "me@elsewhere.example" }')
    await arrived(ocean, b"X-Passed-On-By: <alice>\r\n" + letter("bob@example.com", "a@alice.localhost", "x"))
    assert len(await rows.newest(ocean.engine, 9)) == 1
    mark = rules.passed_mark(ocean, "alice").encode()
    await arrived(ocean, b"X-Passed-On-By: " + mark + b"\r\n" + letter("bob@example.com", "a@alice.localhost", "y"))
    assert len(await rows.newest(ocean.engine, 9)) == 1


async def test_what_a_rule_could_not_do_is_told_to_its_mailbox_alone(ocean: Ocean, owner: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 1000)
    await mailboxes.claim(ocean, bob, username="bobby")
    await ask(ocean, owner, 'save mail/alice/_rules @round { type: "forward", to: "me@alice.localhost" }')
    both = [(f"me@{name}.localhost", box) for name in ("alice", "bobby") if (box := await letters.mailbox(ocean.engine, name))]
    raw = letter("carol@example.com", "me@alice.localhost", "x")
    await arriving.arrive(ocean, Arrival(raw, "192.0.2.1", "mx", "carol@example.com", both))
    assert any("round" in fault for fault in (await inbox(ocean, owner))[0]["faults"])
    (hers,) = (await ask(ocean, bob, "find mail/bobby/inbound"))["results"]
    assert not any("round" in fault for fault in hers["payload"]["faults"])


async def test_html_that_is_too_deep_is_not_read_on_its_way_out(ocean: Ocean, owner: Caller) -> None:
    began = time.process_time()
    await sending.send(ocean, owner, to="b@example.com", html="<div>" * 50_000)
    assert time.process_time() - began < 2


async def jmap(ocean: Ocean, who: Caller, *calls: list[Any]) -> list[Any]:
    using = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"]
    return list((await methods.ask(ocean, who, {"using": using, "methodCalls": list(calls)}))["methodResponses"])


async def test_a_request_that_would_be_answered_with_gigabytes_is_too_large(ocean: Ocean, owner: Caller) -> None:
    echo: list[list[Any]] = [["Core/echo", {"x": "A" * 100}, "0"]]
    for number in range(1, 32):
        back = {"resultOf": str(number - 1), "name": "Core/echo", "path": "/x" if number % 2 else "/"}
        echo.append(["Core/echo", {"#x": back, "#b": back}, str(number)])
    answers = await jmap(ocean, owner, *echo)
    assert len(str(answers)) < 40_000_000
    large = {"bodyValues": {"1": {"value": "x" * 1_000_000}}, "textBody": [{"partId": "1"}] * 3000}
    told_ = await jmap(ocean, owner, ["Email/set", {"accountId": "alice", "create": {"a": large}}, "0"])
    assert told_[0][1]["notCreated"]["a"]["type"] == "invalidProperties"
    ids = []
    for _ in range(8):
        one = {"bodyValues": {"1": {"value": "x" * 900_000}}, "textBody": [{"partId": "1"}]}
        made = await jmap(ocean, owner, ["Email/set", {"accountId": "alice", "create": {"a": one}}, "0"])
        ids.append(made[0][1]["created"]["a"]["id"])
    get = ["Email/get", {"accountId": "alice", "ids": ids, "fetchAllBodyValues": True}, "0"]
    kinds = [answer[1].get("type") if answer[0] == "error" else "" for answer in await jmap(ocean, owner, *([get] * 16))]
    assert kinds[-1] == "requestTooLarge"


async def test_a_key_for_the_inbox_is_told_of_nothing_else(ocean: Ocean, owner: Caller) -> None:
    await sending.send(ocean, owner, to="secret@example.com", body="x")
    made = await scoped.make(ocean, owner, routes=["mail/alice/inbound"], permissions=["entity"])
    reads = Caller(await scoped.identity(ocean, made["secret"]))
    answers = await jmap(
        ocean,
        reads,
        ["EmailSubmission/get", {"accountId": "alice", "ids": None}, "0"],
        ["Email/changes", {"accountId": "alice", "sinceState": "0"}, "1"],
    )
    assert answers[0][0] == "error"
    assert answers[1][1]["created"] == []


async def test_a_conversation_stands_where_its_newest_message_does(ocean: Ocean, owner: Caller) -> None:
    first = letter("bob@example.com", "a@alice.localhost", "Boats")
    await arrived(ocean, first)
    await arrived(ocean, letter("eve@example.com", "a@alice.localhost", "Oars"))
    about = parse(first).message_id
    await arrived(ocean, letter("bob@example.com", "a@alice.localhost", "Re: Boats", In_Reply_To=about, References=about))
    asked = {"accountId": "alice", "collapseThreads": True, "filter": {"inMailbox": "inbound"}}
    answers = await jmap(
        ocean,
        owner,
        ["Email/query", asked, "0"],
        [
            "Email/get",
            {"accountId": "alice", "#ids": {"resultOf": "0", "name": "Email/query", "path": "/ids"}, "properties": ["subject"]},
            "1",
        ],
    )
    assert [one["subject"] for one in answers[1][1]["list"]] == ["Re: Boats", "Oars"]


def test_parts_in_parts_without_end_are_not_read_one_by_one() -> None:
    heads = b"".join(b"Content-Type: multipart/a; boundary=%d\r\n\r\n--%d\r\n" % (number, number) for number in range(200))
    begun = time.process_time()
    parsed = parse(heads + b"\r\n" * 300_000)
    assert time.process_time() - begun < 2
    assert any("too many parts" in fault for fault in parsed.faults)


def test_who_comes_by_ipv4_to_where_both_are_listened_for_is_one_household() -> None:
    assert household("::ffff:192.0.2.1") == household("192.0.2.1") == "192.0.2.1"
    assert household("::ffff:192.0.2.2") != household("::ffff:192.0.2.1")


async def test_a_program_pages_through_more_than_a_thousand_messages(ocean: Ocean, owner: Caller) -> None:
    ops = [{"route": "mail/alice/inbound", "key": f"m{n:04}", "payload": {"subject": f"s{n}", "thread": f"t{n // 5}"}} for n in range(1250)]
    await records.bulk(ocean, owner, ops=ops, brief=True)
    asked = {"accountId": "alice", "filter": {"inMailbox": "inbound"}, "calculateTotal": True, "limit": 100}
    pages = [{**asked, "position": at} for at in (0, 1000, 1100, 1200, 1300)]
    answers = await jmap(ocean, owner, *(["Email/query", page, str(at)] for at, page in enumerate(pages)))
    assert [(len(answer["ids"]), answer["total"]) for _, answer, _ in answers] == [(100, 1250)] * 3 + [(50, 1250), (0, 1250)]
    assert len({id_ for _, answer, _ in answers for id_ in answer["ids"]}) == 350
    threads = await jmap(ocean, owner, ["Email/query", {**asked, "limit": 500, "collapseThreads": True}, "0"])
    assert (len(threads[0][1]["ids"]), threads[0][1]["total"]) == (250, 250)
    beyond = await jmap(ocean, owner, ["Email/query", {**asked, "position": 10**9}, "0"])
    assert beyond[0][1]["type"] == "invalidArguments"
