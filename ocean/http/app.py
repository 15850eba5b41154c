"""A Sanic application over the store, as each of the three processes begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from ocean import settings as settings_
from ocean.context import Ocean
from ocean.http.answers import json_
from ocean.http.burden import Burden, room_for_files
from ocean.http.heads import OneRequest
from ocean.http.metrics import Meter
from ocean.http.protocol import Protocol
from ocean.store.schema import migrate


async def health(request: Request) -> HTTPResponse:
    seq, _ = await request.app.ctx.ocean.reader.head()
    return json_({"status": "ok", "process": request.app.ctx.meter.process, "seq": seq})


async def metrics(request: Request) -> HTTPResponse:
    return HTTPResponse(await request.app.ctx.meter.text(), 200, None, "text/plain; version=0.0.4; charset=utf-8")


PROBES = {"/health": health, "/metrics": metrics}  # what tells how a process is


def app(name: str, settings: dict[str, str], *, max_size: int, probed: bool = True) -> Sanic[Any, Any]:
    """A Sanic application over the store; `app.ctx.ocean` is open while it serves. Not `probed`: it answers PROBES itself, where it may."""
    server: Sanic[Any, Any] = Sanic(name, configure_logging=False, request_class=OneRequest)
    server.config.update(
        ACCESS_LOG=False, REQUEST_MAX_SIZE=max_size, KEEP_ALIVE_TIMEOUT=75, REQUEST_TIMEOUT=60, RESPONSE_TIMEOUT=60,
        GRACEFUL_SHUTDOWN_TIMEOUT=5, FALLBACK_ERROR_FORMAT="json",
    )  # fmt: skip
    server.ctx.settings = settings
    server.ctx.protocol = Protocol
    server.ctx.proxies = settings_.networks(settings)
    server.ctx.burden = Burden(int(settings["OCEAN_CONNECTIONS_PER_ADDRESS"]), room_for_files())
    server.ctx.meter = Meter(name.removeprefix("ocean-"), settings_.flag(settings, "OCEAN_LOG_REQUESTS"))

    @server.before_server_start
    async def open_(server: Sanic[Any, Any]) -> None:
        Path(settings["OCEAN_DATA"]).mkdir(parents=True, exist_ok=True)
        await migrate(settings_.store_url(settings))
        server.ctx.ocean = await Ocean.open(settings)
        server.ctx.meter.watch(server.ctx.ocean)

    @server.after_server_stop
    async def close(server: Sanic[Any, Any]) -> None:
        await server.ctx.ocean.close()

    if probed:
        for path, probe in PROBES.items():
            server.add_route(probe, path, methods=["GET"], name=path.removeprefix("/"))
    return server


def follow(server: Sanic[Any, Any], follower: Callable[[Ocean], Any]) -> None:
    """Runs `follower(ocean)` beside the server, for as long as it serves."""

    @server.after_server_start
    async def start(server: Sanic[Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(follower(server.ctx.ocean))
        server.ctx.followers = [*getattr(server.ctx, "followers", ()), task]

    @server.before_server_stop
    async def stop(server: Sanic[Any, Any]) -> None:
        for task in server.ctx.followers:
            task.cancel()
        await asyncio.gather(*server.ctx.followers, return_exceptions=True)
