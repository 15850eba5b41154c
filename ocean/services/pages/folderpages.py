"""A folder of records as a list of cards, as feeds, and as a sitemap."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from ocean.core.cards import Card, named
from ocean.core.drop import Drop, show_time
from ocean.core.media import type_of
from ocean.core.universal import moment
from ocean.services.access.reading import gated
from ocean.services.pages.drawn import Page, card_of, look_of
from ocean.services.pages.views import FolderView, Listed, address_of_folder, address_of_record
from ocean.services.pages.visit import Path, Visit, refusal_of
from ocean.services.query.folders import newest

MOST = 1000  # records of a folder that are listed, the newest ones
AT_ONCE = 24  # on a page
IN_FEED = 50
FORMS = {"feed.xml": "atom", "feed.json": "json", "sitemap.xml": "sitemap"}
TYPES = {
    "html": "text/html; charset=utf-8", "atom": "application/atom+xml; charset=utf-8", "json": "application/feed+json",
    "sitemap": "application/xml; charset=utf-8",
}  # fmt: skip


async def folder_page(visit: Visit, path: Path, form: str = "html") -> Page | None:
    """The list of what lies at a path, in the deepest folder that has anything there; None where there is nothing.

    As a page only of a site whose owner chose a theme: others have the plain list of `listing`.
    """
    if refusal_of(visit, path) is not None or visit.position is not None:
        return None
    for folder in path.folders:
        rest = "/".join(path.segments[folder.count("/") + 1 :])
        site = await look_of(visit, path, folder)
        if form == "html" and site.theme is None:
            continue
        entries = await _entries(visit, folder, f"{rest}/" if rest else "")
        if not entries:
            continue
        address = address_of_folder(folder) + (f"{quote(rest)}/" if rest else "")
        title = site.title if address == site.home or not rest else named(rest)
        view = FolderView(site, title, address, tuple(entries), form=form)
        return Page(200, TYPES[form], view=_part(view, visit.wanted.number))
    return None


def _part(view: FolderView, number: int) -> FolderView:
    if view.form == "sitemap":
        return view
    size = AT_ONCE if view.form == "html" else IN_FEED
    start = (number - 1) * size
    return replace(view, entries=view.entries[start : start + size], number=number, more=len(view.entries) > start + size)


async def _entries(visit: Visit, folder: str, prefix: str) -> list[Listed]:
    """The pages among a folder's records, newest first by the dates that they say."""
    found = []
    for drop in await newest(visit.ocean, visit.caller, folder, prefix, MOST):
        if not _is_page(drop.key or ""):
            continue
        visit.meet(drop)
        closed = gated(visit.caller, drop)
        card = _stub(drop) if closed else card_of(drop)
        if drop.price is not None:
            visit.public = False
        found.append(Listed(card, address_of_record(folder, drop.key or ""), show_time(drop.created_at), drop.shown_price))
    found.sort(key=lambda listed: moment(listed.card.published) or 0.0, reverse=True)
    return found


def _is_page(key: str) -> bool:
    """Whether a key is a page's, that a list should show: no asset, no setting, not the list's own page."""
    segments = key.split("/")
    if any(segment.startswith(("_", ".")) for segment in segments):
        return False
    last = segments[-1]
    if last in ("404.html", "index", "index.html", "index.md"):
        return False
    return type_of(last) in (None, "text/html", "text/markdown")


def _stub(drop: Drop) -> Card:
    """What is told of a priced record to who has not bought it: its name."""
    return Card(named(drop.key or ""), published=show_time(drop.created_at))
