"""Facets: of what a search finds, how many have each value of a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from grammar.names import title
from ocean.context import Caller, Ocean
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.query.scope import folder_of, run, scan_of
from ocean.store.query.fragments import Sql, sql
from ocean.store.query.logical import check_name
from ocean.store.query.pipeline import Pipeline

MAX_FIELDS = 10
MAX_VALUES = 20  # of a field: those that most have
MAX_COUNTED = 10_000  # of the best that are found
_COUNT = "_facet_count"  # no field of the records


def check(fields: Any) -> list[str]:
    """Raises INVALID_VALUE."""
    if not isinstance(fields, list) or not 0 < len(fields) <= MAX_FIELDS or not all(isinstance(name, str) for name in fields):
        raise OceanError("INVALID_VALUE", f"'facets' is a list of 1 to {MAX_FIELDS} fields.")
    return [check_name(name) for name in fields]


async def facets(ocean: Ocean, caller: Caller, route: str, fields: Sequence[str], seqs: Sequence[int]) -> dict[str, Any]:
    """`{field: [{value, count}]}` of records by their places in the log, of those that the caller may see; most first."""
    if not seqs:
        return {field: [] for field in fields}
    scan = await scan_of(ocean, caller, await folder_of(ocean, f"{route}/*"), "search")
    places = Sql(",".join("?" * len(seqs)), tuple(seqs))
    among = replace(scan, select=sql("SELECT q.* FROM ({}) q WHERE q.seq IN ({})", scan.select, places))
    found: dict[str, Any] = {}
    for field in fields:
        pipeline = Pipeline(ocean.engine.dialect, among)
        pipeline.grouped([field], [{"op": "count", "as": _COUNT}])
        pipeline.sort([{"field": _COUNT, "descending": True}])
        pipeline.limit(MAX_VALUES + 1)  # one may be of those that have none
        rows = [loads(str(row[0])) for row in await run(ocean, caller, pipeline.rows())]
        values = [{"value": row[title(field)], "count": row[_COUNT]} for row in rows if row.get(title(field)) is not None]
        found[field] = values[:MAX_VALUES]
    return found
