"""Domains on a real server: certified by pebble over real DNS, opened in a browser, renewed, and refused to others."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import ssl
import string
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

from ocean.core import keys
from tests.browser.test_browser import FLAGS
from tests.domains.peers import VIEW
from tests.domains.served import Place, place, site

ALIAS = f"CNAME {VIEW}"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("domains")) as found:
        yield found


def test_a_domain_is_served_by_https_a_moment_after_its_dns_is_set(there: Place) -> None:
    secret = keys.generate().secret
    assert there.running.drops('save cool @index "<h1>Cool</h1>"\nsave cool @style.css "b{}"', secret).ok
    told = there.running.post("/domains", {"domain": "MyCoolSite.test.", "route": "cool"}, secret)
    assert told.status_code == 201
    answer = told.json()
    assert (answer["domain"], answer["state"], answer["url"]) == ("mycoolsite.test", "waiting", f"https://mycoolsite.test:{there.tls}/")
    assert answer["dns"] == [{"type": "CNAME", "name": "mycoolsite.test", "value": VIEW, "there": False}]
    assert [one["type"] for one in answer["or_dns"]] == ["A", "TXT"]  # where it can have no alias
    assert "does not lead anywhere yet" in answer["error"]
    assert there.plain("mycoolsite.test")[0] == 421
    there.names.set("mycoolsite.test", ALIAS)
    assert there.running.drops("domain check mycoolsite.test", secret).json()["state"] == "live"
    there.certified("mycoolsite.test", secret)
    status, headers, body, leaf = there.ask("mycoolsite.test")
    assert (status, body) == (200, b"<h1>Cool</h1>")
    assert headers["strict-transport-security"] == "max-age=600"
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == [
        "mycoolsite.test"
    ]
    assert there.ask("mycoolsite.test", "/style.css")[1]["content-type"] == "text/css; charset=utf-8"
    status, headers, _ = there.plain(f"mycoolsite.test:{there.http}", "/style.css?a=1")
    assert (status, headers["location"]) == (308, f"https://mycoolsite.test:{there.tls}/style.css?a=1")
    for _ in range(3):  # the long way, kept, ready
        there.running.drops('save cool @index "<h1>Cooler</h1>"', secret)
        assert there.ask("mycoolsite.test")[2] == b"<h1>Cooler</h1>"
    assert there.running.drops("domain remove mycoolsite.test", secret).json() == {"deleted": True, "domain": "mycoolsite.test"}
    assert there.plain("mycoolsite.test")[0] == 421
    with pytest.raises(ssl.SSLError):
        there.ask("mycoolsite.test", patience=0)
    assert there.database("SELECT chain, secret FROM certificate WHERE name = 'mycoolsite.test'") == [("", "")]


def test_a_browser_opens_it_and_follows_its_links(there: Place) -> None:
    there.names.set("open.test", ALIAS)
    secret = site(there, "open.test", "<h1>Open</h1><a href='about'>About</a>")
    there.running.drops('save open-test @about "<h1>About</h1>"', secret)
    there.certified("open.test", secret)
    root = x509.load_pem_x509_certificates(there.authority.roots().encode())
    pins = [base64.b64encode(hashlib.sha256(_spki(one)).digest()).decode() for one in root]
    rules = f"MAP open.test:80 127.0.0.1:{there.http}, MAP *.test 127.0.0.1"
    flags = [*FLAGS, f"--host-resolver-rules={rules}", f"--ignore-certificate-errors-spki-list={','.join(pins)}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page()
        page.goto("http://open.test/")  # in the clear, as people type it
        assert page.url == f"https://open.test:{there.tls}/"
        assert page.inner_text("h1") == "Open"
        page.click("a")
        page.wait_for_url(f"https://open.test:{there.tls}/about")
        assert page.inner_text("h1") == "About"
        assert page.evaluate("window.isSecureContext")
        browser.close()


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_it_renews_and_survives_a_restart(there: Place) -> None:
    there.names.set("lasting.test", ALIAS)
    secret = site(there, "lasting.test", "still here")
    there.certified("lasting.test", secret)
    first = there.ask("lasting.test")[3]
    there.restart()
    assert there.ask("lasting.test")[3] == first
    there.database("UPDATE certificate SET renew_at = 1, due_at = NULL, ask_at = NULL WHERE name = 'lasting.test'")
    there.wait("lasting.test", secret, lambda d: d["certificate"]["renews_at"] > "2000")
    end = time.monotonic() + 5
    while True:  # it is in the store, and a blink away from the listener's memory
        status, _, body, second = there.ask("lasting.test")
        assert (status, body) == (200, b"still here")
        if second != first or time.monotonic() > end:
            break
    assert second.serial_number != first.serial_number
    assert second.public_key() != first.public_key()


def test_a_second_account_is_refused_until_dns_says_it_is_theirs(there: Place) -> None:
    there.names.set("sold.test", ALIAS)
    seller = site(there, "sold.test", "the seller's")
    there.certified("sold.test", seller)
    buyer = keys.generate().secret
    there.running.drops('save bought @index "the buyer\'s"', buyer)
    for spelling in ("sold.test", "SOLD.test", "sold.test.", "Sold.TEST.", "sold.test\u3002", "sold\uff0etest\uff61"):
        refused = there.running.post("/domains", {"domain": spelling, "route": "bought"}, buyer)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "CONFLICT")
    (proof,) = [one for one in refused.json()["error"]["dns"] if one["type"] == "TXT"]
    assert there.running.drops("domains", buyer).json()["count"] == 0
    assert there.ask("sold.test")[2] == b"the seller's"
    there.names.set(proof["name"], f"TXT {proof['value']}")
    assert there.running.drops("domain add sold.test to bought", buyer).json()["state"] == "live"
    there.certified("sold.test", buyer)
    assert there.ask("sold.test")[2] == b"the buyer's"
    assert there.running.drops("domains", seller).json()["count"] == 0


def test_www_and_without_are_one_site(there: Place) -> None:
    for name in ("pair.test", "www.pair.test"):
        there.names.set(name, ALIAS)
    secret = site(there, "pair.test", "both")
    assert there.running.drops("domain add www.pair.test to pair-test", secret).json()["state"] == "live"
    there.certified("pair.test", secret)
    there.certified("www.pair.test", secret)
    status, headers, _, _ = there.ask("www.pair.test", "/a?b=c")
    assert (status, headers["location"]) == (308, f"https://pair.test:{there.tls}/a?b=c")
    assert there.ask("pair.test")[2] == b"both"


def test_ten_thousand_names_of_nobody(there: Place) -> None:
    """No order, no look at DNS that is kept, no memory."""
    view = there.process("view")

    def memory() -> int:
        return int(Path(f"/proc/{view}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024

    before = there.database("SELECT count(*), sum(attempts) FROM certificate")
    drawn = random.Random(5)

    def name() -> str:
        return "".join(drawn.choices(string.ascii_lowercase, k=12)) + ".test"

    def refuse(count: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(count // 2):
            with socket.create_connection(("127.0.0.1", there.tls), 10) as plain, pytest.raises(ssl.SSLEOFError):
                context.wrap_socket(plain, server_hostname=name())
        with socket.create_connection(("127.0.0.1", there.http), 10) as plain, plain.makefile("rb") as read:
            for _ in range(count // 2):
                plain.sendall(f"GET / HTTP/1.1\r\nHost: {name()}\r\n\r\n".encode())
                assert b" 421 " in read.readline()
                length = 0
                while (line := read.readline()) != b"\r\n":
                    length = int(line.split(b":")[1]) if line.lower().startswith(b"content-length") else length
                read.read(length)

    refuse(5000)
    held = memory()
    refuse(5000)
    assert memory() - held < 32  # a few hundred bytes a name would be 5 MB
    assert there.database("SELECT count(*), sum(attempts) FROM certificate") == before


def test_a_connection_is_for_the_name_that_it_was_opened_for(there: Place) -> None:
    for name in ("one.test", "two.test"):
        there.names.set(name, ALIAS)
    secret = site(there, "one.test", "one")
    site(there, "two.test", "two", secret)
    there.certified("one.test", secret)
    there.certified("two.test", secret)
    for host in ("two.test", VIEW, "127.0.0.1", "localhost"):
        assert there.ask("one.test", host=host)[0] == 421
    assert there.ask("one.test", host="ONE.test.")[0] == 200
    for name in ("127.0.0.1", "localhost"):
        with pytest.raises(ssl.SSLError):
            there.ask(name, patience=0)


def test_this_servers_own_names_and_other_peoples_folders_are_nobodys_to_add(there: Place) -> None:
    secret, other = keys.generate().secret, keys.generate().secret
    there.running.drops('save mine @index "mine"\nshare mine with @x', secret)
    for name in (VIEW, f"x.{VIEW}", VIEW.upper(), f"{VIEW}\u3002", f"x.{VIEW}\uff0e"):
        assert there.running.post("/domains", {"domain": name, "route": "mine"}, secret).json()["error"]["code"] == "INVALID_VALUE"
    assert there.running.post("/domains", {"domain": "x.test", "route": "mine"}, other).status_code == 403
    assert there.running.post("/domains", {"domain": "x.test", "route": "mine"}).status_code == 401
    nobodys = there.running.post("/domains", {"domain": "x.test", "route": "nobody/has/it"}, secret).json()["error"]
    assert (nobodys["code"], nobodys["message"]) == ("NOT_FOUND", "There is nothing in 'nobody/has/it' yet, so it is nobody's.")
    assert there.running.post("/domains", {"domain": "x.test", "route": "a//b"}, secret).json()["error"]["code"] == "INVALID_ROUTE"
    for path in ("/domains/not-mine.test", "/domains/a_b"):
        assert requests.delete(there.running.api + path, headers={"x-ocean-key": secret}, timeout=9).status_code in (400, 404)


def test_the_view_hosts_own_name_has_a_certificate_too(there: Place) -> None:
    secret = keys.generate().secret
    there.running.drops('save own @index "own"', secret)
    assert there.ask(VIEW, "/own/")[2] == b"own"
    assert there.plain(f"{VIEW}:{there.http}", "/own/")[1]["location"] == f"https://{VIEW}:{there.tls}/own/"
    assert there.plain("127.0.0.1", "/own/")[2] == b"own"  # from this machine, in the clear


def test_a_domain_that_moves_leaves_nothing_of_what_was_kept(there: Place) -> None:
    """Pages are kept by folder and path: `a` + `/b/c` is not `a/b` + `/c`; and what was removed beside it hides no change."""
    there.names.set("moving.test", ALIAS)
    secret = keys.generate().secret
    there.running.drops('save nest @"sub/two" "<p>outer"\nsave nest/sub @two "<p>inner"\nsave nest @index "<p>home"', secret)
    there.running.drops("domain add moving.test to nest", secret)
    there.certified("moving.test", secret)
    for number in range(4):
        there.running.drops(f"domain add nothing{number}.test to nest", secret)
    for _ in range(3):
        assert there.ask("moving.test")[2] == b"<p>home"
        assert there.ask("moving.test", "/sub/two")[0] == 200
    for number in range(4):
        there.running.drops(f"domain remove nothing{number}.test", secret)
    there.running.drops("domain add moving.test to nest/sub", secret)
    for _ in range(3):
        assert there.ask("moving.test", "/two")[2] == b"<p>inner"
        assert there.ask("moving.test", "/sub/two")[0] == 404
    assert "/nest/" not in there.ask("moving.test", "/nope")[2].decode()
    there.running.drops('save nest/sub @_redirects "/old /two 302"', secret)
    assert there.ask("moving.test", "/old")[1]["location"] == "/two"


def test_a_folder_that_is_anothers_by_now_is_served_no_more(there: Place) -> None:
    there.names.set("sublet.test", ALIAS)
    secret, other = keys.generate().secret, keys.generate().secret
    there.running.drops('save sublet @index "<p>mine"', secret)
    there.running.drops("domain add sublet.test to sublet", secret)
    there.certified("sublet.test", secret)
    for _ in range(3):
        assert there.ask("sublet.test")[2] == b"<p>mine"
    there.running.drops("revoke sublet", secret)
    there.running.drops('save sublet @other "<p>another\'s"', other)
    for path in ("/", "/other"):
        assert there.ask("sublet.test", path)[0] == 404


def test_what_the_server_counts_is_told_on_no_site(there: Place) -> None:
    there.names.set("quiet.test", ALIAS)
    secret = site(there, "quiet.test", "quiet")
    there.certified("quiet.test", secret)
    assert there.ask("quiet.test", "/metrics")[0] == 404
    assert there.ask("quiet.test", "/metrics", host="127.0.0.1")[0] == 421
    there.running.drops('save quiet-test @health "<p>how I am"', secret)
    assert there.ask("quiet.test", "/health")[2] == b"<p>how I am"
    assert there.ask(VIEW, "/metrics")[0] == 404
    assert there.plain("127.0.0.1", "/metrics")[0] == 200


def test_what_is_said_of_https_alone_is_said_in_every_way(there: Place) -> None:
    """A page that was kept before is no other by TLS; in the clear nothing is said (RFC 6797, 7.2)."""
    there.names.set("strict.test", ALIAS)
    secret = site(there, "strict.test", "strict")
    while there.plain("strict.test")[0] != 308:  # kept in the clear, until there is a certificate
        pass
    there.certified("strict.test", secret)
    assert there.ask(VIEW, "/health")[1]["strict-transport-security"] == "max-age=600"
    for path in ("/", "/", "/", "/nope"):
        assert there.ask("strict.test", path)[1]["strict-transport-security"] == "max-age=600"
    assert "strict-transport-security" not in there.plain("strict.test")[1]


def test_handshakes_of_one_are_no_burden_to_others(there: Place) -> None:
    """Silent connections have few places of one address, and end soon."""
    held = []
    try:
        for _ in range(40):
            plain = socket.socket()
            plain.bind(("127.0.0.9", 0))
            plain.settimeout(5)
            plain.connect(("127.0.0.1", there.tls))
            held.append(plain)
        assert held[-1].recv(1) == b""  # over the 32 of one address
        assert there.ask(VIEW, "/")[0] in (200, 404)
    finally:
        for plain in held:
            plain.close()


def test_whoever_is_told_of_a_site_is_told_its_domain(there: Place) -> None:
    """A publish, a ticket, a preview: as soon as there is something to show at the domain, and no longer than it is there."""
    there.names.set("told.test", ALIAS)
    secret = keys.generate().secret
    there.running.drops('save told/site @index "<p>told"', secret)
    before = there.running.drops("ticket told/site", secret).json()["url"]
    assert before.startswith(f"https://{VIEW}:{there.tls}/told/site/?_ticket=")
    there.running.drops("domain add told.test to told/site", secret)
    there.certified("told.test", secret)
    address = there.running.drops("ticket told/site @index", secret).json()["url"]
    assert address.startswith(f"https://told.test:{there.tls}/?_ticket=")
    assert there.ask("told.test", address.removeprefix(f"https://told.test:{there.tls}"))[2] == b"<p>told"
    there.running.drops("domain remove told.test", secret)
    assert there.running.drops("ticket told/site", secret).json()["url"].startswith(f"https://{VIEW}:{there.tls}/told/site/")
