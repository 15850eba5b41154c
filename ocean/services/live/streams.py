"""Following a folder: history, then what comes, nothing lost or doubled between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ocean.context import Caller, Ocean
from ocean.core.drop import ACCESS, Drop
from ocean.core.routes import check_prefix, covers
from ocean.errors import OceanError
from ocean.services.access.reading import may_see, require_read

POLL = 0.05  # seconds: how late another process's write may be heard of
PAGE = 500
MAX_REPLAY = 10_000


class CaughtUp(int):
    """History ends here; the number of drops replayed."""


async def follow(
    ocean: Ocean, caller: Caller, prefix: str, *, last: int | None = None, after: int | None = None
) -> AsyncIterator[Drop | CaughtUp | None]:
    """Drops in order of their places, CaughtUp once, None while nothing comes. Ends when access is taken away."""
    route, deep = check_prefix(prefix)
    require_read(ocean, caller, route, "stream")
    head, _ = ocean.reader.head()
    position = head
    replayed = 0
    if after is not None:
        if after > head:
            raise OceanError("INVALID_VALUE", "The position is ahead of the log.", "Begin again with from=0.")
        position = after
    elif last:
        past = ocean.reader.newest(route, deep, head + 1, min(last, MAX_REPLAY))
        for drop in reversed([d for d in past if _shown(ocean, caller, d)]):
            replayed += 1
            yield drop
    caught_up = False
    while True:
        moved = ocean.log.moved
        drops = ocean.reader.follow(position, PAGE)
        for drop in drops:
            position = drop.seq
            if (covers(route, drop.route) if deep else drop.route == route) and _shown(ocean, caller, drop):
                replayed += not caught_up
                yield drop
        if not caught_up and position >= head:
            caught_up = True
            yield CaughtUp(replayed)
        if drops:
            continue
        try:
            require_read(ocean, caller, route, "stream")
        except OceanError:
            return
        yield None
        try:
            await asyncio.wait_for(moved.wait(), POLL)
        except TimeoutError:
            continue


def _shown(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    return drop.kind != ACCESS and drop.payload is not None and may_see(ocean, caller, drop, "stream")
