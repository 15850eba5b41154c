"""What we are measured beside: raw Sanic, and soul-cli from npm."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests

from tests.conftest import free_port

_RAW = """
import sys
from sanic import Sanic
from sanic.response import empty, json, raw
app = Sanic("raw")
BODY = b"x" * 10240
@app.get("/page")
async def page(request): return raw(BODY, content_type="text/html")
@app.get("/unchanged")
async def unchanged(request): return empty(304, headers={"etag": '"x"'})
@app.get("/empty")
async def nothing(request): return raw(b"{}", content_type="application/json")
@app.post("/echo")
async def echo(request): return json(request.json)
app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
"""


def _ready(url: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url, timeout=1)
            return
    raise SystemExit(f"{url} did not come up")


@contextlib.contextmanager
def _served(command: list[str], ready: str) -> Iterator[str]:
    """The address of a server whose command ends with its port, once `ready` answers; killed afterwards."""
    port = free_port()
    process = subprocess.Popen([*command, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _ready(f"http://127.0.0.1:{port}{ready}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def raw_sanic() -> Iterator[str]:
    """Its address; Sanic as it comes, serving bytes from memory and echoing JSON."""
    with _served([sys.executable, "-c", _RAW], "/page") as address:
        yield address


@contextlib.contextmanager
def datasette(folder: Path) -> Iterator[str]:
    """Datasette's address, serving a database `people` with a table of that name (`queries.people`)."""
    from ops.bench.queries import put_people

    home = Path.home() / ".cache" / "ocean-bench" / "datasette"
    if not (home / "bin" / "datasette").exists():
        print("installing Datasette (about a minute, once) ...")
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(home / "bin" / "pip"), "install", "-q", "datasette==0.65.1"], check=True)
    database = folder / "people.db"
    put_people(database)
    command = [str(home / "bin" / "datasette"), "serve", str(database), "--setting", "num_sql_threads", "2", "-p"]
    with _served(command, "/-/versions.json") as address:
        yield address


@contextlib.contextmanager
def soul(folder: Path) -> Iterator[str | None]:
    """soul-cli's address with a table `events`, or None where npm is not there. It commits without waiting for the disk."""
    if not shutil.which("npm"):
        print("npm is not here: soul-cli is left out")
        yield None
        return
    home = Path.home() / ".cache" / "ocean-bench" / "soul"
    server = home / "node_modules/soul-cli/src/server.js"
    if not server.exists():
        print("installing soul-cli (about a minute, once) ...")
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text("{}")
        subprocess.run(["npm", "install", "--silent", "soul-cli@0.8.2"], cwd=home, check=True)
    database = folder / "soul.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, route TEXT, key TEXT, payload TEXT)")
    with _served(["node", str(server), "-d", str(database), "-p"], "/api/tables") as address:
        yield f"{address}/api/tables/events/rows"
