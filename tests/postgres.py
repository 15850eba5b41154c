"""A real PostgreSQL server for the tests, on a socket of its own."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

TEMPLATE = "ocean_template"


def _bin(name: str) -> str:
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    assert found, "PostgreSQL's server is needed: sudo apt-get install -y postgresql"
    return found[-1]


def _as_postgres() -> list[str]:
    return ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []  # it refuses to run as root


def serve_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from tests.conftest import free_port

    folder = Path(
        subprocess.run([*_as_postgres(), "mktemp", "-d", "/tmp/ocean-pg-XXXXXX"], capture_output=True, text=True, check=True).stdout.strip()
    )
    port = free_port()
    data = str(folder / "data")
    subprocess.run(
        [*_as_postgres(), _bin("initdb"), "-D", data, "-A", "trust", "-U", "ocean", "-E", "UTF8"], check=True, capture_output=True
    )
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    control = [*_as_postgres(), _bin("pg_ctl"), "-D", data, "-w"]
    subprocess.run([*control, "-o", options, "-l", str(folder / "log"), "start"], check=True, capture_output=True)
    address = f"postgres://ocean@127.0.0.1:{port}"
    try:
        _sql(address, f"CREATE DATABASE {TEMPLATE}")
        make = "import asyncio, sys; from ocean.store.schema import migrate; asyncio.run(migrate(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", make, f"{address}/{TEMPLATE}"], check=True, timeout=60)
        yield address
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)
        subprocess.run([*_as_postgres(), "rm", "-rf", str(folder)], check=True)


def _sql(address: str, statement: str) -> None:
    subprocess.run(["psql", "-q", f"{address}/postgres", "-c", statement], check=True)


def fresh_database(address: str) -> str:
    name = f"t{uuid.uuid4().hex}"
    _sql(address, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    return f"{address}/{name}"
