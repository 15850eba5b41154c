"""What an attacker found, each named after what broke."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ocean.api.callers import KeyBudget
from ocean.core import keys
from tests.conftest import Running


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    wire = socket.create_connection((parts.hostname or "", parts.port or 0), 10)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def one_answer(wire: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += wire.recv(65536)
    return received


@pytest.mark.parametrize("head", ["POST /nope", "OPTIONS /drop", "PUT /whoami", "POST /blob?x=1", "GET /stream/a?last=x"])
@pytest.mark.parametrize("host", ["api", "view"])
def test_a_body_that_was_not_read_is_never_a_request(server: Running, host: str, head: str) -> None:
    body = b"GET /whoami HTTP/1.1\r\nHost: smuggled\r\n\r\n"
    with connected(getattr(server, host)) as wire:
        wire.sendall(f"{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        first = one_answer(wire)
        received = first
        try:
            wire.sendall(body)
            while piece := wire.recv(65536):
                received += piece
        except OSError:
            pass  # closed, and all the better
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_repeated_field_among_many_is_found_at_once(server: Running) -> None:
    body = '{"route":"twice","payload":{' + ",".join(f'"f{i}":1' for i in range(100_000)) + ',"f99999":2}}'
    begun = time.monotonic()
    answer = requests.post(server.api + "/drop", data=body, timeout=20)
    assert (answer.status_code, time.monotonic() - begun < 2) == (400, True)


def test_no_redirect_rule_takes_more_than_linear_time(server: Running, secret: str) -> None:
    rules = "/:a:b:c:d:e:f:g:h:i:j-X /x\n/:a/:b/:c/:d/x /y\n/*-X /z\n" + "\n".join(f"/{i}/:a/:b/:c /x" for i in range(900))
    server.post("/drop", {"route": "slow", "key": "_redirects", "payload": rules}, secret)
    begun = time.monotonic()
    for i in range(5):
        requests.get(f"{server.view}/slow/{'y' * 200}{i}/{'z/' * 20}", timeout=20)
    assert time.monotonic() - begun < 2


def upload(server: Running, secret: str, route: str, body: bytes) -> dict[str, object]:
    headers = {"x-blob-route": route, "x-ocean-key": secret, "content-type": "text/plain"}
    found: dict[str, object] = requests.post(server.api + "/blob", data=body, headers=headers, timeout=9).json()
    return found


def test_a_file_of_anothers_is_reached_by_no_reference(server: Running, secret: str) -> None:
    owner = keys.generate()
    blob = upload(server, owner.secret, f"{owner.public}/files", b"private bytes")["blob"]
    for key, payload in (("object", {"blob": blob}), ("text", json.dumps({"blob": blob, "x": 1}))):
        server.post("/drop", {"route": "loot", "key": key, "payload": payload}, secret)
        requests.patch(f"{server.api}/entity/loot?key={key}", json={"x": 2}, headers={"x-ocean-key": secret}, timeout=9)
        requests.patch(f"{server.api}/entity/loot?key={key}", json={"blob": blob}, headers={"x-ocean-key": secret}, timeout=9)
        assert b"private bytes" not in requests.get(f"{server.view}/loot/{key}", timeout=9).content
    mine = upload(server, secret, "mine", b"my own")["blob"]
    assert isinstance(mine, dict)
    for bent in ({**mine, "size": 10**15}, {**mine, "key": "blobs/../x"}, {**mine, "sha256": "0" * 64}):
        answer = server.post("/drop", {"route": "mine", "key": "bent", "payload": {"blob": bent}}, secret)
        shown = requests.get(f"{server.view}/mine/bent", timeout=9)
        assert answer.status_code == 403 or b"my own" not in shown.content
        assert shown.status_code < 500
    assert server.post("/drop", {"route": "mine", "key": "right", "payload": {"blob": mine}}, secret).status_code == 201
    assert requests.get(f"{server.view}/mine/right", timeout=9).content == b"my own"


def test_what_lies_above_anothers_folder_has_no_say_in_its_pages(server: Running, secret: str) -> None:
    owner = keys.generate()
    server.drops('save roof/site @index "theirs"\nsave roof/site @page "theirs"', owner.secret)
    for key, payload in {
        "_redirects": "/* https://evil.example/ 302!",
        "_headers": "/*\n  X-Evil: 1",
        "_config": {"csp": "default-src evil"},
        "404.html": "evil",
        "site/login": "evil",
        "site/index": "evil",
    }.items():
        assert server.post("/drop", {"route": "roof", "key": key, "payload": payload}, secret).status_code == 201
    for path, status in (("/roof/site/", 200), ("/roof/site/page", 200), ("/roof/site/login", 404), ("/roof/site/nothing", 404)):
        answer = requests.get(server.view + path, timeout=9, allow_redirects=False)
        assert (answer.status_code, "evil" in answer.text, "evil" in str(answer.headers).lower()) == (status, False, False), path


@pytest.mark.parametrize("mode", ["moderated", "writeonly"])
def test_a_guest_of_a_folder_sets_no_rules_of_its_site(server: Running, secret: str, mode: str) -> None:
    owner = keys.generate()
    route = f"club-{mode}"
    server.drops(f'save {route} @index "theirs"\nshare {route} with @{owner.public} mode {mode}', owner.secret)
    assert (
        server.post("/drop", {"route": route, "key": "_redirects", "payload": "/* https://evil.example/ 302!"}, secret).status_code == 201
    )
    answer = requests.get(f"{server.view}/{route}/?_key={owner.secret}", timeout=9, allow_redirects=False)
    assert (answer.status_code, answer.text) == (200, "theirs")
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_no_permissions_are_not_all_of_them(server: Running) -> None:
    owner, other = keys.generate(), keys.generate()
    server.drops("save narrow @a x: 1", owner.secret)
    for permissions in ([], [[1]], [{}], "all", ["fly"]):
        assert server.post("/access/narrow", {"key": other.public, "permissions": permissions}, owner.secret).status_code == 400
    server.post("/access/narrow", {"key": other.public, "mode": "shared", "permissions": ["drop"]}, owner.secret)
    headers = {"x-ocean-key": other.secret}
    assert requests.get(f"{server.api}/entity/narrow?key=a", headers=headers, timeout=9).status_code == 403
    told = requests.patch(f"{server.api}/entity/narrow?key=a", json={"z": 1}, headers=headers, timeout=9)
    assert (told.status_code, "payload" in told.json()) == (200, False)
    assert "value" not in server.post("/counter/narrow?key=a", {"field": "x", "by": 0}, other.secret).json()


def test_a_price_stays_its_owners_whoever_writes(server: Running, secret: str) -> None:
    owner = keys.generate()
    assert server.post("/drop", {"route": "stall", "payload": 1, "public": True}, owner.secret).status_code == 201
    server.post("/drop", {"route": "stall", "key": "a", "payload": {"dear": 1}, "price": 5}, owner.secret)
    headers = {"x-ocean-key": secret}
    told = requests.patch(f"{server.api}/entity/stall?key=a", json={"z": 1}, headers=headers, timeout=9)
    assert (told.status_code, "payload" in told.json()) == (200, False)
    assert requests.get(f"{server.api}/entity/stall?key=a", headers=headers, timeout=9).json()["_gated"] is True
    for version in requests.get(f"{server.api}/entity/stall?key=a&history=true", headers=headers, timeout=9).json()["versions"]:
        assert "payload" not in version


def test_the_roots_of_shared_and_trust_belong_to_nobody(server: Running, secret: str) -> None:
    public = keys.public_of(secret)
    for route in ("shared", "trust", "trust/x", "shared/nobodys"):
        assert server.post(f"/access/{route}", {"key": public, "mode": "shared"}, secret).status_code == 403, route


def test_a_rewritten_page_is_never_stale_and_closes_with_its_folder(server: Running) -> None:
    owner = keys.generate()
    server.drops('save wide @_redirects "/app/* /deep/in/page 200"\nsave wide/deep/in @page "v1"', owner.secret)
    get = lambda: requests.get(f"{server.view}/wide/app/x", timeout=9)  # noqa: E731
    assert [get().text for _ in range(3)] == ["v1"] * 3
    server.drops('save wide/deep/in @page "v2"', owner.secret)
    assert get().text == "v2"
    server.drops(f"share wide/deep/in with @{owner.public} mode shared", owner.secret)
    assert get().status_code == 401


def test_uploads_that_stand_still_stop_nobody_else(server: Running, secret: str) -> None:
    head = f"POST /blob HTTP/1.1\r\nHost: a\r\nX-Blob-Route: still\r\nX-Ocean-Key: {secret}\r\nContent-Length: 1000\r\n\r\nabc".encode()
    wires = [connected(server.api) for _ in range(10)]
    for wire in wires:
        wire.sendall(head)
    begun = time.monotonic()
    assert upload(server, secret, "quick", b"hello")["drop_id"]
    assert time.monotonic() - begun < 5
    for wire in wires:
        wire.close()


def test_an_upload_that_is_refused_leaves_no_file(server: Running, secret: str) -> None:
    owner = keys.generate()
    server.drops("save house @a 1", owner.secret)
    files = server.data / "files" / "blobs"
    upload(server, owner.secret, "house", b"one")
    before = sorted(files.iterdir())
    assert upload(server, secret, "house", b"two")["error"]
    headers = {"x-ocean-key": secret}
    staged = requests.put(f"{server.api}/publish/house?sha256={hashlib.sha256(b'x').hexdigest()}", data=b"x", headers=headers, timeout=9)
    assert staged.status_code == 403
    assert sorted(files.iterdir()) == before


def test_metrics_outlive_an_odd_request(server: Running) -> None:
    for head in (
        b"\xff\xfe /whoami HTTP/1.1",
        b"BREW /whoami HTTP/1.1",
        b"CONNECT x:80 HTTP/1.1",
        b"GET /a\tb HTTP/1.1",
        b"GET //x:y:z HTTP/1.1",
    ):
        for url in (server.api, server.view):
            with connected(url) as wire:
                wire.sendall(head + b"\r\nHost: localhost\r\n\r\n")
                answer = one_answer(wire)
            assert answer.split()[1].startswith(b"4"), (head, answer)
    assert requests.get(server.api + "/metrics", timeout=9).status_code == 200
    assert "BREW" not in requests.get(server.api + "/metrics", timeout=9).text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/drop", '{"route":"odd","key":"k","payload":1e999}'),
        ("POST", "/drop", '{"route":"odd","key":"k","payload":1,"price":1e308}'),
        ("POST", "/drop", '{"route":"odd","key":"k","payload":1,"price":true}'),
        ("POST", "/bulk", '{"ops":[{"op":"save","route":"odd","key":"k","payload":1,"price":true}]}'),
        ("POST", "/bulk", '{"ops":null}'),
        ("POST", "/query", '{"prefix":"odd","limit":null,"select":["\\ud800"]}'),
        ("POST", "/query", '{"prefix":"odd","filter":{"\\ud800":1}}'),
        ("POST", "/query", '{"prefix":"odd","sort":"\\ud800"}'),
        ("POST", "/query", '{"prefix":"odd","select":' + json.dumps(["f"] * 101) + "}"),
        ("POST", "/query", '{"prefix":"' + "x" * 100_000 + '"}'),
        ("POST", "/counter/odd?key=k", '{"field":null,"by":1}'),
        ("POST", "/counter/odd?key=k", '{"field":"\\ud800","by":1}'),
        ("POST", "/exec", '{"query":"\\ud800"}'),
        ("POST", "/exec", '{"query":"' + "bulk (" * 2000 + '"}'),
    ],
)
def test_bad_input_is_never_a_server_error(server: Running, secret: str, method: str, path: str, body: str) -> None:
    headers = {"x-ocean-key": secret, "content-type": "application/json"}
    answer = requests.request(method, server.api + path, data=body, headers=headers, timeout=20)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("number", [10**30, 10**350, -(10**20), 2**63])
def test_whole_numbers_stay_exact_wherever_they_go(server: Running, secret: str, number: int) -> None:
    headers = {"x-ocean-key": secret}
    route = f"exact-{len(str(number))}"
    server.post("/drop", {"route": route, "key": "k", "payload": {"n": number}}, secret)
    for _ in range(2):
        asked = {**headers, "idempotency-key": "once"}
        told = requests.patch(f"{server.api}/entity/{route}?key=k", json={"m": 1}, headers=asked, timeout=9)
        assert told.json()["payload"] == {"n": number, "m": 1}
    server.drops(f"add 1 to {route} @k views", secret)
    record = requests.get(f"{server.api}/entity/{route}?key=k", timeout=9).json()["payload"]
    page = requests.get(f"{server.view}/{route}/k", timeout=9).json()
    assert record == page == {"n": number, "m": 1, "views": 1}
    assert server.drops(f"find {route} pick n", secret).json()["results"] == [{"n": number}]


def test_a_latin_1_idempotency_key_and_a_length_of_5000_digits(server: Running, secret: str) -> None:
    for extra in ("Idempotency-Key: \xe9", "Content-Length: " + "9" * 5000):
        with connected(server.api) as wire:
            wire.sendall(f"POST /drop HTTP/1.1\r\nHost: a\r\nX-Ocean-Key: {secret}\r\n{extra}\r\n\r\n".encode("latin-1"))
            assert one_answer(wire).split()[1] == b"400"


def test_nothing_tells_that_a_record_of_anothers_is_there(server: Running, secret: str) -> None:
    owner = keys.generate()
    server.drops("save _memory/notes @there 1", owner.secret)
    headers = {"x-ocean-key": secret}
    answers = [requests.delete(f"{server.api}/entity/_memory/notes?key={key}", headers=headers, timeout=9) for key in ("there", "nothing")]
    assert answers[0].status_code == answers[1].status_code == 404
    matched = [server.post("/drop", {"route": "_memory/notes", "key": key, "payload": 1}, secret, if_match="x").text for key in ("there",)]
    assert "is 0" not in matched[0]


def test_a_private_sites_redirects_are_its_owners(server: Running) -> None:
    owner = keys.generate()
    server.post("/drop", {"route": owner.public, "key": "_redirects", "payload": "/old /secret-place"}, owner.secret)
    answer = requests.get(f"{server.view}/{owner.public}/old", timeout=9, allow_redirects=False)
    assert (answer.status_code, "location" in answer.headers) == (401, False)
    own = requests.get(f"{server.view}/{owner.public}/old?_key={owner.secret}", timeout=9, allow_redirects=False)
    assert own.headers["location"].startswith(f"/{owner.public}/secret-place")


def test_a_setting_that_was_removed_is_in_force_no_more(server: Running, secret: str) -> None:
    server.drops('save off @_redirects "/a /b 302"\nsave off @index "x"', secret)
    get = lambda: requests.get(f"{server.view}/off/a", timeout=9, allow_redirects=False).status_code  # noqa: E731
    assert get() == 302
    server.drops("remove off @_redirects", secret)
    assert get() == 404


def test_a_long_path_is_refused_before_it_is_looked_up(server: Running, secret: str) -> None:
    server.drops('save long @404.html "none"', secret)
    begun = time.monotonic()
    for i in range(20):
        assert requests.get(f"{server.view}/long/{'a/' * 3000}{i}", timeout=9).status_code in (400, 404, 413)
    assert time.monotonic() - begun < 3


def test_thousands_of_closed_folders_stop_no_find(server: Running, secret: str) -> None:
    other = keys.generate().public
    for first in range(0, 2500, 500):
        statements = "\n".join(f"share crowd/f{i} with @{other} mode shared" for i in range(first, first + 500))
        assert server.drops(statements, secret).ok
    server.drops("save crowd/open @a 1", secret)
    found = server.drops("find crowd/* then count", keys.generate().secret)
    assert found.json() == {"count": 1}


def test_a_listing_among_closed_folders_is_quick(server: Running, secret: str) -> None:
    other = keys.generate().public
    for first in (0, 450):
        assert server.drops("\n".join(f"share crw/f{i} with @{other} mode shared" for i in range(first, first + 450)), secret).ok
    server.drops("\n".join(f"save crw/f{i} @a 1\nsave crw/g{i} @a 1" for i in range(450)), secret)
    begun = time.monotonic()
    answer = requests.get(server.view + "/crw/", timeout=20)
    assert (answer.status_code, time.monotonic() - begun < 5) == (200, True)
    assert (">g7/<" in answer.text, ">f7/<" in answer.text) == (True, False)


def test_a_counter_reads_nothing_that_is_hidden(server: Running, secret: str) -> None:
    owner = keys.generate()
    server.post("/drop", {"route": "hidden", "payload": 1, "public": True}, owner.secret)
    server.post("/drop", {"route": "hidden", "key": "a", "payload": {"dear": 123456789, "t": "x"}, "price": 5}, owner.secret)
    for field, by in (("dear", 2**53 - 123456789), ("dear", 0), ("t", 1), ("views", 2**52)):
        answer = server.post("/counter/hidden?key=a", {"field": field, "by": by}, secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), field
    assert server.post("/counter/hidden?key=a", {"field": "views", "by": 1}, owner.secret).status_code == 200
    assert server.post("/counter/hidden?key=a", {"field": "views", "by": 1}, secret).status_code == 200  # it counts already


def test_no_private_page_is_told_from_none_by_its_name(server: Running) -> None:
    owner = keys.generate()
    server.drops(f'save {owner.public}/notes @"my diary" "x"\nsave {owner.public}/notes @"old one" "x" keep 1', owner.secret)
    answers = {
        requests.get(f"{server.view}/{owner.public}/notes/{name}", timeout=9).status_code
        for name in ("my%20diary", "my%20nothing", "old%20one", "plain", "%C3%A9")
    }
    assert answers == {401}


@pytest.mark.parametrize("name", ["a\\", "\\", 'a"b', "a\x00b", "x" * 600])
def test_a_fields_name_that_is_hard_to_write_is_asked_for_or_refused(server: Running, secret: str, name: str) -> None:
    server.post("/drop", {"route": "cnt", "key": "a", "payload": {name.replace("\x00", ""): 1}}, secret)
    known = "\x00" not in name and len(name) <= 512
    for asked in ({"filter": {name: 1}}, {"filter": {name: {"$contains": "x"}}}, {"sort": name}):
        answer = server.post("/query", {"prefix": "cnt", **asked}, secret)
        assert (answer.status_code, answer.json().get("error", {}).get("code")) == ((200, None) if known else (400, "INVALID_VALUE"))


def test_a_question_is_no_larger_than_any_needs_to_be(server: Running) -> None:
    begun = time.monotonic()
    answer = requests.post(server.api + "/query", json={"prefix": "s", "filter": {"$or": [{"a": 1}] * 1_000_000}}, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert time.monotonic() - begun < 10


def test_bodies_that_never_end_fill_no_memory(server: Running) -> None:
    parts = urlsplit(server.api)
    head = b"POST /query HTTP/1.1\r\nHost: a\r\nContent-Length: 31500000\r\n\r\n"
    wires = []
    try:
        for _ in range(5):
            wire = socket.create_connection((parts.hostname, parts.port))
            wires.append(wire)
            with contextlib.suppress(OSError):  # it is told so, and closed, before all of it has come
                wire.sendall(head + b"x" * 31_000_000)
        answers = []
        for wire in wires[3:]:
            wire.settimeout(20)
            with contextlib.suppress(OSError):
                answers.append(wire.recv(200))
        assert any(b" 503 " in answer for answer in answers), answers
        assert requests.get(server.api + "/health", timeout=5).ok
    finally:
        for wire in wires:
            wire.close()


def test_uploads_without_a_key_leave_places_for_those_with_one(server: Running, secret: str) -> None:
    head = b"POST /blob HTTP/1.1\r\nHost: a\r\nX-Blob-Route: still\r\nContent-Length: 1000\r\n\r\nabc"
    wires = []
    parts = urlsplit(server.api)
    for address in range(10, 26):
        for _ in range(16):
            wire = socket.create_connection((parts.hostname or "", parts.port or 0), 10, (f"127.0.0.{address}", 0))
            wire.sendall(head)
            wires.append(wire)
    assert upload(server, secret, "places", b"hello")["drop_id"]
    for wire in wires:
        wire.close()


def test_a_body_is_measured_before_it_is_read(server: Running, secret: str) -> None:
    """31 MB of JSON for people held everybody up for five seconds."""
    large = b'{"route": "x", "payload": [' + b"{}, " * (5 * 1024 * 1024) + b"{}]}"
    for path in ("/drop", "/validate", "/push/send", "/exec"):
        answer = requests.post(
            server.api + path, data=large, headers={"x-ocean-key": secret, "content-type": "application/json"}, timeout=20
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE"), path


def test_pairs_that_came_to_nothing_leave_no_address_behind() -> None:
    """An address without any was looked at as one that has some: every write without a key was a 500 from then on."""
    budget = KeyBudget(5)
    for number in range(10_100):
        ip = f"10.{number // 62500}.{number // 250 % 250}.{number % 250}"
        budget.spend(ip)
        if number % 2:
            budget.refund(ip)
    assert len(budget._made) <= 10_001
    budget.refund("192.0.2.1")


def test_answers_that_nobody_takes_have_a_bound(server: Running, secret: str) -> None:
    """Each held its ten megabytes, as many as were asked for."""
    server.post("/drop", {"route": "unread", "key": "big", "payload": "x" * (10 * 1024 * 1024 - 10)}, secret)
    assert requests.get(f"{server.api}/entity/unread?key=big", timeout=20).ok
    before = memory(server)
    wires = []
    try:
        for _ in range(60):
            wire = connected(server.api)
            wires.append(wire)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.sendall(b"GET /entity/unread?key=big HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert requests.get(server.api + "/health", timeout=9).ok  # it has come to that one, too
        assert memory(server) - before < 200
    finally:
        for wire in wires:
            wire.close()


def memory(server: Running) -> int:
    """Megabytes that the API process holds."""
    listed = subprocess.run(["pgrep", "-P", str(server.process.pid), "-f", "cli api"], capture_output=True, text=True, check=True)
    status = Path(f"/proc/{listed.stdout.split()[0]}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


def test_no_gap_tells_of_what_is_hidden(server: Running, secret: str) -> None:
    mine = keys.generate()
    assert server.drops(f'save gaps @a "open"\nsave gaps/priv "x" keep 1\nshare gaps/priv with @{mine.public} mode shared', mine.secret).ok
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if "event: gap" in streamed(server, "gaps/*", mine.secret):
            break
    assert "event: gap" in streamed(server, "gaps/*", mine.secret)
    assert "event: gap" not in streamed(server, "gaps/*", secret)


def streamed(server: Running, prefix: str, key: str) -> str:
    """What a stream tells of the past."""
    told = ""
    with requests.get(f"{server.api}/stream/{prefix}?from=0", headers={"x-ocean-key": key}, stream=True, timeout=9) as answer:
        for line in answer.iter_lines(decode_unicode=True):
            told += line + "\n"
            if line == "event: caught-up":
                return told
    return told


def test_what_may_be_closed_tomorrow_is_kept_by_no_cache(server: Running, secret: str) -> None:
    sent = requests.post(f"{server.api}/blob", data=b"bytes", headers={"x-ocean-key": secret, "x-blob-route": "cached"}, timeout=9).json()
    answer = requests.get(f"{server.api}/blob/{sent['blob']['key'].removeprefix('blobs/')}", timeout=9)
    assert answer.headers["cache-control"] == "public, no-cache"
    server.post("/drop", {"route": "cached", "key": "_headers", "payload": "/*\n  Cache-Control: public, max-age=99999"}, secret)
    server.post("/drop", {"route": "cached", "key": "page", "payload": "<p>x"}, secret)
    assert requests.get(f"{server.view}/cached/page", timeout=9).headers["cache-control"] == "public, max-age=99999"
    assert requests.get(f"{server.view}/cached/page?_key={secret}", timeout=9).headers["cache-control"] == "private, no-store"
