"""Many with keys for the asking, against one who waits for a hook of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from ocean.context import Caller, Ocean
from ocean.egress.broker import Broker
from ocean.followers import hooks as follower
from ocean.services.data import records
from ocean.services.live import hooks
from ocean.store.engine import asker
from ocean.store.scans import Places
from ocean.turns import Turns
from tests.services.test_find import ask
from tests.services.test_hooks import LOOPBACK, receiver


@pytest.fixture
async def calling(ocean: Ocean) -> AsyncIterator[Ocean]:
    await ocean.egress.close()
    ocean.egress = Broker(LOOPBACK)
    task = asyncio.get_running_loop().create_task(follower.run(ocean))
    yield ocean
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_thousand_hooks_that_never_answer_hold_up_no_other(calling: Ocean, alice: Caller) -> None:
    async with receiver() as silent, receiver() as honest:
        silent.hold = asyncio.Event()
        await ask(calling, alice, "save open @first x: 1")
        for owner in range(65):
            for _ in range(17):
                await hooks.create(calling, Caller(f"evil-{owner}"), prefix="open", url=silent.url.replace("127.0.0.1", "127.0.0.2"))
        await hooks.create(calling, alice, prefix="open", url=honest.url)
        for number in range(5):
            await ask(calling, alice, f"save open @k{number} x: {number}")
        async with asyncio.timeout(15):
            await honest.until(5)


async def test_filters_that_take_long_are_stopped_and_others_are_told(calling: Ocean, alice: Caller) -> None:
    async with receiver() as honest:
        await ask(calling, alice, "save open @first x: 1")
        heavy = {f"t{i}": {"$regex": "(x[a-y]{1,40}){1,12}z0$"} for i in range(3)}
        for _ in range(20):
            await hooks.create(
                calling, Caller("evil"), prefix="open", url="https://example.com/x", filter={"$or": [{k: v} for k, v in heavy.items()]}
            )
        await hooks.create(calling, alice, prefix="open", url=honest.url)
        text = "xa" * 40_000
        ops = [{"route": "open", "key": f"k{n}", "payload": {f"t{i}": text for i in range(3)}} for n in range(12)]
        await records.bulk(calling, alice, ops=ops)
        async with asyncio.timeout(60):
            await honest.until(12)


async def test_the_next_place_to_scan_in_is_for_whoever_has_the_fewest() -> None:
    """Two addresses held all threads, and whoever came later waited behind all that they had asked before."""
    places = Places(4)
    order: list[str] = []

    async def scan(who: str) -> None:
        await places.take(who)
        order.append(who)

    for who in ("hog", "hog", "hog", "other"):
        await scan(who)
    waiting = [asyncio.create_task(scan(who)) for who in ("hog", "hog", "other", "victim", "hog", "victim")]
    while not places.has_any("victim"):
        await asyncio.sleep(0)
    for who in ("hog", "hog", "other", "victim", "hog", "victim"):
        places.leave(who)
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order[4:] == ["victim", "hog", "other", "victim", "hog", "hog"]  # as many: who waits longest


async def test_a_place_that_was_given_to_whoever_has_gone_is_given_to_the_next() -> None:
    places = Places(1)
    await places.take("first")
    gone = [asyncio.create_task(places.take("gone")) for _ in range(2)]
    stays = asyncio.create_task(places.take("stays"))
    await asyncio.sleep(0)
    gone[0].cancel()
    await asyncio.sleep(0)
    places.leave("first")  # to the second of them,
    gone[1].cancel()  # who goes before it has heard
    await stays
    places.leave("stays")
    await places.take("last")
    places.leave("last")
    assert not any(places.has_any(who) for who in ("first", "gone", "stays", "last"))


async def test_a_scan_is_for_whom_the_turn_is(alice: Caller) -> None:
    turns = Turns()
    async with turns.of(*alice.holders):
        assert asker.get() == alice.holders[0]
    assert asker.get() == ""
