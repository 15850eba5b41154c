"""The bus of one machine: processes on one data folder reach one another by datagrams over Unix sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import tempfile
import time
from pathlib import Path

from ocean.bus.bus import Handler, log, packed, told, unpacked

LARGEST = 192 * 1024  # bytes of a datagram
LONGEST_PATH = 80  # bytes of a folder of sockets: the path of a socket has at most 107
_LOOK = 0.5  # seconds between looks for other processes
_AT_ONCE = 200  # datagrams that are read before the loop goes on


class LocalBus:
    """`data` names the ocean: all processes on it are told."""

    def __init__(self, data: Path) -> None:
        self._folder = data.resolve() / "bus"
        if len(str(self._folder)) > LONGEST_PATH:
            digest = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:16]
            self._folder = Path(tempfile.gettempdir()) / f"ocean-{os.getuid()}-{digest}"
        self._path = self._folder / f"{os.getpid()}-{os.urandom(3).hex()}"
        self._socket: socket.socket | None = None
        self._others: list[str] = []
        self._looked = 0.0

    async def open(self, handler: Handler) -> None:
        self._handler = handler
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid() or self._folder.is_symlink():
            raise OSError(f"{self._folder} belongs to somebody else.")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self._path))
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def publish(self, topic: str, message: bytes) -> None:
        told(self._handler, topic, message)
        packet = packed(topic, message, LARGEST)
        if packet is None or self._socket is None:
            return
        for other in self._siblings():
            try:
                self._socket.sendto(packet, other)
            except BlockingIOError:
                log.warning("a process is too slow for what is broadcast: a message to it is lost")
            except (ConnectionRefusedError, FileNotFoundError):  # it has gone
                with contextlib.suppress(OSError):
                    os.unlink(other)
                self._looked = 0.0
            except OSError as fault:
                log.warning("a broadcast could not be passed on: %s", fault)

    def _siblings(self) -> list[str]:
        if time.monotonic() - self._looked > _LOOK:
            self._looked = time.monotonic()
            self._others = [entry.path for entry in os.scandir(self._folder) if entry.name != self._path.name]
        return self._others

    def _read(self) -> None:
        assert self._socket is not None
        for _ in range(_AT_ONCE):
            try:
                packet = self._socket.recv(LARGEST + 1024)
            except (BlockingIOError, InterruptedError):
                return
            unpacked(self._handler, packet)

    async def close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            with contextlib.suppress(OSError):
                self._path.unlink()
