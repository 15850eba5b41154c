"""Text to tokens: one regular expression, one pass."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple, NoReturn

from grammar.errors import DropsSyntaxError

WORD = "word"
STRING = "string"
NUMBER = "number"
PUNCT = "punct"
OPERATOR = "operator"
NEWLINE = "newline"
END = "end"

_BARE = r"""[^\s()\[\]{},;:"'=<>!]"""
_TOKEN = re.compile(
    rf"""
      (?P<space>[ \t\r\f\v]+ | --(?=\s|$)[^\n]* | --[ ][^\n]* | //[^\n]*)
    | (?P<newline>\n)
    | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!{_BARE}))
    | (?P<string>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*')
    | (?P<operator>!=|>=|<=|=|>|<)
    | (?P<punct>[()\[\]{{}},;:])
    | (?P<word>{_BARE}+)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


def tokenize(text: str) -> list[Token]:
    """Tokens of `text`, ended by one END token. Newlines inside brackets are space; others are kept."""
    tokens: list[Token] = []
    depth = 0
    offset = 0
    match = _TOKEN.match
    length = len(text)
    while offset < length:
        found = match(text, offset)
        if found is None:
            _refuse(text, offset)
        kind = str(found.lastgroup)
        value = found.group()
        if kind == PUNCT:
            depth += (value in "([{") - (value in ")]}")
        if kind != "space" and (kind != NEWLINE or depth <= 0):
            tokens.append(Token(kind, value, offset))
        offset = found.end()
    tokens.append(Token(END, "", length))
    return tokens


def _refuse(text: str, offset: int) -> NoReturn:
    if text[offset] in "\"'":
        raise DropsSyntaxError(text, offset, f"a closing {text[offset]}", "the end of the text")
    raise DropsSyntaxError(text, offset, "a word or a value", f"'{text[offset]}'")


def describe(token: Token) -> str:
    """A token as an error names it."""
    if token.kind == END:
        return "the end of the statement"
    shown = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return shown if token.kind == STRING else f"'{shown}'"


def split_statements(tokens: list[Token], continues: Set[str]) -> list[list[Token]]:
    """Statements end at `;` and at a newline, unless the next line opens with a word of `continues`, a key, or a field and a colon."""
    statements: list[list[Token]] = []
    current: list[Token] = []
    depth = 0
    for i, token in enumerate(tokens):
        if token.kind == PUNCT and token.text in "([{":
            depth += 1
        elif token.kind == PUNCT and token.text in ")]}":
            depth -= 1
        ends = token.kind == END or (
            depth <= 0 and ((token.kind == PUNCT and token.text == ";") or (token.kind == NEWLINE and not _goes_on(tokens, i, continues)))
        )
        if not ends:
            if token.kind != NEWLINE:
                current.append(token)
            continue
        if current:
            current.append(Token(END, "", token.offset))
            statements.append(current)
            current = []
        if token.kind == NEWLINE:
            depth = 0
    return statements


def _goes_on(tokens: list[Token], i: int, continues: Set[str]) -> bool:
    j = i
    while tokens[j].kind == NEWLINE:
        j += 1
    token = tokens[j]
    if token.kind == WORD:
        following = tokens[j + 1].text
        return (token.text in continues and not following.startswith("@")) or token.text.startswith("@") or following == ":"
    return False
