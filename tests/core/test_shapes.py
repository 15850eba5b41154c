"""Filters, schemas and universal fields: plain values in, plain values out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.core import patterns, universal
from ocean.core.access import Rule
from ocean.core.changes import Current, Op
from ocean.core.drop import ACCESS, REMOVED, SCHEMA
from ocean.core.filters import UNIVERSAL, condition_of, filter_of, grouping_of, joins_of, picks_of, sorts_of
from ocean.core.media import is_document
from ocean.core.patterns import Schema, define
from ocean.core.payloads import dump, dumps, encode, loads
from ocean.core.routes import check_key
from ocean.core.transition import plan
from ocean.errors import OceanError
from tests.core.test_decisions import ME, World, fault

OTHER = "B" * 43
VALUES = st.one_of(st.integers(-5, 5), st.text(max_size=3), st.booleans(), st.none())
TESTS = st.one_of(
    st.builds(
        Test,
        st.sampled_from("abc"),
        st.sampled_from(["=", "!=", ">", ">=", "<", "<=", "contains", "starts with", "ends with", "matches"]),
        VALUES,
    ),
    st.builds(Test, st.sampled_from("abc"), st.sampled_from(["in", "not in"]), st.lists(VALUES, max_size=3)),
    st.builds(Test, st.sampled_from("abc"), st.sampled_from(["exists", "missing"])),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)


@given(CONDITIONS)
def test_a_filter_gives_its_condition_back(condition: Condition) -> None:
    assert condition_of(filter_of(condition)) == condition


def test_filters_of_what_has_no_sign_of_its_own() -> None:
    assert filter_of(Test("a", "exists", None)) == {"a": {"$exists": True}}
    assert filter_of(Test("a", "missing", None)) == {"a": {"$exists": False}}
    assert filter_of(Test("a", UNIVERSAL, {"$gt": 1})) == {"a": {"$gt": 1}}
    assert filter_of(Test("a", "between", [1, 2])) == {"a": {"$gte": 1, "$lte": 2}}
    assert condition_of({"a": {"$not": {"$gt": 5}}}) == Not(Test("a", ">", 5))
    assert condition_of({"a": {"$has": "x"}}) == Test("a", "contains", "x")
    for nothing in ({"a": {}}, {"a": {"$exists": "no"}}):
        with pytest.raises(OceanError):
            condition_of(nothing)


def test_picks_groups_joins_and_sorts() -> None:
    assert picks_of(None) is sorts_of(None) is joins_of(None) is None
    assert picks_of(["a", "*", {"b": "c"}]) == ["a", "*", {"field": "b", "as": "c"}]
    assert grouping_of("a", None) == {"by": ["a"], "aggregates": [{"op": "count"}]}
    assert grouping_of(["a"], {"t": {"$sum": "n"}, "c": {"$count": True}})["aggregates"] == [
        {"op": "sum", "field": "n", "as": "t"},
        {"op": "count", "as": "c"},
    ]
    assert joins_of({"route": "u", "on": {"a": "key"}}) == [{"route": "u", "kind": "left", "on": [["a", "key"]]}]
    assert joins_of([{"route": "u", "on": {"a": "key"}, "as": "x", "kind": "inner"}])[0]["as"] == "x"  # type: ignore[index]
    for read, wrong in (
        (picks_of, [5]), (picks_of, [{"a": 5}]), (joins_of, {"route": "u"}), (joins_of, {"route": "u", "on": {"a": 5}}), (joins_of, [5]),
        (joins_of, {"route": "u", "on": {"a": "b"}, "kind": "odd"}), (joins_of, {"route": "u", "on": {"a": "b"}, "as": 5}),
    ):  # fmt: skip
        with pytest.raises(OceanError):
            read(wrong)
    for group, aggregate in (
        (5, None),
        ([5], None),
        ("a", {"t": {"$odd": "n"}}),
        ("a", {"t": {"$sum": 5}}),
        ("a", {"t": 5}),
        ("a", {"t": {"$count": "b"}}),
    ):
        with pytest.raises(OceanError):
            grouping_of(group, aggregate)


GOOD_AND_BAD: dict[str, tuple[list[Any], list[Any]]] = {
    "text": (["", "a"], [5, True, ["a"]]),
    "number": ([0, 1.5], [True, "1"]),
    "boolean": ([True], [1, "true"]),
    "date": (["2026-03-10", "2026-03-10T10:00:00Z", "2026-03-10T10:00:00+02:00"], ["soon", 5, "2026-13-01"]),
    "identifier": (["a@b.c", {"value": "x"}], ["", " ", 5, {"value": 5}]),
    "blob": (["a.png", {"url": "x"}, {"blob": {}}], [5, "", {"odd": 1}]),
    "location": (["Oslo", {"lat": 1, "lon": 2}], [5, "", {"lat": 91, "lon": 0}, {"lat": "1", "lon": 2}]),
    "amount": ([5, {"value": 5, "unit": "EUR"}], ["5", {"value": "5"}, {"value": 5, "unit": 5}]),
    "object": ([{}, {"a": 1}], ["x", 3, [1]]),
    "relation": (["drop://a/b", "a/b", {"$embed": {"route": "a", "key": "b"}}], [5, "alone", {"$embed": 5}, {"$embed": {"route": "a"}}]),
}


@pytest.mark.parametrize("kind", list(patterns.TYPES))
def test_each_type_takes_its_own_and_nothing_else(kind: str) -> None:
    schema = define({"f": f"{kind} required"})
    good, bad = GOOD_AND_BAD[kind]
    assert [schema.faults({"f": value}) for value in good] == [[]] * len(good)
    assert all(schema.faults({"f": value}) for value in bad)
    assert schema.faults({}) == [{"field": "f", "message": "is required"}]


def test_lists_and_choices() -> None:
    schema = define(
        {"tags": {"type": "text", "array": True}, "state": {"type": "text", "enum": ["a", "b"]}, "n": {"type": "number", "enum": [1]}}, "2"
    )
    assert schema.faults({"tags": ["x"], "state": "a", "n": 1, "more": 5}) == []
    assert [f["field"] for f in schema.faults({"tags": "x", "state": "c", "n": 1.0})] == ["tags", "state", "n"]
    assert schema.faults({"tags": [5]})[0]["message"] == "has an element that is not text"
    assert Schema.from_json(schema.to_json()) == schema
    assert schema.faults("text")[0]["field"] == ""


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        (None, None),
        ({}, None),
        ({"a": 5}, None),
        ({"a": ""}, None),
        ({"a": "text odd"}, None),
        ({"a": {"type": "text", "odd": 1}}, None),
        ({"a": {"type": "text", "enum": 5}}, None),
        ({"a": {"type": "text", "enum": [[1]]}}, None),
        ({"a": {"type": "text", "required": "yes"}}, None),
        ({"a": "text"}, 5),
        ({"a": "text"}, ""),
        ({str(i): "text" for i in range(201)}, None),
    ],
)
def test_what_is_no_definition(fields: Any, version: Any) -> None:
    with pytest.raises(OceanError):
        define(fields, version)


def test_marks_of_what_has_another_form_are_passed_over() -> None:
    assert universal.marks_of("text") == []
    odd = {
        "_texts": [5],
        "_dates": [5, {"start": "soon"}],
        "_identifiers": [5, {"value": 5}, {"value": "x" * 2000}],
        "_locations": [5, {"lat": 99, "lon": 0}],
        "_amounts": [5, {"value": True}, {"value": "1"}, {"value": 1e308}],
        "_blobs": [5, {"mime": "x"}],
    }
    assert universal.marks_of(odd) == []
    (mark,) = universal.marks_of({"_dates": [{"start": "2026-03-10", "end": "2026-03-01"}]})
    assert mark.low == mark.high
    assert len(universal.marks_of({"_texts": ["x"] * 2000})) == universal.MOST
    assert universal.marks_of({"_amounts": [{"value": 5}]})[0].name is None


def test_a_record_is_as_the_pattern_that_it_names() -> None:
    world = World(known={"r": Rule(ME, "protected")}, patterns={"todo": define({"n": "number required"})})
    for payload in ('{"pattern":"todo"}', encode('{"pattern":"todo"}')):  # a text that is an object is read as one
        assert fault(Op("save", "r", "k", payload), world) == "SCHEMA_VIOLATION"
    before = Current("id", '{"pattern":"todo"}', ME, 1, False, 4)  # it named the pattern before its owner changed it
    assert plan(Op("save", "r", "k", '{"pattern":"todo"}'), ME, replace(world, records={("r", "k"): before}))
    for again in (replace(before, live_seq=6), replace(before, removed=True), replace(before, payload='{"pattern":"other"}')):
        assert fault(Op("save", "r", "k", '{"pattern":"todo"}'), replace(world, records={("r", "k"): again})) == "SCHEMA_VIOLATION"
    mine_ = replace(world, records={("r", "k"): before}, made=replace(world.made, owner=ME))
    assert fault(Op("save", "r", "k", '{"pattern":"todo"}'), mine_) == "SCHEMA_VIOLATION"
    for payload in ('{"pattern":"todo","n":1}', '{"pattern":"other"}', '{"pattern":3}', '["pattern"]', '"pattern"'):
        assert plan(Op("save", "r", "k", payload), ME, world)
    assert plan(Op("save", "r", "_k", '{"pattern":"todo"}'), ME, world)  # a site's setting is no record of its kind


def test_a_pattern_may_name_its_templates() -> None:
    made = define({"n": "number"}, "1", {"full": "drop://views/todo/full"})
    assert made.to_json()["views"] == {"full": "drop://views/todo/full"}
    assert patterns.read(dumps(made.to_json())) == made
    assert patterns.read("[]") is patterns.read('{"fields":{}}') is patterns.read(" " * 300_000) is None
    for views in ("x", {"full": "views/todo"}, {"other": "drop://a/b"}, {"full": 3}):
        with pytest.raises(OceanError, match="Views are templates"):
            define({"n": "number"}, views=views)


def test_a_schema_is_its_owners_and_takes_an_open_folder() -> None:
    schema = define({"n": "number"})
    changes = plan(Op("schema", "r", schema=schema), ME, World())
    assert [change.kind for change in changes] == [ACCESS, SCHEMA]
    assert fault(Op("schema", "r", schema=schema), World(known={"r": Rule(OTHER, "moderated")})) == "FORBIDDEN"
    assert fault(Op("schema", "_x/y", schema=schema), World()) == "FORBIDDEN"
    assert fault(Op("schema", "trust/y", schema=schema), World()) == "FORBIDDEN"
    assert fault(Op("schema", "r"), World()) == "NOT_FOUND"
    owned = World(known={"r": Rule(ME, "protected")}, schemas={"r": schema})
    assert plan(Op("schema", "r"), ME, owned)[0].schema is None
    assert fault(Op("save", "r", "k", '{"n": "x"}'), owned) == "SCHEMA_VIOLATION"
    assert plan(Op("save", "r", "k", '{"n": 5}'), ME, owned)
    assert plan(Op("save", "r", "_config", '{"n": "x"}'), ME, owned)
    assert fault(Op("save", "r", "_schema", "{}"), owned) == "INVALID_KEY"


def test_an_event_is_removed_by_whoever_may() -> None:
    world = World(events={"e": ("r", OTHER)}, known={"r": Rule(OTHER, "moderated", {ME: ("drop",)})})
    assert plan(Op("remove", "r", removes="e"), ME, world)[0].kind == REMOVED
    assert fault(Op("remove", "r", removes="none"), world) == "NOT_FOUND"
    assert fault(Op("remove", "other", removes="e"), world) == "NOT_FOUND"
    own = World(events={"e": ("_x", OTHER), "mine": ("_x", ME)})
    assert fault(Op("remove", "_x", removes="e"), own) == "FORBIDDEN"
    assert plan(Op("remove", "_x", removes="mine"), ME, own)


def test_a_key_of_other_letters_is_measured_in_bytes() -> None:
    assert check_key("é" * 256)
    with pytest.raises(OceanError):
        check_key("é" * 257)


@pytest.mark.parametrize(
    ("media_type", "opens"),
    [("text/html; charset=utf-8", True), ("image/svg+xml", True), ("application/XML", True), ("text/plain", False), ("image/png", False)],
)
def test_what_a_browser_opens_as_a_page(media_type: str, opens: bool) -> None:
    assert is_document(media_type) == opens


def test_answers_of_any_whole_numbers_and_of_parts_that_are_json_already() -> None:
    part = orjson.Fragment(b'{"n": 1180591620717411303424}')
    assert dump({"a": part}) == b'{"a":{"n": 1180591620717411303424}}'
    assert loads(dump({"a": [part, 2**70, None]}).decode()) == {"a": [{"n": 2**70}, 2**70, None]}


def test_what_is_no_object_has_no_universal_fields() -> None:
    assert universal.unread(["_dates"]) is None
    assert universal.unread({"_dates": [{"start": "2026-03-15"}], "_texts": None}) is None
    assert "'_dates'" in (universal.unread({"_dates": ["2026-03-15"]}) or "")
