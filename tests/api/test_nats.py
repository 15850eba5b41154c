"""Several machines: API processes with data folders of their own that share PostgreSQL and NATS."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.conftest import Running, free_port, start, stop
from tests.postgres import fresh_database

MASTER = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # machines of one ocean have the same


@contextmanager
def nats_server(port: int) -> Iterator[subprocess.Popen[bytes]]:
    path = shutil.which("nats-server")
    assert path, "nats-server is needed: sudo apt-get install -y nats-server"
    process = subprocess.Popen([path, "-a", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL)
    try:
        _reachable(port)
        yield process
    finally:
        process.kill()
        process.wait()


def _reachable(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            continue
    raise AssertionError("nats-server did not start")


@pytest.fixture
def machines(postgres: str, tmp_path: Path) -> Iterator[tuple[Running, Running, int]]:
    port, store = free_port(), fresh_database(postgres)
    os.environ |= {"OCEAN_BUS": f"nats://127.0.0.1:{port}/sea.one", "OCEAN_MASTER_KEY": MASTER}
    started: list[Running] = []
    try:
        for name in ("one", "two"):
            started.append(start(tmp_path / name, "--store", store))
        yield started[0], started[1], port
    finally:
        del os.environ["OCEAN_BUS"], os.environ["OCEAN_MASTER_KEY"]
        for running in started:
            assert stop(running) == 0


def told_across(speaker: Running, listener: Running, secret: str) -> None:
    """What is said at one is heard at the other; it is said again and again, since nothing is kept for a bus that is not there yet."""
    heard = threading.Event()

    def speak() -> None:
        while not heard.wait(0.1):
            assert speaker.post("/broadcast/radio", {"n": 1}, secret).ok

    speaking = threading.Thread(target=speak)
    with requests.get(listener.api + "/broadcast/radio/listen", stream=True, timeout=30) as answer:
        speaking.start()
        try:
            assert any(b'"payload":{"n":1}' in raw for raw in answer.iter_lines() if raw.startswith(b"data:"))
        finally:
            heard.set()
            speaking.join()


def test_a_listener_on_one_machine_hears_what_is_said_on_another(machines: tuple[Running, Running, int], secret: str) -> None:
    one, two, port = machines
    assert one.drops('save _config/radio @stream { type: "stream" }', secret).ok
    assert one.post("/broadcast/radio", {"n": 0}, secret).ok  # the server is away yet: it is told here, and harms nothing
    with nats_server(port):
        told_across(one, two, secret)
        told_across(two, one, secret)
        with requests.get(two.api + "/broadcast/radio/listen", stream=True, timeout=30) as answer:
            lines = answer.iter_lines()
            next(lines)
            deadline = time.monotonic() + 20
            while one.drops("presence radio", secret).json()["count"] == 0:
                assert time.monotonic() < deadline, "who listens elsewhere is not known"
        first, second = (requests.get(m.api + "/push/vapid-key", timeout=9).json() for m in (one, two))
        assert first == second
    with requests.get(one.api + "/broadcast/radio/listen", stream=True, timeout=20) as answer:  # and the server is away again
        lines = answer.iter_lines()
        next(lines)
        assert one.post("/broadcast/radio", {"n": 2}, secret).ok
        assert any(b'"n":2' in raw for raw in lines if raw.startswith(b"data:"))
    with nats_server(port):
        told_across(one, two, secret)
