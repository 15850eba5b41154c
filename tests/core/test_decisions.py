"""What a write does, decided on states made by hand; and filters, the conditions' other spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from grammar.conditions import AllOf, AnyOf, Not, Test
from ocean.core import access
from ocean.core.access import OPEN, Rule, Verdict
from ocean.core.broadcasts import Stream, read
from ocean.core.changes import Change, Current, Op, looks_at, needs_payload
from ocean.core.filters import condition_of, sorts_of
from ocean.core.grants import grant, revoke
from ocean.core.patterns import Schema
from ocean.core.payloads import dumps
from ocean.core.routes import ancestors, check_key, check_route
from ocean.core.transition import plan
from ocean.errors import OceanError

ME, YOU = "A" * 42 + "A", "B" * 42 + "A"


@dataclass
class World:
    """A state, as a decision sees it."""

    records: dict[tuple[str, str], Current] = field(default_factory=dict)
    known: dict[str, Rule] = field(default_factory=dict)
    others: bool = False
    files: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    events: dict[str, tuple[str, str]] = field(default_factory=dict)
    patterns: dict[str, Schema] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    made: Current = field(default_factory=lambda: Current("p", "{}", YOU, 1, False, 5))  # the record that each of them is

    def schema(self, route: str) -> Schema | None:
        return self.schemas.get(route)

    def pattern(self, name: str) -> tuple[Schema, Current] | None:
        return (self.patterns[name], self.made) if name in self.patterns else None

    def stream(self, route: str) -> Stream | None:
        return None

    def event(self, drop_id: str) -> tuple[str, str] | None:
        return self.events.get(drop_id)

    def file(self, blob_id: str) -> tuple[str, int, str] | None:
        return self.files.get(blob_id)

    def current(self, route: str, key: str) -> Current | None:
        return self.records.get((route, key))

    def rules(self, route: str) -> dict[str, Rule | None]:
        return {folder: self.known.get(folder) for folder in ancestors(route)}

    def others_beneath(self, route: str, who: str) -> bool:
        return self.others


def record(payload: str = "{}", *, owner: str = ME, removed: bool = False, live_seq: int = 1, **named: Any) -> Current:
    return Current("id", payload, owner, 1, removed, live_seq, **named)


def fault(op: Op, world: World, who: str = ME) -> str:
    with pytest.raises(OceanError) as caught:
        plan(op, who, world)
    return caught.value.code


def mine(**named: Any) -> World:
    return World(known={"r": Rule(ME, "protected")}, **named)


def test_a_first_write_takes_the_folder_unless_it_is_public_or_others_live_beneath() -> None:
    def taken(world: World, **named: Any) -> list[Rule | None]:
        return [change.rule for change in plan(Op("save", "r", "k", "1", **named), ME, world) if change.kind == 3]

    assert taken(World()) == [Rule(ME, "protected")]
    assert taken(World(), public=True) == [Rule(None, OPEN)]
    assert taken(World(others=True)) == []
    assert taken(mine()) == []


def test_refusals() -> None:
    assert fault(Op("save", "r", "_access", "1"), mine()) == "INVALID_KEY"
    assert fault(Op("save", "r", "k", "1"), mine(), YOU) == "FORBIDDEN"
    assert fault(Op("save", "r", None, "null"), mine()) == "KEY_REQUIRED"
    assert fault(Op("save", "r", "k", "null"), mine()) == "NOT_FOUND"
    assert fault(Op("remove", "r", "k"), mine(records={("r", "k"): record(removed=True)})) == "DELETED"
    assert fault(Op("update", "r", "k", changes={"a": 1}), mine(records={("r", "k"): record('"text"')})) == "CONFLICT"
    assert fault(Op("add", "r", "k", counter="n", by=1), mine(records={("r", "k"): record('"text"')})) == "CONFLICT"
    assert fault(Op("add", "r", "k", counter="n", by=1), mine(records={("r", "k"): record('{"n": "x"}')})) == "CONFLICT"
    assert fault(Op("add", "r", "k", counter="n", by=1), mine(records={("r", "k"): record('{"n": true}')})) == "CONFLICT"
    assert fault(Op("add", "r", "k", counter="n", by=2**53), mine(records={("r", "k"): record('{"n": 1}')})) == "LIMIT_REACHED"
    assert fault(Op("add", "r", "k", counter="n", by=1), mine(records={("r", "k"): record(removed=True)})) == "DELETED"
    assert fault(Op("save", "r", "k", "1", if_match="other"), mine(records={("r", "k"): record()})) == "PRECONDITION_FAILED"
    assert fault(Op("save", "r", "k", "1", if_match="id"), mine()) == "PRECONDITION_FAILED"
    assert fault(Op("save", "r", "k", "1", if_none_match=True), mine(records={("r", "k"): record()})) == "PRECONDITION_FAILED"
    assert fault(Op("save", "_x", "k", '"osk_' + "a" * 43 + '"'), World()) == "INVALID_PAYLOAD"
    assert fault(Op("save", "shared/x", "k", "1"), World()) == "NO_TRUST"
    assert fault(Op("remove", "open", "k"), World()) == "NOT_FOUND"


def test_an_unpublish_takes_down_what_a_remove_left_up() -> None:
    removed = record(removed=True, live_seq=5)
    (change,) = plan(Op("unpublish", "r", "k"), ME, mine(records={("r", "k"): removed}))
    assert (change.kind, change.live_seq) == (2, 0)
    assert fault(Op("unpublish", "r", "k"), mine(records={("r", "k"): record(removed=True, live_seq=0)})) == "DELETED"


def test_a_counter_begins_where_the_field_stands_and_makes_its_record() -> None:
    (change,) = plan(Op("add", "r", "k", counter="n", by=2), ME, mine(records={("r", "k"): record('{"n": 40}')}))
    assert (change.value, change.counters_only) == (42, True)
    (change,) = plan(Op("add", "r", "new", counter="n", by=2), ME, mine())
    assert (change.value, change.payload, change.version) == (2, "{}", 1)
    current = record('{"n": 1}', counters={"n": 7, "m": 1})
    (change,) = plan(Op("save", "r", "k", '{"n": 0}'), ME, mine(records={("r", "k"): current}))
    assert change.counters == {"m": 1}
    (change,) = plan(Op("update", "r", "k", changes={"m": None}), ME, mine(records={("r", "k"): current}))
    assert change.counters == {"n": 7}


def trust(payload: str, world: World, who: str = ME) -> Change:
    return plan(Op("save", "trust/app", "config", payload), who, world)[-1]


def test_a_trust_record_is_the_rule_of_its_shared_folder() -> None:
    assert looks_at(Op("save", "trust/app")) == ["trust/app", "shared/app"]
    assert looks_at(Op("save", "trust")) == ["trust"]
    assert trust(f'{{"keys": ["{YOU}"]}}', World()).rule == Rule(ME, "shared", {YOU: access.PERMISSIONS})
    assert trust("5", World()).rule == Rule(ME, "shared", {})
    secret = "osk_" + "a" * 43
    for payload in ('{"keys": 5}', '{"keys": [5]}', '{"mode": "odd"}', f'{{"keys": ["{secret}"]}}', f'{{"note": "{secret}"}}'):
        assert fault(Op("save", "trust/app", "config", payload), World()) == "INVALID_PAYLOAD"
    assert fault(Op("save", "trust/app/deep", "config", "{}"), World()) == "INVALID_ROUTE"
    assert fault(Op("save", "trust/app", "config", "{}"), World(known={"shared/app": Rule(YOU, "shared")})) == "FORBIDDEN"


def alter(route: str, change: Any, world: World, who: str = ME) -> Rule | None:
    return plan(Op("access", route, alter=change), who, world)[0].rule


def test_granting_and_revoking() -> None:
    assert alter("r", grant("r", ME, YOU, None, None), World()) == Rule(ME, "shared", {YOU: access.PERMISSIONS})
    assert alter("r", grant("r", ME, YOU, "moderated", ("query",)), mine()) == Rule(ME, "moderated", {YOU: ("query",)})
    granted = World(known={"r": Rule(ME, "shared", {YOU: ("query",)})})
    assert alter("r", revoke("r", YOU), granted) == Rule(ME, "shared", {})
    assert alter("r", revoke("r", None), granted) is None
    refused = [
        ("r", revoke("r", None), World(), "NOT_FOUND"),
        ("r", revoke("r", "nobody"), granted, "NOT_FOUND"),
        ("r", grant("r", ME, YOU, None, None), World(known={"r": Rule(None, OPEN)}), "FORBIDDEN"),
        ("r", grant("r", ME, YOU, None, None), World(known={"r": Rule(YOU, "shared")}), "FORBIDDEN"),
        ("r", grant("r", ME, YOU, None, None), World(others=True), "FORBIDDEN"),
        ("_x", grant("_x", ME, YOU, None, None), World(), "FORBIDDEN"),
        (ME, grant(ME, ME, YOU, "protected", None), World(), "INVALID_VALUE"),
    ]
    for route, change, world, code in refused:
        with pytest.raises(OceanError) as caught:
            alter(route, change, world)
        assert caught.value.code == code
    assert alter(ME, grant(ME, ME, YOU, None, None), World()) == Rule(ME, "shared", {YOU: access.PERMISSIONS})
    with pytest.raises(OceanError) as caught:
        grant("r", ME, YOU, None, None)(Rule(None, OPEN))
    assert caught.value.code == "CONFLICT"


def test_refusals_say_what_would_help() -> None:
    assert access.refusal(ME, None, "entity").status == 401
    for action, verb in (("entity", "read"), ("drop", "write to"), ("remove", "remove from")):
        assert verb in access.refusal("r", YOU, action).message
    assert access.decide("_memory/notes", YOU, "entity", {}) == "own"
    assert access.decide(ME, YOU, "entity", {ME: Rule(ME, "shared", {YOU: ("entity",)})}) == "allow"
    assert access.decide("r", YOU, "remove", {"r": Rule(ME, "shared", {YOU: ("drop",)})}) == "allow"


def test_filters_are_conditions() -> None:
    assert condition_of({"a": 1}) == Test("a", "=", 1)
    assert condition_of({"a": {"$gt": 1, "$lte": 5}}) == AllOf((Test("a", ">", 1), Test("a", "<=", 5)))
    assert condition_of({"$or": [{"a": 1}, {"$not": {"b": {"$exists": True}}}]}) == AnyOf((Test("a", "=", 1), Not(Test("b", "exists"))))
    assert condition_of({"$and": [{"a": {"$in": [1]}}, {"b": {"$exists": False}}]}) == AllOf((Test("a", "in", [1]), Test("b", "missing")))
    assert condition_of({"a": {"$regex": "^x"}}) == Test("a", "matches", "^x")
    for wrong in ({}, 5, {"$or": []}, {"$odd": 1}, {"a": {"$odd": 1}}, {"a": {"$in": 5}}, {"$not": {}}):
        with pytest.raises(OceanError):
            condition_of(wrong)
    deep: Any = {"a": 1}
    for _ in range(40):
        deep = {"$not": deep}
    with pytest.raises(OceanError):
        condition_of(deep)


def test_sorts() -> None:
    assert sorts_of(None) is None
    assert sorts_of(["a", "-b", {"c": "desc"}, {"d": 1}]) == [
        {"field": name, "descending": down} for name, down in (("a", False), ("b", True), ("c", True), ("d", False))
    ]
    for wrong in (5, "-", {"a": "up"}):
        with pytest.raises(OceanError):
            sorts_of(wrong)


@pytest.mark.parametrize(
    "route", [None, "", 5, "a/" * 40 + "a", "x" * 513, "a//b", "a/./b", "../a", "a b", "é", "a%2fb", "a\x00", "osk_" + "a" * 43 + "/diary"]
)
def test_no_route(route: object) -> None:
    with pytest.raises(OceanError):
        check_route(route)


@pytest.mark.parametrize("key", [None, "", 5, "x" * 513, "a//b", "a/../b", "/a", "e\u0301", "a\nb", "\x7f", "\ud800", "a/", "é" * 300])
def test_no_key(key: object) -> None:
    with pytest.raises(OceanError):
        check_key(key)


BLOB = "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000"


def naming(blob_id: str = BLOB, **changed: Any) -> str:
    return dumps({"blob": {"key": f"blobs/{blob_id}", "size": 5, "type": "a/b", "sha256": "f" * 64, **changed}})


def test_a_record_names_only_files_of_its_writer_or_what_it_named_before() -> None:
    world = mine(files={BLOB: (ME, 5, "f" * 64)})
    assert needs_payload(Op("save", "r", "k", naming()))
    assert plan(Op("save", "r", "k", naming()), ME, world)
    for bent in (naming(size=6), naming(sha256="0" * 64), naming("0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001")):
        assert fault(Op("save", "r", "k", bent), world) == "FORBIDDEN"
    for no_name in (naming(size=True), naming(size="5"), naming(type=5), naming("../x"), '{"blob": "blobs/x"}'):
        assert plan(Op("save", "r", "k", no_name), ME, world)
    theirs = mine(files={BLOB: (YOU, 5, "f" * 64)}, records={("r", "named"): record(naming()), ("r", "text"): record(dumps(naming()))})
    assert fault(Op("save", "r", "k", naming()), theirs) == "FORBIDDEN"
    assert plan(Op("save", "r", "named", naming()), ME, theirs)
    assert plan(Op("update", "r", "named", changes={"x": 1}), ME, theirs)
    assert fault(Op("update", "r", "text", changes={"x": 1}), theirs) == "FORBIDDEN"  # text is not a name until it is an object
    assert plan(Op("save", "r", "k", naming(), restoring=True), ME, theirs)


def test_who_may_not_read_is_not_told_what_is_there() -> None:
    world = World(records={("_memory/n", "k"): record(owner=YOU), ("_x", "k"): record(owner=YOU)})
    assert fault(Op("remove", "_memory/n", "k"), world) == fault(Op("remove", "_memory/n", "other"), world) == "NOT_FOUND"
    assert fault(Op("save", "_memory/n", "k", "1", if_match="x"), world) == "FORBIDDEN"
    assert fault(Op("remove", "_x", "k"), world) == "FORBIDDEN"


def test_the_systems_roots_are_not_shared() -> None:
    for route in ("shared", "trust", "trust/x"):
        with pytest.raises(OceanError) as caught:
            alter(route, grant(route, ME, YOU, None, None), World())
        assert caught.value.code == "FORBIDDEN"
    with pytest.raises(OceanError) as caught:
        alter("shared/x", grant("shared/x", ME, YOU, None, None), World())
    assert caught.value.code == "NO_TRUST"


def test_whose_each_folder_of_a_path_is() -> None:
    assert access.owners([], {}) == []
    assert access.owners(["a", "a/b", "a/b/c"], {"a/b": Rule(ME, "protected")}) == [None, ME, ME]
    assert access.owners([ME, f"{ME}/x"], {}) == [ME, ME]
    assert access.narrows(Rule(ME, "shared"), YOU, "entity")
    assert not access.narrows(Rule(ME, "protected"), YOU, "entity")


def test_who_may_not_read_counts_in_small_steps_and_only_what_counts_already() -> None:
    """Fields of the payload were refused and other names taken: which names there are could be found out."""
    grants = {YOU: ("drop",)}
    counted = record('{"dear": 5}', counters={"views": 1})
    world = World(known={"r": Rule(ME, "shared", grants)}, records={("r", "k"): counted, ("r", "t"): record('"text"')})
    assert plan(Op("add", "r", "k", counter="views", by=1), YOU, world)
    for op in (
        Op("add", "r", "k", counter="dear", by=0),
        Op("add", "r", "k", counter="other", by=1),
        Op("add", "r", "k", counter="views", by=5000),
        Op("add", "r", "t", counter="n", by=1),
    ):
        assert fault(op, world, YOU) == "FORBIDDEN"
    assert plan(Op("add", "r", "k", counter="dear", by=5000), ME, world)
    with pytest.raises(OceanError) as caught:
        plan(Op("update", "r", "k", changes={"a": 1}, if_match="zz"), YOU, world)
    assert (caught.value.code, "is id" in caught.value.message) == ("PRECONDITION_FAILED", False)  # its id is its readers'
    assert (
        fault(Op("add", "r", "k", counter="n", by=1), World(records={("r", "k"): record(counters=dict.fromkeys(map(str, range(100)), 1))}))
        == "LIMIT_REACHED"
    )


def test_a_streams_mark_says_no_more_than_it_means() -> None:
    def mark(payload: str, world: World, **named: Any) -> list[Change]:
        return plan(Op("save", "_config/r", "stream", payload, **named), ME, world)

    assert [change.kind for change in mark('{"type": "stream", "recording": "k"}', mine())] == [0]
    assert read('{"type": "stream", "recording": "k"}') == Stream("k")
    assert next(change.rule for change in mark('{"type": "stream"}', World())) == Rule(ME, "protected")
    for payload in ('"stream"', '{"type": "flow"}', '{"type": "stream", "size": 1}'):
        with pytest.raises(OceanError) as caught:
            mark(payload, mine())
        assert caught.value.code == "INVALID_PAYLOAD"
    for unowned in (World(known={"r": Rule(None, OPEN)}), World(known={"r": Rule(YOU, "protected")})):
        with pytest.raises(OceanError) as caught:
            mark('{"type": "stream"}', unowned)
        assert caught.value.code == "FORBIDDEN"
    with pytest.raises(OceanError) as caught:
        mark('{"type": "stream"}', mine(), ttl=60)
    assert caught.value.code == "INVALID_VALUE"
    for folder in ("_config/_x", "_config/trust/x"):
        with pytest.raises(OceanError) as caught:
            plan(Op("save", folder, "stream", '{"type": "stream"}'), ME, World())
        assert caught.value.code == "FORBIDDEN"
