"""One walk along the log for all who listen in this process."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import orjson

from ocean.context import Caller, Ocean
from ocean.core.access import Rules, Scoped
from ocean.core.drop import ACCESS, Drop
from ocean.core.routes import ancestors, covers
from ocean.errors import OceanError
from ocean.services.access import scoped
from ocean.services.access.reading import may_see, require, stub, ungated
from ocean.store.reader import now

PAGE = 500
BEHIND = 1000  # events, and
BEHIND_BYTES = 4 * 1024 * 1024  # bytes that may wait for one slow reader
HEARTBEAT = 15.0  # seconds
LOOK = 0.5  # seconds after which it is looked whether a scoped key still stands
log = logging.getLogger("ocean.live")


@dataclass(frozen=True, slots=True)
class Event:
    """A drop as its reader may have it, in JSON."""

    seq: int
    data: bytes
    kind: str = ""  # what it is, where it is no record


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream ends: LAGGED (the reader was too slow), FORBIDDEN (access was taken away) or CLOSED (the server stops)."""

    code: str


class Subscriber:
    """One reader of a folder's live end: everything after `since` reaches it, or it ends."""

    def __init__(self, caller: Caller, route: str, deep: bool, since: int) -> None:
        self.caller = caller
        self.route = route
        self.deep = deep
        self.since = since
        self._ended: Ended | None = None
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self._waits = False  # nothing has come that was not taken, and nobody writes what was
        self.straight: Callable[[Event], bool] | None = None  # writes an event at once, or says that it can't

    def push(self, event: Event) -> None:
        if self._ended is not None:
            return
        if self._waits and self.straight is not None and not self._events and self.straight(event):
            return  # no task was woken for it: with many listeners that is most of what a message costs
        self._events.append(event)
        self._bytes += len(event.data)
        if len(self._events) > BEHIND or self._bytes > BEHIND_BYTES:
            self.end("LAGGED")
        self._woken.set()

    def end(self, code: str) -> None:
        self._ended = self._ended or Ended(code)
        self._events.clear()
        self._woken.set()

    async def next(self, wait: float = HEARTBEAT) -> list[Event | Ended | None]:
        """What has come since; after `wait` seconds of nothing, [None]."""
        if not self._events and self._ended is None:
            self._woken.clear()
            self._waits = True
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                return [None]
            finally:
                self._waits = False
        if self._ended is not None:
            return [self._ended]
        events: list[Event | Ended | None] = list(self._events)
        self._events.clear()
        self._bytes = 0
        return events


async def arriving(
    ocean: Ocean, subscriber: Subscriber, live: Callable[[Subscriber], None] | None
) -> AsyncIterator[Event | Ended | None]:  # fmt: skip
    """What comes to a subscriber, up to the end; that of a scoped key ends with the key. `live` as in `streams.follow`."""
    lent = isinstance(subscriber.caller.key, Scoped)
    if live is not None and not lent:
        live(subscriber)
    while True:
        for came in await subscriber.next(LOOK if lent else HEARTBEAT):
            if lent and not await scoped.holds(ocean, subscriber.caller.key):
                yield Ended("FORBIDDEN")
                return
            yield came
            if isinstance(came, Ended):
                return


class Hub:
    """Follows the log while anybody listens, and hands each drop, encoded once, to those who may see it."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._position = -1
        self._folders: dict[tuple[str, bool], set[Subscriber]] = {}
        self._held: Counter[str] = Counter()
        self._task: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many listen."""
        return sum(map(len, self._folders.values()))

    async def attach(self, caller: Caller, route: str, deep: bool) -> Subscriber:
        """Raises LIMIT_REACHED for one who holds too many already."""
        most = int(self._ocean.settings["OCEAN_STREAMS_PER_CALLER"])
        if any(self._held[holder] >= most for holder in caller.holders):
            raise OceanError("LIMIT_REACHED", "As many streams are open here as one caller may hold.", "Close one first.")
        head, _ = await self._ocean.reader.head()
        if self._task is None or self._task.done():  # from here on nothing waits: no drop comes between
            self._position = head
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._held.update(caller.holders)
        subscriber = Subscriber(caller, route, deep, self._position)
        self._folders.setdefault((route, deep), set()).add(subscriber)
        return subscriber

    def detach(self, subscriber: Subscriber) -> None:
        folder = (subscriber.route, subscriber.deep)
        self._folders[folder].discard(subscriber)
        if not self._folders[folder]:
            del self._folders[folder]
        self._held.subtract(subscriber.caller.holders)
        self._held = +self._held

    async def close(self) -> None:
        """Ends every stream, and the walk."""
        for listeners in self._folders.values():
            for listener in listeners:
                listener.end("CLOSED")
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._folders:
            moved = self._ocean.log.moved
            try:
                came = await self._walk()
            except Exception as fault:  # the store is away for a while: the walk goes on from where it stood
                log.warning("the streams wait: %r", fault)
                came = False
            if not came:
                try:
                    async with asyncio.timeout(self._ocean.engine.poll):  # not wait_for, which may swallow what cancels us (3.11)
                        await moved.wait()
                except TimeoutError:
                    continue

    async def _walk(self) -> bool:
        """Hands out what was written since; whether there was anything."""
        head, _ = await self._ocean.reader.head()
        if head <= self._position:
            return False
        for drop in await self._ocean.reader.follow(self._position, PAGE):
            try:
                await self._deliver(drop)
            except (TypeError, ValueError, LookupError) as fault:  # one that can't be told of holds up no other
                log.error("the drop %s is told to nobody: %r", drop.drop_id, fault)
            self._position = drop.seq
        return True

    def _listeners(self, route: str) -> list[Subscriber]:
        found = list(self._folders.get((route, False), ()))
        for folder in ancestors(route):
            found.extend(self._folders.get((folder, True), ()))
        return found

    async def _deliver(self, drop: Drop) -> None:
        if drop.kind == ACCESS:
            await self._recheck(drop.route)
        elif drop.news(now()) and self._listeners(drop.route):
            rules = await self._ocean.reader.rules(drop.route)
            whole = None if drop.price.free else await self._ungated(drop)
            # Asked for again: who came while the rules were read has this drop still before it.
            self._hand_out(drop, self._listeners(drop.route), rules, whole)

    async def _ungated(self, drop: Drop) -> set[str | None]:
        """The keys of those who listen that its price keeps nothing from."""
        return await ungated(self._ocean, {listener.caller.key for listener in self._listeners(drop.route)}, drop)

    def _hand_out(self, drop: Drop, listeners: list[Subscriber], rules: Rules, whole: set[str | None] | None) -> None:
        """`whole`: the keys that its price keeps nothing from, None for all."""
        seen: dict[str | None, Event | None] = {}
        encoded: dict[bool, Event] = {}
        for listener in listeners:
            who = listener.caller.key
            if who not in seen:
                event = None
                if may_see(listener.caller, drop, "stream", rules):
                    free = whole is None or who in whole
                    if free not in encoded:
                        encoded[free] = Event(drop.seq, orjson.dumps(drop.to_json() if free else stub(drop)))
                    event = encoded[free]
                seen[who] = event
            if (event := seen[who]) is not None:
                listener.push(event)

    async def _recheck(self, route: str) -> None:
        """Ends the streams that a change of access forbids."""
        for (folder, _), listeners in list(self._folders.items()):
            if covers(route, folder):
                rules = await self._ocean.reader.rules(folder)
                for listener in list(listeners):
                    try:
                        require(listener.caller, folder, "stream", rules)
                    except OceanError:
                        listener.end("FORBIDDEN")
