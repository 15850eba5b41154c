"""Sends what waits in the outbox; one process does, by a lease, and another goes on where it ended."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either, first
from ocean.store.outbox import any_queued

NEWS = 0.5  # seconds between looks for a first message
LOOK = 0.5  # seconds between looks: another process may have queued something, and not every store tells of it
LEAST = 0.05  # between looks, however fast the log moves
log = logging.getLogger("ocean.mail")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    await first(any_queued, ocean.engine, NEWS, log)
    from ocean.services.mail.delivering import Delivering  # most servers never send a message: signatures, an SMTP client

    delivering = Delivering(ocean)
    try:
        while True:
            moved = ocean.log.moved
            try:
                if await delivering.step():
                    continue
                pause = await delivering.pause()
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("the outbox waits: %r", fault)
                pause = 1.0
            await asyncio.sleep(LEAST)
            await either(moved, delivering.ended, min(pause, LOOK))
    finally:
        await delivering.close()
