"""Processes kept ready: some that no function was in yet, and those of functions that ran a moment ago.

A process is never given from one function to another: `name` says whose it is, and must hold all that its code acts by.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from ocean.errors import OceanError
from ocean.runner.sandbox import Sandbox

SPARE = 2  # processes without a function
MOST = 40  # processes in all: with those of functions that others wait for, and of jobs
KEPT = 16  # with one, that nothing is asked of
IDLE = 60.0  # seconds after which a process that nothing was asked of is ended


class Pool:
    def __init__(self, memory: int, hidden: Sequence[Path]) -> None:
        """`memory` of a process in bytes; `hidden` are folders that none of them sees."""
        self._memory, self._hidden = memory, tuple(hidden)
        self._spare: list[tuple[Sandbox, float]] = []
        self._kept: OrderedDict[int, tuple[str, Sandbox, float]] = OrderedDict()
        self._next = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._filling = False
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._in_use: set[Sandbox] = set()
        self._starting = 0

    async def take(self, name: str, *, fresh: bool = False) -> tuple[Sandbox, bool]:
        """A process, and whether that function's code is in it already: never, where a `fresh` one is wanted. Raises NOT_AVAILABLE,
        SERVER_BUSY."""
        for number in [] if fresh else list(reversed(self._kept)):
            if self._kept[number][0] == name and (found := self._used(self._kept.pop(number)[1])) is not None:
                return found, True
        while self._spare:
            if (found := self._used(self._spare.pop()[0])) is not None:
                self._later(self._fill())
                return found, False
        if self.count >= MOST and self._kept:
            self._later(self._kept.popitem(last=False)[1][1].end())
        if len(self._in_use) + self._starting >= MOST:
            raise OceanError("SERVER_BUSY", "Too many functions run.", "Try again in a moment.")
        self._starting += 1
        try:
            made = await Sandbox.start(self._memory, self._hidden)
        finally:
            self._starting -= 1
        self._in_use.add(made)
        self._later(self._fill())
        return made, False

    def _used(self, process: Sandbox) -> Sandbox | None:
        """The process as one that is used, or None where it has ended meanwhile: the machine may have been short of memory."""
        if not process.alive:
            self._later(process.end())
            return None
        self._in_use.add(process)
        return process

    @property
    def count(self) -> int:
        """Processes there are."""
        self._in_use = {process for process in self._in_use if process.alive}
        return len(self._in_use) + len(self._spare) + len(self._kept) + self._starting

    def give(self, name: str, process: Sandbox) -> None:
        """Takes a process back, whose function has answered."""
        self._in_use.discard(process)
        if self._closed:
            process.kill()
            self._later(process.end())
            return
        self._kept[self._next] = (name, process, time.monotonic())
        self._next += 1
        if len(self._kept) > KEPT:
            self._later(self._kept.popitem(last=False)[1][1].end())
        self._sweep_later()

    async def close(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        there = [*self._in_use, *(process for process, _ in self._spare), *(process for _, process, _ in self._kept.values())]
        await asyncio.gather(*(process.end() for process in there))
        self._spare.clear()
        self._kept.clear()

    async def _fill(self) -> None:
        if self._filling:
            return
        self._filling = True
        try:
            while len(self._spare) < SPARE and not self._closed and self.count < MOST:
                self._spare.append((await Sandbox.start(self._memory, self._hidden), time.monotonic()))
        finally:
            self._filling = False
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweeper is None and not self._closed:
            self._sweeper = asyncio.get_running_loop().call_later(IDLE / 4, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        old = time.monotonic() - IDLE
        for number, (_, process, since) in list(self._kept.items()):
            if since < old:
                del self._kept[number]
                self._later(process.end())
        for spare in [spare for spare in self._spare if spare[1] < old]:
            self._spare.remove(spare)
            self._later(spare[0].end())
        if self._kept or self._spare:
            self._sweep_later()

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # a process that can't be made ready beforehand: who needs one is told why
