"""Waiting for news."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ocean.store.engine import Engine


async def first(look: Callable[[Engine], Awaitable[bool]], engine: Engine, seconds: float, log: logging.Logger) -> None:
    """Until there is any of something, which nobody tells of: looked for every so many seconds."""
    while True:
        try:
            if await look(engine):
                return
        except Exception as fault:  # a full disk, a database away
            log.warning("it waits: %r", fault)
        await asyncio.sleep(seconds)


async def either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Until one of two things happens, or the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
