"""Hooks: what changes is called out, in order, signed, as often as it was asked for, and never to an address that is not public."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.egress.broker import Broker, EgressError, is_public
from ocean.errors import OceanError
from ocean.followers import hooks as follower
from ocean.services.live import calls, hooks
from ocean.services.live import deliveries as sending
from ocean.services.live.deliveries import Deliveries
from ocean.store import hooks as rows
from ocean.store import leases
from tests.services.hosts import host
from tests.services.test_find import ask

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@dataclass
class Receiver:
    """Another host, that keeps what it is sent and answers as `status` says."""

    url: str = ""
    got: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    status: Callable[[int], int] = lambda number: 200
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    hold: asyncio.Event | None = None
    raw: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self.arrived:
            self.raw.append(body)
            self.got.append((dict(request.headers), json.loads(body)))
            number = len(self.got)
            self.arrived.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        status = self.status(number)
        return web.Response(status=status, headers={"location": "http://127.0.0.1:1/"} if status == 302 else {})

    async def until(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.got) >= count)
        return [body for _, body in self.got]


@contextlib.asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with host(made.handle) as url:
        made.url = f"{url}/hook"
        try:
            yield made
        finally:
            if made.hold is not None:
                made.hold.set()


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def calling(ocean: Ocean) -> AsyncIterator[Ocean]:
    """A store whose hooks may call this machine, and are followed."""
    ocean.egress = Broker(LOOPBACK)
    task = asyncio.create_task(follower.run(ocean))
    yield ocean
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ocean.egress.close()


async def outcome(ocean: Ocean, who: Caller, hook: str, count: int, state: str) -> list[dict[str, Any]]:
    """The hook's deliveries, once so many of them are in that state."""
    async with asyncio.timeout(20):
        while True:
            found = (await hooks.deliveries(ocean, who, id=hook))["deliveries"]
            if sum(d["state"] == state for d in found) >= count:
                return list(reversed(found))
            await asyncio.sleep(0.02)


async def test_changes_are_called_out_in_the_order_they_were_written(calling: Ocean, alice: Caller, there: Receiver) -> None:
    await execute(calling, alice, parse("save orders @before n: 0"))
    hook = await ask(calling, alice, f'when orders changes call "{there.url}" secret "s3cret"')
    for i in range(20):
        await execute(calling, alice, parse(f"save orders @k{i % 3} n: {i}"))
    await execute(calling, alice, parse("save orders/eu @x n: 20; save ordersx @y n: 0; remove orders @k0"))
    bodies = await there.until(22)
    assert [body["data"]["payload"]["n"] for body in bodies[:21]] == list(range(21))
    assert (bodies[21]["type"], bodies[21]["data"]["key"], bodies[0]["type"]) == ("record.removed", "k0", "record.saved")
    headers, raw = there.got[3][0], there.raw[3]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    wanted = base64.b64encode(hmac.digest(b"s3cret", signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    done = await outcome(calling, alice, hook["id"], 22, "done")
    assert [d["id"] for d in done] == [h["webhook-id"] for h, _ in there.got]
    shown = await ask(calling, alice, "webhooks")
    assert shown["hooks"][0]["signed"] is True
    assert "s3cret" not in json.dumps(shown)
    assert (await ask(calling, alice, f'webhook delete "{hook["id"]}"'))["deleted"] is True
    assert (await ask(calling, alice, "webhooks"))["count"] == 0


async def test_a_filter_tells_which(calling: Ocean, alice: Caller, there: Receiver) -> None:
    await ask(calling, alice, f'when orders where amount > 100 and a.b = "x" changes call "{there.url}"')
    await execute(
        calling, alice, parse('save orders @a amount: 5 a: { b: "x" }; save orders @b amount: 500 a: { b: "x" }; save orders @c "text"')
    )
    await execute(calling, alice, parse('save orders @d amount: 101 a: { b: "y" }; save orders @e amount: 101 a: { b: "x" }'))
    assert [body["data"]["key"] for body in await there.until(2)] == ["b", "e"]


async def test_what_its_owner_may_not_read_is_not_told(calling: Ocean, alice: Caller, bob: Caller, there: Receiver) -> None:
    await execute(calling, alice, parse("save shop @a n: 1"))
    told = await ask(calling, bob, f'when shop changes call "{there.url}"')
    await execute(calling, alice, parse('save shop @paid secret: "tiger" price 5; save shop @b n: 2'))
    bodies = await there.until(2)
    assert (bodies[0]["data"]["_gated"], "tiger" in json.dumps(bodies)) == (True, False)
    await execute(calling, alice, parse(f"share shop with @{alice.key} mode shared"))
    await execute(calling, alice, parse("save shop @c n: 3"))
    await ask(calling, alice, f'when shop changes call "{there.url}/mine"')
    await execute(calling, alice, parse("save shop @d n: 4"))
    assert [body["data"]["key"] for body in (await there.until(3))[1:]] == ["b", "d"]
    assert len((await hooks.deliveries(calling, bob, id=told["id"]))["deliveries"]) == 2  # what lies before @d is planned by now
    with pytest.raises(OceanError) as caught:
        await ask(calling, bob, f'when shop changes call "{there.url}"')
    assert caught.value.code == "FORBIDDEN"


async def test_one_attempt_unless_more_are_asked_for(
    calling: Ocean, alice: Caller, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BACKOFF", (0.05, 0.05, 0.05))
    there.status = lambda number: 500 if number in (1, 2, 3) else 200
    once = await ask(calling, alice, f'when once changes call "{there.url}"')
    await execute(calling, alice, parse("save once @a n: 1; save once @b n: 2"))
    failed = await outcome(calling, alice, once["id"], 2, "failed")
    assert [(d["attempts"], d["status"]) for d in failed] == [(1, 500), (1, 500)]
    thrice = await ask(calling, alice, f'when thrice changes call "{there.url}" retries 3')
    await execute(calling, alice, parse("save thrice @a n: 1; save thrice @b n: 2"))
    done = await outcome(calling, alice, thrice["id"], 2, "done")
    assert [d["attempts"] for d in done] == [2, 1]
    assert [body["data"]["payload"]["n"] for body in (await there.until(5))[2:]] == [1, 1, 2]  # the second waits for the first
    assert there.got[2][0]["webhook-id"] == there.got[3][0]["webhook-id"]


async def test_a_delivery_is_sent_once_more_when_asked(calling: Ocean, alice: Caller, bob: Caller, there: Receiver) -> None:
    hook = await ask(calling, alice, f'when r changes call "{there.url}"')
    await execute(calling, alice, parse("save r @a n: 1"))
    (done,) = await outcome(calling, alice, hook["id"], 1, "done")
    with pytest.raises(OceanError):
        await ask(calling, bob, f'webhook replay "{done["id"]}"')
    await ask(calling, alice, f'webhook replay "{done["id"]}"')
    bodies = await there.until(2)
    assert bodies[0] == bodies[1]


async def test_a_hook_that_is_stopped_or_whose_receiver_is_gone_calls_no_more(calling: Ocean, alice: Caller, there: Receiver) -> None:
    hook = await ask(calling, alice, f'when r changes call "{there.url}"')
    assert (await hooks.change(calling, alice, id=hook["id"], active=False))["active"] is False
    await execute(calling, alice, parse("save r @a n: 1"))
    other = await ask(calling, alice, f'when r changes call "{there.url}"')
    there.status = lambda number: 410
    await execute(calling, alice, parse("save r @b n: 2"))
    await outcome(calling, alice, other["id"], 1, "failed")
    assert [h["active"] for h in (await ask(calling, alice, "webhooks"))["hooks"]] == [False, False]
    assert [body["data"]["key"] for body in await there.until(1)] == ["b"]


async def test_a_slow_receiver_delays_no_other(calling: Ocean, alice: Caller, there: Receiver) -> None:
    async with receiver() as slow:
        slow.hold = asyncio.Event()
        await ask(calling, alice, f'when r changes call "{slow.url}"')
        await ask(calling, alice, f'when r changes call "{there.url}"')
        for i in range(5):
            await execute(calling, alice, parse(f"save r @k{i} n: {i}"))
        await there.until(5)
        await slow.until(1)
        assert len(slow.got) == 1


async def test_what_was_not_sent_when_a_process_ended_is_sent_by_the_next(ocean: Ocean, alice: Caller, there: Receiver) -> None:
    ocean.egress = Broker(LOOPBACK)
    hook = await ask(ocean, alice, f'when r changes call "{there.url}"')
    first = Deliveries(ocean)
    await first.step()
    for i in range(5):
        await execute(ocean, alice, parse(f"save r @k{i} n: {i}"))
    there.hold = asyncio.Event()
    await first.step()
    await there.until(1)  # under way
    second = Deliveries(ocean)
    assert (await second.step(), second.holds) == (False, False)  # the first one has the lease
    await first.close()
    there.hold.set()
    task = asyncio.create_task(follower.run(ocean))
    done = await outcome(ocean, alice, hook["id"], 5, "done")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(done) == 5
    assert sorted({body["data"]["payload"]["n"] for body in await there.until(6)}) == list(range(5))
    assert len({h["webhook-id"] for h, _ in there.got}) == 5
    await ocean.egress.close()


async def test_then_call_calls_for_each_result(calling: Ocean, alice: Caller, there: Receiver) -> None:
    await execute(calling, alice, parse("save c @a n: 1; save c @b n: 2; save c @d n: 3"))
    assert await ask(calling, alice, f'find c then call "{there.url}" dry') == {"affected": 3, "queued": "call", "dry": True, "results": []}
    answer = await ask(calling, alice, f'find c where n > 1 sort n desc then call "{there.url}"')
    assert answer["affected"] == 2
    bodies = await there.until(2)
    assert [body["data"]["payload"]["n"] for body in bodies] == [3, 2]
    assert [h["webhook-id"] for h, _ in there.got] == [r["id"] for r in answer["results"]]
    await ask(calling, alice, f'find c group count then call "{there.url}"')
    assert (await there.until(3))[2]["data"] == {"count": 3}


async def test_hooks_and_what_waits_have_bounds(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    ocean.egress = Broker(LOOPBACK)
    monkeypatch.setattr(hooks, "MAX_HOOKS", 2)
    for _ in range(2):
        await ask(ocean, alice, 'when r changes call "https://example.com/x"')
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, 'when r changes call "https://example.com/x"')
    assert caught.value.code == "LIMIT_REACHED"
    monkeypatch.setattr(calls, "MAX_WAITING", 3)
    await execute(ocean, alice, parse("save c @a n: 1; save c @b n: 2"))
    await ask(ocean, alice, 'find c then call "https://example.com/x"')
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, 'find c then call "https://example.com/x"')
    assert caught.value.code == "LIMIT_REACHED"
    for wrong in (
        {"retries": 8},
        {"secret": "whsec_?"},
        {"secret": "x" * 300},
        {"filter": {"$x": 1}},
        {"filter": {"$or": [{"a": 1}] * 21}},
    ):
        with pytest.raises(OceanError):
            await hooks.create(ocean, alice, prefix="r", url="https://example.com/", **wrong)  # type: ignore[arg-type]
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, 'webhook delete "nothing"')
    assert caught.value.code == "NOT_FOUND"


PRIVATE = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
    "192.0.2.1", "198.18.0.1", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:0:53aa:64c::1", "::127.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "https://localhost/",
        "https://a.localhost/",
        "https://2130706433/", "https://127.1/", "https://0177.0.0.1/", "https://user:pw@example.com/", "https://example.com/#x",
        "ftp://example.com/",
        "https:///x", "https://exa mple.com/", "https://example.com/\r\nx: y", "https://example.com:0/", "file:///etc/passwd", "x" * 3000,
        "",
        "https://169.254.169.254/latest", "gopher://127.0.0.1:25/", "https://[fe80::1%25eth0]/", "http://127.0.0.1:8000/",
    ],
)  # fmt: skip
def test_addresses_that_nothing_is_ever_sent_to(url: str) -> None:
    with pytest.raises(OceanError) as caught:
        Broker().check(url)
    assert caught.value.code == "INVALID_VALUE"


class Rebinding(AbstractResolver):
    """A name server that says what it likes."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked += 1
        address = self.answers[min(self.asked, len(self.answers)) - 1]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)]

    async def close(self) -> None: ...


async def test_a_name_that_leads_inside_is_never_connected_to() -> None:
    connections = 0

    async def sink(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    servers = [await asyncio.start_server(sink, host, 0) for host in ("127.0.0.1", "::1")]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    try:
        for inner in (*PRIVATE[:4], "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"):
            broker = Broker(resolver=Rebinding([inner]))
            for port in ports:
                with pytest.raises(EgressError) as caught:
                    await broker.post(f"https://rebind.example.com:{port}/", b"{}", {})
                assert "not on the public Internet" in str(caught.value), inner
            await broker.close()
        assert connections == 0
    finally:
        for server in servers:
            server.close()


async def test_a_redirect_is_not_followed(there: Receiver) -> None:
    broker = Broker(LOOPBACK)
    there.status = lambda number: 302
    reply = await broker.post(there.url, b"{}", {})
    assert (reply.status, len(there.got)) == (302, 1)
    await broker.close()


async def test_who_never_answers_is_waited_for_no_longer_than_was_said(there: Receiver) -> None:
    broker = Broker(LOOPBACK)
    there.hold = asyncio.Event()
    with pytest.raises(EgressError) as caught:
        await broker.post(there.url, b"{}", {}, seconds=0.2)
    assert "no answer" in str(caught.value)
    await broker.close()


async def test_a_secret_is_wrapped_in_the_store(ocean: Ocean, alice: Caller) -> None:
    made = await ask(ocean, alice, 'when r changes call "https://example.com/x" secret "very-secret"')
    found = await rows.hook(ocean.engine, made["id"])
    assert found is not None
    assert "very-secret" not in found.secret
    assert ocean.master.unwrap(found.secret, found.id) == "very-secret"
    with pytest.raises(ValueError, match="master key"):
        ocean.master.unwrap(found.secret, "another")


async def test_a_filter_that_can_not_be_asked_now_is_asked_again(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = await ask(ocean, alice, 'when r where n > 0 changes call "https://example.com/x"')
    deliveries = Deliveries(ocean)
    await deliveries.step()
    await execute(ocean, alice, parse("save r @a n: 1; save r @b n: 2"))
    scan = ocean.engine.scan

    async def busy(*args: Any, **named: Any) -> Any:
        raise OceanError("SERVER_BUSY", "Too many queries wait.")

    monkeypatch.setattr(type(ocean.engine), "scan", busy)
    with pytest.raises(OceanError):
        await deliveries.step()

    async def in_vain(*args: Any, **named: Any) -> Any:
        if "UNION ALL" in args[1] or "'b'" in str(args[2]) or "b" in args[2]:
            raise OceanError("LIMIT_REACHED", "The query takes longer than 5 s.")
        return await scan(*args[1:], **named)

    monkeypatch.setattr(type(ocean.engine), "scan", in_vain)
    await deliveries._plan()
    monkeypatch.undo()
    shown = (await hooks.deliveries(ocean, alice, id=hook["id"]))["deliveries"]
    assert [(d["state"], "filter" in d.get("error", "")) for d in reversed(shown)] == [("waiting", False), ("failed", True)]
    await deliveries.close()


async def test_what_comes_of_an_attempt_after_the_lease_was_lost_is_not_written(ocean: Ocean, alice: Caller, there: Receiver) -> None:
    ocean.egress = Broker(LOOPBACK)
    hook = await ask(ocean, alice, f'when r changes call "{there.url}"')
    first, second = Deliveries(ocean), Deliveries(ocean)
    await first.step()
    await execute(ocean, alice, parse("save r @a n: 1"))
    there.hold = asyncio.Event()
    there.status = lambda number: 500 if number == 1 else 200
    await first.step()
    await there.until(1)
    task = first._sending[hook["id"]]
    assert first._lease is not None
    await leases.release(ocean.engine, first._lease)
    await second.step()
    there.hold.set()
    await task
    assert first._lease is None
    (d,) = await outcome(ocean, alice, hook["id"], 1, "done")
    assert (d["attempts"], len({h["webhook-id"] for h, _ in there.got})) == (1, 1)
    await first.close()
    await second.close()
    await ocean.egress.close()


async def test_an_idle_follower_rests_and_writes_nothing_that_wakes_others(ocean: Ocean, alice: Caller) -> None:
    ocean.egress = Broker(LOOPBACK)
    await ask(ocean, alice, 'when r changes call "http://127.0.0.1:9/x" retries 5')
    woken = 0

    def heard() -> None:
        nonlocal woken
        woken += 1

    ocean.engine.listen(heard)
    deliveries = Deliveries(ocean)
    await deliveries.step()
    await execute(ocean, alice, parse("save r @a n: 1; save r @b n: 2"))
    await deliveries.step()
    async with asyncio.timeout(20):
        await deliveries.ended.wait()
    await deliveries.step()
    assert deliveries.pause() > 0.5  # the first is due in seconds: the second waits behind it
    before = woken
    for _ in range(5):
        await deliveries.step()
    assert woken == before
    await deliveries.close()
    await ocean.egress.close()


async def test_a_stopped_hook_does_not_bring_old_values_back(ocean: Ocean, alice: Caller) -> None:
    made = await ask(ocean, alice, 'when r changes call "https://example.com/old"')
    await hooks.change(ocean, alice, id=made["id"], url="https://example.com/new")
    await ocean.log.transact(rows.stopped(made["id"], "https://example.com/old"))  # what came of the old one, too late
    shown = (await ask(ocean, alice, "webhooks"))["hooks"][0]
    assert (shown["url"], shown["active"]) == ("https://example.com/new", True)
    await ocean.log.transact(rows.stopped(made["id"], "https://example.com/new"))
    assert (await hooks.change(ocean, alice, id=made["id"], retries=2))["active"] is False


async def test_what_was_done_long_ago_is_forgotten(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await ask(ocean, alice, 'when r changes call "https://example.com/x"')
    old = [rows.Delivery(f"msg_{i}", made["id"], i, str(alice.key), "r", "", "", rows.DONE, 1, 200, "", 1, 1, 1, 1) for i in range(5)]
    await ocean.log.transact(rows.queued(old, 10, 1))
    monkeypatch.setattr(sending, "SWEPT", 2)
    deliveries = Deliveries(ocean)
    for _ in range(3):
        await deliveries.step()
    assert (await hooks.deliveries(ocean, alice, id=made["id"]))["deliveries"] == []
    await deliveries.close()
