"""The view host over HTTP: forms, caches, ranges, and the short way that must agree with the long one."""

from __future__ import annotations

import gzip
import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import brotli
import pytest
import requests
import zstandard

from ocean import settings
from ocean.core import keys
from tests.conftest import Running, start, stop
from tests.services.test_deploys import PNG
from viewhost.hosts import Hosts
from viewhost.visits import MOST, WINDOW, Visits, asked

PAGE = "<!doctype html><p>" + "ocean " * 400


def get(server: Running, path: str, **headers: str) -> requests.Response:
    return requests.get(server.view + path, headers={"accept-encoding": "identity", **headers}, timeout=9, allow_redirects=False)


def raw(server: Running, request: str, *, split: bool = False) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """`(status, headers, body)` of one request; `split` sends it in two pieces, which is Sanic's way."""
    parts = urlsplit(server.view)
    data = request.encode()
    with socket.create_connection((parts.hostname or "", parts.port or 0), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(data[:9] if split else data)
        if split:
            connection.settimeout(0.02)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(10)
            connection.sendall(data[9:])
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        while len(body) < int(headers.get(b"content-length", b"0")):
            body += connection.recv(65536)
    return lines[0].split()[1], headers, body


def test_every_encoding_gives_the_page_back(server: Running, secret: str) -> None:
    server.post("/drop", {"route": "enc", "key": "index", "payload": PAGE}, secret)
    etags = set()
    for name, decode in (("br", brotli.decompress), ("zstd", zstandard.decompress), ("gzip", gzip.decompress)):
        for _ in range(3):  # made, then kept, then ready
            status, headers, body = raw(server, f"GET /enc/ HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {name}\r\n\r\n")
            assert (status, headers[b"content-encoding"], headers[b"vary"]) == (b"200", name.encode(), b"accept-encoding")
            assert decode(body).decode() == PAGE
            etags.add(headers[b"etag"])
    assert len(etags) == 3
    assert "content-encoding" not in get(server, "/enc/", **{"accept-encoding": "br;q=0, identity"}).headers
    status, _, body = raw(server, f"GET /enc/ HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {etags.pop().decode()}\r\n\r\n")
    assert (status, body) == (b"304", b"")


@pytest.mark.parametrize(
    "extra", ["", "Accept-Encoding: br\r\n", "If-None-Match: *\r\n", 'If-None-Match: "other"\r\n', "Cookie: a=b\r\n", "X-Odd: \t1\r\n"]
)
@pytest.mark.parametrize(
    "path", ["/ways/", "/ways", "/ways/index", "/ways/x.css", "/ways/nothing", "/nowhere/", "/ways/%69ndex", "/ways//", "/ways/?a=1"]
)
def test_the_short_way_answers_as_the_long_way_does(server: Running, secret: str, path: str, extra: str) -> None:
    server.drops(f'save ways @index "{PAGE}"\nsave ways @x.css "b{{}}"', secret)
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{extra}\r\n"
    raw(server, request)
    short, long = raw(server, request), raw(server, request, split=True)
    assert short[0] == long[0]
    assert short[2] == long[2]
    assert short[1] == long[1]


@pytest.mark.parametrize(
    "head",
    [
        "GET /x/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET /x/ HTTP/1.1\r\n\r\n",
        "GET /x/ HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "GET /x/ HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n",
        "GET /x/ HTTP/1.1\r\nHost: localhost\r\nA\x00: b\r\n\r\n",
    ],
)
def test_an_odd_head_is_refused(server: Running, head: str) -> None:
    assert raw(server, head)[0] == b"400"


def test_a_host_that_is_not_ours_is_refused_however_it_is_asked(server: Running, secret: str) -> None:
    server.drops('save host @index "ours"', secret)
    for host, status in (
        ("localhost", b"200"),
        ("127.0.0.1:80", b"200"),
        ("[::1]:80", b"200"),
        ("evil.example", b"421"),
        ("localhost.evil", b"421"),
        ("127.0.0.1.evil", b"421"),
        ("", b"421"),
    ):
        for _ in range(2):
            assert raw(server, f"GET /host/ HTTP/1.1\r\nHost: {host}\r\n\r\n")[0] == status, host


def test_head_and_ranges_of_a_binary_page(server: Running, secret: str) -> None:
    up = requests.post(
        server.api + "/blob", data=PNG, headers={"x-blob-route": "bin", "content-type": "image/png", "x-ocean-key": secret}, timeout=9
    )
    server.post("/drop", {"route": "bin", "key": "a.png", "payload": {"blob": up.json()["blob"]}}, secret)
    whole = get(server, "/bin/a.png")
    assert (whole.content, whole.headers["content-type"], whole.headers["accept-ranges"]) == (PNG, "image/png", "bytes")
    part = get(server, "/bin/a.png", range="bytes=4-9")
    assert (part.status_code, part.content) == (206, PNG[4:10])
    assert get(server, "/bin/a.png", range="bytes=4-9", **{"if-range": '"old"'}).content == PNG
    head = requests.head(server.view + "/bin/a.png", timeout=9)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(PNG)), b"")
    assert get(server, "/bin/a.png", **{"if-none-match": whole.headers["etag"]}).status_code == 304
    assert get(server, "/bin/a.png", range="bytes=999999-").status_code == 416


def test_head_of_a_page_tells_its_length(server: Running, secret: str) -> None:
    server.post("/drop", {"route": "head", "key": "index", "payload": PAGE}, secret)
    answer = requests.head(server.view + "/head/", headers={"accept-encoding": "identity"}, timeout=9)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, str(len(PAGE)), b"")


def test_counters_on_a_page_are_never_stale(server: Running, secret: str) -> None:
    server.drops("save counted @page {views: 0}", secret)
    for i in range(1, 20):
        server.drops("add 1 to counted @page views", secret)
        assert get(server, "/counted/page").json() == {"views": i}


def test_a_listing_follows_what_is_saved_beneath(server: Running, secret: str) -> None:
    server.drops("save shelf @a 1", secret)
    assert ">a<" in get(server, "/shelf/").text
    server.drops("save shelf/deep @b 1", secret)
    assert ">deep/<" in get(server, "/shelf/").text
    assert get(server, "/shelf").headers["location"] == "./shelf/"


def test_an_access_change_closes_a_page_that_was_kept(server: Running) -> None:
    pair = keys.generate()
    server.drops('save closing @index "open"', pair.secret)
    for _ in range(3):
        assert get(server, "/closing/").text == "open"
    server.drops(f"share closing with @{pair.public} mode shared", pair.secret)
    assert get(server, "/closing/").status_code == 401
    assert get(server, f"/closing/?_key={pair.secret}").headers["cache-control"] == "private, no-store"


def test_an_error_page_is_a_page(server: Running) -> None:
    answer = get(server, "/there/is/nothing<script>")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in answer.text.replace("&lt;script&gt;", "")


def test_odd_paths_and_parameters_are_never_a_server_error(server: Running, secret: str) -> None:
    server.drops('save odd @index "x"', secret)
    for path in (
        "/odd/%00",
        "/odd/%ff",
        "/odd/..%2f..%2fetc",
        "/odd/../odd/",
        "/%2e%2e/",
        "/odd/?at=yesterday",
        "/odd/?_key=nonsense",
        "/odd/?at=1&at=2",
        "/odd/" + "a/" * 200,
        "/" + "x" * 3000,
        "/odd/?" + "&".join(f"a{i}=1" for i in range(500)),
    ):
        status = int(raw(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")[0])
        assert status < 500, path


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A server whose folders have origins of their own."""
    monkeypatch.setenv("OCEAN_VIEW_URL", "http://view.example")
    monkeypatch.setenv("OCEAN_ORIGINS", "true")
    running = start(tmp_path / "data")
    yield running
    stop(running)


def test_each_site_has_its_origin_and_no_other_is_served(apart: Running, secret: str) -> None:
    theirs = keys.generate().secret
    assert apart.drops('save blog @_config theme: "blog"\nsave blog @"a.md" "# A"\nsave blog/sub @b title: "B"', secret).ok
    assert apart.drops('save shop @index "<h1>shop</h1>"\nsave shop @lamp pattern: "x"', theirs).ok
    assert apart.drops('save blog @_redirects "/old /a 301"', secret).ok

    def asked(host: str, path: str) -> requests.Response:
        answers = [get(apart, path, host=host) for _ in range(3)]  # made, kept, ready
        assert len({(one.status_code, one.text, one.headers.get("location")) for one in answers}) == 1
        return answers[-1]

    home = asked("blog.view.example", "/")
    assert home.status_code == 200
    assert 'href="/a"' in home.text
    assert 'rel="canonical" href="http://blog.view.example/"' in home.text
    assert "<h1>A</h1>" in asked("blog.view.example", "/a").text.replace(' id="a"', "")
    assert asked("blog.view.example", "/sub/b").status_code == 200
    assert asked("blog.view.example", "/old").headers["location"] == "/a"
    assert asked("shop.view.example", "/").text == "<h1>shop</h1>"
    assert asked("shop.view.example", "/a").status_code == 404
    assert asked("blog.view.example", "/shop/").status_code == 404  # another's site is not there
    away = get(apart, "/blog/a?x=1", host="view.example")
    assert (away.status_code, away.headers["location"]) == (308, "http://blog.view.example/a?x=1")
    for host in ("other.example", "view.example.evil", "a.b.view.example", "-x.view.example", "xview.example", ".view.example"):
        assert asked(host, "/").status_code == 421, host
    assert asked("none.view.example", "/").status_code == 404
    assert asked("localhost", "/blog/a").status_code == 200
    assert asked("view.example", "/ocean-sw.js").status_code == 200
    for host, status in (
        ("view.example", 403),
        ("blog.view.example", 200),
        ("localhost", 200),
    ):  # where others' sites are too, there are no workers
        for path in ("/ocean-sw.js", "/Own_1/worker.js" if host == "view.example" else "/ocean-sw.js"):
            assert get(apart, path, host=host, **{"service-worker": "script"}).status_code == status, (host, path)
    feed = asked("blog.view.example", "/feed.xml").text
    assert "<id>http://blog.view.example/a</id>" in feed
    assert apart.drops('save blog @"a.md" "# New"', secret).ok
    assert "New" in asked("blog.view.example", "/a").text
    told = requests.get(f"{apart.api}/sites", headers={"x-ocean-key": secret}, timeout=9)
    assert told.ok


def publish(server: Running, secret: str, route: str, files: dict[str, str]) -> None:
    manifest = {path: {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text.encode())} for path, text in files.items()}
    plan = server.post(f"/publish/{route}", {"files": manifest, "plan": True}, secret).json()
    for text in files.values():
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest in plan["upload"]:
            headers = {"x-ocean-key": secret, "content-type": "application/octet-stream"}
            assert requests.put(f"{server.api}/publish/{route}?sha256={digest}", data=text.encode(), headers=headers, timeout=9).ok
    assert server.post(f"/publish/{route}", {"files": manifest}, secret).ok


def test_a_page_and_its_parts_are_of_one_deploy(server: Running, secret: str) -> None:
    """A deploy that comes between a page and its style is not seen by that visit, by the next it is; a save is seen at once."""
    host = urlsplit(server.view).netloc

    def ask(path: str, dest: str, of: str = "", agent: str = "one", split: bool = False) -> bytes:
        referer = f"Referer: http://{host}{of}\r\n" if of else ""
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Dest: {dest}\r\nUser-Agent: {agent}\r\n{referer}\r\n"
        return raw(server, request, split=split)[2]

    for split in (False, True):
        route = f"visit{split:d}"
        publish(server, secret, route, {"index.html": "<p>1", "a.css": "b{order:1}", "gone.css": "b{order:3}"})
        for _ in range(2):  # the second time by the short way
            assert ask(f"/{route}/", "document", split=split) == b"<p>1"
            assert ask(f"/{route}/a.css", "style", f"/{route}/", split=split) == b"b{order:1}"
        took = WINDOW
        while took >= WINDOW:  # a busy machine: that was no visit of less than a second
            publish(server, secret, route, {"index.html": "<p>1", "a.css": "b{order:1}", "gone.css": "b{order:3}"})
            begun = time.monotonic()
            ask(f"/{route}/", "document", split=split)
            publish(server, secret, route, {"index.html": "<p>2", "a.css": "b{order:2}"})
            parts = [ask(f"/{route}/{name}", "style", f"/{route}/", split=split) for name in ("a.css", "gone.css")]
            took = time.monotonic() - begun
        assert parts == [b"b{order:1}", b"b{order:3}"]
        assert ask(f"/{route}/a.css", "style", f"/{route}/", "another", split=split) == b"b{order:2}"  # who has not seen the page
        assert ask(f"/{route}/a.css", "empty", f"/{route}/", split=split) == b"b{order:2}"  # a script that asks for what there is now
        assert ask(f"/{route}/", "document", split=split) == b"<p>2"
        assert ask(f"/{route}/a.css", "style", f"/{route}/", split=split) == b"b{order:2}"
        server.drops(f"save {route} @a.css 'b{{order:4}}'", secret)
        assert ask(f"/{route}/a.css", "style", f"/{route}/", split=split) == b"b{order:4}"


def test_a_visit_ends() -> None:
    visits = Visits()
    headers = {"sec-fetch-dest": "document", "host": "a.org", "user-agent": "x"}
    page = asked("/p/", headers)
    part = asked("/p/a.css", {**headers, "sec-fetch-dest": "style", "referer": "https://a.org/p/?q=1"})
    assert page is not None
    assert part is not None
    assert (page.is_part, part.is_part, part.of) == (False, True, "a.org/p/")
    visits.note("192.0.2.1", page, 7)
    assert visits.position("192.0.2.1", part) == 7
    assert visits.position("192.0.2.2", part) is None
    for number in range(MOST):
        visits.note("192.0.2.3", page._replace(address=f"a.org/{number}"), 8)
    assert visits.position("192.0.2.1", part) is None
    for odd in ({}, {**headers, "sec-fetch-dest": "empty"}, {**headers, "sec-fetch-dest": "style", "referer": "https://b.org/p/"}):
        assert asked("/p/a.css", odd) is None


def test_a_ticket_shows_a_private_page_once(server: Running, secret: str) -> None:
    """On an address that sites share there is no cookie: one page, once, and no key in its address."""
    own = keys.public_of(secret)
    server.drops(f'save {own} @note "<p>mine"\nsave {own} @other "<p>other"', secret)
    assert get(server, f"/{own}/note").status_code == 401
    assert server.post(f"/tickets/{own}", {"key": "note"}, keys.generate().secret).status_code in (401, 403)
    assert server.post(f"/tickets/{own}", {"key": "note"}).status_code == 401
    address = server.drops(f"ticket {own} @note", secret).json()["url"].removeprefix(server.view)
    shown = get(server, address)
    assert (shown.status_code, shown.text) == (200, "<p>mine")
    assert (shown.headers["cache-control"], shown.headers.get("set-cookie")) == ("private, no-store", None)
    assert get(server, address).status_code == 403
    address = server.drops(f"ticket {own} @note", secret).json()["url"].removeprefix(server.view)
    assert get(server, address.replace("/note", "/other")).status_code == 403  # and that was its one use
    assert get(server, address).status_code == 403
    for odd in ("", "x" * 2000, "%00", "a b"):
        assert get(server, f"/{own}/note?_ticket={odd}").status_code == 403
    home = server.drops(f"ticket {own}", secret).json()["url"].removeprefix(server.view)
    assert get(server, home).status_code in (200, 404)


def test_a_ticket_on_an_origin_of_a_sites_own_lets_in_once_and_begins_nothing(apart: Running, secret: str) -> None:
    """A session there would lend what its holder may read to every other writer of that origin."""
    assert apart.drops('save closed @index "<p>closed"\nshare closed with @x mode shared', secret).ok
    host = "closed.view.example"
    assert get(apart, "/", host=host).status_code in (401, 403)
    address = apart.drops("ticket closed", secret).json()["url"]
    assert address.startswith(f"http://{host}/?_ticket=")
    path = address.removeprefix(f"http://{host}")
    looked = requests.head(apart.view + path, headers={"host": host}, timeout=9)
    assert (looked.status_code, looked.text) == (200, "")
    shown = get(apart, path, host=host)
    assert (shown.status_code, shown.text, shown.headers.get("set-cookie")) == (200, "<p>closed", None)
    assert get(apart, path, host=host).status_code == 403
    assert get(apart, "/", host=host, cookie="ocean_session=\x80").status_code in (401, 403)


def test_an_address_that_is_nothing_is_not_kept(server: Running, secret: str) -> None:
    """There is no end of them. Nor is one with a NUL asked of the store."""
    server.drops('save themed @_config theme: "blog"\nsave themed @a "<p>a"', secret)
    for _ in range(3):
        for path in ("/themed/nope", "/themed/%00", "/themed/a%00b/c", "/%00"):
            assert get(server, path).status_code == 404
    server.drops('save themed @nope "<p>now"', secret)
    assert get(server, "/themed/nope").text == "<p>now"


def test_what_is_counted_is_told_where_the_server_is_known_by_its_address(apart: Running) -> None:
    assert get(apart, "/metrics", host="127.0.0.1").status_code == 200
    assert get(apart, "/metrics", host="view.example").status_code == 308  # to the site of that name
    assert get(apart, "/health", host="view.example").status_code == 200
    hosts = Hosts(settings.load({"OCEAN_VIEW_URL": "http://view.example"}), cast(Any, None))
    for peer, told in (("127.0.0.1", True), ("10.0.0.7", True), ("::1", True), ("9.9.9.9", False), ("2001:4860::1", False), ("", False)):
        assert hosts.tells("127.0.0.1", "/metrics", peer) is told
