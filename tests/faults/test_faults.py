"""What must hold when things break. OCEAN_FAULT_ROUNDS and OCEAN_STATEMENTS make it longer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from ocean.core import keys
from ocean.store.schema import migrate
from tests.conftest import Running, check, free_ports, start, stop

ROUNDS = int(os.environ.get("OCEAN_FAULT_ROUNDS", "2"))


def child(running: Running, name: str) -> int:
    """The process id of one of the three."""
    found = subprocess.run(["pgrep", "-P", str(running.process.pid), "-f", f"ocean.cli {name}"], capture_output=True, text=True, check=True)
    return int(found.stdout.split()[0])


def healthy(running: Running) -> None:
    deadline = time.monotonic() + 30
    for url in (running.api, running.view):
        while True:
            with contextlib.suppress(requests.RequestException):
                if requests.get(url + "/health", timeout=2).ok:
                    break
            assert time.monotonic() < deadline


class Load(threading.Thread):
    """Writes, one after another, and remembers what was acknowledged."""

    def __init__(self, running: Running, secret: str, name: str) -> None:
        super().__init__()
        self.running, self.secret, self.prefix = running, secret, name
        self.acknowledged: list[str] = []
        self.ended = threading.Event()
        self._more = threading.Condition()

    def body(self, number: int) -> dict[str, object]:
        """What is posted to /drop."""
        return {"route": "load", "key": f"{self.prefix}-{number}", "payload": {"i": number}}

    def reach(self, count: int) -> None:
        """Waits until so many were acknowledged."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.acknowledged) >= count, 60)

    def run(self) -> None:
        session = requests.Session()
        i = 0
        while not self.ended.is_set():
            key = f"{self.prefix}-{i}"
            i += 1
            with contextlib.suppress(requests.RequestException):
                if (
                    session.post(
                        self.running.api + "/drop", json=self.body(i - 1), headers={"x-ocean-key": self.secret}, timeout=10
                    ).status_code
                    == 201
                ):
                    with self._more:
                        self.acknowledged.append(key)
                        self._more.notify_all()
        session.close()


def test_kill_9_of_each_process_under_load_loses_nothing_acknowledged(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path)
    loads = [Load(running, secret, f"w{n}") for n in range(4)]
    try:
        for load in loads:
            load.start()
        for round_ in range(ROUNDS):
            for name in ("api", "view", "mail"):
                loads[0].reach(len(loads[0].acknowledged) + 5 + round_ % 7)
                os.kill(child(running, name), signal.SIGKILL)
                healthy(running)
    finally:
        for load in loads:
            load.ended.set()
        for load in loads:
            load.join()
    acknowledged = [key for load in loads for key in load.acknowledged]
    assert len(acknowledged) > ROUNDS * 3 * 4
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda key: requests.get(f"{running.api}/entity/load?key={key}", timeout=10).status_code, acknowledged))
    assert found.count(200) == len(acknowledged)
    assert stop(running) == 0
    assert check(tmp_path)[1] is None


def test_a_stop_answers_what_was_accepted(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path)
    loads = [Load(running, secret, f"w{n}") for n in range(8)]
    for load in loads:
        load.start()
    for load in loads:
        load.reach(20)
    assert stop(running) == 0
    for load in loads:
        load.ended.set()
        load.join()
    acknowledged = sum(len(load.acknowledged) for load in loads)
    drops, fault = check(tmp_path)
    assert fault is None
    assert drops == acknowledged + 1, "a write was done and not answered, or answered and not done"  # and the folder's access record


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of 12 MB, in a mount namespace of the process that uses it."""
    return tmp_path / "disk"


_STOPPED_EARLY = """
import asyncio, gc, os, signal, sys
from ocean import settings
from ocean.cli.processes import serve

def early():  # called at the end of the start, before Sanic serves
    if how == "pipe":
        asyncio.get_running_loop().call_soon(os.close, writing)  # it is read in the last turn of the loop before
    else:
        os.kill(os.getpid(), int(how))

how = sys.argv[1]
reading, writing = os.pipe()
if how == "pipe":
    os.environ["OCEAN_SUPERVISOR"] = str(reading)
gc.collect = early
serve("mail", settings.load(dict(os.environ)))
"""


@pytest.mark.parametrize("how", ["pipe", str(int(signal.SIGTERM))])
def test_a_stop_that_comes_while_a_process_starts_is_not_lost(tmp_path: Path, how: str) -> None:
    """Sanic forgot it, and served until it was killed ten seconds later."""
    asyncio.run(migrate(f"sqlite://{tmp_path}/ocean.db"))
    ports = {name: f"127.0.0.1:{port}" for name, port in zip(("OCEAN_MAIL", "OCEAN_SMTP"), free_ports(2), strict=True)}
    process = subprocess.Popen([sys.executable, "-c", _STOPPED_EARLY, how], env={**os.environ, **ports, "OCEAN_DATA": str(tmp_path)})
    try:
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


def test_a_full_disk_refuses_writes_goes_on_reading_and_recovers(small_disk: Path) -> None:
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(
        [*unshare, sys.executable, "tests/faults/on_small_disk.py", str(small_disk)], capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_random_statements_over_http_are_never_a_server_error(server: Running) -> None:
    """Sentences made from the grammar's own forms, with bent words between: OCEAN_STATEMENTS of them."""
    from tests.faults.statements import statement

    chance = random.Random(20261124)
    secret = keys.generate().secret
    with requests.Session() as session:
        for _ in range(int(os.environ.get("OCEAN_STATEMENTS", "3000"))):
            text = statement(chance)
            answer = session.post(
                server.api + "/exec", data=text.encode(), headers={"content-type": "text/plain", "x-ocean-key": secret}, timeout=20
            )
            assert answer.status_code < 500, (text, answer.text)
