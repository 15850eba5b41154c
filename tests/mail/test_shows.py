"""What the issue asks to be shown: Postfix and swaks deliver to us, we deliver to Postfix, and each believes the other; an invitation goes
out, its answer comes back."""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.mail.mailed import DOMAIN, Mailed, letter, mailed, read, until
from tests.mail.postfix import HOST, Postfix, authority, results, swaks, verify_dkim
from tests.names import Names


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mailed, Postfix]]:
    """ocean.test and peer.test, in one DNS: each finds the other by MX."""
    folder = tmp_path_factory.mktemp("world")
    names = Names(folder)
    names.restart()
    with mailed(folder / "data", names) as here:
        for name, *records in _zone(here):
            names.records.setdefault(name, []).extend(records)
        names.records |= {
            "peer.test": [f"MX 10 {HOST}", "TXT v=spf1 ip4:127.0.0.0/8 -all"],
            "_dmarc.peer.test": ["TXT v=DMARC1; p=reject"],
            HOST: [f"A {names.address}"],
            f"mx.{DOMAIN}": ["A 127.0.0.1"],
        }
        names.restart()
        transports = {DOMAIN: f"smtp:{DOMAIN}:{here.running.smtp}", f"alice.{DOMAIN}": f"smtp:alice.{DOMAIN}:{here.running.smtp}"}
        postfix = Postfix(names, *authority(folder), verify=True, transports=transports)
        try:
            postfix.start()
            yield here, postfix
        finally:
            postfix.stop()
            names.stop()


def _zone(here: Mailed) -> list[tuple[str, str]]:
    """What `ocean mail dns` says is to be set."""
    command = [sys.executable, "-m", "ocean.cli", "mail", "dns", "--json", "--data", str(here.running.data)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    records = []
    for one in json.loads(made.stdout):
        value = one["value"].rstrip(".").replace("v=spf1 mx", "v=spf1 ip4:127.0.0.0/8 mx")
        if one["type"] in ("MX", "TXT", "CNAME"):
            records.append((one["name"].replace("*.", "alice."), f"{one['type']} {value}"))
    return records


def _beneath(here: Mailed, name: str) -> None:
    """What the zone's `*` says of a name: dnsmasq has none for these records."""
    records = here.names.records[f"alice.{DOMAIN}"]
    here.names.records |= {f"{name}.{DOMAIN}": records, f"_dmarc.{name}.{DOMAIN}": [one for one in records if "DMARC1" in one]}
    here.names.restart()


def test_swaks_delivers_to_a_mailbox_that_was_just_claimed(world: tuple[Mailed, Postfix], tmp_path: Path) -> None:
    here, _ = world
    secret = here.claim("alice")
    mail = tmp_path / "a.eml"
    mail.write_bytes(letter("bob@peer.test", f"hello@alice.{DOMAIN}", "First light", "The invoice is attached.\n"))
    for more in ((), ("--tls",)):
        made = swaks(here.running.smtp, "bob@peer.test", f"hello@alice.{DOMAIN}", mail, *more)
        assert made.returncode == 0, made.stdout
    (found,) = here.wait("alice", secret)  # the same twice is one
    assert (found["from"], found["subject"], found["text"].rstrip() + "\n") == (
        "bob@peer.test",
        "First light",
        "The invoice is attached.\n",
    )
    assert found["envelope"]["recipient"] == f"hello@alice.{DOMAIN}"
    made = swaks(here.running.smtp, "bob@peer.test", f"hello@nobody.{DOMAIN}", mail)
    assert "550 5.1.1" in made.stdout
    made = swaks(here.running.smtp, "bob@peer.test", "carol@elsewhere.example", mail)
    assert "550 5.1.1" in made.stdout  # no relay


def test_postfix_delivers_and_is_believed(world: tuple[Mailed, Postfix]) -> None:
    here, postfix = world
    secret = here.claim("bruno")
    queue_id = postfix.sendmail("bob@peer.test", f"x@alice.{DOMAIN}", letter("bob@peer.test", f"x@alice.{DOMAIN}", "By Postfix"))
    assert "sent" in postfix.outcome(queue_id)
    assert secret
    assert "Verified TLS" in postfix.log or "TLS connection established to" in postfix.log


def test_we_deliver_and_postfix_verifies_every_signature(world: tuple[Mailed, Postfix]) -> None:
    here, postfix = world
    secret = here.claim("carla")
    _beneath(here, "carla")
    postfix.clear()
    told = here.ask('mail to "bob@peer.test" subject "Grüße" body "Line one\n.\nFrom the sea"', secret)
    (raw,) = postfix.wait(1)
    found = read(raw)
    assert (found["subject"], found["message-id"]) == ("Grüße", told["message_id"])
    assert found.get_content().replace("\r\n", "\n") == "Line one\n.\nFrom the sea\n"
    assert [(domain, algorithm, said) for domain, _, algorithm, said in verify_dkim(raw, here.names.server)] == [
        (DOMAIN, "rsa-sha256", "pass"), (DOMAIN, "ed25519-sha256", "pass"),
    ]  # fmt: skip
    said = results(raw)
    assert len(re.findall("dkim=pass", said)) == 2, said
    assert {"spf=pass", "dmarc=pass"} <= set(re.findall(r"\w+=\w+", said)), said
    assert "TLS" in postfix.log
    (sent,) = here.inbox("carla", secret, "sent")
    assert sent["thread"]
    assert sent["to"] == ["bob@peer.test"]
    queue = until(lambda: [m for m in here.ask("mail queue", secret)["messages"] if m["state"] == "sent"])
    assert queue[0]["to"] == "bob@peer.test"
    assert queue[0]["letter"] == told["id"]


def test_an_address_that_is_not_there_comes_back_and_is_written_to_no_more(world: tuple[Mailed, Postfix]) -> None:
    here, _ = world
    secret = here.claim("dora")
    here.ask('mail to "nobody@alice2.ocean.test" subject "Hi" body "x"', secret)
    (back,) = here.wait("dora", secret, folder="bounces")
    assert (back["action"], back["status"], back["recipient"]) == ("failed", "5.1.1", f"nobody@alice2.{DOMAIN}")
    answer = here.running.drops('mail to "nobody@alice2.ocean.test" subject "Hi" body "x"', secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")


def test_an_invitation_goes_out_and_its_answer_comes_back(world: tuple[Mailed, Postfix]) -> None:
    here, postfix = world
    secret = here.claim("erik")
    _beneath(here, "erik")
    postfix.clear()
    here.ask(
        f'event calendar/erik @sprint {{ title: "Sprint planning", start: "2026-12-10T10:00:00Z", end: "2026-12-10T11:00:00Z", '
        f'location: "Room 3", organizer: "erik@erik.{DOMAIN}", attendees: ({{ email: "bob@peer.test" }}), send_invites: true }}',
        secret,
    )
    (raw,) = postfix.wait(1)
    invite = read(raw)
    part = next(one for one in invite.walk() if one.get_content_type() == "text/calendar")
    assert part.get_param("method") == "REQUEST"
    calendar = part.get_content()
    assert "METHOD:REQUEST" in calendar
    assert f"ORGANIZER:mailto:erik@erik.{DOMAIN}" in calendar.replace("\r\n ", "")
    uid = re.search(r"UID:(\S+)", calendar)[1]  # type: ignore[index]
    reply = letter("bob@peer.test", f"erik@erik.{DOMAIN}", "Accepted: Sprint planning")
    made = read(reply)
    made.add_alternative(
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20261128T100000Z\r\n"
        f"DTSTART:20261210T100000Z\r\nORGANIZER:mailto:erik@erik.{DOMAIN}\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@peer.test\r\n"
        "SEQUENCE:0\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        subtype="calendar", params={"method": "REPLY"},
    )  # fmt: skip
    with smtplib.SMTP("127.0.0.1", here.running.smtp, timeout=20) as client:
        client.sendmail("bob@peer.test", [f"erik@erik.{DOMAIN}"], made.as_bytes())
    event = until(lambda: (e := here.ask("get calendar/erik @sprint", secret)["payload"])["attendees"][0].get("status") == "accepted" and e)
    assert event["sequence"] == 0
    (shown,) = here.wait("erik", secret)
    assert shown["invitations"][0]["method"] == "REPLY"
    postfix.clear()
    here.ask('update calendar/erik @sprint status: "cancelled"', secret)
    (raw,) = postfix.wait(1)
    assert "METHOD:CANCEL" in next(one for one in read(raw).walk() if one.get_content_type() == "text/calendar").get_content()


def test_a_magic_link_goes_out_by_mail(world: tuple[Mailed, Postfix]) -> None:
    here, postfix = world
    postfix.clear()
    assert requests.post(here.running.api + "/auth/login", json={"email": "newcomer@peer.test"}, timeout=20).json() == {"sent": True}
    (raw,) = postfix.wait(1)
    link = re.search(r"\S+/auth/verify\?token=\S+", read(raw).get_content())[0]  # type: ignore[index]
    token = link.partition("token=")[2]
    answer = requests.get(here.running.api + "/auth/verify", params={"token": token}, timeout=20).json()
    assert answer["email"] == "newcomer@peer.test"
