"""Priced records: kept from who has not bought them on every read path, and on every one open to who has; on each engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Budget, Caller, Ocean
from ocean.core.money import FEES, IO
from ocean.errors import OceanError
from ocean.services.live.hub import Hub
from ocean.services.live.streams import Event, follow
from ocean.services.money import credits, purchases
from ocean.services.query.export import Export
from ocean.store import ledger
from tests.money.test_ledger import code
from tests.services.searching import indexed
from tests.services.test_find import plain

SECRET = "the words nobody has for nothing"


async def say(ocean: Ocean, who: Caller, text: str) -> Any:
    return plain(await execute(ocean, who, parse(text)))


@pytest.fixture
async def sold(ocean: Ocean, alice: Caller, bob: Caller) -> str:
    """Alice sells a record for 5 io, and bob has 100."""
    await credits.grant(ocean, str(bob.key), 100)
    told = await say(
        ocean, alice, f'save shop @paid text: "{SECRET}" n: 7 _dates: ({{ start: "2026-03-01" }}) _preview: "the first" price 5'
    )
    await say(ocean, alice, 'save shop @free text: "for all" n: 1')
    return str(told["drop_id"])


async def paths(ocean: Ocean, who: Caller) -> dict[str, str]:
    """What a reader gets by each way of reading, as text."""
    asked = {
        "get": "get shop @paid", "history": "list shop", "find": "find shop", "filter": "find shop where n > 5",
        "sort": "find shop sort n desc pick key", "group": "find shop group n sum n", "count": "find shop then count",
        "sql": 'sql "SELECT text, n FROM shop"', "join": "find shop join shop on n = n pick *, text", "deep": "find shop/*",
        "primitives": 'primitives dates { $gte: "2026-01-01" }', "search": 'search shop "words nobody has"', "embed": "get page @it",
    }  # fmt: skip
    found = {}
    for name, text in asked.items():
        try:
            found[name] = str(await say(ocean, who, text))
        except OceanError as fault:
            found[name] = fault.code
    for name, latest in (("export", True), ("export of all versions", False)):
        export = Export(ocean, who, route="shop", latest=latest)
        found[name] = "".join([part async for part in export.text()])
    return found


async def test_every_way_of_reading_holds_the_price_and_opens_to_who_has_paid(
    ocean: Ocean, alice: Caller, bob: Caller, sold: str
) -> None:  # fmt: skip
    await say(ocean, bob, 'save page @it { hero: { "$embed": { route: "shop", key: "paid" } } }')
    async with indexed(ocean):
        await ocean.indexing.written()
        before = await paths(ocean, bob)
        assert [name for name, text in before.items() if SECRET in text] == []
        assert "'n': 7" not in before["filter"] + before["sort"] + before["group"]
        assert "paid" not in before["sort"]
        assert before["count"] == "{'count': 1}"
        told = await purchases.purchase(ocean, bob, drop_id=sold)
        assert (told["price"], told["remaining"]) == (5, 95)
        after = await paths(ocean, bob)
        open_ = {name for name, text in after.items() if SECRET in text}
        whole = {"get", "history", "find", "filter", "sql", "join", "deep", "primitives", "search", "embed"}
        assert open_ == {*whole, "export", "export of all versions"}, {name: after[name] for name in whole - open_}
        assert after["count"] == "{'count': 2}"
        stranger = await paths(ocean, Caller(None))
        assert [name for name, text in stranger.items() if SECRET in text] == []
    assert await credits.balance(ocean, str(alice.key)) == 4.95
    assert await ledger.balance_of(ocean.engine, IO, FEES) == 5
    assert await ledger.faults(ocean.engine) == []


async def test_the_stub_says_what_its_writer_shows(ocean: Ocean, bob: Caller, sold: str) -> None:
    assert await say(ocean, bob, "get shop @paid") == {
        "drop_id": sold, "route": "shop", "key": "paid", "price": 5, "preview": "the first", "_gated": True,
    }  # fmt: skip
    offer = await purchases.offer(ocean, bob, drop_id=sold)
    assert (offer["price"], offer["preview"], offer["bought"]) == (5, "the first", False)
    assert offer["url"].endswith("/shop/paid")


async def test_streams_tell_the_whole_to_who_has_bought_and_the_stub_to_others(
    ocean: Ocean, alice: Caller, bob: Caller, sold: str
) -> None:  # fmt: skip
    hub = Hub(ocean)
    await purchases.purchase(ocean, bob, drop_id=sold)

    async def next_of(who: Caller) -> str:
        async for item in follow(ocean, hub, who, "shop"):
            if isinstance(item, Event):
                return str(item.data)
            if item is not None:
                ready.release()
        return ""

    ready = asyncio.Semaphore(0)
    listening = [asyncio.create_task(next_of(who)) for who in (alice, bob, Caller(None))]
    for _ in listening:
        await ready.acquire()
    await say(ocean, alice, f'save shop @paid text: "{SECRET}" n: 8 price 6')
    heard = await asyncio.wait_for(asyncio.gather(*listening), 20)
    await hub.close()
    assert [SECRET in text for text in heard] == [True, True, False]
    assert '"_gated":true' in heard[2]


async def test_what_was_bought_is_bought_with_its_later_versions_and_once(ocean: Ocean, alice: Caller, bob: Caller, sold: str) -> None:
    told = await asyncio.gather(*(purchases.purchase(ocean, bob, drop_id=sold) for _ in range(10)))
    assert sum("txn_id" in one for one in told) == 1
    assert await credits.balance(ocean, str(bob.key)) == 95
    await say(ocean, alice, 'save shop @paid text: "newer" price 9')
    assert (await say(ocean, bob, "get shop @paid"))["payload"] == {"text": "newer"}
    assert [one["key"] for one in (await purchases.bought(ocean, bob))["purchases"]] == ["paid"]


async def test_who_buys_pays_what_they_saw(ocean: Ocean, alice: Caller, bob: Caller, sold: str) -> None:
    await say(ocean, alice, 'save shop @paid text: "dearer" price 50')
    assert await code(purchases.purchase(ocean, bob, drop_id=sold)) == "CONFLICT"
    assert await credits.balance(ocean, str(bob.key)) == 100
    await say(ocean, alice, 'save shop @paid text: "for nothing now"')
    assert await code(purchases.purchase(ocean, bob, drop_id=sold)) == "CONFLICT"
    await say(ocean, alice, "remove shop @paid")
    assert await code(purchases.purchase(ocean, bob, drop_id=sold)) == "NOT_FOUND"
    assert await code(purchases.offer(ocean, bob, drop_id="none")) == "NOT_FOUND"


async def test_what_can_t_be_bought(ocean: Ocean, alice: Caller, bob: Caller, sold: str) -> None:
    poor = Caller("x" * 43)
    assert await code(purchases.purchase(ocean, alice, drop_id=sold)) == "INVALID_VALUE"
    assert await code(purchases.purchase(ocean, poor, drop_id=sold)) == "RATE_LIMITED"
    assert await code(purchases.purchase(ocean, Caller(None), drop_id=sold)) == "KEY_REQUIRED"
    await say(ocean, alice, f"share shop with @{alice.key} mode shared")
    assert await code(purchases.purchase(ocean, bob, drop_id=sold)) == "NOT_FOUND"  # nothing is told of a closed folder
    assert await code(purchases.offer(ocean, bob, drop_id=sold)) == "NOT_FOUND"


async def test_a_record_that_comes_to_be_another_s_is_another_thing(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 100)
    mine = await say(ocean, alice, "write public fair @stall 1")
    await say(ocean, alice, "save fair @stall 2 price 5")
    head = (await say(ocean, bob, "get fair @stall"))["drop_id"]
    assert head != mine["drop_id"]
    await purchases.purchase(ocean, bob, drop_id=head)
    assert (await say(ocean, bob, "get fair @stall"))["payload"] == 2


async def test_an_event_is_bought_by_itself(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 100)
    told = [await say(ocean, alice, f'save news "{text}" price 2') for text in ("one", "two")]
    await purchases.purchase(ocean, bob, drop_id=told[0]["drop_id"])
    assert [one["payload"] for one in (await say(ocean, bob, "find news"))["results"]] == ["one"]


async def test_a_refund_gives_all_back_and_closes_the_record(ocean: Ocean, alice: Caller, bob: Caller, sold: str) -> None:
    sale = (await purchases.purchase(ocean, bob, drop_id=sold))["txn_id"]
    assert await code(purchases.refund(ocean, bob, id=sale)) == "NOT_FOUND"
    told = await asyncio.gather(*(purchases.refund(ocean, alice, id=sale) for _ in range(5)))
    assert [one["refunded"] for one in told] == [5] * 5
    assert (await credits.balance(ocean, str(alice.key)), await credits.balance(ocean, str(bob.key))) == (0, 100)
    assert "_gated" in await say(ocean, bob, "get shop @paid")
    earned = await purchases.earnings(ocean, alice)
    assert (earned["sold"], earned["net"], "refunded_at" in earned["sales"][0]) == (0, 0, True)
    again = await purchases.purchase(ocean, bob, drop_id=sold)
    await credits.send(ocean, alice, to=str(bob.key), amount=4)
    assert await code(purchases.refund(ocean, alice, id=again["txn_id"])) == "RATE_LIMITED"  # the seller has spent it
    assert (await say(ocean, bob, "get shop @paid"))["payload"]["n"] == 7
    assert await ledger.faults(ocean.engine) == []


async def test_what_is_sold_by_the_reading_is_paid_once_a_request_within_its_budget(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 10)
    await say(ocean, alice, 'save feed @ticker text: "up" price_per_read 2')
    assert await say(ocean, bob, "get feed @ticker") == {
        **await say(ocean, bob, "get feed @ticker"), "price_per_read": 2, "_gated": True,
    }  # fmt: skip
    await say(
        ocean, bob, 'save wall @it { a: { "$embed": { route: "feed", key: "ticker" } }, b: { "$embed": { route: "feed", key: "ticker" } } }'
    )
    spending = replace(bob, budget=Budget(300))
    wall = (await say(ocean, spending, "get wall @it"))["payload"]
    assert [wall[name]["payload"] for name in "ab"] == [{"text": "up"}] * 2
    assert await credits.balance(ocean, str(bob.key)) == 8
    assert (await say(ocean, replace(bob, budget=Budget(199)), "get feed @ticker"))["_gated"]
    several = await say(ocean, replace(bob, budget=Budget(300)), "get feed @ticker; get feed @ticker")
    assert [one["payload"]["text"] for one in several["results"]] == ["up", "up"]
    assert await credits.balance(ocean, str(bob.key)) == 6
    assert (await say(ocean, replace(alice, budget=Budget(300)), "get feed @ticker"))["payload"] == {"text": "up"}
    earned = await purchases.earnings(ocean, alice)
    assert (earned["reads"], earned["gross"], earned["net"]) == (2, 4, 3.96)
    assert await code(purchases.purchase(ocean, bob, drop_id=(await say(ocean, bob, "get feed @ticker"))["drop_id"])) == "CONFLICT"
    poor = replace(Caller("x" * 43), budget=Budget(10_000))
    assert (await say(ocean, poor, "get feed @ticker"))["_gated"]
    assert (await say(ocean, bob, "find feed"))["results"] == []


async def test_a_counter_and_an_update_keep_both_prices(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, 'save shop @both text: "x" price 5 price_per_read 1')
    await say(ocean, alice, "update shop @both n: 2")
    await say(ocean, alice, "add 1 to shop @both views")
    assert (await say(ocean, bob, "get shop @both")) | {"drop_id": ""} == {
        "drop_id": "", "route": "shop", "key": "both", "price": 5, "price_per_read": 1, "_gated": True,
    }  # fmt: skip
    assert (await say(ocean, alice, "get shop @both"))["price_per_read"] == 1
