"""Answers: whole ones as bytes, errors in their one shape."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Any

from sanic import HTTPResponse
from sanic.exceptions import SanicException

from ocean.core.payloads import dump
from ocean.errors import OceanError

_MALFORMED = "The request is malformed."
NOTHING_HERE = "There is nothing at this address."
_SENTENCES = {
    404: NOTHING_HERE,
    405: "This address is known, but not with this method.",
    408: "The request did not come in time.",
    413: "The request is over the limit.",
    503: "The server is at capacity.",
}
log = logging.getLogger("ocean.http")
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
_STATUS_CODES = {
    400: "BAD_REQUEST",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "BAD_REQUEST",
    413: "PAYLOAD_TOO_LARGE",
    503: "SERVER_BUSY",
}
_JSON = b"content-type: application/json\r\n"
_OPEN_JSON = _JSON + b"access-control-allow-origin: *\r\n"  # never with credentials: the key travels in its own header


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


def answer_bytes(answer: Answer, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """The answer as it goes over the wire."""
    body = answer.body or b""
    kept = b"keep-alive" if keep_alive else b"close"
    return b"HTTP/1.1 %d %b\r\n%bcontent-length: %d\r\nconnection: %b\r\n\r\n%b" % (
        answer.status, _REASONS[answer.status], answer.head, len(body), kept, b"" if head_only else body,
    )  # fmt: skip


def json_(value: Any, status: int = 200, *, any_origin: bool = False) -> Answer:
    """A JSON answer; the API's are for pages of any origin."""
    return Answer(_OPEN_JSON if any_origin else _JSON, dump(value), status)


def as_ocean_error(fault: Exception) -> OceanError:
    """Any exception as an answer; only what is not known becomes INTERNAL_ERROR, with an id that the log has too."""
    if isinstance(fault, OceanError):
        return fault
    if (isinstance(fault, SanicException) and fault.status_code < 500) or getattr(fault, "status_code", 500) == 503:
        status = getattr(fault, "status_code", 400)
        return OceanError(_STATUS_CODES.get(status, "BAD_REQUEST"), _SENTENCES.get(status, _MALFORMED), status=status)
    request_id = secrets.token_hex(8)
    log.error("request %s failed", request_id, exc_info=fault)
    return OceanError("INTERNAL_ERROR", "The server failed.", f"The log has it as request {request_id}.", request_id=request_id)
