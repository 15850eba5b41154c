"""Turns: of what is dear, few things are done for one caller at a time, so that many requests of one don't stand in everybody's way."""

from __future__ import annotations

import asyncio
import ipaddress
from functools import lru_cache
from types import TracebackType

from ocean.errors import OceanError
from ocean.store.engine import asker

MOST = 32  # of one caller that wait
SIDE_BY_SIDE = 3  # of one caller: fewer than there are threads to scan in


class Turns:
    """So many turns at a time for each address, and for each key from however many addresses."""

    def __init__(
        self, side_by_side: int = SIDE_BY_SIDE, says: str = "Too many queries of yours wait.", code: str = "LIMIT_REACHED"
    ) -> None:
        self._side_by_side, self._says, self._code = side_by_side, says, code
        self._locks: dict[str, tuple[asyncio.Semaphore, int]] = {}

    def of(self, *holders: str) -> _Turn:
        """To be entered with `async with`, which raises LIMIT_REACHED, or the code it was made with, where too many of a holder's wait."""
        return _Turn(self, holders)

    async def enter(self, holder: str) -> None:
        lock, waiting = self._locks.get(holder) or (asyncio.Semaphore(self._side_by_side), 0)
        if waiting >= MOST:
            raise OceanError(self._code, self._says, "Let some of them end first.")
        self._locks[holder] = (lock, waiting + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._forget(holder)
            raise

    def leave(self, holder: str) -> None:
        self._locks[holder][0].release()
        self._forget(holder)

    def _forget(self, holder: str) -> None:
        lock, waiting = self._locks[holder]
        if waiting > 1:
            self._locks[holder] = (lock, waiting - 1)
        else:
            del self._locks[holder]


class _Turn:
    """A turn of several holders at once, taken in one order (address, key), so that none waits for another that waits for it."""

    __slots__ = ("_entered", "_holders", "_turns")

    def __init__(self, turns: Turns, holders: tuple[str, ...]) -> None:
        self._turns, self._holders = turns, holders
        self._entered = 0

    async def __aenter__(self) -> None:
        try:
            for holder in self._holders:
                await self._turns.enter(holder)
                self._entered += 1
            asker.set(next(iter(self._holders), ""))
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        asker.set("")
        self._leave()

    def _leave(self) -> None:
        for holder in reversed(self._holders[: self._entered]):
            self._turns.leave(holder)


@lru_cache(maxsize=10_000)
def plain_ip(ip: str) -> str:
    """The address; who comes by IPv4 to where both are listened for has that of IPv4."""
    try:
        mapped = ipaddress.IPv6Address(ip).ipv4_mapped
    except ValueError:
        return ip
    return str(mapped) if mapped is not None else ip


@lru_cache(maxsize=10_000)
def household(ip: str) -> str:
    """The address, or for IPv6 its /64: one household has all of that. What limits count by."""
    ip = plain_ip(ip)
    try:
        return str(ipaddress.IPv6Network((ip, 64), strict=False))
    except ValueError:
        return ip
