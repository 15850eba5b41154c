"""Paths to pages: which record a path names, and what of it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from ocean.context import Caller, Ocean
from ocean.core import access, site
from ocean.core.access import ACCESS_KEY, Rules
from ocean.core.drop import REMOVED, UNPUBLISHED, Drop, read_time
from ocean.core.files import Reference, reference_in
from ocean.core.media import is_text, type_of
from ocean.core.payloads import loads
from ocean.core.routes import check_route, covers
from ocean.errors import OceanError
from ocean.services.access.reading import gated
from ocean.services.pages.listing import Listing, listing
from ocean.store.reader import now

HIDDEN = frozenset({ACCESS_KEY, "_config", "_headers", "_redirects", "_deploy"})
NOT_FOUND_PAGE = "404.html"
SETTINGS = ("_config", "_headers", "_redirects", NOT_FOUND_PAGE)
MAX_SEGMENTS = 64  # of a path: a route's and a key's together


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
    depends: frozenset[str] = frozenset()  # the folders a drop in which may change it


@dataclass(slots=True)
class _Visit:
    """One look at a site: who looks, at which place of the log, and what was met on the way."""

    ocean: Ocean
    caller: Caller
    position: int | None
    gone: bool = False
    withdrawn: bool = False  # a page was here and was unpublished: its folder is not listed in its place
    public: bool = True
    until: int | None = None  # when the first of all that was met expires
    depends: set[str] = field(default_factory=set)

    def meet(self, drop: Drop) -> None:
        if drop.expires_at is not None:
            self.until = min(drop.expires_at, self.until or drop.expires_at)


@dataclass(slots=True)
class _Path:
    """A path with what lies on its way: the folders whose pages and settings may stand at it, the deepest first.

    A folder counts only if it belongs to whoever owns the deepest one: what lies above another's folder has no say in it.
    """

    segments: list[str]
    slash: bool
    route: str | None  # the whole path as a folder's route, if it can be one
    rules: Rules
    folders: list[str]
    there: set[tuple[str, str]]  # records that exist, of all that the path may need

    def beneath(self, folder: str) -> str:
        """The path as the settings of `folder` see it."""
        rest = self.segments[folder.count("/") + 1 :]
        return "/" + "/".join(rest) + ("/" if self.slash and rest else "")


async def resolve(ocean: Ocean, caller: Caller, segments: list[str], slash: bool, at: str | None = None) -> Page:
    """The page of a path, given as decoded segments. Raises NOT_FOUND, GONE, FORBIDDEN, KEY_REQUIRED."""
    if len(segments) > MAX_SEGMENTS:
        raise OceanError("NOT_FOUND", "There is no page at this address: it is too long.")
    position = await ocean.reader.position_at(read_time(at)) if at else None
    visit = _Visit(ocean, caller, position)
    page = await _page(visit, segments, slash, rewrites=0)
    return replace(page, public=page.public and visit.public, until=visit.until, depends=frozenset(visit.depends))


async def _look_along(visit: _Visit, segments: list[str], slash: bool) -> _Path:
    folders: list[str] = []
    for depth in range(1, len(segments) + 1):
        try:
            given = "/".join(segments[:depth])
            folder = check_route(given)
        except OceanError:
            break
        if folder != given:  # it names a folder by a secret: an address is shown, kept and sent on
            break
        folders.append(folder)
    if not folders:
        raise OceanError("NOT_FOUND", "There is no page at this address.")
    visit.depends.update(folders)
    rules = await visit.ocean.reader.rules(folders[-1])
    owners = access.owners(folders, rules)
    ours = [folder for folder, owner in zip(folders, owners, strict=True) if owner == owners[-1]][::-1]
    pairs = [(folder, key) for folder in ours for key in (*SETTINGS, *_names(segments, folder, False), *_names(segments, folder, True))]
    there = await visit.ocean.reader.existing(pairs)
    return _Path(segments, slash, folders[-1] if len(folders) == len(segments) else None, rules, ours, there)


def _names(segments: list[str], folder: str, slash: bool) -> list[str]:
    """The keys in `folder` that the path may mean."""
    rest = "/".join(segments[folder.count("/") + 1 :])
    if slash:
        return [f"{rest}/{name}" if rest else name for name in ("index", "index.html")]
    return [rest, rest + ".html"] if rest else []


async def _page(visit: _Visit, segments: list[str], slash: bool, rewrites: int) -> Page:
    path = await _look_along(visit, segments, slash)
    way = await _way_on(visit, path, forced=True)
    page = None if way else await _found(visit, path, slash)
    if page is None:
        refusal = _refusal(visit, path)
        way = way or (await _way_on(visit, path, forced=False) if refusal is None else None)
        if way is not None:
            return await _follow(visit, way, rewrites)
        if refusal is not None:
            raise refusal
        page = await _folder(visit, path) or await _missing(visit, path)
    if page is not None:
        return replace(page, headers={**page.headers, **await _headers(visit, path)})
    if visit.gone:
        raise OceanError("GONE", f"The page at /{'/'.join(segments)} is gone for good.")
    raise OceanError("NOT_FOUND", f"There is no page at /{'/'.join(segments)}.")


async def _found(visit: _Visit, path: _Path, slash: bool) -> Page | None:
    """The deepest folder that has the key wins; a folder's page is its index, then index.html."""
    for folder in path.folders:
        for name in _names(path.segments, folder, slash):
            if (folder, name) in path.there and name.rsplit("/", 1)[-1] not in HIDDEN:
                drop = await _record(visit, folder, name)
                if drop is not None:
                    return _shown(drop, await _config_headers(visit, path, folder))
    return None


async def _record(visit: _Visit, route: str, key: str) -> Drop | None:
    """The record a page is made of: as it is, as it was, or as it last was before it was removed. Raises for who may not see it."""
    reader = visit.ocean.reader
    drop, owner, rules = await reader.look(route, key)
    if visit.position is not None:
        drop = await reader.entity_at(route, key, visit.position)
    elif drop is not None and drop.kind == REMOVED:
        drop = await reader.last_live(route, key)
    refusal = _authorise(visit, route, owner == visit.caller.key, rules)
    if drop is None or not drop.live(now()):
        if drop is not None and refusal is None:
            visit.gone = visit.gone or drop.kind not in (REMOVED, UNPUBLISHED)
            visit.withdrawn = visit.withdrawn or drop.kind == UNPUBLISHED
        return None
    if refusal is not None:
        raise refusal
    if gated(visit.caller, drop):
        raise OceanError("FORBIDDEN", "This page has a price.", "Its writer sees it with ?_key=.", status=402)
    visit.public = visit.public and drop.price is None
    visit.meet(drop)
    return drop


def _refusal(visit: _Visit, path: _Path) -> OceanError | None:
    """Why the caller is told nothing of a path where nothing was found for it."""
    return _authorise(visit, path.folders[0], False, path.rules)


def _authorise(visit: _Visit, route: str, own: bool, rules: Rules) -> OceanError | None:
    """Why the caller may not see it, or None; notes whether anyone else could."""
    caller = visit.caller
    try:
        if access.decide(route, None, "entity", rules) == "allow":
            return None
        verdict = access.decide(route, caller.key, "entity", rules)
    except OceanError as fault:
        return fault
    visit.public = False
    if verdict == "allow" or (verdict == "own" and own and caller.key is not None):
        return None
    if caller.key is None or access.private_owner(route):
        return OceanError("KEY_REQUIRED", "This page is private.", "Add ?_key= and your key.", status=401)
    return OceanError("FORBIDDEN", "This key may not see this page.")


async def _setting(visit: _Visit, path: _Path, folder: str, key: str) -> Any:
    """What a record of a site's own settings says, to who may read it; one that a mere guest of the folder wrote says nothing."""
    if (folder, key) not in path.there:
        return None
    found = await visit.ocean.reader.look(folder, key)
    drop = found.drop
    if visit.position is not None:
        drop = await visit.ocean.reader.entity_at(folder, key, visit.position)
    if drop is None or not drop.live(now()) or access.decide(folder, drop.source, "drop", found.rules) != "allow":
        return None
    if _authorise(visit, folder, found.owner == visit.caller.key, found.rules) is not None or gated(visit.caller, drop):
        return None
    visit.meet(drop)
    return loads(drop.body())


def _shown(drop: Drop, headers: dict[str, str]) -> Page:
    assert drop.key is not None
    assert drop.payload is not None
    value: Any = loads(drop.payload)
    named = type_of(drop.key)
    if isinstance(value, str):
        body, content_type = value.encode(), named or "text/html"
    else:
        file = reference_in(value)
        if file is not None:
            return Page(200, named or file.type, file=file, headers=headers)
        body, content_type = drop.body().encode(), named or "application/json"
    if is_text(content_type):
        content_type += "; charset=utf-8"
    return Page(200, content_type, body, headers=headers, counted=not isinstance(value, str))


async def _config_headers(visit: _Visit, path: _Path, folder: str) -> dict[str, str]:
    """The csp of the nearest `_config` up the path, from the page's folder on."""
    for above in path.folders:
        if covers(above, folder):
            value = await _setting(visit, path, above, "_config")
            csp = value.get("csp") if isinstance(value, dict) else None
            if isinstance(csp, str) and csp.isprintable() and csp.isascii():
                return {"content-security-policy": csp}
    return {}


async def _nearest(visit: _Visit, path: _Path, key: str) -> tuple[str, str] | None:
    """`(folder, text)` of the nearest record of a site's own rules."""
    for folder in path.folders:
        value = await _setting(visit, path, folder, key)
        if isinstance(value, str):
            return folder, value
    return None


async def _way_on(visit: _Visit, path: _Path, *, forced: bool) -> tuple[str, str, int] | None:
    """`(site's folder, target, status)` by the nearest `_redirects`."""
    text = await _nearest(visit, path, "_redirects")
    if text is None:
        return None
    folder, rules = text
    target = site.redirect(site.redirects(rules), path.beneath(folder), forced)
    return (folder, *target) if target else None


async def _follow(visit: _Visit, way: tuple[str, str, int], rewrites: int) -> Page:
    folder, target, status = way
    inside = target.startswith("/")
    if status in (200, 404, 410):
        if not inside or rewrites >= 3:
            raise OceanError("NOT_FOUND", "The site's _redirects lead nowhere.", "A rewrite stays inside the site, and does not go round.")
        rest = target.split("?", 1)[0].removeprefix("/")
        segments = [*folder.split("/"), *filter(None, rest.split("/"))]
        page = await _page(visit, segments[: MAX_SEGMENTS + 1], rest.endswith("/") or not rest, rewrites + 1)
        return replace(page, status=status if page.status == 200 else page.status)
    location = "/" + "/".join(map(quote, folder.split("/"))) + target if inside else target
    return Page(status, "text/plain", location=location)


async def _headers(visit: _Visit, path: _Path) -> dict[str, str]:
    text = await _nearest(visit, path, "_headers")
    if text is None:
        return {}
    folder, rules = text
    return site.headers_for(site.headers(rules), path.beneath(folder))


async def _folder(visit: _Visit, path: _Path) -> Page | None:
    """The way to a folder's page, or the list of what it holds."""
    last = quote(path.segments[-1]) + "/"
    if not path.slash and await _found(visit, path, True) is not None:
        return Page(301, "text/plain", location=last)
    if path.slash and len(path.segments) > 1 and await _found(visit, path, False) is not None:
        return Page(301, "text/plain", location="../" + quote(path.segments[-1]))
    if path.route is None or visit.position is not None or visit.withdrawn:
        return None
    listed = await listing(visit.ocean, visit.caller, path.route, HIDDEN)
    if listed is None:
        return None
    return Page(200, listing=listed, counted=True) if path.slash else Page(301, "text/plain", location=last, counted=True)


async def _missing(visit: _Visit, path: _Path) -> Page | None:
    """The nearest 404.html up the path."""
    if visit.gone:
        return None
    for folder in path.folders:
        if await _setting(visit, path, folder, NOT_FOUND_PAGE) is not None:
            drop = await _record(visit, folder, NOT_FOUND_PAGE)
            if drop is not None:
                return replace(_shown(drop, await _config_headers(visit, path, folder)), status=404)
    return None
