"""What is measured, and how."""

from __future__ import annotations

import http.client
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import requests

from ocean.commands.table import LANGUAGE
from ocean.core import keys
from ops.bench.table import Row
from tests.conftest import Running

PAYLOAD = "x" * 150


class Wrk:
    """wrk with 16 connections for some seconds."""

    def __init__(self, seconds: int) -> None:
        if not shutil.which("wrk"):
            raise SystemExit("wrk is needed: sudo apt-get install -y wrk")
        self._seconds = seconds

    def __call__(
        self, url: str, *, headers: dict[str, str] | None = None, body: str | None = None, script: str = "", warm: int = 0
    ) -> float:
        """Requests a second, after `warm` seconds that don't count. An answer that is an error ends the run."""
        lua = Path(tempfile.mkdtemp()) / "run.lua"
        lines = [f'wrk.headers["{name}"] = [[{value}]]' for name, value in (headers or {}).items()]
        if body is not None:
            lines += ["wrk.method = 'POST'", "wrk.headers['content-type'] = 'application/json'", f"wrk.body = [[{body}]]"]
        lua.write_text("\n".join([*lines, script]))
        for seconds in (warm, self._seconds) if warm else (self._seconds,):
            command = ["wrk", "-c16", "-t2", f"-d{seconds}s", "-s", str(lua), url]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in shown:
            raise SystemExit(f"errors from {url}:\n{shown}")
        found = re.search(r"Requests/sec:\s+([\d.]+)", shown)
        assert found
        return float(found[1])


def against_raw(wrk: Wrk, running: Running, raw: str) -> list[Row]:
    secret = keys.generate().secret
    running.post("/drop", {"route": "bench", "key": "k", "payload": {"n": PAYLOAD}}, secret)
    running.post("/drop", {"route": "page", "key": "index", "payload": "x" * 10240}, secret)
    page, echo, unchanged = wrk(f"{raw}/page"), wrk(f"{raw}/echo", body=_drop()), wrk(f"{raw}/unchanged")
    etag = requests.get(f"{running.view}/page/", timeout=9).headers["etag"]
    known = {"if-none-match": etag}
    return [
        Row("cached 10 KB page", wrk(f"{running.view}/page/"), "raw Sanic", page, 0.7),
        Row("the same, 304", wrk(f"{running.view}/page/", headers=known), "raw Sanic's 304", unchanged, 0.7),
        Row("POST /drop, 200 bytes, synced", wrk(f"{running.api}/drop", headers=_key(secret), body=_drop()), "raw Sanic's echo", echo, 0.4),
        Row("GET /entity by key", wrk(f"{running.api}/entity/bench?key=k"), "raw Sanic's echo", echo, 0.6),
    ]


def against_soul(wrk: Wrk, running: Running, soul: str) -> list[Row]:
    secret = keys.generate().secret
    running.post("/drop", {"route": "beside", "key": "k", "payload": {"n": PAYLOAD}}, secret)
    insert = f'{{"fields":{{"route":"bench","key":"k","payload":"{PAYLOAD}"}}}}'
    writes = [(wrk(f"{running.api}/drop", headers=_key(secret), body=_drop("beside")), wrk(soul, body=insert)) for _ in range(2)]
    reads = [(wrk(f"{running.api}/entity/beside?key=k"), wrk(f"{soul}/1")) for _ in range(2)]
    write, insert_ = (statistics.mean(pair[i] for pair in writes) for i in (0, 1))
    read, select = (statistics.mean(pair[i] for pair in reads) for i in (0, 1))
    return [
        Row("POST /drop, synced", write, "soul-cli's insert, not synced", insert_, 2),
        Row("GET /entity by key", read, "soul-cli's read by id", select, 3),
    ]


def _drop(route: str = "bench") -> str:
    return f'{{"route":"{route}","key":"k","payload":"{PAYLOAD}"}}'


def _key(secret: str) -> dict[str, str]:
    return {"x-ocean-key": secret}


def counter(running: Running) -> Row:
    """The median of an add over one connection, above an empty request's, less one sync of a page, in milliseconds."""
    secret = keys.generate().secret
    running.post("/drop", {"route": "count", "key": "k", "payload": {}}, secret)
    wire = http.client.HTTPConnection(urlsplit(running.api).netloc, timeout=9)

    def ask(method: str, path: str, body: str | None) -> float:
        begun = time.perf_counter()
        wire.request(method, path, body, {"x-ocean-key": secret})
        answer = wire.getresponse()
        answer.read()
        assert answer.status == 200
        return (time.perf_counter() - begun) * 1000

    empty = statistics.median(ask("GET", "/whoami", None) for _ in range(500))
    add = statistics.median(ask("POST", "/counter/count?key=k", '{"field":"n","by":1}') for _ in range(500))
    return Row("a counter's add over an empty request, ms", add - empty - _sync(running.data), None, None, 1, most=True)


def _sync(folder: Path) -> float:
    """The median time to append 4 KB and have it on disk, in milliseconds."""
    import os

    times = []
    with (folder / "sync-probe").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    (folder / "sync-probe").unlink()
    return statistics.median(times)


def parse_rate() -> float:
    text = "find users where age > 21 sort name limit 10"  # ten tokens
    best = 0.0
    for _ in range(3):
        begun = time.perf_counter()
        for _ in range(10_000):
            LANGUAGE.parse(text)
        best = max(best, 10_000 / (time.perf_counter() - begun))
    return best


def memory(supervisor: int) -> float:
    """Proportional set size of the three processes together, in MB: shared pages count once."""
    children = subprocess.run(["pgrep", "-P", str(supervisor)], capture_output=True, text=True, check=True).stdout.split()
    total = 0
    for pid in children:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        assert found
        total += int(found[1])
    return total / 1024
