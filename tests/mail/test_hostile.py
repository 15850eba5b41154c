"""Sessions that are malformed or mean harm: none crashes the server, relays, smuggles a mail in, or takes another's session with it.

OCEAN_SESSIONS says how many; 10,000 take about five minutes.
"""

from __future__ import annotations

import asyncio
import os
import random
import smtplib
from collections.abc import Iterator

import pytest

from tests.mail.mailed import DOMAIN, Mailed, letter, mailed
from tests.names import Names

COUNT = int(os.environ.get("OCEAN_SESSIONS", "600"))
TOGETHER = 16
TO = f"a@alice.{DOMAIN}"
GOOD = b"From: a@x.test\r\nTo: b@x.test\r\nSubject: kept\r\n\r\nHello\r\n"
MAIL = b"EHLO x.test\r\nMAIL FROM:<a@x.test>\r\n"
SMUGGLED = f"MAIL FROM:<evil@x.test>\r\nRCPT TO:<{TO}>\r\nDATA\r\nFrom: e@x.test\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n".encode()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailed]:
    folder = tmp_path_factory.mktemp("hostile")
    names = Names(folder)
    names.records = {"x.test": ["A 127.0.0.1"]}
    names.restart()
    with mailed(folder / "data", names, submission="off", submissions="off") as found:
        yield found
    names.stop()


def _data(body: bytes) -> bytes:
    return f"EHLO x.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode() + body


def _smuggling(chance: random.Random) -> bytes:
    """Ends of data that only some servers take for one (CVE-2023-51764 and its kin), with a mail behind."""
    end = chance.choice(
        [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\n.\r", b"\r\r\n.\r\r\n", b"\n\n.\n\n", b"\r\n.\r", b"\x00\r\n.\n"]
    )
    return _data(GOOD + end + SMUGGLED + b"\r\n.\r\nQUIT\r\n")


def _bare(chance: random.Random) -> bytes:
    return _data(GOOD.replace(b"Hello", chance.choice([b"He\rllo", b"He\nllo", b"He\x00llo", b"\r", b"\n"])) + b".\r\nQUIT\r\n")


def _commands(chance: random.Random) -> bytes:
    return chance.choice(
        [
            b"EHLO x.test\nMAIL FROM:<a@x.test>\nRCPT TO:<" + TO.encode() + b">\nDATA\n" + GOOD + b".\r\n",
            b"EHLO x\rMAIL FROM:<>\r\n",
            b"\r\n" * 500,
            b"\x00" * 200 + b"\r\n",
            b"\xff\xfe" * 100 + b"\r\n",
            b"EHLO " + b"x" * 5000 + b"\r\n",
            b"X" * 200_000,
            b"EHLO\r\n",
            b"DATA\r\n",
            b"RCPT TO:<a@b>\r\n",
            b"MAIL FROM:<a@x.test>\r\n",
            b"EHLO x.test\r\nMAIL FROM:" + b"<" * 900 + b"\r\n",
            b"EHLO x.test\r\nMAIL FROM:<a@x.test> SIZE=99999999999\r\n",
            b"EHLO x.test\r\nMAIL FROM:<a@x.test> BODY=ODD X=Y\r\n",
            b"EHLO x.test\r\nMAIL FROM:<a@x.test> SIZE=x\r\n",
            b"EHLO x.test\r\nAUTH PLAIN AGEAYg==\r\n",
            b"EHLO x.test\r\nSTARTTLS\r\n" + SMUGGLED,
            MAIL + b"RCPT TO:<victim@elsewhere.example>\r\nRCPT TO:<@alice.ocean.test:victim@elsewhere.example>\r\nDATA\r\n",
            MAIL + b'RCPT TO:<victim%elsewhere.example@ocean.test>\r\nRCPT TO:<"a@b"@elsewhere.example>\r\nDATA\r\n',
            b"EHLO x.test\r\nBDAT 10 LAST\r\n0123456789\r\n",
            b"VRFY root\r\nEXPN all\r\nHELP\r\nNOOP x\r\nRSET\r\n" * 30,
            b"QUIT x\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"EHLO x.test\r\n" + b"MAIL FROM:<a@x.test>\r\n" * 50,
            b"EHLO x.test\r\n" + b"smtp_DATA x\r\n__init__\r\nconnection_lost\r\n",
            b"EHLO [127.0.0.1]\r\nMAIL FROM:<\xc3\xa4@x.test> SMTPUTF8\r\nRCPT TO:<" + TO.encode() + b">\r\nRSET\r\n",
        ],
    )


def _bodies(chance: random.Random) -> bytes:
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(chance.choice([30, 300, 2000]))
    )
    body = chance.choice(
        [
            deep,
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 3000,
            b"Subject: " + b"x" * 60_000 + b"\r\n\r\n",
            b"Subject: \xff\xfe\xfd\r\nFrom: \xe4\r\n\r\n\xff",
            b"From: " + b"(" * 5000 + b"\r\n\r\n",
            b"To: " + b"a@x.test, " * 5000 + b"\r\n\r\n",
            b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
            b'Content-Type: text/plain; charset="\r\n\r\nx',
            b"Content-Type: /\r\n\r\nx",
            b"Content-Disposition: attachment; filename*\r\nContent-Type: text/plain; x*\r\n\r\nx",
            b"Date: Mon, 1 Jan 99999999999 +99999999\r\n\r\n",
            b"Content-Type: text/html\r\n\r\n" + b"<div>" * 20_000,
            b"Content-Type: text/html\r\n\r\n" + b"<a><b>" * 5000 + b"<script>alert(1)</script>",
            b"Content-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\n" + b"BEGIN:VEVENT\r\n" * 2000,
            b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;TZID=Europe:2026\r\nEND:VEVENT\r\n",
            b"DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=a; h=from; bh=x; b=y\r\nFrom: a@x.test\r\n\r\n" + b" " * 200_000 + b"\r\n",
            b"DKIM-Signature: \r\n" * 50 + b"\r\n",
            b"ARC-Seal: i=1\r\nARC-Seal: i=99\r\n\r\n",
            b"=?utf-8?q?" * 2000 + b"\r\n\r\n",
            b"",
            b"\r\n",
            b"..\r\n...\r\n",
            b"Subject: =?utf-8?b?" + b"A" * 50_000 + b"?=\r\n\r\n",
            b"Content-Type: message/rfc822\r\n\r\n" * 300,
            b"Received: x\r\n" * 80 + b"\r\n",
            b"Content-Type: multipart/report\r\n\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 1000,
            b"From: <@\r\nMessage-ID: <\r\nTo: a@[\r\n\r\n",
        ],
    )
    body = body.replace(b"\r\n.", b"\r\n..")
    return _data(b"X-Odd: yes\r\n" + body + b"\r\n.\r\nQUIT\r\n")


KINDS = (_smuggling, _bare, _commands, _bodies)


async def _session(port: int, sent: bytes, chance: random.Random) -> bytes:
    """What it answered. Now and then it stops in the middle, or comes in small pieces."""
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 20)
    except OSError:
        return b""
    heard = bytearray()
    try:
        if chance.random() < 0.1:
            sent = sent[: chance.randrange(1, len(sent) + 1)]
        step = chance.choice([len(sent), len(sent), 7, 1000]) if len(sent) < 4000 else len(sent)
        for place in range(0, len(sent), max(1, step)):
            writer.write(sent[place : place + step])
            await writer.drain()
        if chance.random() < 0.8:
            writer.write_eof()
        async with asyncio.timeout(20):
            while piece := await reader.read(65536):
                heard += piece
                if b"221" in heard or not sent.endswith(b"QUIT\r\n"):
                    break
    except (OSError, TimeoutError):
        pass
    finally:
        writer.close()
    return bytes(heard)


async def _all(here: Mailed, count: int) -> None:
    chance = random.Random(7)
    room = asyncio.Semaphore(TOGETHER)

    async def one(number: int) -> None:
        async with room:
            heard = await _session(here.running.smtp, KINDS[number % len(KINDS)](chance), random.Random(number))
            assert b"Error: (" not in heard and b"Traceback" not in heard, heard  # noqa: PT018
            if number % 50 == 0:
                await asyncio.to_thread(_proper, here, number)

    await asyncio.gather(*(one(number) for number in range(count)))


def _proper(here: Mailed, number: int) -> None:
    """Somebody else's mail, meanwhile."""
    with smtplib.SMTP("127.0.0.1", here.running.smtp, timeout=30) as client:
        client.sendmail("proper@x.test", [TO], letter("proper@x.test", TO, f"proper {number}"))


@pytest.mark.timeout(1200)
def test_hostile_sessions(here: Mailed) -> None:
    secret = here.claim("alice")
    asyncio.run(_all(here, COUNT))
    found = here.inbox("alice", secret)
    subjects = {one.get("subject", "") for one in found}
    assert "smuggled" not in subjects
    counted = here.ask('find mail/alice/inbound where subject starts with "proper" then count', secret)["count"]
    assert counted == (COUNT + 49) // 50
    assert here.ask('find mail/alice/inbound where subject = "smuggled" then count', secret)["count"] == 0
    assert here.running.process.poll() is None
    queue = here.ask("mail queue", secret)
    assert queue["messages"] == []  # nothing was relayed


def test_many_sessions_of_one_address_leave_room_and_end(here: Mailed) -> None:
    held = []
    try:
        for _ in range(60):
            client = smtplib.SMTP()
            code, _text = client.connect("127.0.0.1", here.running.smtp)
            held.append(client)
            if code == 421:
                break
        assert code == 421
    finally:
        for client in held:
            client.close()
    _proper_until(here)


def _proper_until(here: Mailed) -> None:
    from tests.mail.mailed import until

    def again() -> bool:
        try:
            _proper(here, 1_000_000)
        except smtplib.SMTPException:
            return False
        return True

    until(again)
