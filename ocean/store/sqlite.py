"""The store on SQLite: one writing connection in a thread of its own, read-only ones for everything else."""

from __future__ import annotations

import asyncio
import queue
import re
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import pysqlite3
import re2

from ocean.errors import OceanError
from ocean.store.engine import Read, Row, Step, Steps
from ocean.store.query.dialects import Dialect
from ocean.store.query.sqlite import Sqlite
from ocean.store.scans import HEAP, Scans, running, uncounted

MATCHED = 100_000  # characters of a text that an expression is looked for in: RE2 is linear, and slow where it has no room for its tables
BUSY = 10_000  # milliseconds to wait for another process's transaction


KEPT_STATEMENTS = 256  # compiled, of those that are ours;
KEPT_QUESTIONS = 8  # of callers', which may be large, and each another


def connect(database: Path, *, read_only: bool, kept: int = KEPT_STATEMENTS) -> Any:
    """A connection in autocommit mode, durable on commit (WAL, synchronous=FULL); `kept` statements stay compiled."""
    connection = pysqlite3.connect(
        f"file:{database}{'?mode=ro' if read_only else ''}", uri=True, isolation_level=None, check_same_thread=False,
        cached_statements=kept,
    )  # fmt: skip
    connection.execute(f"PRAGMA busy_timeout={BUSY}")
    if not read_only:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA mmap_size=2147418112")
    if not uncounted:
        connection.execute(f"PRAGMA hard_heap_limit={HEAP}")  # of the process: a question that wants more fails, the process goes on
    connection.create_function("lowered", 1, _lowered, deterministic=True)
    connection.create_function("matches", 2, _matches, deterministic=True)
    return connection


def _lowered(text: Any) -> str | None:
    running.check()
    return text.lower() if isinstance(text, str) else None


def _matches(text: Any, pattern: str) -> bool:
    running.check()
    return isinstance(text, str) and re2.search(pattern, text[:MATCHED]) is not None


class _Worker:
    """A thread that does one thing after another: what an executor does, without its price on each of them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._todo: queue.SimpleQueue[tuple[Callable[[], None], asyncio.Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    def run(self, work: Callable[[], None]) -> asyncio.Future[None]:
        done = self._loop.create_future()
        self._todo.put((work, done))
        return done

    def stop(self) -> None:
        self._todo.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            work, done = item
            fault: BaseException | None = None
            try:
                work()
            except BaseException as raised:
                fault = raised
            self._loop.call_soon_threadsafe(self._tell, done, fault)

    @staticmethod
    def _tell(done: asyncio.Future[None], fault: BaseException | None) -> None:
        if done.done():  # whoever waited has gone
            return
        if fault is None:
            done.set_result(None)
        else:
            done.set_exception(fault)


ROWS = (500, 50)  # that one statement inserts, where there are so many: for each the thread waits for its turn at the interpreter
_INSERT = re.compile(r"INSERT INTO .* VALUES (\((?:[?,]|jsonb\(\?\))+\))(?: ON CONFLICT .*)?")


@lru_cache(maxsize=64)
def _wide(sql: str, rows: int) -> str | None:
    """A statement that inserts a row as one that inserts so many of them; None for any other."""
    found = _INSERT.fullmatch(sql)
    return f"{sql[: found.start(1)]}{','.join([found[1]] * rows)}{sql[found.end(1) :]}" if found is not None else None


class SqliteEngine:
    """Point reads run in the loop's thread: each takes some microseconds, where a hop to another thread takes more."""

    dialect: Dialect = Sqlite()
    poll = 0.05

    def __init__(self, database: Path) -> None:
        self.database = database
        self._reader = connect(database, read_only=True)
        self._writer = connect(database, read_only=False)
        self._writer.execute("PRAGMA busy_timeout=0")  # in the loop's thread it never waits
        self._writing = _Worker()
        self._scans = Scans(lambda: connect(database, read_only=True, kept=KEPT_QUESTIONS))
        self._writes = asyncio.Lock()

    def now(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """`rows` without a loop."""
        found: list[Row] = self._reader.execute(sql, args).fetchall()
        return found

    async def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        return self.now(sql, args)

    async def scan(self, sql: str, args: Sequence[Any] = (), *, cut: bool = False, by_fields: bool = False) -> list[Row]:
        return await self._scans.rows(sql, args, cut=cut)

    def at_once(self, sql: str, args: Sequence[Any]) -> list[Row] | None:
        return self._scans.at_once(sql, args)

    async def transact(self, steps: Steps, *, small: bool = False, quiet: bool = False) -> None:
        """A small transaction runs in the loop's thread up to its COMMIT, whose wait for the disk is a thread's: two threads that
        both run Python would only take turns. Where another process holds the store, all of it is the thread's."""
        # A task of its own: whoever waits may go away, the transaction ends all the same, and only then comes the next.
        await asyncio.shield(asyncio.get_running_loop().create_task(self._transaction(steps, small)))

    async def _transaction(self, steps: Steps, small: bool) -> None:
        run = self._writing.run
        async with self._writes:
            if small and self._begin_now():
                try:
                    self._perform(steps)
                    await run(self._commit)
                except BaseException:
                    await run(self._roll_back)
                    raise
            else:
                await run(lambda: self._transact(steps))

    def _commit(self) -> None:
        self._writer.execute("COMMIT")

    def _begin_now(self) -> bool:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except pysqlite3.OperationalError:
            return False
        return True

    def _transact(self, steps: Steps) -> None:
        self._writer.execute(f"PRAGMA busy_timeout={BUSY}")
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        finally:
            self._writer.execute("PRAGMA busy_timeout=0")
        try:
            self._perform(steps)
            self._writer.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _perform(self, steps: Steps) -> None:
        try:
            step = next(steps)
            while True:
                step = steps.send(self._run(step))
        except StopIteration:
            return

    def _roll_back(self) -> None:
        if self._writer.in_transaction:  # a full disk has rolled back already
            self._writer.execute("ROLLBACK")

    def _run(self, step: Step) -> list[Row]:
        execute = self._writer.execute
        if not step.reads:
            rest = step.each
            for rows in ROWS:
                if len(rest) >= rows and (wide := _wide(step.sql, rows)) is not None:
                    whole = len(rest) // rows * rows
                    for first in range(0, whole, rows):
                        execute(wide, list(chain.from_iterable(rest[first : first + rows])))
                    rest = rest[whole:]
            if rest:
                self._writer.executemany(step.sql, rest)
            return []
        return [row for args in step.each for row in execute(step.sql, args)]

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Read]:
        connection = connect(self.database, read_only=True)
        try:
            connection.execute("BEGIN")
            connection.execute("SELECT seq FROM head").fetchall()  # the snapshot begins with its first read

            async def read(sql: str, args: Sequence[Any]) -> list[Row]:
                return await asyncio.to_thread(lambda: list(connection.execute(sql, args).fetchall()))

            yield read
        finally:
            connection.close()

    def explain(self, fault: Exception) -> OceanError | None:
        if not isinstance(fault, pysqlite3.OperationalError):
            return None
        said = str(fault)
        if "full" in said or "I/O" in said:
            return OceanError("STORAGE_FULL", "The disk is full: nothing was written.", "Free space; reads go on.")
        if "locked" in said or "busy" in said:
            return OceanError("SERVER_BUSY", "Another process holds the store.", "Try again in a moment.")
        return None

    def listen(self, heard: Callable[[], None]) -> None:
        """SQLite tells nobody: whoever follows looks every `poll` seconds."""

    async def close(self) -> None:
        async with self._writes:
            await asyncio.to_thread(self._writing.stop)
        await asyncio.to_thread(self._scans.close)
        for connection in (self._reader, self._writer):
            connection.close()
