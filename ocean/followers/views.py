"""Adds what was embedded on pages to the sources' counters."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.services.data.embeds import count_views

EVERY = 1.0  # seconds
log = logging.getLogger("ocean.views")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            if ocean.views:
                await count_views(ocean)
        except Exception as fault:  # a full disk, a database away
            log.warning("embeds were not counted: %s", fault)
