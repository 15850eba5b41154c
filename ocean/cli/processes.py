"""One of the three processes, run in this one."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import signal
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import click

from ocean import logs, settings

PROCESSES = {
    "api": ("ocean.api.app", "OCEAN_API"),
    "view": ("viewhost.app", "OCEAN_VIEW"),
    "mail": ("mailhost.app", "OCEAN_MAIL"),
}


def check_files(values: dict[str, str]) -> None:
    """Raises StartError."""
    try:
        settings.check_files(values)
    except settings.SettingError as fault:
        raise StartError(str(fault)) from None


class StartError(Exception):
    """Why nothing was started, in a sentence."""


def check_free(values: dict[str, str], names: Iterable[str]) -> None:
    """Listens at each of the addresses for a moment, side by side. Raises StartError."""
    with ExitStack() as probes:
        taken: dict[int, str] = {}
        for name in names:
            host, port = settings.address(values, name)
            option = name.removeprefix("OCEAN_").lower()
            if port in taken and port:
                raise StartError(f"{name} and {taken[port]} both name port {port}. Choose another with --{option}.")
            probe = probes.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                probe.listen()
            except OSError as fault:
                why = _WHY.get(fault.errno or 0, fault.strerror)
                raise StartError(f"{host}:{port} ({name}) can't be listened at: {why}. Choose another with --{option}.") from None
            taken[port] = name


def addresses_of(name: str, values: dict[str, str]) -> tuple[str, ...]:
    """The settings of the addresses that a process listens at for HTTP."""
    secure = ("OCEAN_TLS",) if name == "view" and settings.listener(values) is not None else ()
    return (PROCESSES[name][1], *secure)


_WHY = {
    errno.EADDRINUSE: "another program has it",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.EACCES: "ports below 1024 are not for every user (on Linux: setcap, or systemd's AmbientCapabilities=CAP_NET_BIND_SERVICE)",
}


def serve(name: str, values: dict[str, str]) -> None:
    """Serves until SIGINT or SIGTERM. Raises StartError."""
    logs.set_up(name)
    module, listens = PROCESSES[name]
    host, port = settings.address(values, listens)
    if "OCEAN_SUPERVISOR" not in os.environ:  # it has looked already, and says where all are
        check_free(values, addresses_of(name, values))
        if name in ("view", "mail"):
            check_files(values)
        click.echo(f"ocean: the {name} process is at http://{values[listens]}", err=True)
    os.environ["SANIC_IGNORE_PRODUCTION_WARNING"] = "true"
    server = importlib.import_module(module).create(values)
    _end_when_told(server)
    _settle(server)
    server.run(host, port, single_process=True, motd=False, access_log=False, protocol=server.ctx.protocol)


def _settle(server: object) -> None:
    """What was made at start stays: the collector need not walk it again and again."""

    @server.after_server_start  # type: ignore[attr-defined,untyped-decorator]
    async def freeze(app: object) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)


def _end_when_told(server: object) -> None:
    """SIGINT and SIGTERM end a process, and so does a supervisor: it hands down a pipe; when that closes, it wants an end, or is gone.

    A stop that comes before Sanic serves is lost on it, so it waits until then.
    """
    pipe = int(os.environ.get("OCEAN_SUPERVISOR") or -1)

    @server.after_server_start  # type: ignore[attr-defined,untyped-decorator]
    async def watch(app: Any) -> None:
        import asyncio

        loop = asyncio.get_running_loop()

        def end() -> None:
            if app.state.is_running:
                app.stop(terminate=False)
            else:
                loop.call_later(0.02, end)

        def alone() -> None:
            loop.remove_reader(pipe)
            end()

        if pipe >= 0:
            loop.add_reader(pipe, alone)
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, end)
