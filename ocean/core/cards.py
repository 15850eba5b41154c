"""What a record is to somebody who reads it: its title, a few words, a picture, a date; and each of its fields by its type. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from ocean.core import markup
from ocean.core.markdown import head
from ocean.core.patterns import Rule
from ocean.core.searched import plain
from ocean.core.shown import Link, address_of, refers, safe_address, shortened, shown, title_of
from ocean.core.universal import moment

SHOWN_FIELDS = 200
SHOWN_ITEMS, SHOWN_CHARACTERS = 3000, 500_000  # of all fields of a page together
TITLE, TAG, ADDRESS = 300, 100, 2000  # characters of a card's parts
_TAGS = 1000  # of a page that a card is made of
_LOOKED_AT = 20_000  # characters of a text that a summary is made of
_SUMMARIES = ("summary", "description", "excerpt", "subtitle", "abstract")
PROSE = ("text", "body", "content", "markdown")  # fields that are a page's text
_IMAGES = ("image", "cover", "photo", "picture", "thumbnail", "hero")
_DATES = ("date", "published", "published_at", "datePublished", "due", "start")
_AMOUNTS = ("price", "amount")
_PICTURE = re.compile(r"\.(png|jpe?g|gif|webp|avif|svg)($|[?#])", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,200}\.[^\s@<>]{2,40}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}($|[T ])")


@dataclass(frozen=True, slots=True)
class Card:
    """`published` and `ends` are ISO 8601 as the record has them; `kind` a type of schema.org."""

    title: str
    summary: str = ""
    image: str | None = None
    published: str | None = None
    ends: str | None = None
    author: str | None = None
    amount: str | None = None
    tags: tuple[str, ...] = ()
    kind: str = "Article"
    dated: bool = False  # it says itself when it was published
    draft: bool = False
    pattern: bool = False  # the record names one

    def json_ld(self, url: str) -> dict[str, Any]:
        """The record in the words of schema.org (JSON-LD 1.1)."""
        named = "headline" if self.kind == "Article" else "name"
        starts = {"Event": "startDate", "Article": "datePublished"}.get(self.kind)
        told: dict[str, Any] = {"@context": "https://schema.org", "@type": self.kind, named: self.title, "url": url}
        told |= {"description": self.summary} if self.summary else {}
        told |= {"image": self.image} if self.image else {}
        told |= {starts: self.published} if starts and self.published else {}
        told |= {"endDate": self.ends} if self.kind == "Event" and self.ends else {}
        told |= {"author": {"@type": "Person", "name": self.author}} if self.author and self.kind == "Article" else {}
        told |= {"keywords": ", ".join(self.tags)} if self.tags else {}
        return told


def card_of_object(key: str, body: Mapping[str, Any], link: Link) -> Card:
    """The card of a record with fields."""
    start, end = _date(body.get("start")), _date(body.get("end"))
    spans = body.get("_dates")
    if start is None and isinstance(spans, list) and spans and isinstance(spans[0], dict):
        start, end = _date(spans[0].get("start")), _date(spans[0].get("end"))
    amount = (_amount(body) or "")[:TAG] or None
    tags = body.get("tags")
    if isinstance(tags, str):
        tags = [tag.strip() for tag in tags.split(",") if tag.strip()]
    dated = next((found for name in _DATES if (found := _date(body.get(name)))), None) or start
    return Card(
        (title_of(body) or named(key))[:TITLE],
        _summary_of(body),
        _image_of(body, link),
        dated,
        end,
        (shown(body.get("author")) or "")[:TITLE] or None,
        amount,
        tuple(tag[:TAG] for tag in tags[:20] if isinstance(tag, str)) if isinstance(tags, list) else (),
        "Event" if start and title_of(body) else "Product" if amount else "Article",
        dated is not None,
        body.get("draft") is True,
        pattern=isinstance(body.get("pattern"), str),
    )


def card_of_html(key: str, source: str) -> Card:
    """The card of a page that is HTML: by its title or first heading, and what it says of itself."""
    if markup.piles_up(source[:_LOOKED_AT]) or source.count("<", 0, _LOOKED_AT) > _TAGS:
        return Card(named(key))
    tree = LexborHTMLParser(source[:_LOOKED_AT])

    def meta(*names: str) -> str | None:
        for name in names:
            node = tree.css_first(f'meta[name="{name}"], meta[property="{name}"]')
            if node is not None and (said := (node.attributes.get("content") or "").strip()):
                return said
        return None

    heading = tree.css_first("title") or tree.css_first("h1")
    text = tree.css_first("main p") or tree.css_first("p")
    title = meta("og:title") or (" ".join(heading.text().split()) if heading is not None else "")
    summary = meta("description", "og:description") or (" ".join(text.text().split()) if text is not None else "")
    image = meta("og:image")
    image = image if image and safe_address(image) else None
    published = _date(meta("article:published_time", "date"))
    return Card(title[:TITLE] or named(key), shortened(summary), image, published, dated=published is not None)


def named(key: str) -> str:
    """A key as a title: `my-first_post.md` is My first post."""
    name = key.rsplit("/", 1)[-1]
    name = re.sub(r"\.(md|html?)$", "", name)
    words = " ".join(re.split(r"[-_]+", name)).strip()
    return words[:1].upper() + words[1:] if words else key


def _summary_of(body: Mapping[str, Any]) -> str:
    for name in _SUMMARIES:
        if isinstance(body.get(name), str) and (text := body[name].strip()):
            return shortened(plain(text[:_LOOKED_AT]))
    for name in PROSE:
        if isinstance(body.get(name), str) and (said := head(body[name][:_LOOKED_AT]).summary):
            return shortened(plain(said))
    texts = body.get("_texts")
    return shortened(texts[0]) if isinstance(texts, list) and texts and isinstance(texts[0], str) else ""


def _image_of(body: Mapping[str, Any], link: Link) -> str | None:
    for name in _IMAGES:
        value = body.get(name)
        address = address_of(value, link) or (value if isinstance(value, str) else None)
        if address and len(address) <= ADDRESS and safe_address(address):
            return address
    for blob in body["_blobs"] if isinstance(body.get("_blobs"), list) else ():
        address = blob.get("url") if isinstance(blob, dict) else None
        if isinstance(address, str) and safe_address(address) and (is_picture(address) or str(blob.get("mime")).startswith("image/")):
            return address
    return None


def is_picture(address: str) -> bool:
    return _PICTURE.search(address) is not None


def _date(value: Any) -> str | None:
    return value if isinstance(value, str) and _DAY.match(value) and moment(value) is not None else None


def _amount(body: Mapping[str, Any]) -> str | None:
    amounts = body.get("_amounts")
    first = amounts[0] if isinstance(amounts, list) and amounts else None
    for value in (*(body.get(name) for name in _AMOUNTS), first):
        if isinstance(value, dict) and shown(value.get("value")) is not None:
            return shown(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return shown(value)
    return None


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as it is shown. `kind`: text, date, number, flag, link, picture, file, place, list or table."""

    label: str
    kind: str
    text: str = ""
    address: str | None = None
    items: tuple[Shown, ...] = field(default_factory=tuple)


_ELSEWHERE = frozenset(("pattern", "vector", *_IMAGES, *PROSE))  # said in another place of the page
_UNIVERSAL = frozenset(("_dates", "_identifiers", "_locations"))
_FORMS = frozenset(("$embedded", "value", "lat", "start", "url"))  # an object with one of these is shown as what it is, not field by field


class _Room:
    """How much of a record a page shows."""

    def __init__(self) -> None:
        self.items = SHOWN_ITEMS
        self.characters = SHOWN_CHARACTERS

    def has(self, text: str) -> bool:
        self.items -= 1
        self.characters -= len(text)
        return self.items >= 0 and self.characters >= 0


def fields_of(body: Mapping[str, Any], rules: Mapping[str, Rule], link: Link, card: Card) -> list[Shown]:
    """A record's fields for its page, in the pattern's order, then in their own; without what the card says already."""
    names = [*(name for name in rules if name in body), *(name for name in body if name not in rules)]
    found = []
    room = _Room()
    for name in names[:SHOWN_FIELDS]:
        if name in _ELSEWHERE or (name.startswith("_") and name not in _UNIVERSAL) or body[name] in (card.title, card.summary):
            continue
        if name in _AMOUNTS and card.amount is not None and shown(body[name]) == card.amount:
            continue
        rule = rules.get(name)
        one = _field(name.replace("_", " ").strip().capitalize(), body[name], rule.type if rule else "", link, room)
        if one is not None:
            found.append(one)
    return found


def _field(label: str, value: Any, type_: str, link: Link, room: _Room, depth: int = 0) -> Shown | None:
    if not room.has(value if isinstance(value, str) else ""):
        return None
    if isinstance(value, list):
        items = tuple(one for item in value[:SHOWN_FIELDS] if (one := _field("", item, type_, link, room, depth + 1)) is not None)
        return Shown(label, "list", items=items) if items and depth < 4 else None
    if isinstance(value, dict) and value.get("$embedded") is False:
        return None
    text = shown(value)
    if isinstance(value, bool):
        return Shown(label, "flag", "yes" if value else "no")
    if text is None:
        return _table(label, value, link, room, depth) if isinstance(value, dict) else None
    if isinstance(value, dict):
        return _object(label, value, text, link) if _FORMS & value.keys() else _table(label, value, link, room, depth)
    if not isinstance(value, str):
        return Shown(label, "number", text)
    return _text(label, value, type_, link)


def _table(label: str, value: dict[str, Any], link: Link, room: _Room, depth: int) -> Shown | None:
    items = tuple(
        one for name, item in list(value.items())[:SHOWN_FIELDS] if (one := _field(str(name), item, "", link, room, depth + 1)) is not None
    )
    return Shown(label, "table", items=items) if items and depth < 4 else None


def _object(label: str, value: dict[str, Any], text: str, link: Link) -> Shown:
    if "lat" in value and "lon" in value:
        return Shown(label, "place", text, _map(value["lat"], value["lon"]))
    address = address_of(value, link)
    if address is not None and safe_address(address):
        picture = is_picture(address) or str(value.get("mime")).startswith("image/")
        return Shown(label, "picture" if picture else "link", text, address)
    return Shown(label, "text", text)


def _map(lat: Any, lon: Any) -> str | None:
    """The place on the map of OpenStreetMap."""
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= 180 for n in (lat, lon)):
        return None
    return f"https://www.openstreetmap.org/?mlat={lat}&mlon={lon}#map=15/{lat}/{lon}"


def _text(label: str, value: str, type_: str, link: Link) -> Shown:
    if type_ == "date" or (not type_ and _date(value)):
        return Shown(label, "date", value)
    if _EMAIL.fullmatch(value):
        return Shown(label, "link", value, f"mailto:{value}")
    address = address_of(value, link)
    if type_ == "blob" and address is None:
        address = value
    if address is not None and safe_address(address):
        if is_picture(address):
            return Shown(label, "picture", "", address)
        name = value.rsplit("/", 1)[-1] if type_ == "blob" or refers(value) else value
        return Shown(label, "file" if type_ == "blob" else "link", name, address)
    if type_ == "location":
        return Shown(label, "place", value)
    return Shown(label, "text", value)
