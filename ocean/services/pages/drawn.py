"""A record as a page: the bytes that it holds, or a view of it that a theme draws."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ocean.core.cards import PROSE, Card, card_of_html, card_of_object, fields_of
from ocean.core.drop import Drop, show_time
from ocean.core.files import Reference, reference_in
from ocean.core.markdown import Document, head, read
from ocean.core.media import is_text, type_of
from ocean.core.payloads import loads
from ocean.core.routes import covers
from ocean.core.shown import Link, shortened, title_of
from ocean.errors import OceanError
from ocean.services.pages import patterned
from ocean.services.pages.listing import Listing
from ocean.services.pages.views import FolderView, MissingView, RecordView, Site, site_of
from ocean.services.pages.visit import PREVIEW, Path, Visit, setting

MARKDOWN = ".md"
CONTENTS = 50  # headings of a table of contents
_IN_THREAD = 1024  # characters of a text
# What a template of somebody else's may do to a page: show it. It is not the page's owner that speaks there.
_FOREIGN = (
    "default-src 'none'; img-src 'self' data:; media-src 'self'; font-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
CSP = "content-security-policy"


@dataclass(frozen=True, slots=True)
class Page:
    """What a path shows: a body, a file, a listing, a view for a theme, or a way on.

    `public`: anyone may see it, so a cache may keep it. `counted`: it shows what may change without a drop in its folders,
    such as counters, or folders beneath.
    """

    status: int
    content_type: str = "text/html; charset=utf-8"
    body: bytes = b""
    file: Reference | None = None
    listing: Listing | None = None
    view: RecordView | FolderView | MissingView | None = None
    location: str | None = None
    public: bool = True
    counted: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    sandbox: str = ""  # a content security policy beside whatever the site says
    varies: bool = False  # with what is asked for beside its path
    until: int | None = None  # when it expires, milliseconds
    depends: frozenset[str] = frozenset()  # the folders a drop in which may change it


async def drawn(visit: Visit, path: Path, folder: str, drop: Drop) -> Page:
    """The page of a record that the visitor may see."""
    assert drop.key is not None
    assert drop.payload is not None
    headers, site = await _settings(visit, path, folder)
    value: Any = loads(drop.payload)
    named = type_of(drop.key)
    file = reference_in(value) if isinstance(value, dict) else None
    if file is not None:
        return Page(200, named or file.type, file=file, headers=headers)
    if isinstance(value, str):
        if drop.key.endswith(MARKDOWN) and (site.theme or not path.segments[-1].endswith(MARKDOWN)):
            view = await _text(visit, site, drop, value)
            if view.card.draft and PREVIEW not in drop.route.split("/"):
                raise OceanError("NOT_FOUND", "This page is a draft.", "Its writer sees it in a preview: ocean publish --preview.")
            return Page(200, view=view, headers=headers)
        return _bytes(value.encode(), named or "text/html", headers)
    if isinstance(value, dict) and named is None:
        pattern = await patterned.pattern_of(visit, value)
        if pattern is not None or site.theme:
            return await _record(visit, site, drop, pattern, headers)
    return replace(_bytes(drop.body().encode(), named or "application/json", headers), counted=True)


def _bytes(body: bytes, content_type: str, headers: dict[str, str]) -> Page:
    return Page(200, f"{content_type}; charset=utf-8" if is_text(content_type) else content_type, body, headers=headers)


async def _settings(visit: Visit, path: Path, folder: str) -> tuple[dict[str, str], Site]:
    """The headers and the look that the nearest `_config` up the path gives, from the page's folder on."""
    headers: dict[str, str] = {}
    site: Site | None = None
    for above in path.folders:
        if covers(above, folder):
            value = await setting(visit, path, above, "_config")
            csp = value.get("csp") if isinstance(value, dict) else None
            if not headers and isinstance(csp, str) and csp.isprintable() and csp.isascii():
                headers = {CSP: csp}
            if site is None and isinstance(value, dict):
                site = site_of(above, visit.home(above), value)
    return headers, site or site_of(folder, visit.home(folder), None)


async def look_of(visit: Visit, path: Path, folder: str) -> Site:
    return (await _settings(visit, path, folder))[1]


async def _read(text: str) -> Document:
    return await asyncio.to_thread(read, text) if len(text) > _IN_THREAD else read(text)


async def _text(visit: Visit, site: Site, drop: Drop, text: str) -> RecordView:
    document = await _read(text)
    card = card_of_text(drop, document, visit.link)
    named = document.title is not None  # it begins with its title
    return RecordView(
        site, card, visit.link(drop.route, drop.key or ""), document.html, headings=_contents(document, named=named), named=named
    )


def card_of_text(drop: Drop, document: Document, link: Link) -> Card:
    """The card of a Markdown text: by the fields before it, else by its first heading and paragraph."""
    card = card_of_object(drop.key or "", document.fields, link)
    title = card.title if title_of(document.fields) else document.title or card.title
    published = card.published or show_time(drop.created_at)
    return replace(card, title=title, summary=card.summary or document.summary or "", published=published, kind="Article")


def _contents(document: Document, *, named: bool) -> tuple[Any, ...]:
    """The headings of a table of contents: the first two levels beneath the title; none where there are few."""
    headings = document.headings[1 if named else 0 :]
    found = tuple(heading for heading in headings if heading.level <= 3)
    if len(found) > CONTENTS:
        found = tuple(heading for heading in headings if heading.level <= 2)[:CONTENTS]
    return found if len(found) >= 3 else ()


async def _record(visit: Visit, site: Site, drop: Drop, pattern: patterned.Pattern | None, headers: dict[str, str]) -> Page:
    assert drop.key is not None
    body = await patterned.resolved(visit, drop)
    card = card_of(drop, visit.link, body)
    view = RecordView(site, card, visit.link(drop.route, drop.key), mode=visit.wanted.mode)
    template = await patterned.template_of(visit, pattern, visit.wanted.mode, drop.owner) if pattern is not None else None
    if template is not None:
        made, foreign = template
        fill = partial(made.render, body, visit.link)
        whole = await asyncio.to_thread(fill)
        sandbox = _FOREIGN if foreign else ""
        if made.document:
            return replace(_bytes(whole.encode(), "text/html", headers), counted=True, varies=True, sandbox=sandbox)
        return Page(200, view=replace(view, html=whole, named=True), headers=headers, counted=True, varies=True, sandbox=sandbox)
    prose = next((body[name] for name in PROSE if isinstance(body.get(name), str)), None)
    document = await _read(prose) if prose is not None else None
    rules = pattern.schema.fields if pattern is not None else {}
    fields = tuple(await asyncio.to_thread(fields_of, body, rules, visit.link, card))
    html = document.html if document is not None else None
    headings = _contents(document, named=False) if document is not None else ()
    view = replace(view, html=html, fields=fields, headings=headings)
    return Page(200, view=view, headers=headers, counted=True, varies=True)


async def preview_of(visit: Visit, drop: Drop, owner: str) -> str | None:
    """A record as its pattern's preview shows it, for a page of `owner`; None where they wrote none, or it is a whole page."""
    body = await patterned.resolved(visit, drop)
    pattern = await patterned.pattern_of(visit, body)
    try:
        template = await patterned.template_of(visit, pattern, "preview", owner) if pattern is not None else None
    except OceanError:  # it can't be read: the page of a record says so
        return None
    if template is None or template[1] or template[0].document:
        return None
    return await asyncio.to_thread(template[0].render, body, visit.link)


def card_of(drop: Drop, link: Link, body: Any = None) -> Card:
    """The card of any record that a page is made of; `body` where it was read already."""
    key = drop.key or ""
    value = loads(drop.body()) if body is None else body
    if isinstance(value, dict):
        card = card_of_object(key, value, link)
    elif isinstance(value, str) and key.endswith(MARKDOWN):
        return card_of_text(drop, head(value), link)
    elif isinstance(value, str):
        card = card_of_html(key, value)
    else:
        card = replace(card_of_object(key, {}, link), summary=shortened(str(value)))
    return replace(card, published=card.published or show_time(drop.created_at))
