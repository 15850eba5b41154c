"""Certificate authorities that are away, slow, rude, or talk nonsense; orders that a process died in; the other challenge; an account that
is known already. What there was before stays, and what went wrong is said."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import certs, keys
from ocean.core.domains import Ours, Seen
from ocean.egress.dns import Dns
from ocean.services.data import records
from ocean.services.pages import domains
from ocean.services.pages.issuing import Issuing
from ocean.store import certificates
from ocean.store.reader import now
from ocean.store.schema import migrate
from tests.conftest import free_ports
from tests.domains.peers import VIEW, _self_signed
from tests.domains.served import Place, place, site

ALIAS = f"CNAME {VIEW}"


def state(there: Place, name: str) -> tuple[str, int, int | None]:
    """`(error, attempts, due_at)`."""
    found = there.database("SELECT error, attempts, due_at FROM certificate WHERE name = ?", name)
    return (str(found[0][0]), int(found[0][1]), found[0][2]) if found else ("", 0, None)


def again(there: Place, name: str) -> None:
    there.database("UPDATE certificate SET due_at = 1 WHERE name = ?", name)


def until(there: Place, name: str, wanted: Any, seconds: float = 40) -> tuple[str, int, int | None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = state(there, name)
        if wanted(found):
            return found
        time.sleep(0.2)  # the store of another process: it tells nobody
    raise AssertionError(state(there, name))


def test_an_authority_that_does_not_reach_port_80_is_answered_by_tls(tmp_path: Path) -> None:
    """Challenge refused: said in words; the next attempt goes the other way, and disturbs no visitor."""
    (nobody,) = free_ports(1)
    with place(tmp_path, http_port=nobody) as there:
        there.names.set("alpn.test", ALIAS)
        secret = site(there, "alpn.test", "by TLS")
        error, attempts, due = until(there, "alpn.test", lambda s: s[0])
        assert "did not find our answer (http-01)" in error
        assert attempts == 1
        assert due is not None
        assert 40_000 < due - now() < 61_000
        told = there.domain("alpn.test", secret)
        assert (told["certificate"]["state"], told["certificate"]["error"]) == ("waiting", error)
        assert there.plain("alpn.test")[2] == b"by TLS"  # meanwhile in the clear
        again(there, "alpn.test")
        there.certified("alpn.test", secret)
        assert there.ask("alpn.test")[2] == b"by TLS"
        assert state(there, "alpn.test")[:2] == ("", 0)


def test_an_order_that_a_process_died_in_is_gone_on_with(tmp_path: Path) -> None:
    with place(tmp_path, pebble={"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "4"}) as there:
        there.names.set("killed.test", ALIAS)
        secret = site(there, "killed.test", "alive")
        end = time.monotonic() + 30
        while not there.database("SELECT 1 FROM challenge WHERE name = 'killed.test'"):
            assert time.monotonic() < end
            time.sleep(0.05)  # the store of another process: it tells nobody
        os.kill(there.process("view"), signal.SIGKILL)
        there.database("UPDATE lease SET until = 0 WHERE name = 'certificates'")  # it ends by itself, in half a minute
        again(there, "killed.test")
        there.wait("killed.test", secret, lambda d: d.get("certificate", {}).get("state") == "valid", 60)
        assert there.ask("killed.test")[2] == b"alive"
        log = (tmp_path / "pebble.log").read_text()
        assert log.count("Added order") == log.count("set INVALID by invalid authz") + 2  # the view host's own, and this one: none is left


def test_an_order_that_was_finished_when_nobody_was_there_is_fetched_and_not_made_again(tmp_path: Path) -> None:
    with place(tmp_path) as there:
        there.names.set("fetched.test", ALIAS)
        secret = site(there, "fetched.test", "fetched")
        there.certified("fetched.test", secret)
        serial = there.ask("fetched.test")[3].serial_number
        log = (tmp_path / "pebble.log").read_text()
        order = re.findall(r"Issued certificate serial \w+ for order (\S+)", log)[-1]
        there.database(
            "UPDATE certificate SET order_url = ?, order_secret = secret, chain = '', secret = '' WHERE name = 'fetched.test'",
            f"{there.authority.directory.removesuffix('/dir')}/my-order/{order}",
        )
        there.certified("fetched.test", secret)
        assert there.ask("fetched.test")[3].serial_number == serial
        assert (tmp_path / "pebble.log").read_text().count("Issued certificate") == log.count("Issued certificate")


def test_an_authority_that_wants_to_know_us_and_one_that_forgot_us(tmp_path: Path) -> None:
    """External account binding; and an account that is made again where the authority knows it no more."""
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    known = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": key}}
    with place(tmp_path, {"OCEAN_ACME_EAB": f"kid-1:{key}", "OCEAN_ACME_CONTACT": "mailto:ops@ocean.test"}, **known) as there:
        there.names.set("bound.test", ALIAS)
        secret = site(there, "bound.test", "bound")
        first = there.certified("bound.test", secret)
        there.authority.stop()
        there.authority.start()  # with nothing that it knew
        there.names.set("later.test", ALIAS)
        site(there, "later.test", "later", secret)
        until(there, "later.test", lambda s: s[0])
        again(there, "later.test")
        there.certified("later.test", secret)
        assert there.domain("bound.test", secret)["certificate"]["until"] == first["certificate"]["until"]


def test_an_authority_that_is_away_leaves_the_old_certificate(tmp_path: Path) -> None:
    with place(tmp_path) as there:
        there.names.set("old.test", ALIAS)
        secret = site(there, "old.test", "old")
        there.certified("old.test", secret)
        roots = there.authority.roots()
        there.authority.roots = lambda: roots  # type: ignore[method-assign]
        leaf = there.ask("old.test")[3]
        there.authority.stop()
        there.database("UPDATE certificate SET renew_at = 1 WHERE name = 'old.test'")
        error, _, _ = until(there, "old.test", lambda s: s[0])
        assert error.startswith("The certificate authority can't be reached: It could not be reached")
        told = there.domain("old.test", secret)["certificate"]
        assert (told["state"], told["error"]) == ("valid", error)
        assert there.ask("old.test")[3] == leaf
        there.names.stop()  # nor does DNS answer: a live domain stays so
        there.database("UPDATE domain SET due_at = 1")
        end = time.monotonic() + 30
        while "DNS did not answer" not in there.domain("old.test", secret).get("error", ""):
            assert time.monotonic() < end
            time.sleep(0.2)  # the store of another process: it tells nobody
        assert there.ask("old.test")[2] == b"old"


def test_a_proxy_that_ends_tls_and_a_certificate_of_the_operators(tmp_path: Path) -> None:
    with place(tmp_path / "off", {"OCEAN_TLS": "off"}) as there:
        there.names.set("proxied.test", ALIAS)
        secret = site(there, "proxied.test", "by a proxy")
        told = there.domain("proxied.test", secret)
        assert (told["state"], told["certificate"]) == ("live", {"state": "off"})
        assert there.plain("proxied.test")[2] == b"by a proxy"
        assert there.database("SELECT count(*) FROM certificate") == [(0,)]
    wildcard = tmp_path / "wildcard.pem"
    chain, key = certs.challenge_certificate(f"*.{VIEW}", "", certs.moment(now()))
    wildcard.write_text(chain + key)
    with place(tmp_path / "own", {"OCEAN_TLS_CERTIFICATE": str(wildcard), "OCEAN_ORIGINS": "true"}) as there:
        secret = keys.generate().secret
        there.running.drops('save tenant @index "a tenant\'s"', secret)
        there.authority.roots = lambda: chain  # type: ignore[method-assign]
        with pytest.raises(ssl.SSLCertVerificationError):  # it is nobody's authority; what matters is whose it is
            there.ask(f"tenant.{VIEW}")
        shown = _shown(there, f"tenant.{VIEW}")
        assert certs.names_of(shown) == (f"*.{VIEW}",)
        assert there.plain(f"tenant.{VIEW}")[1]["location"] == f"https://tenant.{VIEW}:{there.tls}/"


def _shown(there: Place, name: str) -> str:
    import socket

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", there.tls), 9) as plain, context.wrap_socket(plain, server_hostname=name) as secure:
        return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True) or b"")


class Rude:
    """A server that is no certificate authority, whatever it is asked: `says` answers."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: Any = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        found: web.StreamResponse = await self.says(self, request)
        return found


@asynccontextmanager
async def rude(folder: Path) -> AsyncIterator[tuple[Rude, str, Path]]:
    _self_signed(folder / "rude.pem", folder / "rude.key", folder / "rude-ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "rude.pem", folder / "rude.key")
    server = Rude()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    (port,) = free_ports(1)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield server, f"https://127.0.0.1:{port}", folder / "rude-ca.pem"
    finally:
        await runner.cleanup()


class Said(Dns):
    """What DNS says, as a test has it."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, Seen] = {}

    async def look(self, name: str) -> Seen:
        return self.of.get(name, Seen())

    async def ours(self, host: str) -> Ours:
        return Ours(host, frozenset({"192.0.2.1"}))


HERE = Seen((VIEW,), frozenset({"192.0.2.1"}))


@pytest.fixture
async def held(tmp_path: Path, store: str) -> AsyncIterator[tuple[Ocean, Said]]:
    values = settings.load(
        {"OCEAN_DATA": str(tmp_path), "OCEAN_STORE": store or None, "OCEAN_VIEW_URL": f"https://{VIEW}", "OCEAN_TLS": "127.0.0.1:1",
         "OCEAN_EGRESS_ALLOW": "127.0.0.0/8"}
    )  # fmt: skip
    if not store:
        await migrate(settings.store_url(values))
    ocean = await Ocean.open(values)
    said = Said()
    ocean.dns = said
    yield ocean, said
    await ocean.close()


async def attempt(ocean: Ocean, name: str) -> certificates.Certificate:
    """One attempt for a live domain."""
    issuing = Issuing(ocean)
    await ocean.engine.rows("SELECT 1")
    await issuing.step()
    await asyncio.gather(*issuing._orders.values())
    await issuing.close()
    found = await certificates.certificate(ocean.engine, name)
    assert found is not None
    return found


async def _json(server: Rude, request: web.Request, body: Any, status: int = 200, **headers: str) -> web.Response:
    named = {"replay-nonce": f"n{server.asked}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return web.Response(text=json.dumps(body), status=status, content_type="application/json", headers=named)


def _directory(request: web.Request) -> dict[str, str]:
    base = f"https://{request.host}"
    return {name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")}


async def _nonsense(server: Rude, request: web.Request) -> web.StreamResponse:
    return web.Response(text="<h1>It works!</h1>", content_type="text/html")


async def _other_json(server: Rude, request: web.Request) -> web.StreamResponse:
    return await _json(server, request, [1, {"a": None}])


async def _breaks(server: Rude, request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="oh")


async def _limits(server: Rude, request: web.Request) -> web.StreamResponse:
    if request.path.endswith("dir"):
        return await _json(server, request, _directory(request))
    if request.path.endswith("newNonce"):
        return await _json(server, request, {})
    body = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many\nnew orders <b>recently</b>"}
    return await _json(server, request, body, 429, retry_after="7200")


async def _inside(server: Rude, request: web.Request) -> web.StreamResponse:
    """Names addresses that nothing is sent to."""
    return await _json(server, request, {**_directory(request), "newNonce": "http://169.254.169.254/", "newAccount": "file:///etc/passwd"})


async def _half(server: Rude, request: web.Request) -> web.StreamResponse:
    """An account, and orders that lack what an order has."""
    if request.path.endswith("dir"):
        return await _json(server, request, _directory(request))
    if request.path.endswith("newAccount"):
        return await _json(server, request, {"status": "valid"}, 201, location=f"https://{request.host}/account/1")
    return await _json(server, request, {"status": "pending", "authorizations": 7}, location=f"https://{request.host}/order/1")


@pytest.mark.parametrize(
    ("says", "error", "least"),
    [
        (_nonsense, "answered what is not ACME", 59), (_other_json, "answered what is not ACME", 59), (_breaks, "answered 500", 59),
        (_limits, "refused: too many new orders <b>recently</b>", 7100), (_inside, "can't be reached", 59), (_half, "what is not ACME", 59),
    ],
)  # fmt: skip
async def test_what_is_no_authority_is_said_and_backed_off_from(
    held: tuple[Ocean, Said], tmp_path: Path, says: Any, error: str, least: int
) -> None:
    ocean, said = held
    alice = Caller(keys.generate().public)
    async with rude(tmp_path) as (server, base, ca):
        server.says = says
        ocean.settings = {**ocean.settings, "OCEAN_ACME_DIRECTORY": f"{base}/dir", "OCEAN_ACME_CA": str(ca)}
        await records.save(ocean, alice, route="rude", key="index", payload="x")
        said.of["rude.test"] = HERE
        assert (await domains.add(ocean, alice, domain="rude.test", route="rude"))["state"] == "live"
        found = await attempt(ocean, "rude.test")
        assert error in found.error
        assert (found.due_at or 0) - now() > least * 1000
        asked = server.asked
        assert (await attempt(ocean, "rude.test")).error == found.error  # it is not asked again before its time
        assert server.asked == asked


async def test_claims_that_take_what_is_not_theirs(held: tuple[Ocean, Said]) -> None:
    """Dangling names, parents and children, names that others wait for, and two at once."""
    ocean, said = held
    alice, bob = (Caller(keys.generate().public) for _ in range(2))
    for who, route in ((alice, "a"), (bob, "b")):
        await records.save(ocean, who, route=route, key="index", payload="x")

    async def add(who: Caller, name: str) -> dict[str, Any]:
        return await domains.add(ocean, who, domain=name, route="a" if who is alice else "b")

    said.of = dict.fromkeys(("left.test", "top.test", "sub.top.test", "race.test", "wanted.test"), HERE)
    assert (await add(alice, "left.test"))["state"] == "live"
    await domains.remove(ocean, alice, domain="left.test")  # and DNS still leads here
    taken = await add(bob, "left.test")
    assert (taken["state"], [r["type"] for r in taken["dns"]]) == ("waiting", ["CNAME", "TXT"])
    assert (await add(alice, "left.test"))["state"] == "waiting"  # somebody else waits for it: now both have to prove it
    await domains.remove(ocean, bob, domain="left.test")
    assert (await domains.check(ocean, alice, domain="left.test"))["state"] == "live"
    assert (await add(alice, "top.test"))["state"] == "live"
    assert (await add(bob, "sub.top.test"))["state"] == "waiting"
    assert (await add(alice, "sub.top.test"))["state"] == "waiting"
    results = await asyncio.gather(add(alice, "race.test"), add(bob, "race.test"), return_exceptions=True)
    assert sum(isinstance(one, dict) and one["state"] == "live" for one in results) <= 1
    token = next(r["value"] for r in (await add(bob, "sub.top.test"))["dns"] if r["type"] == "TXT")
    said.of["sub.top.test"] = HERE._replace(texts=frozenset({token}))
    assert (await domains.check(ocean, bob, domain="SUB.top.test."))["state"] == "live"
    mine = {one["domain"]: one["state"] for one in (await domains.list_(ocean, alice))["domains"]}
    assert (mine["left.test"], mine["top.test"], mine["sub.top.test"]) == ("live", "live", "waiting")


async def test_a_domain_that_leads_elsewhere_is_let_go_after_days(held: tuple[Ocean, Said]) -> None:
    ocean, said = held
    alice = Caller(keys.generate().public)
    await records.save(ocean, alice, route="a", key="index", payload="x")
    said.of["gone.test"] = HERE
    await domains.add(ocean, alice, domain="gone.test", route="a")
    said.of["gone.test"] = Seen((), frozenset({"203.0.113.5"}))
    issuing = Issuing(ocean)
    for days, state_ in ((0, "live"), (2, "live"), (4, "waiting")):
        long_ago = now() - days * 86_400_000
        await ocean.log.put("UPDATE domain SET due_at = 1, failing_at = failing_at * 0 + CAST(? AS BIGINT)", [(long_ago,)])
        ocean.settings = {**ocean.settings, "OCEAN_TLS": "off"}
        await issuing.step()
        (found,) = (await domains.list_(ocean, alice))["domains"]
        assert (found["state"], "203.0.113.5" in found["error"]) == (state_, True)
    for _ in range(80):
        await ocean.log.put("UPDATE domain SET due_at = 1", [()])
        await issuing.step()
    assert (await domains.list_(ocean, alice))["count"] == 0
    await issuing.close()
