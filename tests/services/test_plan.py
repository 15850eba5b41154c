"""Which way a question takes: the one that looks at the fewest records, for all that is known of them."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query import indexes, pipes, scope
from ocean.services.query.plan import Asked, asked, choose
from ocean.services.query.scope import run
from ocean.store import field_indexes, scans
from ocean.store.entries import Range, Spread, place, ranges
from ocean.store.query.fragments import Sql
from ocean.store.reader import now
from tests.services.test_find import ask, rows

FEW = Spread(10_000, [(4, 0.0, chr(ord("a") + i // 20)) for i in range(200)])  # ten texts, a tenth each
MANY = Spread(10_000, [(3, float(i * 5), "") for i in range(200)])  # numbers, from 0 to 1000
INDEXED = {"kind": 1, "amount": 2}
SPREADS = {1: FEW, 2: MANY}


def first(text: str, otherwise: int = 100) -> Asked:
    from ocean.services.query.find import stages_of

    (statement,) = parse(f"find q {text}")
    return asked([*stages_of(statement.args), *statement.pipe], otherwise)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ('where kind = "c" then count', "kind"),  # a tenth of them, each dearer by the index: still fewer
        ('where kind = "c" limit 10', None),  # the first ten are soon met
        ("where amount > 3 then count", None),  # nearly all
        ("where amount > 990 then count", "amount"),  # nearly none
        ('where amount > 990 and kind = "c" then count', "amount"),
        ("where amount > 3 sort amount limit 10", "amount"),  # in its order, ten are enough
        ("where amount > 3 sort name limit 10", None),
        ("sort amount limit 10", "amount"),
        ("sort amount desc limit 10 skip 9000", None),  # the whole of it anyway
        ('where amount > 3 and kind = "c" sort amount limit 10', "amount"),
        ("where other = 1 sort amount limit 10", "amount"),
        ('where kind in ("a", "b") group kind count', "kind"),
        ('where kind = "c" or amount = 3 limit 1000 then count', None),
    ],
)
def test_the_way_that_looks_at_the_fewest_is_taken(text: str, index: str | None) -> None:
    way = choose(first(text), INDEXED, SPREADS, walks=True)
    assert (way.along.field if way.along else None) == index


@pytest.mark.parametrize("spreads", [SPREADS, {}])
def test_two_bounds_of_a_field_are_both_ends_of_the_walk(spreads: dict[int, Spread]) -> None:
    """It once walked from the lower bound to the end: 370 ms among a million records, for ten of them."""
    way = choose(first("where amount >= 500 and amount < 510 and amount > 400 then count"), INDEXED, spreads, walks=True)
    assert way.along is not None
    assert way.along.bounds == Range(3, 500.0, 510.0).condition()
    assert way.looks is None or way.looks < 500


def test_bounds_that_leave_nothing_or_are_of_different_kinds_find_nothing_and_no_more() -> None:
    assert Range(3, 5.0, None).narrowed(Range(4, None, "x")) is None
    way = choose(first("where amount > 500 and amount < 400 and amount = 450 then count"), INDEXED, SPREADS, walks=True)
    assert way.along is not None
    assert way.along.bounds == Range(3, 500.0, 400.0).condition()


async def test_two_bounds_find_what_one_of_them_and_a_test_find(ocean: Ocean, alice: Caller) -> None:
    ops = [{"route": "big", "key": f"k{i:03}", "payload": {"v": i, "t": f"{i % 7}"}} for i in range(300)]
    await records.bulk(ocean, alice, ops=[*ops, {"route": "big", "key": "x", "payload": {"v": "text"}}])
    questions = ["v >= 100 and v < 110", "v > 20 and v < 20", 'v > 5 and v < "z"', "v >= 10 and v = 12", "v in (1, 2, 3) and v > 1"]
    before = [await rows(ocean, alice, f"find big where {text} sort v pick v") for text in questions]
    await field_indexes.create(ocean.engine, "big", "v", now())
    assert (await ask(ocean, alice, f"explain find big where {questions[0]} sort v"))["index"] == "v"
    assert [await rows(ocean, alice, f"find big where {text} sort v pick v") for text in questions] == before
    assert [len(found) for found in before] == [10, 0, 0, 1, 2]


def test_without_knowing_how_values_are_spread_an_equality_goes_first() -> None:
    way = choose(first('where amount > 3 and kind = "c" then count'), INDEXED, {}, walks=True)
    assert way.along is not None
    assert (way.along.field, way.looks) == ("kind", None)


@pytest.mark.parametrize(
    ("operator", "value", "part"),
    [
        ("=", "c", 0.1),
        ("in", ["a", "b"], 0.2),
        (">", "h", 0.3),
        ("<", "c", 0.3),
        ("=", "zzz", 0.0025),
        ("=", 7, 0.0025),
        ("=", True, 0.0025),
    ],
)
def test_a_spread_tells_which_part_a_test_lets_through(operator: str, value: Any, part: float) -> None:
    found = ranges(operator, value)
    assert found is not None
    assert FEW.share(found) == pytest.approx(part)


def test_ranges() -> None:
    assert ranges("between", [3, 5]) == [Range(3, 3.0, 5.0)]
    assert ranges("between", [3, "x"]) is None
    assert ranges("=", None) is None
    assert ranges(">", True) is None
    assert ranges("in", []) is None
    assert ranges("contains", "x") is None
    assert ranges("=", [1]) is None
    assert place(2**2000) == (3, 1e308, None)


async def test_the_spread_of_an_index_is_looked_at(ocean: Ocean, alice: Caller) -> None:
    ops = [{"route": "big", "key": f"k{i:04}", "payload": {"v": i % 10, "t": "even" if i % 2 else "odd"}} for i in range(2000)]
    await records.bulk(ocean, alice, ops=ops)
    keeper = indexes.Keeper(ocean)
    for field in ("v", "t"):
        await field_indexes.create(ocean.engine, "big", field, now())
    await ask(ocean, alice, 'find big where v = 3 and t = "odd"')
    await keeper.look()
    assert {spread.count for spread in ocean.usage.spreads.values()} == {2000}
    plan = await ask(ocean, alice, 'explain find big where v = 3 and t = "even" then count')
    assert plan["index"] == "v"
    if ocean.engine.dialect.name == "sqlite":
        plan = await ask(ocean, alice, 'explain find big where t = "even" and v < 100 then count')
        assert plan["index"] is None  # a half of them is dearer by an index than all of them in a row


async def test_a_text_is_looked_up_by_the_whole_of_an_index(ocean: Ocean, alice: Caller) -> None:
    """It once walked along all texts of the folder."""
    await records.bulk(ocean, alice, ops=[{"route": "big", "key": f"k{i}", "payload": {"t": f"t{i}"}} for i in range(50)])
    await field_indexes.create(ocean.engine, "big", "t", now())
    plan = await ask(ocean, alice, 'explain find big where t = "t7" then count')
    if ocean.engine.dialect.name == "sqlite":
        assert "field=? AND rank=? AND number=? AND text=?" in str(plan["plan"])
    assert await rows(ocean, alice, 'find big where t = "t7" pick key') == [{"key": "k7"}]


async def test_all_beneath_a_folder_that_has_nothing_beneath_goes_by_its_index(ocean: Ocean, alice: Caller) -> None:
    await records.bulk(ocean, alice, ops=[{"route": "big", "key": f"k{i}", "payload": {"t": f"t{i}"}} for i in range(50)])
    await field_indexes.create(ocean.engine, "big", "t", now())
    assert (await ask(ocean, alice, 'explain find big/* where t = "t7"'))["index"] == "t"
    await execute(ocean, alice, parse('save big/below @x t: "t7"'))
    assert (await ask(ocean, alice, 'explain find big/* where t = "t7"'))["index"] is None
    assert len(await rows(ocean, alice, 'find big/* where t = "t7"')) == 2


async def test_an_index_hides_no_row_whose_field_is_the_joined_folders(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse('save o @1 user: "u" name: "mine"; save o @2 user: "u"; save u @u name: "theirs"'))
    asked_ = 'find o join u on user = key where name = "theirs" pick user, name'
    before = await rows(ocean, alice, asked_)
    assert before == [{"user": "u", "name": "theirs"}]
    await field_indexes.create(ocean.engine, "o", "name", now())
    assert await rows(ocean, alice, asked_) == before


async def test_a_question_that_wants_too_much_memory_ends_alone(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    if ocean.engine.dialect.name != "sqlite" or not scans.uncounted:
        pytest.skip("SQLite's own limit holds here, or it is another engine")
    monkeypatch.setattr(scans, "HEAP", 30 * 1024 * 1024)
    greedy = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000000) SELECT count(DISTINCT i) FROM n"
    with pytest.raises(OceanError) as caught:
        await ocean.engine.scan(greedy)
    assert caught.value.code == "LIMIT_REACHED"
    assert "memory" in caught.value.message
    assert (await ocean.engine.scan("SELECT 1"))[0][0] == 1


async def test_a_scan_that_is_not_brief_after_all_is_ended_elsewhere(ocean: Ocean, alice: Caller) -> None:
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT count(*) FROM n"
    assert ocean.engine.at_once(long, ()) is None
    assert ocean.engine.at_once("SELECT no such thing", ()) is None
    assert (await run(ocean, alice, Sql(long), brief=True))[0][0] == 100_000
    with pytest.raises(OceanError, match="can't be answered"):
        await run(ocean, alice, Sql("SELECT no such thing"), brief=True)
    assert (await run(ocean, alice, Sql("SELECT 1"), brief=True))[0][0] == 1


async def test_many_conditions_are_refused_and_are_no_fault_of_the_servers(ocean: Ocean, alice: Caller) -> None:
    """Which part of the records passes six hundred conditions came to nothing, and was divided by."""
    with pytest.raises(OceanError, match="at most 200 comparisons"):
        await ask(ocean, alice, "find q where " + " and ".join(["a = 1"] * 600))


async def test_an_event_is_joined_as_any_record(ocean: Ocean, alice: Caller) -> None:
    await ask(ocean, alice, 'save ev c: "c1" what: "x"')
    await ask(ocean, alice, 'save cust @c1 name: "Ann"')
    found = await rows(ocean, alice, "find cust inner join ev on key = c pick name, ev.what as what")
    assert found == [{"name": "Ann", "what": "x"}]


async def test_a_dry_run_counts_more_than_a_change_may_take(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "MAX_BULK", 10)
    await records.bulk(ocean, alice, ops=[{"route": "big", "payload": {"n": i}} for i in range(30)])
    assert await ask(ocean, alice, "find big then remove dry") == {"affected": 30, "dry": True, "results": [], "most": 10}
    with pytest.raises(OceanError, match="More than 10"):
        await ask(ocean, alice, "find big then remove")


async def test_what_is_too_large_to_be_gathered_is_refused_as_long_as_it_is_there(
    ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scope, "MAX_GATHERED", 250_000)
    await records.bulk(ocean, alice, ops=[{"route": "heavy", "key": f"k{i}", "payload": {"n": i, "t": "x" * 110_000}} for i in range(2)])
    assert len(await rows(ocean, alice, "find heavy group n count")) == 2
    await records.save(ocean, alice, route="heavy", key="k2", payload={"n": 2, "t": "x" * 110_000})
    for text in ("find heavy group n count", "find few join heavy on n = n group heavy.n count", 'sql "SELECT count(*) FROM heavy"'):
        with pytest.raises(OceanError, match="too large to be put together"):
            await ask(ocean, alice, text)
    await ask(ocean, alice, "remove heavy @k2")
    assert len(await rows(ocean, alice, "find heavy group n count")) == 2


async def test_a_folder_is_gone_along_in_the_order_of_writing(ocean: Ocean, alice: Caller) -> None:
    """By its keys, records lie here and there: a group of 100,000 took half again as long."""
    if ocean.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL knows what its indexes are like")
    await execute(ocean, alice, parse("save s @a n: 1; save s @b n: 2"))
    for question in ("where n > 1", "group n sum n", "where n > 1 sort n limit 5", "then count"):
        plan = (await ask(ocean, alice, f"explain find s {question}"))["plan"]
        assert any("record_route" in line for line in plan), plan
        assert not any("autoindex_record" in line for line in plan), plan
