"""What a folder without an index holds."""

from __future__ import annotations

from dataclasses import dataclass

from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.core.patterns import named_in
from ocean.services.access.reading import gated_among
from ocean.services.query.folders import entities, folders_beneath

MOST = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a listing: `size` in bytes, or None for a folder."""

    name: str
    link: str
    size: int | None = None
    changed: str = ""
    price: float | int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """`more`: there is more than is listed; `records`: all of it are records that name a pattern, and none a file, a text or a folder."""

    route: str
    entries: tuple[Entry, ...]
    more: bool
    records: bool


async def listing(ocean: Ocean, caller: Caller, route: str, hidden: frozenset[str]) -> Listing | None:
    """The folders and pages directly inside `route` that the caller may see; None where there are none."""
    if route.rsplit("/", 1)[-1] in hidden:
        return None
    folders = await folders_beneath(ocean, caller, route, MOST)
    drops = await entities(ocean, caller, route, MOST, 0)
    entries = [Entry(name + "/", name + "/") for name in folders if name not in hidden]
    records, kept_back = True, await gated_among(ocean, caller, drops)
    for drop in sorted(drops, key=lambda d: d.key or ""):
        if drop.key is None or drop.key in hidden:
            continue
        closed = drop.seq in kept_back
        records = records and (closed or named_in(drop.payload or "null") is not None)
        size = None if closed else len((drop.payload or "").encode())
        entries.append(Entry(drop.key, drop.key, size, show_time(drop.created_at), drop.price.shown().get("price")))
    if not entries:
        return None
    return Listing(route, tuple(entries), len(drops) == MOST or len(folders) == MOST, records and len(entries) > len(folders) == 0)
