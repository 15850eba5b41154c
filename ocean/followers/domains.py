"""Looks at domains and has their certificates made; one process does, by a lease, and another goes on where it ended."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either, first
from ocean.settings import own_names
from ocean.store.domains import any_there

NEWS = 2.0  # seconds between looks for a first domain
LEAST = 1.0  # seconds between steps, however fast the log moves
log = logging.getLogger("ocean.certificates")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    own = own_names(ocean.settings)
    if not own:
        await first(any_there, ocean.engine, NEWS, log)
    from ocean.services.pages.issuing import Issuing  # most never have a domain: X.509 and what else it takes

    issuing = Issuing(ocean, own)
    try:
        while True:
            moved = ocean.log.moved
            try:
                pause = await issuing.step()
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("domains wait: %r", fault)
                pause = LEAST
            await asyncio.sleep(LEAST)
            await either(moved, issuing.ended, pause - LEAST)
    finally:
        await issuing.close()
