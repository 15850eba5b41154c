"""Work that shares a commit: what waits is taken together, in order, and each is answered after it is on disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ocean.errors import OceanError
from ocean.store.engine import Engine, Steps

SMALL = 256 * 1024  # bytes of a batch that takes next to no time
log = logging.getLogger("ocean.store.sharing")


class Work(Protocol):
    """What waits: `size` is about how many bytes it holds, `result` or `fault` what became of it."""

    done: asyncio.Future[Any] | None
    fault: Exception | None
    result: Any

    @property
    def size(self) -> int: ...


W = TypeVar("W", bound=Work)


class Bounds(NamedTuple):
    """How much shares a commit, and how much may wait; beyond it SERVER_BUSY."""

    batch: int = 256
    batch_bytes: int = 16 * 1024 * 1024
    queue: int = 10_000
    queue_bytes: int = 256 * 1024 * 1024


class Commits(Generic[W]):
    """A queue in front, one task behind. `course` is the transaction of a batch: it leaves a result or a fault on each."""

    def __init__(self, engine: Engine, bounds: Bounds, course: Callable[[list[W]], Steps], *, quiet: bool = False) -> None:
        self.commits = self.committed = 0
        self.engine = engine
        self.bounds = bounds
        self._course = course
        self._quiet = quiet
        self._waiting: deque[W] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def failed(self) -> None:
        """Called where a batch did not commit: what was learned in it may not be so."""

    def answered(self) -> None:
        """Called once a batch is answered."""

    async def append(self, work: W) -> Any:
        """The result, once committed. Raises the work's own fault, SERVER_BUSY or STORAGE_FULL."""
        size, bounds = work.size, self.bounds
        if self._closed or len(self._waiting) >= bounds.queue or (self._waiting and self._bytes + size > bounds.queue_bytes):
            raise OceanError("SERVER_BUSY", "The write queue is full.", "Try again in a moment.")
        if size > bounds.queue_bytes:
            raise OceanError("PAYLOAD_TOO_LARGE", f"The write is over {bounds.queue_bytes // 2**20} MB together.", "Divide it.")
        work.done = self._loop.create_future()
        self._waiting.append(work)
        self._bytes += size
        self._woken.set()
        return await work.done

    async def close(self) -> None:
        """Answers what was accepted, then stops."""
        self._closed = True
        self._woken.set()
        await self._task

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closed:
                    return
                self._woken.clear()
                await self._woken.wait()
                continue
            batch, size = self._take()
            await self._commit(batch, small=size <= SMALL)
            self._answer(batch)

    def _take(self) -> tuple[list[W], int]:
        """The work of the next commit, and about how many bytes it is."""
        batch: list[W] = []
        size, bounds = 0, self.bounds
        while self._waiting and len(batch) < bounds.batch and (not batch or size + self._waiting[0].size <= bounds.batch_bytes):
            work = self._waiting.popleft()
            size += work.size
            batch.append(work)
        self._bytes -= size
        return batch, size

    async def _commit(self, batch: list[W], *, small: bool = False, again: bool = False) -> None:
        try:
            await self.engine.transact(self._course(batch), small=small, quiet=self._quiet)
        except Exception as fault:
            self.failed()
            for work in batch:
                work.fault, work.result = None, None
            known = self.engine.explain(fault)
            if (
                known is None and not again
            ):  # one of them may be at fault: the others shall not suffer for it. Or another's lock was in the way
                for work in batch:
                    await self._commit([work], again=True)
                return
            log.error("a batch of %d writes failed: %r", len(batch), fault)
            for work in batch:
                work.fault = known or OceanError("INTERNAL_ERROR", "The write failed and nothing was written.")
        else:
            self.commits += 1
            self.committed += len(batch)

    def _answer(self, batch: list[W]) -> None:
        for work in batch:
            done = work.done
            if done is None or done.done():  # the client has gone; the write stands
                continue
            if work.fault is None:
                done.set_result(work.result)
            else:
                done.set_exception(work.fault)
                done.exception()  # seen, even if the caller has gone
        self.answered()
