"""One of the three processes, run in this one."""

from __future__ import annotations

import gc
import importlib
import os

from ocean import logs, settings

PROCESSES = {
    "api": ("ocean.api.app", "OCEAN_API"),
    "view": ("viewhost.app", "OCEAN_VIEW"),
    "mail": ("mailhost.app", "OCEAN_MAIL"),
}


def serve(name: str, values: dict[str, str]) -> None:
    """Serves until SIGINT or SIGTERM."""
    logs.set_up(name)
    module, listens = PROCESSES[name]
    host, port = settings.address(values, listens)
    server = importlib.import_module(module).create(values)
    _end_with_parent(server)
    _settle(server)
    server.run(host, port, single_process=True, motd=False, access_log=False, protocol=server.ctx.protocol)


def _settle(server: object) -> None:
    """What was made at start stays: the collector need not walk it again and again."""

    @server.after_server_start  # type: ignore[attr-defined,untyped-decorator]
    async def freeze(app: object) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)


def _end_with_parent(server: object) -> None:
    """A supervisor hands down a pipe; when it closes, the supervisor is gone and so are we."""
    pipe = os.environ.get("OCEAN_SUPERVISOR")
    if not pipe:
        return

    @server.after_server_start  # type: ignore[attr-defined,untyped-decorator]
    async def watch(app: object) -> None:
        import asyncio

        asyncio.get_running_loop().add_reader(int(pipe), app.stop)  # type: ignore[attr-defined]
