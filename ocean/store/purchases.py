"""What was bought, by whom: what the price rule asks, of one record, of many keys, and inside a question."""

from __future__ import annotations

from collections.abc import Sequence

from ocean.store.engine import Engine
from ocean.store.query.fragments import Sql, sql
from ocean.store.reader import within

HELD = "refunded_at IS NULL"
_BOUGHT = f"SELECT 1 FROM purchase WHERE buyer = ? AND item = ? AND seller = ? AND {HELD} LIMIT 1"
MAX_FOUND = 2000  # bought records of a folder that a search finds


async def bought(engine: Engine, buyer: str, item: str, seller: str) -> bool:
    """Whether it was bought of who owns it: what came to be another's is another thing."""
    return bool(await engine.rows(_BOUGHT, (buyer, item, seller)))


async def buyers_among(engine: Engine, keys: Sequence[str], item: str, seller: str) -> set[str]:
    """Those of some keys that have bought it."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        marks = ",".join("?" * len(some))
        query = f"SELECT buyer FROM purchase WHERE buyer IN ({marks}) AND item = ? AND seller = ? AND {HELD}"
        found |= {row[0] for row in await engine.rows(query, (*some, item, seller))}
    return found


def bought_by(buyer: str, table: str) -> Sql:
    """The condition that a row of `record` or of `drops`, named `table`, was bought by a key."""
    item = f"CASE WHEN {table}.key IS NULL THEN {table}.drop_id ELSE {table}.route || ' ' || {table}.key END"
    held = f"EXISTS (SELECT 1 FROM purchase p WHERE p.buyer = {{}} AND p.item = {item} AND p.seller = {table}.owner AND p.{HELD})"
    return sql(held, buyer)


async def places_of(engine: Engine, buyer: str, route: str) -> list[int]:
    """Where what a key has bought in a folder and all beneath lies in the log now; the newest MAX_FOUND."""
    inside, values = within("p.route", route, True)
    query = (
        f"SELECT r.seq FROM purchase p JOIN record r ON r.route = p.route AND r.key = p.key WHERE p.buyer = ? AND {inside} AND p.{HELD} "
        f"UNION ALL SELECT d.seq FROM purchase p JOIN drops d ON d.drop_id = p.drop_id WHERE p.buyer = ? AND {inside} AND p.{HELD} "
        f"AND p.key IS NULL ORDER BY 1 DESC LIMIT {MAX_FOUND}"
    )
    return [int(row[0]) for row in await engine.rows(query, (buyer, *values, buyer, *values))]
