"""Conditions and sorts mean the same on every engine: each is held to a plain reading of the specification."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query.find import find
from ocean.services.query.folders import folders_beneath

ROWS: list[Any] = [
    {"v": 5},
    {"v": 5.0},
    {"v": "5"},
    {"v": True},
    {"v": False},
    {"v": None},
    {"w": 1},
    {"v": ["a", "B", 5]},
    {"v": {"a": 1}},
    {"v": "Ärger"},
    {"v": "ärger im Büro"},
    {"v": "100% sure_thing"},
    {"v": "a\\b"},
    {"v": -3.5},
    {"v": 10**15},
    {"v": ""},
    {"v": []},
    {"v": {"a": {"b": "deep"}}},
    {"v": 'quo"te'},
    {"v": "apple"},
    {"v": "Apple"},
    "a string",
    [1, 2],
    7,
    None,
    {"v": "zebra", "w": 2},
]
VALUES = [5, 5.5, "5", True, False, None, "ärger", "A", "a", "B", "%", "_", "\\", "", 'quo"te', "deep", -3.5, 10**15, "apple", "z"]


def reach(row: Any, field: str) -> tuple[bool, Any]:
    for part in field.split("."):
        if not isinstance(row, dict) or part not in row:
            return False, None
        row = row[part]
    return True, row


def kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return repr(value)
    return "number" if isinstance(value, int | float) else type(value).__name__


def same(a: Any, b: Any) -> bool:
    return kind(a) == kind(b) and a == b


def holds(row: Any, test: Test) -> bool:
    """One comparison, read from `reading.md`."""
    there, value = reach(row, test.field)
    operator, wanted = test.operator, test.value
    if operator in ("!=", "not in", "missing"):
        return not holds(row, Test(test.field, {"!=": "=", "not in": "in", "missing": "exists"}[operator], wanted))
    if not there:
        return False
    if operator == "exists":
        return value is not None
    if operator == "=":
        return same(value, wanted)
    if operator == "in":
        return any(same(value, item) for item in wanted)
    if operator == "between":
        return holds(row, Test(test.field, ">=", wanted[0])) and holds(row, Test(test.field, "<=", wanted[1]))
    if operator in ("contains", "starts with", "ends with"):
        if operator == "contains" and isinstance(value, list):
            return any(same(item, wanted) for item in value)
        if not isinstance(value, str) or not isinstance(wanted, str):
            return False
        low, part = value.lower(), wanted.lower()
        return {"contains": part in low, "starts with": low.startswith(part), "ends with": low.endswith(part)}[operator]
    if kind(value) != kind(wanted):
        return False
    a, b = (value.encode(), wanted.encode()) if isinstance(value, str) else (value, wanted)
    return bool({">": a > b, ">=": a >= b, "<": a < b, "<=": a <= b}[operator])


def matches(row: Any, condition: Condition) -> bool:
    if isinstance(condition, AllOf):
        return all(matches(row, part) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(matches(row, part) for part in condition.parts)
    if isinstance(condition, Not):
        return not matches(row, condition.part)
    return holds(row, condition)


FIELDS = st.sampled_from(["v", "w", "v.a", "v.a.b", "absent"])
ORDERABLE = st.sampled_from([v for v in VALUES if v is not None and not isinstance(v, bool)])
TEXTS = st.sampled_from([v for v in VALUES if isinstance(v, str)])
TESTS = st.one_of(
    st.builds(Test, FIELDS, st.sampled_from(["=", "!="]), st.sampled_from(VALUES)),
    st.builds(Test, FIELDS, st.sampled_from([">", ">=", "<", "<="]), ORDERABLE),
    st.builds(Test, FIELDS, st.sampled_from(["in", "not in"]), st.lists(st.sampled_from(VALUES), max_size=4)),
    st.builds(Test, FIELDS, st.sampled_from(["exists", "missing"])),
    st.builds(Test, FIELDS, st.just("between"), st.tuples(ORDERABLE, ORDERABLE).map(list)),
    st.builds(Test, FIELDS, st.just("contains"), st.sampled_from(VALUES)),
    st.builds(Test, FIELDS, st.sampled_from(["starts with", "ends with"]), TEXTS),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda p: AllOf(tuple(p))),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: AnyOf(tuple(p))),
        st.builds(Not, inner),
    ),
    max_leaves=5,
)


async def fill(ocean: Ocean, who: Caller) -> list[Any]:
    rows = [row for row in ROWS if row is not None]
    await records.bulk(ocean, who, ops=[{"op": "save", "route": "t", "key": f"{i:02}", "payload": row} for i, row in enumerate(rows)])
    return rows


async def keys_of(ocean: Ocean, who: Caller, **asked: Any) -> list[str]:
    found = await find(ocean, who, prefix="t", limit=1000, **asked)
    return [record["key"] for record in found["results"]]


async def test_every_condition_means_what_the_specification_says(ocean: Ocean, alice: Caller) -> None:
    rows = await fill(ocean, alice)
    loop = asyncio.get_running_loop()
    pending: list[Condition] = []

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(CONDITIONS)
    def collect(condition: Condition) -> None:
        pending.append(condition)

    await loop.run_in_executor(None, collect)
    for condition in pending:
        expected = [f"{i:02}" for i, row in enumerate(rows) if matches(row, condition)]
        assert await keys_of(ocean, alice, where=condition) == expected, condition


def sort_key(row: Any, field: str) -> tuple[Any, ...]:
    there, value = reach(row, field)
    if not there or value is None:
        return (0,)
    if isinstance(value, bool):
        return (1 + value,)
    if isinstance(value, int | float):
        return (3, value)
    return (4, value.encode()) if isinstance(value, str) else (5,)


@pytest.mark.parametrize("descending", [False, True])
async def test_a_sort_puts_missing_first_then_truth_numbers_text_and_the_rest(ocean: Ocean, alice: Caller, descending: bool) -> None:
    rows = await fill(ocean, alice)
    simple = [i for i, row in enumerate(rows) if sort_key(row, "v")[0] != 5]
    found = await keys_of(ocean, alice, sort=[{"field": "v", "descending": descending}])
    expected = sorted(simple, key=lambda i: sort_key(rows[i], "v"), reverse=descending)
    if descending:  # of equals, the one written first still comes first
        expected = sorted(sorted(simple), key=lambda i: sort_key(rows[i], "v"))
        groups: dict[tuple[Any, ...], list[int]] = {}
        for i in expected:
            groups.setdefault(sort_key(rows[i], "v"), []).append(i)
        expected = [i for group in reversed(list(groups.values())) for i in group]
    assert [int(key) for key in found if int(key) in simple] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("^app", ["apple"]), ("(?i)^app", ["apple", "Apple"]), (r"\d+%", ["100% sure_thing"]), (r"im\b", ["ärger im Büro"]), ("^$", [""])],
)
async def test_matches(ocean: Ocean, alice: Caller, pattern: str, expected: list[str]) -> None:
    await fill(ocean, alice)
    found = await find(ocean, alice, prefix="t", where=Test("v", "matches", pattern), limit=1000)
    assert [orjson.loads(orjson.dumps(record))["payload"]["v"] for record in found["results"]] == expected


@pytest.mark.parametrize(
    "condition",
    [
        Test("v", "matches", "(a)\\1"),
        Test("v", "matches", "("),
        Test("v", "matches", "a" * 501),
        Test("v", ">", None),
        Test("v", "=", [1]),
        Test("v", "=", 10**30),
        Test("v", "starts with", 5),
        Test("created_at", "=", "yesterday"),
        Test("key", "=", 5),
        Test("v", "in", list(range(1001))),
        AllOf(tuple(Test("v", "=", 1) for _ in range(201))),
        Test("v", "=", "\x00"),
        Test("x" * 600, "exists"),
        Test("v", "contains", "x" * 2000),
        Test("created_at", "contains", "2026"),
    ],
)
async def test_a_condition_that_cannot_be_is_a_named_error(ocean: Ocean, alice: Caller, condition: Condition) -> None:
    await fill(ocean, alice)
    with pytest.raises(OceanError) as caught:
        await keys_of(ocean, alice, where=condition)
    assert caught.value.code == "INVALID_VALUE"


async def test_own_fields_and_places(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    assert await keys_of(ocean, alice, where=Test("key", "in", ["01", "03"])) == ["01", "03"]
    assert await keys_of(ocean, alice, where=Test("key", "starts with", "1")) == [f"1{i}" for i in range(10)]
    assert len(await keys_of(ocean, alice, where=Test("source", "=", alice.key))) == len(ROWS) - 1
    assert await keys_of(ocean, alice, where=Test("created_at", "<", "2020-01-01T00:00:00Z")) == []


async def test_the_folders_of_a_folder(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    for route in ("top/b", "top/a/deep", "top/a2", "topping/x", "top"):
        await records.save(ocean, alice, route=route, key="k", payload=1)
    assert await folders_beneath(ocean, bob, "top", 10) == ["a", "a2", "b"]
    assert await folders_beneath(ocean, bob, "top", 2) == ["a", "a2"]
