"""Following a folder: history, then what comes, nothing lost or doubled between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import orjson

from ocean.context import Caller, Ocean
from ocean.core.drop import Drop
from ocean.core.routes import check_prefix
from ocean.errors import OceanError
from ocean.services.access.reading import may_hear, may_see, require_read, shown
from ocean.services.live.hub import Ended, Event, Hub, Subscriber, arriving
from ocean.store.reader import now

PAGE = 500
MAX_LAST = 10_000


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """History ends here; how much of it there was."""

    replayed: int


@dataclass(frozen=True, slots=True)
class Gap:
    """What was written after one place and up to another is gone: expired, erased, or not of this log."""

    after: int
    until: int


Item = Event | CaughtUp | Gap | Ended | None  # None: nothing came for a while


async def follow(
    ocean: Ocean,
    hub: Hub,
    caller: Caller,
    prefix: str,
    *,
    last: int | None = None,
    after: int | None = None,
    live: Callable[[Subscriber], None] | None = None,
) -> AsyncIterator[Item]:
    """Events in order of their places, CaughtUp once between history and life. Ends with Ended. Raises before its first item.

    `live` is told of the subscriber once all before is written: who can write at once may say so to it.
    """
    route, deep = check_prefix(prefix)
    if last is not None and last > MAX_LAST:
        raise OceanError("INVALID_VALUE", f"'last' is at most {MAX_LAST}.", "Use from=0 for all of it.")
    await require_read(ocean, caller, route, "stream")
    subscriber = await hub.attach(caller, route, deep)
    try:
        await require_read(ocean, caller, route, "stream")  # it may have changed before the hub knew of us
        replayed = 0
        async for item in _history(ocean, subscriber, last, after):
            replayed += isinstance(item, Event)
            yield item
        yield CaughtUp(replayed)
        async for came in arriving(ocean, subscriber, live):
            yield came
    finally:
        hub.detach(subscriber)


async def _history(ocean: Ocean, subscriber: Subscriber, last: int | None, after: int | None) -> AsyncIterator[Event | Gap]:
    """The past up to where the subscriber's live end begins. A position beats `last`."""
    if after is None:
        async for drop in ocean.reader.at(await _last(ocean, subscriber, last or 0)):
            if drop.payload is not None:
                yield Event(drop.seq, orjson.dumps(await shown(ocean, subscriber.caller, drop)))
        return
    if after > subscriber.since:
        yield Gap(subscriber.since, after)
        return
    while after < subscriber.since:
        drops = await ocean.reader.following(subscriber.route, subscriber.deep, after, subscriber.since, PAGE)
        gone = after
        for drop in drops:
            if drop.payload is None:  # purged: only its place is left, which is told to whom it would have been shown
                if may_see(subscriber.caller, drop, "stream", await ocean.reader.rules(drop.route)):
                    gone = drop.seq
                continue
            if gone > after:
                yield Gap(after, gone)
            after = gone = drop.seq
            if await _visible(ocean, subscriber.caller, drop):
                yield Event(drop.seq, orjson.dumps(await shown(ocean, subscriber.caller, drop)))
        if gone > after:
            yield Gap(after, gone)
        if not drops:
            return
        after = drops[-1].seq


async def _last(ocean: Ocean, subscriber: Subscriber, wanted: int) -> list[int]:
    """The places of the newest drops that may be seen, up to `wanted`, in order."""
    found: list[int] = []
    before = subscriber.since + 1
    while len(found) < wanted:
        page = await ocean.reader.newest(subscriber.route, subscriber.deep, before, PAGE)
        for drop in page:
            if len(found) < wanted and await _visible(ocean, subscriber.caller, drop):
                found.append(drop.seq)
        if len(page) < PAGE:
            break
        before = page[-1].seq
    return found[::-1]


async def _visible(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    return may_hear(caller, drop, await ocean.reader.rules(drop.route), now())
