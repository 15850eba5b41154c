"""What of a record is searched: its texts, and a vector of its writer's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from ocean.errors import OceanError

TITLES = ("title", "name", "subject", "headline")  # fields whose words count for more
LANGUAGE = ("lang", "language")  # fields that say which language the texts are in
MAX_TEXT = 100_000  # characters of a record that are searched, markup and all
MAX_TITLE = 1000
MAX_DIMENSIONS = 4096
_LONG = 1000  # characters without a space: data, and no text
_TAG = re.compile(r"<[a-zA-Z!/?][^<>]*>")


def texts_of(body: Any) -> tuple[str, str]:
    """`(title, text)` of a structured payload; the text has the title in it. Markup is left out."""
    title = ""
    if isinstance(body, dict):
        title = " ".join(plain(body[name][:MAX_TITLE]) for name in TITLES if isinstance(body.get(name), str))
    pieces: list[str] = []
    left = MAX_TEXT
    for text in _strings(body):
        pieces.append(plain(text[:left]))
        left -= len(text) + 1
        if left <= 0:
            break
    return title, "\n".join(pieces)


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


def check_vector(value: Any) -> list[float]:
    """Raises INVALID_VECTOR."""
    if not is_vector(value):
        raise OceanError("INVALID_VECTOR", f"'vector' is a list of 2 to {MAX_DIMENSIONS} numbers, not all of them 0.")
    return list(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value and not (len(value) > _LONG and " " not in value[:_LONG]):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def plain(text: str) -> str:
    """A text without its markup, if it has any. One walk, however broken the markup is."""
    if "<" not in text or not _TAG.search(text):
        return text
    pieces: list[str] = []
    lowered = text.lower()
    at = 0
    while (start := text.find("<", at)) >= 0:
        pieces.append(text[at:start])
        name = _NAME.match(lowered, start)
        if name is None or (name[1] is not None and name[1] not in _ELEMENTS):  # a `<` that begins no tag: List<String>, <ann@example.com>
            pieces.append("<")
            at = start + 1
            continue
        end = text.find("-->" if name[0] == "<!--" else ">", start)
        if end < 0:  # never closed: the rest is no text
            at = len(text)
            break
        at = end + (3 if name[0] == "<!--" else 1)
        pieces.append(" ")
        if name[1] in _HIDDEN and name[0][1] != "/" and text[end - 1] != "/":
            close = lowered.find(f"</{name[1]}", at)
            at = close if close >= 0 else len(text)
    pieces.append(text[at:])
    return " ".join(unescape("".join(pieces)).split())


_NAME = re.compile(r"<(?:!--|!doctype\b|\?|/?([a-z][a-z0-9]*)(?=[\s/>]))")
# Elements of HTML (https://html.spec.whatwg.org/#elements-3, and what was there before), and of SVG those that pages have.
_ELEMENTS = frozenset(
    """
    a abbr acronym address area article aside audio b base basefont bdi bdo big blink blockquote body br button canvas caption
    center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font
    footer form frame frameset g h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link main
    map mark marquee menu meta meter nav nobr noframes noscript object ol optgroup option output p param path picture pre progress q
    rb rp rt rtc ruby s samp script search section select slot small source span strike strong style sub summary sup svg table tbody
    td template textarea tfoot th thead time title tr track tt u ul use var video wbr
    """.split()  # noqa: SIM905 - a list of them would be a line each
)
_HIDDEN = frozenset(("script", "style", "template", "noscript"))
