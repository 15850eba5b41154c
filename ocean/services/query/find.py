"""find: conditions over a folder's live entities and unexpired events."""

from __future__ import annotations

import time
from typing import Any

from grammar.conditions import Condition
from ocean.context import Caller, Ocean
from ocean.core.drop import Drop
from ocean.core.payloads import loads
from ocean.core.routes import ancestors, check_prefix
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.store.query import order, where
from ocean.store.reader import DROP, LIVE, beneath, now, within

MAX_LIMIT = 1000
MAX_PICK = 100
MAX_SEEKS = 2000


async def _scope(ocean: Ocean, caller: Caller, route: str, deep: bool, permission: str, args: list[Any]) -> str:
    """The rows that this caller may see there: every scan of records begins with it."""
    verdict = await reading.require_read(ocean, caller, route, permission)
    sql = LIVE
    args.append(now())
    inside, values = within("r.route", route, deep)
    sql += f" AND {inside}"
    args.extend(values)
    if deep and (denied := await reading.denied_beneath(ocean, caller, route, permission)):
        sql += " AND " + ocean.engine.dialect.outside(denied, args)
    if verdict == "own":
        sql += " AND r.owner = ?"
        args.append(caller.key or "")
    return sql


def _affordable(caller: Caller, args: list[Any]) -> str:
    """Priced records of others are left out: what can't be seen can't be filtered, sorted or counted by."""
    args.append(caller.key or "")
    return " AND (r.price IS NULL OR r.owner = ?)"


def _check_page(limit: int, skip: int) -> None:
    if not 0 < limit <= MAX_LIMIT or not 0 <= skip <= 10**9:
        raise OceanError("INVALID_VALUE", f"limit is 1 to {MAX_LIMIT}, and skip is not negative.")


async def scan(
    ocean: Ocean, caller: Caller, route: str, deep: bool, *, permission: str = "query", condition: Condition | None = None,
    sorts: list[dict[str, Any]] | None = None, limit: int = 100, skip: int = 0, after: int = 0, entities: bool = False,
) -> list[Drop]:  # fmt: skip
    """The drops that match, in order; of `entities` fewer than `limit` where they are large."""
    _check_page(limit, skip)
    args: list[Any] = []
    sql = await _scope(ocean, caller, route, deep, permission, args)
    if entities:
        sql += " AND r.key IS NOT NULL"
    else:
        sql += _affordable(caller, args)
    if after:
        sql += " AND r.seq > ?"
        args.append(after)
    if condition is not None:
        sql += " AND " + where(condition, ocean.engine.dialect, args)
    tail = order(sorts or [], ocean.engine.dialect, args)
    args.extend((limit, skip))
    query = f"SELECT {DROP}, r.counters FROM record r JOIN drops d ON d.seq = r.seq WHERE {sql} ORDER BY {tail} LIMIT ? OFFSET ?"  # noqa: S608
    async with ocean.turns.of(caller.holder):
        return [Drop(*row) for row in await ocean.engine.scan(query, args, cut=entities)]


async def find(
    ocean: Ocean, caller: Caller, *, prefix: str, where: Condition | None = None, sort: list[dict[str, Any]] | None = None,
    limit: int = 100, skip: int = 0, pick: list[str] | None = None, counted: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Records that match; `pick` gives flat rows, `count` their number alone."""
    started = time.perf_counter()
    route, deep = check_prefix(prefix)
    if pick is not None and not 0 < len(pick) <= MAX_PICK:
        raise OceanError("INVALID_VALUE", f"A find picks 1 to {MAX_PICK} fields.")
    if counted:
        return {"count": await count(ocean, caller, route, deep, where)}
    drops = await scan(ocean, caller, route, deep, condition=where, sorts=sort, limit=limit, skip=skip)
    results = [_row(d, pick) for d in drops] if pick else [d.to_json() for d in drops]
    return {"results": results, "count": len(results), "time_ms": round((time.perf_counter() - started) * 1000, 2)}


async def count(ocean: Ocean, caller: Caller, route: str, deep: bool, condition: Condition | None) -> int:
    args: list[Any] = []
    sql = await _scope(ocean, caller, route, deep, "query", args)
    sql += _affordable(caller, args)
    if condition is not None:
        sql += " AND " + where(condition, ocean.engine.dialect, args)
    async with ocean.turns.of(caller.holder):
        ((total,),) = await ocean.engine.scan(f"SELECT count(*) FROM record r WHERE {sql}", args)  # noqa: S608
    return int(total)


def _row(drop: Drop, names: list[str]) -> dict[str, Any]:
    record = drop.to_json()
    body = loads(drop.body())
    body = body if isinstance(body, dict) else {}
    row: dict[str, Any] = {}
    for name in names:
        if name == "*":
            row.update(body)
        elif name in ("key", "created_at", "drop_id", "route", "source"):
            row[name] = record.get(name)
        else:
            value: Any = body
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            row[name] = value
    return row


async def folders_beneath(ocean: Ocean, caller: Caller, route: str, limit: int) -> list[str]:
    """The names of the folders directly inside `route` that hold records the caller may see; one seek for each, MAX_SEEKS in all."""
    verdict = await reading.require_read(ocean, caller, route, "entity")
    if verdict == "own":
        return []
    async with ocean.turns.of(caller.holder):
        closed = set(await reading.denied_beneath(ocean, caller, route, "entity"))
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
