"""Tells by mail who is invited to an event; one process does, by a lease, and another goes on where it ended."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either, first
from ocean.store.calendars import any_invitation

NEWS = 0.5  # seconds between looks for a first invitation
LOOK = 0.25  # seconds between looks: another process may have written, and not every store tells of it
LEAST = 0.1  # between looks, however fast the log moves
log = logging.getLogger("ocean.invites")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    await first(any_invitation, ocean.engine, NEWS, log)
    from ocean.services.calendar.invites import Inviting

    inviting = Inviting(ocean)
    try:
        while True:
            moved = ocean.log.moved
            try:
                await inviting.step()
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("invitations wait: %r", fault)
                await asyncio.sleep(1)
            await asyncio.sleep(LEAST)
            await either(moved, moved, LOOK)
    finally:
        await inviting.close()
