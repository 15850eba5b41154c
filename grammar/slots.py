"""Slots: what may stand in a form's upper-case places, how each is read and how it is printed back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grammar import clauses
from grammar.clauses import name_of, show_bare
from grammar.conditions import condition, field, show_condition, show_field
from grammar.cursor import Cursor
from grammar.tokens import NUMBER, PUNCT, STRING, WORD, Token
from grammar.values import fields, number, object_, show, show_fields, unquote, value


def _opens_word(token: Token) -> bool:
    return token.kind == WORD and token.text != "then"


def _opens_name(token: Token) -> bool:
    return token.kind in (STRING, NUMBER) or _opens_word(token)


@dataclass(frozen=True, slots=True)
class Slot:
    """A kind of place: `read` takes it from a cursor, `show` prints it, `rule` names it in the published grammar.

    `opens` tells whether a token can begin it, where it may be left out; `words` are the words that it can begin with, if only these.
    """

    read: Callable[[Cursor], Any]
    show: Callable[[Any], str]
    rule: str
    opens: Callable[[Token], bool] = _opens_word
    words: tuple[str, ...] = ()


def _bare(says: str) -> Callable[[Cursor], str]:
    return lambda cursor: name_of(cursor, says)


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


def _show_key(key: str) -> str:
    return "@" + (key if key.isascii() and all(c.isalnum() or c in "._~-/" for c in key) and key else show(key))


def _identity(cursor: Cursor) -> str:
    """A key of a person or program: `@KEY`, `KEY` or quoted."""
    return _key(cursor) if cursor.peek.text.startswith("@") else name_of(cursor, "a key")


def _name(cursor: Cursor) -> str:
    """A word that is not in quotes."""
    token = cursor.peek
    if token.kind != WORD or token.text.startswith("@"):
        raise cursor.error("a name")
    cursor.advance()
    return token.text


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
    found = number(token.text) if token.kind == NUMBER and len(token.text) <= 40 else None
    if found is None or abs(found) > (10**18 if isinstance(found, int) else 1e300):
        raise cursor.error("a number")
    cursor.advance()
    return found


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


def _recipient(cursor: Cursor) -> dict[str, str]:
    """An address in quotes, or the field of each record that has it."""
    return {"address": _text(cursor)} if cursor.peek.kind == STRING else {"field": field(cursor)}


def _show_recipient(item: dict[str, str]) -> str:
    return show(item["address"]) if "address" in item else show_field(item["field"])


def _schedule(cursor: Cursor) -> str:
    """`day at 9am`, `5 minutes`: the words up to a name with a colon."""
    words: list[str] = []
    while cursor.peek.kind in (WORD, NUMBER) and not (cursor.peek_at(1).kind == PUNCT and cursor.peek_at(1).text == ":"):
        words.append(cursor.advance().text)
    if not words:
        raise cursor.error("a schedule, such as 5 minutes, or day at 9am")
    return " ".join(words)


def _label(cursor: Cursor) -> str:
    name = name_of(cursor, "a name and ':'")
    cursor.expect_punct(":")
    return name


def _flag(cursor: Cursor) -> bool:
    return True


def _is(kind: str) -> Callable[[Token], bool]:
    return lambda token: token.kind == kind


SLOTS: dict[str, Slot] = {
    "route": Slot(_bare("a route"), show_bare, "route"),
    "prefix": Slot(_bare("a route"), show_bare, "prefix"),
    "key": Slot(_key, _show_key, "key", lambda token: token.kind == WORD and token.text.startswith("@")),
    "identity": Slot(_identity, show_bare, "identity"),
    "text": Slot(_text, show, "STRING", _is(STRING)),
    "name": Slot(_name, lambda name: name, "NAME"),
    "word": Slot(_bare("a word"), show_bare, "name", _opens_name),
    "field": Slot(field, show_field, "field"),
    "mode": Slot(_bare("a mode"), show_bare, "name", _opens_name),
    "count": Slot(_integer, show, "INTEGER", _is(NUMBER)),
    "integer": Slot(_integer, show, "INTEGER", _is(NUMBER)),
    "number": Slot(_number, show, "NUMBER", _is(NUMBER)),
    "body": Slot(_body, _show_body, "body"),
    "changes": Slot(_changes, _show_body, "changes"),
    "object": Slot(object_, show, "object", lambda token: token.text == "{"),
    "condition": Slot(condition, show_condition, "condition"),
    "sorts": Slot(clauses.sorts, clauses.show_sorts, "sorts"),
    "names": Slot(clauses.names, lambda names: ", ".join(map(show_field, names)), "names"),
    "picks": Slot(clauses.picks, clauses.show_picks, "picks"),
    "grouping": Slot(clauses.grouping, clauses.show_grouping, "grouping"),
    "joins": Slot(
        clauses.joins, clauses.show_joins, "joins", lambda token: token.kind == WORD and token.text in clauses.JOINS, clauses.JOINS
    ),
    "recipient": Slot(_recipient, _show_recipient, "recipient"),
    "schedule": Slot(_schedule, lambda words: words, "schedule"),
    "label": Slot(_label, lambda name: f"{show_bare(name)}:", "label"),
    "flag": Slot(_flag, lambda _: "", ""),
}  # fmt: skip
