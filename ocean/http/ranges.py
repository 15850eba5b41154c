"""Files as answers: whole, or the one range that was asked for (RFC 9110, 14)."""

from __future__ import annotations

import re
from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import ResponseStream

from ocean.errors import OceanError
from ocean.store.blobs import Blobs

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """`(start, end)`, end exclusive; None where all is wanted, or several ranges. Raises RANGE_NOT_SATISFIABLE."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= size or start >= end:
        raise OceanError("RANGE_NOT_SATISFIABLE", f"The file has {size} bytes.", "Ask for bytes within it.")
    return start, end


def send_file(
    request: Request, blobs: Blobs, name: str, size: int, content_type: str, headers: dict[str, str]
) -> HTTPResponse | ResponseStream:
    """The answer to GET or HEAD for a file whose `headers` (with its ETag) are known."""
    headers = {**headers, "accept-ranges": "bytes"}
    etag = headers.get("etag", "")
    wanted = request.headers.get("if-none-match")
    if wanted and etag and (wanted == "*" or etag in wanted):
        return HTTPResponse(b"", 304, headers)
    asked = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    part = range_of(asked, size)
    start, end = part or (0, size)
    if part is not None:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    headers["content-length"] = str(end - start)
    status = 206 if part is not None else 200
    if request.method == "HEAD" or start == end:
        return HTTPResponse(b"", status, headers, content_type)

    async def send(response: Any) -> None:
        async for piece in blobs.pieces(name, start, end):
            await response.write(piece)

    return ResponseStream(send, status, headers, content_type)
