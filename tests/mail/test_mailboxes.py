"""Mailboxes: claimed and paid for, private, sent from by who may, read from and answered by rules; domains of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.access import Scoped
from ocean.core.mail import Results
from ocean.egress.dns import Dns
from ocean.errors import OceanError
from ocean.services.access import scoped
from ocean.services.files import blobs
from ocean.services.files.blobs import Received
from ocean.services.mail import arriving, domains, mailboxes, messages, outbox, returning, sending, sweeping
from ocean.services.mail.arrival import Arrival
from ocean.services.money import credits
from ocean.store import mail as letters
from ocean.store import outbox as rows
from ocean.store.reader import now
from tests.mail.mailed import letter
from tests.names import Names
from tests.services.test_find import plain

PROVEN = Results("pass", "pass", "pass", "none", "reject", "example.com", ("example.com",))


async def ask(ocean: Ocean, who: Caller, text: str) -> Any:
    return plain(await execute(ocean, who, parse(text)))


@pytest.fixture
async def owner(ocean: Ocean, alice: Caller) -> Caller:
    """Alice, who has `mail/alice`."""
    await mailboxes.give(ocean, str(alice.key), "alice")
    return alice


async def arrived(
    ocean: Ocean, raw: bytes, *, sender: str = "bob@example.com", to: str = "hello@alice.localhost", results: Results = PROVEN
) -> None:
    box = await mailboxes.accepts(ocean, to)
    assert box is not None
    await arriving.arrive(ocean, Arrival(raw, "192.0.2.1", "mx.example.com", sender, [(to, box)], trusted=results))


async def inbox(ocean: Ocean, who: Caller, folder: str = "inbound") -> list[dict[str, Any]]:
    return [one["payload"] for one in (await ask(ocean, who, f"find mail/alice/{folder} sort created_at desc"))["results"]]


async def refused(code: str, work: Any) -> OceanError:
    with pytest.raises(OceanError) as caught:
        await work
    assert caught.value.code == code, caught.value.message
    return caught.value


async def test_a_mailbox_is_paid_for_once_and_is_its_owners_alone(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await refused("RATE_LIMITED", mailboxes.claim(ocean, alice, username="alice"))
    await credits.grant(ocean, str(alice.key), 150)
    told = await mailboxes.claim(ocean, alice, username="Alice")
    assert (told["address"], told["inbound"], told["cost"]) == ("alice@alice.localhost", "mail/alice/inbound", 100)
    assert (await mailboxes.claim(ocean, alice, username="alice"))["already"] is True
    assert await credits.balance(ocean, str(alice.key)) == 50
    await credits.grant(ocean, str(bob.key), 150)
    await refused("CONFLICT", mailboxes.claim(ocean, bob, username="alice"))
    assert await credits.balance(ocean, str(bob.key)) == 150
    await ask(ocean, alice, 'save mail/alice/inbound @m subject: "mine"')
    for text in (
        "find mail/alice/inbound",
        "get mail/alice/inbound @m",
        "save mail/alice/inbound @x 1",
        "list mail/alice/inbound",
        "share mail with @x",
    ):
        await refused("FORBIDDEN", ask(ocean, bob, text))
    await refused("FORBIDDEN", ask(ocean, bob, "save mail/other/inbound 1"))
    await refused("FORBIDDEN", ask(ocean, bob, "share mail/other with @x"))
    await refused("FORBIDDEN", ask(ocean, alice, "revoke mail/alice"))


async def test_of_many_who_claim_one_name_one_has_it(ocean: Ocean) -> None:
    people = [Caller(keys.generate().public) for _ in range(8)]
    for one in people:
        await credits.grant(ocean, str(one.key), 100)
    told = await asyncio.gather(*(mailboxes.claim(ocean, one, username="alice") for one in people), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == 1
    assert sum([await credits.balance(ocean, str(one.key)) for one in people]) == 700


async def test_every_address_leads_to_one_mailbox_and_no_other(ocean: Ocean, owner: Caller) -> None:
    for address in ("a@alice.localhost", "Any.Thing+x@ALICE.localhost.", "alice@alice.localhost"):
        assert (await mailboxes.accepts(ocean, address)).name == "alice"  # type: ignore[union-attr]
    for address in ("a@bob.localhost", "a@localhost", "a@x.alice.localhost", "a@alice.example.com", "a", ""):
        assert await mailboxes.accepts(ocean, address) is None
    await mailboxes.give(ocean, str(owner.key), "postmaster")
    assert (await mailboxes.accepts(ocean, "abuse@localhost")).name == "postmaster"  # type: ignore[union-attr]


async def test_who_may_send_as_whom_is_what_the_predicate_says(ocean: Ocean, owner: Caller, bob: Caller) -> None:
    await refused("FORBIDDEN", sending.send(ocean, bob, to="x@example.com", sender="a@alice.localhost", body="x"))
    await refused("FORBIDDEN", sending.send(ocean, owner, to="x@example.com", sender="a@example.com", body="x"))
    await refused("FORBIDDEN", sending.send(ocean, bob, to="x@example.com", body="x"))
    await refused("KEY_REQUIRED", sending.send(ocean, Caller(None), to="x@example.com", body="x"))
    await ask(ocean, owner, f"share mail/alice with @{bob.key}")
    told = await sending.send(ocean, bob, to="x@example.com", sender="a@alice.localhost", body="x")
    assert told["from"] == "a@alice.localhost"
    made = await scoped.make(ocean, owner, routes=["mail/alice/sent"], permissions=["drop"])
    program = Caller(await scoped.identity(ocean, made["secret"]))
    assert isinstance(program.key, Scoped)
    await sending.send(ocean, program, to="x@example.com", sender="a@alice.localhost", body="x")
    other = Caller(await scoped.identity(ocean, (await scoped.make(ocean, owner, routes=["elsewhere"], permissions=["drop"]))["secret"]))
    await refused("FORBIDDEN", sending.send(ocean, other, to="x@example.com", sender="a@alice.localhost", body="x"))


async def test_a_message_arrives_whole(ocean: Ocean, owner: Caller) -> None:
    raw = (
        b"From: =?utf-8?q?B=C3=B6b?= <bob@example.com>\r\nTo: hello@alice.localhost\r\nCc: carol@example.com\r\n"
        b"Subject: =?utf-8?b?SGVsbMO2?=\r\nMessage-ID: <1@example.com>\r\nDate: Sat, 28 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n'
        b'<p onclick=x()>Hi <a href="javascript:x">there</a><script>x()</script><img src=https://x.test/t.gif></p>\r\n'
        b'--b\r\nContent-Type: application/pdf; name="../in voice.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n'
    )
    await arrived(ocean, raw)
    (found,) = await inbox(ocean, owner)
    assert (found["from"], found["from_name"], found["subject"], found["date"]) == (
        "bob@example.com", "Böb", "Hellö", "2026-11-28T09:00:00.000Z",
    )  # fmt: skip
    assert found["text"] == "Hi there"
    assert "script" not in found["html"]
    assert "onclick" not in found["html"]
    assert "x.test" not in found["html"]
    (file,) = found["attachments"]
    assert (file["name"], file["type"], file["size"]) == ("in voice.pdf", "application/pdf", 4)
    reference = await blobs.find(ocean, owner, file["blob"])
    assert await ocean.blobs.get(reference.key) == b"%PDF"
    await refused("FORBIDDEN", blobs.find(ocean, Caller(keys.generate().public), file["blob"]))
    key = (await ask(ocean, owner, "list mail/alice/inbound"))["entities"][0]["key"]
    kept = await messages.original(ocean, owner, "mail/alice/inbound", key)
    assert kept.endswith(raw)
    assert kept.startswith(b"Return-Path: <bob@example.com>\r\n")
    await refused("FORBIDDEN", messages.original(ocean, Caller(None), "mail/alice/inbound", key))
    assert (await ask(ocean, owner, 'primitives identifiers { $has: { type: "email", value: "carol@example.com", role: "cc" } }'))[
        "count"
    ] == 1


async def test_the_same_message_twice_is_kept_once_and_leaves_no_file(ocean: Ocean, owner: Caller) -> None:
    raw = letter("bob@example.com", "hello@alice.localhost", "Large", "x" * 100_000 + "\n")
    for _ in range(3):
        await arrived(ocean, raw)
    assert len(await inbox(ocean, owner)) == 1
    assert len(await ocean.engine.rows("SELECT id FROM blob")) == 1
    assert len(await ocean.blobs.names("blobs")) == 1
    await arrived(ocean, raw, to="other@alice.localhost", sender="carol@example.com")
    assert len(await inbox(ocean, owner)) == 2


async def test_conversations_hold_together(ocean: Ocean, owner: Caller) -> None:
    await arrived(ocean, b"From: bob@example.com\r\nTo: a@alice.localhost\r\nSubject: Plan\r\nMessage-ID: <one@x>\r\n\r\nfirst\r\n")
    key = (await ask(ocean, owner, "list mail/alice/inbound"))["entities"][0]["key"]
    told = await sending.send(ocean, owner, to="bob@example.com", subject="Re: Plan", body="yes", reply=key)
    back = f"From: bob@example.com\r\nTo: a@alice.localhost\r\nSubject: Re: Plan\r\nIn-Reply-To: {told['message_id']}\r\n\r\nfine\r\n"
    await arrived(ocean, back.encode())
    (sent,) = await inbox(ocean, owner, "sent")
    assert sent["references"] == ["<one@x>"]
    assert {one["thread"] for one in await inbox(ocean, owner)} == {sent["thread"]}


async def test_files_go_along(ocean: Ocean, owner: Caller) -> None:
    received = Received()
    await received.take(b"hello")
    upload = await blobs.upload(ocean, owner, "mine/files", "text/plain", received)
    received.close()
    told = await sending.send(ocean, owner, to="bob@example.com", subject="s", body="b", attach=[upload["drop_id"]])
    found = await letters.letter(ocean.engine, told["id"])
    assert found is not None
    assert b"aGVsbG8=" in (found.source or b"")
    (sent,) = await inbox(ocean, owner, "sent")
    assert sent["attachments"][0]["blob"] == upload["drop_id"]
    stranger = Caller(keys.generate().public)
    await mailboxes.give(ocean, str(stranger.key), "bob")
    await ask(ocean, owner, "share mine/files with @x mode shared")
    await refused("FORBIDDEN", sending.send(ocean, stranger, to="x@example.com", body="b", attach=upload["drop_id"]))


async def test_nothing_that_is_sent_can_become_a_header(ocean: Ocean, owner: Caller) -> None:
    for wrong in (
        {"subject": "a\r\nBcc: x@example.com"}, {"to": "b@example.com\r\nBcc: x@example.com"}, {"reply_to": "a@example.com\nX: y"},
        {"sender": "a@alice.localhost\r\nX: y"}, {"cc": "Eve\r\nX: y <e@example.com>"},
    ):  # fmt: skip
        await refused("INVALID_VALUE", sending.send(ocean, owner, **{"to": "b@example.com", "body": "x", **wrong}))
    told = await sending.send(
        ocean, owner, to='"Bob: \\"the; builder" <b@example.com>', subject="=?utf-8?q?x?= ä" * 20, body="\r\n.\r\nRCPT TO:<x>"
    )
    raw = (await letters.letter(ocean.engine, told["id"])).source  # type: ignore[union-attr]
    assert raw is not None
    assert raw.count(b"\nTo:") == 1
    assert b"\n" not in raw.replace(b"\r\n", b"")


async def test_rules_forward_and_say_that_nobody_is_there(ocean: Ocean, owner: Caller) -> None:
    await ask(ocean, owner, 'save mail/alice/_rules @away { type: "vacation", body: "Back in May." }')
    await ask(ocean, owner, 'save mail/alice/_rules @on { type: "forward", to: "alice@elsewhere.example", from: "example.com" }')
    await ask(ocean, owner, 'save mail/alice/_rules @off { type: "forward", to: "x@elsewhere.example", active: false }')
    await ask(ocean, owner, 'save mail/alice/_rules @past { type: "forward", to: "x@elsewhere.example", end: "2020-01-01" }')
    await arrived(ocean, letter("bob@example.com", "hello@alice.localhost", "One"))
    await arrived(ocean, letter("bob@example.com", "hello@alice.localhost", "Two"))
    await arrived(ocean, letter("list@example.com", "hello@alice.localhost", "News", List_Id="<x>"), sender="list@example.com")
    spam = Results("fail", "fail", "fail", "none", "reject", "example.com")
    await arrived(ocean, letter("eve@example.com", "hello@alice.localhost", "Spam"), sender="eve@example.com", results=spam)
    queue = await rows.newest(ocean.engine, 100)
    assert sorted(row.recipient for row in queue) == ["alice@elsewhere.example"] * 3 + ["bob@example.com"]  # told once
    away = next(row for row in queue if row.recipient == "bob@example.com")
    assert (away.sender, away.subject) == ("", "Re: One")
    raw = (await letters.letter(ocean.engine, away.letter)).source  # type: ignore[union-attr]
    assert b"Auto-Submitted: auto-replied" in (raw or b"")
    assert next(one for one in await inbox(ocean, owner) if one["subject"] == "Spam")["spam"]["flag"] is True


async def test_what_comes_back_is_told_and_complaints_end_it(ocean: Ocean, owner: Caller) -> None:
    await sending.send(ocean, owner, to="gone@example.com", subject="s", body="b")
    (row,) = await rows.newest(ocean.engine, 1)
    await ocean.engine.transact(step for step in [rows.settled(row.id, rows.SENT, "", now())])  # type: ignore[arg-type]
    report = (
        b"From: MAILER-DAEMON@example.com\r\nTo: x\r\nSubject: failed\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; gone@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 No such user\r\n--b--\r\n"
    )
    for _ in range(2):
        await returning.came_back(ocean, row.id, Arrival(report, "192.0.2.1", "mx", "", []))
    (back,) = await inbox(ocean, owner, "bounces")
    assert (back["recipient"], back["status"], back["message"]) == ("gone@example.com", "5.1.1", row.letter)
    assert (await rows.one(ocean.engine, row.id)).state == rows.FAILED  # type: ignore[union-attr]
    fault = await refused("CONFLICT", sending.send(ocean, owner, to="Gone@example.com", body="b"))
    await ask(ocean, owner, str(fault.hint).partition(": ")[2])
    await sending.send(ocean, owner, to="gone@example.com", body="b")
    await returning.came_back(ocean, "no-such-id", Arrival(report, "192.0.2.1", "mx", "", []))


async def test_a_link_ends_it(ocean: Ocean, owner: Caller) -> None:
    box = await letters.mailbox(ocean.engine, "alice")
    assert box is not None
    link = sending.unsubscribing(ocean, box, "bob@example.com")["List-Unsubscribe"]
    token = link.partition("token=")[2].rstrip(">")
    for wrong in ("", "x", token[:-1], "a" + token, token + "0"):
        await refused("INVALID_TOKEN", sending.unsubscribe(ocean, wrong))
    assert (await sending.unsubscribe(ocean, token))["address"] == "bob@example.com"
    await refused("CONFLICT", sending.send(ocean, owner, to="bob@example.com", body="b"))


async def test_what_was_not_sent_can_be_taken_back(ocean: Ocean, owner: Caller, bob: Caller) -> None:
    await sending.send(ocean, owner, to=["b@example.com", "c@example.com"], body="b", bcc="d@example.com")
    found = (await outbox.queued(ocean, owner))["messages"]
    assert sorted(one["to"] for one in found) == ["b@example.com", "c@example.com", "d@example.com"]
    assert (await outbox.queued(ocean, bob))["messages"] == []
    await refused("NOT_FOUND", outbox.drop(ocean, bob, id=found[0]["id"]))
    await outbox.drop(ocean, owner, id=found[0]["id"])
    await refused("NOT_FOUND", outbox.drop(ocean, owner, id=found[0]["id"]))
    assert await outbox.retry(ocean.engine, None) == 2
    raw = (await letters.letter(ocean.engine, found[0]["letter"])).source  # type: ignore[union-attr]
    assert b"d@example.com" not in (raw or b"")


async def test_letters_of_removed_records_are_destroyed(ocean: Ocean, owner: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "YOUNG", -1000)
    await arrived(ocean, letter("bob@example.com", "a@alice.localhost", "small"))
    await arrived(ocean, letter("bob@example.com", "a@alice.localhost", "large", "x" * 100_000))
    await sweeping.sweep(ocean)
    assert len(await ocean.engine.rows("SELECT id FROM letter")) == 2
    await ask(ocean, owner, "find mail/alice/inbound then remove")
    await sweeping.sweep(ocean)
    assert await ocean.engine.rows("SELECT id FROM letter") == []
    assert await ocean.blobs.names("blobs") == []


@pytest.fixture
def names(tmp_path: Path) -> Iterator[Names]:
    found = Names(tmp_path)
    found.restart()
    yield found
    found.stop()


async def test_a_domain_is_proven_and_says_what_to_change(ocean: Ocean, owner: Caller, bob: Caller, names: Names) -> None:
    ocean.settings = {**ocean.settings, "OCEAN_MAIL_DOMAIN": "ocean.test", "OCEAN_MAIL_HOST": "mx.ocean.test"}
    ocean.dns = Dns((names.address, 53))
    await refused("RATE_LIMITED", domains.add(ocean, owner, domain="site.test"))
    await credits.grant(ocean, str(owner.key), 500)
    told = await domains.add(ocean, owner, domain="Site.test")
    assert (told["mailbox"], told["state"], told["cost"], told["proven"]) == ("alice", "waiting", 500, False)
    assert all(not one["there"] and one["change"] for one in told["dns"])
    assert await mailboxes.accepts(ocean, "x@site.test") is None
    names.records = {"site.test": ["MX 10 mx.elsewhere.test", "TXT v=spf1 ip4:192.0.2.1 -all"], "mx.elsewhere.test": ["A 192.0.2.1"]}
    for one in told["dns"]:
        if one["name"].startswith("_ocean-mail"):
            names.records[one["name"]] = [f"TXT {one['value']}"]
    names.restart()
    ocean.dns = Dns((names.address, 53))
    told = await domains.verify(ocean, owner, domain="site.test")
    assert (told["proven"], told["verified"]) == (True, True)
    changes = {one["name"]: one.get("change", "") for one in told["dns"] if one["type"] in ("MX", "TXT")}
    assert "mx.elsewhere.test" in changes["site.test"] or "include:ocean.test" in changes["site.test"]
    assert (await mailboxes.accepts(ocean, "x@site.test")).name == "alice"  # type: ignore[union-attr]
    assert (await sending.send(ocean, owner, to="b@example.com", sender="me@site.test", body="x"))["from"] == "me@site.test"
    names.records |= {
        "site.test": ["MX 10 mx.ocean.test", "TXT v=spf1 include:ocean.test ~all"], "_dmarc.site.test": ["TXT v=DMARC1; p=none"],
        "mx.ocean.test": ["A 127.0.0.1"], "ocean1._domainkey.site.test": ["CNAME ocean1._domainkey.ocean.test"],
        "ocean1._domainkey.ocean.test": ["TXT x"],
    }  # fmt: skip
    names.restart()
    ocean.dns = Dns((names.address, 53))
    told = await domains.verify(ocean, owner, domain="site.test")
    there = {(one["type"], one["name"]) for one in told["dns"] if one["there"]}
    assert {("MX", "site.test"), ("TXT", "site.test"), ("TXT", "_dmarc.site.test"), ("CNAME", "ocean1._domainkey.site.test")} <= there
    await mailboxes.give(ocean, str(bob.key), "bob")
    await credits.grant(ocean, str(bob.key), 500)
    other = await domains.add(ocean, bob, domain="site.test")  # claimed, and not proven by what proves another's claim
    assert other["proven"] is False
    assert (await domains.verify(ocean, bob, domain="site.test"))["verified"] is False
    assert (await domains.mine(ocean, owner))["domains"][0]["verified"] is True
    await domains.remove(ocean, owner, domain="site.test")
    assert await mailboxes.accepts(ocean, "x@site.test") is None
    await refused("INVALID_VALUE", domains.add(ocean, owner, domain="x.ocean.test"))
