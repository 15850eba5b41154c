"""Ten thousand hostile names of fields: what is saved under them is asked for, exported and loaded as it went."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grammar.conditions import AllOf, Test, show_field
from grammar.names import parted, spelled, title, way
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query.find import find
from ocean.services.query.sql import sql
from tests.mariadb import MariaDB
from tests.postgres import fresh_database
from tests.services.test_export import psql, text
from tests.services.test_find import plain, rows

PIECES = (
    '"', "'", "`", "\\", ".", "\\.", "\\\\", "--", "/*", "*/", ";", "{}", "%s", "?", ":x", "$1", "$", "@", " ",
    "\t", "\n", "\r", "[0]", "(", ")",
    "é", "日本", "💧", "\u202e", "select", "DROP TABLE users", "key", "_key", "a", "A", "0", "null", "#", "\x01", "\x7f", "::", "||", "=",
)  # fmt: skip
EACH = 100  # fields of a record
FOLDERS = 100


def names(folders: int) -> Iterator[list[str]]:
    chance = random.Random(20261124)
    for _ in range(folders):
        found: dict[str, None] = {}
        while len(found) < EACH:
            name = "".join(chance.choices(PIECES, k=chance.randint(1, 6)))
            if name not in ("key", "*"):  # a record's own field, and all of them
                found[name] = None
        yield list(found)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=4))
@example(["a.b", "c"])
@example(["a\\", ".b"])
@example(["\\.", "", "\\"])
def test_a_way_is_spelled_and_read_again(parts: list[str]) -> None:
    name = spelled(parts)
    assert way(name) == tuple(parts)
    assert parted(name) == (parts[0], spelled(parts[1:]))
    assert title(name) == ".".join(parts)


def test_a_backslash_before_anything_else_is_itself() -> None:
    assert way("C:\\temp") == ("C:\\temp",)
    assert way("a\\") == ("a\\",)
    assert way("a\\.b.c") == ("a.b", "c")
    assert (title("a.b"), title("a\\.b"), parted("a")) == ("a.b", "a.b", ("a", ""))


async def test_a_dot_of_the_names_own_is_told_from_one_that_reaches_inside(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse('save odd @k { "a.b": 1, a: { b: 2 } }'))
    assert await rows(ocean, alice, "find odd where a\\.b = 1 and a.b = 2 pick a\\.b as x, a.b as y") == [{"x": 1, "y": 2}]
    assert await rows(ocean, alice, 'find odd where "a\\\\.b" = 1 group "a\\\\.b" sum a.b') == [{"a.b": 1, "sum_a.b": 2}]
    assert plain(await sql(ocean, alice, query='SELECT "a.b", o.a.b AS inner_b FROM odd o'))["rows"] == [[1, 2]]


async def test_ten_thousand_hostile_names_come_back_through_find_sql_and_export(
    ocean: Ocean, alice: Caller, postgres: str, mariadb: MariaDB
) -> None:
    address = fresh_database(postgres)
    mariadb.run("DROP DATABASE IF EXISTS odd; CREATE DATABASE odd CHARACTER SET utf8mb4")
    tables: dict[str, list[str]] = {"postgres": [], "mysql": []}
    folders = FOLDERS if ocean.engine.dialect.name == "sqlite" else FOLDERS // 5  # ten thousand of them on one engine
    for number, batch in enumerate(names(folders)):
        body = {name: f"v{i}'\\\"" for i, name in enumerate(batch)}
        route = f"odd/r{number}"
        await records.save(ocean, alice, route=route, key="k", payload=body)
        asked = [spelled([name]) for name in batch]
        condition = AllOf(tuple(Test(name, "=", value) for name, value in zip(asked, body.values(), strict=True)))
        found = await find(ocean, alice, prefix=route, where=condition, pick=asked)
        assert plain(found)["results"] == [body], route
        if number % 10 == 0:  # as text, too
            words = " and ".join(f"{show_field(name)} = {json.dumps(value)}" for name, value in zip(asked, body.values(), strict=True))
            picked = ", ".join(map(show_field, asked))
            assert await rows(ocean, alice, f"find {route} where {words} pick {picked}") == [body]
        shown = ", ".join('"' + name.replace('"', '""') + '"' for name in batch)
        answer = plain(await sql(ocean, alice, query=f'SELECT {shown} FROM "{route}"'))
        assert dict(zip(answer["columns"], answer["rows"][0], strict=True)) == body, route
        for dialect, files in tables.items():
            files.append(await text(ocean, alice, route=route, format="sql", dialect=dialect))
    psql(address, "\n".join(tables["postgres"]))
    mariadb.run("SET sql_mode='STRICT_ALL_TABLES';\n" + "\n".join(tables["mysql"]), "odd")
    wanted = sorted(f"v{i}'\\\"" for i in range(EACH))
    for number in range(folders):
        (loaded,) = psql(address, f'SELECT row_to_json(t) FROM "odd/r{number}" t').splitlines()
        assert sorted(v for k, v in json.loads(loaded).items() if k not in ("_key", "_created_at")) == wanted
        (row,) = mariadb.run(f"SELECT * FROM `odd/r{number}`", "odd")
        assert sorted(map(str, row[2:])) == wanted


@pytest.mark.parametrize("name", ["", "a" * 512])
async def test_the_shortest_and_the_longest_name(ocean: Ocean, alice: Caller, name: str) -> None:
    await records.save(ocean, alice, route="odd", key="k", payload={name: 1})
    assert await rows(ocean, alice, f"find odd where {json.dumps(name)} = 1 pick {json.dumps(name)}") == [{name: 1}]


@pytest.mark.parametrize("text", ['value balance "a\\u0000"', 'offer "\\u0000"', 'webhook delete "\\u0000"', 'profile "\\u0000"'])
async def test_no_name_has_the_character_that_ends_one(ocean: Ocean, alice: Caller, text: str) -> None:
    with pytest.raises(OceanError) as caught:
        await execute(ocean, alice, parse(text))
    assert caught.value.code == "INVALID_VALUE"
