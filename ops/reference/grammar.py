"""The published grammar (Lark) and the editor mode (TextMate), from the forms that the parser itself reads by."""

from __future__ import annotations

import json

from grammar.forms import Choice, Form, Part, Place, Word
from ocean.commands.table import LANGUAGE

_HEAD = """// Drops, the language of Infinite Ocean, for Lark (Earley). Made from the table of commands by `make docs`.
// Optional clauses of a statement may come in any order; here they stand in their usual one. A new line ends a statement,
// but for one that opens with a clause's word, a key, or a field and a colon. `--` and `//` begin comments.
"""

_BASE = r"""
// What stands in a statement's places.
route: NAME | STRING
prefix: NAME | NAME "/*" | STRING
key: KEY
identity: KEY | NAME | STRING
name: NAME | STRING
field: FIELD | STRING
label: LABEL ":"
recipient: STRING | FIELD
schedule: "day at 9am" | INTEGER _S "minutes" | "hour"
body: fields | value
changes: object | fields
fields: pair (_S pair)*
pair: field_name ":" _S value
field_name: NAME | STRING
value: STRING | NUMBER | "true" | "false" | "null" | list | object
list: "(" [value ("," _S value)*] ")" | "[" [value ("," _S value)*] "]"
object: "{" [_S? pair ("," _S pair)*] _S? "}"

// Conditions.
condition: conjunction (_S "or" _S conjunction)*
conjunction: negation (_S "and" _S negation)*
negation: ["not" _S] "(" condition ")" | test
test: field _S? OPERATOR _S? value
    | field _S "contains" _S value
    | field _S "starts" _S "with" _S STRING
    | field _S "ends" _S "with" _S STRING
    | field _S ["not" _S] "in" _S list
    | field _S "exists"
    | field _S "missing"
    | field _S "between" _S value _S "and" _S value
    | field _S "matches" _S STRING

// Clauses.
sorts: sort ("," _S sort)*
sort: field [_S ("desc" | "asc")]
names: field ("," _S field)*
picks: pick ("," _S pick)*
pick: "*" | FIELD | FIELD _S "as" _S name
grouping: group_fields (_S aggregate)* | aggregate (_S aggregate)*
group_fields: FIELD ("," _S FIELD)*
aggregate: ("sum" | "avg" | "min" | "max" | "first" | "last" | "distinct") _S FIELD | "count"
joins: join (_S join)*
join: ["inner" _S | "left" _S] "join" _S route [_S "as" _S NAME] _S "on" _S on (_S "and" _S on)*
on: FIELD _S "=" _S FIELD

NAME: /[A-Za-z_][A-Za-z0-9_]*(\/[A-Za-z0-9_]+)*/
FIELD: /\.?[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*/
LABEL: /[A-Za-z_][A-Za-z0-9_-]*/
KEY: /@[A-Za-z0-9_][A-Za-z0-9_.\/-]*/ | "@" STRING
STRING: /"([^"\\]|\\["\\nt])*"/ | /'([^'\\]|\\['\\nt])*'/
NUMBER: /-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?/
INTEGER: /[1-9][0-9]{0,8}/
OPERATOR: "=" | "!=" | ">=" | "<=" | ">" | "<"
_S: " "
"""


def published() -> str:
    """drops.lark."""
    rules: list[str] = []
    names: list[str] = []
    for command, forms in LANGUAGE.forms.items():
        name = command.replace(" ", "_")
        names.append(f"{name}_statement")
        bodies = [f"{_words(form.words)} {_rest(form)}".strip() for form in forms]
        rules.append(f"{name}_statement: " + "\n    | ".join(bodies))
    bare = "bare_get_statement: route _S key"
    piped = ["find_statement", "list_statement"]
    plain = [name for name in names if name not in piped]
    stages = [f"{_words(form.words)} {_rest(form)}".strip() for form in LANGUAGE.stages.values()]
    lines = [
        _HEAD,
        "start: statement (SEPARATOR statement)*",
        'SEPARATOR: "; " | "\\n"',
        "statement: " + "\n    | ".join(["piped", *plain, "bare_get_statement"]),
        f'piped: ({" | ".join(piped)}) (_S "then" _S stage)*',
        "inner: " + " | ".join(name for name in plain if name in ("save_statement", "update_statement", "remove_statement")),
        "",
        *rules,
        bare,
        "",
        "// The stages of a pipe.",
        "stage: " + "\n    | ".join(stages),
        _BASE,
    ]
    return "\n".join(lines)


def _words(words: tuple[str, ...]) -> str:
    return " _S ".join(f'"{word}"' for word in words)


def _rest(form: Form) -> str:
    """What follows a form's opening words, each part with its space."""
    return " ".join(_part(part) for part in form.parts)


def _part(part: Part) -> str:
    if isinstance(part, Choice):
        inner = " ".join(_part(piece) for piece in part.parts)
        return f"[{inner}]"
    if isinstance(part, Word):
        return f'_S "{part.text}"'
    return f"_S {_place(part)}" if _place(part) else ""


def _place(place: Place) -> str:
    if place.kind == "statements":
        return '"(" inner ("," _S inner)* ")"'
    if place.kind == "statement":
        return "piped"
    assert place.slot is not None
    return place.slot.rule


def textmate() -> str:
    """drops.tmLanguage.json."""
    commands = sorted({word for forms in LANGUAGE.forms.values() for form in forms for word in form.words})
    stages = {word for form in LANGUAGE.stages.values() for word in form.words}
    inner = {w.text for forms in LANGUAGE.forms.values() for form in forms for p in form.parts
             for w in (p.parts if isinstance(p, Choice) else (p,)) if isinstance(w, Word)}  # fmt: skip
    clauses = sorted(
        (LANGUAGE.clauses | stages | inner | {"on", "as", "desc", "asc", "sum", "avg", "min", "max", "count", "distinct"}) - {""}
    )
    tests = ["contains", "starts with", "ends with", "not in", "in", "exists", "missing", "between", "matches"]
    pattern = {
        "comment.line.drops": r"(--(?=\s|$)|//).*$",
        "string.quoted.double.drops": r'"([^"\\]|\\.)*"',
        "string.quoted.single.drops": r"'([^'\\]|\\.)*'",
        "entity.name.tag.key.drops": r"@[^\s()\[\]{},;:\"'=<>!]+",
        "constant.language.drops": r"\b(true|false|null)\b",
        "constant.numeric.drops": r"(?<![\w./-])-?\d+(\.\d+)?([eE][+-]?\d+)?(?![\w./-])",
        "variable.other.property.drops": r"[A-Za-z_$][\w.$-]*(?=:)",
        "keyword.control.drops": rf"^\s*({'|'.join(commands)})\b",
        "keyword.operator.word.drops": rf"\b({'|'.join(tests)})\b",
        "keyword.other.drops": rf"(?<![\w./-])({'|'.join(clauses)})(?![\w./-])",
        "keyword.operator.drops": r"!=|>=|<=|=|>|<",
    }
    mode = {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "Drops",
        "scopeName": "source.drops",
        "fileTypes": ["drops"],
        "patterns": [{"name": name, "match": match} for name, match in pattern.items()],
    }
    return json.dumps(mode, indent=2) + "\n"
