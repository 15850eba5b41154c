"""A server with domains, beside a name server and a certificate authority; and how it is asked by TLS."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pysqlite3
from cryptography import x509

from ocean.core import keys
from tests.conftest import Running, free_ports, start, stop
from tests.domains.peers import VIEW, Authority, peers
from tests.names import Names


@dataclass
class Place:
    running: Running
    names: Names
    authority: Authority
    http: int
    tls: int
    environment: dict[str, str]

    def domain(self, name: str, secret: str) -> dict[str, Any]:
        return next(one for one in self.running.drops("domains", secret).json()["domains"] if one["domain"] == name)

    def wait(self, name: str, secret: str, until: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        """The domain, as soon as it is as wanted."""
        end = time.monotonic() + seconds
        found: dict[str, Any] = {}
        while time.monotonic() < end:
            found = self.domain(name, secret)
            if until(found):
                return found
            time.sleep(0.3)  # the domain itself says when it is so: no event of ours reaches here
        raise AssertionError(found)

    def certified(self, name: str, secret: str) -> dict[str, Any]:
        return self.wait(name, secret, lambda d: d.get("certificate", {}).get("state") == "valid")

    def ask(
        self, name: str, path: str = "/", host: str | None = None, *, patience: float = 5
    ) -> tuple[int, dict[str, str], bytes, x509.Certificate]:
        """One request by TLS, whose certificate is checked as anybody would."""
        context = ssl.create_default_context(cadata=self.authority.roots())
        end = time.monotonic() + patience
        while True:
            try:
                with (
                    socket.create_connection(("127.0.0.1", self.tls), 10) as plain,
                    context.wrap_socket(plain, server_hostname=name) as secure,
                ):
                    leaf = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
                    secure.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or f'{name}:{self.tls}'}\r\nConnection: close\r\n\r\n".encode())
                    received = b""
                    while part := secure.recv(65536):
                        received += part
                break
            except ssl.SSLEOFError:  # the certificate is in the store, and a blink away from the listener's memory
                if time.monotonic() > end:
                    raise
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body, leaf

    def plain(self, host: str, path: str = "/") -> tuple[int, dict[str, str], bytes]:
        """One request in the clear."""
        with socket.create_connection(("127.0.0.1", self.http), 10) as plain:
            plain.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            received = b""
            while part := plain.recv(65536):
                received += part
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def database(self, sql: str, *args: Any) -> list[Any]:
        """The store itself, for what takes months."""
        with pysqlite3.connect(self.running.data / "ocean.db", timeout=10) as connection:
            found = connection.execute(sql, args).fetchall()
        connection.close()
        return found

    def process(self, name: str) -> int:
        """The id of one of the three."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.running.process.pid), "-f", f"cli {name}"], capture_output=True, text=True, check=True
        )
        return int(found.stdout.split()[0])

    def restart(self) -> None:
        assert stop(self.running) == 0
        self.start()

    def start(self) -> None:
        with mock.patch.dict(os.environ, self.environment):
            self.running = start(self.running.data, "--view", f"127.0.0.1:{self.http}")


@contextmanager
def place(folder: Path, more: dict[str, str] | None = None, pebble: dict[str, str] | None = None, **config: Any) -> Iterator[Place]:
    """`more`: settings; `pebble`: the authority's environment; `config`: its settings."""
    http, tls = free_ports(2)
    folder.mkdir(exist_ok=True)
    with peers(folder, config.pop("http_port", http), tls, pebble, **config) as (names, authority):
        environment = {
            "OCEAN_TLS": f"127.0.0.1:{tls}", "OCEAN_VIEW_URL": f"https://{VIEW}:{tls}", "OCEAN_DNS": names.server,
            "OCEAN_ACME_DIRECTORY": authority.directory, "OCEAN_ACME_CA": str(authority.ca), "OCEAN_HSTS": "600", **(more or {}),
        }  # fmt: skip
        running = Running(folder / "data", "", "", 0, None)  # type: ignore[arg-type]
        there = Place(running, names, authority, http, tls, environment)
        there.start()
        try:
            yield there
        finally:
            stop(there.running)


def site(there: Place, name: str, text: str, secret: str | None = None) -> str:
    """A site of one page, with the domain NAME claimed for it; the secret of its key."""
    secret = secret or keys.generate().secret
    route = name.replace(".", "-")
    assert there.running.drops(f'save {route} @index "{text}"', secret).ok
    assert there.running.drops(f"domain add {name} to {route}", secret).ok
    return secret
