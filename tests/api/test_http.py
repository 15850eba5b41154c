"""The API over HTTP: files, proofs, signatures, metrics, and the two ways through the server that must agree."""

from __future__ import annotations

import hashlib
import json
import socket
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocean.core import chain, keys
from tests.conftest import Running, start, stop
from tests.core.test_signatures import signed


def wire(url: str, data: bytes, timeout: float = 10) -> bytes:
    """What comes back on a raw connection until it is closed."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


def test_a_file_goes_up_and_comes_down_whole_and_in_ranges(server: Running, secret: str) -> None:
    body = bytes(range(256)) * 40_000  # 10 MB
    headers = {"content-type": "video/mp4", "x-blob-route": "my/videos", "x-ocean-key": secret}
    up = requests.post(server.api + "/blob", data=body, headers=headers, timeout=60)
    assert up.status_code == 201
    told = up.json()
    assert told["blob"] == {
        "key": f"blobs/{told['drop_id']}",
        "size": len(body),
        "type": "video/mp4",
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    url = f"{server.api}/blob/{told['drop_id']}"
    down = requests.get(url, timeout=60)
    assert down.content == body
    assert down.headers["cache-control"] == "public, no-cache"
    assert down.headers["accept-ranges"] == "bytes"
    part = requests.get(url, headers={"range": "bytes=1000-1999"}, timeout=9)
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, body[1000:2000], f"bytes 1000-1999/{len(body)}")
    assert requests.head(url, timeout=9).headers["content-length"] == str(len(body))
    assert requests.get(url, headers={"range": f"bytes={len(body)}-"}, timeout=9).status_code == 416
    assert requests.get(url, headers={"if-none-match": down.headers["etag"]}, timeout=9).status_code == 304
    assert server.drops("find my/videos", secret).json()["results"][0]["payload"]["blob"]["size"] == len(body)


def test_a_private_file_is_its_owners_alone(server: Running) -> None:
    mine = keys.generate()
    headers = {"x-blob-route": f"{mine.public}/files", "x-ocean-key": mine.secret}
    drop_id = requests.post(server.api + "/blob", data=b"secret bytes", headers=headers, timeout=9).json()["drop_id"]
    assert requests.get(f"{server.api}/blob/{drop_id}", timeout=9).status_code == 401
    other = {"x-ocean-key": keys.generate().secret}
    assert requests.get(f"{server.api}/blob/{drop_id}", headers=other, timeout=9).status_code == 403
    own = requests.get(f"{server.api}/blob/{drop_id}", headers={"x-ocean-key": mine.secret}, timeout=9)
    assert (own.content, own.headers["cache-control"].split(",")[0]) == (b"secret bytes", "private")
    stolen = {"route": "loot", "key": "x", "payload": {"blob": {"key": f"blobs/{drop_id}", "size": 12, "type": "a/b", "sha256": "0" * 64}}}
    assert server.post("/drop", stolen, other["x-ocean-key"]).json()["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(("headers", "code"), [({}, "ROUTE_REQUIRED"), ({"x-blob-route": "a/../b"}, "INVALID_ROUTE")])
def test_an_upload_that_names_no_folder_is_refused(server: Running, secret: str, headers: dict[str, str], code: str) -> None:
    answer = requests.post(server.api + "/blob", data=b"x", headers={**headers, "x-ocean-key": secret}, timeout=9)
    assert answer.json()["error"]["code"] == code


def test_an_upload_over_100_mb_is_refused_before_it_is_read(server: Running, secret: str) -> None:
    head = f"POST /blob HTTP/1.1\r\nHost: a\r\nX-Blob-Route: a\r\nX-Ocean-Key: {secret}\r\nContent-Length: {101 * 2**20}\r\n\r\n"
    assert b"BLOB_TOO_LARGE" in wire(server.api, head.encode() + b"x" * 1000)


def test_a_proof_leads_from_a_drop_to_a_signed_head(server: Running, secret: str) -> None:
    drop_id = server.post("/drop", {"route": "proofs", "key": "a", "payload": {"n": 1}}, secret).json()["drop_id"]
    for i in range(600):
        server.post("/drop", {"route": "proofs", "payload": i}, secret)
    proof = requests.get(f"{server.api}/chain/proof/{drop_id}", timeout=9).json()
    link = hashlib.sha256(bytes.fromhex(proof["previous"]) + bytes.fromhex(proof["leaf"])).digest()
    for leaf in proof["following"]:
        link = hashlib.sha256(link + bytes.fromhex(leaf)).digest()
    checkpoint = proof["checkpoint"]
    assert link.hex() == checkpoint["chain"]
    assert keys.verify(checkpoint["public_key"], chain.checkpoint_message(checkpoint["seq"], link), checkpoint["signature"])
    assert len(proof["following"]) < 512
    head = requests.get(server.api + "/chain/head", timeout=9).json()
    assert keys.verify(head["public_key"], chain.checkpoint_message(head["seq"], bytes.fromhex(head["chain"])), head["signature"])
    assert requests.get(f"{server.api}/chain/proof/nothing", timeout=9).status_code == 404


def test_a_signed_request_counts_once(server: Running) -> None:
    pair = keys.generate()
    body = json.dumps({"route": "signed", "key": "a", "payload": 1}).encode()
    request = signed(pair.secret, "POST", server.api + "/drop", body, nonce=uuid.uuid4().hex)
    with requests.Session() as session:
        first, again = session.send(request), session.send(request)
    assert (first.status_code, first.json()["source"]) == (201, pair.public)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "INVALID_CREDENTIAL")
    who = signed(pair.secret, "GET", server.api + "/whoami", nonce=uuid.uuid4().hex)
    with requests.Session() as session:
        assert session.send(who).json()["key"] == pair.public


def test_an_idempotency_key_gives_one_effect_and_one_answer(server: Running, secret: str) -> None:
    body = {"route": "once", "payload": {"n": 1}}
    answers = [server.post("/drop", body, secret, idempotency_key="k1").json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert server.post("/drop", {"route": "once", "payload": 2}, secret, idempotency_key="k1").status_code == 409
    assert server.drops("find once then count", secret).json() == {"count": 1}


def test_metrics_and_health(server: Running) -> None:
    assert requests.get(server.api + "/health", timeout=9).json()["status"] == "ok"
    text = requests.get(server.api + "/metrics", timeout=9).text
    for name in ("ocean_requests_total", "ocean_request_seconds_bucket", "ocean_log_position", "ocean_writes_waiting", "ocean_streams"):
        assert name in text


def both_ways(server: Running, request: bytes) -> tuple[Any, Any]:
    """A request's status and body by the short way, and by Sanic's: one byte of the head comes later."""
    parts = urlsplit(server.api)
    answers = []
    for pieces in ([request], [request[:5], request[5:]]):
        with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(pieces[0])
            for piece in pieces[1:]:
                connection.settimeout(0.02)
                with pytest.raises(TimeoutError):
                    connection.recv(1)  # nothing comes of half a request
                connection.settimeout(10)
                connection.sendall(piece)
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
            while len(body) < length:
                body += connection.recv(65536)
        fields = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
        answers.append((head.split()[1], body, fields))
    return answers[0], answers[1]


@pytest.mark.parametrize(
    "request_",
    [
        "GET /whoami",
        "GET /entity/ways?key=a",
        "GET /entity/ways?key=none",
        "GET /entity/ways",
        "GET /entity/ways?key=a&key=b",
        "GET /entity/ways?key=a&x=1",
        "GET /entity/ways?key=%ff",
        "GET /entity/a%2fb?key=a",
        "GET /entity/ways/?key=a",
        "GET /nowhere",
        "GET /entity/ways?key=",
        "PUT /drop",
        "DELETE /entity/ways?key=none",
        "GET /entities/ways?limit=0",
        "GET /drop",
    ],
)
def test_the_short_way_answers_as_sanics_way_does(server: Running, secret: str, request_: str) -> None:
    server.post("/drop", {"route": "ways", "key": "a", "payload": {"n": 1}}, secret)
    short, long = both_ways(server, f"{request_} HTTP/1.1\r\nHost: a\r\nX-Ocean-Key: {secret}\r\n\r\n".encode())
    assert short == long


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '{"route":"ways"}', '{"route":"ways","payload":1,"x":1}', '{"route":5,"payload":1}', '{"a":1,"a":2}', "null"]
)
def test_the_short_way_refuses_as_sanics_way_does(server: Running, secret: str, body: str) -> None:
    head = f"POST /drop HTTP/1.1\r\nHost: a\r\nX-Ocean-Key: {secret}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    short, long = both_ways(server, head.encode())
    assert short == long
    assert short[0].startswith(b"4")


def test_pipelined_requests_are_answered_in_order(server: Running, secret: str) -> None:
    one = '{"route":"pipe","payload":%d}'
    requests_ = b""
    for i in range(20):
        body = one % i
        requests_ += f"POST /drop HTTP/1.1\r\nHost: a\r\nX-Ocean-Key: {secret}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    parts = urlsplit(server.api)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
        first, rest = requests_.split(b"}", 1)
        connection.sendall(first + b"}")
        connection.sendall(rest)
        received = b""
        while received.count(b"HTTP/1.1 201") < 20:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
    found = server.drops("find pipe limit 100", secret).json()["results"]
    assert [record["payload"] for record in found] == list(range(20))


WORDS = st.sampled_from(
    [
        "save",
        "get",
        "find",
        "list",
        "update",
        "remove",
        "bulk",
        "add",
        "share",
        "revoke",
        "where",
        "sort",
        "limit",
        "skip",
        "pick",
        "then",
        "count",
        "first",
        "a/b",
        "@k",
        "@",
        "x",
        "x:",
        "1",
        "-1",
        "1e999",
        '"t"',
        "'t'",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        ",",
        ";",
        "=",
        "!=",
        ">",
        "in",
        "not",
        "and",
        "or",
        "between",
        "contains",
        "matches",
        "starts with",
        "exists",
        "null",
        "true",
        "_access",
        "*",
        "/*",
        "..",
        "\n",
        "--",
        "keep",
        "price",
        "mode",
        "with",
        "from",
        "to",
        "\\",
        '"',
        "é",
        "\u200b",
        "9" * 30,
        "shared/x",
        "trust/x",
        "_memory",
    ],
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(WORDS, max_size=14))
def test_no_statement_is_a_server_error(server: Running, secret: str, words: list[str]) -> None:
    answer = server.drops(" ".join(words), secret)
    assert answer.status_code < 500, (words, answer.text)
    assert answer.ok or answer.json()["error"]["code"]


def test_a_signed_read_on_a_kept_connection_is_answered(server: Running) -> None:
    pair = keys.generate()
    server.drops("save signing/read @a 1", pair.secret)
    with requests.Session() as session:
        for _ in range(3):
            request = signed(pair.secret, "GET", server.api + "/entity/signing/read?key=a", nonce=uuid.uuid4().hex)
            assert session.send(request).status_code == 200


def test_a_key_that_was_made_is_always_shown(server: Running) -> None:
    made = server.post("/counter/keyless/folder?key=c", {"field": "n", "by": 1}).json()
    assert keys.public_of(made["keypair"]["private"]) == made["keypair"]["public"]
    bulk = server.post("/bulk", {"ops": [{"op": "save", "route": "keyless/bulk", "key": "a", "payload": 1}]}).json()
    assert bulk["keypair"]["public"]
    assert "keypair" not in server.drops("whoami").json()


def test_a_header_that_a_twin_does_not_know_is_no_argument(server: Running, secret: str) -> None:
    server.drops("save matched @a 1\nshare matched with @FRIEND", secret)
    headers = {"x-ocean-key": secret, "if-match": "x", "if-none-match": "*"}
    assert requests.delete(f"{server.api}/access/matched", headers=headers, timeout=9).status_code == 200
    answer = server.post("/drop", {"route": "matched", "key": "b", "payload": 1}, secret, if_none_match="x")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_VALUE")


def test_a_stop_is_quick_though_streams_are_open(tmp_path: Path, secret: str) -> None:
    running = start(tmp_path)
    with requests.get(running.api + "/stream/a", stream=True, timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == b"event: caught-up"
        begun = time.monotonic()
        assert stop(running) == 0
        assert time.monotonic() - begun < 3
        assert b"event: closed" in list(lines)
