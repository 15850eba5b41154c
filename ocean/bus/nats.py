"""The bus of several machines: one subject of a NATS server, which all processes of an ocean hear (https://docs.nats.io)."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit, urlunsplit

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from ocean.bus.bus import Handler, log, packed, told, unpacked

SUBJECT = "ocean"
LARGEST = 900 * 1024  # bytes of a message: a NATS server takes a megabyte
WAITING = 10_000  # messages that have not been handed to the server yet
PATIENCE = 2  # seconds between tries to reach the server


class NatsBus:
    """`address` is nats://HOST:PORT/SUBJECT; oceans that share a server have subjects that differ.

    While the server is away a message reaches this process alone: nothing is kept for later.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._subject = parts.path.strip("/").replace("/", ".") or SUBJECT
        self._server = urlunsplit(parts._replace(path=""))
        self._client: Client | None = None
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self, handler: Handler) -> None:
        self._handler = handler
        self._task = asyncio.get_running_loop().create_task(self._run())

    def publish(self, topic: str, message: bytes) -> None:
        told(self._handler, topic, message)
        packet = packed(topic, message, LARGEST)
        if packet is not None and self._client is not None and self._client.is_connected:
            try:
                self._waiting.put_nowait(packet)
            except asyncio.QueueFull:
                log.warning("the NATS server is too slow for what is broadcast: a message is lost")

    async def _run(self) -> None:
        while True:
            try:
                await self._connect()
                await self._pass_on()
            except Exception as fault:  # what the client did not mend itself: begun anew, with nobody waiting for it
                log.warning("broadcasts do not go over NATS: %r", fault)
                await self._leave()
                await asyncio.sleep(PATIENCE)

    async def _connect(self) -> None:
        self._client = await nats.connect(
            self._server, name="infinite-ocean", no_echo=True, max_reconnect_attempts=-1, reconnect_time_wait=PATIENCE,
            error_cb=_failed, disconnected_cb=self._left, reconnected_cb=_back,
        )  # fmt: skip
        await self._client.subscribe(self._subject, cb=self._hear)
        log.info("broadcasts go over NATS, subject %s", self._subject)

    async def _pass_on(self) -> None:
        assert self._client is not None
        while not self._client.is_closed:
            packet = await self._waiting.get()
            if self._client.is_connected:  # what waited while the server went is of a moment that is over
                await self._client.publish(self._subject, packet)

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, OSError):
                await client.close()

    async def _hear(self, message: Msg) -> None:
        unpacked(self._handler, message.data)

    async def _left(self) -> None:
        if not self._closing:
            log.warning("the NATS server is away: broadcasts reach this machine's listeners alone")

    async def close(self) -> None:
        """Gives out what waits, and goes."""
        if self._task is None:
            return
        self._closing = True
        client = self._client
        if client is not None and client.is_connected:
            while not self._waiting.empty():
                await client.publish(self._subject, self._waiting.get_nowait())
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._leave()


async def _failed(fault: Exception) -> None:
    log.warning("NATS: %r", fault)


async def _back() -> None:
    log.info("the NATS server is back")
