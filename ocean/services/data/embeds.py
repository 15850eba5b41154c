"""Embeds: `{"$embed": {"route", "key"}}` in a payload is read as the record that it names, with the reader's own rights."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.addresses import address_of_record
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.payloads import loads
from ocean.core.routes import check_key, check_route
from ocean.core.shown import SUMMARY, title_of
from ocean.errors import OceanError
from ocean.services.access.reading import may_see
from ocean.services.money.purchases import read_or_pay
from ocean.settings import page_url
from ocean.store.batch import Write
from ocean.store.reader import now

MAX_DEPTH = 5
MOST = 200  # embeds of one answer, and
BYTES = 4 * 1024 * 1024  # of what they hold
COUNTER = "embed_views"
log = logging.getLogger("ocean.embeds")


class Look:
    """One answer whose embeds are resolved: beyond MOST of them, or BYTES of what they hold, the rest stays as it was written."""

    def __init__(self, ocean: Ocean, caller: Caller) -> None:
        self.ocean = ocean
        self.caller = caller
        self.left = MOST
        self.bytes = BYTES
        self.seen: set[tuple[str, str]] = set()

    async def record(self, drop: Drop, record: dict[str, Any], depth: int) -> dict[str, Any]:
        """A record's answer with its embeds resolved, `depth` deep; `drop` is what it was made of."""
        if not depth or "payload" not in record or drop.payload is None or "$embed" not in drop.payload:
            return record
        payload = await self.walk(loads(drop.body()), depth, ((drop.route, drop.key or ""),))
        return {**record, "payload": payload}

    async def walk(self, value: Any, depth: int, path: tuple[tuple[str, str], ...]) -> Any:
        if isinstance(value, list):
            return [await self.walk(item, depth, path) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"$embed"} and isinstance(value["$embed"], dict):
            return await self._embed(value, depth, path) if depth > 0 and self.left > 0 and self.bytes > 0 else value
        return {name: await self.walk(item, depth, path) for name, item in value.items()}

    async def _embed(self, raw: dict[str, Any], depth: int, path: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        self.left -= 1
        wanted = raw["$embed"]
        mode = wanted.get("mode", "data")
        try:
            route, key = check_route(wanted.get("route")), check_key(wanted.get("key"))
            if mode not in ("data", "view"):
                raise OceanError("INVALID_VALUE", f"An embed has no mode {str(mode)[:40]!r}.", "data or view.")
            if (route, key) in path:
                return {"$embedded": False, "mode": mode, "route": route, "key": key, "cycle": True}
            drop = await self._source(route, key)
        except OceanError as fault:
            return {"$embedded": False, "mode": mode, "error": {"code": fault.code, "message": fault.message}}
        self.bytes -= len(drop.payload or "")
        if (route, key) not in self.seen:  # once an answer, however often it is named there
            self.seen.add((route, key))
            self.ocean.views[route, key, drop.owner] += 1
        if mode == "view":
            url = page_url(self.ocean.settings, address_of_record(route, key))
            return {"$embedded": True, "mode": mode, "url": url, "summary": _summary(drop)}
        payload = await self.walk(loads(drop.body()), depth - 1, (*path, (route, key)))
        return {"$embedded": True, "mode": mode, "route": route, "key": key, "payload": payload}

    async def _source(self, route: str, key: str) -> Drop:
        """The record that is embedded, as it is now, if this reader may have it."""
        found = await self.ocean.reader.look(route, key)
        drop = found.drop
        if drop is None or not drop.live(now()) or not may_see(self.caller, drop, "entity", found.rules):
            raise OceanError("NOT_FOUND", f"There is nothing to embed at {route!r} @{key[:60]!r} for this reader.")
        if not await read_or_pay(self.ocean, self.caller, drop):
            raise OceanError("RATE_LIMITED", f"The record @{key[:60]!r} in {route!r} has a price.", "Buy it first.")
        return drop


def _summary(drop: Drop) -> str:
    """A few words of a record: its title or name, or the beginning of its text."""
    body = loads(drop.body())
    if isinstance(body, dict):
        body = title_of(body) or next((body[name] for name in ("summary", "description", "text") if isinstance(body.get(name), str)), "")
    return str(body)[:SUMMARY] if isinstance(body, str | int | float) else ""


def check_depth(depth: int | None, resolve: bool) -> int:
    """How deep to resolve: 1 if nothing is said. Raises INVALID_VALUE."""
    if depth is not None and not 0 <= depth <= MAX_DEPTH:
        raise OceanError("INVALID_VALUE", f"'embed_depth' is 0 to {MAX_DEPTH}.")
    return 0 if not resolve else 1 if depth is None else depth


async def keep_counting(ocean: Ocean) -> None:
    """Counts what was embedded, about once a second, until it is cancelled."""
    while True:
        await asyncio.sleep(1.0)
        try:
            if ocean.views:
                await count_views(ocean)
        except Exception as fault:  # a full disk, a database away
            log.warning("embeds were not counted: %s", fault)


async def count_views(ocean: Ocean) -> None:
    """Adds what was seen to the sources' counters; each in its owner's name, since nobody else may write there."""
    views, ocean.views = ocean.views, Counter()
    for (route, key, owner), seen in views.items():
        drop = await ocean.reader.entity(route, key)
        body = loads(drop.payload) if drop is not None and drop.payload else None
        if not isinstance(body, dict) or COUNTER in body:  # a field of the writer's own is not counted on
            continue
        try:
            await ocean.log.append(Write([Op("add", route, key, counter=COUNTER, by=seen)], owner))
        except OceanError:
            continue  # removed since, or no object to count on
