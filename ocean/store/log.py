"""The log's one door for writes: whoever waits shares a commit, and is answered after it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

from ocean.errors import OceanError
from ocean.store.batch import Sign, Write, commit
from ocean.store.engine import Engine, Step, Steps
from ocean.store.rules import Rules

BATCH = 256  # writes that share a commit
BATCH_BYTES = 16 * 1024 * 1024
SMALL = 256 * 1024  # bytes of a batch that takes next to no time
QUEUE = 10_000
QUEUE_BYTES = 256 * 1024 * 1024
log = logging.getLogger("ocean.store.log")


class Log:
    """`append` in front, one task behind. What waits is limited in number and in bytes; beyond that SERVER_BUSY."""

    def __init__(self, engine: Engine, sign: Sign) -> None:
        self.engine = engine
        self.moved = asyncio.Event()  # replaced whenever the log may have moved
        self.commits = self.committed = 0
        self._sign = sign
        self._rules = Rules()
        self._waiting: deque[Write] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run())
        engine.listen(self.wake)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def append(self, write: Write) -> list[dict[str, Any]]:
        """One result for each op, once committed. Raises what the plan refused, SERVER_BUSY or STORAGE_FULL."""
        size = write.size
        if self._closed or len(self._waiting) >= QUEUE or (self._waiting and self._bytes + size > QUEUE_BYTES):
            raise OceanError("SERVER_BUSY", "The write queue is full.", "Try again in a moment.")
        if size > QUEUE_BYTES:
            raise OceanError("PAYLOAD_TOO_LARGE", f"The write is over {QUEUE_BYTES // 2**20} MB together.", "Divide it.")
        write.done = self._loop.create_future()
        self._waiting.append(write)
        self._bytes += size
        self._woken.set()
        return await write.done

    async def put(self, sql: str, each: Sequence[tuple[Any, ...]]) -> None:
        """Changes a table that is not of the log, on disk when it returns. Raises STORAGE_FULL or SERVER_BUSY."""

        def steps() -> Steps:
            yield Step(sql, each)

        await self.transact(steps())

    async def transact(self, steps: Steps) -> None:
        """Several such changes, all or none. Raises what a step raises, STORAGE_FULL or SERVER_BUSY."""
        try:
            await self.engine.transact(steps)
        except Exception as fault:
            raise self.engine.explain(fault) or fault from fault

    async def close(self) -> None:
        """Answers what was accepted, then stops."""
        self._closed = True
        self._woken.set()
        await self._task

    def wake(self) -> None:
        """Tells whoever follows that the log may have moved."""
        self.moved.set()
        self.moved = asyncio.Event()

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

    def _take(self) -> tuple[list[Write], int]:
        """The writes of the next commit, and about how many bytes they are."""
        batch: list[Write] = []
        size = 0
        while self._waiting and len(batch) < BATCH and (not batch or size + self._waiting[0].size <= BATCH_BYTES):
            write = self._waiting.popleft()
            size += write.size
            batch.append(write)
        self._bytes -= size
        return batch, size

    async def _commit(self, writes: list[Write], *, small: bool = False) -> None:
        try:
            await self.engine.transact(commit(writes, self._rules, self.engine.dialect, self._sign), small=small)
        except Exception as fault:
            self._rules = Rules()
            known = self.engine.explain(fault)
            if known is None and len(writes) > 1:  # one of them may be at fault: the others shall not suffer for it
                for write in writes:
                    write.fault, write.result = None, []
                    await self._commit([write])
                return
            log.error("a batch of %d writes failed: %r", len(writes), fault)
            for write in writes:
                write.fault = known or OceanError("INTERNAL_ERROR", "The write failed and nothing was written.")
        else:
            self.commits += 1
            self.committed += len(writes)

    def _answer(self, batch: list[Write]) -> None:
        for write in batch:
            done = write.done
            if done is None or done.done():  # the client has gone; the write stands
                continue
            if write.fault is None:
                done.set_result(write.result)
            else:
                done.set_exception(write.fault)
                done.exception()  # seen, even if the caller has gone
        self.wake()
