"""The log's one door for writes: whoever waits shares a commit, and is answered after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ocean.store.batch import Sign, Write, commit
from ocean.store.engine import Engine, Step, Steps, only
from ocean.store.rules import Rules
from ocean.store.sharing import Bounds, Commits


class Log(Commits[Write]):
    """`append` gives one result for each op, once committed; it raises what the plan refused, SERVER_BUSY or STORAGE_FULL."""

    def __init__(self, engine: Engine, sign: Sign) -> None:
        self.moved = asyncio.Event()  # replaced whenever the log may have moved
        self._rules = Rules()
        super().__init__(engine, Bounds(), lambda batch: commit(batch, self._rules, engine.dialect, sign))
        engine.listen(self.wake)

    async def put(self, sql: str, each: Sequence[tuple[Any, ...]]) -> None:
        """Changes a table that is not of the log, on disk when it returns. Raises STORAGE_FULL or SERVER_BUSY."""
        await self.transact(only(Step(sql, each)))

    async def transact(self, steps: Steps) -> None:
        """Several such changes, all or none. Raises what a step raises, STORAGE_FULL or SERVER_BUSY."""
        try:
            await self.engine.transact(steps)
        except Exception as fault:
            raise self.engine.explain(fault) or fault from fault

    def wake(self) -> None:
        """Tells whoever follows that the log may have moved."""
        self.moved.set()
        self.moved = asyncio.Event()

    def answered(self) -> None:
        self.wake()

    def failed(self) -> None:
        self._rules = Rules()
