"""An ocean that runs functions, and statements in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.followers import hooks, jobs
from ocean.services.data import records
from tests.services.searching import afloat
from tests.services.test_find import plain


async def do(ocean: Ocean, caller: Caller, text: str) -> dict[str, Any]:
    return dict(plain(await execute(ocean, caller, parse(text))))


async def function(ocean: Ocean, author: Caller, route: str, body: str, **config: Any) -> None:
    """Saves `body` as the lines of `main`, and a `_config` where one is given."""
    code = "def main(ocean, request):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    await records.save(ocean, author, route=route, key="main", payload=code)
    if config:
        await records.save(ocean, author, route=route, key="_config", payload=config)


async def run(ocean: Ocean, caller: Caller, route: str, **request: Any) -> Any:
    """What it gives."""
    _, outcome = await ocean.functions.run(caller, route, request)
    return loads(outcome.result)


async def fault(ocean: Ocean, caller: Caller, route: str, **request: Any) -> OceanError:
    try:
        given = await run(ocean, caller, route, **request)
    except OceanError as error:
        return error
    raise AssertionError(given)


@asynccontextmanager
async def following(ocean: Ocean) -> AsyncIterator[Ocean]:
    """With hooks and jobs."""
    async with afloat(ocean):
        tasks = [asyncio.get_running_loop().create_task(follower.run(ocean)) for follower in (hooks, jobs)]
        try:
            yield ocean
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until(look: Any, seconds: float = 20) -> Any:
    """What `look` gives, once it gives anything."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found
