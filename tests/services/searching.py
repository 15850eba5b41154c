"""An ocean whose search index follows its log, as in the API server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ocean.bus.local import LocalBus
from ocean.commands import offered
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.followers import indexer
from ocean.services.automate.functions import Functions
from ocean.services.live.broadcasts import Broadcasts
from ocean.services.query.indexing import Indexing
from ocean.services.query.search import search
from tests.services.test_find import plain


@asynccontextmanager
async def indexed(ocean: Ocean) -> AsyncIterator[Ocean]:
    """With the index open, and its follower running."""
    ocean.searching = Indexing(ocean.data, ocean.engine, ocean.reader)
    await ocean.searching.open()
    task = asyncio.get_running_loop().create_task(indexer.run(ocean))
    try:
        yield ocean
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await ocean.searching.close()
        ocean.searching = None


@asynccontextmanager
async def afloat(ocean: Ocean) -> AsyncIterator[Ocean]:
    """All that the API server has."""
    async with indexed(ocean):
        ocean.live = Broadcasts(ocean, LocalBus(ocean.data))
        await ocean.live.open()
        ocean.running = Functions(ocean, offered.ask)
        try:
            yield ocean
        finally:
            await ocean.running.close()
            ocean.running = None
            await ocean.live.close()
            ocean.live = None


async def save(ocean: Ocean, who: Caller, text: str) -> None:
    await execute(ocean, who, parse(text))


async def found(ocean: Ocean, who: Caller, prefix: str, text: str | None = None, **asked: Any) -> list[Any]:
    """The keys of what is found, best first; all that was saved before is searched."""
    answer = await search(ocean, who, prefix=prefix, text=text, wait=True, **asked)
    return [result.get("key") for result in plain(answer)["results"]]
