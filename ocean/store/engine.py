"""What an engine offers the store: rows, scans, and one transaction at a time at the log's head."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from ocean.errors import OceanError
from ocean.store.query.dialects import Dialect

asker: ContextVar[str] = ContextVar("asker", default="")  # for whom a scan is, as limits count
SCAN_SECONDS = 5.0
SCAN_BYTES = 16 * 1024 * 1024

Row = Sequence[Any]
Read = Callable[[str, Sequence[Any]], Awaitable[list[Row]]]  # SQL and its values -> rows


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a transaction: `sql`, with `?` for its values, run once for each of `each`."""

    sql: str
    each: Sequence[tuple[Any, ...]]
    reads: bool = False


# A transaction's course: it yields steps, is sent the rows of those that read, and ends to commit. It does not touch the store itself.
Steps = Generator[Step, list[Row], None]
LOCK = "UPDATE head SET id = 1 WHERE id = 1"  # nobody writes meanwhile


def only(step: Step, found: list[Row] | None = None) -> Steps:
    """A transaction of one step; what it reads is added to `found`."""
    rows = yield step
    if found is not None:
        found.extend(rows)


def locked(steps: Steps) -> Steps:
    """Steps while nobody else writes: what they count or look for is so until they commit."""
    yield Step(LOCK, [()])
    yield from steps


class Engine(Protocol):
    """One store, opened on a running loop. SQL is given with `?` for values, whatever the engine's own sign."""

    dialect: Dialect
    poll: float  # seconds between looks for what other processes wrote

    async def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """A point read or a short range: what is committed now, whoever wrote it."""

    async def scan(self, sql: str, args: Sequence[Any] = (), *, cut: bool = False, by_fields: bool = False) -> list[Row]:
        """A read that may be long, off the loop's thread. Raises StatementError, LIMIT_REACHED after SCAN_SECONDS, and beyond SCAN_BYTES:
        with `cut` it ends there instead, with at least one row; whoever asks goes on behind the last one.

        `by_fields`: records are joined by what no index has.
        """

    def at_once(self, sql: str, args: Sequence[Any]) -> list[Row] | None:
        """A read that is likely over before another thread has begun with it, in the caller's; None where it is not, or where it fails:
        `scan` tells why."""

    async def transact(self, steps: Steps, *, small: bool = False, quiet: bool = False) -> None:
        """Runs `steps` in one transaction; it is on disk when this returns, and has left nothing when this raises
        (but for a COMMIT whose answer was lost on the way: then nobody knows).

        `small`: the steps take a millisecond or two, not more. `quiet`: no other process has to hear of it.
        """

    def snapshot(self) -> AbstractAsyncContextManager[Read]:
        """A way to read rows that all show the store at one moment, however long it takes."""

    def explain(self, fault: Exception) -> OceanError | None:
        """STORAGE_FULL or SERVER_BUSY where that is what the engine's exception means."""

    def listen(self, heard: Callable[[], None]) -> None:
        """Calls `heard` when another process may have written, where the engine can tell."""

    async def close(self) -> None: ...


class StatementError(Exception):
    """The engine can't carry out a statement that it was given: a sum that is too large, a value that is none of its kind."""


class Gathered:
    """The rows of a scan, up to SCAN_BYTES of text: beyond, with `cut`, `add` says that it is enough; else it raises LIMIT_REACHED."""

    def __init__(self, cut: bool) -> None:
        self.rows: list[Row] = []
        self._cut = cut
        self._size = 0

    def add(self, row: Row) -> bool:
        """Whether there is room for more. The first row always has room."""
        self._size += 200 + sum([len(cell) for cell in row if isinstance(cell, str)])
        if self._size > SCAN_BYTES and (self.rows or not self._cut):
            if not self._cut:
                raise OceanError("LIMIT_REACHED", f"The answer is over {SCAN_BYTES // 2**20} MB.", "Ask for less: limit, skip, pick.")
            return False
        self.rows.append(row)
        return True


def too_long() -> OceanError:
    return OceanError("LIMIT_REACHED", f"The query took longer than {SCAN_SECONDS:.0f} seconds.", "Narrow it, or ask for less.")
