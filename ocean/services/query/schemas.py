"""Schemas of folders, and patterns that records of any folder may follow."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from ocean.context import Caller, Ocean
from ocean.core import patterns
from ocean.core.changes import Op
from ocean.core.patterns import PATTERNS
from ocean.core.payloads import loads
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import gated, gated_among, require_read
from ocean.services.data.writing import write
from ocean.services.query.folders import entities
from ocean.services.query.scope import MAX_LIMIT
from ocean.store.reader import now


async def define(
    ocean: Ocean, caller: Caller, *, fields: Any, route: str | None = None, name: str | None = None, version: str | None = None,
    views: Any = None,
) -> dict[str, Any]:  # fmt: skip
    """Gives a folder (`route`) a schema, or makes the pattern `name`. What is there already is not looked at."""
    schema = patterns.define(fields, version, views)
    if route is not None:
        route = check_route(route)
        await write(ocean, caller, [Op("schema", route, schema=schema)])
        return {"route": route, "schema": schema.to_json()}
    name = check_key(name)
    await write(ocean, caller, [Op("save", PATTERNS, name, orjson.dumps(schema.to_json()).decode())])
    return {"pattern": name, **schema.to_json()}


async def undefine(ocean: Ocean, caller: Caller, *, route: str | None = None, name: str | None = None) -> dict[str, Any]:
    """Takes a folder's schema, or a pattern, away."""
    if route is not None:
        route = check_route(route)
        await write(ocean, caller, [Op("schema", route)])
        return {"route": route, "schema": None}
    await write(ocean, caller, [Op("remove", PATTERNS, check_key(name))])
    return {"pattern": name, "deleted": True}


async def list_patterns(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The patterns that there are."""
    found = []
    drops = await entities(ocean, caller, PATTERNS, MAX_LIMIT, 0)
    kept_back = await gated_among(ocean, caller, drops)
    for drop in drops:
        if drop.seq in kept_back:
            found.append({"pattern": drop.key, "owner": drop.owner, **drop.price.shown(), "_gated": True})
            continue
        kept = loads(drop.body())
        if isinstance(kept, dict) and isinstance(kept.get("fields"), dict):
            found.append({"pattern": drop.key, **kept, "owner": drop.owner})
    return {"results": found, "count": len(found)}


async def validate(ocean: Ocean, caller: Caller, *, pattern: str, payload: Any) -> dict[str, Any]:
    """`{valid, errors}` of a payload against a pattern, or against the schema of the folder of that name."""
    schema = await _pattern(ocean, caller, pattern)
    if schema is None:
        raise OceanError("NOT_FOUND", f"There is no pattern {pattern[:60]!r}.", 'Make one: define todo fields title: "text required"')
    faults = await asyncio.to_thread(schema.faults, payload)  # it may be large
    return {"valid": not faults, "errors": faults}


async def _pattern(ocean: Ocean, caller: Caller, name: str) -> patterns.Schema | None:
    drop = await ocean.reader.entity(PATTERNS, check_key(name))
    if drop is not None and drop.live(now()):
        if await gated(ocean, caller, drop):
            raise OceanError("FORBIDDEN", f"The pattern {name[:60]!r} has a price: what it asks for is its buyers' to know.")
        schema = patterns.read(drop.payload or "null")
        if schema is None:
            raise OceanError("CONFLICT", f"The record patterns @{name[:60]} is not a pattern.", "Its owner can define it again.")
        return schema
    try:
        await require_read(ocean, caller, check_route(name), "query")
        return await ocean.reader.schema(check_route(name))
    except OceanError:
        return None
