"""Runs the functions that nobody waits for; one process does, by a lease."""

from __future__ import annotations

import asyncio
import logging

from ocean.context import Ocean
from ocean.followers.waiting import either
from ocean.services.automate.jobs import LOOK, Jobs

log = logging.getLogger("ocean.jobs")


async def run(ocean: Ocean) -> None:
    """Until it is cancelled."""
    jobs = Jobs(ocean)
    try:
        while True:
            queued = ocean.functions.queued
            queued.clear()
            try:
                await jobs.step()
            except Exception as fault:  # a full disk, a database away: it goes on from where it stood
                log.warning("jobs wait: %r", fault)
                await asyncio.sleep(1)
            await either(queued, jobs.ended, LOOK)
    finally:
        await jobs.close()
