"""Starts the three processes, restarts the one that dies, and stops them together."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import click

from ocean import settings
from ocean.cli.processes import PROCESSES, StartError, addresses_of, check_files, check_free
from ocean.core import keys
from ocean.runner.sandbox import BWRAP
from ocean.store.schema import migrate

GRACE = 10.0  # seconds
SHORT = 2.0  # seconds of a life that says something is wrong


class Supervisor:
    """`values` are all settings."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.stopping = False
        self._begun: dict[str, float] = {}
        self._due: dict[str, float] = {}  # when one that ended is started again
        self._short: dict[str, int] = {}  # lives in a row that were short
        self._pipe = os.pipe()

    def run(self) -> int:
        """Until SIGINT or SIGTERM; the exit status."""
        first = self._prepare()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: setattr(self, "stopping", True))
        for name in PROCESSES:
            self._start(name)
        if self._wait_ready():
            self._greet(first)
        while not self.stopping:
            for name in PROCESSES:
                self._keep(name)
            time.sleep(0.1)
        return self._stop()

    def _keep(self, name: str) -> None:
        """Starts a process again that ended; one that never lives long is given more and more time, up to GRACE."""
        now = time.monotonic()
        if name in self._due:
            if now >= self._due[name]:
                del self._due[name]
                self._start(name)
        elif (code := self.children[name].poll()) is not None and not self.stopping:
            self._short[name] = self._short.get(name, 0) + 1 if now - self._begun[name] < SHORT else 0
            pause = min(GRACE, 0.2 * 2 ** self._short[name]) if self._short[name] else 0.0
            click.echo(
                f"ocean: the {name} process ended with {code}; starting it again" + (f" in {pause:.1f} s" if pause else ""), err=True
            )
            self._due[name] = now + pause

    def _prepare(self) -> bool:
        data = Path(self.values["OCEAN_DATA"])
        first = not (data / "server.key").exists()
        try:
            data.mkdir(parents=True, exist_ok=True)
            (data / ".writable").touch()
            (data / ".writable").unlink()
        except OSError as fault:
            raise StartError(f"The data folder {data} can't be written: {fault.strerror}.") from None
        check_files(self.values)
        check_free(self.values, ("OCEAN_API", *addresses_of("view", self.values), "OCEAN_MAIL", "OCEAN_SMTP"))
        try:
            asyncio.run(migrate(settings.store_url(self.values)))
        except (OSError, RuntimeError, asyncpg.PostgresError) as fault:
            raise StartError(f"The store can't be opened: {fault}.") from None
        return first

    def _start(self, name: str) -> None:
        self._begun[name] = time.monotonic()
        environment = {**os.environ, **self.values, "OCEAN_SUPERVISOR": str(self._pipe[0])}
        self.children[name] = subprocess.Popen(
            [sys.executable, "-m", "ocean.cli", name],
            env=environment,
            start_new_session=True,
            pass_fds=(self._pipe[0],),
        )

    def _wait_ready(self) -> bool:
        """Whether all three answer; says which does not within half a minute."""
        deadline = time.monotonic() + 30
        for name, setting in [(process, setting) for process in PROCESSES for setting in addresses_of(process, self.values)]:
            while not self.stopping:
                try:
                    socket.create_connection(settings.address(self.values, setting), 0.5).close()
                    break
                except OSError:
                    if self.children[name].poll() is not None or time.monotonic() > deadline:
                        click.echo(f"ocean: the {name} process does not answer at {self.values[setting]}", err=True)
                        return False
                    time.sleep(0.05)
        return not self.stopping

    def _greet(self, first: bool) -> None:
        api, view = f"http://{self.values['OCEAN_API']}", f"http://{self.values['OCEAN_VIEW']}"
        secure = f", https://{self.values['OCEAN_TLS']}" if settings.listener(self.values) is not None else ""
        click.echo(
            f"\nInfinite Ocean is up.\n\n  API    {api}\n  pages  {view}{secure}\n  mail   smtp://{self.values['OCEAN_SMTP']}, http://{self.values['OCEAN_MAIL']}\n"
        )
        if settings.flag(self.values, "OCEAN_FUNCTIONS") and shutil.which(BWRAP) is None:
            click.echo(
                "  Functions are not run: bubblewrap is missing (sudo apt install bubblewrap; OCEAN_FUNCTIONS=false says so for good).\n"
            )
        if first:
            secret = keys.generate().secret
            click.echo(f"  A first key, shown once (more: ocean keys):\n\n    export OCEAN_URL={api} OCEAN_KEY={secret}\n")
        else:
            click.echo(f"  With the key you have (or a new one: ocean keys):\n\n    export OCEAN_URL={api} OCEAN_KEY=...\n")
        click.echo(
            f"  Try:  ocean exec 'save mysite @index \"<h1>Hello, ocean</h1>\"'  and open {view}/mysite/\n  Ctrl-C stops everything.\n"
        )

    def _stop(self) -> int:
        click.echo("\nocean: stopping ...", err=True)
        os.close(self._pipe[1])  # which tells them all
        deadline = time.monotonic() + GRACE
        for child in self.children.values():
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        click.echo("ocean: stopped", err=True)
        return 0
