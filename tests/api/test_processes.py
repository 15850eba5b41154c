"""The three processes, spoken to as anyone would."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import UUID, Running, check, start, stop


def test_the_seeds_bootstrap_and_first_blocks(server: Running) -> None:
    made = server.post("/drop", {"route": "hello", "payload": "first drop"})
    assert made.status_code == 201
    body = made.json()
    assert UUID.fullmatch(body["drop_id"])
    assert body["source"] == body["keypair"]["public"]
    secret = body["keypair"]["private"]
    assert server.post("/exec", {"query": 'save seed/data @user-1 name: "Alice"'}, secret).status_code == 200
    got = server.post("/exec", {"query": "get seed/data @user-1"}, secret).json()
    assert got["payload"] == {"name": "Alice"}
    picked = server.post("/exec", {"query": 'find seed/data where name = "Alice" then pick name, email'}, secret).json()
    assert picked["results"] == [{"name": "Alice", "email": None}]
    refused = requests.post(server.api + "/drop?generate_keypair=false", json={"route": "x", "payload": 1}, timeout=9)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "KEY_REQUIRED")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"payload": 1}, 400, "ROUTE_REQUIRED"),
        ({"route": "a/../b", "payload": 1}, 400, "INVALID_ROUTE"),
        ({"route": "a", "key": "x//y", "payload": 1}, 400, "INVALID_KEY"),
        ({"route": "a"}, 400, "INVALID_PAYLOAD"),
        ({"route": "a", "payload": None}, 400, "KEY_REQUIRED"),
        ({"route": "a", "payload": 1, "colour": 2}, 400, "UNKNOWN_FIELD"),
        ({"route": "a", "payload": 1, "ttl": "soon"}, 400, "INVALID_VALUE"),
        ({"route": "a", "payload": 1, "ttl": -1}, 400, "INVALID_VALUE"),
        ([], 400, "INVALID_PAYLOAD"),
        ({"route": "a", "payload": "x" * 10_500_000}, 413, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_bad_input_is_a_named_error(server: Running, secret: str, body: object, status: int, code: str) -> None:
    answer = server.post("/drop", body, secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_public_key_as_credential_is_refused(server: Running) -> None:
    public = server.post("/drop", {"route": "pk", "payload": 1}).json()["keypair"]["public"]
    answer = requests.get(server.api + "/whoami", headers={"x-ocean-key": public}, timeout=9)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_CREDENTIAL")


def test_any_origin_may_call(server: Running) -> None:
    asked = requests.options(server.api + "/drop", headers={"origin": "https://a.example"}, timeout=9)
    assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
    for path in ("/whoami", "/nowhere"):
        answer = requests.get(server.api + path, timeout=9)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers


def test_what_follows_chunks_is_never_parsed(server: Running) -> None:
    head = b"POST /exec HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nwhoami\r\n0\r\n\r\n"
    with socket.create_connection((urlsplit(server.api).hostname or "", urlsplit(server.api).port or 0), 10) as wire:
        wire.sendall(head + b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while piece := wire.recv(65536):
            received += piece
    assert received.count(b"HTTP/1.1") == 1


def test_preconditions(server: Running, secret: str) -> None:
    first = server.post("/drop", {"route": "pre", "key": "a", "payload": 1}, secret, if_none_match="*").json()
    assert server.post("/drop", {"route": "pre", "key": "a", "payload": 2}, secret, if_none_match="*").status_code == 412
    assert server.post("/drop", {"route": "pre", "key": "a", "payload": 2}, secret, if_match=first["drop_id"]).status_code == 201
    assert server.post("/drop", {"route": "pre", "key": "a", "payload": 3}, secret, if_match=first["drop_id"]).status_code == 412


@pytest.mark.parametrize(
    "head",
    [
        "POST /exec HTTP/1.1\r\nHost: a\r\nContent-Length : 6\r\n\r\nwhoami",
        "POST /exec HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\nContent-Length: 6\r\n\r\nwhoami",
        "GET /whoami HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /whoami HTTP/1.1\r\n\r\n",
        "POST /exec HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\nwhoami",
        "POST /exec HTTP/1.1\r\nHost: a\r\nContent-Length: +6\r\n\r\nwhoami",
        "POST /exec HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "GET /whoami HTTP/1.1\r\nHost: a\r\nX: a\nb: c\r\n\r\n",
    ],
)
def test_a_smuggling_form_is_refused_and_the_connection_closed(server: Running, head: str) -> None:
    for url in (server.api, server.view):
        with socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0), 10) as wire:
            wire.sendall(head.encode())
            wire.settimeout(10)
            answer = wire.recv(65536)
        assert answer.startswith(b"HTTP/1.1 400")


def test_an_encoded_slash_is_no_way_round(server: Running, secret: str) -> None:
    server.post("/drop", {"route": "way/round", "key": "k", "payload": 1}, secret)
    for path in ("way%2fround", "way//round", "way/round%00", "WAY%2Fround"):
        answer = requests.get(f"{server.api}/entity/{path}?key=k", timeout=9)
        assert answer.status_code in (400, 404), path


def test_a_stream_replays_catches_up_and_resumes(server: Running, secret: str) -> None:
    for i in range(5):
        server.post("/drop", {"route": "live/a", "payload": i}, secret)
    with requests.get(server.api + "/stream/live/*?last=2", stream=True, timeout=20) as stream:
        lines = (line.decode() for line in stream.iter_lines() if line)
        seen: list[tuple[str, str]] = []
        for line in lines:
            name, _, value = line.partition(": ")
            seen.append((name, value))
            if value == "caught-up":
                server.post("/drop", {"route": "live/a", "payload": "now"}, secret)
            if '"now"' in value:
                break
    payloads = [json.loads(v).get("payload") for n, v in seen if n == "data"]
    assert payloads == [3, 4, None, "now"]
    ids = [v for n, v in seen if n == "id"]
    with requests.get(server.api + "/stream/live/*", headers={"last-event-id": ids[0]}, stream=True, timeout=20) as stream:
        resumed = [json.loads(line[6:])["payload"] for line in _until_caught_up(stream) if line.startswith("data: ")]
    assert resumed == [4, "now"]


def _until_caught_up(stream: requests.Response) -> list[str]:
    lines: list[str] = []
    for raw in stream.iter_lines():
        if raw == b"event: caught-up":
            break
        lines.append(raw.decode())
    return lines


def test_a_page_its_style_and_its_headers(server: Running, secret: str) -> None:
    server.drops('save site @index "<h1>one</h1>"\nsave site @style.css "b{}"\nsave site @pages/about "<p>about</p>"', secret)
    page = requests.get(server.view + "/site/", timeout=9)
    assert page.text == "<h1>one</h1>"
    assert page.headers["cache-control"] == "public, no-cache"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["content-type"].startswith("text/html")
    assert requests.get(server.view + "/site", timeout=9).url.endswith("/site/")
    assert requests.get(server.view + "/site/style.css", timeout=9).headers["content-type"].startswith("text/css")
    assert requests.get(server.view + "/site/pages/about", timeout=9).text == "<p>about</p>"
    again = requests.get(server.view + "/site/", headers={"if-none-match": page.headers["etag"]}, timeout=9)
    assert (again.status_code, again.content) == (304, b"")
    server.drops("save site @_config csp: \"default-src 'self'\"", secret)
    assert requests.get(server.view + "/site/", timeout=9).headers["content-security-policy"] == "default-src 'self'"
    server.drops("remove site @index", secret)
    assert requests.get(server.view + "/site/", timeout=9).text == "<h1>one</h1>"
    server.drops('save site @index "<h1>two</h1>"\nunpublish site @index', secret)
    assert requests.get(server.view + "/site/", timeout=9).status_code == 404


def test_a_page_after_its_save_is_never_stale(server: Running, secret: str) -> None:
    with requests.Session() as session:
        for i in range(300):
            session.post(
                server.api + "/exec",
                data=f'save fresh @index "v{i}"',
                headers={"x-ocean-key": secret, "content-type": "text/plain"},
                timeout=9,
            )
            assert session.get(server.view + "/fresh/", timeout=9).text == f"v{i}"


def test_a_private_page_wants_its_key_and_is_not_cached(server: Running) -> None:
    made = server.post("/drop", {"route": "first", "payload": 1}).json()["keypair"]
    route = made["public"] + "/site"
    server.drops(f'save {route} @index "<p>mine</p>"', made["private"])
    assert requests.get(f"{server.view}/{route}/", timeout=9).status_code == 401
    page = requests.get(f"{server.view}/{route}/?_key={made['private']}", timeout=9)
    assert (page.text, page.headers["cache-control"]) == ("<p>mine</p>", "private, no-store")


def test_a_foreign_host_is_refused(server: Running) -> None:
    assert requests.get(server.view + "/site/", headers={"host": "evil.example"}, timeout=9).status_code == 421


def test_mail_for_nobody_is_refused(server: Running) -> None:
    with smtplib.SMTP("127.0.0.1", server.smtp, timeout=10) as smtp, pytest.raises(smtplib.SMTPRecipientsRefused):
        smtp.sendmail("a@example.com", ["b@example.com"], "hello")


def test_what_was_acknowledged_survives_kill_9_and_the_process_comes_back(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path)
    acknowledged = 0
    try:
        for round_ in range(5):
            for i in range(40):
                assert running.post("/drop", {"route": "k", "key": f"{round_}-{i}", "payload": i}, secret).ok
                acknowledged += 1
            listed = subprocess.run(["pgrep", "-P", str(running.process.pid)], capture_output=True, text=True, check=True)
            os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
            while True:
                try:
                    if requests.get(running.api + "/health", timeout=1).ok:
                        break
                except requests.RequestException:
                    continue
        assert running.post("/query", {"prefix": "k", "counted": True}, secret).status_code == 400
        assert running.post("/query", {"prefix": "k", "count": True}, secret).json() == {"count": acknowledged}
    finally:
        assert stop(running) == 0
    assert check(tmp_path) == (acknowledged + 1, None)


def test_a_taken_port_is_one_sentence_and_exit_2(server: Running, tmp_path: Path) -> None:
    api = server.api.removeprefix("http://")
    done = subprocess.run([".venv/bin/ocean", "up", "--data", str(tmp_path), "--api", api], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert api in done.stderr
