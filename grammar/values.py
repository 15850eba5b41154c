"""Values: strings, numbers, true/false/null, `(lists)`, `{objects}` and `name: value` fields."""

from __future__ import annotations

import json
import re
from typing import Any

from grammar.cursor import Cursor
from grammar.tokens import NUMBER, PUNCT, STRING, WORD

MAX_DEPTH = 64
_ELSEWHERE = {"true": "true", "false": "false", "none": "null", "null": "null", "nil": "null"}  # as others write them
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"', "'": "'"}
_BARE_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]*")


def unquote(cursor: Cursor, raw: str, offset: int) -> str:
    body = raw[1:-1]
    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] == "u" and len(code) == 5:
            return chr(int(code[1:], 16))
        if code in _ESCAPES:
            return _ESCAPES[code]
        raise cursor.error('a known escape such as \\n or \\"', at=offset + 1 + match.start(), found=f"'\\{code}'")

    text = _ESCAPE.sub(replace, body)
    if any("\ud800" <= c <= "\udfff" for c in text):
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise cursor.error("a whole character", at=offset, found="half of a surrogate pair") from None
    return text


def number(text: str) -> int | float:
    return float(text) if any(c in text for c in ".eE") else int(text)


def value(cursor: Cursor, depth: int = 0) -> Any:
    """One value. A bare word other than true, false and null is an error: text wants quotes."""
    token = cursor.peek
    if token.kind == STRING:
        cursor.advance()
        return unquote(cursor, token.text, token.offset)
    if token.kind == NUMBER:
        if len(token.text) > 400:
            raise cursor.error("a number of at most 400 digits", found="a longer one")
        cursor.advance()
        parsed = number(token.text)
        if parsed in (float("inf"), float("-inf")):
            raise cursor.error("a finite number", at=token.offset, found=f"'{token.text}'")
        return parsed
    if token.kind == WORD and token.text in _CONSTANTS:
        cursor.advance()
        return _CONSTANTS[token.text]
    if token.kind == PUNCT and token.text in "([{":
        if depth >= MAX_DEPTH:
            raise cursor.error(f"at most {MAX_DEPTH} levels of nesting", found="a deeper one")
        return object_(cursor, depth + 1) if token.text == "{" else list_(cursor, depth + 1)
    likely = (_ELSEWHERE.get(token.text.lower()) or f'"{token.text}"') if token.kind == WORD else None
    raise cursor.error("a value (text in quotes, a number, true, false, null, a list or an object)", likely=likely)


def list_(cursor: Cursor, depth: int = 1) -> list[Any]:
    closing = ")" if cursor.advance().text == "(" else "]"
    items: list[Any] = []
    while not cursor.take_punct(closing):
        items.append(value(cursor, depth))
        if not cursor.take_punct(",") and not cursor.at_punct(closing):
            raise cursor.error(f"',' or '{closing}'")
    return items


def object_(cursor: Cursor, depth: int = 1) -> dict[str, Any]:
    cursor.expect_punct("{")
    result: dict[str, Any] = {}
    while not cursor.take_punct("}"):
        start = cursor.peek.offset
        name = field_name(cursor)
        # `{ input }` is short for `{ input: null }`: the seed shows it as a placeholder.
        item = value(cursor, depth) if cursor.take_punct(":") else None
        if name in result:
            raise cursor.error("each field once", at=start, found=f"'{name}' again")
        result[name] = item
        cursor.take_punct(",")
    return result


def field_name(cursor: Cursor) -> str:
    token = cursor.peek
    if token.kind == STRING:
        cursor.advance()
        return unquote(cursor, token.text, token.offset)
    if token.kind in (WORD, NUMBER):
        cursor.advance()
        return token.text
    raise cursor.error("a field's name")


def fields(cursor: Cursor) -> dict[str, Any]:
    """`name: value name: value ...`, commas allowed, up to the first thing that is not a field."""
    result: dict[str, Any] = {}
    while cursor.peek.kind in (WORD, STRING, NUMBER) and cursor.peek_at(1).text == ":" and cursor.peek_at(1).kind == PUNCT:
        start = cursor.peek.offset
        name = field_name(cursor)
        cursor.expect_punct(":")
        item = value(cursor, 1)
        if name in result:
            raise cursor.error("each field once", at=start, found=f"'{name}' again")
        result[name] = item
        if cursor.at_punct(",") and cursor.peek_at(2).text == ":" and cursor.peek_at(2).kind == PUNCT:
            cursor.advance()
    if not result:
        raise cursor.error("a field (name: value)")
    return result


def show(item: Any) -> str:
    """A value as Drops text."""
    if isinstance(item, dict):
        inner = ", ".join(f"{show_name(k)}: {show(v)}" for k, v in item.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(item, list):
        return f"({', '.join(map(show, item))})"
    return json.dumps(item, ensure_ascii=False)


def show_name(name: str) -> str:
    return name if _BARE_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def show_fields(items: dict[str, Any]) -> str:
    return " ".join(f"{show_name(k)}: {show(v)}" for k, v in items.items())
