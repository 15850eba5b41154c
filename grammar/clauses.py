"""Clauses: what stands after sort, pick, group and join, read to plain values and printed back."""

from __future__ import annotations

from typing import Any

from grammar.conditions import field, show_field
from grammar.cursor import Cursor
from grammar.tokens import NUMBER, STRING, WORD
from grammar.values import show, unquote

AGGREGATES = ("sum", "avg", "min", "max", "first", "last", "distinct", "count")


def name_of(cursor: Cursor, says: str) -> str:
    """A bare word or quoted text."""
    token = cursor.peek
    if token.kind == STRING:
        cursor.advance()
        return unquote(cursor, token.text, token.offset)
    if token.kind in (WORD, NUMBER) and not token.text.startswith("@"):
        cursor.advance()
        return token.text
    raise cursor.error(says)


def show_bare(text: str) -> str:
    plain = text and not text.startswith(("@", "--", "//")) and all(c.isalnum() or c in "._~-/*" for c in text)
    return text if plain and text.isascii() else show(text)


def sorts(cursor: Cursor) -> list[dict[str, Any]]:
    """`a, b desc`: `[{"field": "a", "descending": False}, ...]`."""
    found: list[dict[str, Any]] = []
    while True:
        name = field(cursor)
        descending = cursor.take_word("desc")
        if not descending:
            cursor.take_word("asc")
        found.append({"field": name, "descending": descending})
        if not cursor.take_punct(","):
            return found


def show_sorts(items: list[dict[str, Any]]) -> str:
    return ", ".join(show_field(s["field"]) + (" desc" if s["descending"] else "") for s in items)


def picks(cursor: Cursor) -> list[str | dict[str, str]]:
    """`a, *, b as c`: `["a", "*", {"field": "b", "as": "c"}]`."""
    found: list[str | dict[str, str]] = []
    while True:
        name = name_of(cursor, "a field's name")
        name = name.removeprefix(".") if len(name) > 1 else name
        if name != "*" and cursor.take_word("as"):
            found.append({"field": name, "as": name_of(cursor, "the name that the field shall have")})
        else:
            found.append(name)
        if not cursor.take_punct(","):
            return found


def show_picks(items: list[str | dict[str, str]]) -> str:
    return ", ".join(
        f"{show_field(item['field'])} as {show_bare(item['as'])}" if isinstance(item, dict) else "*" if item == "*" else show_field(item)
        for item in items
    )


def names(cursor: Cursor) -> list[str]:
    """`a, b.c`."""
    found = [field(cursor)]
    while cursor.take_punct(","):
        found.append(field(cursor))
    return found


def grouping(cursor: Cursor) -> dict[str, Any]:
    """`category, region sum amount count`: `{"by": [...], "aggregates": [{"op": "sum", "field": "amount"}, {"op": "count"}]}`.

    Without fields (`group sum amount`) all records are one group.
    """
    by: list[str] = []
    if not _at_aggregate(cursor):
        by.append(field(cursor))
        while cursor.take_punct(","):
            by.append(field(cursor))
    aggregates: list[dict[str, str]] = []
    while _at_aggregate(cursor):
        op = cursor.advance().text
        aggregates.append({"op": op} if op == "count" else {"op": op, "field": field(cursor)})
        cursor.take_punct(",")
    return {"by": by, "aggregates": aggregates}


def _at_aggregate(cursor: Cursor) -> bool:
    """Whether an aggregate begins here; a field of that name is quoted, or stands before a comma."""
    token, after = cursor.peek, cursor.peek_at(1)
    if token.kind != WORD or token.text not in AGGREGATES:
        return False
    return token.text == "count" or after.kind in (WORD, STRING)


def show_grouping(item: dict[str, Any]) -> str:
    by = [show(name) if name in AGGREGATES else show_field(name) for name in item["by"]]
    shown = [", ".join(by)] if by else []
    shown += [a["op"] if a["op"] == "count" else f"{a['op']} {show_field(a['field'])}" for a in item["aggregates"]]
    return " ".join(shown)


JOINS = ("join", "inner", "left")


def joins(cursor: Cursor) -> list[dict[str, Any]]:
    """`join users as u on user_id = u.key`, several of them: `[{"route", "as"?, "kind", "on": [[left, right], ...]}]`."""
    found: list[dict[str, Any]] = []
    while cursor.peek.kind == WORD and cursor.peek.text in JOINS:
        kind = "inner" if cursor.take_word("inner") else "left"
        if kind == "left":
            cursor.take_word("left")
        cursor.expect_word("join")
        join: dict[str, Any] = {"route": name_of(cursor, "a folder to join"), "kind": kind}
        if cursor.take_word("as"):
            join["as"] = name_of(cursor, "a name for the folder")
        cursor.expect_word("on")
        join["on"] = [_pair(cursor)]
        while cursor.take_word("and"):
            join["on"].append(_pair(cursor))
        found.append(join)
    return found


def _pair(cursor: Cursor) -> list[str]:
    left = field(cursor)
    if cursor.peek.text != "=":
        raise cursor.error("'=' and a field of the joined folder")
    cursor.advance()
    return [left, field(cursor)]


def show_joins(items: list[dict[str, Any]]) -> str:
    return " ".join(_show_join(item) for item in items)


def _show_join(item: dict[str, Any]) -> str:
    named = f" as {show_bare(item['as'])}" if "as" in item else ""
    on = " and ".join(f"{show_field(a)} = {show_field(b)}" for a, b in item["on"])
    return f"{'inner ' if item['kind'] == 'inner' else ''}join {show_bare(item['route'])}{named} on {on}"
