"""Looks which fields are often asked for, and has indexes made and dropped."""

from __future__ import annotations

import asyncio
import logging
import time

from ocean.context import Ocean
from ocean.services.query.indexes import WINDOW, Keeper

EVERY = 1.0  # seconds
_TIDY = 3600.0
log = logging.getLogger("ocean.indexes")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    keeper = Keeper(ocean)
    tidied = forgot = time.monotonic()
    while True:
        try:
            await keeper.look()
            if time.monotonic() - forgot > WINDOW:
                forgot = time.monotonic()
                keeper.forget()
            if time.monotonic() - tidied > _TIDY:
                tidied = time.monotonic()
                await keeper.tidy()
        except Exception as fault:  # a full disk, a database away: a scan answers meanwhile
            log.warning("indexes wait to be made: %s", fault)
        await asyncio.sleep(EVERY)
