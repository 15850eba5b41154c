"""The store on PostgreSQL: a pool for reads, and transactions that lock the head row first."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import asyncpg

from ocean.errors import OceanError
from ocean.store.engine import SCAN_SECONDS, Gathered, Read, Row, StatementError, Step, Steps, too_long
from ocean.store.query.dialects import Dialect
from ocean.store.query.postgres import Postgres

CHANNEL = "ocean_log"
READERS = 8  # connections for what is short
SCANNERS = 4  # connections for scans
SCANS_WAITING = 64
_AWAY = (
    OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, asyncpg.TooManyConnectionsError,
    asyncpg.LockNotAvailableError,
)  # fmt: skip
log = logging.getLogger("ocean.store.postgres")


@lru_cache(maxsize=4096)
def numbered(sql: str) -> str:
    """`?` as $1, $2, ...: no text of ours holds a question mark of its own."""
    first, *rest = sql.split("?")
    return first + "".join(f"${i}{part}" for i, part in enumerate(rest, 1))


class PostgresEngine:
    """PostgreSQL 15 or newer. Other processes' commits are heard of by NOTIFY."""

    dialect: Dialect = Postgres()
    poll = 1.0

    def __init__(self, url: str, pool: Any, scans: Any) -> None:
        self._url = url
        self._pool = pool  # for what is short: point reads, and the log's transactions
        self._scans = scans
        self._scanning = 0
        self._heard: list[Callable[[], None]] = []
        self._listener: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str) -> PostgresEngine:
        """`url` is postgres://user:password@host:port/database."""
        pool = await asyncpg.create_pool(url, min_size=1, max_size=READERS, command_timeout=60)
        limits = {"statement_timeout": str(int(SCAN_SECONDS * 1000))}  # the server's own clock: it ends what no client waits for
        scans = await asyncpg.create_pool(url, min_size=1, max_size=SCANNERS, command_timeout=60, server_settings=limits)
        return cls(url, pool, scans)

    async def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        try:
            return list(await self._pool.fetch(numbered(sql), *args))
        except _AWAY as fault:
            raise _away(fault) from fault

    async def scan(self, sql: str, args: Sequence[Any] = (), *, cut: bool = False, by_fields: bool = False) -> list[Row]:
        if self._scanning >= SCANS_WAITING:
            raise OceanError("SERVER_BUSY", "Too many queries wait.", "Try again in a moment.")
        self._scanning += 1
        found = Gathered(cut)
        try:
            async with self._scans.acquire() as connection, asyncio.timeout(SCAN_SECONDS), connection.transaction(readonly=True):
                if by_fields:  # what a field's values are, the planner can't know: it would take many rows for few
                    await connection.execute("SET LOCAL enable_nestloop = off; SET LOCAL jit = off")
                async for row in connection.cursor(numbered(sql), *args, prefetch=100):
                    if not found.add(row):
                        break
        except (TimeoutError, asyncpg.QueryCanceledError):
            raise too_long() from None
        except _AWAY as fault:
            raise _away(fault) from fault
        except asyncpg.PostgresError as fault:
            raise StatementError(str(fault)) from fault
        finally:
            self._scanning -= 1
        return found.rows

    def at_once(self, sql: str, args: Sequence[Any]) -> list[Row] | None:
        return None

    async def transact(self, steps: Steps, *, small: bool = False, quiet: bool = False) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            wrote = False
            found: list[Row] = []
            try:
                step = next(steps)
                while True:
                    wrote = wrote or not step.reads
                    found = await self._run(connection, step)
                    step = steps.send(found)
            except StopIteration:
                if wrote and not quiet:
                    await connection.execute(f"NOTIFY {CHANNEL}")

    async def _run(self, connection: Any, step: Step) -> list[Row]:
        sql = numbered(step.sql)
        if not step.reads:
            await connection.executemany(sql, step.each)
            return []
        if len(step.each) == 1:
            return list(await connection.fetch(sql, *step.each[0]))
        return list(await connection.fetchmany(sql, step.each))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Read]:
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):

            async def read(sql: str, args: Sequence[Any]) -> list[Row]:
                return list(await connection.fetch(numbered(sql), *args, timeout=600))

            yield read

    def explain(self, fault: Exception) -> OceanError | None:
        if isinstance(fault, asyncpg.DiskFullError):
            return OceanError("STORAGE_FULL", "The database's disk is full: nothing was written.", "Free space; reads go on.")
        if isinstance(fault, _AWAY):
            return _away(fault)
        return None

    def listen(self, heard: Callable[[], None]) -> None:
        self._heard.append(heard)
        if self._listener is None:
            self._listener = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self._url)
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(CHANNEL, self._hear)
                    await ended.wait()
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as fault:
                log.warning("the database is away: %r", fault)
            await asyncio.sleep(self.poll)

    def _hear(self, *_: Any) -> None:
        for heard in self._heard:
            heard()

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        await self._pool.close()
        await self._scans.close()


def _away(fault: Exception) -> OceanError:
    log.warning("the database is away: %r", fault)
    return OceanError("SERVER_BUSY", "The database does not answer.", "Try again in a moment.")
