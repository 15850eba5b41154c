"""Starts the three processes, restarts the one that dies, and stops them together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import click

from ocean import settings
from ocean.core import keys
from ocean.store.schema import migrate

GRACE = 10.0


class StartError(Exception):
    """Why nothing was started, in a sentence."""


class Supervisor:
    """`values` are all settings."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False
        self._pipe = os.pipe()

    def run(self) -> int:
        """Until SIGINT or SIGTERM; the exit status."""
        first = self._prepare()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: setattr(self, "stopping", True))
        for name in ("api", "view", "mail"):
            self._start(name)
        self._wait_ready()
        self._greet(first)
        while not self.stopping:
            for name, child in list(self.children.items()):
                if child.poll() is not None and not self.stopping:
                    click.echo(f"ocean: the {name} process ended with {child.returncode}; starting it again", err=True)
                    time.sleep(0.3)
                    self._start(name)
            time.sleep(0.1)
        return self._stop()

    def _prepare(self) -> bool:
        data = Path(self.values["OCEAN_DATA"])
        first = not (data / "server.key").exists()
        try:
            data.mkdir(parents=True, exist_ok=True)
            (data / ".writable").touch()
            (data / ".writable").unlink()
        except OSError as fault:
            raise StartError(f"The data folder {data} can't be written: {fault.strerror}.") from None
        for name in ("OCEAN_API", "OCEAN_VIEW", "OCEAN_MAIL", "OCEAN_SMTP"):
            host, port = settings.address(self.values, name)
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as fault:
                    option = name.removeprefix("OCEAN_").lower()
                    raise StartError(f"{host}:{port} ({name}) is not free: {fault.strerror}. Choose another with --{option}.") from None
        try:
            asyncio.run(migrate(settings.store_url(self.values)))
        except (OSError, RuntimeError, asyncpg.PostgresError) as fault:
            raise StartError(f"The store can't be opened: {fault}.") from None
        return first

    def _start(self, name: str) -> None:
        environment = {**os.environ, **self.values, "OCEAN_SUPERVISOR": str(self._pipe[0])}
        self.children[name] = subprocess.Popen(
            [sys.executable, "-m", "ocean.cli", name],
            env=environment,
            start_new_session=True,
            pass_fds=(self._pipe[0],),
        )

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 30
        for name in ("OCEAN_API", "OCEAN_VIEW", "OCEAN_MAIL"):
            while time.monotonic() < deadline and not self.stopping:
                try:
                    socket.create_connection(settings.address(self.values, name), 0.5).close()
                    break
                except OSError:
                    time.sleep(0.05)

    def _greet(self, first: bool) -> None:
        if self.stopping:
            return
        api, view = f"http://{self.values['OCEAN_API']}", f"http://{self.values['OCEAN_VIEW']}"
        click.echo(
            f"\nInfinite Ocean is up.\n\n  API    {api}\n  pages  {view}\n  mail   smtp://{self.values['OCEAN_SMTP']}, http://{self.values['OCEAN_MAIL']}\n"
        )
        if first:
            secret = keys.generate().secret
            click.echo(f"  A first key, shown once (more: ocean keys):\n\n    export OCEAN_URL={api} OCEAN_KEY={secret}\n")
        click.echo(
            f"  Try:  ocean exec 'save mysite @index \"<h1>Hello, ocean</h1>\"'  and open {view}/mysite/\n  Ctrl-C stops everything.\n"
        )

    def _stop(self) -> int:
        click.echo("\nocean: stopping ...", err=True)
        for child in self.children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        for child in self.children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        click.echo("ocean: stopped", err=True)
        return 0
