"""`make bench`: our servers beside raw Sanic, in one run, with wrk; ratios are what counts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from grammar import Language
from ocean.commands.table import LANGUAGE
from ocean.core import keys
from tests.conftest import free_port, start, stop

RAW = """
import sys
from sanic import Sanic
from sanic.response import raw, json
app = Sanic("raw")
BODY = b"x" * 10240
@app.get("/page")
async def page(request): return raw(BODY, content_type="text/html")
@app.post("/echo")
async def echo(request): return json(request.json)
app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
"""


def wrk(url: str, secret: str | None = None, body: str | None = None) -> float:
    script = Path(tempfile.mkdtemp()) / "post.lua"
    script.write_text(f"wrk.method='POST'\nwrk.headers['content-type']='application/json'\nwrk.body=[[{body}]]\n" if body else "")
    command = ["wrk", "-c16", "-t2", "-d4s", "-s", str(script), url]
    if secret:
        command[1:1] = ["-H", f"x-ocean-key: {secret}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in shown:
        raise SystemExit(f"errors from {url}:\n{shown}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1])  # type: ignore[index]


def parse_rate(language: Language) -> float:
    text = 'find users where age > 21 and status = "active" sort name limit 10'
    begun = time.perf_counter()
    for _ in range(20_000):
        language.parse(text)
    return 20_000 / (time.perf_counter() - begun)


def main() -> None:
    if not shutil.which("wrk"):
        raise SystemExit("wrk is needed: sudo apt-get install -y wrk")
    port = free_port()
    raw = subprocess.Popen([sys.executable, "-c", RAW, str(port)])
    running = start(Path(tempfile.mkdtemp()))
    secret = keys.generate().secret
    try:
        body = '{"route":"bench","key":"k","payload":"' + "x" * 150 + '"}'
        running.post("/drop", {"route": "bench", "key": "k", "payload": {"n": "x" * 150}}, secret)
        running.post("/drop", {"route": "page", "key": "index", "payload": "x" * 10240}, secret)
        page, echo = wrk(f"http://127.0.0.1:{port}/page"), wrk(f"http://127.0.0.1:{port}/echo", body=body)
        rows = [
            ("cached 10 KB page / raw Sanic", wrk(f"{running.view}/page/"), page),
            ("POST /drop / raw Sanic echo", wrk(f"{running.api}/drop", secret, body), echo),
            ("GET /entity / raw Sanic echo", wrk(f"{running.api}/entity/bench?key=k"), echo),
        ]
        for name, ours, theirs in rows:
            print(f"{name:34} {ours:10.0f} {theirs:10.0f}   ratio {ours / theirs:.2f}")
        print(f"{'statements parsed a second':34} {parse_rate(LANGUAGE):10.0f}")
    finally:
        raw.kill()
        stop(running)


if __name__ == "__main__":
    main()
