"""Templates of tenants: HTML with `{{field}}`, `data-ref` and `data-array`, read once by an HTML parser, filled many times. Pure.

A template is data: it has no code, no loops but over what a record holds, and no way to anything else. What is filled in is escaped for
where it stands; into scripts, styles and handlers of events nothing is filled in at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any, NamedTuple, Protocol

from selectolax.lexbor import LexborHTMLParser, LexborNode

from grammar.names import way
from ocean.core.shown import Link, address_of, refers, safe_address, shown
from ocean.errors import OceanError

MAX_SOURCE = 256 * 1024  # characters of a template
MAX_TAGS = 10_000  # a parser's time grows with the square of how deep they lie in each other
MAX_DEPTH = 100  # of elements in elements
MAX_OUTPUT = 4 * 1024 * 1024  # characters of a page that is made, and
MAX_STEPS = 200_000  # parts that are filled and items that are looked at for it

_PLACE = re.compile(r"\{\{\s*([^{}\s][^{}]{0,200}?)\s*\}\}")
_VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
# What these hold is not looked into.
_RAW = frozenset(("script", "style", "xmp", "noembed", "noframes", "plaintext", "template"))
_STANDING = frozenset(("html", "head", "body"))  # never hidden
_ROWS = frozenset(("li", "tr", "td", "th", "dd", "dt", "option"))  # of a list the element is there once for each item, not what it holds
_ADDRESSES = frozenset((
    "href", "src", "action", "formaction", "poster", "data", "cite", "background", "xlink:href", "srcset", "ping", "manifest",
))  # fmt: skip
_CLOSED = frozenset(("style", "srcdoc"))  # attributes that are code


class Scope(NamedTuple):
    """What names stand for: the value itself (`{{.}}`), its fields, and what lies around it."""

    value: Any
    outer: Scope | None = None

    def find(self, path: tuple[str, ...]) -> Any:
        """The value of the nearest scope that has the first name."""
        if not path:
            return self.value
        scope: Scope | None = self
        while scope is not None:
            value = scope.value
            if isinstance(value, dict) and value.get(path[0]) is not None:
                for part in path:
                    value = value.get(part) if isinstance(value, dict) else None
                return value
            scope = scope.outer
        return None


class _Filling:
    """A page while it is made: its pieces, and how much of it there may still be."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.left = MAX_OUTPUT
        self.steps = MAX_STEPS

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise OceanError("PAYLOAD_TOO_LARGE", "The page takes too much to make.", "Show less of the record's lists.")

    def spend(self, text: str) -> str:
        self.left -= len(text)
        if self.left < 0:
            raise OceanError("PAYLOAD_TOO_LARGE", f"The page is over {MAX_OUTPUT // 2**20} MB.", "Show less of the record's lists.")
        return text


_Out = list[str]


class _Part(Protocol):
    """A piece of a template."""

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        """Adds what it comes to; whether it has all that it wants."""


@dataclass(slots=True)
class _Text:
    text: str

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        out.append(filling.spend(self.text))
        return True


@dataclass(slots=True)
class _Value:
    path: tuple[str, ...]

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        filling.step()
        value = shown(scope.find(self.path))
        if value is None:
            return False
        out.append(filling.spend(escape(value)))
        return True


@dataclass(slots=True)
class _Attribute:
    """An attribute with places in it; `address`: what it comes to must be one that is safe to follow."""

    name: str
    pieces: tuple[str | tuple[str, ...], ...]
    address: bool

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        found: list[str] = []
        filling.step(len(self.pieces))
        for piece in self.pieces:
            value = piece if isinstance(piece, str) else self._of(scope.find(piece), filling)
            if value is None:
                return False
            found.append(value)
        text = "".join(found)
        if self.address and not safe_address(text):
            return False
        out.append(filling.spend(f' {self.name}="{escape(text)}"'))
        return True

    def _of(self, value: Any, filling: _Filling) -> str | None:
        return (address_of(value, filling.link) if self.address else None) or shown(value)


@dataclass(slots=True)
class _Element:
    """An element that has something to be filled in: hidden where what stands in it itself lacks anything."""

    tag: str
    attributes: tuple[_Part, ...]
    inner: tuple[_Part, ...]

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        filling.step()
        own: _Out = []
        if self._made(own, scope, filling):
            out += own
        return True  # what stands around it lacks nothing

    def _made(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        return self._opened(out, scope, filling) and self._filled(out, scope, filling)

    def _opened(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        out.append(filling.spend(f"<{self.tag}"))
        stands = self.tag in _STANDING
        for attribute in self.attributes:
            if not attribute.fill(out, scope, filling) and not stands:
                return False
        out.append(">")
        return True

    def _filled(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        for part in self.inner:
            if not part.fill(out, scope, filling) and self.tag not in _STANDING:
                return False
        return self._closed(out, filling)

    def _closed(self, out: _Out, filling: _Filling) -> bool:
        if self.tag not in _VOID:
            out.append(filling.spend(f"</{self.tag}>"))
        return True


@dataclass(slots=True)
class _Array(_Element):
    """`data-array`: what it holds, once for each item of a list; a row of a table or of a list, itself once for each."""

    path: tuple[str, ...] = ()

    def _made(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        value = scope.find(self.path)
        filling.step(len(value) if isinstance(value, list) else 1)
        items = [item for item in (value if isinstance(value, list) else [value]) if item is not None and item != ""]
        if not items:
            return False
        if self.tag in _ROWS:
            made = [self._row(out, Scope(item, scope), filling) for item in items]
            return any(made)
        if not self._opened(out, scope, filling):
            return False
        for item in items:
            self._item(out, Scope(item, scope), filling)
        return self._closed(out, filling)

    def _row(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        row: _Out = []
        made = self._opened(row, scope, filling) and self._item(row, scope, filling) and self._closed(row, filling)
        if made:
            out += row
        return made

    def _item(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        if not _dynamic(self.inner):  # what it holds is only an example
            return self._plain(out, scope.value, filling)
        item: _Out = []
        for part in self.inner:
            if not part.fill(item, scope, filling):
                return False
        out += item
        return True

    def _plain(self, out: _Out, value: Any, filling: _Filling) -> bool:
        text = shown(value)
        if text is None:
            return False
        inner = escape(text)
        address = address_of(value, filling.link)
        if address is not None and safe_address(address):
            inner = f'<a href="{escape(address)}">{inner}</a>'
        if self.tag not in _ROWS:
            tag = "li" if self.tag in ("ul", "ol", "menu") else "option" if self.tag in ("select", "datalist") else "span"
            inner = f"<{tag}>{inner}</{tag}>"
        out.append(filling.spend(inner))
        return True


@dataclass(slots=True)
class _Ref(_Element):
    """`data-ref`: what it holds is of the record that the field names; with nothing in it, that record's title, as a link."""

    path: tuple[str, ...] = ()
    links: bool = False  # it is an `a` without an address of its own

    def _made(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        value = scope.find(self.path)
        address = address_of(value, filling.link)
        if address is None or not safe_address(address):
            return False
        inner = Scope(value.get("payload", value) if isinstance(value, dict) else value, scope)
        out.append(filling.spend(f"<{self.tag}"))
        if not all(attribute.fill(out, inner, filling) for attribute in self.attributes):
            return False
        out.append(filling.spend(f' href="{escape(address)}">' if self.links else ">"))
        if not _blank(self.inner):
            return self._filled(out, inner, filling)
        text = escape(shown(value) or address)
        out.append(filling.spend(text if self.tag == "a" else f'<a href="{escape(address)}">{text}</a>'))
        return self._closed(out, filling)


@dataclass(frozen=True, slots=True)
class Template:
    """`document`: it is a whole page; else a part of one."""

    parts: tuple[_Part, ...]
    document: bool

    def render(self, body: Any, link: Link) -> str:
        """The HTML for a record's payload, its embeds resolved. Raises PAYLOAD_TOO_LARGE."""
        out: _Out = []
        filling = _Filling(link)
        scope = Scope(body)
        for part in self.parts:
            part.fill(out, scope, filling)
        return "".join(out)


@lru_cache(maxsize=64)
def compile_template(source: str) -> Template:
    """Raises INVALID_VALUE where it is too large, or nested too deep."""
    if len(source) > MAX_SOURCE or source.count("<") > MAX_TAGS:
        said = f"A template has at most {MAX_SOURCE // 1024} KB and {MAX_TAGS} tags."
        raise OceanError("INVALID_VALUE", said, "Move what does not change into files of its own.")
    document = source[:1000].lstrip().lower().startswith(("<!doctype", "<html"))
    # The first node of a part has the HTML of all that follow it: a comment that is left out stands there.
    root = LexborHTMLParser(source if document else f"<!---->{source}", is_fragment=not document).root
    parts: list[_Part] = [_Text("<!doctype html>")] if document else []
    parts += _siblings(root, 0)
    return Template(_joined(parts), document)


def _siblings(node: LexborNode | None, depth: int) -> list[_Part]:
    if depth > MAX_DEPTH:
        raise OceanError("INVALID_VALUE", f"The template is nested deeper than {MAX_DEPTH} elements.")
    parts: list[_Part] = []
    while node is not None:
        parts += _node(node, depth)
        node = node.next
    return parts


def _node(node: LexborNode, depth: int) -> list[_Part]:
    if node.is_text_node:
        return [
            _Value(piece) if isinstance(piece, tuple) else _Text(escape(piece, quote=False)) for piece in _pieces(node.text_content or "")
        ]
    if not node.is_element_node or node.tag is None:  # comments are left out
        return []
    tag = node.tag
    if tag in _RAW:
        return [_Text(node.html or "")]
    array, ref = node.attributes.get("data-array"), node.attributes.get("data-ref")
    attributes = _attributes(node)
    inner = _joined(_siblings(node.first_child, depth + 1))
    if array:
        return [_Array(tag, attributes, inner, path=_path(array))]
    if ref:
        return [_Ref(tag, attributes, inner, path=_path(ref), links=tag == "a" and "href" not in node.attributes)]
    if not _dynamic(attributes) and not _dynamic(inner):
        element = _Element(tag, attributes, inner)
        out: _Out = []
        element.fill(out, Scope(None), _Filling(lambda route, key: ""))
        return [_Text("".join(out))]
    return [_Element(tag, attributes, inner)]


def _attributes(node: LexborNode) -> tuple[_Part, ...]:
    found: list[_Part] = []
    for name, value in node.attributes.items():
        if name in ("data-array", "data-ref"):
            continue
        if value is None:
            found.append(_Text(f" {name}"))
            continue
        pieces = _pieces(value)
        address = name in _ADDRESSES
        if all(isinstance(piece, str) for piece in pieces):
            referred = refers(value) if address else None
            found.append(_Link(name, referred) if referred else _Text(f' {name}="{escape(value)}"'))
        elif name not in _CLOSED and not name.startswith("on"):
            found.append(_Attribute(name, tuple(pieces), address))
    return _joined(found)


@dataclass(slots=True)
class _Link:
    """An attribute that says `drop://route/key`."""

    name: str
    to: tuple[str, str]

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        out.append(filling.spend(f' {self.name}="{escape(filling.link(*self.to))}"'))
        return True


def _pieces(text: str) -> list[str | tuple[str, ...]]:
    """Text and the paths of places in it, in turn."""
    found: list[str | tuple[str, ...]] = []
    for number, piece in enumerate(_PLACE.split(text)):
        if number % 2:
            found.append(_path(piece))
        elif piece:
            found.append(piece)
    return found


def _path(name: str) -> tuple[str, ...]:
    return () if name.strip() == "." else tuple(way(name.strip()))


def _dynamic(parts: tuple[_Part, ...]) -> bool:
    return any(not isinstance(part, _Text) for part in parts)


def _blank(parts: tuple[_Part, ...]) -> bool:
    return all(isinstance(part, _Text) and not part.text.strip() for part in parts)


def _joined(parts: list[_Part]) -> tuple[_Part, ...]:
    """Texts that follow each other as one."""
    found: list[_Part] = []
    for part in parts:
        if found and isinstance(part, _Text) and isinstance(found[-1], _Text):
            found[-1] = _Text(found[-1].text + part.text)
        else:
            found.append(part)
    return tuple(found)
