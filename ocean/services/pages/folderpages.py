"""A folder of records as a list of cards, as feeds, and as a sitemap."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urljoin

from ocean.core.access import owners
from ocean.core.cards import Card, named
from ocean.core.drop import Drop, show_time
from ocean.core.media import type_of
from ocean.core.routes import ancestors
from ocean.core.shown import Link
from ocean.core.universal import moment
from ocean.services.access.reading import gated_among
from ocean.services.pages.drawn import Page, card_of, look_of, preview_of
from ocean.services.pages.views import FolderView, Listed, Site
from ocean.services.pages.visit import Path, Visit, refusal_of
from ocean.services.query.folders import at_places, outlines

MOST = 1000  # records of a folder that are listed, the newest ones; a sitemap has all that an outline has
READ = 50  # records that are read at once
KNOWN = 20_000  # cards that are kept
AT_ONCE = 24  # on a page
IN_FEED = 50
FORMS = {"feed.xml": "atom", "feed.json": "json", "sitemap.xml": "sitemap"}
_NOTHING = Card("")
TYPES = {
    "html": "text/html; charset=utf-8", "atom": "application/atom+xml; charset=utf-8", "json": "application/feed+json",
    "sitemap": "application/xml; charset=utf-8",
}  # fmt: skip


class Place(NamedTuple):
    """Where a list's records are: a folder, and how their keys begin; its pages, newest first, without what they hold."""

    folder: str
    rest: str
    site: Site
    pages: list[Drop]


async def place_of(visit: Visit, path: Path, form: str = "html", *, themed: bool = True) -> Place | None:
    """The deepest folder that has pages at a path; if `themed`, as a page itself only where its owner chose a theme."""
    if refusal_of(visit, path) is not None or visit.position is not None:
        return None
    for folder in path.folders:
        rest = "/".join(path.segments[folder.count("/") + 1 :])
        site = await look_of(visit, path, folder)
        if form == "html" and themed and site.theme is None:
            continue
        found = await outlines(visit.ocean, visit.caller, folder, f"{rest}/" if rest else "")
        if pages := [drop for drop in found if _is_page(drop.key or "")]:
            return Place(folder, rest, site, pages)
    return None


async def folder_page(visit: Visit, path: Path, form: str = "html", *, themed: bool = True) -> Page | None:
    """The list of what lies at a path; None where there is nothing."""
    place = await place_of(visit, path, form, themed=themed)
    if place is None:
        return None
    folder, rest, site, pages = place
    address = visit.home(f"{folder}/{rest}" if rest else folder)
    title = site.title if address == site.home or not rest else named(rest)
    for drop in pages:
        visit.meet(drop)
        visit.public = visit.public and drop.price.free
    entries = await _entries(visit, folder, pages[:MOST])
    if form == "sitemap":
        entries += [_listed(visit, drop, _NOTHING) for drop in pages[MOST:]]
        return Page(200, TYPES[form], view=FolderView(site, title, address, tuple(entries), form=form), counted=True)
    if form != "html" and any(entry.card.dated for entry in entries):  # where some are dated, those that are not are no news
        entries = [entry for entry in entries if entry.card.dated]
    size, number = (AT_ONCE, visit.wanted.number) if form == "html" else (IN_FEED, 1)
    some = entries[(number - 1) * size : number * size]
    if form == "html":
        some = await _previewed(visit, path, folder, some, {visit.link(drop.route, drop.key or ""): drop for drop in pages})
    view = FolderView(site, title, address, tuple(some), number, len(entries) > number * size, form)
    return Page(200 if some else 404, TYPES[form], view=view, counted=True, varies=form == "html")


async def _previewed(visit: Visit, path: Path, folder: str, some: list[Listed], drops: dict[str, Drop]) -> list[Listed]:
    """Entries with their pattern's own preview, where the folder's owner wrote its template: others' markup is not put into their page."""
    owner = owners(ancestors(folder), path.rules)[-1]
    drawn = [drops[entry.address] for entry in some if entry.card.pattern]
    kept_back = await gated_among(visit.ocean, visit.caller, drawn)
    wanted = [drop.seq for drop in drawn if drop.seq not in kept_back]
    if owner is None or not wanted:
        return some
    previews = {}
    for drop in await at_places(visit.ocean, visit.caller, folder, wanted):
        html = await preview_of(visit, drop, owner)
        if html is not None:
            previews[visit.link(drop.route, drop.key or "")] = html
    return [replace(entry, html=previews.get(entry.address)) for entry in some]


async def _entries(visit: Visit, folder: str, pages: list[Drop]) -> list[Listed]:
    """The pages with their cards, newest first by the dates that they say."""
    kept = visit.ocean.cards
    known = {name: kept[name] for drop in pages if (name := _name(visit, drop)) in kept}
    closed = await gated_among(visit.ocean, visit.caller, pages)
    unread = [drop.seq for drop in pages if drop.seq not in closed and _name(visit, drop) not in known]
    while unread:
        drops = await at_places(visit.ocean, visit.caller, folder, unread[:READ])
        for drop, card in zip(drops, await asyncio.to_thread(_cards, drops, visit.link), strict=True):
            if len(kept) >= KNOWN:
                kept.clear()
            known[_name(visit, drop)] = kept[_name(visit, drop)] = card
        came = {drop.seq for drop in drops}
        unread = [seq for seq in unread[:READ] if seq not in came][: READ if came else 0] + unread[READ:]  # what is gone is not waited for
    cards = [(drop, _stub(drop) if drop.seq in closed else known.get(_name(visit, drop))) for drop in pages]
    found = [_listed(visit, drop, card) for drop, card in cards if card is not None and not card.draft]
    return sorted(found, key=lambda one: (one.card.dated, moment(one.card.published) or 0.0), reverse=True)


def _name(visit: Visit, drop: Drop) -> tuple[str, str, str | None]:
    return visit.origin.site, drop.drop_id, drop.counters


def _cards(drops: list[Drop], link: Link) -> list[Card]:
    return [card_of(drop, link) for drop in drops]


def _listed(visit: Visit, drop: Drop, card: Card) -> Listed:
    address = visit.link(drop.route, drop.key or "")
    if card.image:  # it may be named from where the page is
        card = replace(card, image=urljoin(address, card.image))
    return Listed(card, address, show_time(drop.created_at), drop.price.shown().get("price"))


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
