"""Mail through kills: what was answered 250 is there, once; what was queued arrives, once.

OCEAN_KILLS says how many; 500 take about half an hour.
"""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import time
from pathlib import Path

import pytest

from ocean.services.mail.delivering import FOR_ONE_HOST
from tests.mail.mailed import DOMAIN, Mailed, letter, mailed, until
from tests.mail.postfix import Postfix, authority
from tests.names import Names

KILLS = int(os.environ.get("OCEAN_KILLS", "6"))
DEATHS = max(1, KILLS // 6)  # of a sender, which takes half a minute each


def _mail_process(here: Mailed) -> int:
    found = subprocess.run(["pgrep", "-P", str(here.running.process.pid), "-f", "ocean.cli mail"], capture_output=True, text=True)
    return int(found.stdout.split()[0]) if found.stdout.split() else 0


def _kill(here: Mailed) -> None:
    pid = until(lambda: _mail_process(here))
    os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(3600)
def test_what_was_answered_is_there_once_whenever_the_process_dies(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.records = {"x.test": ["A 127.0.0.1"]}
    names.restart()
    with mailed(tmp_path / "data", names, submission="off", submissions="off") as here:
        secret = here.claim("alice")
        for number in range(KILLS):
            raw = letter("bob@x.test", f"a@alice.{DOMAIN}", f"number {number}")
            _deliver(here, raw)
            _kill(here)  # the moment that it was answered
            if number % 3 == 0:
                _deliver(here, raw)  # whoever did not hear that it was taken sends it again
        for number in range(KILLS):
            count = here.ask(f'find mail/alice/inbound where subject = "number {number}" then count', secret)["count"]
            assert count == 1, (number, count)
    names.stop()


def _deliver(here: Mailed, raw: bytes) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with smtplib.SMTP("127.0.0.1", here.running.smtp, timeout=20) as client:
                client.sendmail("bob@x.test", [f"a@alice.{DOMAIN}"], raw)
            return
        except (OSError, smtplib.SMTPException):  # it is being started again
            time.sleep(0.05)
    raise AssertionError("it is not taken")


@pytest.mark.timeout(3600)
def test_what_was_queued_arrives_once_though_the_sender_dies(tmp_path: Path) -> None:
    names = Names(tmp_path)
    names.restart()
    postfix = Postfix(names, *authority(tmp_path))
    names.records = {"peer.test": ["MX 10 mx.peer.test"], "mx.peer.test": [f"A {names.address}"]}
    names.restart()
    try:
        postfix.start()
        with mailed(tmp_path / "data", names, submission="off", submissions="off") as here:
            secret = here.claim("alice")
            ids = []
            pid = until(lambda: _mail_process(here))
            os.kill(pid, signal.SIGSTOP)  # so that it has many to send when it is killed
            ids = [
                here.ask(f'mail to "bob@peer.test" subject "number {number}" body "x"', secret)["message_id"]
                for number in range(10 * KILLS)
            ]
            os.kill(pid, signal.SIGCONT)
            for _ in range(DEATHS):  # each is followed by a pause: whoever comes next waits for the lease of who died
                pid = until(lambda: _mail_process(here))
                postfix.wait(len(postfix.mails()) + 1, 90)
                os.kill(pid, signal.SIGKILL)
            until(lambda: all(one["state"] == "sent" for one in here.ask("mail queue limit 1000", secret)["messages"]), 180)
            mails = b"\n".join(postfix.wait(len(ids), 60)).decode(errors="replace").lower()
            counts = [mails.count(f"message-id: {id_}".lower()) for id_ in ids]
            assert min(counts) >= 1
            # a host that has taken it and was not heard is asked again: that is SMTP's own limit (RFC 1047)
            assert sum(counts) - len(ids) <= DEATHS * FOR_ONE_HOST
    finally:
        postfix.stop()
        names.stop()
