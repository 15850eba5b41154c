"""A real store, and the real three processes on free ports."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.store.schema import migrate, open_engine
from ocean.store.verify import verify
from tests.mariadb import MariaDB, serve_mariadb
from tests.postgres import fresh_database, serve_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server of our own, and in it a database with the tables that each test copies; its address without a database."""
    yield from serve_postgres(tmp_path_factory)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    yield from serve_mariadb()


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """OCEAN_STORE for a fresh store, on each engine."""
    return "" if request.param == "sqlite" else fresh_database(request.getfixturevalue("postgres"))


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite store with its tables, which each test copies: to make them takes longer than most tests."""
    made = tmp_path_factory.mktemp("tables") / "ocean.db"
    asyncio.run(migrate(f"sqlite://{made}"))
    assert not made.with_name("ocean.db-wal").exists()
    return made


@pytest.fixture
async def ocean(tmp_path: Path, store: str, tables: Path) -> AsyncIterator[Ocean]:
    values = settings.load({"OCEAN_DATA": str(tmp_path), "OCEAN_STORE": store or None})
    if not store:
        shutil.copy(tables, tmp_path / "ocean.db")
    opened = await Ocean.open(values)
    yield opened
    await opened.close()


@pytest.fixture
def alice() -> Caller:
    return Caller(keys.generate().public)


@pytest.fixture
def bob() -> Caller:
    return Caller(keys.generate().public)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Ports that differ: held side by side while they are chosen."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@dataclass
class Running:
    data: Path
    api: str
    view: str
    smtp: int
    process: subprocess.Popen[str]

    def post(self, path: str, body: Any, secret: str | None = None, **headers: str) -> requests.Response:
        named = {k.replace("_", "-"): v for k, v in headers.items()} | ({"x-ocean-key": secret} if secret else {})
        return requests.post(self.api + path, json=body, headers=named, timeout=20)

    def drops(self, text: str, secret: str | None = None) -> requests.Response:
        headers = {"content-type": "text/plain"} | ({"x-ocean-key": secret} if secret else {})
        return requests.post(self.api + "/exec", data=text.encode(), headers=headers, timeout=20)


def start(data: Path, *more: str) -> Running:
    ports = free_ports(4)
    api, view, mail, smtp = (f"127.0.0.1:{p}" for p in ports)
    process = subprocess.Popen(
        [sys.executable, "-m", "ocean.cli", "up", "--data", str(data), "--api", api, "--view", view, "--mail", mail,
         "--smtp", smtp, *more],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "OCEAN_KEYS_PER_HOUR": "100000", "OCEAN_EGRESS_ALLOW": "127.0.0.0/8"},
    )  # fmt: skip
    assert process.stdout
    for line in process.stdout:
        if "is up" in line:
            break
    running = Running(data, f"http://{api}", f"http://{view}", ports[3], process)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if all(requests.get(u + "/health", timeout=2).ok for u in (running.api,)):
                return running
        except requests.RequestException:  # not up yet, or busy with its start
            continue
    stop(running)
    raise AssertionError("it did not start")


def stop(running: Running) -> int:
    running.process.send_signal(signal.SIGTERM)
    code = running.process.wait(30)
    assert running.process.stdout
    running.process.stdout.close()
    return code


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(tmp_path_factory.mktemp("data"))
    yield running
    assert stop(running) == 0


@pytest.fixture
def secret() -> str:
    return keys.generate().secret


UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def check(data: Path) -> tuple[int, str | None]:
    """What `ocean verify` sees of a data folder on SQLite."""

    async def run() -> tuple[int, str | None]:
        engine = await open_engine(f"sqlite://{data / 'ocean.db'}")
        try:
            return await verify(engine)
        finally:
            await engine.close()

    return asyncio.run(run())
