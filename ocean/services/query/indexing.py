"""The search index follows the log: what a record says is searched a moment after it is saved."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ocean.core.drop import ACCESS, SAVED, SCHEMA, Drop
from ocean.core.payloads import loads
from ocean.core.searched import language_of, texts_of, vector_of
from ocean.errors import OceanError
from ocean.index.index import Index
from ocean.index.scope import DamagedError, Entry
from ocean.store.engine import Engine
from ocean.store.reader import Reader, now

PAGE = 500  # drops that are taken in at once
FAR = 2000  # the same where it is far behind: what a commit costs is shared
RESTS = 9  # times as long as a batch took it rests, while more comes in than it can take: who writes comes first, and it comes after,
REST = 4.0  # seconds at most, not while anybody waits, and no longer than more comes in:
STILL = 0.2  # seconds in which nothing is written end a rest
PAUSE = 0.1  # seconds between commits, where nobody waits for one
PATIENCE = 10.0  # seconds that a question waits for what was saved before
_TIDY = 1000  # milliseconds between looks for what has expired
FOLDER = "index"
log = logging.getLogger("ocean.index")


class Indexing:
    """The index of this process, once it is opened, and how far it has come."""

    def __init__(self, data: Path, engine: Engine, reader: Reader) -> None:
        self._folder = data / FOLDER
        self._engine = engine
        self._reader = reader
        self._index: Index | None = None
        self._position = 0
        self._moved = asyncio.Event()  # replaced whenever the index has moved
        self._waiting = 0
        self._wanted = asyncio.Event()  # somebody waits
        self._rest = 0.0
        self._committed = 0.0
        self._tidied = 0
        self._damaged = False
        self.behind = True  # whether there is more in the log than it has taken in

    @property
    def index(self) -> Index:
        """Raises SERVER_BUSY while it is being opened."""
        if self._index is None or self._damaged:
            raise OceanError("SERVER_BUSY", "The search index is being opened, or made anew.", "Try again in a moment.")
        return self._index

    async def open(self) -> None:
        self._index = await asyncio.to_thread(Index, self._folder)
        self._position = self._index.position

    async def close(self) -> None:
        if self._index is not None:
            index, self._index = self._index, None
            await asyncio.to_thread(index.close)

    async def reached(self, position: int) -> None:
        """Returns when all that was written up to a place is searched. Raises SERVER_BUSY after PATIENCE seconds."""
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(PATIENCE):
                while self._damaged or self._position < position:
                    await self._moved.wait()
        except TimeoutError:
            raise OceanError("SERVER_BUSY", "The search index is behind what was saved.", "Try again in a moment.") from None
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    async def written(self) -> None:
        """Returns when all that is written by now is searched."""
        head, _ = await self._reader.head()
        await self.reached(head)

    def distrust(self) -> None:
        """A search could not read it: whoever follows the log makes it anew."""
        log.warning("the search index is damaged, and is made anew")
        self._damaged = True

    async def step(self) -> bool:
        """Takes in what comes next of the log; whether there is more to do. One task's alone."""
        head, _ = await self._reader.head()
        self.behind = self._position < head
        if self._damaged or self._position > head:  # or the log is another one than the index was made of
            await self._begin_anew()
            return True
        index = self.index
        if self._position < head:
            if not self._waiting:
                await self._pause(self._committed + PAUSE - time.monotonic())
                await self._sit_out(head)
            far = head - self._position >= FAR
            await self._take_in(index, await self._reader.follow(self._position, FAR if far else PAGE), head)
            later, _ = await self._reader.head()
            flood = far and later - head >= PAGE
            self._rest = min(REST, RESTS * (time.monotonic() - self._committed)) if flood else 0.0
            return True
        try:
            if now() - self._tidied > _TIDY:
                self._tidied = now()
                await asyncio.to_thread(index.expire, now())
            return await asyncio.to_thread(index.settle)
        except DamagedError:
            self.distrust()
            return True

    async def _sit_out(self, head: int) -> None:
        """Rests while a flood comes in."""
        until = time.monotonic() + self._rest
        while not self._waiting and (left := until - time.monotonic()) > 0:
            await self._pause(min(STILL, left))
            before, (head, _) = head, await self._reader.head()
            if head == before:
                return

    async def _pause(self, seconds: float) -> None:
        """Until somebody waits, or the time is over."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _take_in(self, index: Index, drops: list[Drop], head: int) -> None:
        position = drops[-1].seq if drops else head
        self._committed = time.monotonic()
        try:
            await asyncio.to_thread(_apply, index, drops, position)
        except DamagedError as fault:
            log.warning("the search index could not take in what was written: %s", fault)
            self.distrust()
            return
        self._arrive(position)

    async def rebuild(self, seen: Callable[[int, int], None]) -> int:
        """Makes it anew, up to the head of the log; the place it has come to. `seen` is told how far it is, of how much."""
        await self.open()
        await self._begin_anew()
        head, _ = await self._reader.head()
        self._waiting += 1  # no pauses
        while self._position < head:
            await self.step()
            seen(min(self._position, head), head)
        while await asyncio.to_thread(self.index.settle):
            pass
        return self._position

    async def _begin_anew(self) -> None:
        if self._index is not None:
            await asyncio.to_thread(self._index.heal)
            self._damaged = False
            self._arrive(0)

    def _arrive(self, position: int) -> None:
        """It stands at another place, and who waits for one looks again."""
        self._position = position
        self._moved.set()
        self._moved = asyncio.Event()


def _apply(index: Index, drops: list[Drop], position: int) -> None:
    entries: dict[str, Entry] = {}
    gone: dict[str, None] = {}
    moment = now()
    for drop in drops:
        if drop.kind in (ACCESS, SCHEMA):
            continue
        id_ = _id_of(drop)
        entries.pop(id_, None)
        gone.pop(id_, None)
        entry = _entry(id_, drop) if drop.kind == SAVED and drop.live(moment) else None
        if entry is not None and (entry.text or entry.vector):
            entries[id_] = entry
        else:
            gone[id_] = None
    index.apply(list(entries.values()), list(gone), position)


def _id_of(drop: Drop) -> str:
    """What stays the same over a record's versions: its folder and key; of an event its own id."""
    if drop.key is not None:
        return f"{drop.route}\n{drop.key}"
    if drop.kind != SAVED and drop.payload is not None:  # an event that was removed: the drop says which
        return str(loads(drop.payload)["removes"])
    return drop.drop_id


def _entry(id_: str, drop: Drop) -> Entry | None:
    if (drop.key or "").startswith("_"):  # a folder's settings are no content
        return None
    try:
        body = loads(drop.body())
        title, text = texts_of(body)
        language, vector = language_of(body), vector_of(body)
    except Exception:  # whatever a record holds, those behind it are searched
        log.exception("the record %s can't be searched", drop.drop_id)
        return None
    return Entry(id_, drop.seq, drop.route, drop.owner, not drop.price.free, drop.expires_at, title, text, language, vector)
