"""Hooks and webhooks over HTTP, with a receiver of our own and a process that is killed in between."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from ocean.core import keys
from tests.conftest import Running, start, stop
from tests.faults.test_faults import child


class Sink:
    """Another host that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.change = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with sink.change:
                    sink.got.append((str(self.headers["webhook-id"]), body))
                    sink.change.notify_all()
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/in"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, done: Any, seconds: float = 60) -> None:
        with self.change:
            assert self.change.wait_for(lambda: done(self.got), seconds), len(self.got)


@contextmanager
def sink() -> Iterator[Sink]:
    made = Sink()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def test_the_seeds_way_from_another_service_to_a_hook(server: Running, secret: str) -> None:
    public = keys.public_of(secret)
    mine = {"x-ocean-key": secret}
    with sink() as there:
        kind = {"route": "_integrations", "key": "my-stripe-http", "payload": '{"type":"stripe","active":true}'}
        assert server.post("/drop", kind, secret).status_code == 201
        made = server.post("/hooks", {"url": there.url, "prefix": "_webhooks/my-stripe-http"}, secret)
        assert made.status_code == 201, made.text
        sent = requests.post(f"{server.api}/webhook/my-stripe-http", data=b'{"id": "evt_1"}', timeout=9)
        assert (sent.status_code, set(sent.json())) == (202, {"drop_id"})
        there.until(lambda got: len(got) == 1)
        assert json.loads(there.got[0][1]["data"]["payload"]["body"]) == {"id": "evt_1"}
        hook = made.json()["id"]
        changed = requests.patch(f"{server.api}/hooks/{hook}", json={"active": False}, headers=mine, timeout=9)
        assert changed.json()["active"] is False
        listed = requests.get(f"{server.api}/hooks/{hook}/deliveries?limit=5", headers=mine, timeout=9).json()["deliveries"]
        assert [(d["state"], d["status"]) for d in listed] == [("done", 204)]
        again = requests.post(f"{server.api}/deliveries/{listed[0]['id']}/replay", headers=mine, timeout=9)
        assert again.status_code == 200, again.text
        other = {"x-ocean-key": keys.generate().secret}
        assert requests.get(f"{server.api}/hooks", headers=other, timeout=9).json() == {"hooks": [], "count": 0}
        for method, path in (("DELETE", f"/hooks/{hook}"), ("PATCH", f"/hooks/{hook}"), ("GET", f"/hooks/{hook}/deliveries")):
            refused = requests.request(method, server.api + path, json={} if method == "PATCH" else None, headers=other, timeout=9)
            assert refused.status_code == 404
        assert requests.delete(f"{server.api}/hooks/{hook}", headers=mine, timeout=9).json()["deleted"] is True
        assert requests.post(f"{server.api}/webhook/nobody", data=b"x", timeout=9).status_code == 404
        inside = server.post("/hooks", {"url": "https://169.254.169.254/latest", "prefix": f"{public}/x"}, secret)
        assert (inside.status_code, inside.json()["error"]["code"]) == (400, "INVALID_VALUE")


def test_no_change_is_left_out_though_the_process_is_killed(tmp_path: Path) -> None:
    secret = keys.generate().secret
    with sink() as there:
        running = start(tmp_path)
        try:
            assert server_hook(running, there.url, secret)
            acknowledged = 0
            for round_ in range(3):
                end = time.monotonic() + 1.0
                while time.monotonic() < end:
                    done = running.post("/drop", {"route": "orders", "key": f"k{acknowledged}", "payload": {"n": acknowledged}}, secret)
                    if done.status_code == 201:
                        acknowledged += 1
                os.kill(child(running, "api"), signal.SIGKILL)
                wait_until_up(running)
                assert acknowledged > round_
            there.until(lambda got: len({id_ for id_, _ in got}) >= acknowledged)
            numbers = {body["data"]["payload"]["n"] for _, body in there.got}
            assert set(range(acknowledged)) <= numbers
            first: dict[str, int] = {}
            for id_, body in there.got:
                first.setdefault(id_, body["data"]["payload"]["n"])
            assert list(first.values()) == sorted(first.values())  # each in the order that it was written, however often it came
        finally:
            stop(running)


def server_hook(running: Running, url: str, secret: str) -> bool:
    return running.post("/hooks", {"url": url, "prefix": "orders"}, secret).status_code == 201


def wait_until_up(running: Running) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(running.api + "/health", timeout=2).ok:
                return
        except requests.RequestException:
            continue
    raise AssertionError("it did not come up again")
