"""Views drawn: Jinja2 over themes of ours. Tenants' own templates never come here (`core.templates`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from sanic import HTTPResponse, Request, Sanic

from ocean.core.cards import Card
from ocean.core.drop import show_time
from ocean.core.site import THEMES
from ocean.core.universal import moment
from ocean.http.assets import THEMES as FOLDER
from ocean.services.pages.folderpages import FORMS
from ocean.services.pages.views import FolderView, MissingView, RecordView

_END = 253_402_300_800_000  # of the year 9999, in milliseconds: times beyond have no form
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: _clean(value),
)
_STYLES = {name: "\n".join((FOLDER / "sites" / file).read_text() for file in ("common.css", f"{name}.css")).encode() for name in THEMES}
_PATHS = {name: f"/ocean-themes/{name}.{hashlib.sha256(body).hexdigest()[:12]}.css" for name, body in _STYLES.items()}


def mount(server: Sanic[Any, Any]) -> None:
    """The themes' styles, each at an address that changes when they do."""
    for name, path in _PATHS.items():
        server.add_route(_style(_STYLES[name]), path, methods=["GET", "HEAD"], name=f"theme_{name}")


def _style(body: bytes) -> Any:
    headers = {
        "cache-control": "public, max-age=31536000, immutable",
        "x-content-type-options": "nosniff",
        "access-control-allow-origin": "*",
    }

    async def handle(request: Request) -> HTTPResponse:
        return HTTPResponse(body, 200, headers, "text/css; charset=utf-8")

    return handle


def error(status: int, message: str, hint: str | None, details: Mapping[str, Any] | None = None) -> str:
    """`details` may have a `preview` of what is not shown, and `buy`, the address where it is bought."""
    told = details or {}
    page = _ENVIRONMENT.get_template("errors/error.html")
    return page.render(status=status, message=message, hint=hint, preview=told.get("preview"), buy=told.get("buy"), title=told.get("title"))


def listing(listed: Any) -> bytes:
    return _ENVIRONMENT.get_template("listing/listing.html").render(listing=listed).encode()


def draw(view: RecordView | FolderView | MissingView, origin: str) -> bytes:
    """The view as HTML, a feed or a sitemap; `origin`: the view host's address, without a slash at its end."""
    if isinstance(view, RecordView):
        return _page("page" if view.mode == "full" else "preview", view, origin, card=view.card)
    if isinstance(view, MissingView):
        return _page("missing", view, origin, card=Card("There is no such page"))
    if view.form == "json":
        return _json_feed(view, origin)
    if view.form != "html":
        return (
            _ENVIRONMENT.get_template(f"sites/{view.form}.xml")
            .render(view=view, site=view.site, origin=origin, absolute=_from(view, origin))
            .encode()
        )
    card = Card(view.title, view.site.description, kind="CollectionPage")
    return _page("folder", view, origin, card=card)


def _page(template: str, view: RecordView | FolderView | MissingView, origin: str, *, card: Card) -> bytes:
    address = origin + view.address
    image = urljoin(address, card.image) if card.image else None
    told = card.json_ld(address) | ({"image": image} if image else {})
    return (
        _ENVIRONMENT.get_template(f"sites/{template}.html")
        .render(
            view=view, site=view.site, card=card, theme=view.site.drawn_by, style=_PATHS[view.site.drawn_by], address=address, image=image,
            feed=view.site.home + next(name for name, form in FORMS.items() if form == "atom"), data=_in_script(told),
        )
        .encode()
    )  # fmt: skip


def _in_script(told: Any) -> Markup:
    """JSON that can stand in a script: nothing in it ends one, or begins a comment."""
    text = orjson.dumps(told).decode()
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))  # noqa: S704


def _from(view: FolderView, origin: str) -> Any:
    return lambda address: urljoin(origin + view.address, address)


def _json_feed(view: FolderView, origin: str) -> bytes:
    """JSON Feed 1.1."""
    absolute = _from(view, origin)
    items = []
    for entry in view.entries:
        item: dict[str, Any] = {"id": absolute(entry.address), "url": absolute(entry.address), "title": entry.card.title}
        item["content_text"] = entry.card.summary or entry.card.title
        item["date_modified"] = entry.changed
        if (published := moment_of(entry.card.published)) is not None:
            item["date_published"] = published
        if entry.card.image:
            item["image"] = absolute(entry.card.image)
        if entry.card.tags:
            item["tags"] = list(entry.card.tags)
        items.append(item)
    home = origin + view.address
    told = {"version": "https://jsonfeed.org/version/1.1", "title": view.title, "home_page_url": home, "feed_url": f"{home}feed.json"}
    told |= {"description": view.site.description} if view.site.description else {}
    return orjson.dumps({**told, "language": view.site.language, "items": items})


def moment_of(published: str | None) -> str | None:
    """RFC 3339 of a date or a time, or None."""
    milliseconds = moment(published)
    if milliseconds is None or not 0 <= milliseconds < _END:
        return None
    return show_time(int(milliseconds))


def _clean(value: Any) -> Any:
    """A text without what XML can't carry (XML 1.0, 2.2)."""
    return _NOT_XML.sub("", value) if type(value) is str else value


_ENVIRONMENT.filters["rfc3339"] = moment_of
