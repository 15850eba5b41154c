"""A report over five folders and more than 100,000 rows, in Drops and in SQL, held to Python's own sums."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from ocean.context import Caller, Ocean
from ocean.services.data import records
from ocean.services.query.sql import sql
from tests.services.test_find import plain, rows

REGIONS = ["north", "south", "east", "west"]
LINES = 100_000


def shop(lines: int) -> dict[str, list[dict[str, Any]]]:
    """A wholesaler's year, as such sets are published: regions, customers, products, orders and their lines."""
    chance = random.Random(11)
    customers = [{"_key": f"c{i}", "region": f"r{chance.randrange(4)}", "name": f"Customer {i}"} for i in range(800)]
    products = [
        {"_key": f"p{i}", "group": chance.choice(["tea", "jam", "tin"]), "price": round(chance.uniform(1, 90), 2)} for i in range(200)
    ]
    orders = [
        {"_key": f"o{i}", "customer": f"c{chance.randrange(800)}", "day": f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"}
        for i in range(12_000)
    ]
    lines = [
        {"_key": f"l{i}", "order": f"o{chance.randrange(12_000)}", "product": f"p{chance.randrange(200)}", "count": chance.randrange(1, 9)}
        for i in range(lines)
    ]
    regions = [{"_key": f"r{i}", "title": title} for i, title in enumerate(REGIONS)]
    return {"regions": regions, "customers": customers, "products": products, "orders": orders, "lines": lines}


async def test_a_report_of_five_folders_is_the_same_by_every_way(ocean: Ocean, alice: Caller) -> None:
    data = shop(LINES if ocean.engine.dialect.name == "sqlite" else LINES // 5)
    for route, found in data.items():
        for first in range(0, len(found), 5000):
            ops = [
                {"route": f"year/{route}", "key": row["_key"], "payload": {k: v for k, v in row.items() if k != "_key"}}
                for row in found[first : first + 5000]
            ]
            await records.bulk(ocean, alice, ops=ops)
    by = {route: {row["_key"]: row for row in found} for route, found in data.items()}
    wanted: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for line in data["lines"]:
        order = by["orders"][line["order"]]
        region = by["regions"][by["customers"][order["customer"]]["region"]]["title"]
        cell = wanted[region, by["products"][line["product"]]["group"]]
        cell[0] += line["count"]
        cell[1] += 1
    expected = [[region, group, *cell] for (region, group), cell in sorted(wanted.items())]
    report = (
        "find year/lines join year/orders on order = key join year/customers as buyer on orders.customer = key "
        "join year/regions on buyer.region = key join year/products on product = key "
        "group title, group sum count count sort title, group"
    )
    found = await rows(ocean, alice, report.replace("group title, group sum", 'group title, "group" sum'))
    assert [[row["title"], row["group"], row["sum_count"], row["count"]] for row in found] == expected
    query = (
        'SELECT r.title, p."group", sum(l.count) AS pieces, count(*) AS lines FROM "year/lines" l '
        'JOIN "year/orders" o ON o.key = l."order" JOIN "year/customers" c ON c.key = o.customer '
        'JOIN "year/regions" r ON r.key = c.region JOIN "year/products" p ON p.key = l.product '
        'GROUP BY r.title, p."group" ORDER BY r.title, p."group"'
    )
    assert plain(await sql(ocean, alice, query=query))["rows"] == expected
    most = (
        'SELECT substr(o.day, 1, 7) AS month, count(*) AS n FROM "year/orders" o GROUP BY 1 HAVING count(*) > 900 ORDER BY n DESC LIMIT 3'
    )
    months = await sql(ocean, alice, query=most)
    counted: dict[str, int] = defaultdict(int)
    for order in data["orders"]:
        counted[order["day"][:7]] += 1
    assert [row[1] for row in plain(months)["rows"]] == sorted(counted.values(), reverse=True)[:3]
