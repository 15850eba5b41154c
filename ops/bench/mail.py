"""Mail in: 8 sessions, a connection for each message of 2 KB, kept before it is answered; beside aiosmtpd that keeps nothing, and Postfix
that delivers to a maildir."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.bench.table import Row
from tests.conftest import free_port
from tests.mail.mailed import DOMAIN, mailed
from tests.mail.postfix import DOMAIN as PEER
from tests.mail.postfix import Names, Postfix, authority, smtp_source, wait_for

COUNT, ROUNDS = 1500, 3
_RAW = """
import asyncio, sys, uvloop
from aiosmtpd.smtp import SMTP
class Nothing:
    async def handle_DATA(self, server, session, envelope): return "250 OK"
async def main():
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(Nothing(), hostname="raw"), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
uvloop.run(main())
"""


def rows() -> list[Row]:
    if not shutil.which("smtp-source"):
        print("Postfix is not here: mail is left out")
        return []
    folder = Path(tempfile.mkdtemp(prefix="ocean-mail-"))
    names = Names(folder)
    names.records = {"client.peer.test": ["A 127.0.0.1"], PEER: ["MX 10 mx.peer.test"], "mx.peer.test": ["A 127.0.0.1"]}
    names.restart()
    postfix = Postfix(names, *authority(folder))
    try:
        postfix.start()
        with mailed(folder / "data", names) as here, _raw() as raw:
            here.claim("load")
            ways: dict[str, Callable[[], float]] = {
                "ours": lambda: COUNT / smtp_source(here.running.smtp, COUNT, f"a@load.{DOMAIN}"),
                "raw": lambda: COUNT / smtp_source(raw, COUNT, "a@load.test"),
                "postfix": lambda: _delivered(postfix),
            }
            for way in ways.values():
                way()
            found = {name: statistics.median(way() for _ in range(ROUNDS)) for name, way in ways.items()}
    finally:
        postfix.stop()
        names.stop()
        shutil.rmtree(folder, ignore_errors=True)
    says = "messages a second in, kept before 250, 8 sessions"
    return [
        Row(says, found["ours"], "aiosmtpd that keeps nothing", found["raw"], 0.5),
        Row(says, found["ours"], "Postfix to a maildir", found["postfix"], 1.5),
    ]


@contextmanager
def _raw() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", _RAW, str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process=process)
        yield port
    finally:
        process.kill()
        process.wait()


def _delivered(postfix: Postfix) -> float:
    """Until the last one is in the maildir."""
    before = len(os.listdir(postfix.new)) if postfix.new.exists() else 0
    began = time.perf_counter()
    smtp_source(postfix.port, COUNT, f"load@{PEER}")
    while len(os.listdir(postfix.new)) < before + COUNT:
        time.sleep(0.005)
    return COUNT / (time.perf_counter() - began)


if __name__ == "__main__":
    from ops.bench.table import show

    show(rows())
