"""Templates of tenants: HTML with `{{field}}`, `data-ref` and `data-array`, read once by an HTML parser, filled many times. Pure.

A template is data: it has no code, no loops but over what a record holds, and no way to anything else. What is filled in is escaped for
where it stands; into scripts, styles and handlers of events nothing is filled in at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape, unescape
from typing import Any, NamedTuple, Protocol

from selectolax.lexbor import LexborHTMLParser, LexborNode

from grammar.names import way
from ocean.core import markup
from ocean.core.shown import Link, address_of, refers, safe_address, shown
from ocean.errors import OceanError

MAX_SOURCE = 256 * 1024  # characters of a template
MAX_TAGS = 5_000  # a parser's time grows with the square of how deep they lie in each other
MAX_DEPTH = 100  # of elements in elements
MAX_OUTPUT = 4 * 1024 * 1024  # characters of a page that is made, and
MAX_STEPS = 200_000  # parts that are filled and items that are looked at for it
MAX_ADDRESS = 4000  # characters
SHORT = 200  # characters of a text that is escaped again sooner than it is looked up

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
            if isinstance(value, dict) and (found := value.get(path[0])) is not None:
                for part in path[1:]:
                    found = found.get(part) if isinstance(found, dict) else None
                return found
            scope = scope.outer
        return None


class _Filling:
    """A page while it is made: its pieces, and how much of it there may still be."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.left = MAX_OUTPUT
        self.steps = MAX_STEPS
        self._texts: dict[int, str | None] = {}  # of values by where they lie: each is shown once
        self._addresses: dict[int, str | None] = {}

    def text(self, value: Any) -> str | None:
        """A value as text, escaped; None where it says nothing."""
        if type(value) is str and 0 < len(value) < SHORT:
            return escape(value)
        if id(value) not in self._texts:
            text = shown(value)
            self._texts[id(value)] = None if text is None else escape(text[: MAX_OUTPUT + 1])
        return self._texts[id(value)]

    def address(self, value: Any) -> str | None:
        """Where a value leads, escaped; None where it leads nowhere, or where it would run something."""
        if id(value) not in self._addresses:
            address = address_of(value, self.link) or shown(value)
            sound = address is not None and len(address) <= MAX_ADDRESS and safe_address(address)
            self._addresses[id(value)] = escape(address) if address is not None and sound else None
        return self._addresses[id(value)]

    def reference(self, value: Any) -> str | None:
        """The same of what names something else; None of a text that only could be an address."""
        return self.address(value) if address_of(value, self.link) is not None else None

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
        text = filling.text(scope.find(self.path))
        if text is None:
            return False
        out.append(filling.spend(text))
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
        alone = self.address and len(self.pieces) == 1
        for piece in self.pieces:
            if isinstance(piece, str):
                found.append(escape(piece))
                continue
            value = scope.find(piece)
            text = filling.address(value) if alone else filling.text(value)
            if text is None:
                return False
            found.append(text)
        text = "".join(found)
        if self.address and not alone and (len(text) > MAX_ADDRESS or not safe_address(unescape(text))):
            return False
        out.append(filling.spend(f' {self.name}="{text}"'))
        return True


@dataclass(slots=True)
class _Element:
    """An element that has something to be filled in: hidden where what stands in it itself lacks anything."""

    tag: str
    attributes: tuple[_Part, ...]
    inner: tuple[_Part, ...]
    opening: str = field(init=False, default="")  # all of its tag, where nothing in it is to be filled in

    def __post_init__(self) -> None:
        fixed = [attribute.text for attribute in self.attributes if isinstance(attribute, _Text)]
        if len(fixed) == len(self.attributes):
            self.opening = f"<{self.tag}{''.join(fixed)}>"

    def fill(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        filling.step()
        own: _Out = []
        if self._made(own, scope, filling):
            out += own
        return True  # what stands around it lacks nothing

    def _made(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        return self._opened(out, scope, filling) and self._filled(out, scope, filling)

    def _opened(self, out: _Out, scope: Scope, filling: _Filling) -> bool:
        if self.opening:
            out.append(filling.spend(self.opening))
            return True
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
        inner = filling.text(value)
        if inner is None:
            return False
        if (address := filling.reference(value)) is not None:
            inner = f'<a href="{address}">{inner}</a>'
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
        address = filling.reference(value)
        if address is None:
            return False
        inner = Scope(value.get("payload", value) if isinstance(value, dict) else value, scope)
        out.append(filling.spend(f"<{self.tag}"))
        if not all(attribute.fill(out, inner, filling) for attribute in self.attributes):
            return False
        out.append(filling.spend(f' href="{address}">' if self.links else ">"))
        if not _blank(self.inner):
            return self._filled(out, inner, filling)
        text = filling.text(value) or address
        out.append(filling.spend(text if self.tag == "a" else f'<a href="{address}">{text}</a>'))
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


def compile_template(source: str, *, foreign: bool = False) -> Template:
    """`foreign`: it is somebody else's than the page's owner: what could lead away or speak to others is left out.

    Raises INVALID_VALUE where it is too large, or nested too deep.
    """
    made = _compiled(source, foreign) if len(source) <= MAX_SOURCE else _TOO_LARGE
    if isinstance(made, str):
        raise OceanError("INVALID_VALUE", made, "Move what does not change into files of its own.")
    return made


_TOO_LARGE = f"A template has at most {MAX_SOURCE // 1024} KB and {MAX_TAGS} tags."


@lru_cache(maxsize=64)
def _compiled(source: str, foreign: bool) -> Template | str:
    """A template, or what is wrong with it."""
    if source.count("<") > MAX_TAGS:
        return _TOO_LARGE
    if markup.piles_up(source):
        return "The template opens too many of b, i, a and the like within each other."
    document = source[:1000].lstrip().lower().startswith(("<!doctype", "<html"))
    # The first node of a part has the HTML of all that follow it: a comment that is left out stands there.
    root = LexborHTMLParser(source if document else f"<!---->{source}", is_fragment=not document).root
    parts: list[_Part] = [_Text("<!doctype html>")] if document else []
    try:
        parts += _Reader(foreign).siblings(root, 0)
    except OceanError as fault:
        return fault.message
    return Template(_joined(parts), document)


# What a template of somebody else's may not have: it would run, load, send or lead to what the page's owner knows nothing of.
_FOREIGN = frozenset((
    "script", "meta", "base", "link", "iframe", "frame", "frameset", "object", "embed", "applet", "form", "input", "button", "textarea",
    "select", "template", "noscript", "portal",
))  # fmt: skip
_FOREIGN_ATTRIBUTES = frozenset(("referrerpolicy", "ping", "srcdoc", "autofocus", "formaction", "target", "download"))


class _Reader:
    """Reads a template's nodes to parts."""

    def __init__(self, foreign: bool) -> None:
        self._foreign = foreign

    def siblings(self, node: LexborNode | None, depth: int) -> list[_Part]:
        if depth > MAX_DEPTH:
            raise OceanError("INVALID_VALUE", f"The template is nested deeper than {MAX_DEPTH} elements.")
        parts: list[_Part] = []
        while node is not None:
            parts += self._node(node, depth)
            node = node.next
        return parts

    def _node(self, node: LexborNode, depth: int) -> list[_Part]:
        if node.is_text_node:
            return [
                _Value(piece) if isinstance(piece, tuple) else _Text(escape(piece, quote=False))
                for piece in _pieces(node.text_content or "")
            ]
        if not node.is_element_node or node.tag is None:  # comments are left out
            return []
        tag = node.tag
        if self._foreign and tag in _FOREIGN:
            return []
        if tag in _RAW:
            return [_Text(node.html or "")]
        array, ref = node.attributes.get("data-array"), node.attributes.get("data-ref")
        attributes = self._attributes(node)
        inner = _joined(self.siblings(node.first_child, depth + 1))
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

    def _attributes(self, node: LexborNode) -> tuple[_Part, ...]:
        found: list[_Part] = []
        for name, value in node.attributes.items():
            if name in ("data-array", "data-ref") or (self._foreign and (name in _FOREIGN_ATTRIBUTES or name.startswith("on"))):
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
