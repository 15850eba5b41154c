"""The view host: Host and path -> what is kept, or the page made anew -> type, headers, form."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

from sanic import HTTPResponse, Request, Sanic
from sanic.response import ResponseStream

from ocean.context import Caller
from ocean.core.addresses import Origin, path_of
from ocean.core.patterns import MODES
from ocean.core.routes import ancestors
from ocean.errors import OceanError
from ocean.followers import domains as domains_
from ocean.http import assets
from ocean.http.answers import as_ocean_error
from ocean.http.app import PROBES, app, follow
from ocean.http.clients import client_ip
from ocean.http.ranges import send_file
from ocean.services.access.identity import key_of
from ocean.services.data.embeds import keep_counting
from ocean.services.pages import tickets
from ocean.services.pages.deploys import DEPLOY_KEY
from ocean.services.pages.drawn import Page
from ocean.services.pages.hosting import Hosting
from ocean.services.pages.pages import resolve
from ocean.services.pages.visit import MAX_PAGE, MAX_SEGMENTS, PLAINLY, Wanted
from ocean.store.sqlite import SqliteEngine
from viewhost import secure, themes
from viewhost.cache import HEADERS, Cache, Kept
from viewhost.hosts import Hosts, kept_as, leads
from viewhost.ready import Ready
from viewhost.visits import Visits, asked

KEPT = (200, 301, 302, 303, 307, 308)  # what is at no address is made anew each time: there is no end of addresses
LARGE = 64 * 1024  # bytes: what is more is compressed in a thread


def create(settings: dict[str, str]) -> Sanic[Any, Any]:
    server = app("ocean-view", settings, max_size=1024 * 1024, probed=False)

    @server.before_server_start
    async def fill(server: Sanic[Any, Any]) -> None:
        ocean = server.ctx.ocean
        server.ctx.cache = Cache(ocean)
        hosting = Hosting(ocean)
        await hosting.follow()
        server.ctx.visits = Visits()
        hosts = server.ctx.hosts = Hosts(settings, hosting)
        if isinstance(ocean.engine, SqliteEngine):  # the one engine that can be asked without waiting
            server.ctx.ready = Ready(ocean.engine, server.ctx.cache, hosts, server.ctx.visits, secure.lines(settings))

    @server.exception(Exception)
    async def error(request: Request, fault: Exception) -> HTTPResponse:
        answer = as_ocean_error(fault)
        body = themes.error(answer.status, answer.message, answer.hint, answer.details)
        headers = {**HEADERS, "cache-control": "no-store"}
        return HTTPResponse(body, answer.status, headers, "text/html; charset=utf-8")

    follow(server, keep_counting)
    follow(server, domains_.run)
    secure.mount(server)
    themes.mount(server)
    assets.mount(server, {"/ocean-sw.js": assets.Asset("client/ocean-sw.js", {"service-worker-allowed": "/"}, _check_worker)})

    @server.route("/<path:path>", methods=["GET", "HEAD"], ignore_body=True)
    async def page(request: Request, path: str) -> Any:
        hosts: Hosts = request.app.ctx.hosts
        host, server_name = request.headers.get("host", ""), _server_name(request)
        origin = await hosts.check(host, server_name)
        if request.path in PROBES and hosts.tells(host, request.path, request.ip or ""):
            return await PROBES[request.path](request)
        _check_worker(request)
        moved = hosts.moved(host, server_name)
        elsewhere = moved + request.path if moved is not None else leads(origin, request.path)
        if elsewhere is not None:
            query = f"?{request.query_string}" if request.query_string else ""
            return HTTPResponse(b"", 308, {**HEADERS, "location": elsewhere + query}, "text/plain")
        for name, values in request.args.items():
            if name in ("_key", "at") and len(values) > 1:
                raise OceanError("INVALID_VALUE", f"The parameter {name!r} is given twice.")
        if (secret := request.args.get("_ticket")) is not None:
            return await _let_in(request, origin, secret)
        kept = await _visited(request, origin)
        return await _respond(request, kept)

    return server


def _check_worker(request: Request) -> None:
    """On a name that many sites share, a worker of one would stand before all of them. Raises FORBIDDEN."""
    if request.headers.get("service-worker") and request.app.ctx.hosts.is_shared(request.headers.get("host", "")):
        hint = "Give the site an origin of its own: a domain, or OCEAN_ORIGINS."
        raise OceanError("FORBIDDEN", "There are no service workers on an address that sites share.", hint)


async def _let_in(request: Request, origin: Origin, secret: str) -> HTTPResponse | ResponseStream:
    """A ticket's page, shown once. Who only looks whether there is something (HEAD) does not use it up."""
    if request.method == "HEAD":
        return HTTPResponse(b"", 200, {**HEADERS, "cache-control": "no-store"}, "text/html; charset=utf-8")
    segments, slash = _segments(request.path, origin)
    who = await tickets.redeem(request.app.ctx.ocean, secret, _canonical(segments, slash))
    if who is None:
        await _offered(request, origin)
        raise OceanError("FORBIDDEN", "This ticket was used, is over, or is for another page.", "Ask for another: ticket ROUTE @KEY.")
    return await _respond(request, await _kept(request, origin, who=who))


async def _offered(request: Request, origin: Origin) -> None:
    """Raises what says where a page is bought, or read again, where it has a price."""
    try:
        await _kept(request, origin)
    except OceanError as fault:
        if "buy" in fault.details:
            raise


async def _visited(request: Request, origin: Origin) -> Kept:
    """What is asked for: as it is now, or, of a page's parts, as it was when the page was served and a deploy came in between."""
    about = asked(request.path, request.headers)
    if about is None:
        return await _kept(request, origin)
    cache, visits = request.app.ctx.cache, request.app.ctx.visits
    folders = _folders(request.path, origin)
    if about.is_part:
        position = visits.position(request.ip, about)
        behind = position is not None and await request.app.ctx.ocean.reader.deployed(position, folders, DEPLOY_KEY)
        return await _kept(request, origin, position if behind else None)
    await cache.follow()
    position = cache.seq
    kept = await _kept(request, origin)
    if await request.app.ctx.ocean.reader.deployed(position, folders, DEPLOY_KEY):  # while the page was made: it may be of either
        await cache.follow()
        position = cache.seq
        kept = await _kept(request, origin)
    visits.note(request.ip, about, position)
    return kept


def _folders(path: str, origin: Origin) -> list[str]:
    """All that a path may lie in."""
    return list(ancestors("/".join(filter(None, _segments(path, origin)[0]))))


async def _kept(request: Request, origin: Origin, position: int | None = None, who: str | None = None) -> Kept:
    """`position`: as it was there; `who`: as that key sees it."""
    cache: Cache = request.app.ctx.cache
    path = str(kept_as(origin, request.path))
    wanted = _wanted(request)
    name = request.ctx.kept_as = path if wanted == PLAINLY else f"{path}?mode={wanted.mode}&page={wanted.number}"
    secret, moment = request.args.get("_key") or request.headers.get("x-ocean-key"), request.args.get("at")
    asks = secret is not None or who is not None or moment is not None or position is not None
    if not asks:
        for known_as in dict.fromkeys((path, name)):
            kept = await cache.get(known_as)
            if kept is not None and (known_as == name or not kept.page.varies):
                request.ctx.kept_as = known_as
                return kept
    revision = cache.revision
    segments, slash = _segments(request.path, origin)
    caller = Caller(await key_of(request.app.ctx.ocean, secret) if secret else who, client_ip(request))
    found = await resolve(request.app.ctx.ocean, caller, segments, slash, moment or position, wanted, origin)
    body = await asyncio.to_thread(_body, found, origin.address) if found.view is not None else _body(found, origin.address)
    kept = Kept(found, body)
    if who is not None or request.args.get("_key"):  # the address has a key in it, or had a ticket
        kept.headers |= {"referrer-policy": "no-referrer", "cache-control": "private, no-store"}
    if position is not None:
        kept.headers["cache-control"] = "no-store"  # the next visit has what is there then
    if (
        found.public
        and found.status in KEPT
        and not asks
        and found.file is None
        and request.path == _canonical(segments[_depth(origin) :], slash)
    ):
        request.ctx.kept_as = name if found.varies else path
        cache.put(request.ctx.kept_as, kept, revision)
    return kept


def _server_name(request: Request) -> str | None:
    """The name that a connection by TLS was opened for; None in the clear."""
    connection = request.conn_info
    return connection.server_name if connection is not None and connection.ssl else None


def _depth(origin: Origin) -> int:
    """How many segments of a path an origin stands for."""
    return origin.site.count("/") + 1 if origin.site else 0


def _canonical(segments: list[str], slash: bool) -> str:
    """The one spelling of a path that is kept: others are answered, each time anew."""
    return f"/{path_of('/'.join(segments))}{'/' if slash and segments else ''}"


def _segments(path: str, origin: Origin) -> tuple[list[str], bool]:
    if origin.site:
        path = f"/{origin.site}{path}"
    raw = path.removeprefix("/").removesuffix("/").split("/")
    if len(raw) > MAX_SEGMENTS:
        raise OceanError("NOT_FOUND", "There is no page at this address: it is too long.")
    try:
        segments = [unquote(s, errors="strict") for s in raw]
    except UnicodeDecodeError:
        raise OceanError("NOT_FOUND", "The address is not UTF-8.") from None
    if segments == [""]:
        raise OceanError("NOT_FOUND", "The sites here have addresses of their own.", "A record FOLDER @KEY is the page /FOLDER/KEY.")
    if not segments[0] or any("/" in s or "\0" in s for s in segments):
        raise OceanError("NOT_FOUND", "There is no page at this address.")
    return segments, path.endswith("/")


def _wanted(request: Request) -> Wanted:
    """What `?mode=` and `?page=` ask for. What they can't mean to us they may mean to a page's own script."""
    if not request.query_string:
        return PLAINLY
    mode, number = request.args.get("mode", ""), request.args.get("page", "")
    sound = number.isascii() and number.isdigit() and len(number) < 6 and 0 < int(number) <= MAX_PAGE
    return Wanted(mode if mode in MODES else MODES[0], int(number) if sound else 1)


def _body(page: Page, origin: str) -> bytes:
    if page.view is not None:
        return themes.draw(page.view, origin)
    return themes.listing(page.listing) if page.listing is not None else page.body


async def _respond(request: Request, kept: Kept) -> HTTPResponse | ResponseStream:
    page = kept.page
    if page.location is not None:
        query = f"?{request.query_string}" if request.query_string and page.status == 301 else ""
        location = page.location if "/" in page.location.rstrip("/") else "./" + page.location
        return HTTPResponse(b"", page.status, {**kept.headers, "location": location + query}, "text/plain")
    if page.file is not None:
        headers = {k: v for k, v in kept.headers.items() if k != "vary"} | {"etag": f'"{page.file.sha256[:32]}"'}
        return send_file(request, request.app.ctx.ocean.blobs, page.file.key, page.file.size, page.content_type, headers)
    encoding = kept.encoding(request.headers.get("accept-encoding", ""))
    headers = {**kept.headers, "etag": kept.tag(encoding)}
    wanted = request.headers.get("if-none-match")
    if wanted and page.status == 200 and (wanted == "*" or kept.etag in wanted):
        return HTTPResponse(b"", 304, headers)
    if encoding:
        headers["content-encoding"] = encoding
    body = await asyncio.to_thread(kept.form, encoding) if len(kept.body) > LARGE else kept.form(encoding)
    request.app.ctx.cache.weigh(request.ctx.kept_as)
    return HTTPResponse(body, page.status, headers, page.content_type)
