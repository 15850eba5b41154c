"""Limits: a full queue, too many keys, queries of one caller, and a stop."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from ocean.api.callers import KeyBudget
from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query.find import find
from ocean.store import engine
from ocean.store.batch import Write
from ocean.store.sharing import Bounds
from ocean.turns import MOST, SIDE_BY_SIDE, Turns


async def test_a_full_queue_is_busy_and_what_was_accepted_is_done(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocean.log, "bounds", Bounds(queue=5))
    writes = [ocean.log.append(Write([Op("save", "q", str(i), "1")], alice.key or "")) for i in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    refused = [result.code for result in results if isinstance(result, OceanError)]
    assert refused == ["SERVER_BUSY"] * 15
    assert (await find(ocean, alice, prefix="q"))["count"] == 5


async def test_a_queue_of_too_many_bytes_is_busy(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocean.log, "bounds", Bounds(queue_bytes=10_000))
    writes = [ocean.log.append(Write([Op("save", "q", str(i), '"' + "x" * 4000 + '"')], alice.key or "")) for i in range(10)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert 0 < sum(isinstance(result, OceanError) for result in results) < 10


async def test_what_was_accepted_before_a_stop_is_answered(ocean: Ocean, alice: Caller) -> None:
    waiting = [asyncio.create_task(ocean.log.append(Write([Op("save", "s", str(i), "1")], alice.key or ""))) for i in range(50)]
    await asyncio.sleep(0)
    await ocean.log.close()
    assert len(await asyncio.gather(*waiting)) == 50
    with pytest.raises(OceanError) as caught:
        await ocean.log.append(Write([Op("save", "s", "late", "1")], alice.key or ""))
    assert caught.value.code == "SERVER_BUSY"


async def test_one_write_at_fault_does_not_take_its_batch_with_it(ocean: Ocean, alice: Caller) -> None:
    bad = Write([Op("save", "b", "bad", '"\x00"' if ocean.settings["OCEAN_STORE"] else "{broken")], alice.key or "")
    writes = [ocean.log.append(Write([Op("save", "b", str(i), "1")], alice.key or "")) for i in range(5)]
    results = await asyncio.gather(*writes, ocean.log.append(bad), *(), return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False] * 5 + [True]
    assert (await find(ocean, alice, prefix="b"))["count"] == 5


def test_keys_made_for_one_address_are_limited() -> None:
    budget = KeyBudget(3)
    for _ in range(3):
        budget.spend("192.0.2.1")
    budget.spend("192.0.2.2")
    with pytest.raises(OceanError) as caught:
        budget.spend("192.0.2.1")
    assert (caught.value.code, caught.value.status) == ("KEYGEN_LIMITED", 429)
    for i in range(3):
        budget.spend(f"2001:db8::{i}")
    with pytest.raises(OceanError):
        budget.spend("2001:db8::ffff")  # of the same household


async def test_queries_of_one_caller_wait_for_one_another_and_no_one_else() -> None:
    turns = Turns()
    ended = asyncio.Event()
    order: list[str] = []

    async def query(holder: str, wait: bool) -> None:
        async with turns.of(holder):
            order.append(holder)
            if wait:
                await ended.wait()

    mine = [asyncio.create_task(query("me", True)) for _ in range(MOST)]
    await asyncio.sleep(0)
    with pytest.raises(OceanError) as caught:
        await query("me", True)
    assert caught.value.code == "LIMIT_REACHED"
    await query("you", False)
    assert order == [*["me"] * SIDE_BY_SIDE, "you"]
    ended.set()
    await asyncio.gather(*mine)
    await query("me", False)


async def test_an_answer_that_is_too_large_says_so_and_a_list_goes_on(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocean.services.data import records as listing
    from ocean.store import scans

    for module in (engine, scans, listing):
        monkeypatch.setattr(module, "SCAN_BYTES", 10_000)
    for i in range(10):
        await records.save(ocean, alice, route="large", key=f"k{i}", payload="x" * 3000)
    with pytest.raises(OceanError) as caught:
        await find(ocean, alice, prefix="large")
    assert caught.value.code == "LIMIT_REACHED"
    with pytest.raises(OceanError):
        await find(ocean, alice, prefix="large", limit=9)
    seen: list[str] = []
    cursor = None
    while True:
        page = await records.list_(ocean, alice, route="large", cursor=cursor)
        seen += [record["key"] for record in page["entities"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert seen == [f"k{i}" for i in range(10)]


async def test_a_scan_that_takes_too_long_is_ended(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocean.store import postgres, scans

    for module in (scans, postgres):
        monkeypatch.setattr(module, "SCAN_SECONDS", 0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(OceanError) as caught:
        await ocean.engine.scan(endless)
    assert caught.value.code == "LIMIT_REACHED"
    assert (await ocean.engine.scan("SELECT 1"))[0][0] == 1


async def test_a_bulk_that_takes_many_folders_takes_a_time_for_each(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    async def taken(who: Caller, top: str, count: int) -> float:
        begun = time.process_time()
        await records.bulk(ocean, who, ops=[{"route": f"{top}/{number}", "key": "k", "payload": 1} for number in range(count)], brief=True)
        return time.process_time() - begun

    few, many = await taken(alice, "few", 1000), await taken(alice, "many", 8000)
    assert many < 20 * few  # and not the square of eight
    for route in ("many", "many/5"):
        with pytest.raises(OceanError) if route == "many/5" else contextlib.nullcontext():
            await records.save(ocean, bob, route=route, key="mine", payload=1)
    assert (await ocean.reader.rules("many"))["many"] is None  # folders of somebody else lie beneath


async def test_a_folder_is_not_taken_above_one_of_the_same_batch(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    writes = [
        Write([Op("save", "deep/down/here", "k", "1")], str(alice.key)),
        Write([Op("save", "deep", "k", "1"), Op("save", "deep/other", "k", "1")], str(bob.key)),
        Write([Op("save", "deep/down", "k", "1")], str(alice.key)),
    ]
    await asyncio.gather(*(ocean.log.append(write) for write in writes))
    rules = {**(await ocean.reader.rules("deep/down/here")), **(await ocean.reader.rules("deep/other"))}
    assert {route: rule.owner if rule else None for route, rule in rules.items()} == {
        "deep": None, "deep/down": alice.key, "deep/down/here": alice.key, "deep/other": bob.key,
    }  # fmt: skip
