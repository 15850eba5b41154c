"""SELECTs that were written to do harm, or to be taken for something else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.query.sql import sql


async def fill(ocean: Ocean, who: Caller) -> None:
    ops: list[dict[str, Any]] = [{"route": "left", "key": str(i), "payload": {"id": i, "v": f"v{i % 2}"}} for i in range(3)]
    ops += [{"route": "right", "key": str(i), "payload": {"u": 2 - i, "id": i}} for i in range(3)]
    ops += [{"route": "keys", "key": "5", "payload": {"t": "5"}}, {"route": "numbers", "key": "z", "payload": {"n": 5, "t": "5"}}]
    ops.append({"route": "wide", "key": "1", "payload": {f"f{i}": i for i in range(999)}})
    await records.bulk(ocean, who, ops=ops)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 FROM a " + "JOIN b " * 20,
        "SELECT 1 FROM a " + "JOIN b " * 400,
        "SELECT " + "ARRAY[" * 20 + "1" + "]" * 20,
        "SELECT " + "(" * 300 + "1" + ")" * 300,
        'SELECT 1 FROM "left" x, "right" x',
        'SELECT * FROM ("left" l RIGHT JOIN "right" r ON l.id = r.id)',
        'SELECT 1 FROM "left" l RIGHT JOIN ("right" r JOIN "left" q ON q.id = r.id) ON l.id = q.id',
        'SELECT 1 FROM "left" SEMI JOIN "right" s ON true',
        'SELECT 1 FROM "left" ANTI JOIN "right" s ON true',
        'SELECT l.id, r.u FROM "left" l NATURAL JOIN "right" r',
        'SELECT DISTINCT ON (v) v, id FROM "left"',
        'SELECT a FROM "left" AS x(a, b)',
        'SELECT a FROM (SELECT id FROM "left") AS x(a)',
        "WITH x AS (SELECT * FROM wide) SELECT * FROM x" + " UNION ALL SELECT * FROM x" * 5,
        "SELECT * FROM " + "(SELECT * FROM " * 30 + "wide" + ") q" * 30,
    ],
)
async def test_it_is_refused_at_once(ocean: Ocean, alice: Caller, query: str) -> None:
    await fill(ocean, alice)
    begun = time.monotonic()
    with pytest.raises(OceanError) as raised:
        await sql(ocean, alice, query=query)
    assert raised.value.code == "SQL_ERROR"
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ('WITH x(a, b) AS (SELECT id, v FROM "left") SELECT a, b FROM x ORDER BY a', [[0, "v0"], [1, "v1"], [2, "v0"]]),
        ('SELECT (SELECT max(id) FROM "left") AS most', [[2]]),
        ('SELECT l.id FROM "left" l JOIN "right" r USING (id) WHERE r.u = 0', [[2]]),
        ('SELECT id, r.u FROM "left" l JOIN "right" r USING (id) ORDER BY id', [[0, 2], [1, 1], [2, 0]]),
        (
            'SELECT count(*) FROM "left" l JOIN "right" r ON r.id = l.id WHERE l.id IN (SELECT u FROM "right" WHERE id < 2) '
            'AND l.id > (SELECT min(id) FROM "left")',
            [[2]],
        ),
        ("SELECT k.key FROM keys k JOIN numbers n ON n.t = k.key", [["5"]]),
        ("SELECT k.key FROM numbers n JOIN keys k ON k.key = n.t", [["5"]]),
        ("SELECT n.key FROM keys k LEFT JOIN numbers n ON n.t = k.key", [["z"]]),
    ],
)
async def test_what_looks_like_it_is_answered(ocean: Ocean, alice: Caller, query: str, rows: list[Any]) -> None:
    await fill(ocean, alice)
    assert (await sql(ocean, alice, query=query))["rows"] == rows


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_key_is_never_a_number_whichever_way_it_is_joined(ocean: Ocean, alice: Caller) -> None:
    await fill(ocean, alice)
    for query in (
        "SELECT k.key FROM numbers n JOIN keys k ON k.key = n.n",
        "SELECT k.key FROM keys k JOIN numbers n ON n.n = k.key",
        "SELECT k.key FROM keys k, numbers n WHERE k.key = n.n",
    ):
        assert (await sql(ocean, alice, query=query))["rows"] == [], query
