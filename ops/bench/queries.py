"""Questions: beside the same SQL by hand on the same SQLite, flat from ten thousand to a million, and beside soul-cli and Datasette."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from ocean import settings
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.kept import Kept
from ocean.services.data import records
from ocean.services.query.export import Export
from ocean.store import field_indexes
from ocean.store.reader import now
from ocean.store.schema import migrate
from ocean.store.sqlite import connect
from ops.bench.probes import Wrk
from ops.bench.table import Row
from tests.conftest import Running

MANY = 100_000
WARM = 3  # seconds in which either side gets used to a question, and ours makes its indexes
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_THERE = "r.route = 'q' AND r.removed = 0"
_HAND = {
    "filter, sort and page of 100,000": (
        "find q where amount > 500 sort name limit 10 skip 20",
        f"SELECT d.payload FROM record r JOIN drops d ON d.seq = r.seq WHERE {_THERE} AND json_extract(r.body, '$.amount') > 500 "
        "ORDER BY json_extract(r.body, '$.name') LIMIT 10 OFFSET 20",
        2.0,
    ),
    "group and sum of 100,000": (
        "find q group category sum amount count",
        "SELECT json_extract(r.body, '$.category') c, sum(json_extract(r.body, '$.amount')), count(*) "
        f"FROM record r WHERE {_THERE} GROUP BY c",
        1.5,
    ),
}


def people(count: int, first: int = 0) -> list[dict[str, Any]]:
    chance = random.Random(first + 1)
    found = []
    for i in range(first, first + count):
        name, amount = f"{chance.choice(_LETTERS)}{chance.randrange(10**6)}", round(chance.random() * 1000, 2)
        found.append({"id": i, "name": name, "age": chance.randrange(100), "amount": amount, "category": chance.choice("abcdefghij")})
    return found


def inside(folder: Path, *, flat: bool) -> list[Row]:
    """In one process, without HTTP."""
    return asyncio.run(_inside(folder, flat))


async def _inside(folder: Path, flat: bool) -> list[Row]:
    folder.mkdir(parents=True)
    values = settings.load({"OCEAN_DATA": str(folder)})
    await migrate(settings.store_url(values))
    ocean = await Ocean.open(values)
    try:
        who = Caller(keys.generate().public)
        await _fill(ocean, who, "q", 0, MANY)
        rows = [await _beside_hand(ocean, who, name, *asked) for name, asked in _HAND.items()]
        rows.append(Row("records exported a second", await _exported(ocean, who), None, None, 50_000))
        return rows + (await _flat(ocean, who) if flat else [])
    finally:
        await ocean.close()


async def _fill(ocean: Ocean, who: Caller, route: str, first: int, end: int) -> None:
    for start in range(first, end, 5000):
        found = people(min(5000, end - start), start)
        await records.bulk(ocean, who, ops=[{"route": route, "key": f"k{p['id']}", "payload": p} for p in found])
        print(f"\r{start + len(found):,} records", end="", flush=True)
    print()


async def _beside_hand(ocean: Ocean, who: Caller, name: str, text: str, by_hand: str, target: float) -> Row:
    statements = parse(text)
    connection = connect(Path(ocean.settings["OCEAN_DATA"]) / "ocean.db", read_only=True)
    ours, theirs = [], []
    for _ in range(7):
        ocean.kept = Kept()  # each time found anew
        begun = time.perf_counter()
        await execute(ocean, who, statements)
        between = time.perf_counter()
        connection.execute(by_hand).fetchall()
        ours.append((between - begun) * 1000)
        theirs.append((time.perf_counter() - between) * 1000)
    connection.close()
    return Row(f"{name}, ms", statistics.median(ours), "the same SQL by hand", statistics.median(theirs), target, most=True)


async def _exported(ocean: Ocean, who: Caller) -> float:
    begun = time.perf_counter()
    count = 0
    async for piece in Export(ocean, who, route="q").text():
        count += piece.count("\n")
    return count / (time.perf_counter() - begun)


async def _flat(ocean: Ocean, who: Caller) -> list[Row]:
    """By an indexed field: as many results, among ten thousand and among a million."""
    times = []
    await _fill(ocean, who, "few", 0, 10_000)
    await _fill(ocean, who, "many", 0, 1_000_000)
    for route in ("few", "many"):
        await field_indexes.create(ocean.engine, route, "id", now())
        statements = parse(f"find {route} where id >= 5000 and id < 5010 sort id")
        found = []
        for _ in range(200):
            ocean.kept = Kept()
            begun = time.perf_counter()
            await execute(ocean, who, statements)
            found.append((time.perf_counter() - begun) * 1000)
        times.append(statistics.median(found))
    return [Row("by an indexed field among a million, ms", times[1], "among ten thousand", times[0], 1.3, most=True)]


def imported(running: Running, run: Callable[..., Any], folder: Path) -> Row:
    """`ocean import` of NDJSON, over HTTP, its own start and all."""
    caught_up(running)  # what the rows before left to the index is none of the import's
    file = folder / "people.ndjson"
    file.write_text("".join(json.dumps({"_key": f"k{p['id']}", **p}) + "\n" for p in people(MANY)))
    begun = time.perf_counter()
    done = run("import", str(file), "imported", url=running.api, key=keys.generate().secret)
    assert done.returncode == 0, done.stderr
    return Row("records imported a second", MANY / (time.perf_counter() - begun), None, None, 20_000)


def caught_up(running: Running) -> None:
    """Returns when the index has taken in all that was written before; it may have a hundred thousand records to go."""
    pair = keys.generate()
    route, secret = f"{pair.public}/last", pair.secret
    assert running.post("/drop", {"route": route, "payload": {"text": "last of all"}}, secret).ok
    begun = time.monotonic()
    while not running.post("/search", {"prefix": route, "text": "last", "wait": True}, secret).ok:
        assert time.monotonic() - begun < 120, "the index does not keep up"


# Each question is another one, in either of wrk's threads and in each run: what either side remembers of the last does not help.
_CHANCE = "math.randomseed(os.time() * 7919 + tonumber(tostring({}):match('0x(%x+)'), 16) % 1000003) "
_OURS = _CHANCE + (
    "request = function() local n = math.random(0, 79000) / 10000 "
    "return wrk.format('POST', nil, nil, string.gsub([[BODY]], '\"N\"', tostring(n))) end"
)
_THEIRS = _CHANCE + (
    "request = function() local n = math.random(0, 79000) / 10000 return wrk.format('GET', (string.gsub([[PATH]], 'NNN', tostring(n)))) end"
)


def _asked(wrk: Wrk, running: Running, body: dict[str, Any]) -> float:
    text = json.dumps({"prefix": "people", **body})
    script = _OURS.replace("BODY", text)
    return wrk(f"{running.api}/query", headers={"content-type": "application/json"}, script=script, warm=WARM)


def against_soul(wrk: Wrk, running: Running, soul: str, database: Path) -> list[Row]:
    """The filter of the README over 10,000 records with no index, through HTTP: a hundred rows are its answer.

    soul-cli has no `starts with`: from a to b is the same there.
    """
    _save_people(running)
    put_people(database)
    table = soul.replace("/events/rows", "/people/rows")
    path = "/" + table.split("/", 3)[3] + "?_filters=age__gt:NNN,name__gte:a,name__lt:b&_schema=name,age&_limit=100"
    assert len(requests.get(table.split("/api")[0] + path.replace("NNN", "21"), timeout=20).json()["data"]) == 100
    readme = {"filter": {"age": {"$gt": "N"}, "name": {"$startsWith": "a"}}, "select": ["name", "age"]}
    ours = _asked(wrk, running, readme)
    return [
        Row(
            "the README's filter of 10,000, no index",
            ours,
            "soul-cli",
            wrk(table.split("/api")[0], script=_THEIRS.replace("PATH", path), warm=WARM),
            1.0,
        )
    ]


_DATASETTE: dict[str, tuple[dict[str, Any], str]] = {
    "filter of 10,000": (
        {"filter": {"age": {"$gt": "N"}, "category": "c"}, "limit": 10},
        "SELECT * FROM people WHERE age > NNN AND category = 'c' LIMIT 10",
    ),
    "filter and sort of 10,000": (
        {"filter": {"amount": {"$gt": "N"}}, "sort": "name", "limit": 10},
        "SELECT * FROM people WHERE amount > NNN ORDER BY name LIMIT 10",
    ),
    "group and sum of 10,000, each time another": (
        {"filter": {"amount": {"$gt": "N"}}, "group": "category", "aggregate": {"total": {"$sum": "amount"}, "n": {"$count": True}}},
        "SELECT category, sum(amount), count(*) FROM people WHERE amount > NNN GROUP BY category",
    ),
}
_DASHBOARD: tuple[dict[str, Any], str] = (
    {"group": "category", "aggregate": {"total": {"$sum": "amount"}, "n": {"$count": True}}},
    "SELECT category, sum(amount), count(*) FROM people GROUP BY category",
)


def against_datasette(wrk: Wrk, running: Running, datasette: str) -> list[Row]:
    """The same questions over 10,000 records, which it has as columns."""
    rows = []
    for name, (asked, sql) in {**_DATASETTE, "the same group again and again": _DASHBOARD}.items():
        path = f"/people.json?sql={quote(sql)}&_shape=array"
        assert requests.get(datasette + path.replace("NNN", "5"), timeout=20).ok
        theirs = _THEIRS.replace("PATH", path)
        pairs = [(_asked(wrk, running, asked), wrk(datasette, script=theirs, warm=WARM)) for _ in range(2)]  # the machine has its moods
        ours_, theirs_ = (statistics.mean(pair[i] for pair in pairs) for i in (0, 1))
        rows.append(Row(name, ours_, "Datasette", theirs_, 1.0))
    return rows


def put_people(database: Path) -> None:
    """The same people in a table of a SQLite file, as our peers have them."""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, amount REAL, category TEXT)")
        connection.executemany("INSERT INTO people VALUES (:id, :name, :age, :amount, :category)", people(10_000))


def _save_people(running: Running) -> None:
    secret = keys.generate().secret
    for start in range(0, 10_000, 2000):
        ops = [{"op": "save", "route": "people", "key": f"k{p['id']}", "payload": p} for p in people(10_000)[start : start + 2000]]
        assert running.post("/bulk", {"ops": ops}, secret).ok
