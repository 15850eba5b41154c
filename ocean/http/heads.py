"""Requests as two parsers would both read them: the one place that refuses smuggling."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from sanic import Request
from sanic.exceptions import BadRequest

from ocean.errors import OceanError

_REQUEST = re.compile(rb"[A-Z]{1,20} (?:/[!-~]*|\*) HTTP/1\.[01]")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def check_head(head: bytes) -> None:
    """Refuses heads that two parsers could read differently (RFC 9112 5.1, 5.2, 6.3; RFC 9110 7.2)."""
    lines = head.split(b"\r\n")
    if not _REQUEST.fullmatch(lines[0]):
        raise ValueError("the request line is not METHOD /path HTTP/1.1")
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
            if not value.strip(b" \t").isdigit() or len(value) > 20:
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

    __slots__ = ("_stream", "received")

    def __init__(self, **named: Any) -> None:
        self.received = 0  # bytes of the body that are counted as the peer's
        head = named.get("head")
        try:
            if head:  # Sanic makes one without a head to answer what it could not read
                check_head(head)
        except ValueError as fault:
            raise BadRequest(f"The request is malformed: {fault}.") from None
        try:
            super().__init__(**named)
        except Exception:  # an address that is none, when what is wrong with it is to be answered
            super().__init__(**{**named, "url_bytes": b"/"})

    @property
    def args(self) -> Args:
        return query_args(self.query_string)

    async def receive_body(self) -> None:
        """Raises SERVER_BUSY where too many bodies are on their way."""
        if self.body:
            return
        parts = []
        async for data in self.stream:
            self.app.ctx.burden.take(self.ip, len(data))
            self.received += len(data)
            parts.append(data)
        self.body = b"".join(parts)

    @property
    def stream(self) -> Any:
        return self._stream

    @stream.setter
    def stream(self, stream: Any) -> None:
        self._stream = stream
        if stream is not None and "transfer-encoding" in self.headers:
            stream.keep_alive = False
