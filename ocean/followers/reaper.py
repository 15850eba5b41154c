"""What is done each second: what expired is destroyed, what was staged and never published too, and embeds that were seen are counted.

Doing it in two processes does no harm: no lease.
"""

from __future__ import annotations

import asyncio
import logging
import time

from ocean.context import Ocean
from ocean.services.mail.sweeping import sweep as sweep_letters
from ocean.services.pages.deploys import sweep
from ocean.store.purge import purge
from ocean.store.reader import now

EVERY = 1.0  # seconds
STAGED = 86_400.0  # seconds that an upload may wait for its publish
_SWEEP = 3600.0
log = logging.getLogger("ocean.reaper")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    swept = 0.0
    while True:
        try:
            if await purge(ocean.engine, now()):
                ocean.log.wake()
            if time.monotonic() - swept > _SWEEP:
                swept = time.monotonic()
                await sweep(ocean, time.time() - STAGED)
                await sweep_letters(ocean)
        except Exception as fault:  # a full disk, a database away: the next round finds it again
            log.warning("expired records wait to be purged: %s", fault)
        await asyncio.sleep(EVERY)
