"""Folders joined by their fields, where no index helps: in a time that grows with the records, not with their pairs."""

from __future__ import annotations

import random

import pytest

from ocean.context import Caller, Ocean
from ocean.services.data import records
from ocean.services.query.sql import sql
from tests.services.test_find import rows

MANY = 8_000  # two of them by pairs take longer than any question may


@pytest.fixture
async def folders(ocean: Ocean, alice: Caller) -> Ocean:
    names = [f"n{i}" for i in range(MANY)]
    random.Random(5).shuffle(names)
    for folder in ("left", "right"):
        found = names if folder == "left" else sorted(names)
        ops = [
            {
                "route": folder,
                "key": f"{folder}{i}",
                "payload": {"name": name, "number": int(name[1:]), "of": f"left{i}"},
            }
            for i, name in enumerate(found)
        ]
        for first in range(0, MANY, 4000):
            await records.bulk(ocean, alice, ops=ops[first : first + 4000])
    return ocean


async def test_joins_by_fields_take_no_time_for_each_pair(folders: Ocean, alice: Caller) -> None:
    for query in (
        'SELECT count(*) FROM "left" l JOIN "right" r ON l.name = r.name',
        'SELECT count(*) FROM "left" l JOIN "right" r ON l.number = r.number',
        'SELECT count(*) FROM "left" l LEFT JOIN "right" r ON l.name = r.name',
        'SELECT count(*) FROM "left" l RIGHT JOIN "right" r ON l.name = r.name',
        'SELECT count(*) FROM "left" l LEFT JOIN "right" r ON r.of = l.key',
        'SELECT count(*) FROM "right" r JOIN "left" l ON r.of = l.key',
        'SELECT count(*) FROM "left" l, "right" r WHERE l.name = r.name',
        'SELECT count(*) FROM "left" l WHERE l.name IN (SELECT name FROM "right")',
        'SELECT count(*) FROM "left" l WHERE EXISTS (SELECT 1 FROM "right" r WHERE r.name = l.name)',
        'WITH a AS (SELECT name FROM "left"), b AS (SELECT name FROM "right") SELECT count(*) FROM a JOIN b ON a.name = b.name',
        'SELECT count(*) FROM "left" l JOIN "right" r USING (name) JOIN "left" z ON z.number = r.number',
    ):
        assert (await sql(folders, alice, query=query))["rows"] == [[MANY]], query
    for text in (
        "find left join right on name = name group sum number",
        "find left join right on number = number group sum number",
        "find left join right on key = of group sum number",
        "find right join left on of = key group sum number",
        "find left join right on name = name join left as third on right.number = number group sum number",
    ):
        assert await rows(folders, alice, text) == [{"sum_number": MANY * (MANY - 1) // 2}], text
    await records.save(folders, alice, route="right", key="alone", payload={"name": "nobody"})
    query = 'SELECT r.key, l.key AS other FROM "left" l RIGHT JOIN "right" r ON l.name = r.name WHERE l.key IS NULL'
    assert (await sql(folders, alice, query=query))["rows"] == [["alone", None]]


async def test_text_and_a_number_never_join(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="a", key="5", payload={"n": 5, "t": "5"})
    await records.save(ocean, alice, route="b", key="x", payload={"n": 5, "t": "5"})
    for on, wanted in (("a.key = b.t", 1), ("b.t = a.key", 1), ("a.n = b.n", 1), ("a.t = b.t", 1)):
        found = await sql(ocean, alice, query=f"SELECT count(*) FROM a JOIN b ON {on}")
        assert found["rows"] == [[wanted]], on
    for on, partner in (("key = n", None), ("t = n", None), ("n = t", None), ("n = n", "x"), ("t = t", "x"), ("key = t", "x")):
        assert (await rows(ocean, alice, f"find a join b on {on} pick b.key as partner"))[0].get("partner") == partner, on
