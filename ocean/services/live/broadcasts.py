"""Broadcasts: messages of the moment, to who listens now, on any process; and who does. Nothing of it is kept, unless it is recorded."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import uuid_utils

from ocean.bus.bus import Bus
from ocean.context import Caller, Ocean
from ocean.core import access, payloads
from ocean.core.broadcasts import CONFIG, MAX_BYTES, STREAM_KEY, recordings
from ocean.core.changes import Op
from ocean.core.drop import show_time
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import require, require_read, require_write
from ocean.services.data.writing import write
from ocean.services.live.hub import Ended, Event, Subscriber, arriving
from ocean.store.reader import now

LOOK = 0.5  # seconds between looks whether who listens still may
TELL = 5.0  # seconds between a process's words on who listens to it
FORGET = 3 * TELL  # after which a process that says nothing has gone
MAX_SHOWN = 200  # listeners of a folder that are named to other processes, and in an answer
WAITING = 10_000  # messages that are not handed out yet
log = logging.getLogger("ocean.live")
There = dict[str, tuple[int, list[list[Any]]]]  # by folder: how many listen, and some of them
_MESSAGE, _PRESENCE = "message", "presence"


class Listener(Subscriber):
    """One who listens to one folder's broadcasts."""

    def __init__(self, caller: Caller, route: str) -> None:
        super().__init__(caller, route, False, 0)
        self.since_ms = now()


class Broadcasts:
    """All broadcasts of a process: what comes over the bus goes to its listeners."""

    def __init__(self, ocean: Ocean, bus: Bus) -> None:
        self._ocean = ocean
        self._bus = bus
        self._listeners: dict[str, set[Listener]] = {}
        self._held: Counter[str] = Counter()
        self._elsewhere: dict[str, tuple[float, There]] = {}  # by process: when it said so
        self._name = str(uuid_utils.uuid7())
        self._inbox: deque[tuple[str, bytes]] = deque(maxlen=WAITING)
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await self._bus.open(self._heard)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._hand_out())]

    async def close(self) -> None:
        """Ends every listener."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end("CLOSED")
        self._listeners = {}
        self._tell()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bus.close()

    @property
    def count(self) -> int:
        """How many listen to this process."""
        return sum(map(len, self._listeners.values()))

    def send(self, route: str, source: str, message: bytes) -> None:
        self._bus.publish(f"{_MESSAGE} {source} {route}", message)

    def attach(self, caller: Caller, route: str) -> Listener:
        """Raises LIMIT_REACHED for one who holds too many already."""
        most = int(self._ocean.settings["OCEAN_STREAMS_PER_CALLER"])
        if any(self._held[holder] >= most for holder in caller.holders):
            raise OceanError("LIMIT_REACHED", "As many streams are open here as one caller may hold.", "Close one first.")
        listener = Listener(caller, route)
        self._held.update(caller.holders)
        self._listeners.setdefault(route, set()).add(listener)
        self._moved(listener, "join")
        return listener

    def detach(self, listener: Listener) -> None:
        listeners = self._listeners.get(listener.route, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(listener.route, None)
        self._held.subtract(listener.caller.holders)
        self._held = +self._held
        self._moved(listener, "leave")

    def present(self, route: str) -> tuple[int, list[list[Any]]]:
        """How many listen to a folder, on any process, and some of them: `[key or None, since in milliseconds]`, the first first."""
        found = [[listener.caller.key, listener.since_ms] for listener in self._listeners.get(route, ())]
        deadline = time.monotonic() - FORGET
        count = len(found)
        for said, listeners in self._elsewhere.values():
            if said > deadline and route in listeners:
                count += listeners[route][0]
                found += listeners[route][1]
        return count, sorted(found, key=lambda one: (one[1], one[0] or ""))

    def _moved(self, listener: Listener, what: str) -> None:
        """Tells who listens that somebody came or went; and the other processes."""
        self._tell()
        told = {"key": listener.caller.key, "count": self.present(listener.route)[0]}
        message = orjson.dumps({"event": what, **{name: value for name, value in told.items() if value is not None}})
        self.send(listener.route, "", message)

    def _tell(self) -> None:
        room = max(1, MAX_SHOWN // max(1, len(self._listeners) // 10))  # one message holds them all
        listeners = {
            route: (len(found), [[one.caller.key, one.since_ms] for one in list(found)[:room]]) for route, found in self._listeners.items()
        }
        self._bus.publish(f"{_PRESENCE} {self._name}", orjson.dumps(listeners))

    def _heard(self, topic: str, message: bytes) -> None:
        kind, _, rest = topic.partition(" ")
        if kind == _PRESENCE:
            if rest != self._name:
                self._elsewhere[rest] = (time.monotonic(), orjson.loads(message))
            return
        if len(self._inbox) >= WAITING:
            log.warning("broadcasts come faster than they can be handed out: the oldest is lost")
        self._inbox.append((rest, message))
        self._arrived.set()

    async def _hand_out(self) -> None:
        """Gives what came to those who may hear it at that moment."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._inbox:
                rest, message = self._inbox.popleft()
                try:
                    await self._deliver(*rest.partition(" ")[::2], message)
                except Exception as fault:  # the store is away: nobody is told what they may not hear
                    log.warning("a broadcast could not be handed out: %r", fault)

    async def _deliver(self, source: str, route: str, message: bytes) -> None:
        if not self._listeners.get(route):
            return
        rules = await self._ocean.reader.rules(route)
        event = Event(0, message) if source else Event(0, message, kind=orjson.loads(message)["event"])
        verdicts: dict[str | None, access.Verdict] = {}
        for listener in list(self._listeners.get(route, ())):
            who = listener.caller.key
            if who not in verdicts:
                verdicts[who] = access.decide(route, who, "stream", rules)
            if verdicts[who] == "allow" or (verdicts[who] == "own" and source == who):
                listener.push(event)

    async def _run(self) -> None:
        told = time.monotonic()
        while True:
            await asyncio.sleep(LOOK)
            try:
                await self._recheck()
            except Exception as fault:  # the store is away for a while: who may listen is looked at again
                log.warning("who listens could not be checked: %r", fault)
            if self._listeners and time.monotonic() - told > TELL:
                told = time.monotonic()
                self._tell()
                self._elsewhere = {name: one for name, one in self._elsewhere.items() if one[0] > told - FORGET}

    async def _recheck(self) -> None:
        """Ends the listeners that may listen no longer."""
        for route, listeners in list(self._listeners.items()):
            rules = await self._ocean.reader.rules(route)
            for listener in list(listeners):
                try:
                    require(listener.caller, route, "stream", rules)
                except OceanError:
                    listener.end("FORBIDDEN")


async def publish(ocean: Ocean, caller: Caller, *, route: str, payload: Any, key: str | None = None) -> dict[str, Any]:
    """Tells all who listen; kept only while the folder is recorded. `{ok, stream, recording}`. Raises FORBIDDEN, PAYLOAD_TOO_LARGE."""
    route = await require_write(ocean, caller, route)
    who = caller.writer("Broadcasting needs a key.")
    text = payloads.encode(payload)
    if len(text.encode()) > MAX_BYTES:
        raise OceanError("PAYLOAD_TOO_LARGE", f"A message of a stream is over {MAX_BYTES // 1024} KB.", "Save large content as a record.")
    event = {
        "drop_id": str(uuid_utils.uuid7()), "route": route, **({"key": check_key(key)} if key is not None else {}),
        "payload": orjson.Fragment(text), "source": who, "created_at": show_time(now()),
    }  # fmt: skip
    stream = await ocean.reader.stream(route)
    recording = stream.recording if stream is not None else None
    if recording is not None:  # first: what is told can't be taken back
        await write(ocean, caller, [Op("save", recordings(route, recording), None, text)])
    ocean.broadcasting.send(route, who, orjson.dumps(event))
    return {"ok": True, "stream": True, "recording": recording is not None}


async def listen(
    ocean: Ocean, caller: Caller, route: str, live: Callable[[Subscriber], None] | None = None
) -> AsyncIterator[Event | Ended | None]:
    """Messages as they come; None where nothing came for a while. Ends with Ended. Raises before its first item, which is None.
    `live` as in `streams.follow`."""
    route = check_route(route)
    await require_read(ocean, caller, route, "stream")
    listener = ocean.broadcasting.attach(caller, route)
    try:
        yield None
        async for item in arriving(ocean, listener, live):
            yield item
    finally:
        ocean.broadcasting.detach(listener)


async def presence(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """Who listens to a folder's broadcasts now: `{route, count, listeners: [{key?, since}]}`."""
    route = check_route(route)
    verdict = await require_read(ocean, caller, route, "stream")
    count, found = ocean.broadcasting.present(route)
    if verdict == "own":
        found = [one for one in found if one[0] == caller.key]
        count = len(found)
    shown = [{**({"key": key} if key else {}), "since": show_time(since)} for key, since in found[:MAX_SHOWN]]
    return {"route": route, "count": count, "listeners": shown}


async def record_start(ocean: Ocean, caller: Caller, *, route: str, key: str) -> dict[str, Any]:
    """From now on what is broadcast in a stream is also kept, in ROUTE/recordings/KEY. Raises NOT_FOUND where it is no stream."""
    route, key = check_route(route), check_key(key)
    check_route(recordings(route, key))  # the key becomes a part of a route
    await _marked(ocean, caller, route, {"type": "stream", "recording": key})
    return {"route": route, "recording": True, "to": recordings(route, key)}


async def record_stop(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """From now on nothing is kept."""
    route = check_route(route)
    await _marked(ocean, caller, route, {"type": "stream"})
    return {"route": route, "recording": False}


async def _marked(ocean: Ocean, caller: Caller, route: str, mark: dict[str, Any]) -> None:
    if await ocean.reader.stream(route) is None:
        hint = f'save {CONFIG}{route} @{STREAM_KEY} {{ type: "stream" }}'
        raise OceanError("NOT_FOUND", f"The folder {route!r} is not a stream.", hint)
    await write(ocean, caller, [Op("save", f"{CONFIG}{route}", STREAM_KEY, payloads.encode(mark))])
