"""Statements made from the command table's own forms, some of them bent."""

from __future__ import annotations

import random
import re

from ocean.commands.table import COMMANDS, STAGES

_PIECE = re.compile(r"\[|\]|@?[A-Z_]+(?::[a-z]+)?|[^\s\[\]]+")
_ROUTES = [
    "a",
    "a/b",
    "users",
    "a/b/c/d",
    "_memory",
    "shared/x",
    "trust/x",
    "patterns",
    "A",
    "..",
    "a//b",
    "x" * 600,
    "~",
    "_config",
    "a/*",
]
_KEYS = ["k", "a/b", "index", "_access", "_config", '"quoted key"', "1", '"é"', '"a\\u0000b"', "x" * 600]
_VALUES = [
    "1",
    "-2.5",
    '"text"',
    "'single'",
    "true",
    "null",
    "(1, 2)",
    "{}",
    "{ a: { b: 1 } }",
    "1e400",
    "9" * 40,
    '"\\ud800"',
    "((((1))))",
    '"{"',
]
_FIELDS = ["name", "a.b", ".a", "key", "created_at", '"odd name"', "route", "n", "x" * 600]
_COMPARE = [
    "= 1",
    '!= "a"',
    "> 5",
    "contains 'a'",
    "starts with 'a'",
    "in (1, 'a')",
    "not in ()",
    "exists",
    "missing",
    "between 1 and 2",
    "matches 'a+'",
    "= (1)",
    "> null",
]
_BENT = ["(", ")", ",", "then", "where", "--", '"', "\n", ";", "@", "=", "and", "\x00", "💧", "find", "limit -1"]


def _condition(chance: random.Random, depth: int = 0) -> str:
    if depth < 3 and chance.random() < 0.3:
        inner = [_condition(chance, depth + 1) for _ in range(2)]
        return chance.choice([f"({inner[0]} and {inner[1]})", f"{inner[0]} or {inner[1]}", f"not {inner[0]}"])
    return f"{chance.choice(_FIELDS)} {chance.choice(_COMPARE)}"


def _slot(chance: random.Random, kind: str) -> str:
    pick = chance.choice
    made = {
        "route": lambda: pick(_ROUTES),
        "prefix": lambda: pick(_ROUTES),
        "key": lambda: "@" + pick(_KEYS),
        "identity": lambda: pick(["KEY", "@KEY"]),
        "body": lambda: pick([pick(_VALUES), f"{pick(['a', 'n'])}: {pick(_VALUES)}"]),
        "changes": lambda: f"n: {pick(_VALUES)}",
        "condition": lambda: _condition(chance),
        "sorts": lambda: f"{pick(_FIELDS)}{pick(['', ' desc'])}",
        "names": lambda: f"{pick(_FIELDS)}, {pick(_FIELDS)}",
        "picks": lambda: pick([f"{pick(_FIELDS)}, *", f"{pick(_FIELDS)} as {pick(_FIELDS)}", "*"]),
        "grouping": lambda: f"{pick(_FIELDS)} {pick(['count', 'sum n', 'avg a.b', 'first key', 'distinct n count', 'max created_at'])}",
        "joins": lambda: f"{pick(['join', 'inner join'])} {pick(_ROUTES)} on {pick(_FIELDS)} = {pick(_FIELDS)}",
        "object": lambda: pick(
            ['{ $gte: "2026-03-01" }', "{ $near: { lat: 1, lon: 2, radius_km: 3 } }", "{ a: 1 }", "{ EUR: { $gt: 1 } }"]
        ),
        "statement": lambda: statement(chance, pipes=False),
        "recipient": lambda: pick(_FIELDS),
        "schedule": lambda: "5 minutes",
        "label": lambda: "name:",
        "flag": lambda: "",
        "name": lambda: pick(["todo", "x"]),
        "statements": lambda: f"({statement(chance, pipes=False)}, {statement(chance, pipes=False)})",
        "text": lambda: pick(['"t"', '"2026-01-01"', '"SELECT n FROM a"', '"find a"', '"a/b"', '"users"']),
        "field": lambda: pick(_FIELDS),
        "mode": lambda: pick(["shared", "open", "protected"]),
        "word": lambda: pick(["find", "x", "csv", "sql", "curl", "rest", "mysql"]),
    }
    return made.get(kind, lambda: pick(["1", "5", "-3", "0", "1.5", "99999999999999999999"]))()


def _form(chance: random.Random, source: str) -> str:
    out: list[str] = []
    skipping = False
    for piece in _PIECE.findall(source):
        if piece == "[":
            skipping = chance.random() < 0.5
        elif piece == "]":
            skipping = False
        elif not skipping:
            name, _, kind = piece.removeprefix("@").partition(":")
            out.append(_slot(chance, kind or ("key" if piece.startswith("@") else name.lower())) if name.isupper() else piece)
    return " ".join(out)


def statement(chance: random.Random, *, pipes: bool = True) -> str:
    forms = [form for command in COMMANDS.values() for form in command.forms]
    text = _form(chance, chance.choice(forms))
    while pipes and chance.random() < 0.3:
        text += " then " + _form(chance, chance.choice(list(STAGES.values())))
    if pipes and chance.random() < 0.3:
        words = text.split(" ")
        words.insert(chance.randrange(len(words) + 1), chance.choice(_BENT))
        text = " ".join(words)
    return text
