"""What is exported is loaded by the systems it is for, and gives the same rows; what is translated runs there."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query.export import Export
from tests.browser.test_browser import FLAGS
from tests.mariadb import MariaDB
from tests.postgres import fresh_database
from tests.services.test_find import ask

HOSTILE = [
    "a b",
    "x'y",
    "x`y",
    "a;b",
    "--",
    "select",
    "日本",
    "?",
    "{}",
    "%s",
    "_key",
    "_id",
    "__proto__",
    "A",
    "a",
    "$where",
    "x.y",
    " lead",
    "tail ",
    "é" * 80,
    "key",
    "constructor",
]
ROWS: list[dict[str, Any]] = [
    {"name": "O'Hara", "n": 1, "ok": True, "x": 1.5, "tags": ["a", "b"], "big": 2**40, "mixed": 1},
    {"name": 'back\\slash "quoted" `tick`', "n": -2, "ok": False, "x": -0.25, "deep": {"a": {"b": "ç"}}, "huge": 10**30, "mixed": "one"},
    {"name": "line\nbreak\ttab; DROP TABLE users; --", "n": None, "empty": "", "emoji": "💧", "mixed": [1]},
    {"name": "=1+1", "n": 0, "formula": "@SUM(A1)", "x": 3.0},
]
HOSTILE_ROW = {name: f"v{i}'\\" for i, name in enumerate(HOSTILE)}


async def fill(ocean: Ocean, who: Caller) -> None:
    ops = [{"route": "out", "key": f"k{i}", "payload": row} for i, row in enumerate(ROWS)]
    ops += [{"route": "out/more", "key": "k0", "payload": {"n": 5}}, {"route": "out/more", "payload": {"event": 1}}]
    await records.bulk(ocean, who, ops=ops)
    await records.save(ocean, who, route="hostile", key="it's", payload=HOSTILE_ROW)


async def text(ocean: Ocean, who: Caller, **asked: Any) -> str:
    return "".join([piece async for piece in Export(ocean, who, **asked).text()])


def psql(address: str, statement: str) -> Any:
    done = subprocess.run(
        ["psql", "-qAt", address, "-v", "ON_ERROR_STOP=1", "-f", "-"], input=statement.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


async def test_ndjson_json_and_csv(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    lines = [json.loads(line) for line in (await text(ocean, alice, route="out")).splitlines()]
    assert [line["payload"] for line in lines] == [*ROWS, {"n": 5}, {"event": 1}]
    assert [line["payload"] for line in json.loads(await text(ocean, alice, route="out", format="json"))] == [
        line["payload"] for line in lines
    ]
    assert json.loads(await text(ocean, alice, route="nothing/here", format="json")) == []
    table = list(csv.DictReader(io.StringIO(await text(ocean, alice, route="out", format="csv"))))
    assert [row["_route"] for row in table] == ["out"] * 4 + ["out/more"] * 2
    assert (table[3]["name"], table[3]["formula"], table[1]["n"], table[0]["tags"], table[1]["ok"]) == (
        "'=1+1",
        "'@SUM(A1)",
        "-2",
        '["a","b"]',
        "false",
    )
    raw = list(csv.DictReader(io.StringIO(await text(ocean, alice, route="out", format="csv", raw=True))))
    assert raw[3]["name"] == "=1+1"
    picked = [json.loads(line) for line in (await text(ocean, alice, route="out", select=["n", "deep.a"])).splitlines()]
    assert picked[1]["payload"] == {"n": -2, "deep.a": {"b": "ç"}}
    assert len((await text(ocean, alice, route="out", where=parse("find x where n > 0")[0].args["where"])).splitlines()) == 2
    assert await text(ocean, alice, route="out", until="2001-01-01") == ""
    for wrong in ({"format": "xml"}, {"dialect": "oracle"}, {"since": "soon"}, {"select": ["a\x00"]}):
        with pytest.raises(OceanError):
            Export(ocean, alice, route="out", **wrong)  # type: ignore[arg-type]


async def test_a_field_that_is_called_as_a_records_own_has_a_column_of_its_own(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="own", key="k", payload={"_key": 1, "_created_at": 2, "_key_2": 3})
    (row,) = csv.DictReader(io.StringIO(await text(ocean, alice, route="own", format="csv")))
    assert (row["_key"], row["_key_3"], row["_created_at_2"], row["_key_2"]) == ("k", "1", "2", "3")


async def test_all_versions_of_what_is_still_there(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("save v @a n: 1; save v @a n: 2; save v @gone n: 3; remove v @gone; save v n: 4"))
    lines = [json.loads(line)["payload"]["n"] for line in (await text(ocean, alice, route="v", latest=False)).splitlines()]
    assert lines == [1, 2, 4]
    assert "_drop_id" in await text(ocean, alice, route="v", latest=False, format="sql")
    assert "_key" in await text(ocean, alice, route="v", latest=False, format="mongo")


async def test_what_may_not_be_read_is_not_exported(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await fill(ocean, alice)
    await execute(ocean, alice, parse(f"save out @paid n: 9 price 5; share out/more with @{alice.key} mode shared"))
    assert len((await text(ocean, alice, route="out")).splitlines()) == 7
    assert len((await text(ocean, bob, route="out")).splitlines()) == 4
    with pytest.raises(OceanError):
        await text(ocean, bob, route="out/more")


@pytest.mark.parametrize("route", ["out", "hostile"])
async def test_postgres_loads_it_and_has_the_same_rows(ocean: Ocean, alice: Caller, postgres: str, route: str) -> None:
    await fill(ocean, alice)
    address = fresh_database(postgres)
    psql(address, await text(ocean, alice, route=route, format="sql"))
    loaded = [json.loads(line) for line in psql(address, f'SELECT row_to_json(t) FROM "{route}" t ORDER BY _key').splitlines()]
    if route == "out":
        for row, wanted in zip(loaded, ROWS, strict=True):
            assert {k: v for k, v in row.items() if v is not None and not k.startswith("_")} == {
                k: v for k, v in wanted.items() if v is not None
            }
        types = dict(
            line.split("|")
            for line in psql(address, "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'out'").splitlines()
        )
        assert (types["name"], types["n"], types["ok"], types["x"], types["tags"], types["huge"], types["_created_at"]) == (
            "text", "bigint", "boolean", "double precision", "jsonb", "numeric", "timestamp with time zone",
        )  # fmt: skip
        assert psql(address, 'SELECT count(*) FROM "out/more"').strip() == "2"
    else:
        assert sorted(v for k, v in loaded[0].items() if k not in ("_key", "_created_at")) == sorted(HOSTILE_ROW.values())
        assert loaded[0]["_key"] == "it's"


@pytest.mark.parametrize("route", ["out", "hostile"])
async def test_mariadb_loads_it_and_has_the_same_rows(ocean: Ocean, alice: Caller, mariadb: MariaDB, route: str) -> None:
    await fill(ocean, alice)
    mariadb.run("DROP DATABASE IF EXISTS t; CREATE DATABASE t CHARACTER SET utf8mb4")
    mariadb.run("SET sql_mode='STRICT_ALL_TABLES';\n" + await text(ocean, alice, route=route, format="sql", dialect="mysql"), "t")
    if route == "out":
        loaded = mariadb.run("SELECT HEX(name), n, ok, x, tags, huge, HEX(emoji) FROM `out` ORDER BY _key", "t")
        for row, wanted in zip(loaded, ROWS, strict=True):
            assert bytes.fromhex(str(row[0])).decode() == wanted["name"]
            assert (row[1] and int(row[1])) == (str(wanted["n"]) if wanted["n"] == 0 else wanted["n"]) or row[1] == "0"
            assert row[4] is None or json.loads(row[4]) == wanted["tags"]
            assert row[5] is None or int(row[5]) == wanted["huge"]
            assert row[6] is None or bytes.fromhex(row[6]).decode() == wanted["emoji"]
        assert mariadb.run("SELECT count(*) FROM `out/more`", "t") == [["2"]]
    else:
        names = [str(row[0]) for row in mariadb.run("SELECT column_name FROM information_schema.columns WHERE table_name = 'hostile'", "t")]
        cells = [
            mariadb.run(f"SELECT `{name.replace('`', '``')}` FROM hostile", "t")[0][0]
            for name in names
            if name not in ("_key", "_created_at")
        ]
        assert sorted(map(str, cells)) == sorted(HOSTILE_ROW.values())


async def test_a_javascript_engine_reads_the_mongo_script(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    script = await text(ocean, alice, route="out", format="mongo") + await text(ocean, alice, route="hostile", format="mongo")
    shell = (
        "const out = {}; const db = { getCollection: name => ({ insertMany: rows => { out[name] = (out[name] || []).concat(rows.map(r => "
        "Object.fromEntries(Object.getOwnPropertyNames(r).map(k => [k + '!', r[k]])))); } }) };"
        "const ISODate = text => ({ date: text }); const NumberLong = text => ({ long: text });"
        "const NumberDecimal = text => ({ decimal: text });"
    )
    found = await _evaluate(f"() => {{ {shell}\n{script}\nreturn JSON.stringify(out); }}")
    assert [row["_id!"] for row in found["out"]] == ["k0", "k1", "k2", "k3"]
    assert (found["out"][0]["name!"], found["out"][1]["huge!"], found["out"][1]["deep!"]) == (
        "O'Hara",
        {"decimal": str(10**30)},
        {"a": {"b": "ç"}},
    )
    own = {k.removesuffix("!"): v for k, v in found["hostile"][0].items() if k not in ("_id!", "_created_at!")}
    assert own == {k: v for k, v in HOSTILE_ROW.items() if k != "_id"}


async def _evaluate(script: str) -> Any:
    import asyncio

    def run() -> str:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            try:
                return str(browser.new_page().evaluate(script))
            finally:
                browser.close()

    return json.loads(await asyncio.to_thread(run))


SEED = [
    (
        "find users where .role = 'admin' sort .name limit 10",
        "sql",
        'SELECT * FROM "users" WHERE "role" = \'admin\' ORDER BY "name" LIMIT 10;',
    ),
    ("remove users @alice", "sql", 'DELETE FROM "users" WHERE "_key" = \'alice\';'),
    ("find users where .role = 'admin'", "mysql", "SELECT * FROM `users` WHERE `role` = 'admin';"),
]


@pytest.mark.parametrize(("statement", "target", "wanted"), SEED)
async def test_the_seeds_translations(ocean: Ocean, alice: Caller, statement: str, target: str, wanted: str) -> None:
    assert (await ask(ocean, alice, f'translate "{statement}" to {target}'))["text"] == wanted


async def test_translations_run_where_they_are_for(ocean: Ocean, alice: Caller, postgres: str, mariadb: MariaDB) -> None:
    await execute(ocean, alice, parse('save t @a name: "Al" n: 1 role: "admin"; save t @b name: "Bo" n: 2 tags: ("x"); save t @c n: 3'))
    address = fresh_database(postgres)
    psql(address, await text(ocean, alice, route="t", format="sql"))
    mariadb.run("DROP DATABASE IF EXISTS t; CREATE DATABASE t CHARACTER SET utf8mb4")
    mariadb.run(await text(ocean, alice, route="t", format="sql", dialect="mysql"), "t")

    async def translated(statement: str, to: str) -> str:
        return str((await ask(ocean, alice, f"translate {json.dumps(statement)} to {to}"))["text"])

    for statement, count in (
        ("find t where n > 1", 2),
        ("find t where role != 'admin'", 2),
        ("find t where name starts with 'a'", 1),
        ("find t where n in (1, 3)", 2),
        ("find t where not (n = 1)", 2),
        ("find t where name missing or n between 1 and 1", 2),
        ("find t sort n desc then first 2", 2),
        ("find t then pick name as who", 3),
        ("list t", 3),
        ("find t limit 2 then skip 1", 1),
        ("find t limit 2 then limit 5", 2),
        ("get t @a", 1),
        ("find t where n not in (1)", 2),
    ):
        assert len((await ask(ocean, alice, statement)).get("results", [1] * count)) == count
        assert len(psql(address, await translated(statement, "sql")).splitlines()) == count, statement
        assert len(mariadb.run(await translated(statement, "mysql"), "t")) == count, statement
    for statement in (
        'save t @a name: "it\'s" n: 10',
        'save t @d name: "new \\\\ one" n: 4',
        "update t @b n: 20",
        "add 5 to t @c n",
        "remove t @d",
    ):
        psql(address, await translated(statement, "sql"))
        mariadb.run(await translated(statement, "mysql"), "t")
        await execute(ocean, alice, parse(statement))
    ours = [[row["name"] or "", str(row["n"])] for row in (await ask(ocean, alice, "find t sort key pick name, n"))["results"]]
    assert [line.split("|") for line in psql(address, "SELECT name, n FROM t ORDER BY _key").splitlines()] == ours
    assert [[cell or "" for cell in row] for row in mariadb.run("SELECT name, n FROM t ORDER BY _key", "t")] == ours
    assert psql(address, await translated("find t group role sum n count having count > 1", "sql")) != ""
    assert psql(address, await translated("find t join t as o on key = key sort key pick key", "sql")) != ""
    psql(address, await translated("save t n: 99", "sql"))
    for statement in ("find t/* where n = 1", "find t group role first n", "find t then last", "whoami"):
        with pytest.raises(OceanError):
            await translated(statement, "sql")


MIXED: list[dict[str, Any]] = [  # `z` is in each: a table can't tell null from a field that is not there
    {"z": 1, "m": 1, "tags": ["Red", "b"], "in": {"n": 5, "s": "x", "a.b": True}, "who": "u1"},
    {"z": None, "m": "one", "tags": "redder", "in": {"n": "5", "s": "X"}, "who": "u2"},
    {"z": 2, "m": True, "tags": [1, None], "in": {"n": 7.5}},
    {"z": None, "m": None, "tags": {"Red": 1}, "who": "u3"},
    {"z": 3, "tags": "b", "who": None, "in": 5},
    {"z": 3, "m": 10, "tags": []},
]
ALIKE = (
    "m = 1", "m = 'one'", "m != 1", "m != 'one'", "m = true", "z = null", "z != null", "z in (1, null)", "z not in (1, null)",
    "m in (1, 'one')", "m not in (1, true)", "m > 1", "m >= 'a'", "m between 1 and 10", "not (m > 0)", "m missing", "tags contains 'red'",
    "tags contains 1", "tags starts with 'r'", "tags = 'b'", "in.n = 5", "in.n = '5'", "in.n > 5", "in.s contains 'x'",
    "in.a\\.b = true", "in.n != 5", "in.n exists", "who = 5", "who != 5", "who in ('u1', 5)", "who > 'u1'", "m matches '^o'",
    "who contains 'U' and not (m = 1)",
)  # fmt: skip


async def test_translations_give_the_same_rows_beside_our_own_export(ocean: Ocean, alice: Caller, postgres: str, mariadb: MariaDB) -> None:
    ops = [{"route": "mixed", "key": f"k{i}", "payload": row} for i, row in enumerate(MIXED)]
    ops += [{"route": "people", "key": key, "payload": {"name": name, "who": 1}} for key, name in (("u1", "Ann"), ("u2", "Bob"))]
    await records.bulk(ocean, alice, ops=ops)
    address = fresh_database(postgres)
    mariadb.run("DROP DATABASE IF EXISTS alike; CREATE DATABASE alike CHARACTER SET utf8mb4")
    for route in ("mixed", "people"):
        psql(address, await text(ocean, alice, route=route, format="sql"))
        mariadb.run(await text(ocean, alice, route=route, format="sql", dialect="mysql"), "alike")

    async def there(statement: str) -> list[list[list[str]]]:
        told = [str((await ask(ocean, alice, f"translate {json.dumps(statement)} to {to}"))["text"]) for to in ("sql", "mysql")]
        lines = [line.split("|") for line in psql(address, told[0]).splitlines()]
        return [lines, [[cell or "" for cell in row] for row in mariadb.run(told[1], "alike")]]

    async def ours(statement: str) -> list[list[str]]:
        return [["" if v is None else str(v) for v in row.values()] for row in (await ask(ocean, alice, statement))["results"]]

    for condition in ALIKE:
        statement = f"find mixed where {condition} sort key pick key"
        assert await there(statement) == [await ours(statement)] * 2, condition
    for statement in (
        "find mixed sort who, key pick key",
        "find mixed sort z desc, key pick z, key",
        "find mixed sort who desc, key pick key",
        "find mixed where m > 0 limit 5 then where m = 10 then pick key",
        "find mixed join people as p on who = p.key where p.name exists sort p.name desc pick key, p.name",
        "find mixed join people on who = key where name = 'Ann' pick name, mixed.key as k",
        "find mixed inner join people as p on who = key sort key pick key, p.who as w",
        "find mixed group who count sort who pick who, count",
    ):
        assert await there(statement) == [await ours(statement)] * 2, statement
    joined = await there("find people join mixed as x on key = x.who sort key pick *")
    assert [row[2:] for row in joined[0]] == [row[2:] for row in joined[1]] == [["Ann", "1"], ["Bob", "1"]]
    for words in ("red", "one"):
        found = await there(f'search mixed "{words}"')
        assert len(found[0]) == len(found[1]) > 0


async def test_every_data_command_has_its_request(ocean: Ocean, alice: Caller) -> None:
    for statement, line in (
        ("find users where .active = true", "POST /query"),
        ("save users @alice name: 'Alice'", "POST /drop"),
        ("get users @alice", "GET /entity/users?key=alice"),
        ("remove users @alice", "DELETE /entity/users?key=alice"),
        ("update users @alice n: 1", "PATCH /entity/users?key=alice"),
        ("list users then count", "POST /query"),
        ("add 1 to pages @home views", "POST /counter/pages?key=home"),
        ("subtract 1 from p @h v", "POST /counter/p?key=h"),
        ("bulk (save a @1 x: 1, remove a @2)", "POST /bulk"),
        ("share a with @K mode shared", "POST /access/a"),
        ("export users", "POST /exec"),
        ("find a then last", "POST /exec"),
        ("find a then limit 5 then where x = 1", "POST /exec"),
        ("find a join b on x = y and x = z", "POST /exec"),
    ):
        told = (await ask(ocean, alice, f'translate "{statement}" to rest'))["text"]
        assert told.splitlines()[0] == line, told
    curl = (await ask(ocean, alice, 'translate "find users where .active = true" to curl'))["text"]
    assert curl.startswith("curl -X POST http://127.0.0.1:8000/query -H ")
    assert "-d '{" in curl
