"""What the three processes' HTTP has in common: one place refuses smuggling, one shapes errors, one counts, one opens the store."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import BadRequest, SanicException
from sanic.http.constants import Stage
from sanic.server import HttpProtocol

from ocean import settings as settings_
from ocean.context import Ocean
from ocean.errors import OceanError
from ocean.logs import request_line
from ocean.metrics import Meter
from ocean.store.schema import migrate

log = logging.getLogger("ocean.http")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_STATUS_CODES = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "BAD_REQUEST",
    413: "PAYLOAD_TOO_LARGE",
    503: "SERVER_BUSY",
}
Ready = Callable[[bytes], bytes | None]  # a whole request -> a whole answer, or None


def check_head(head: bytes) -> None:
    """Refuses heads that two parsers could read differently (RFC 9112 5.1, 5.2, 6.3; RFC 9110 7.2)."""
    lines = head.split(b"\r\n")
    hosts = lengths = codings = 0
    if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1 or b"\x00" in head:
        raise ValueError("bare CR, LF or NUL")
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise ValueError("a header's name is malformed")
        lower = name.lower()
        if lower == b"host":
            hosts += 1
        elif lower == b"content-length":
            lengths += 1
            if not value.strip(b" \t").isdigit():
                raise ValueError("Content-Length is not a number")
        elif lower == b"transfer-encoding":
            codings += 1
            if value.strip(b" \t").lower() != b"chunked":
                raise ValueError("an unknown transfer coding")
    if hosts != 1 or lengths + codings > 1:
        raise ValueError("one Host and one length are wanted")


class OneRequest(Request):
    """A request whose head two parsers can't read differently.

    Its connection is not used again where its end was told by chunks: what follows them is never parsed.
    """

    __slots__ = ("_stream",)

    def __init__(self, **named: Any) -> None:
        head = named.get("head")
        try:
            if head:  # Sanic makes one without a head to answer what it could not read
                check_head(head)
        except ValueError as fault:
            raise BadRequest(f"The request is malformed: {fault}.") from None
        super().__init__(**named)

    @property
    def stream(self) -> Any:
        return self._stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self._stream = stream
        if stream is not None and "transfer-encoding" in self.headers:
            stream.keep_alive = False


class Protocol(HttpProtocol):
    """Sanic's protocol, measured; and what `app.ctx.ready` has an answer for is answered without waking a task.

    Only a connection that waits for a request, and a buffer that holds just one GET, whole and without a body, are answered so.
    """

    __slots__ = ("_meter", "_ready", "_wire")

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._meter: Meter = self.app.ctx.meter
        self._ready: Ready | None = getattr(self.app.ctx, "ready", None)
        self._wire = self.request_handler
        self.request_handler = self._measured

    def data_received(self, data: bytes) -> None:
        if self._ready is not None and not self.recv_buffer and data.startswith(b"GET /") and data.endswith(b"\r\n\r\n"):
            http = self.http
            if http is not None and http.stage is Stage.IDLE and self._can_write.is_set() and self.transport is not None:
                answer = self._ready(data)
                if answer is not None:
                    self._time = time.monotonic()
                    self._meter.ready += 1
                    self.transport.write(answer)
                    return
        super().data_received(data)

    async def _measured(self, request: Request) -> None:
        begun = time.perf_counter()
        status = 499  # the client went away
        try:
            await self._wire(request)
            response = getattr(self.http, "response", None)
            if response is not None:
                status = response.status
        finally:
            seconds = time.perf_counter() - begun
            route = request.route.path if request.route is not None else ""
            self._meter.count(request.method, route, status, seconds)
            if self._meter.log_requests:
                request_line(request.method, request.path, status, seconds, str(request.id))


def app(name: str, settings: dict[str, str], *, max_size: int) -> Sanic[Any, Any]:
    """A Sanic application over the store; `app.ctx.ocean` is open while it serves."""
    server: Sanic[Any, Any] = Sanic(name, configure_logging=False, request_class=OneRequest)
    server.config.update(
        ACCESS_LOG=False, REQUEST_MAX_SIZE=max_size, KEEP_ALIVE_TIMEOUT=75, REQUEST_TIMEOUT=60, RESPONSE_TIMEOUT=60,
        GRACEFUL_SHUTDOWN_TIMEOUT=5, FALLBACK_ERROR_FORMAT="json",
    )  # fmt: skip
    server.ctx.settings = settings
    server.ctx.meter = Meter(name.removeprefix("ocean-"), settings_.flag(settings, "OCEAN_LOG_REQUESTS"))

    @server.before_server_start
    async def open_(server: Sanic[Any, Any]) -> None:
        Path(settings["OCEAN_DATA"]).mkdir(parents=True, exist_ok=True)
        await migrate(settings_.store_url(settings))
        server.ctx.ocean = await Ocean.open(settings)
        server.ctx.meter.watch(server.ctx.ocean)

    @server.after_server_stop
    async def close(server: Sanic[Any, Any]) -> None:
        await server.ctx.ocean.close()

    @server.get("/health")
    async def health(request: Request) -> HTTPResponse:
        seq, _ = await request.app.ctx.ocean.reader.head()
        return json_({"status": "ok", "process": request.app.ctx.meter.process, "seq": seq})

    @server.get("/metrics")
    async def metrics(request: Request) -> HTTPResponse:
        return HTTPResponse(await request.app.ctx.meter.text(), 200, None, "text/plain; version=0.0.4; charset=utf-8")

    return server


def follow(server: Sanic[Any, Any], follower: Callable[[Ocean], Any]) -> None:
    """Runs `follower(ocean)` beside the server, for as long as it serves."""

    @server.after_server_start
    async def start(server: Sanic[Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(follower(server.ctx.ocean))
        server.ctx.followers = [*getattr(server.ctx, "followers", ()), task]

    @server.before_server_stop
    async def stop(server: Sanic[Any, Any]) -> None:
        for task in server.ctx.followers:
            task.cancel()
        await asyncio.gather(*server.ctx.followers, return_exceptions=True)


def json_(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> HTTPResponse:
    return HTTPResponse(orjson.dumps(value), status, headers, "application/json")


def as_ocean_error(fault: Exception) -> OceanError:
    """Any exception as an answer; only what is not known becomes INTERNAL_ERROR, with an id that the log has too."""
    if isinstance(fault, OceanError):
        return fault
    if (isinstance(fault, SanicException) and fault.status_code < 500) or getattr(fault, "status_code", 500) == 503:
        status = getattr(fault, "status_code", 400)
        return OceanError(_STATUS_CODES.get(status, "BAD_REQUEST"), str(fault) or "The request is malformed.", status=status)
    request_id = secrets.token_hex(8)
    log.error("request %s failed", request_id, exc_info=fault)
    return OceanError("INTERNAL_ERROR", "The server failed.", f"The log has it as request {request_id}.", request_id=request_id)
