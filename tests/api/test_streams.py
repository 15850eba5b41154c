"""Streams: order, gaps, slow readers, limits, and access taken away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import orjson
import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.live import hub as hubs
from ocean.services.live.hub import Ended, Event, Hub
from ocean.services.live.streams import CaughtUp, Gap, Item, follow
from ocean.store.purge import purge
from ocean.store.reader import now


@pytest.fixture
async def hub(ocean: Ocean) -> AsyncIterator[Hub]:
    hub = Hub(ocean)
    yield hub
    await hub.close()


async def say(ocean: Ocean, who: Caller, text: str) -> None:
    await execute(ocean, who, parse(text))


async def take(items: AsyncIterator[Item], count: int) -> list[Item]:
    return [await asyncio.wait_for(anext(items), 10) for _ in range(count)]


def payloads(items: list[Item]) -> list[object]:
    return [orjson.loads(item.data)["payload"] if isinstance(item, Event) else type(item).__name__ for item in items]


async def test_nothing_is_lost_or_doubled_between_history_and_life(ocean: Ocean, hub: Hub, alice: Caller) -> None:
    async def writer() -> None:
        for i in range(300):
            await say(ocean, alice, f"save s/a {i}")

    await say(ocean, alice, 'save s/a "first"')
    writing = asyncio.create_task(writer())
    for _ in range(5):
        items = follow(ocean, hub, alice, "s/*", after=0)
        seen: list[object] = []
        while len(seen) < 302:
            seen += payloads(await take(items, 1))
        assert [p for p in seen if p != "CaughtUp"] == ["first", *range(300)]
        assert seen.count("CaughtUp") == 1
        await items.aclose()  # type: ignore[attr-defined]
    await writing
    assert hub.count == 0


async def test_last_counts_only_what_may_be_seen(ocean: Ocean, hub: Hub, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, f"save s/open 1\nsave s/open 2\nsave s/closed 3\nshare s/closed with @{alice.key} mode shared\nsave s/closed 4")
    items = follow(ocean, hub, bob, "s/*", last=2)
    assert payloads(await take(items, 3)) == [1, 2, "CaughtUp"]
    await say(ocean, alice, "save s/closed 5\nsave s/open 6")
    assert payloads(await take(items, 1)) == [6]


async def test_what_expired_is_a_gap(ocean: Ocean, hub: Hub, alice: Caller) -> None:
    await say(ocean, alice, "save g 1\nsave g 2 keep 1000\nsave g 3 keep 1000\nsave g 4")
    assert await purge(ocean.engine, now() + 2_000_000) == 2
    items = await take(follow(ocean, hub, alice, "g", after=0), 4)
    assert payloads(items) == [1, "Gap", 4, "CaughtUp"]
    assert await take(follow(ocean, hub, alice, "g", after=10_000), 2) == [Gap(5, 10_000), CaughtUp(0)]


async def test_a_slow_reader_is_cut_and_told(ocean: Ocean, hub: Hub, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "BEHIND", 10)
    subscriber = await hub.attach(alice, "slow", False)
    for i in range(10):
        subscriber.push(Event(i, b"1"))
    assert len(await subscriber.next()) == 10
    for i in range(11):
        subscriber.push(Event(i, b"1"))
    assert await subscriber.next() == [Ended("LAGGED")]
    subscriber.push(Event(99, b"1"))
    assert await subscriber.next() == [Ended("LAGGED")]
    hub.detach(subscriber)
    assert hub.count == 0


async def test_a_change_of_access_ends_streams_within_a_second(ocean: Ocean, hub: Hub, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, f"save room @a 1\nshare room with @{alice.key} mode shared\nshare room with @{bob.key}")
    items = follow(ocean, hub, bob, "room/*")
    assert payloads(await take(items, 1)) == ["CaughtUp"]
    begun = time.monotonic()
    await say(ocean, alice, f"revoke room from {bob.key}")
    assert await take(items, 1) == [Ended("FORBIDDEN")]
    assert time.monotonic() - begun < 1
    with pytest.raises(OceanError):
        await anext(follow(ocean, hub, bob, "room"))


async def test_one_caller_holds_only_so_many(ocean: Ocean, hub: Hub, alice: Caller, bob: Caller) -> None:
    ocean.settings = {**ocean.settings, "OCEAN_STREAMS_PER_CALLER": "2"}
    held = [follow(ocean, hub, alice, "a") for _ in range(2)]
    for items in held:
        await take(items, 1)
    with pytest.raises(OceanError) as caught:
        await anext(follow(ocean, hub, alice, "a"))
    assert caught.value.code == "LIMIT_REACHED"
    await take(follow(ocean, hub, bob, "a"), 1)
    await held[0].aclose()  # type: ignore[attr-defined]
    await take(follow(ocean, hub, alice, "a"), 1)


async def test_a_priced_drop_is_a_stub_to_others(ocean: Ocean, hub: Hub, alice: Caller, bob: Caller) -> None:
    theirs, mine = follow(ocean, hub, bob, "shop"), follow(ocean, hub, alice, "shop")
    await take(theirs, 1)
    await take(mine, 1)
    await say(ocean, alice, 'save shop @a "dear" price 5')
    (stub,), (whole,) = await take(theirs, 1), await take(mine, 1)
    assert isinstance(stub, Event)
    assert isinstance(whole, Event)
    assert orjson.loads(stub.data)["_gated"] is True
    assert b"dear" not in stub.data
    assert orjson.loads(whole.data)["payload"] == "dear"
