"""Records that name a pattern: its template, filled with the record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from ocean.core import access
from ocean.core.drop import Drop
from ocean.core.patterns import PATTERNS, Schema, read
from ocean.core.payloads import loads
from ocean.core.routes import check_key, check_route
from ocean.core.shown import DROP
from ocean.core.templates import Template, compile_template
from ocean.errors import OceanError
from ocean.services.access.reading import gated, may_see
from ocean.services.data.embeds import Look
from ocean.services.pages.visit import Visit, authorise
from ocean.store.reader import now

VIEWS = "views"  # the folder of templates, where a pattern names none of its own
MAX_REFERENCES = 100  # of a record, by `drop://`
DEPTH = 2  # of embeds


class Pattern(NamedTuple):
    """`source` wrote it as it is, `owner` first."""

    name: str
    owner: str
    source: str
    schema: Schema


async def pattern_of(visit: Visit, body: Any) -> Pattern | None:
    """The pattern that a record names, if there is one to be seen."""
    name = body.get("pattern") if isinstance(body, dict) else None
    drop = await _seen(visit, PATTERNS, name) if isinstance(name, str) else None
    schema = read(drop.payload or "null") if drop is not None else None
    return Pattern(str(name), drop.owner, drop.source, schema) if drop is not None and schema is not None else None


async def template_of(visit: Visit, pattern: Pattern, mode: str, owner: str) -> tuple[Template, bool] | None:
    """The template of a pattern for a mode: the one that it names, or the record `views @NAME/MODE`, if the pattern's owner wrote it.

    And whether it is foreign to `owner`, whose page it is for: it is theirs if they wrote it, and the pattern, as they are. A foreign
    one is not given to whoever shows a key: it could tell of what the key opens. Raises INVALID_VALUE where it can't be read.
    """
    said = pattern.schema.views.get(mode)
    for route, key in splits(said) if said is not None else [(VIEWS, f"{pattern.name}/{mode}")]:
        drop = await _seen(visit, route, key)
        source = loads(drop.payload or "null") if drop is not None else None
        if drop is not None and isinstance(source, str) and (said is not None or drop.owner == pattern.owner):
            foreign = {drop.owner, drop.source, pattern.source} != {owner}
            if foreign and visit.caller.key is not None:
                return None
            return await asyncio.to_thread(compile_template, source, foreign=foreign), foreign
    return None


async def _seen(visit: Visit, route: str, key: str) -> Drop | None:
    """A record as it is, if this visitor may see it; notes that the page depends on it."""
    try:
        route, key = check_route(route), check_key(key)
    except OceanError:
        return None
    visit.depends.add(route)
    found = await visit.ocean.reader.look(route, key)
    drop = found.drop
    if visit.position is not None:
        drop = await visit.ocean.reader.entity_at(route, key, visit.position)
    if drop is None or not drop.live(now()) or await gated(visit.ocean, visit.caller, drop):
        return None
    if authorise(visit, route, found.owner == visit.caller.key, found.rules) is not None:
        return None
    visit.public = visit.public and drop.price.free
    visit.meet(drop)
    return drop


def splits(address: str) -> list[tuple[str, str]]:
    """The records that `drop://a/b/c` may name: `c` in `a/b`, then `b/c` in `a`."""
    segments = address.removeprefix(DROP).split("/")
    pairs = [("/".join(segments[:at]), "/".join(segments[at:]).removeprefix("@")) for at in range(len(segments) - 1, 0, -1)]
    return [pair for pair in pairs if all(pair)][:16]


async def resolved(visit: Visit, drop: Drop) -> Any:
    """What a record holds, with what it embeds or names by `drop://` in its place, as this visitor may see it."""
    body = loads(drop.body())
    text = drop.payload or ""
    if DROP in text:
        body = await _referring(visit, body)
    elif "$embed" not in text:
        return body
    look = Look(visit.ocean, visit.caller)
    body = await look.walk(body, DEPTH, ((drop.route, drop.key or ""),))
    for route, key in look.seen:
        visit.depends.add(route)
        rules = await visit.ocean.reader.rules(route)
        if access.decide(route, None, "entity", rules) != "allow":
            visit.public = False
        source = await visit.ocean.reader.entity(route, key)
        if source is not None:
            visit.public = visit.public and source.price.free
            visit.meet(source)
    return body


async def _referring(visit: Visit, body: Any) -> Any:
    """The same, each `drop://` that names a record as an embed of it."""
    named = list(islice(dict.fromkeys(islice(_references(body), MAX_REFERENCES * 100)), MAX_REFERENCES))
    there = await visit.ocean.reader.existing([pair for address in named for pair in splits(address)])
    embeds = {}
    for address in named:
        seen = [pair for pair in splits(address) if pair in there and await _may_see(visit, *pair)]
        pair = next(iter([*seen, *splits(address)]), None)  # what is not there is told as what is not for this reader
        if pair is not None:
            embeds[address] = {"$embed": {"route": pair[0], "key": pair[1]}}
    return _replaced(body, embeds)


async def _may_see(visit: Visit, route: str, key: str) -> bool:
    found = await visit.ocean.reader.look(route, key)
    return found.drop is not None and found.drop.live(now()) and may_see(visit.caller, found.drop, "entity", found.rules)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(DROP) and len(value) < 2000:
            yield value
        return
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _references(item)


def _replaced(value: Any, embeds: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return embeds.get(value, value)
    if isinstance(value, dict):
        return {name: _replaced(item, embeds) for name, item in value.items()}
    return [_replaced(item, embeds) for item in value] if isinstance(value, list) else value
