"""primitives: records of any folder by their universal fields."""

from __future__ import annotations

import time
from typing import Any

from grammar.conditions import Condition
from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.drop import Drop
from ocean.core.routes import check_prefix
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.query.question import LIMIT
from ocean.services.query.scope import RECORDS, check_page, run
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import predicate
from ocean.store.query.lower import Lowering, in_record
from ocean.store.query.marks import NAMES, conditions
from ocean.store.reader import LIVE, now, within

MAX_FOLDERS = 20_000
FOLDERS = 500  # that are looked at at once: the loop goes on between


async def primitives(
    ocean: Ocean, caller: Caller, *, where: Condition | None = None, prefix: str | None = None, limit: int = LIMIT, **asked: Any
) -> dict[str, Any]:  # fmt: skip
    """Records that have all that is asked for, newest first, of every folder that the caller may query (`prefix`: of these alone)."""
    started = time.perf_counter()
    check_page(limit, 0)
    asked = {name: wanted for name, wanted in asked.items() if wanted is not None}
    if not asked:
        raise OceanError("INVALID_VALUE", "Nothing is asked for.", f"Ask by {', '.join(NAMES)}.")
    parts = [Sql(LIVE, (now(),)), conditions(asked, ocean.engine.dialect), reading.affordable(caller)]
    if prefix is not None:
        inside, values = within("r.route", check_prefix(prefix)[0], True)  # it and all beneath
        parts.append(Sql(inside, tuple(values)))
    tested = Lowering(ocean.engine.dialect, in_record).condition(predicate(where)) if where is not None else Sql("true")
    matching = joined(" AND ", parts)
    allowed = await _allowed(ocean, caller, matching)
    drops: list[Drop] = []
    if allowed is not None:
        # CASE keeps the order: what may not be read is not looked into, or the time it takes would tell of it.
        seen = sql("CASE WHEN {} AND {} THEN {} ELSE false END", allowed, reading.affordable(caller), tested)
        statement = sql(f"{RECORDS} WHERE {{}} AND {{}} ORDER BY r.seq DESC LIMIT {{}}", matching, seen, limit)
        drops = [Drop(*row) for row in await run(ocean, caller, statement)]
    results = [drop.to_json() for drop in drops]
    return {"results": results, "count": len(results), "time_ms": round((time.perf_counter() - started) * 1000, 2)}


async def _allowed(ocean: Ocean, caller: Caller, matching: Sql) -> Sql | None:
    """The condition that a record lies in a folder where the caller may query it; None where there is no such folder."""
    whole: list[str] = []
    own: list[str] = []
    last = ""
    while True:  # page by page, and only what may be seen counts: how much else there is is not told
        page = sql("SELECT DISTINCT r.route FROM record r WHERE {} AND r.route > {} ORDER BY r.route LIMIT {}", matching, last, FOLDERS)
        routes = [row[0] for row in await run(ocean, caller, page)]
        for route in routes:
            try:
                verdict = access.decide(route, caller.key, "query", await ocean.reader.rules(route))
            except OceanError:
                continue
            (whole if verdict == "allow" else own if verdict == "own" else []).append(route)
        if len(whole) + len(own) > MAX_FOLDERS:
            hint = "Narrow it, or name a folder: in my/data/*."
            raise OceanError("LIMIT_REACHED", f"What is asked for is in more than {MAX_FOLDERS} folders.", hint)
        if len(routes) < FOLDERS:
            break
        last = routes[-1]
    ways = [ocean.engine.dialect.among(Sql("r.route"), whole)] if whole else []
    if own and caller.key is not None:
        ways.append(sql("({} AND r.owner = {})", ocean.engine.dialect.among(Sql("r.route"), own), caller.key))
    return sql("({})", joined(" OR ", ways)) if ways else None
