"""Tells by mail who is invited to an event; one process does, by a lease, and another goes on where it ended."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either
from ocean.store.calendars import any_invitation

NEWS = 2.0  # seconds between looks for a first invitation
log = logging.getLogger("ocean.invites")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    while not await _any(ocean):
        moved = ocean.log.moved
        await either(moved, moved, NEWS)
    from ocean.services.calendar.invites import LEASE, Inviting

    inviting = Inviting(ocean)
    try:
        while True:
            moved = ocean.log.moved
            try:
                await inviting.step()
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("invitations wait: %r", fault)
                await asyncio.sleep(1)
            await either(moved, moved, min(ocean.engine.poll, LEASE / 3))
    finally:
        await inviting.close()


async def _any(ocean: Ocean) -> bool:
    try:
        return await any_invitation(ocean.engine)
    except Exception as fault:
        log.warning("invitations wait: %r", fault)
        return False
