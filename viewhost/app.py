"""The view host's one handler: path -> cache, kept true by the log -> page."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import brotli
import zstandard
from jinja2 import Environment, FileSystemLoader, select_autoescape
from sanic import HTTPResponse, Request, Sanic

from ocean import http
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.pages.pages import Page, resolve

HEADERS = {
    "cache-control": "public, no-cache",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
}
CACHE_BYTES = 64 * 1024 * 1024
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda b: brotli.compress(b, quality=5),
    "zstd": lambda b: zstandard.compress(b, 6),
    "gzip": gzip.compress,
}
_THEMES = Environment(loader=FileSystemLoader(Path(__file__).parent.parent / "themes"), autoescape=select_autoescape(default=True))


class Kept:
    """A page ready to send: its ETag, and each compressed form once it was asked for."""

    __slots__ = ("bodies", "etag", "headers", "page")

    def __init__(self, page: Page) -> None:
        self.page = page
        self.etag = hashlib.sha256(page.body).hexdigest()[:32]
        self.bodies: dict[str, bytes] = {"": page.body}
        self.headers = {**HEADERS, "vary": "accept-encoding"}
        if page.csp:
            self.headers["content-security-policy"] = page.csp
        if not page.public:
            self.headers["cache-control"] = "private, no-store"

    def encoded(self, accepted: str) -> tuple[str, bytes]:
        if "charset" in self.page.content_type and len(self.page.body) > 256 and accepted:
            offered = {part.split(";")[0].strip() for part in accepted.split(",") if not part.replace(" ", "").endswith("q=0")}
            for name, encode in _ENCODERS.items():
                if name in offered:
                    if name not in self.bodies:
                        self.bodies[name] = encode(self.page.body)
                    return name, self.bodies[name]
        return "", self.page.body


class Cache:
    """Public pages by path, all dropped when the log has moved; one look at the head on every request."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._revision = -1
        self._bytes = 0

    def get(self, ocean: Ocean, path: str) -> Kept | None:
        _, revision = ocean.reader.head()
        if revision != self._revision:
            self._kept.clear()
            self._bytes, self._revision = 0, revision
        kept = self._kept.get(path)
        if kept is not None and kept.page.until is not None and kept.page.until <= time.time() * 1000:
            return None
        return kept

    def put(self, path: str, kept: Kept) -> None:
        if self._bytes + len(kept.page.body) > CACHE_BYTES:
            self._kept.clear()
            self._bytes = 0
        self._kept[path] = kept
        self._bytes += len(kept.page.body)


def create(data: Path, settings: dict[str, str]) -> Sanic[Any, Any]:
    server = http.app("ocean-view", data, max_size=1024 * 1024)
    server.ctx.settings = settings
    cache = Cache()
    named = urlsplit(settings["OCEAN_VIEW_URL"]).hostname

    @server.exception(Exception)
    async def error(request: Request, fault: Exception) -> HTTPResponse:
        answer = http.as_ocean_error(fault)
        body = _THEMES.get_template("errors/error.html").render(status=answer.status, message=answer.message, hint=answer.hint)
        headers = {**HEADERS, "cache-control": "no-store"}
        return HTTPResponse(body, answer.status, headers, "text/html; charset=utf-8")

    @server.route("/<path:path>", methods=["GET", "HEAD"])
    async def page(request: Request, path: str) -> HTTPResponse:
        _check_host(request, named)
        ocean = request.app.ctx.ocean
        path = request.path
        if not request.query_string:
            kept = cache.get(ocean, path)
            if kept is None:
                kept = Kept(_resolve(request, ocean, path))
                if kept.page.public:
                    cache.put(path, kept)
        else:
            kept = Kept(_resolve(request, ocean, path))
        return _respond(request, kept)

    return server


def _check_host(request: Request, named: str | None) -> None:
    """Registered names only: the view address, loopback, or a bare address."""
    host = (urlsplit(f"//{request.headers.get('host', '')}").hostname or "").lower()
    if host in ("localhost", "127.0.0.1", "::1", named) or host.replace(".", "").isdigit() or ":" in host:
        return
    raise OceanError("NOT_FOUND", f"No site is served for {host[:100]!r}.", "Set OCEAN_VIEW_URL to this address.", status=421)


def _resolve(request: Request, ocean: Ocean, path: str) -> Page:
    secret = request.args.get("_key")
    caller = Caller(keys.public_of(secret) if secret else None)
    raw = path.removeprefix("/").removesuffix("/").split("/")
    try:
        segments = [unquote(s, errors="strict") for s in raw]
    except UnicodeDecodeError:
        raise OceanError("NOT_FOUND", "The address is not UTF-8.") from None
    if not segments[0] or any("/" in s for s in segments):
        raise OceanError("NOT_FOUND", "There is no page at this address.")
    return resolve(ocean, caller, segments, path.endswith("/"), request.args.get("at"))


def _respond(request: Request, kept: Kept) -> HTTPResponse:
    page = kept.page
    if page.location is not None:
        query = f"?{request.query_string}" if request.query_string else ""
        location = request.path.rsplit("/", 1)[-1] + "/" + query
        return HTTPResponse(b"", 301, {**HEADERS, "location": "./" + location}, "text/plain")
    encoding, body = kept.encoded(request.headers.get("accept-encoding", ""))
    etag = f'"{kept.etag}-{encoding}"' if encoding else f'"{kept.etag}"'
    headers = {**kept.headers, "etag": etag}
    wanted = request.headers.get("if-none-match")
    if wanted and page.status == 200 and (wanted == "*" or kept.etag in wanted):
        return HTTPResponse(b"", 304, headers)
    if encoding:
        headers["content-encoding"] = encoding
    return HTTPResponse(body, page.status, headers, page.content_type)
