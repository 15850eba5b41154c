"""Scans of SQLite: threads with read-only connections of their own, and one that watches how long they take and how much they hold.

SQLite counts its memory under one lock, which scans side by side spend half their time waiting for (a group of 10,000 records took 27 ms
beside another, and 12 alone). So the counting is off, and what a process holds is looked at from outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pysqlite3

from ocean.errors import OceanError
from ocean.store.engine import SCAN_BYTES, SCAN_SECONDS, Gathered, Row, StatementError, asker, too_long

SCANNERS = 4  # threads that scan
WAITING = 64
HEAP = 1024**3  # bytes by which a process may grow while it scans
MOMENT = 0.003  # seconds that a scan may take of the caller's own thread
_STEPS = 2000  # of SQLite's machine between looks at the clock there: the work of some ten records
AT_A_TIME = 100  # rows of such a scan that are read before it is looked how large they are
TICK = 0.02  # seconds between looks at running scans
_STATM = Path("/proc/self/statm")
_C = ctypes.CDLL(None)
_MEMSTATUS = 9  # SQLITE_CONFIG_MEMSTATUS
log = logging.getLogger("ocean.store")


def stop_counting() -> bool:
    """Turns SQLite's count of its memory off, before the first connection; False where that can't be done, or can't be replaced."""
    if not _STATM.exists():
        return False
    try:
        library = ctypes.CDLL(pysqlite3._sqlite3.__file__)
        if library.sqlite3_shutdown() != 0:
            return False
        off = library.sqlite3_config(_MEMSTATUS, ctypes.c_int(0)) == 0
        return bool(library.sqlite3_initialize() == 0 and off)
    except (AttributeError, OSError):  # another build, whose functions have no names outside
        return False


uncounted = stop_counting()
_statm = os.open(_STATM, os.O_RDONLY | os.O_CLOEXEC) if uncounted else -1  # held open: it is read when no other can be opened
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


def held() -> int:
    """Bytes of memory that the process holds for itself; 0 where that is not known.

    The pages of the store's file, which each connection maps anew, are nobody's: the system takes them back when it wants to.
    """
    if not uncounted:
        return 0
    _, resident, shared, *_ = os.pread(_statm, 100, 0).split()
    return (int(resident) - int(shared)) * _PAGE_SIZE


def give_back() -> None:
    """Returns to the machine what the allocator keeps of memory that was freed."""
    if uncounted and hasattr(_C, "malloc_trim"):
        _C.malloc_trim(0)


class Running(threading.local):
    """When the scan of this thread is over; functions of ours, of which each call may be long, look at it."""

    deadline: float | None = None

    def over(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def check(self) -> None:
        if self.over():
            raise TimeoutError


running = Running()


class _Scan:
    """One scan under way: it is interrupted past its deadline, or where the process grows too much, and then says why."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.began = time.monotonic()
        self.deadline = self.began + SCAN_SECONDS
        self.held = held()
        self.fault: OceanError | None = None

    def stop(self, fault: OceanError) -> None:
        self.fault = fault
        self.connection.interrupt()


def _too_much() -> OceanError:
    return OceanError("LIMIT_REACHED", "The question takes too much memory.", "Narrow it, or ask for less.")


class Places:
    """So many places; one that is free goes to whoever has the fewest, of them to whoever waits longest."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._taken: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    def has_any(self, who: str) -> bool:
        return self._taken[who] > 0 or who in self._waiting

    async def take(self, who: str) -> None:
        if self._free:
            self._free -= 1
            self._taken[who] += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(who, deque()).append(place)
        try:
            await place
        except BaseException:
            if place.done() and not place.cancelled():  # it was given, and whoever waited has gone
                self.leave(who)
            raise

    def leave(self, who: str) -> None:
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]
        while self._waiting:
            next_ = min(self._waiting, key=lambda one: self._taken[one])
            waiting = self._waiting.pop(next_)
            place = waiting.popleft()
            if waiting:
                self._waiting[next_] = waiting  # behind the others
            if not place.done():
                self._taken[next_] += 1
                place.set_result(None)
                return
        self._free += 1


class Scans:
    """SCANNERS scans side by side; WAITING may wait, and one each of whoever has none, up to four times as many."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._threads = ThreadPoolExecutor(SCANNERS, "scan")
        self._connections: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(SCANNERS):
            self._connections.put(connect())
        self._own = connect()
        self._own.set_progress_handler(running.over, _STEPS)
        self._places = Places(SCANNERS)
        self._count = 0
        self._running: list[_Scan] = []
        self._change = threading.Condition()
        self._closed = False
        self._watching = threading.Thread(target=self._watch, name="scan-watch", daemon=True)
        self._watching.start()

    def at_once(self, sql: str, args: Sequence[Any]) -> list[Row] | None:
        """The rows of a scan that is over within MOMENT seconds, in the caller's thread; None if it is not, or fails."""
        running.deadline = time.monotonic() + MOMENT
        try:
            rows: list[Row] = []
            size = 0
            cursor = self._own.execute(sql, args)
            while some := cursor.fetchmany(AT_A_TIME):
                size += sum([len(cell) for row in some for cell in row if cell.__class__ is str])
                if size > SCAN_BYTES:
                    return None
                rows += some
            return rows
        except (pysqlite3.Error, MemoryError, OceanError):  # the long way tells why
            return None
        finally:
            running.deadline = None

    async def rows(self, sql: str, args: Sequence[Any], *, cut: bool) -> list[Row]:
        """As `Engine.scan`."""
        who = asker.get()
        if self._count >= (4 * WAITING if not self._places.has_any(who) else WAITING):
            raise OceanError("SERVER_BUSY", "Too many queries wait.", "Try again in a moment.")
        self._count += 1
        try:
            await self._places.take(who)
            return await self._in_thread(who, sql, args, cut)
        finally:
            self._count -= 1

    def _in_thread(self, who: str, sql: str, args: Sequence[Any], cut: bool) -> asyncio.Future[list[Row]]:
        """The place is left once the thread has done, though whoever waited may have gone before."""
        loop = asyncio.get_running_loop()
        scan = self._threads.submit(self._scan, sql, args, cut)

        def left(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._places.leave, who)

        scan.add_done_callback(left)
        return asyncio.wrap_future(scan)

    def _scan(self, sql: str, args: Sequence[Any], cut: bool) -> list[Row]:
        connection = self._connections.get()
        try:
            return self._watched(_Scan(connection), sql, args, Gathered(cut))
        finally:
            self._connections.put(connection)

    def _watched(self, scan: _Scan, sql: str, args: Sequence[Any], found: Gathered) -> list[Row]:
        running.deadline = scan.deadline
        with self._change:
            self._running.append(scan)
            self._change.notify()
        try:
            for row in scan.connection.execute(sql, args):
                if not found.add(row):
                    break
            return found.rows
        except MemoryError:
            raise _too_much() from None
        except pysqlite3.Error as fault:
            if time.monotonic() > scan.deadline:  # also where a function of ours has seen it first
                raise too_long() from None
            raise scan.fault or StatementError(str(fault)) from fault
        finally:
            running.deadline = None
            with self._change:
                self._running.remove(scan)
            if scan.fault is not None:
                give_back()

    def _watch(self) -> None:
        while not self._closed:
            with self._change:
                while not self._running and not self._closed:
                    self._change.wait()
                try:
                    self._look()
                except Exception:  # it must not end: nothing else ends a scan
                    log.exception("running scans could not be looked at")
            time.sleep(TICK)

    def _look(self) -> None:
        """Interrupts the scans that have had their time; where the process grew too much, the one beside which it grew fastest, one a look.

        A scan that ran long before the growth began, or began when it was nearly over, is not the one that grows.
        """
        now = time.monotonic()
        for scan in self._running:
            if now > scan.deadline:
                scan.stop(too_long())
        if self._running and uncounted:
            grown = held()
            if grown - min(scan.held for scan in self._running) > HEAP:
                suspects = [scan for scan in self._running if grown - scan.held > HEAP // 2]
                if suspects:
                    max(suspects, key=lambda scan: (grown - scan.held) / (now - scan.began + TICK)).stop(_too_much())

    def close(self) -> None:
        """Ends once the scans under way have."""
        self._threads.shutdown()
        with self._change:
            self._closed = True
            self._change.notify()
        self._watching.join()
        self._own.close()
        for _ in range(SCANNERS):
            self._connections.get().close()
