"""Turns: of what is dear little is done for one caller at a time, so that many requests of one don't stand in everybody's way."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from ocean.errors import OceanError

MOST = 32  # of one caller that wait
SIDE_BY_SIDE = 2  # of one caller: fewer than there are threads to scan in


class Turns:
    """SIDE_BY_SIDE turns at a time for each address, and for each key from however many addresses."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, *holders: str) -> AsyncIterator[None]:
        """Raises LIMIT_REACHED. All take them in one order (address, key), so that none waits for another that waits for it."""
        async with AsyncExitStack() as stack:
            for holder in holders:
                await stack.enter_async_context(self._of(holder))
            yield

    @asynccontextmanager
    async def _of(self, holder: str) -> AsyncIterator[None]:
        """Raises LIMIT_REACHED where too many of this holder's wait already."""
        lock, waiting = self._locks.get(holder, (asyncio.Semaphore(SIDE_BY_SIDE), 0))
        if waiting >= MOST:
            raise OceanError("LIMIT_REACHED", "Too many queries of yours wait.", "Let some of them end first.")
        self._locks[holder] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks[holder]
            if waiting > 1:
                self._locks[holder] = (lock, waiting - 1)
            else:
                del self._locks[holder]


def household(ip: str) -> str:
    """The address, or for IPv6 its /64: one household has all of that. What limits count by."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else ip
