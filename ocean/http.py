"""What the three processes' HTTP has in common: one place refuses smuggling, one shapes errors, one counts, one opens the store."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.exceptions import BadRequest, SanicException
from sanic.http import Http
from sanic.http.constants import Stage
from sanic.http.http1 import HTTP_CONTINUE
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
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
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


class Args(dict[str, list[str]]):
    """Query parameters: each name with all its values; `get` gives the first."""

    def get(self, name: str, default: Any = None) -> Any:
        values = super().get(name)
        return values[0] if values else default


def query_args(query: str) -> Args:
    """Raises INVALID_VALUE on what is not UTF-8 or has more than 100 parameters."""
    if not query:
        return Args()
    try:
        return Args(parse_qs(query, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise OceanError("INVALID_VALUE", "The query is not UTF-8, or has more than 100 parameters.") from None


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
    def args(self) -> Args:
        return query_args(self.query_string)

    @property
    def stream(self) -> Any:
        return self._stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self._stream = stream
        if stream is not None and "transfer-encoding" in self.headers:
            stream.keep_alive = False


class Answer(HTTPResponse):
    """A whole answer whose header lines are ready: `head` ends each with CRLF, and leaves out the length and the connection."""

    __slots__ = ("head",)

    def __init__(self, head: bytes, body: bytes, status: int = 200) -> None:
        self.asgi = False
        self.content_type = None
        self.stream = None
        self._cookies = None
        self.head = head
        self.body = body
        self.status = status


class Wire(Http):
    """Sanic's HTTP/1.1, which sends an Answer as it is."""

    async def http1_response_header(self, data: bytes, end_stream: bool) -> None:
        if self.protocol.signal.stopped:
            self.keep_alive = False
        answer = self.response
        if type(answer) is not Answer:
            await super().http1_response_header(data, end_stream)
            return
        lead = HTTP_CONTINUE if self.expecting_continue else b""
        self.expecting_continue = False
        self.response_func = None  # type: ignore[assignment]
        await self._send(lead + answer_bytes(answer, keep_alive=self.keep_alive, head_only=bool(self.head_only)))
        self.stage = Stage.IDLE


def answer_bytes(answer: Answer, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """The answer as it goes over the wire."""
    body = answer.body or b""
    kept = b"keep-alive" if keep_alive else b"close"
    return b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\nconnection: %b\r\n\r\n%b" % (
        answer.status, _REASONS[answer.status], answer.head, len(body), kept, b"" if head_only else body,
    )  # fmt: skip


class Protocol(HttpProtocol):
    """Sanic's protocol, measured; and what `app.ctx.ready` has an answer for is answered without waking a task.

    Only a connection that waits for a request, and a buffer that holds just one GET, whole and without a body, are answered so.
    """

    HTTP_CLASS = Wire
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
            pattern = request.route.path if request.route is not None else ""
            self.measured(request.method, pattern, request.path, status, time.perf_counter() - begun)

    def measured(self, method: str, pattern: str, path: str, status: int, seconds: float) -> None:
        self._meter.count(method, pattern, status, seconds)
        if self._meter.log_requests:
            request_line(method, path, status, seconds)


def app(name: str, settings: dict[str, str], *, max_size: int) -> Sanic[Any, Any]:
    """A Sanic application over the store; `app.ctx.ocean` is open while it serves."""
    server: Sanic[Any, Any] = Sanic(name, configure_logging=False, request_class=OneRequest)
    server.config.update(
        ACCESS_LOG=False, REQUEST_MAX_SIZE=max_size, KEEP_ALIVE_TIMEOUT=75, REQUEST_TIMEOUT=60, RESPONSE_TIMEOUT=60,
        GRACEFUL_SHUTDOWN_TIMEOUT=5, FALLBACK_ERROR_FORMAT="json",
    )  # fmt: skip
    server.ctx.settings = settings
    server.ctx.protocol = Protocol
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


_JSON = b"content-type: application/json\r\n"
_OPEN_JSON = _JSON + b"access-control-allow-origin: *\r\n"  # never with credentials: the key travels in its own header


def json_(value: Any, status: int = 200, *, any_origin: bool = False) -> Answer:
    """A JSON answer; the API's are for pages of any origin."""
    return Answer(_OPEN_JSON if any_origin else _JSON, orjson.dumps(value), status)


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
