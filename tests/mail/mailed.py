"""A server with a mail domain, in a DNS of its own, and what tests ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from ocean.core import keys
from tests.conftest import Running, free_ports, start, stop
from tests.names import Names

DOMAIN = "ocean.test"


@dataclass
class Mailed:
    running: Running
    names: Names
    submission: int
    submissions: int

    def claim(self, name: str) -> str:
        """A key with that mailbox: its secret."""
        pair = keys.generate()
        answer = self.running.post("/mail/claim", {"username": name}, pair.secret)
        assert answer.status_code == 201, answer.text
        return pair.secret

    def ask(self, text: str, secret: str) -> Any:
        answer = self.running.drops(text, secret)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def inbox(self, name: str, secret: str, folder: str = "inbound") -> list[dict[str, Any]]:
        """What is in a folder of a mailbox, newest first."""
        return [one["payload"] for one in self.ask(f"find mail/{name}/{folder} sort created_at desc limit 500", secret)["results"]]

    def wait(self, name: str, secret: str, count: int = 1, folder: str = "inbound", seconds: float = 30) -> list[dict[str, Any]]:
        return until(lambda: found if len(found := self.inbox(name, secret, folder)) >= count else None, seconds)


def until(look: Callable[[], Any], seconds: float = 30) -> Any:
    """What `look` gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@contextmanager
def mailed(data: Path, names: Names, **settings: str) -> Iterator[Mailed]:
    """The three processes as `ocean.test`."""
    submission, submissions = free_ports(2)
    values = {
        "mail_domain": DOMAIN, "mail_host": f"mx.{DOMAIN}", "mail_claim_cost": "0", "mail_domain_cost": "0", "dns": names.server,
        "submission": f"127.0.0.1:{submission}", "submissions": f"127.0.0.1:{submissions}", **settings,
    }  # fmt: skip
    data.mkdir(parents=True, exist_ok=True)
    (data / "ocean.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()))
    running = start(data)
    try:
        yield Mailed(running, names, submission, submissions)
    finally:
        assert stop(running) == 0


def letter(sender: str, to: str, subject: str, text: str = "Hello.\n", **headers: str) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Message-ID"], made["Date"] = f"<{time.time_ns()}@test>", "Sat, 28 Nov 2026 10:00:00 +0000"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made.as_bytes()


def read(raw: bytes) -> Any:
    return message_from_bytes(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), policy=SMTP)
