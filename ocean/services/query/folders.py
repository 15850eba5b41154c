"""What a folder holds, without a question: its records, their number, the folders in it."""

from __future__ import annotations

from collections.abc import Sequence

from ocean.context import Caller, Ocean
from ocean.core.drop import Drop
from ocean.core.routes import ancestors
from ocean.services.access import reading
from ocean.services.query.scope import RECORDS, check_page, run, visible
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.reader import beneath

MAX_SEEKS = 2000
OUTLINES = 10_000
_OUTLINE = (  # as `Drop` takes it, without the payload
    "SELECT r.seq, r.drop_id, r.route, r.key, '', r.source, r.owner, r.created_at, 0, r.version, r.expires_at, r.price, r.read_price, "
    "r.counters FROM record r"
)


async def entities(ocean: Ocean, caller: Caller, route: str, limit: int, after: int) -> list[Drop]:
    """The folder's live entities behind a place in the log, priced ones too; fewer than `limit` where they are large."""
    check_page(limit, 0)
    condition = joined(" AND ", [await visible(ocean, caller, route, False, "entity"), sql("r.key IS NOT NULL AND r.seq > {}", after)])
    query = sql(f"{RECORDS} WHERE {{}} ORDER BY r.seq LIMIT {{}}", condition, limit)
    return [Drop(*row) for row in await run(ocean, caller, query, cut=True)]


async def everything(ocean: Ocean, caller: Caller, route: str, limit: int, after: int) -> list[Drop]:
    """The same with the folder's events, and without what has a price for the caller."""
    check_page(limit, 0)
    seen = await visible(ocean, caller, route, False, "query")
    condition = joined(" AND ", [seen, reading.affordable(caller), sql("r.seq > {}", after)])
    return [
        Drop(*row) for row in await run(ocean, caller, sql(f"{RECORDS} WHERE {{}} ORDER BY r.seq LIMIT {{}}", condition, limit), cut=True)
    ]


async def outlines(ocean: Ocean, caller: Caller, route: str, prefix: str) -> list[Drop]:
    """The folder's live entities whose keys begin with `prefix` (nothing, or ending in a slash), newest first, priced ones too;
    OUTLINES of them at most, and without what they hold."""
    parts = [await visible(ocean, caller, route, False, "entity"), sql("r.key IS NOT NULL")]
    if prefix:
        parts.append(sql("r.key > {} AND r.key < {}", prefix, prefix[:-1] + "0"))  # `0` follows `/`
    query = sql(f"{_OUTLINE} WHERE {{}} ORDER BY r.seq DESC LIMIT {{}}", joined(" AND ", parts), OUTLINES)
    return [Drop(*row) for row in await run(ocean, caller, query)]


async def at_places(ocean: Ocean, caller: Caller, route: str, seqs: Sequence[int]) -> list[Drop]:
    """The folder's live entities at some places of the log; fewer where they are large, but one at least."""
    places = Sql(",".join("?" * len(seqs)), tuple(seqs))
    seen = await visible(ocean, caller, route, False, "entity")
    return [Drop(*row) for row in await run(ocean, caller, sql(f"{RECORDS} WHERE r.seq IN ({{}}) AND {{}}", places, seen), cut=True)]


async def count(ocean: Ocean, caller: Caller, route: str) -> int:
    """How many records of a folder the caller may see."""
    condition = joined(" AND ", [await visible(ocean, caller, route, False, "query"), reading.affordable(caller)])
    ((total,),) = await run(ocean, caller, sql("SELECT count(*) FROM record r WHERE {}", condition))
    return int(total)


async def folders_beneath(ocean: Ocean, caller: Caller, route: str, limit: int) -> list[str]:
    """The names of the folders directly inside `route` that hold records the caller may see; one seek for each, MAX_SEEKS in all."""
    verdict, denied = await reading.allowed(ocean, caller, route, "entity")
    if verdict == "own":
        return []
    closed = set(denied)
    async with ocean.turns.of(*caller.holders):
        names: list[str] = []
        cursor, end = beneath(route)
        for _ in range(MAX_SEEKS):
            found = await ocean.reader.next_folder(cursor, end)
            if found is None or len(names) >= limit:
                break
            shut = next((folder for folder in ancestors(found) if folder in closed), None)
            if shut is None:
                names.append(found[len(route) + 1 :].split("/", 1)[0])
            cursor = f"{shut or f'{route}/{names[-1]}'}0"  # past all that lies in it
        return names
