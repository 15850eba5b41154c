"""Paths to pages: which record a path names, and what of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import orjson

from ocean.context import Caller, Ocean
from ocean.core import site
from ocean.core.access import ACCESS_KEY, Rules, decide, private_owner
from ocean.core.drop import REMOVED, UNPUBLISHED, Drop, read_time
from ocean.core.media import is_text, type_of
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import gated
from ocean.services.files.blobs import Reference, reference_in
from ocean.services.pages.listing import Listing, listing
from ocean.store.reader import now

HIDDEN = frozenset({ACCESS_KEY, "_config", "_headers", "_redirects", "_deploy"})
NOT_FOUND_PAGE = "404.html"


@dataclass(frozen=True, slots=True)
class Page:
    """What a path shows: a body, a file, a listing, or a way on.

    `public`: anyone may see it, so a cache may keep it. `counted`: it shows what may change without a drop in its folders,
    such as counters, or folders beneath.
    """

    status: int
    content_type: str = "text/html; charset=utf-8"
    body: bytes = b""
    file: Reference | None = None
    listing: Listing | None = None
    location: str | None = None
    public: bool = True
    counted: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    until: int | None = None  # when it expires, milliseconds


@dataclass(slots=True)
class _Visit:
    """One look at a site: who looks, at which place of the log, and what was met on the way."""

    ocean: Ocean
    caller: Caller
    position: int | None
    refusal: OceanError | None = None
    gone: bool = False
    withdrawn: bool = False  # a page was here and was unpublished: its folder is not listed in its place
    public: bool = True


async def resolve(ocean: Ocean, caller: Caller, segments: list[str], slash: bool, at: str | None = None) -> Page:
    """The page of a path, given as decoded segments. Raises NOT_FOUND, GONE, FORBIDDEN, KEY_REQUIRED."""
    position = await ocean.reader.position_at(read_time(at)) if at else None
    visit = _Visit(ocean, caller, position)
    page = await _page(visit, segments, slash, rewrites=0)
    return page if visit.public else replace(page, public=False)


async def _page(visit: _Visit, segments: list[str], slash: bool, rewrites: int) -> Page:
    way = await _way_on(visit, segments, slash, forced=True)
    page = None if way else await _found(visit, segments, slash)
    if page is None:
        way = way or await _way_on(visit, segments, slash, forced=False)
        if way is not None:
            return await _follow(visit, way, rewrites)
        page = await _folder(visit, segments, slash) or await _missing(visit, segments, 404)
    if page is not None:
        return replace(page, headers={**page.headers, **await _headers(visit, segments, slash)})
    if visit.refusal is not None:
        raise visit.refusal
    path = "/".join(segments)
    if visit.gone:
        raise OceanError("GONE", f"The page at /{path} is gone for good.")
    raise OceanError("NOT_FOUND", f"There is no page at /{path}.")


async def _found(visit: _Visit, segments: list[str], slash: bool) -> Page | None:
    """The deepest folder that has the key wins; a folder's page is its index, then index.html."""
    for split in range(len(segments), 0, -1):
        rest = "/".join(segments[split:])
        if slash:
            names = [f"{rest}/{n}" if rest else n for n in ("index", "index.html")]
        elif rest:
            names = [rest, rest + ".html"]
        else:
            continue
        for name in names:
            drop = await _record(visit, segments[:split], name)
            if drop is not None:
                return _shown(drop, await _config_headers(visit, drop.route))
    return None


async def _record(visit: _Visit, folder: list[str], key: str) -> Drop | None:
    """The record a page is made of, if it is there and may be seen. Raises where it is there and may not."""
    last = key.rsplit("/", 1)[-1]
    if last in HIDDEN:
        return None
    found = await _look(visit, folder, key)
    if found is None:
        return None
    drop, owner, rules = found
    refusal = _authorise(visit, "/".join(folder), drop is not None and owner == visit.caller.key, rules)
    if drop is None:
        visit.refusal = visit.refusal or refusal
        return None
    if refusal is not None:
        raise refusal
    if gated(visit.caller, drop):
        raise OceanError("FORBIDDEN", "This page has a price.", "Its writer sees it with ?_key=.", status=402)
    visit.public = visit.public and drop.price is None
    return drop


async def _look(visit: _Visit, folder: list[str], key: str) -> tuple[Drop | None, str | None, Rules] | None:
    """The drop that a path would show, or None in its place; None alone for what can't be a record's name."""
    try:
        route, key = check_route("/".join(folder)), check_key(key)
    except OceanError:
        return None
    reader = visit.ocean.reader
    drop, owner, rules = await reader.look(route, key)
    if visit.position is not None:
        drop = await reader.entity_at(route, key, visit.position)
    elif drop is not None and drop.kind == REMOVED:
        drop = await reader.last_live(route, key)
    if drop is not None and not drop.live(now()):
        visit.gone = visit.gone or drop.kind not in (REMOVED, UNPUBLISHED)
        visit.withdrawn = visit.withdrawn or drop.kind == UNPUBLISHED
        drop = None
    return drop, owner, rules


def _authorise(visit: _Visit, route: str, own: bool, rules: Rules) -> OceanError | None:
    """Why the caller may not see it, or None; notes whether anyone else could."""
    caller = visit.caller
    try:
        if decide(route, None, "entity", rules) == "allow":
            return None
        verdict = decide(route, caller.key, "entity", rules)
    except OceanError as fault:
        return fault
    visit.public = False
    if verdict == "allow" or (verdict == "own" and own and caller.key is not None):
        return None
    if caller.key is None or private_owner(route):
        return OceanError("KEY_REQUIRED", "This page is private.", "Add ?_key= and your key.", status=401)
    return OceanError("FORBIDDEN", "This key may not see this page.")


def _shown(drop: Drop, headers: dict[str, str]) -> Page:
    assert drop.key is not None
    assert drop.payload is not None
    value: Any = orjson.loads(drop.payload)
    named = type_of(drop.key)
    if isinstance(value, str):
        body, content_type = value.encode(), named or "text/html"
    else:
        file = reference_in(value)
        if file is not None:
            return Page(200, named or file.type, file=file, headers=headers, until=drop.expires_at)
        body, content_type = drop.body().encode(), named or "application/json"
    if is_text(content_type):
        content_type += "; charset=utf-8"
    return Page(200, content_type, body, headers=headers, until=drop.expires_at, counted=not isinstance(value, str))


async def _config_headers(visit: _Visit, route: str) -> dict[str, str]:
    """The csp of the nearest `_config` up the path."""
    folders = route.split("/")
    for depth in range(len(folders), 0, -1):
        config = await visit.ocean.reader.entity("/".join(folders[:depth]), "_config")
        if config is not None and config.live(now()):
            value = orjson.loads(config.body())
            csp = value.get("csp") if isinstance(value, dict) else None
            if isinstance(csp, str) and csp.isprintable() and csp.isascii():
                return {"content-security-policy": csp}
    return {}


async def _rules_text(visit: _Visit, segments: list[str], key: str) -> tuple[list[str], str] | None:
    """`(folder, text)` of the nearest record of a site's own rules, up the path."""
    for depth in range(len(segments), 0, -1):
        found = await _look(visit, segments[:depth], key)
        if found is not None and found[0] is not None:
            value = orjson.loads(found[0].payload or "null")
            if isinstance(value, str):
                return segments[:depth], value
    return None


def _beneath(segments: list[str], folder: list[str], slash: bool) -> str:
    """The path as the site's own rules see it."""
    rest = segments[len(folder) :]
    return "/" + "/".join(rest) + ("/" if slash and rest else "")


async def _way_on(visit: _Visit, segments: list[str], slash: bool, *, forced: bool) -> tuple[list[str], str, int] | None:
    """`(site's folder, target, status)` by the nearest `_redirects`."""
    text = await _rules_text(visit, segments, "_redirects")
    if text is None:
        return None
    folder, rules = text
    target = site.redirect(site.redirects(rules), _beneath(segments, folder, slash), forced)
    return (folder, *target) if target else None


async def _follow(visit: _Visit, way: tuple[list[str], str, int], rewrites: int) -> Page:
    folder, target, status = way
    inside = target.startswith("/")
    if status in (200, 404, 410):
        if not inside or rewrites >= 3:
            raise OceanError("NOT_FOUND", "The site's _redirects lead nowhere.", "A rewrite stays inside the site, and does not go round.")
        path = target.split("?", 1)[0].removeprefix("/")
        page = await _page(visit, [*folder, *filter(None, path.split("/"))], path.endswith("/") or not path, rewrites + 1)
        return replace(page, status=status if page.status == 200 else page.status)
    location = "/" + "/".join(map(quote, folder)) + target if inside else target
    return Page(status, "text/plain", location=location)


async def _headers(visit: _Visit, segments: list[str], slash: bool) -> dict[str, str]:
    text = await _rules_text(visit, segments, "_headers")
    if text is None:
        return {}
    folder, rules = text
    return site.headers_for(site.headers(rules), _beneath(segments, folder, slash))


async def _folder(visit: _Visit, segments: list[str], slash: bool) -> Page | None:
    """The way to a folder's page, or the list of what it holds."""
    if not slash and await _found(visit, segments, True) is not None:
        return Page(301, "text/plain", location=quote(segments[-1]) + "/")
    try:
        route = check_route("/".join(segments))
    except OceanError:
        return None
    if visit.position is not None or visit.withdrawn:
        return None
    refusal = _authorise(visit, route, False, await visit.ocean.reader.rules(route))
    if refusal is not None:
        visit.refusal = visit.refusal or refusal
        return None
    listed = await listing(visit.ocean, visit.caller, route, HIDDEN)
    if listed is None:
        return None
    return Page(200, listing=listed, counted=True) if slash else Page(301, "text/plain", location=quote(segments[-1]) + "/", counted=True)


async def _missing(visit: _Visit, segments: list[str], status: int) -> Page | None:
    """The nearest 404.html up the path, where nothing is kept back."""
    if visit.refusal is not None or visit.gone:
        return None
    for depth in range(len(segments), 0, -1):
        drop = await _record(visit, segments[:depth], NOT_FOUND_PAGE)
        if drop is not None:
            return replace(_shown(drop, await _config_headers(visit, drop.route)), status=status)
    return None
