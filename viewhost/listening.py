"""The view host's other listener, for HTTPS: beside Sanic's own, with the same protocol and the same application."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from sanic import Sanic
from sanic.models.server_types import Signal

from ocean.http.burden import Burden
from ocean.http.clients import within

HANDSHAKE = 5.0  # seconds
HANDSHAKES, HANDSHAKES_OF_ONE = 2000, 32  # that are under way, of all and of one address
BACKLOG = 1024
log = logging.getLogger("ocean.tls")


class Listener:
    """Accepts by itself, so that what has not shown who it wants is counted too."""

    def __init__(self, server: Sanic[Any, Any], address: tuple[str, int], context: ssl.SSLContext) -> None:
        self._server = server
        self._context = context
        self._burden = Burden(HANDSHAKES_OF_ONE, HANDSHAKES * 2)
        self._signal = Signal()
        self._connections: set[Any] = set()
        self._greeting: dict[asyncio.Task[None], None] = {}  # the longest under way first
        self._socket = socket.create_server(address, family=_family(address[0]), backlog=BACKLOG)
        self._socket.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def close(self) -> None:
        """Answers what has been asked, for as long as the server gives that."""
        self._accepting.cancel()
        self._socket.close()
        self._signal.stopped = True
        for task in self._greeting:
            task.cancel()
        for connection in list(self._connections):
            connection.close_if_idle()
        end = asyncio.get_running_loop().time() + self._server.config.GRACEFUL_SHUTDOWN_TIMEOUT / 2  # Sanic waits as long for its own
        while self._connections and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - as Sanic does with its own
            await asyncio.sleep(0.05)
        for connection in list(self._connections):
            connection.abort()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._socket)
            except OSError as fault:  # no more descriptors: those that wait are taken when there are
                log.warning("no connection can be taken: %s", fault)
                await asyncio.sleep(0.1)
                continue
            ip = str(peer[0])
            if not self._burden.come(ip, proxy=within(ip, self._server.ctx.proxies)):
                accepted.close()
                continue
            task = loop.create_task(self._greet(accepted, ip))
            self._greeting[task] = None
            task.add_done_callback(lambda done: self._greeting.pop(done, None))
            if len(self._greeting) > HANDSHAKES:  # who has not come to an end in all that time gives way to who comes
                next(iter(self._greeting)).cancel()

    async def _greet(self, accepted: socket.socket, ip: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(
                lambda: self._protocol(loop), accepted, ssl=self._context, ssl_handshake_timeout=HANDSHAKE, ssl_shutdown_timeout=HANDSHAKE
            )
        except asyncio.CancelledError:
            accepted.close()
            raise
        except (OSError, ssl.SSLError, TimeoutError):  # a name that is not ours, a peer that says nothing, or no TLS
            accepted.close()
        finally:
            self._burden.gone(ip)

    def _protocol(self, loop: asyncio.AbstractEventLoop) -> Any:
        return self._server.ctx.protocol(
            loop=loop, app=self._server, signal=self._signal, connections=self._connections, state=None, unix=None
        )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
