"""Waiting for news."""

from __future__ import annotations

import asyncio


async def either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Until one of two things happens, or the time is over."""
    waits = [asyncio.ensure_future(event.wait()) for event in (first, second)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
