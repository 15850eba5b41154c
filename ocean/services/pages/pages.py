"""Paths to pages: which record a path names, and what of it is shown."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from ocean.context import Caller, Ocean
from ocean.core import site
from ocean.core.addresses import Origin, address_of_folder
from ocean.core.drop import read_time
from ocean.errors import OceanError
from ocean.services.pages.drawn import CSP, Page, drawn, look_of
from ocean.services.pages.folderpages import FORMS, folder_page, place_of
from ocean.services.pages.listing import listing
from ocean.services.pages.views import MissingView
from ocean.services.pages.visit import (
    HIDDEN,
    MAX_SEGMENTS,
    NOT_FOUND_PAGE,
    PLAINLY,
    PREVIEW,
    SHARED,
    Path,
    Visit,
    Wanted,
    look_along,
    names,
    nearest,
    record,
    refusal_of,
    setting,
)


async def resolve(
    ocean: Ocean,
    caller: Caller,
    segments: list[str],
    slash: bool,
    at: str | int | None = None,
    wanted: Wanted = PLAINLY,
    origin: Origin = SHARED,
) -> Page:
    """The page of a path, given as decoded segments; `at` a time, or a place in the log.

    Raises NOT_FOUND, GONE, FORBIDDEN, KEY_REQUIRED.
    """
    if len(segments) > MAX_SEGMENTS:
        raise OceanError("NOT_FOUND", "There is no page at this address: it is too long.")
    position = await ocean.reader.position_at(read_time(at)) if isinstance(at, str) and at else at or None
    visit = Visit(ocean, caller, position, wanted, origin)
    page = await _page(visit, segments, slash, rewrites=0)
    headers = dict(page.headers)
    if page.sandbox:  # last, whatever the site itself says: several policies hold together
        headers[CSP] = f"{headers[CSP]}, {page.sandbox}" if CSP in headers else page.sandbox
    return replace(page, headers=headers, public=page.public and visit.public, until=visit.until, depends=frozenset(visit.depends))


async def _page(visit: Visit, segments: list[str], slash: bool, rewrites: int) -> Page:
    path = await look_along(visit, segments, slash)
    way = await _way_on(visit, path, forced=True)
    page = None if way else await _found(visit, path, slash)
    if page is None:
        refusal = refusal_of(visit, path)
        way = way or (await _way_on(visit, path, forced=False) if refusal is None else None)
        if way is not None:
            return await _follow(visit, way, rewrites)
        if refusal is not None:
            raise refusal
        page = await _folder(visit, path) or await _generated(visit, path) or await _missing(visit, path)
    if page is not None:
        unlisted = {"x-robots-tag": "noindex"} if PREVIEW in segments else {}
        return replace(page, headers={**page.headers, **await _headers(visit, path), **unlisted})
    here = visit.origin.path("/" + "/".join(segments))
    if visit.gone:
        raise OceanError("GONE", f"The page at {here} is gone for good.")
    raise OceanError("NOT_FOUND", f"There is no page at {here}.")


async def _found(visit: Visit, path: Path, slash: bool) -> Page | None:
    """The deepest folder that has the key wins; a folder's page is its index, then index.html."""
    for folder in path.folders:
        for name in names(path.segments, folder, slash):
            if (folder, name) in path.there and name.rsplit("/", 1)[-1] not in HIDDEN:
                drop = await record(visit, folder, name)
                if drop is not None:
                    return await drawn(visit, path, folder, drop)
    return None


async def _way_on(visit: Visit, path: Path, *, forced: bool) -> tuple[str, str, int] | None:
    """`(site's folder, target, status)` by the nearest `_redirects`."""
    text = await nearest(visit, path, "_redirects")
    if text is None:
        return None
    folder, rules = text
    target = site.redirect(site.redirects(rules), path.beneath(folder), forced)
    return (folder, *target) if target else None


async def _follow(visit: Visit, way: tuple[str, str, int], rewrites: int) -> Page:
    folder, target, status = way
    inside = target.startswith("/")
    if status in (200, 404, 410):
        if not inside or rewrites >= 3:
            raise OceanError("NOT_FOUND", "The site's _redirects lead nowhere.", "A rewrite stays inside the site, and does not go round.")
        rest = target.split("?", 1)[0].removeprefix("/")
        segments = [*folder.split("/"), *filter(None, rest.split("/"))]
        page = await _page(visit, segments[: MAX_SEGMENTS + 1], rest.endswith("/") or not rest, rewrites + 1)
        return replace(page, status=status if page.status == 200 else page.status)
    location = visit.origin.path(address_of_folder(folder).removesuffix("/") + target) if inside else target
    return Page(status, "text/plain", location=location)


async def _headers(visit: Visit, path: Path) -> dict[str, str]:
    text = await nearest(visit, path, "_headers")
    if text is None:
        return {}
    folder, rules = text
    return site.headers_for(site.headers(rules), path.beneath(folder))


async def _folder(visit: Visit, path: Path) -> Page | None:
    """The way to a folder's page, or the list of what it holds."""
    last = quote(path.segments[-1]) + "/"
    if not path.slash and await _found(visit, path, True) is not None:
        return Page(301, "text/plain", location=last)
    if path.slash and len(path.segments) > 1 and await _found(visit, path, False) is not None:
        return Page(301, "text/plain", location="../" + quote(path.segments[-1]))
    if visit.position is not None:
        return None
    if path.slash and (themed := await folder_page(visit, path)) is not None:
        return themed
    if not path.slash and await place_of(visit, path) is not None:
        return Page(301, "text/plain", location=last)
    if path.route is None or visit.withdrawn:  # only a theme that was asked for stands in the place of a page that was taken away
        return None
    listed = await listing(visit.ocean, visit.caller, path.route, HIDDEN)
    if listed is None:
        return None
    if not path.slash:
        return Page(301, "text/plain", location=last, counted=True)
    cards = await folder_page(visit, path, themed=False) if listed.records else None  # as its records are drawn, so is their list
    return cards or Page(200, listing=listed, counted=True)


async def _generated(visit: Visit, path: Path) -> Page | None:
    """A feed or the sitemap of the folder that it would lie in."""
    form = FORMS.get(path.segments[-1])
    if form is None or path.slash or len(path.segments) < 2:
        return None
    return await folder_page(visit, await look_along(visit, path.segments[:-1], True), form)


async def _missing(visit: Visit, path: Path) -> Page | None:
    """The nearest 404.html up the path, or what the nearest theme says."""
    if visit.gone:
        return None
    for folder in path.folders:
        if await setting(visit, path, folder, NOT_FOUND_PAGE) is not None:
            drop = await record(visit, folder, NOT_FOUND_PAGE)
            if drop is not None:
                return replace(await drawn(visit, path, folder, drop), status=404)
    for folder in path.folders:
        if (look := await look_of(visit, path, folder)).theme is not None:
            address = visit.origin.path("/" + "/".join(path.segments))
            return Page(404, "text/html; charset=utf-8", view=MissingView(look, address))
    return None
