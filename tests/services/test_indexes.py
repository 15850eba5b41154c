"""Indexes that are made by themselves: found faster, the same rows; kept by every write; gone when nobody asks."""

from __future__ import annotations

import contextlib
import random
from typing import Any

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query import indexes
from ocean.store import field_indexes
from ocean.store.reader import now
from tests.services.test_find import ask, rows

VALUES: list[Any] = [1, 2.5, -3, 10**15, "text", "Text", "", True, False, None, [1], {"a": 1}, "zebra", 7, 7.0, "7"]
QUESTIONS = [
    "where v = 7",
    'where v = "7"',
    "where v > 1",
    "where v >= 2.5 and n < 500",
    "where v between -5 and 5",
    'where v in (1, "zebra", true)',
    "where v = true",
    'where v >= "a"',
    "where v < 0",
    'where v <= "Text" and v > ""',
    "where v = 1000000000000000",
    "where not v = 7",
    "where v = null",
    "where v = 7 or v = 1",
]


async def fill(ocean: Ocean, who: Caller) -> None:
    chance = random.Random(5)
    ops = [{"route": "big", "key": f"k{i}", "payload": {"v": chance.choice(VALUES), "n": i}} for i in range(1200)]
    await records.bulk(ocean, who, ops=ops)
    await records.bulk(ocean, who, ops=[{"route": "big", "payload": {"n": -1}}, {"route": "big", "payload": "no object"}])


async def answers(ocean: Ocean, who: Caller) -> list[Any]:
    found = []
    for question in QUESTIONS:
        for tail in ("then count", "sort v limit 50 pick key, v", "sort v desc, n limit 50 pick key", "sort n desc limit 5 pick n"):
            answer = await ask(ocean, who, f"find big {question} {tail}")
            found.append(answer.get("results", answer.get("count")))
    found.append([row["key"] for row in await rows(ocean, who, "find big sort v desc limit 1000 pick key")])
    return found


async def test_an_index_changes_nothing_but_the_way(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    before = await answers(ocean, alice)
    assert (await ask(ocean, alice, "explain find big where v = 7"))["index"] is None
    keeper = indexes.Keeper(ocean)
    assert await keeper.look() >= 1
    status = await ask(ocean, alice, "status big")
    assert {"field": "v", "ready": True} in status["indexes"]
    plan = await ask(ocean, alice, "explain find big where v = 7")
    assert plan["index"] == "v"
    assert await answers(ocean, alice) == before
    for text in ("update big @k1 v: 7", "remove big @k2", "save big @k3 v: 7 n: 3", "save big @new v: 7 n: 9999", "add 7 to big @k4 v"):
        with contextlib.suppress(OceanError):  # what v is may not be a number to add to
            await execute(ocean, alice, parse(text))
    await execute(ocean, alice, parse("save counted @c n: 1; bulk (save big @a1 v: 7, update big @a1 v: 1, remove big @k5)"))
    with_index = await answers(ocean, alice)
    index = (await ocean.reader.indexed("big"))["v"]
    await field_indexes.drop(ocean.engine, "big", "v", index)
    assert await answers(ocean, alice) == with_index
    assert await ocean.engine.rows("SELECT id FROM entry WHERE field = ?", (index,)) == []


async def test_counters_expired_and_removed_records_leave_the_index(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    await field_indexes.create(ocean.engine, "big", "views", now())
    await execute(ocean, alice, parse("add 5 to big @k1 views; add 2 to big @k1 views"))
    assert await rows(ocean, alice, "find big where views = 7 pick key") == [{"key": "k1"}]
    assert await rows(ocean, alice, "find big where views = 5") == []
    await execute(ocean, alice, parse("find big then last 1000 then remove"))
    ((orphans,),) = await ocean.engine.rows(
        "SELECT count(*) FROM entry e LEFT JOIN record r ON r.seq = e.seq AND r.removed = 0 WHERE r.seq IS NULL"
    )
    assert orphans == 0


async def test_what_nobody_asks_by_is_dropped(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    await field_indexes.create(ocean.engine, "big", "v", now() - 2 * indexes.IDLE)
    keeper = indexes.Keeper(ocean)
    await ask(ocean, alice, "find big where v = 7")
    assert await keeper.tidy() == 0  # somebody has
    await field_indexes.create(ocean.engine, "big", "n", now() - 2 * indexes.IDLE)
    assert await keeper.tidy() == 1
    assert set(await ocean.reader.indexed("big")) == {"v"}


async def test_a_small_folder_gets_none(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("save small @a n: 1"))
    for _ in range(indexes.ENOUGH + 5):
        await ask(ocean, alice, "find small where n = 1")
    assert await indexes.Keeper(ocean).look() == 0


async def test_a_cursor_goes_on_though_an_index_came_between(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    for sort in ("v", "v desc", "v desc, n"):
        first = await ask(ocean, alice, f"find big sort {sort} limit 500")
        await field_indexes.create(ocean.engine, "big", "v", now())
        second = await ask(ocean, alice, f'find big sort {sort} limit 400 after "{first["next_cursor"]}"')
        await field_indexes.drop(ocean.engine, "big", "v", (await ocean.reader.indexed("big"))["v"])
        third = await ask(ocean, alice, f'find big sort {sort} limit 500 after "{second["next_cursor"]}"')
        whole = [row["drop_id"] for page in (first, second, third) for row in page["results"]]
        assert (len(whole), len(set(whole))) == (1202, 1202), sort


async def test_who_may_not_ask_makes_no_index(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await fill(ocean, alice)
    await execute(ocean, alice, parse(f"share big with @{alice.key} mode shared"))
    for _ in range(30):
        with contextlib.suppress(OceanError):
            await execute(ocean, bob, parse("find big where junk = 1"))
        await execute(ocean, alice, parse("explain find big where junk = 1"))
    assert not ocean.usage.asked


async def test_filling_an_index_looks_at_each_record_once(ocean: Ocean, alice: Caller) -> None:
    """It once walked along the whole index for each record, and whoever wrote meanwhile waited."""
    plan = "EXPLAIN QUERY PLAN DELETE FROM entry WHERE +field = 1 AND seq = 2"
    if ocean.engine.dialect.name == "sqlite":
        assert "entry_seq" in str(await ocean.engine.rows(plan)) or "(seq=?)" in str(await ocean.engine.rows(plan))
    await fill(ocean, alice)
    await field_indexes.create(ocean.engine, "big", "n", now())
    assert (await ocean.engine.rows("SELECT count(*) FROM entry"))[0][0] == 1202
