"""What of a record is searched: its texts, and a vector of its writer's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

TITLES = ("title", "name", "subject", "headline")  # fields whose words count for more
LANGUAGE = ("lang", "language")  # fields that say which language the texts are in
MAX_TEXT = 100_000  # characters of a record that are searched
MAX_DIMENSIONS = 4096
_LONG = 1000  # characters without a space: data, and no text
_TAG = re.compile(r"<[a-zA-Z!/][^<>]*>")


def texts_of(body: Any) -> tuple[str, str]:
    """`(title, text)` of a structured payload; the text has the title in it. Markup is left out."""
    title = ""
    if isinstance(body, dict):
        title = " ".join(plain(body[name]) for name in TITLES if isinstance(body.get(name), str))
    pieces: list[str] = []
    left = MAX_TEXT
    for text in _strings(body, 0):
        piece = plain(text[:left])
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return title[:1000], "\n".join(pieces)[:MAX_TEXT]


def language_of(body: Any) -> str:
    """The two letters of the language that the record says it is in; English if it says nothing."""
    if isinstance(body, dict):
        for name in LANGUAGE:
            if isinstance(body.get(name), str):
                return str(body[name])[:2].lower()
    return "en"


def vector_of(body: Any) -> list[float] | None:
    """The field `vector`, if it is one: 2 to MAX_DIMENSIONS numbers, not all of them 0."""
    found: Any = body.get("vector") if isinstance(body, dict) else None
    return [float(number) for number in found] if is_vector(found) else None


def is_vector(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 2 <= len(value) <= MAX_DIMENSIONS
        and all(isinstance(n, int | float) and not isinstance(n, bool) and abs(n) < 1e15 for n in value)
        and any(value)
    )


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        if value and not (len(value) > _LONG and " " not in value[:_LONG]):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, depth + 1)


def plain(text: str) -> str:
    """A text without its markup, if it has any."""
    if not _TAG.search(text):
        return text
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return " ".join("".join(reader.pieces).split())


class _Reader(HTMLParser):
    """The text of HTML that a reader would see."""

    _HIDDEN = frozenset(("script", "style", "template", "noscript"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self._HIDDEN
        self.pieces.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._HIDDEN and self._hidden > 0
        self.pieces.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)
