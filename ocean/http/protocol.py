"""Sanic's protocol with what we add to it: ready answers, measures, and a stop that answers what has arrived."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from sanic import Request
from sanic.http import Http
from sanic.http.constants import Stage
from sanic.http.http1 import HTTP_CONTINUE
from sanic.server import HttpProtocol

from ocean.http.answers import Answer, answer_bytes
from ocean.http.burden import LEAST, STALL
from ocean.http.clients import within
from ocean.http.metrics import Meter
from ocean.logs import request_line

# A whole request, the name that TLS was opened for, and the peer -> a whole answer, or None.
Ready = Callable[[bytes, str | None, str], bytes | None]


class Wire(Http):
    """Sanic's HTTP/1.1, which sends an Answer as it is."""

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        if self.protocol.signal.stopped or self.request_body:
            self.keep_alive = False  # a body that was not read is never taken for a request
        answer = self.response
        if type(answer) is not Answer:
            await super().http1_response_header(data, end_stream)
            return
        lead = HTTP_CONTINUE if self.expecting_continue else b""
        self.expecting_continue = False
        self.response_func = None  # type: ignore[assignment]
        await self._send(lead + answer_bytes(answer, keep_alive=self.keep_alive, head_only=bool(self.head_only)))
        self.stage = Stage.IDLE


class Protocol(HttpProtocol):
    """Sanic's protocol, measured; and what `app.ctx.ready` has an answer for is answered without waking a task.

    Only a connection that waits for a request, and a buffer that holds just one GET, whole and without a body, are answered so.
    """

    HTTP_CLASS = Wire
    __slots__ = ("_counted", "_meter", "_ready", "_server_name", "_stall", "_unsent", "_wire")

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._meter: Meter = self.app.ctx.meter
        self._ready: Ready | None = getattr(self.app.ctx, "ready", None)
        self._counted: str | None = None  # the address that this connection is counted for
        self._stall: asyncio.TimerHandle | None = None  # set while the peer is behind with what it was sent
        self._server_name: str | None = None  # that a connection by TLS was opened for; None in the clear
        self._unsent = 0  # bytes that it had not taken at the last look
        self._wire = self.request_handler
        self.request_handler = self._measured

    def connection_made(self, transport: Any) -> None:
        peer = transport.get_extra_info("peername")
        ip = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self.app.ctx.burden.come(ip, proxy=within(ip, self.app.ctx.proxies)):
            transport.abort()
            return
        self._counted = ip
        super().connection_made(transport)  # type: ignore[no-untyped-call]
        secure = transport.get_extra_info("ssl_object")
        self._server_name = getattr(secure, "sanic_server_name", "") if secure is not None else None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._counted is None:  # it was not taken; whether its transport is still there says nothing of that
            return
        self._caught_up()
        self.app.ctx.burden.gone(self._counted)
        self._counted = None
        super().connection_lost(exc)  # type: ignore[no-untyped-call]

    def pause_writing(self) -> None:
        """The peer is behind with what it is sent."""
        super().pause_writing()  # type: ignore[no-untyped-call]
        if self._counted is None or self.transport is None:
            return
        self._waits_for(self.transport.get_write_buffer_size())
        if self.app.ctx.burden.unsent.too_much(self._counted, proxy=within(self._counted, self.app.ctx.proxies)):
            self.transport.abort()
            return
        self._stall = self.loop.call_later(STALL, self._look_again)

    def resume_writing(self) -> None:
        super().resume_writing()  # type: ignore[no-untyped-call]
        self._caught_up()

    def _caught_up(self) -> None:
        self._waits_for(0)
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _waits_for(self, size: int) -> None:
        """So many bytes wait for the peer now."""
        if self._counted is not None and size != self._unsent:
            self.app.ctx.burden.unsent.change(self._counted, size - self._unsent)
            self._unsent = size

    def _look_again(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        before = self._unsent
        self._waits_for(self.transport.get_write_buffer_size())
        if before - self._unsent < LEAST:
            self.transport.abort()
            return
        self._stall = self.loop.call_later(STALL, self._look_again)

    def data_received(self, data: bytes) -> None:
        if self._ready is not None and data.startswith(b"GET /") and data.endswith(b"\r\n\r\n") and self.waits:
            answer = self._ready(data, self._server_name, self._counted or "")
            if answer is not None and self.transport is not None:
                self._time = time.monotonic()
                self._meter.ready += 1
                self.transport.write(answer)
                return
        super().data_received(data)

    @property
    def waits(self) -> bool:
        """Whether the connection waits for the head of a request: nothing is read, answered or left over of the one before."""
        http = self.http
        return (
            http is not None
            and http.stage is Stage.IDLE
            and getattr(http, "request", self) is None  # set while the rest of an answered request's body is drained
            and not self.recv_buffer
            and self._can_write.is_set()
        )

    def close_if_idle(self) -> bool:
        """At a stop. A request that has arrived, though no task has looked at it yet, is still answered."""
        return False if self.recv_buffer else bool(super().close_if_idle())

    async def _measured(self, request: Request) -> None:
        begun = time.perf_counter()
        status = 499  # the client went away
        try:
            await self._wire(request)
            response = getattr(self.http, "response", None)
            if response is not None:
                status = response.status
        finally:
            if received := getattr(request, "received", 0):
                self.app.ctx.burden.give(request.ip, received)
            pattern = request.route.path if request.route is not None else ""
            self.measured(request.method, pattern, request.path, status, time.perf_counter() - begun)

    def measured(self, method: str, pattern: str, path: str, status: int, seconds: float) -> None:
        self._meter.count(method, pattern, status, seconds)
        if self._meter.log_requests:
            request_line(method, path, status, seconds)
