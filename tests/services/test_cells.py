"""Cells: plain values of fields kept beside the records' JSON. They change nothing but the time an answer takes."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.kept import Kept
from ocean.services.data import records
from ocean.services.query import indexes, scope
from ocean.store import field_cells
from ocean.store.purge import purge
from ocean.store.reader import now
from tests.services.test_find import ask, rows

VALUES: list[Any] = [
    1, 0, 2.5, -3, 10**15, 2**63, -(2**70), 1e300, 0.1, "text", "Text", "", "[", '{"a":1}', "true", "null", "x" * 499, "x" * 501, "é" * 600,
    True, False, None, [1], [1, 2], {"a": 1}, {"b": {"c": 2}}, [], "zebra", 7, 7.0, "7",
]  # fmt: skip
QUESTIONS = [
    "where v = 7 pick key, v",
    'where v = "7" pick key, v',
    "where v = true pick key",
    "where v = null pick key",
    "where v != 7 then count",
    "where v > 1 pick key, v",
    "where v <= 2.5 pick key, v",
    'where v > "T" pick key',
    'where v <= "text" pick key, v',
    "where v between -5 and 5 pick key",
    'where v in (1, "zebra", true, null) pick key',
    "where v not in (1, 7) then count",
    "where v exists then count",
    "where v missing then count",
    'where v contains "x" pick key',
    "where v contains 1 pick key",
    'where v starts with "TE" pick key',
    'where v ends with "é" pick key',
    'where v matches "^x{500}" pick key',
    "where v.a = 1 pick key",
    "sort v pick key, v",
    "sort v desc, n pick key",
    "group v sum n count",
    "group v count then sort count desc, v then limit 5",
    "group v sum n count limit 3",
    "group n, v avg n count",
    "where v > 1 group v sum v count",
    "group missing count",
    "group v count skip 1 limit 3",
    "group n, v sum n skip 2",
    "group v count then skip 2 then limit 4",
    "group v count",
    "group n avg v count",
    "group n first v last v distinct v min v max v count",
    'where n < 3 and v > "A" group n min v max v first v last v distinct v',
    "where v > 1 then sort n then limit 7 then where v < 1000 then pick v, n",
    "join other on v = v pick key, v, n, w",
    "join other on n = key where v > 0 pick v, n",
]


async def fill(ocean: Ocean, who: Caller) -> None:
    chance = random.Random(11)
    ops = [{"route": "big", "key": f"k{i:03}", "payload": {"v": VALUES[i % len(VALUES)], "n": chance.randrange(5)}} for i in range(400)]
    await records.bulk(ocean, who, ops=[*ops, {"route": "big", "payload": {"n": -1}}, {"route": "big", "payload": "no object"}])
    await records.bulk(ocean, who, ops=[{"route": "other", "key": str(i), "payload": {"v": v, "w": i}} for i, v in enumerate(VALUES)])


async def answers(ocean: Ocean, who: Caller) -> list[Any]:
    found = []
    for question in QUESTIONS:
        ocean.kept = Kept()  # no answer of before
        answer = await ask(ocean, who, f"find big {question} then limit 1000" if "then" not in question else f"find big {question}")
        found.append((question, answer.get("results", answer.get("count"))))
    return found


@pytest.fixture
def cells(ocean: Ocean) -> int:
    if not ocean.engine.dialect.cells:
        pytest.skip("this engine reads its JSON as it is")
    return ocean.engine.dialect.cells


@pytest.mark.usefixtures("cells")
async def test_a_cell_changes_no_answer(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    before = await answers(ocean, alice)
    for field in ("v", "n", "v.a"):
        await field_cells.create(ocean.engine, "big", field, now())
    plan = await ask(ocean, alice, "explain find big where v > 1")
    assert "r.c1 >" in plan["sql"]
    plan = await ask(ocean, alice, "explain find big group n sum v count")
    assert "json_extract" not in plan["sql"], "groups of plain values are made of cells alone"
    for _ in range(2):  # the second time it is known that cells do not do
        assert (await ask(ocean, alice, "find big group v count"))["results"] == dict(before)["group v count"]
    assert "json_extract" in (await ask(ocean, alice, "explain find big group v count"))["sql"]
    for (question, with_cells), (_, without) in zip(await answers(ocean, alice), before, strict=True):
        assert with_cells == without, question


@pytest.mark.usefixtures("cells")
async def test_every_write_keeps_the_cells(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    for field in ("v", "n", "views"):
        await field_cells.create(ocean.engine, "big", field, now())
    for text in (
        "update big @k001 v: 7", "remove big @k002", "save big @k003 v: 7 n: 3", 'save big @new v: "new" n: 4', "save big @k004 null",
        "add 5 to big @k005 views; add 2 to big @k005 views", "bulk (save big @a1 v: 7, update big @a1 v: 1, remove big @k006)",
        "find big where n = 2 then update v: true", 'save big @gone v: "gone" keep 1', "save big @k007 {}", "save big 17",
    ):  # fmt: skip
        await execute(ocean, alice, parse(text))
    while await rows(ocean, alice, 'find big where v = "gone" pick key'):  # or it would go between the two looks
        await asyncio.sleep(0.05)
    kept = await answers(ocean, alice)
    assert await rows(ocean, alice, "find big where views = 7 pick key") == [{"key": "k005"}]
    for field, number in (await ocean.reader.cells("big")).items():
        await field_cells.drop(ocean.engine, "big", field, number)
    assert await ocean.reader.cells("big") == {}
    for (question, with_cells), (_, without) in zip(kept, await answers(ocean, alice), strict=True):
        assert with_cells == without, question


async def test_a_folder_has_room_for_some_and_idle_ones_make_room(ocean: Ocean, alice: Caller, cells: int) -> None:
    await fill(ocean, alice)
    made = [await field_cells.create(ocean.engine, "big", f"f{i}", now() - 2 * indexes.IDLE) for i in range(cells + 2)]
    assert made == [*range(1, cells + 1), None, None]
    assert await field_cells.create(ocean.engine, "big", "f3", now()) == 4  # it has one
    await ask(ocean, alice, "find big where f3 > 1")
    keeper = indexes.Keeper(ocean)
    await keeper.tidy()
    assert await ocean.reader.cells("big") == {"f3": 4}


@pytest.mark.usefixtures("cells")
async def test_what_is_often_read_gets_a_cell_by_itself(ocean: Ocean, alice: Caller) -> None:
    ops = [{"route": "big", "key": f"k{i}", "payload": {"v": i % 7, "n": i}} for i in range(indexes.LEAST)]
    await records.bulk(ocean, alice, ops=ops)
    for i in range(indexes.ENOUGH):
        await ask(ocean, alice, f"find big where n > {i} group v sum n")
    await indexes.Keeper(ocean).look()
    assert set(await ocean.reader.cells("big")) == {"v", "n"}


@pytest.mark.usefixtures("cells")
async def test_what_is_destroyed_leaves_nothing_in_a_cell(ocean: Ocean, alice: Caller) -> None:
    """A copy in a cell once outlasted the record that it was of."""
    await execute(ocean, alice, parse('save big @a v: "expiring" keep 1; save big @b v: "removed"; save big @c v: "stays"'))
    await field_cells.create(ocean.engine, "big", "v", now())
    await execute(ocean, alice, parse("remove big @b"))
    await purge(ocean.engine, now() + 5000)
    kept = await ocean.engine.rows("SELECT c1 FROM record WHERE route = 'big' AND c1 IS NOT NULL")
    assert [row[0] for row in kept] == ["stays"]
    await field_cells.drop(ocean.engine, "big", "v", 1)
    assert await ocean.engine.rows("SELECT c1 FROM record WHERE c1 IS NOT NULL") == []


@pytest.mark.usefixtures("cells")
async def test_what_cells_do_not_hold_is_weighed_before_it_is_gathered(
    ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields that had cells were not weighed, though long texts are in the records alone."""
    monkeypatch.setattr(scope, "MAX_GATHERED", 1_000_000)
    for n in range(8):
        await records.save(ocean, alice, route="big", key=f"k{n}", payload={"t": f"{n}" * 150_000})
    for made in (False, True):
        if made:
            await field_cells.create(ocean.engine, "big", "t", now())
        for question in ("group t count", "group t min t"):
            with pytest.raises(OceanError) as caught:
                await ask(ocean, alice, f"find big {question}")
            assert (caught.value.code, made) == ("LIMIT_REACHED", made)


@pytest.mark.usefixtures("cells")
async def test_groups_that_cells_merge_are_asked_for_in_full_though_their_sum_is_too_large(ocean: Ocean, alice: Caller) -> None:
    ops = [{"route": "big", "key": f"k{i}", "payload": {"v": v, "n": 2**62}} for i, v in enumerate((True, False, [1], "x", 5))]
    await records.bulk(ocean, alice, ops=ops)
    before = await rows(ocean, alice, "find big group v sum n count")
    for field in ("v", "n"):
        await field_cells.create(ocean.engine, "big", field, now())
    ocean.kept = Kept()
    assert await rows(ocean, alice, "find big group v sum n count") == before
    assert len(before) == 5
