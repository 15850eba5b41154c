"""Functions as they are found, and what may be done for whom, decided purely."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean.core import keys
from ocean.core.access import PERMISSIONS, Rule, Scoped
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.functions import MAX_CODE, check, function_of, lent
from tests.core.test_money import code

DEV, CALLER, OTHER = (keys.generate().public for _ in range(3))
CODE = "def main(ocean, request): return 1"


def drop(key: str, payload: Any, source: str = DEV, owner: str = DEV) -> Drop:
    return Drop(1, f"id-{key}", "fn/x", key, json.dumps(payload), source, owner, 1)


def test_who_wrote_the_code_is_its_author_whoever_has_the_record() -> None:
    found = function_of(drop("main", CODE, source=OTHER), None)
    assert (found.author, found.code, found.public, found.fault) == (OTHER, CODE, False, "")
    assert found.is_of(OTHER)
    assert not found.is_of(DEV)
    assert not found.is_of(Scoped.of(OTHER, "1", ("fn",), ["entity"], None))


@pytest.mark.parametrize(
    ("payload", "says"), [({"def": "main"}, "no text"), (5, "no text"), (None, "no text"), ("x" * (MAX_CODE + 1), "256 K")]
)
def test_what_is_no_code(payload: Any, says: str) -> None:
    found = function_of(drop("main", payload), drop("_config", {"execute": "public"}))
    assert says in found.fault
    assert not found.public


@pytest.mark.parametrize("config", [{"execute": "public"}, {"execute": "public", "scopes": [OTHER]}])
def test_a_config_of_another_counts_for_nothing(config: Any) -> None:
    found = function_of(drop("main", CODE), drop("_config", config, source=OTHER))
    assert (found.public, found.scopes) == (False, ())


@pytest.mark.parametrize("config", ["text", {"csp": "default-src 'self'"}, []])
def test_a_config_of_pages_says_nothing_of_functions(config: Any) -> None:
    found = function_of(drop("main", CODE), drop("_config", config))
    assert (found.public, found.scopes, found.price, found.fault) == (False, (), 0, "")


def test_what_a_config_says() -> None:
    found = function_of(drop("main", CODE), drop("_config", {"execute": "public", "scopes": ["app/users"], "price": 1.5}))
    assert (found.public, found.scopes, found.price) == (True, ("app/users",), 150)
    private = function_of(drop("main", CODE), drop("_config", {"scopes": [], "price": 0}))
    assert (private.public, private.price) == (False, 0)


def test_counters_of_a_config_count_for_nothing() -> None:
    config = drop("_config", {"execute": "public"})
    config.counters = '{"price": 5}'
    assert function_of(drop("main", CODE), config).price == 0


BROKEN = [
    ({"execute": "everyone"}, "INVALID_VALUE"),
    ({"execute": True}, "INVALID_VALUE"),
    ({"execute": "public", "scopes": "app"}, "INVALID_VALUE"),
    ({"execute": "public", "scopes": [1]}, "INVALID_VALUE"),
    ({"execute": "public", "scopes": ["a"] * 21}, "INVALID_VALUE"),
    ({"execute": "public", "scopes": ["a//b"]}, "INVALID_ROUTE"),
    ({"execute": "public", "price": -1}, "INVALID_VALUE"),
    ({"execute": "public", "price": "1"}, "INVALID_VALUE"),
]


@pytest.mark.parametrize(("config", "fault"), BROKEN)
def test_a_config_that_cannot_be_read_is_refused_and_where_it_is_there_opens_nothing(config: Any, fault: str) -> None:
    found = function_of(drop("main", CODE), drop("_config", config))
    assert found.fault
    assert not found.public
    assert code(lambda: check(Op("save", "fn/x", "_config", json.dumps(config)), DEV)) == fault
    assert code(lambda: check(Op("update", "fn/x", "_config", changes=config), DEV)) == fault


def rules(route: str, owner: str | None) -> dict[str, dict[str, Rule | None]]:
    return {route: {folder: Rule(owner, "shared") if folder == "app" else None for folder in ("app", route)}}


def test_only_the_authors_own_folders_are_lent() -> None:
    given = lent(CALLER, DEV, ("app/users",), rules("app/users", DEV))
    assert given is not None
    assert (str(given), given.routes, given.permissions) == (CALLER, ("app/users",), frozenset(PERMISSIONS))
    assert lent(CALLER, DEV, ("app/users",), rules("app/users", CALLER)) is None  # their own
    assert lent(CALLER, DEV, ("app/users",), rules("app/users", OTHER)) is None  # somebody else's, who may let the caller in
    assert lent(CALLER, DEV, ("app/users",), rules("app/users", None)) is None  # left open for good
    assert lent(CALLER, DEV, ("nowhere",), {"nowhere": {"nowhere": None}}) is None
    private = f"{CALLER}/notes"
    assert lent(CALLER, DEV, (private,), {private: {CALLER: Rule(DEV, "shared"), private: None}}) is None
    assert lent(CALLER, DEV, (), {}) is None


@pytest.mark.parametrize(
    ("theirs", "both"),
    [(("app",), ("app/users",)), (("app/users/x",), ("app/users/x",)), (("apple",), None), (("other", "app/users"), ("app/users",))],
)
def test_a_scoped_caller_lends_no_more_than_it_has(theirs: tuple[str, ...], both: tuple[str, ...] | None) -> None:
    caller = Scoped.of(CALLER, "1", theirs, ["query"], 77)
    given = lent(caller, DEV, ("app/users",), rules("app/users", DEV))
    if both is None:
        assert given is None
        return
    assert given is not None
    assert (given.routes, given.permissions, given.expires_at) == (both, frozenset(["query"]), 77)


@pytest.mark.parametrize(
    "op",
    [
        Op("save", "fn/x", "main", json.dumps(CODE)),
        Op("save", "fn/x", "_config", '{"execute": "public"}'),
        Op("save", "fn/x", "_config", ' {"scopes": []}'),
        Op("update", "fn/x", "_config", changes={"price": 1}),
    ],
)
def test_a_scoped_key_saves_no_functions(op: Op) -> None:
    assert code(lambda: check(op, Scoped.of(DEV, "1", ("fn",), ["drop"], None))) == "FORBIDDEN"


@pytest.mark.parametrize(
    "op",
    [
        Op("save", "fn/x", "main", '{"a": "text"}'),
        Op("save", "fn/x", "other", json.dumps(CODE)),
        Op("save", "fn/x", "_config", '{"csp": "x"}'),
        Op("save", "fn/x", "_config", '"execute"'),
        Op("update", "fn/x", "_config", changes={"csp": None}),
        Op("save", "fn/x", None, json.dumps(CODE)),
        Op("remove", "fn/x", "main"),
    ],
)
def test_all_else_a_scoped_key_may_save(op: Op) -> None:
    check(op, Scoped.of(DEV, "1", ("fn",), ["drop"], None))
