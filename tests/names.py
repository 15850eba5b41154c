"""Programs of somebody else's that run beside us, and the first of them: dnsmasq, a name server. Debian: dnsmasq-base."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import randrange


def free_address() -> str:
    """A loopback address whose port 53 is free: resolv.conf knows no ports."""
    while True:
        address = f"127.{randrange(2, 255)}.{randrange(2, 255)}.{randrange(2, 255)}"
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(type=kind) as probe:
                    probe.bind((address, 53))
        except OSError:
            continue
        return address


class Peer:
    """A program of somebody else's that runs beside us."""

    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Names(Peer):
    """dnsmasq: what it answers is what `set` gave it."""

    folder: Path
    address: str = field(default_factory=free_address)
    port: int = 53
    records: dict[str, list[str]] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"{self.address}:{self.port}"

    def set(self, name: str, *records: str) -> None:
        """`A 127.0.0.1`, `CNAME view.ocean.test`, `MX 10 host`, `PTR host`, `TXT text` of any length; none takes the name away."""
        self.records[name] = list(records)
        self.restart()

    def restart(self) -> None:
        self.stop()
        file = self.folder / "dnsmasq.conf"
        file.write_text("".join(_record(name, record) + "\n" for name, records in self.records.items() for record in records))
        self.process = run(
            ["/usr/sbin/dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={self.port}", f"--listen-address={self.address}",
             "--bind-interfaces", f"--conf-file={file}", "--local=/test/", "--user=root", "--cache-size=0"],
            self.folder / "dnsmasq.log",
        )  # fmt: skip
        wait_for(self.port, self.address, self.process)


def _record(name: str, record: str) -> str:
    kind, _, value = record.partition(" ")
    match kind:
        case "A" | "AAAA":
            return f"host-record={name},{value}"
        case "CNAME":
            return f"cname={name},{value}"
        case "MX":
            preference, _, host = value.partition(" ")
            return f"mx-host={name},{host},{preference}"
        case "PTR":
            return f"ptr-record={name},{value}"
        case _:  # strings of at most 255 characters; quoted, as a comma parts them; dnsmasq reads lines of at most 1024
            escaped = (value[at : at + 250].replace("\\", "\\\\").replace('"', '\\"') for at in range(0, max(len(value), 1), 250))
            return f"txt-record={name}," + ",".join(f'"{part}"' for part in escaped)


def run(command: list[str], log: Path, more: dict[str, str] | None = None, *, session: bool = False) -> subprocess.Popen[bytes]:
    """Begins a program, with `more` in its environment; what it says is in `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env={**os.environ, **(more or {})}, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=session,
        )  # fmt: skip


def wait_for(port: int, address: str = "127.0.0.1", process: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end and (process is None or process.poll() is None):
        try:
            socket.create_connection((address, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens at {address}:{port}")
