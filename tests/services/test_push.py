"""Web push: messages reach a push service that seals nothing itself, and only the browser they are for can read them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.egress.broker import Broker
from ocean.errors import OceanError
from ocean.followers import hooks as follower
from ocean.services.live import hooks, push
from ocean.services.live.vapid import wrapped
from tests.services.hosts import host
from tests.services.sealed import Receiver, decoded, encoded
from tests.services.test_hooks import LOOPBACK


@dataclass
class PushService:
    """Keeps what it is given for each browser, as a push service does, and answers as `status` says."""

    url: str = ""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    status: dict[str, int] = field(default_factory=dict)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self.arrived:
            self.got.append((request.path, {name.lower(): value for name, value in request.headers.items()}, body))
            self.arrived.notify_all()
        return web.Response(status=self.status.get(request.path, 201))

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20), self.arrived:
            await self.arrived.wait_for(lambda: len(self.got) >= count)


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    made = PushService()
    async with host(made.handle) as made.url:
        yield made


@pytest.fixture
async def sea(ocean: Ocean) -> AsyncIterator[Ocean]:
    await ocean.egress.close()
    ocean.egress = Broker(LOOPBACK)
    ocean.settings = {**ocean.settings, "OCEAN_PUSH_CONTACT": "mailto:ops@example.com"}
    task = asyncio.get_running_loop().create_task(follower.run(ocean))
    yield ocean
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def browser(ocean: Ocean, who: Caller, url: str) -> tuple[Receiver, str]:
    receiver = Receiver.new()
    answer = await push.subscribe(ocean, who, endpoint=url, keys=receiver.keys)
    return receiver, answer["id"]


async def run(ocean: Ocean, who: Caller, text: str) -> dict[str, Any]:
    return await execute(ocean, who, parse(text))


def claims(headers: dict[str, str], public: str) -> dict[str, Any]:
    """What the signature of a message says, once it is known to hold (RFC 8292)."""
    scheme, _, rest = headers["authorization"].partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert parts["k"] == public
    signed, _, signature = parts["t"].rpartition(".")
    raw = decoded(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(public))
    dss = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(dss, signed.encode(), ec.ECDSA(hashes.SHA256()))
    found: dict[str, Any] = json.loads(decoded(signed.split(".")[1]))
    return found


def test_the_receiver_opens_what_the_rfc_sealed() -> None:
    """RFC 8291, appendix A: what holds our messages to account is held to the standard's own example."""
    private = ec.derive_private_key(int.from_bytes(decoded("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"), "big"), ec.SECP256R1())
    body = decoded(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
        "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    receiver = Receiver(private, decoded("BTBZMqHH6r4Tts7J_aSIgg"))
    assert receiver.open(body) == b"When I grow up, I want to be a watermelon"


async def test_a_push_is_sealed_signed_and_read_by_its_browser_alone(sea: Ocean, alice: Caller, bob: Caller, service: PushService) -> None:
    receiver, _ = await browser(sea, bob, f"{service.url}/bob")
    sent = await run(sea, alice, f'push send {{ to: ("{bob.key}"), title: "New message", body: "You have one", url: "/messages/1" }}')
    assert sent["queued"] == 1
    await service.until(1)
    path, headers, body = service.got[0]
    assert path == "/bob"
    assert headers["content-encoding"] == "aes128gcm"
    assert int(headers["ttl"]) > 0
    public = (await push.vapid_key(sea, alice))["publicKey"]
    told = claims(headers, public)
    assert told["aud"] == service.url
    assert told["sub"] == "mailto:ops@example.com"
    assert b"New message" not in body
    shown = {"title": "New message", "body": "You have one", "url": "/messages/1", "from": alice.key}
    assert json.loads(receiver.open(body)) == shown
    with pytest.raises(InvalidTag):
        Receiver.new().open(body)


async def test_a_followed_folder_tells_what_is_saved_and_nothing_that_may_not_be_read(
    sea: Ocean, alice: Caller, bob: Caller, service: PushService
) -> None:
    receiver, _ = await browser(sea, bob, f"{service.url}/bob")
    await run(sea, alice, 'save orders @before title: "of before"')
    followed = await run(sea, bob, "push subscribe orders")
    assert followed["kind"] == "folder"
    assert (await run(sea, bob, "push subscribe orders"))["id"] == followed["id"]
    await run(sea, alice, 'save orders/tea @1 title: "Two tins" text: "of green tea"')
    await run(sea, alice, 'save orders @2 title: "For sale" text: "secret" price 5')
    await service.until(2)
    await run(sea, alice, "remove orders/tea @1")
    await run(sea, alice, f"share orders with @{alice.key} mode shared")
    await run(sea, alice, 'save orders @3 title: "closed"')
    hers, _ = await browser(sea, alice, f"{service.url}/alice")
    await run(sea, alice, "push subscribe orders")
    await run(sea, alice, 'save orders @4 title: "hers alone"')
    await service.until(1)
    async with asyncio.timeout(20):
        while not any(path == "/alice" and b"hers alone" in hers.open(body) for path, _, body in service.got):
            await service.until(len(service.got) + 1)
        while await sea.engine.rows("SELECT 1 FROM delivery WHERE state = 'waiting'"):
            await asyncio.sleep(0.01)
    told = [json.loads(receiver.open(body)) for path, _, body in service.got if path == "/bob"]
    assert [one["title"] for one in told] == ["Two tins", "orders"]
    assert not any("closed" in str(one) or "hers" in str(one) or "secret" in str(one) or "before" in str(one) for one in told)
    assert (await hooks.list_(sea, bob))["hooks"] == []


async def test_a_browser_that_is_gone_is_forgotten_and_others_still_hear(
    sea: Ocean, alice: Caller, bob: Caller, service: PushService
) -> None:
    await browser(sea, bob, f"{service.url}/gone")
    await browser(sea, bob, f"{service.url}/broken")
    receiver, kept = await browser(sea, bob, f"{service.url}/here")
    service.status |= {"/gone": 410, "/broken": 500}
    await run(sea, alice, f'push send {{ to: "{bob.key}", title: "One" }}')
    await service.until(3)
    await run(sea, alice, f'push send {{ to: "{bob.key}", title: "Two" }}')
    await service.until(5)
    assert [path for path, _, _ in service.got].count("/gone") == 1
    here = [json.loads(receiver.open(body))["title"] for path, _, body in service.got if path == "/here"]
    assert here == ["One", "Two"]
    hosts = [one["id"] for one in (await push.subscriptions(sea, bob))["subscriptions"]]
    assert kept in hosts
    assert len(hosts) == 2


async def test_subscriptions_are_their_owners(sea: Ocean, alice: Caller, bob: Caller, service: PushService) -> None:
    _, id_ = await browser(sea, bob, f"{service.url}/bob")
    again = Receiver.new()
    assert (await push.subscribe(sea, bob, endpoint=f"{service.url}/bob", keys=again.keys))["id"] == id_
    await run(sea, bob, "push subscribe mine")
    shown = (await run(sea, bob, "push subscriptions"))["subscriptions"]
    assert [one["kind"] for one in shown] == ["browser", "folder"]
    assert service.url not in json.dumps(shown)  # where it is stays between the browser and us
    assert (await push.subscriptions(sea, alice))["count"] == 0
    for one in shown:
        with pytest.raises(OceanError) as raised:
            await push.unsubscribe(sea, alice, id=one["id"])
        assert raised.value.code == "NOT_FOUND"
        assert (await run(sea, bob, f'push unsubscribe "{one["id"]}"'))["deleted"]
    assert (await push.subscriptions(sea, bob))["count"] == 0
    await run(sea, alice, f'push send {{ to: "{bob.key}", title: "Nobody" }}')
    await browser(sea, alice, f"{service.url}/alice")
    await run(sea, alice, f'push send {{ to: "{alice.key}", title: "Herself" }}')
    await service.until(1)
    async with asyncio.timeout(20):
        while await sea.engine.rows("SELECT 1 FROM delivery WHERE state = 'waiting'"):
            await asyncio.sleep(0.01)
    assert [path for path, _, _ in service.got] == ["/alice"]


async def test_a_browser_that_nothing_can_be_sealed_for_stops_nobody(sea: Ocean, alice: Caller, bob: Caller, service: PushService) -> None:
    """As an attacker's was: its delivery began anew for ever, and each took a place from the others."""
    for number in range(100):
        other = Caller(f"k{number}")
        _, id_ = await browser(sea, other, f"{service.url}/bad{number}")
        bad = {**Receiver.new().keys, "p256dh": "AAAA"}
        target = wrapped(sea.master, f"k{number}", f"{service.url}/bad{number}", bad)
        await sea.log.put("UPDATE browser SET target = ? WHERE id = ?", [(target, id_)])
        await push.send(sea, other, message={"to": f"k{number}", "title": "x"})
    receiver, _ = await browser(sea, bob, f"{service.url}/bob")
    await run(sea, alice, f'push send {{ to: "{bob.key}", title: "Through" }}')
    await service.until(1)
    assert json.loads(receiver.open(service.got[0][2]))["title"] == "Through"


async def test_what_is_refused(sea: Ocean, alice: Caller, service: PushService) -> None:
    good = Receiver.new().keys
    short = {**good, "auth": encoded(b"short")}
    compressed = {**good, "p256dh": encoded(Receiver.new().private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint))}
    junk = {**good, "auth": "!!!" + good["auth"]}
    off = {**good, "p256dh": encoded(b"\x04" + b"\x01" * 64)}
    refused: list[dict[str, Any]] = [{}, {"prefix": "a", "endpoint": service.url}, {"endpoint": service.url}]
    refused += [{"endpoint": f"https://{host}/x", "keys": good} for host in ("10.0.0.1", "169.254.169.254", "[::1]")]
    refused += [{"endpoint": service.url, "keys": keys} for keys in (short, off, compressed, junk, {"auth": 5})]
    for given in refused:
        with pytest.raises(OceanError) as raised:
            await push.subscribe(sea, alice, **given)
        assert raised.value.code == "INVALID_VALUE", given
    for number in range(push.MAX_ELSEWHERE):
        await browser(sea, alice, f"{service.url}/{number}")
    with pytest.raises(OceanError) as raised:
        await browser(sea, alice, f"{service.url}/more")
    assert raised.value.code == "LIMIT_REACHED"
    for number in range(push.MAX_BROWSERS - push.MAX_ELSEWHERE):
        await browser(sea, alice, f"https://fcm.googleapis.com/{number}")
    with pytest.raises(OceanError) as raised:
        await browser(sea, alice, "https://fcm.googleapis.com/more")
    assert raised.value.code == "LIMIT_REACHED"
    with pytest.raises(OceanError) as raised:
        await push.subscribe(sea, Caller(None), prefix="a")
    assert raised.value.status == 401


async def test_nothing_is_pushed_before_the_operator_has_named_a_contact(ocean: Ocean, alice: Caller) -> None:
    with pytest.raises(OceanError) as raised:
        await push.send(ocean, alice, message={"to": alice.key, "title": "x"})
    assert raised.value.code == "NOT_AVAILABLE"
    assert "OCEAN_PUSH_CONTACT" in str(raised.value.hint)
    key = base64.urlsafe_b64decode((await push.vapid_key(ocean, alice))["publicKey"] + "=")
    assert len(key) == 65
    assert (await push.vapid_key(ocean, alice)) == (await push.vapid_key(ocean, Caller(None)))


async def test_the_same_request_again_is_sent_once(sea: Ocean, alice: Caller, service: PushService) -> None:
    """A client that heard no answer asks again with its Idempotency-Key."""
    await browser(sea, alice, f"{service.url}/alice")
    again = Caller(alice.key, idempotency="once", request_digest="this")
    first = await push.send(sea, again, message={"to": alice.key, "title": "One"})
    assert await push.send(sea, again, message={"to": alice.key, "title": "One"}) == first
    other = Caller(alice.key, idempotency="once", request_digest="another")
    with pytest.raises(OceanError) as raised:
        await push.send(sea, other, message={"to": alice.key, "title": "Two"})
    assert raised.value.code == "CONFLICT"
    hook = Caller(alice.key, idempotency="hook", request_digest="this")
    made = await hooks.create(sea, hook, prefix="a", url="https://example.com/x")
    assert (await hooks.create(sea, hook, prefix="a", url="https://example.com/x"))["id"] == made["id"]
    assert (await hooks.list_(sea, alice))["count"] == 1
    await service.until(1)
    assert len(await sea.engine.rows("SELECT 1 FROM delivery")) == 1
