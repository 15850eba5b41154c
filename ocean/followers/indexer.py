"""Keeps the search index of this process with the log."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean

log = logging.getLogger("ocean.index")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    indexing = ocean.indexing
    while True:
        moved = ocean.log.moved
        try:
            more = await indexing.step()
        except Exception as fault:  # a full disk, a database away: it goes on from where it stood
            log.warning("the search index waits: %r", fault)
            more = False
            await asyncio.sleep(1)
        if not more:
            try:
                async with asyncio.timeout(max(ocean.engine.poll, 0.05)):  # not wait_for, which may swallow what cancels us (3.11)
                    await moved.wait()
            except TimeoutError:
                continue
