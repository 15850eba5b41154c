"""Certificate authorities that are away, slow, rude, or talk nonsense; orders that a process died in; the other challenge; an account that
is known already. What there was before stays, and what went wrong is said."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import certs, keys
from ocean.core.domains import Seen
from ocean.egress.dns import Dns
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.pages import domains
from ocean.services.pages.hosting import Hosting
from ocean.services.pages.issuing import MOST_FOR_ONE, Issuing
from ocean.store import certificates
from ocean.store.certificates import Certificate
from ocean.store.reader import now
from ocean.store.schema import migrate
from tests.conftest import free_ports, stop
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
            "UPDATE certificate SET order_url = ?, order_secret = secret, chain = '', secret = '', due_at = NULL "
            "WHERE name = 'fetched.test'",
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
        there.database("UPDATE certificate SET renew_at = 1, due_at = NULL, ask_at = NULL WHERE name = 'old.test'")
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
    """What DNS says, as a test has it; `meanwhile` happens while it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, Seen] = {VIEW: Seen((), frozenset({"192.0.2.1"}))}
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None

    async def look(self, name: str) -> Seen:
        if self.meanwhile is not None and name != VIEW:
            then, self.meanwhile = self.meanwhile, None
            await then()
        return self.of.get(name, Seen())


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
    await issuing.step()
    await issuing.idle()
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

    said.of |= dict.fromkeys(("left.test", "top.test", "sub.top.test", "race.test", "wanted.test"), HERE)
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
    states = sorted(one["state"] if isinstance(one, dict) else str(one) for one in results)
    assert states in (["live", "waiting"], ["The domain race.test is another key's.", "live"], ["waiting", "waiting"])
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
        await issuing.idle()
        (found,) = (await domains.list_(ocean, alice))["domains"]
        assert (found["state"], "203.0.113.5" in found["error"]) == (state_, True)
    for _ in range(80):
        await ocean.log.put("UPDATE domain SET due_at = 1", [()])
        await issuing.step()
        await issuing.idle()
    assert (await domains.list_(ocean, alice))["count"] == 0
    await issuing.close()


async def taken(ocean: Ocean, said: Said, who: Caller, name: str, route: str = "a") -> dict[str, Any]:
    """A domain that is live."""
    said.of[name] = HERE
    await records.save(ocean, who, route=route, key="index", payload="x")
    told = await domains.add(ocean, who, domain=name, route=route)
    assert told["state"] == "live"
    return told


async def certified(ocean: Ocean, name: str, key: str | None = None) -> str:
    """Gives a name a certificate, as an order would; its key, wrapped."""
    chain, made = certs.challenge_certificate(name, "", certs.moment(now()))
    wrapped = key or ocean.master.wrap(made, f"certificate {name}")
    await ocean.log.put("UPDATE lease SET until = 0", [()])
    lease = await Issuing(ocean)._tenure.hold()
    assert lease is not None
    row = Certificate(name, order_secret=wrapped, directory=ocean.settings["OCEAN_ACME_DIRECTORY"])
    kept: list[str] = []
    await ocean.log.transact(certificates.begun(row, "", 1, 1, lease))
    later = now() + 9e8
    await ocean.log.transact(certificates.issued(row, chain, (1, int(later), int(later)), now(), lease, kept))
    await ocean.log.put("UPDATE certificate SET ask_at = ?", [(int(later),)])
    assert kept == [name]
    await ocean.log.put("UPDATE lease SET until = 0", [()])
    await ocean.log.put("UPDATE certificate SET due_at = NULL", [()])
    return wrapped


async def test_memory_sees_every_change_though_claims_come_and_go(held: tuple[Ocean, Said]) -> None:
    """Places of changes that were deleted are not given twice."""
    ocean, said = held
    alice, bob = (Caller(keys.generate().public) for _ in range(2))
    hosting = Hosting(ocean)
    await taken(ocean, said, alice, "stays.test")
    for number in range(5):
        await domains.add(ocean, alice, domain=f"fleeting{number}.test", route="a")
    await hosting.follow()
    for number in range(5):
        await domains.remove(ocean, alice, domain=f"fleeting{number}.test")
    await taken(ocean, said, bob, "new.test", "b")
    await hosting.follow()
    assert sorted(hosting.live) == ["new.test", "stays.test"]
    await domains.remove(ocean, alice, domain="stays.test")
    await asyncio.gather(*(hosting.follow() for _ in range(5)))
    assert sorted(hosting.live) == ["new.test"]


async def test_whoever_has_a_name_next_has_nothing_of_the_one_before(held: tuple[Ocean, Said]) -> None:
    ocean, said = held
    alice, bob = (Caller(keys.generate().public) for _ in range(2))
    issuing = Issuing(ocean)
    ocean.settings = {**ocean.settings, "OCEAN_TLS": "off"}
    for name, how in (("moved.test", "let go"), ("given.test", "removed")):
        await taken(ocean, said, alice, name)
        await certified(ocean, name)
        await ocean.log.put("UPDATE certificate SET attempts = 5, due_at = 99999999999999 WHERE name = ?", [(name,)])
        if how == "removed":
            await domains.remove(ocean, alice, domain=name)
        else:
            said.of[name] = Seen((), frozenset({"203.0.113.5"}))
            await ocean.log.put("UPDATE domain SET due_at = 1, failing_at = 1 WHERE name = ?", [(name,)])
            await issuing.step()
            await issuing.idle()
        found = await certificates.certificate(ocean.engine, name)
        assert found is not None
        assert (found.chain, found.secret, found.attempts, found.due_at) == ("", "", 0, None)
        said.of[name] = HERE
        await records.save(ocean, bob, route="b", key="index", payload="x")
        token = next(r["value"] for r in (await domains.add(ocean, bob, domain=name, route="b"))["dns"] if r["type"] == "TXT")
        said.of[name] = HERE._replace(texts=frozenset({token}))
        assert (await domains.check(ocean, bob, domain=name))["state"] == "live"
        assert (name, str(bob.key)) in await certificates.wanting(ocean.engine, now(), 10)
    await issuing.close()


async def test_what_happens_while_dns_is_asked_stands(held: tuple[Ocean, Said]) -> None:
    """A claim that was given up is not brought back by a look that began before."""
    ocean, said = held
    alice = Caller(keys.generate().public)
    await taken(ocean, said, alice, "late.test")
    said.of["late.test"] = Seen((), frozenset({"203.0.113.5"}))
    await ocean.log.put("UPDATE domain SET due_at = 1, failing_at = 1", [()])
    said.meanwhile = lambda: domains.remove(ocean, alice, domain="late.test")
    ocean.settings = {**ocean.settings, "OCEAN_TLS": "off"}
    issuing = Issuing(ocean)
    await issuing.step()
    await issuing.idle()
    assert (await domains.list_(ocean, alice))["count"] == 0
    said.meanwhile = None
    said.of["slow.test"] = HERE
    await records.save(ocean, alice, route="a", key="index", payload="x")
    await domains.add(ocean, alice, domain="slow.test", route="a")
    await domains.remove(ocean, alice, domain="slow.test")
    assert (await ocean.engine.rows("SELECT state FROM domain WHERE name = 'slow.test'"))[0][0] == "gone"
    await issuing.close()


async def test_orders_are_counted_and_not_names(held: tuple[Ocean, Said], tmp_path: Path) -> None:
    """Removing a domain and adding it again gives nobody new orders."""
    ocean, said = held
    alice, bob = (Caller(keys.generate().public) for _ in range(2))
    async with rude(tmp_path) as (server, base, ca):
        server.says = _breaks
        ocean.settings = {**ocean.settings, "OCEAN_ACME_DIRECTORY": f"{base}/dir", "OCEAN_ACME_CA": str(ca)}
        await taken(ocean, said, alice, "greedy.test")
        issuing = Issuing(ocean)
        for _ in range(MOST_FOR_ONE + 3):
            await issuing.step()
            await issuing.idle()
            await domains.remove(ocean, alice, domain="greedy.test")
            await domains.add(ocean, alice, domain="greedy.test", route="a")
        assert await certificates.ordered(ocean.engine, 0, owner=str(alice.key)) == MOST_FOR_ONE
        await issuing.step()
        await issuing.idle()
        found = await certificates.certificate(ocean.engine, "greedy.test")
        assert found is not None
        assert "waits for its turn" in found.error
        await taken(ocean, said, bob, "modest.test", "b")
        await issuing.step()
        await issuing.idle()
        assert await certificates.ordered(ocean.engine, 0, owner=str(bob.key)) == 1
        await issuing.close()


async def test_our_own_name_being_away_is_nobodys_fault(held: tuple[Ocean, Said]) -> None:
    ocean, said = held
    alice = Caller(keys.generate().public)
    await taken(ocean, said, alice, "fine.test")
    ocean.dns = away = Said()
    away.of = {"fine.test": HERE._replace(aliases=()), VIEW: Seen(fault="DNS did not answer for it.")}
    await ocean.log.put("UPDATE domain SET due_at = 1", [()])
    ocean.settings = {**ocean.settings, "OCEAN_TLS": "off"}
    issuing = Issuing(ocean)
    await issuing.step()
    await issuing.idle()
    rows = await ocean.engine.rows("SELECT state, failing_at, error FROM domain")
    assert [tuple(row) for row in rows] == [("live", None, "DNS did not answer for it.")]
    await issuing.close()


async def test_a_key_that_cannot_be_read_any_more_is_as_if_there_were_none(held: tuple[Ocean, Said]) -> None:
    """Another master key, or another authority: it is ordered anew, and nobody is sent to what can't be shown."""
    ocean, said = held
    alice = Caller(keys.generate().public)
    await taken(ocean, said, alice, "lost.test")
    await certified(ocean, "lost.test", "AAAA" * 20)
    hosting = Hosting(ocean)
    await hosting.follow()
    assert hosting.secured("lost.test") is None
    await taken(ocean, said, alice, "kept.test")
    await certified(ocean, "kept.test")
    await hosting.follow()
    assert hosting.secured("kept.test") is not None
    assert await certificates.wanting(ocean.engine, now(), 10) == []
    issuing = Issuing(ocean)
    issuing._account.directory = "https://other.example/dir"
    lease = await issuing._tenure.hold()
    assert lease is not None
    await issuing._tidy(lease)
    assert sorted(name for name, _ in await certificates.wanting(ocean.engine, now(), 10)) == ["kept.test", "lost.test"]
    await hosting.follow()
    assert hosting.secured("kept.test") is not None  # until there is a better one
    await issuing.close()


async def _tells(server: Rude, request: web.Request) -> web.StreamResponse:
    """When to renew (ARI, RFC 9773): an hour of the year 2031."""
    if request.path.endswith("dir"):
        return await _json(server, request, {**_directory(request), "renewalInfo": f"https://{request.host}/renewal"})
    if request.path.endswith("newAccount"):
        return await _json(server, request, {"status": "valid"}, 201, location=f"https://{request.host}/account/1")
    window = {"start": "2031-01-01T00:00:00Z", "end": "2031-01-01T01:00:00Z"}
    return await _json(server, request, {"suggestedWindow": window} if "/renewal/" in request.path else {}, retry_after="21600")


async def test_the_authority_is_asked_when_to_renew(held: tuple[Ocean, Said], tmp_path: Path) -> None:
    ocean, said = held
    alice = Caller(keys.generate().public)
    async with rude(tmp_path) as (server, base, ca):
        server.says = _tells
        ocean.settings = {**ocean.settings, "OCEAN_ACME_DIRECTORY": f"{base}/dir", "OCEAN_ACME_CA": str(ca)}
        await taken(ocean, said, alice, "asked.test")
        await certified(ocean, "asked.test")
        (chain,) = (await ocean.engine.rows("SELECT chain FROM certificate"))[0]
        assert "BEGIN CERTIFICATE" in chain
        far = 2_000_000_000_000
        await ocean.log.put("UPDATE certificate SET ask_at = 1, ends_at = ?, renew_at = ?, chain = ?", [(far, far, _with_issuer())])
        issuing = Issuing(ocean)
        await issuing.step()
        await issuing.idle()
        found = await certificates.certificate(ocean.engine, "asked.test")
        assert found is not None
        begins = 1_924_992_000_000
        assert begins <= (found.renew_at or 0) <= begins + 3_600_000
        assert 21_500_000 < (found.ask_at or 0) - now() < 21_700_000
        await issuing.close()


def _with_issuer() -> str:
    """A certificate that names the key it is signed by, as ARI knows one."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    nobody, moment = x509.Name([]), datetime.now(UTC)
    made = x509.CertificateBuilder(nobody, nobody, key.public_key(), 77, moment, moment + timedelta(days=90))
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_stop_does_not_wait_for_an_authority_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=16) as silent:
        directory = f"https://127.0.0.1:{silent.getsockname()[1]}/dir"
        with place(tmp_path, {"OCEAN_ACME_DIRECTORY": directory}) as there:
            silent.settimeout(20)
            asking, _ = silent.accept()
            begun = time.monotonic()
            assert stop(there.running) == 0
            assert time.monotonic() - begun < 5
            asking.close()
            there.start()
            assert there.database("SELECT count(*) FROM lease WHERE name = 'certificates'") == [(1,)]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"OCEAN_TLS": "127.0.0.1:1"}, "OCEAN_TLS wants OCEAN_VIEW_URL"),
        ({"OCEAN_TLS": "nonsense", "OCEAN_VIEW_URL": "https://a.org"}, "not HOST:PORT"),
        ({"OCEAN_DNS": "dns.example:53"}, "not ADDRESS:PORT"), ({"OCEAN_ACME_EAB": "only-a-name"}, "OCEAN_ACME_EAB is not KEYID:KEY"),
        ({"OCEAN_HSTS": "long"}, "not a whole number"), ({"OCEAN_TLS_CERTIFICATE": "/nowhere.pem"}, "can't be read"),
        ({"OCEAN_TLS_CERTIFICATE": "garbage"}, "not a chain and its key"), ({"OCEAN_TLS_CERTIFICATE": "locked"}, "without a password"),
        ({"OCEAN_ACME_CA": "garbage"}, "has no certificates"), ({"OCEAN_ACME_CONTACT": "me"}, "not mailto:"),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_named_at_start(tmp_path: Path, given: dict[str, str], says: str) -> None:
    chain, key = certs.challenge_certificate("a.org", "", certs.moment(now()))
    private = serialization.load_pem_private_key(key.encode(), None)
    locked = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
    )  # fmt: skip
    (tmp_path / "garbage").write_text("no certificate")
    (tmp_path / "locked").write_text(chain + locked.decode())
    named = {name: str(tmp_path / value) if value in ("garbage", "locked") else value for name, value in given.items()}
    ports = {f"OCEAN_{name}": f"127.0.0.1:{port}" for name, port in zip(("API", "VIEW", "MAIL", "SMTP"), free_ports(4), strict=True)}
    environment = {**os.environ, "OCEAN_DATA": str(tmp_path / "data"), **ports, **named}
    command = [sys.executable, "-m", "ocean.cli", "up"]
    ended = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_names_that_are_no_text_fill_no_log(tmp_path: Path) -> None:
    with place(tmp_path) as there:
        secret = keys.generate().secret
        there.running.drops('save odd @index "odd"', secret)
        assert there.ask(VIEW, "/odd/")[2] == b"odd"
        hello = _hello(b"\xff\xfe.test")
        with socket.create_connection(("127.0.0.1", there.tls), 9) as plain:
            plain.sendall(hello)
            assert plain.recv(1)[:1] in (b"", b"\x15")  # closed, or an alert
        assert there.ask(VIEW, "/odd/")[2] == b"odd"


def _hello(name: bytes) -> bytes:
    """A ClientHello as OpenSSL says it, with another name of the same length in it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    secure = context.wrap_bio(incoming, outgoing, server_hostname="x" * len(name))
    with pytest.raises(ssl.SSLWantReadError):
        secure.do_handshake()
    return outgoing.read().replace(b"x" * len(name), name)


async def test_a_look_that_nobody_asked_for_takes_nothing_from_anybody(held: tuple[Ocean, Said]) -> None:
    """A seller whose old proof is still in DNS does not get the name back, by a look or by asking: it proved what was then."""
    ocean, said = held
    seller, buyer = (Caller(keys.generate().public) for _ in range(2))
    ocean.settings = {**ocean.settings, "OCEAN_TLS": "off"}
    await taken(ocean, said, seller, "sold.test")
    said.of["sold.test"] = Seen((), frozenset({"203.0.113.5"}))
    await ocean.log.put("UPDATE domain SET due_at = 1, failing_at = 1", [()])
    issuing = Issuing(ocean)
    await issuing.step()
    await issuing.idle()
    await records.save(ocean, buyer, route="b", key="index", payload="x")

    async def token(who: Caller, route: str) -> str:
        try:
            told = (await domains.add(ocean, who, domain="sold.test", route=route))["dns"]
        except OceanError as fault:
            told = fault.details["dns"]
        return str(next(r["value"] for r in told if r["type"] == "TXT"))

    said.of["sold.test"] = HERE
    both = frozenset({await token(buyer, "b"), await token(seller, "a")})
    said.of["sold.test"] = HERE._replace(texts=both)
    assert (await domains.check(ocean, buyer, domain="sold.test"))["state"] == "live"
    theirs = await token(seller, "a")
    assert (await domains.add(ocean, buyer, domain="sold.test", route="b"))["state"] == "live"
    assert await token(seller, "a") == theirs  # who has it makes no other's proof worthless by proving it again
    await ocean.log.put("UPDATE domain SET due_at = 1", [()])
    await issuing.step()
    await issuing.idle()
    with pytest.raises(OceanError, match="another key's"):
        await domains.add(ocean, seller, domain="sold.test", route="a")
    assert [one["state"] for one in (await domains.list_(ocean, buyer))["domains"]] == ["live"]
    assert [one["state"] for one in (await domains.list_(ocean, seller))["domains"]] == ["waiting"]
    await issuing.close()


async def test_a_server_without_an_address_says_so(held: tuple[Ocean, Said]) -> None:
    ocean, _ = held
    alice = Caller(keys.generate().public)
    ocean.settings = {**ocean.settings, "OCEAN_VIEW_URL": "", "OCEAN_VIEW": "0.0.0.0:80"}
    await records.save(ocean, alice, route="a", key="index", payload="x")
    told = await domains.add(ocean, alice, domain="early.test", route="a")
    assert (told["state"], "OCEAN_VIEW_URL" in told["error"]) == ("waiting", True)
