"""Files of our own that are served as they are: the client, the service worker, the page of the API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sanic import HTTPResponse, Request, Sanic

THEMES = Path(__file__).parents[2] / "themes"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ts": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_FRESH = "public, max-age=300, must-revalidate"


class Asset(NamedTuple):
    """A file beneath themes/, and headers of its own; `check` raises where it is not for whoever asks."""

    file: str
    headers: Mapping[str, str] = {}
    check: Callable[[Request], None] | None = None


def mount(server: Sanic[Any, Any], assets: Mapping[str, Asset]) -> None:
    """`assets` by the path that each is served at."""
    for path, asset in assets.items():
        server.add_route(handler(asset), path, methods=["GET", "HEAD"], name=f"asset_{path.strip('/').replace('.', '_').replace('-', '_')}")


def handler(asset: Asset) -> Any:
    """What answers a request with a file."""
    body = (THEMES / asset.file).read_bytes()
    kind = _TYPES[Path(asset.file).suffix]
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": _FRESH, "x-content-type-options": "nosniff", **asset.headers}

    async def handle(request: Request) -> HTTPResponse:
        if asset.check is not None:
            asset.check(request)
        if request.headers.get("if-none-match") == tag:
            return HTTPResponse(b"", 304, headers)
        return HTTPResponse(body, 200, headers, kind)

    return handle
