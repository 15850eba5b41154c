"""The short way through HTTP/1.1 for the plain case: one small request, whole in one buffer, to a twin of the command table.

It takes only what leaves no choice: HTTP/1.1, each header once and well-formed, one Host, a length that is just what has come.
All else (streams, uploads, chunks, HEAD, OPTIONS, pipelined or partial requests) goes Sanic's way, to the same handlers.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from typing import Any

from ocean.http.answers import Answer, answer_bytes
from ocean.http.heads import Args, query_args
from ocean.http.protocol import Protocol

LARGEST = 64 * 1024  # bytes of a whole request
_HEAD = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\x00\x80-\xff]*\r\n)+)\r\n")
_NOT_PLAIN = frozenset({"transfer-encoding", "expect", "upgrade", "te", "trailer", "range"})
_WRITES = frozenset({"signature-input", "x-ocean-budget"})  # with these a read writes too: it is begun once, and waits
Handler = Callable[["Plain"], Coroutine[Any, Any, Answer]]


class Plain:
    """What a handler asks of a request, without Sanic's."""

    __slots__ = ("_args", "app", "body", "headers", "ip", "match_info", "method", "path", "query_string", "raw_url")

    def __init__(self, app: Any, ip: str, method: str, raw_url: bytes, headers: dict[str, str], body: bytes) -> None:
        self.app = app
        self.ip = ip
        self.method = method
        self.raw_url = raw_url
        path, _, query = raw_url.decode().partition("?")
        self.path = path
        self.query_string = query
        self._args: Args | None = None
        self.headers = headers
        self.body = body
        self.match_info: dict[str, str] = {}

    @property
    def args(self) -> Args:
        """Raises INVALID_VALUE."""
        if self._args is None:
            self._args = query_args(self.query_string)
        return self._args


def read(data: bytes) -> tuple[str, bytes, dict[str, str], bytes] | None:
    """`(method, target, headers, body)` of a plain request, or None."""
    match = _HEAD.match(data)
    if match is None:
        return None
    headers: dict[str, str] = {}
    lines = match[3].decode().split("\r\n")
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in headers or name in _NOT_PLAIN:
            return None
        headers[name] = value.strip(" \t")
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    body = data[match.end() :]
    length = headers.get("content-length", "0")
    if "host" not in headers or not length.isdigit() or len(length) > 9 or int(length) != len(body):
        return None
    return match[1].decode(), match[2], headers, body


class Table:
    """Handlers by method and first segment: `exact` for /drop, `deep` for /entity/ROUTE. `instant` ones never wait on SQLite."""

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, bytes, bool], tuple[Handler, bool, str]] = {}

    def add(self, method: str, path: str, handler: Handler, *, instant: bool = False) -> None:
        """`path` as Sanic takes it; one with other places than a route is left to Sanic."""
        first, _, rest = path.removeprefix("/").partition("/")
        if rest in ("", "<route:path>") and "<" not in first:
            self._handlers[method, first.encode(), rest != ""] = (handler, instant, path.removeprefix("/"))

    def find(self, method: str, target: bytes) -> tuple[Handler, bool, str] | None:
        path = target.partition(b"?")[0]
        first, slash, rest = path[1:].partition(b"/")
        return self._handlers.get((method, first, slash != b"")) if bool(slash) == bool(rest) else None


class QuickProtocol(Protocol):
    """Answers plain requests itself, one at a time; what comes meanwhile waits."""

    __slots__ = ("_busy", "_closing", "_waiting")

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._busy: asyncio.Task[None] | None = None
        self._closing = False
        self._waiting = bytearray()

    def data_received(self, data: bytes) -> None:
        if self._busy is not None:
            self._waiting += data
            if len(self._waiting) > LARGEST and self.transport is not None:
                self.transport.pause_reading()
            return
        if not (self.waits and len(data) <= LARGEST and self._take(data)):
            super().data_received(data)

    def _take(self, data: bytes) -> bool:
        plain = read(data)
        found = self.app.ctx.quick.find(plain[0], plain[1]) if plain is not None else None
        if plain is None or found is None:
            return False
        handler, instant, pattern = found
        request = Plain(self.app, self.conn_info.client_ip if self.conn_info else "", *plain)
        begun = time.perf_counter()
        if instant and self.app.ctx.quick_inline and _WRITES.isdisjoint(plain[2]) and b"history" not in plain[1]:
            coroutine = handler(request)
            try:
                coroutine.send(None)
            except StopIteration as ended:
                self._send(request, pattern, ended.value, begun)
                return True
            except Exception as fault:
                self._send(request, pattern, self.app.ctx.answer_error(fault), begun)
                return True
            coroutine.close()  # it wants to wait after all: it has only read, so the long way is open
            return False
        self._busy = self.loop.create_task(self._run(handler, request, pattern, begun))
        return True

    async def _run(self, handler: Handler, request: Plain, pattern: str, begun: float) -> None:
        try:
            answer = await handler(request)
        except Exception as fault:
            answer = self.app.ctx.answer_error(fault)
        self._busy = None
        self._send(request, pattern, answer, begun)
        if self._waiting and not self._closing:
            waiting, self._waiting = bytes(self._waiting), bytearray()
            if self.transport is not None:
                self.transport.resume_reading()
            self.data_received(waiting)

    def _send(self, request: Plain, pattern: str, answer: Answer, begun: float) -> None:
        self._time = time.monotonic()
        self.measured(request.method, pattern, request.path, answer.status, time.perf_counter() - begun)
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write(answer_bytes(answer, keep_alive=not self._closing))
        if self._closing:
            self.transport.close()

    def check_timeouts(self) -> None:
        if self._busy is not None:
            self._time = time.monotonic()  # it waits for us, not we for it
        super().check_timeouts()  # type: ignore[no-untyped-call]

    def close_if_idle(self) -> bool:
        """At a stop: what was accepted is answered first."""
        if self._busy is not None:
            self._closing = True
            return False
        return super().close_if_idle()
