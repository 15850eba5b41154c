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

from ocean.runner.sandbox import Sandbox

SPARE = 2  # processes without a function
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

    async def take(self, name: str) -> tuple[Sandbox, bool]:
        """A process, and whether that function's code is in it already. Raises NOT_AVAILABLE."""
        for number in reversed(self._kept):
            if self._kept[number][0] == name:
                return self._kept.pop(number)[1], True
        found = self._spare.pop()[0] if self._spare else await Sandbox.start(self._memory, self._hidden)
        self._later(self._fill())
        return found, False

    def give(self, name: str, process: Sandbox) -> None:
        """Takes a process back, whose function has answered."""
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
        await asyncio.gather(*(process.end() for process, _ in self._spare), *(process.end() for _, process, _ in self._kept.values()))
        self._spare.clear()
        self._kept.clear()

    async def _fill(self) -> None:
        if self._filling:
            return
        self._filling = True
        try:
            while len(self._spare) < SPARE and not self._closed:
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
