"""Keys of devices: claimed on proof alone, handed on whole; and keys for a part; on each engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.access import PERMISSIONS, Scoped
from ocean.errors import OceanError
from ocean.services.access import claims, scoped
from ocean.services.access.identity import key_of, whoami
from ocean.services.live.hub import Hub
from ocean.services.live.streams import Ended, Event, follow
from ocean.services.money import credits
from ocean.store.reader import now
from tests.money.test_ledger import code
from tests.services.test_find import plain


async def say(ocean: Ocean, who: Caller, text: str) -> Any:
    return plain(await execute(ocean, who, parse(text)))


@pytest.fixture
def device() -> keys.Pair:
    return keys.generate()


async def test_a_claimed_key_s_folder_is_open_to_its_owner_on_every_path(
    ocean: Ocean, alice: Caller, bob: Caller, device: keys.Pair
) -> None:
    own = Caller(device.public)
    await say(ocean, own, f"save {device.public}/sensors @latest t: 20")
    await say(ocean, own, f"save {device.public}/app @x 1; share {device.public}/app with @{bob.key} mode shared")
    assert await code(say(ocean, alice, f"get {device.public}/sensors @latest")) == "FORBIDDEN"
    told = await claims.claim(ocean, alice, key=device.secret, label="Living room camera")
    assert (told["owner"], told["label"], told["type"]) == (alice.key, "Living room camera", "device")
    for who in (alice, own):
        assert (await say(ocean, who, f"get {device.public}/sensors @latest"))["payload"] == {"t": 20}
        assert (await say(ocean, who, f"find {device.public}/* then count"))["count"] == 2
        assert (await say(ocean, who, f"find {device.public}/app then count"))["count"] == 1
        assert (await say(ocean, who, f'sql "SELECT t FROM \\"{device.public}/sensors\\""'))["rows"] == [[20]]
        await say(ocean, who, f"save {device.public}/sensors @latest t: 20")
    assert (await say(ocean, bob, f"get {device.public}/app @x"))["payload"] == 1  # what the device shares goes on
    assert await code(say(ocean, bob, f"get {device.public}/sensors @latest")) == "FORBIDDEN"
    assert await claims.owner(ocean, Caller(None), key=device.public) == {"key": device.public, "claimed": True, "owner": alice.key}
    assert [one["key"] for one in (await claims.claimed(ocean, alice))["keys"]] == [device.public]
    assert (await claims.claimed(ocean, bob))["keys"] == []


async def test_a_key_is_not_claimed_without_proof(ocean: Ocean, alice: Caller, bob: Caller, device: keys.Pair) -> None:
    assert await code(claims.claim(ocean, alice, key=device.public)) == "FORBIDDEN"
    other = keys.generate()
    asked = await claims.challenge(ocean, alice, key=device.public)
    for signature in (keys.sign(other.secret, asked["message"].encode()), "", "x" * 86):
        assert await code(claims.claim(ocean, alice, key=device.public, challenge=asked["challenge"], signature=signature)) == "FORBIDDEN"
    good = keys.sign(device.secret, asked["message"].encode())
    assert await code(claims.claim(ocean, alice, key=device.public, challenge=asked["challenge"], signature=good)) == "FORBIDDEN"  # used up
    asked = await claims.challenge(ocean, alice, key=device.public)
    good = keys.sign(device.secret, asked["message"].encode())
    assert await code(claims.claim(ocean, bob, key=device.public, challenge=asked["challenge"], signature=good)) == "FORBIDDEN"
    asked = await claims.challenge(ocean, alice, key=device.public)
    good = keys.sign(device.secret, asked["message"].encode())
    assert (await claims.claim(ocean, alice, key=device.public, challenge=asked["challenge"], signature=good))["owner"] == alice.key
    await claims.release(ocean, alice, key=device.public)
    assert await code(claims.claim(ocean, alice, key=device.public, challenge=asked["challenge"], signature=good)) == "FORBIDDEN"


async def test_what_is_claimed_is_not_claimed_again(ocean: Ocean, alice: Caller, bob: Caller, device: keys.Pair) -> None:
    told = await asyncio.gather(*(claims.claim(ocean, who, key=device.secret) for who in (alice, bob)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in told) == ["OceanError", "dict"]
    assert {one.code for one in told if isinstance(one, OceanError)} == {"CONFLICT"}


async def test_a_transfer_takes_all_from_the_old_owner_at_once(ocean: Ocean, alice: Caller, bob: Caller, device: keys.Pair) -> None:
    friend, hub = Caller(keys.generate().public), Hub(ocean)
    await claims.claim(ocean, alice, key=device.secret)
    await say(ocean, alice, f"save {device.public}/s @k 1")
    await say(ocean, alice, f"share {device.public} with @{friend.key} mode shared; share {device.public}/s with @{friend.key} mode shared")
    assert (await say(ocean, friend, f"get {device.public}/s @k"))["payload"] == 1
    listening = asyncio.create_task(_until_ended(ocean, hub, alice, f"{device.public}/s"))
    await asyncio.sleep(0)
    while not hub.count:
        await asyncio.sleep(0)
    assert await code(claims.transfer(ocean, bob, key=device.public, to=str(bob.key))) == "FORBIDDEN"
    told = await claims.transfer(ocean, alice, key=device.public, to=str(bob.key))
    assert told["owner"] == bob.key
    for who in (alice, friend):
        assert await code(say(ocean, who, f"get {device.public}/s @k")) == "FORBIDDEN"
        assert await code(say(ocean, who, f"share {device.public}/s with @{who.key}")) == "FORBIDDEN"
    assert (await say(ocean, bob, f"get {device.public}/s @k"))["payload"] == 1
    assert (await asyncio.wait_for(listening, 10)) == "FORBIDDEN"
    await hub.close()
    assert await code(claims.transfer(ocean, alice, key=device.public, to=str(alice.key))) == "FORBIDDEN"
    await claims.release(ocean, bob, key=device.public)
    assert await code(say(ocean, bob, f"get {device.public}/s @k")) == "FORBIDDEN"
    assert (await say(ocean, Caller(device.public), f"get {device.public}/s @k"))["payload"] == 1


async def _until_ended(ocean: Ocean, hub: Hub, who: Caller, route: str) -> str:
    async for item in follow(ocean, hub, who, route):
        if isinstance(item, Ended):
            return item.code
    return ""


async def test_labels_and_what_can_t_be_said(ocean: Ocean, alice: Caller, bob: Caller, device: keys.Pair) -> None:
    assert await code(claims.relabel(ocean, alice, key=device.public, label="x")) == "NOT_FOUND"
    assert await code(claims.release(ocean, alice, key=device.public)) == "NOT_FOUND"
    await claims.claim(ocean, alice, key=device.secret)
    assert (await claims.relabel(ocean, alice, key=device.public, label="Door", type="agent"))["label"] == "Door"
    assert await code(claims.relabel(ocean, bob, key=device.public, label="x")) == "FORBIDDEN"
    assert await code(claims.relabel(ocean, alice, key=device.public)) == "INVALID_VALUE"
    assert await code(claims.relabel(ocean, alice, key=device.public, label="a\nb")) == "INVALID_VALUE"
    assert await code(claims.claim(ocean, alice, key="my/folder")) == "INVALID_VALUE"
    assert await code(claims.claim(ocean, alice, key=str(alice.key))) == "INVALID_VALUE"
    assert await code(claims.transfer(ocean, alice, key=device.public, to="@nobody1")) == "NOT_FOUND"
    assert await claims.owner(ocean, alice, key=str(bob.key)) == {"key": bob.key, "claimed": False, "owner": None}


async def scoped_of(ocean: Ocean, who: Caller, **said: Any) -> Caller:
    made = await scoped.make(ocean, who, **said)
    return Caller(await key_of(ocean, made["secret"]))


async def test_a_scoped_key_reads_and_writes_where_it_may_and_nowhere_else(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save mine/app @a n: 1; save mine/other @a n: 2; share mine with @x mode shared")
    reads = await scoped_of(ocean, alice, routes=["mine/app"])
    writes = await scoped_of(ocean, alice, routes=["mine/app"], permissions=["drop", "entity"])
    assert (await say(ocean, reads, "get mine/app @a"))["payload"] == {"n": 1}
    assert (await say(ocean, reads, "find mine/app where n = 1 then count"))["count"] == 1
    assert (await say(ocean, writes, "save mine/app @b n: 3"))["source"] == alice.key
    assert (await say(ocean, writes, "remove mine/app @b"))["deleted"]
    for who, text in (
        (reads, "get mine/other @a"), (reads, "find mine/*"), (reads, "save mine/app @b 1"), (reads, "remove mine/app @a"),
        (reads, 'sql "SELECT n FROM \\"mine/other\\""'), (writes, "find mine/app"), (writes, "save mine/other @b 1"),
        (writes, "save elsewhere @b 1"), (writes, f"share mine/app with @{alice.key}"), (writes, "revoke mine"),
        (writes, 'define "mine/app" fields { n: "number" }'), (writes, "when mine/app changes call \"https://example.com/\""),
        (writes, 'io send 1 to "x"'), (writes, "ledger"), (writes, "webhooks"), (writes, "ticket mine/app @a"), (writes, "domains"),
        (writes, "keys scoped"), (writes, "key claimed"), (writes, 'value create "v" name "V" symbol "V"'), (writes, "purchases"),
        (writes, "push subscriptions"), (writes, "sites"), (writes, "save _config/mine/app @stream { type: \"stream\" }"),
    ):  # fmt: skip
        assert await code(say(ocean, who, text)) == "FORBIDDEN", text
    assert await whoami(ocean, reads) == {
        "tier": "scoped", "key": alice.key, "routes": ["mine/app"], "permissions": sorted(set(PERMISSIONS) - {"drop"}),
    }  # fmt: skip


async def test_a_kept_answer_of_the_key_is_not_given_to_its_scoped_one(ocean: Ocean, alice: Caller) -> None:
    ops = "; ".join(f"save mine/big @k{i} n: {i}" for i in range(300))
    await say(ocean, alice, f"{ops}; share mine with @x mode shared")
    narrow = await scoped_of(ocean, alice, routes=["mine/small"])
    for _ in range(3):
        assert (await say(ocean, alice, "find mine/big where n > 5 sort n desc limit 1000"))["count"] == 294
        assert await code(say(ocean, narrow, "find mine/big where n > 5 sort n desc limit 1000")) == "FORBIDDEN"


async def test_primitives_find_for_a_scoped_key_what_lies_in_its_folders(ocean: Ocean, alice: Caller) -> None:
    for folder in ("a", "b"):
        await say(ocean, alice, f'save mine/{folder} @x _dates: ({{ start: "2026-03-01" }})')
    narrow = await scoped_of(ocean, alice, routes=["mine/a"])
    found = await say(ocean, narrow, 'primitives dates { $gte: "2026-01-01" }')
    assert [one["route"] for one in found["results"]] == ["mine/a"]


async def test_a_scoped_key_that_is_taken_back_or_over_opens_nothing(
    ocean: Ocean, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await scoped.make(ocean, alice, routes=["mine"], expires_in=60, label="ci")
    assert made["secret"].startswith("osc_")
    assert "secret" not in (await scoped.list_(ocean, alice))["keys"][0]
    assert await code(scoped.revoke(ocean, bob, id=made["id"])) == "NOT_FOUND"
    await scoped.revoke(ocean, alice, id=made["id"])
    assert await code(key_of(ocean, made["secret"])) == "INVALID_CREDENTIAL"
    other = await scoped.make(ocean, alice, routes=["mine"], expires_in=60)
    later = now() + 61_000
    monkeypatch.setattr(scoped, "now", lambda: later)
    assert await code(key_of(ocean, other["secret"])) == "INVALID_CREDENTIAL"
    kept = str([list(map(str, row)) for row in await ocean.engine.rows("SELECT * FROM scoped_key")])
    assert other["secret"] not in kept


async def test_a_stream_of_a_scoped_key_ends_with_it(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save mine/s @k 0; share mine with @x mode shared")
    made, hub = await scoped.make(ocean, alice, routes=["mine/s"]), Hub(ocean)
    who = Caller(await key_of(ocean, made["secret"]))
    heard: list[Any] = []

    async def listen() -> None:
        async for item in follow(ocean, hub, who, "mine/s"):
            heard.append(item)
            if isinstance(item, Ended):
                return

    listening = asyncio.create_task(listen())
    while not hub.count:
        await asyncio.sleep(0)
    await say(ocean, alice, "save mine/s @k 1")
    while not any(isinstance(one, Event) for one in heard):
        await asyncio.sleep(0.01)
    await scoped.revoke(ocean, alice, id=made["id"])
    await say(ocean, alice, "save mine/s @k 2")
    await asyncio.wait_for(listening, 10)
    await hub.close()
    assert sum(isinstance(one, Event) for one in heard) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"routes": []}, {"routes": [5]}, {"routes": ["a"] * 51}, {"routes": ["a"], "permissions": []},
        {"routes": ["a"], "permissions": ["all"]},
        {"routes": ["a"], "expires_in": 0}, {"routes": ["a"], "expires_in": 10**12}, {"routes": ["a"], "label": "x\ny"},
        {"routes": ["../a"]},
    ],
)  # fmt: skip
async def test_what_no_scoped_key_is_made_of(ocean: Ocean, alice: Caller, said: dict[str, Any]) -> None:
    assert await code(scoped.make(ocean, alice, **said)) in ("INVALID_VALUE", "INVALID_ROUTE")


async def test_a_scoped_key_makes_no_other_and_has_no_money(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    narrow = await scoped_of(ocean, alice, routes=["mine"], permissions=list(PERMISSIONS))
    assert isinstance(narrow.key, Scoped)
    assert await code(scoped.make(ocean, narrow, routes=["other"])) == "FORBIDDEN"
    await credits.grant(ocean, str(alice.key), 10)
    assert await code(credits.send(ocean, narrow, to=str(bob.key), amount=1)) == "FORBIDDEN"
    assert await code(credits.lines(ocean, replace(narrow))) == "FORBIDDEN"
