"""Slots: what may stand in a form's upper-case places, how each is read and how it is printed back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grammar.conditions import condition, field, show_condition
from grammar.cursor import Cursor
from grammar.tokens import NUMBER, PUNCT, STRING, WORD
from grammar.values import fields, number, object_, show, show_fields, show_name, unquote, value


@dataclass(frozen=True, slots=True)
class Slot:
    """A kind of place: `read` takes it from a cursor, `show` prints it, `says` names it in an error."""

    read: Callable[[Cursor], Any]
    show: Callable[[Any], str]
    says: str


def _bare(says: str) -> Callable[[Cursor], str]:
    def read(cursor: Cursor) -> str:
        token = cursor.peek
        if token.kind == STRING:
            cursor.advance()
            return unquote(cursor, token.text, token.offset)
        if token.kind in (WORD, NUMBER) and not token.text.startswith("@"):
            cursor.advance()
            return token.text
        raise cursor.error(says)

    return read


def _key(cursor: Cursor) -> str:
    token = cursor.peek
    if token.kind == WORD and token.text.startswith("@"):
        cursor.advance()
        if len(token.text) > 1:
            return token.text[1:]
        quoted = cursor.peek
        if quoted.kind == STRING and quoted.offset == token.offset + 1:
            cursor.advance()
            return unquote(cursor, quoted.text, quoted.offset)
    raise cursor.error("a key (@name)")


def _identity(cursor: Cursor) -> str:
    """A key of a person or program: `@KEY`, `KEY` or quoted."""
    return _key(cursor) if cursor.peek.text.startswith("@") else _bare("a key")(cursor)


def _text(cursor: Cursor) -> str:
    token = cursor.peek
    if token.kind != STRING:
        raise cursor.error("text in quotes")
    cursor.advance()
    return unquote(cursor, token.text, token.offset)


def _integer(cursor: Cursor) -> int:
    token = cursor.peek
    if token.kind != NUMBER or not token.text.lstrip("-").isdigit() or len(token.text) > 18:
        raise cursor.error("a whole number")
    cursor.advance()
    return int(token.text)


def _number(cursor: Cursor) -> int | float:
    token = cursor.peek
    if token.kind != NUMBER or len(token.text) > 18:
        raise cursor.error("a number")
    cursor.advance()
    return number(token.text)


def _body(cursor: Cursor) -> Any:
    """A payload: `name: value ...`, or one value."""
    token = cursor.peek
    following = cursor.peek_at(1)
    if token.kind in (WORD, STRING, NUMBER) and following.kind == PUNCT and following.text == ":":
        return fields(cursor)
    return value(cursor)


def _show_body(item: Any) -> str:
    return show_fields(item) if isinstance(item, dict) and item else show(item)


def _changes(cursor: Cursor) -> dict[str, Any]:
    return object_(cursor) if cursor.at_punct("{") else fields(cursor)


def _sorts(cursor: Cursor) -> list[dict[str, Any]]:
    sorts: list[dict[str, Any]] = []
    while True:
        name = field(cursor)
        descending = cursor.take_word("desc")
        if not descending:
            cursor.take_word("asc")
        sorts.append({"field": name, "descending": descending})
        if not cursor.take_punct(","):
            return sorts


def _show_field(name: str) -> str:
    shown = show_name(name)
    return name if shown == name and not name.startswith("@") else show(name)


def _show_sorts(sorts: list[dict[str, Any]]) -> str:
    return ", ".join(_show_field(s["field"]) + (" desc" if s["descending"] else "") for s in sorts)


def _names(cursor: Cursor) -> list[str]:
    names = [_bare("a field's name")(cursor)]
    while cursor.take_punct(","):
        names.append(_bare("a field's name")(cursor))
    return [n.removeprefix(".") if len(n) > 1 else n for n in names]


def _show_bare(text: str) -> str:
    plain = text and not text.startswith(("@", "--", "//")) and all(c.isalnum() or c in "._~-/*" for c in text)
    return text if plain and text.isascii() else show(text)


def _show_key(key: str) -> str:
    return "@" + (key if key.isascii() and all(c.isalnum() or c in "._~-/" for c in key) and key else show(key))


SLOTS: dict[str, Slot] = {
    "route": Slot(_bare("a route"), _show_bare, "a route"),
    "prefix": Slot(_bare("a route"), _show_bare, "a route"),
    "key": Slot(_key, _show_key, "a key (@name)"),
    "identity": Slot(_identity, _show_bare, "a key"),
    "text": Slot(_text, show, "text in quotes"),
    "word": Slot(_bare("a word"), _show_bare, "a word"),
    "field": Slot(field, _show_field, "a field's name"),
    "mode": Slot(_bare("a mode"), _show_bare, "a mode"),
    "count": Slot(_integer, show, "a whole number"),
    "integer": Slot(_integer, show, "a whole number"),
    "number": Slot(_number, show, "a number"),
    "body": Slot(_body, _show_body, "a payload"),
    "changes": Slot(_changes, _show_body, "fields to change"),
    "object": Slot(object_, show, "an object"),
    "condition": Slot(condition, show_condition, "a condition"),
    "sorts": Slot(_sorts, _show_sorts, "fields to sort by"),
    "names": Slot(_names, lambda names: ", ".join("*" if n == "*" else _show_field(n) for n in names), "fields"),
}
