"""What a theme shows: a site, a record, a list of records. Made here, drawn by `viewhost`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from ocean.core.cards import Card, Shown
from ocean.core.markdown import Heading
from ocean.core.shown import safe_address, shown
from ocean.core.site import THEMES

MAX_NAV = 30
_LONGEST = 300  # characters of what a site says of itself


@dataclass(frozen=True, slots=True)
class Site:
    """What a site's `_config` says; `theme` None where nobody chose one. `home`: the address of its first page."""

    home: str
    theme: str | None = None
    title: str = ""
    description: str = ""
    language: str = "en"
    footer: str = ""
    nav: tuple[tuple[str, str], ...] = ()
    icon: str = ""  # an address

    @property
    def drawn_by(self) -> str:
        return self.theme or THEMES[0]


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record as a page. `html`: a text or a filled template, safe to be put into the page as it is; `named`: it says its own title."""

    site: Site
    card: Card
    address: str
    html: str | None = None
    fields: tuple[Shown, ...] = ()
    headings: tuple[Heading, ...] = ()
    named: bool = False
    mode: str = "full"


@dataclass(frozen=True, slots=True)
class Listed:
    """A record in a list; `changed`: when it was written, RFC 3339; `html`: its pattern's own preview, filled, safe to be put into the page
    as it is."""

    card: Card
    address: str
    changed: str
    price: float | int | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True)
class FolderView:
    """A page of a list of records. `form`: html, atom, json or sitemap."""

    site: Site
    title: str
    address: str
    entries: tuple[Listed, ...]
    number: int = 1
    more: bool = False
    form: str = "html"


@dataclass(frozen=True, slots=True)
class MissingView:
    """What a themed site shows where there is nothing."""

    site: Site
    address: str


def site_of(folder: str, home: str, config: Any) -> Site:
    """The site of a folder at an address, by the `_config` in it. What is none of a setting's kind is passed over."""
    said: Mapping[str, Any] = config if isinstance(config, dict) else {}

    def text(name: str) -> str:
        return said[name][:_LONGEST] if isinstance(said.get(name), str) else ""

    theme = said.get("theme")
    language = text("language") or text("lang") or "en"
    return Site(
        home, theme if theme in THEMES else None, text("title") or folder.rsplit("/", 1)[-1], text("description"),
        language if language.replace("-", "").isalnum() and len(language) <= 35 else "en", text("footer"), _nav(said.get("nav")),
        urljoin(home, icon) if (icon := text("icon")) and safe_address(icon) else "",
    )  # fmt: skip


def _nav(said: Any) -> tuple[tuple[str, str], ...]:
    """`{"About": "about"}`, or `[{"title": "About", "url": "about"}]`."""
    if isinstance(said, dict):
        pairs = [(str(name), url) for name, url in said.items()]
    else:
        items = said if isinstance(said, list) else []
        pairs = [(shown(item.get("title")) or "", item.get("url")) for item in items if isinstance(item, dict)]
    return tuple((name[:80], url) for name, url in pairs[:MAX_NAV] if name and isinstance(url, str) and safe_address(url))
