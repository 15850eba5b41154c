"""Conditions: what stands after `where`, as a small tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

from grammar.cursor import Cursor
from grammar.names import way
from grammar.tokens import OPERATOR, STRING, WORD
from grammar.values import MAX_DEPTH, list_, show, show_name, unquote, value

COMPARISONS = ("=", "!=", ">", ">=", "<", "<=")
WORD_OPERATORS = ("contains", "starts with", "ends with", "in", "not in", "exists", "missing", "between", "matches")


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: `field` is a dotted name, `operator` one of COMPARISONS or WORD_OPERATORS."""

    __test__ = False  # not a test case, whatever a collector thinks of the name
    field: str
    operator: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


Condition = Union[Test, AllOf, AnyOf, Not]  # noqa: UP007 - a forward reference inside `|` is evaluated too early


def condition(cursor: Cursor, depth: int = 0) -> Condition:
    if depth > MAX_DEPTH:
        raise cursor.error(f"at most {MAX_DEPTH} levels of parentheses", found="a deeper one")
    parts = [_and(cursor, depth)]
    while cursor.take_word("or"):
        parts.append(_and(cursor, depth))
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _and(cursor: Cursor, depth: int) -> Condition:
    parts = [_not(cursor, depth)]
    while cursor.take_word("and"):
        parts.append(_not(cursor, depth))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _not(cursor: Cursor, depth: int) -> Condition:
    following = cursor.peek_at(1)
    if cursor.at_word("not") and following.kind != OPERATOR and following.text not in ("in", "exists", "contains"):
        cursor.advance()
        if depth >= MAX_DEPTH:
            raise cursor.error(f"at most {MAX_DEPTH} levels of 'not'", found="a deeper one")
        return Not(_not(cursor, depth + 1))
    if cursor.take_punct("("):
        inner = condition(cursor, depth + 1)
        cursor.expect_punct(")")
        return inner
    return _test(cursor)


def field(cursor: Cursor) -> str:
    """A field's name: bare, quoted, with dots to reach inside, an optional leading dot."""
    token = cursor.peek
    if token.kind == STRING:
        cursor.advance()
        return unquote(cursor, token.text, token.offset)
    if token.kind == WORD and not token.text.startswith("@"):
        name = token.text.removeprefix(".")
        if name and "" not in way(name):
            cursor.advance()
            return name
    raise cursor.error("a field's name")


_ELSEWHERE = {  # what other languages compare with, and what is said here
    "like": 'contains "a", starts with "a" or matches "^a"', "ilike": 'contains "a", starts with "a" or matches "^a"',
    "is": "missing or exists", "isnull": "missing", "==": "=", "=>": ">=", "=<": "<=", "<>": "!=",
}  # fmt: skip


def _test(cursor: Cursor) -> Test:
    name = field(cursor)
    token = cursor.peek
    if token.kind == OPERATOR:
        cursor.advance()
        if cursor.peek.kind == OPERATOR and cursor.peek.offset == token.offset + len(token.text):
            raise cursor.error("a value", write=_ELSEWHERE.get(token.text + cursor.peek.text))
        return Test(name, token.text, value(cursor))
    if token.kind == WORD:
        word = token.text
        if word in ("exists", "missing"):
            cursor.advance()
            return Test(name, word)
        if word in ("contains", "matches"):
            cursor.advance()
            return Test(name, word, value(cursor))
        if word in ("starts", "ends"):
            cursor.advance()
            cursor.expect_word("with")
            return Test(name, f"{word} with", value(cursor))
        if word == "in" or (word == "not" and cursor.peek_at(1).text == "in"):
            cursor.advance()
            if word == "not":
                cursor.advance()
            if not (cursor.at_punct("(") or cursor.at_punct("[")):
                raise cursor.error('a list such as ("a", "b")')
            return Test(name, "in" if word == "in" else "not in", list_(cursor))
        if word == "between":
            cursor.advance()
            low = value(cursor)
            cursor.expect_word("and")
            return Test(name, "between", [low, value(cursor)])
        if word == "not":
            raise cursor.error("'in' behind 'not'", at=cursor.peek_at(1).offset, write=f"not ({show_field(name)} ...), with the comparison")
    raise cursor.error(
        "a comparison (=, !=, >, >=, <, <=, contains, starts with, ends with, in, not in, exists, missing, between, matches)",
        known=("contains", "starts", "ends", "in", "not", "exists", "missing", "between", "matches"),
        write=_ELSEWHERE.get(token.text.lower()) if token.kind == WORD else None,
    )


def show_field(name: str) -> str:
    """A field's name as Drops text: quoted where it is not a plain word."""
    return name if show_name(name) == name and "" not in way(name) else show(name)


def show_condition(part: Condition, inside: bool = False) -> str:
    """A condition as Drops text."""
    if isinstance(part, Test):
        name = show_field(part.field)
        if part.operator in ("exists", "missing"):
            return f"{name} {part.operator}"
        if part.operator == "between":
            return f"{name} between {show(part.value[0])} and {show(part.value[1])}"
        return f"{name} {part.operator} {show(part.value)}"
    if isinstance(part, Not):
        inner = show_condition(part.part, inside=True)
        return f"not {inner}" if isinstance(part.part, AnyOf | AllOf) else f"not ({inner})"
    joined = (" or " if isinstance(part, AnyOf) else " and ").join(show_condition(p, inside=True) for p in part.parts)
    return f"({joined})" if inside else joined
