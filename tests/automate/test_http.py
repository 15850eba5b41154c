"""Functions over HTTP, in the real processes; what is left when one of them dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Running, start, stop


def saved(server: Running, secret: str, route: str, body: str, **config: Any) -> str:
    code = "def main(ocean, request):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    assert server.post("/drop", {"route": route, "key": "main", "payload": code}, secret).ok
    if config:
        assert server.post("/drop", {"route": route, "key": "_config", "payload": config}, secret).ok
    return f"{server.api}/run/{route}"


def test_anyone_calls_a_public_function_with_any_object_or_nothing(server: Running, secret: str) -> None:
    address = saved(server, secret, "http/echo", "return request", execute="public")
    assert requests.post(address, json={"name": "world"}, timeout=20).json()["result"] == {"name": "world"}
    answer = requests.post(address, timeout=20)
    assert (answer.status_code, answer.json()["result"]) == (200, {})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "keypair" not in answer.json()


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("", b"[1]", 400, "INVALID_PAYLOAD"),
        ("", b"{", 400, "INVALID_PAYLOAD"),
        ("", b'{"a": 1, "a": 2}', 400, "INVALID_PAYLOAD"),
        ("?wait=1", b"{}", 400, "UNKNOWN_FIELD"),
        ("?async=maybe", b"{}", 400, "INVALID_VALUE"),
        ("?async=true", b"{}", 401, "KEY_REQUIRED"),
        ("", b'{"x": "' + b"x" * 300_000 + b'"}', 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_what_is_no_request_is_refused(server: Running, secret: str, query: str, body: bytes, status: int, code: str) -> None:
    address = saved(server, secret, f"http{uuid.uuid4().hex[:8]}/echo", "return request", execute="public")
    answer = requests.post(address + query, data=body, headers={"content-type": "application/json"}, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_what_fails_is_422_and_what_is_not_there_404(server: Running, secret: str) -> None:
    failing = saved(server, secret, "http/fails", "return 1 / 0", execute="public")
    assert requests.post(failing, timeout=20).status_code == 422
    assert requests.post(f"{server.api}/run/no/such", timeout=20).status_code == 404
    assert requests.get(failing, timeout=20).status_code == 405
    assert server.drops("status http/fails", secret).json()["function"]["failures"][0]["message"] == "ZeroDivisionError: division by zero"
    assert requests.get(server.api + "/health", timeout=5).ok


def test_a_job_whose_process_was_killed_has_failed_and_one_that_waited_is_run(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path / "data")
    try:
        saved(running, secret, "fn/long", "ocean.write('began', 1)\nwhile request.get('spin'): pass")
        long = [running.post("/run/fn/long?async=true", {"spin": True}, secret).json()["job_id"] for _ in range(2)]
        waits = running.post("/run/fn/long?async=true", {}, secret).json()["job_id"]
        _until(lambda: running.drops("find began then count", secret).json()["count"] == 2)
        for _ in range(50):  # others are answered, whatever functions burn
            assert requests.get(running.api + "/health", timeout=5).ok
        listed = subprocess.run(["pgrep", "-P", str(running.process.pid)], capture_output=True, text=True, check=True)
        os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
        for job in long:
            _until(lambda job=job: _status(running, secret, job) == "failed")
        _until(lambda: _status(running, secret, waits) == "done")
    finally:
        stop(running)


def _status(running: Running, secret: str, job: str) -> str | None:
    try:
        return str(requests.get(f"{running.api}/run/status/{job}", headers={"x-ocean-key": secret}, timeout=20).json()["status"])
    except requests.ConnectionError:  # it is being started again
        return None


def _until(look: Any, seconds: float = 40) -> None:
    begun = time.monotonic()
    while not look():
        assert time.monotonic() - begun < seconds
        time.sleep(0.05)
