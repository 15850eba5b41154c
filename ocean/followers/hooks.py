"""Plans and sends the deliveries of hooks; one process does, by a lease, and another goes on where it ended."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either
from ocean.services.live.deliveries import LEASE, Deliveries

log = logging.getLogger("ocean.hooks")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    deliveries = Deliveries(ocean)
    try:
        while True:
            moved = ocean.log.moved
            try:
                if await deliveries.step():
                    continue
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("hooks wait: %r", fault)
                await asyncio.sleep(1)
            if deliveries.holds:
                await either(moved, deliveries.ended, deliveries.pause())
            else:
                await asyncio.sleep(LEASE / 3)  # whatever is written meanwhile is another's to tell of
    finally:
        await deliveries.close()
