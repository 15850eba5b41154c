"""Listeners to streams: how soon many hear of what is saved, beside nchan (nginx); and what five thousand that hear nothing cost."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from ocean.core import keys
from ops.bench.table import Row
from tests.conftest import Running, free_port, start, stop

LISTENERS, RATE, SECONDS = 200, 50, 10
IDLE = 5000
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_CONFIG = """
load_module {module};
worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off; user root;
events {{ worker_connections 20000; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port};
    location = /publish {{ nchan_publisher; nchan_channel_id bench; }}
    location = /listen {{ nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }}
  }}
}}
"""


def rows(folder: Path) -> list[Row]:
    """Latency beside nchan's, and the idle ones."""
    os.environ |= {"OCEAN_STREAMS_PER_CALLER": "10000", "OCEAN_CONNECTIONS_PER_ADDRESS": "20000"}
    try:
        with _running(folder / "heard") as (running, secret):
            heard = "heard by 200, p99 ms"
            found = [_beside(f"an event saved, {heard}", running, secret, "/drop", "/stream/bench", folder)]
            found.append(_beside(f"an event broadcast, {heard}", running, secret, "/broadcast/radio", "/broadcast/radio/listen", folder))
        with _running(folder / "idle") as (running, _):
            return found + _idle(running)
    finally:
        del os.environ["OCEAN_STREAMS_PER_CALLER"], os.environ["OCEAN_CONNECTIONS_PER_ADDRESS"]


@contextmanager
def _running(data: Path) -> Iterator[tuple[Running, str]]:
    running = start(data)
    try:
        secret = keys.generate().secret
        assert running.drops("save bench @first n: 0", secret).ok
        yield running, secret
    finally:
        stop(running)


def _beside(name: str, running: Running, secret: str, publish: str, listen: str, folder: Path) -> Row:
    def body(text: str) -> bytes:
        return (json.dumps({"route": "bench", "payload": {"at": text}}) if publish == "/drop" else json.dumps({"at": text})).encode()

    ours = asyncio.run(_measured(running.api, publish, listen, {"x-ocean-key": secret, "content-type": "application/json"}, body))
    theirs = None
    if NCHAN.exists():
        with _nchan(folder) as url:
            theirs = asyncio.run(_measured(url, "/publish", "/listen", {}, lambda text: json.dumps({"at": text}).encode()))
    return Row(name, ours, "nchan", theirs, 2, most=True)


@contextmanager
def _nchan(folder: Path) -> Iterator[str]:
    port = free_port()
    home = folder / "nginx"
    home.mkdir(exist_ok=True)
    (home / "nginx.conf").write_text(_CONFIG.format(module=NCHAN, folder=home, port=port))
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-c", str(home / "nginx.conf")], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                requests.get(url, timeout=1)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield url
    finally:
        nginx.terminate()
        nginx.wait()


async def _measured(url: str, publish: str, listen: str, headers: dict[str, str], body: Callable[[str], bytes]) -> float:
    """The 99th percentile of what lies between sending an event and hearing it, in milliseconds."""
    host, port = url.removeprefix("http://").split(":")
    taken: list[float] = []
    there = asyncio.Semaphore(0)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
        writer.write(f"GET {listen} HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        there.release()
        while line := await reader.readline():
            if (at := line.find(b'"at":')) >= 0:
                sent = float(line[at + 5 :].split(b'"')[1])
                taken.append((time.monotonic() - sent) * 1000)

    listening = [asyncio.create_task(one()) for _ in range(LISTENERS)]
    for _ in range(LISTENERS):
        await there.acquire()
    reader, writer = await asyncio.open_connection(host, int(port))
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    begun = time.monotonic()
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, begun + number / RATE - time.monotonic()))
        sent = body(f"{time.monotonic():.6f}")
        writer.write(f"POST {publish} HTTP/1.1\r\nhost: {host}\r\n{named}content-length: {len(sent)}\r\n\r\n".encode() + sent)
        await _answer(reader)
    await asyncio.sleep(1)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    assert len(taken) >= LISTENERS * RATE * SECONDS * 0.99, f"{len(taken)} were heard"
    return statistics.quantiles(taken, n=100)[98]


def _idle(running: Running) -> list[Row]:
    """Memory of the API process, and how soon /health answers, while many listen and nothing is said."""
    children = subprocess.check_output(["pgrep", "-P", str(running.process.pid)], text=True).split()
    (api,) = [pid for pid in children if "\x00api\x00" in Path(f"/proc/{pid}/cmdline").read_text()]
    memory, taken = asyncio.run(_quiet(running.api, Path(f"/proc/{api}/status")))
    return [
        Row("memory of the API with 5,000 idle listeners, MB", memory, None, None, 250, most=True),
        Row("health p99 with 5,000 idle listeners, ms", statistics.quantiles(taken, n=100)[98], None, None, 200, most=True),
    ]


async def _quiet(url: str, status: Path) -> tuple[float, list[float]]:
    host, port = url.removeprefix("http://").split(":")
    lines = []
    for first in range(0, IDLE, 250):
        lines += await asyncio.gather(*(_listener(host, int(port)) for _ in range(first, first + 250)))
    taken = []
    reader, writer = await asyncio.open_connection(host, int(port))
    for _ in range(300):
        begun = time.monotonic()
        writer.write(f"GET /health HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        await _answer(reader)
        taken.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(0.02)
    memory = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS:")) / 1024
    for _, open_ in lines:
        open_.close()
    return memory, taken


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    await reader.readexactly(length)


async def _listener(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /stream/bench HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0], head
    return reader, writer
