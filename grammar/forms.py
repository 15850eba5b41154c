"""Forms: one line that says how a command is written, compiled to a reader and a printer.

    save ROUTE [@KEY] PAYLOAD:body [keep TTL:integer]

Lower-case words stand for themselves; an upper-case word is a slot, named by itself in lower case, whose kind follows the
colon (or is its name); `[...]` may be left out. Optional parts that stand together may come in any order.
`OPS:statements` is a parenthesised list of statements, `ASKED:statement` one; `[dry DRY:flag]` is a word that is there or not.
A form knows nothing of what its command does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grammar.cursor import Cursor
from grammar.slots import SLOTS, Slot
from grammar.tokens import WORD, Token

_PIECE = re.compile(r"\[|\]|@?[A-Z_]+(?::[a-z]+)?|[^\s\[\]]+")


@dataclass(frozen=True, slots=True)
class Word:
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    kind: str
    slot: Slot | None  # None: statements, which only the parser can read


@dataclass(frozen=True, slots=True)
class Choice:
    """A part that may be left out; `words` are those it can begin with, if only these."""

    parts: tuple[Word | Place, ...]

    @property
    def words(self) -> tuple[str, ...]:
        first = self.parts[0]
        return (first.text,) if isinstance(first, Word) else first.slot.words if first.slot else ()

    def opens(self, token: Token) -> bool:
        first = self.parts[0]
        if isinstance(first, Word):
            return token.kind == WORD and token.text == first.text
        assert first.slot is not None
        return first.slot.opens(token)


Part = Word | Place | Choice
Statements = Callable[[Cursor, str], Any]  # (cursor, "statement" or "statements") -> what was read


@dataclass(frozen=True)
class Form:
    """`words` begin every statement of this form; `places` are the arguments' kinds by name, `wanted` the names that are always there."""

    source: str
    words: tuple[str, ...]
    parts: tuple[Part, ...]
    places: dict[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> set[str]:
        return {part.name for part in self.parts if isinstance(part, Place)}

    @property
    def clauses(self) -> set[str]:
        """The words that its optional parts begin with."""
        return {word for part in self.parts if isinstance(part, Choice) for word in part.words}

    def fits(self, args: dict[str, Any]) -> bool:
        """Whether a statement with these arguments is of this form."""
        return self.wanted <= set(args) <= set(self.places)

    def read(self, cursor: Cursor, statements: Statements) -> dict[str, Any]:
        """The arguments of the statement at `cursor`, whose opening words are already taken."""
        args: dict[str, Any] = {}
        parts = self.parts
        i = 0
        while i < len(parts):
            part = parts[i]
            if isinstance(part, Choice):
                end = i
                while end < len(parts) and isinstance(parts[end], Choice):
                    end += 1
                _read_optional(cursor, parts[i:end], args, statements)
                i = end
            else:
                _read_part(cursor, part, args, statements)
                i += 1
        return args

    def show(self, args: dict[str, Any], statements: Callable[[Any], str]) -> str:
        """The statement with these arguments, as text."""
        shown = list(self.words)
        for part in self.parts:
            if isinstance(part, Choice):
                if all(p.name in args for p in part.parts if isinstance(p, Place)):
                    shown.extend(_show_part(p, args, statements) for p in part.parts)
            else:
                shown.append(_show_part(part, args, statements))
        return " ".join(filter(None, shown))


def _read_part(cursor: Cursor, part: Word | Place, args: dict[str, Any], statements: Statements) -> None:
    if isinstance(part, Word):
        cursor.expect_word(part.text)
    elif part.slot is None:
        args[part.name] = statements(cursor, part.kind)
    else:
        args[part.name] = part.slot.read(cursor)


def _read_optional(cursor: Cursor, parts: tuple[Part, ...], args: dict[str, Any], statements: Statements) -> None:
    left = [p for p in parts if isinstance(p, Choice)]
    while left:
        part = next((p for p in left if p.opens(cursor.peek)), None)
        if part is None:
            return
        left.remove(part)
        for piece in part.parts:
            _read_part(cursor, piece, args, statements)


def _show_part(part: Word | Place, args: dict[str, Any], statements: Callable[[Any], str]) -> str:
    if isinstance(part, Word):
        return part.text
    return statements(args[part.name]) if part.slot is None else part.slot.show(args[part.name])


def compile_form(source: str) -> Form:
    """A form from its line."""
    pieces = _PIECE.findall(source)
    words: list[str] = []
    parts: list[Part] = []
    group: list[Word | Place] | None = None
    places: dict[str, str] = {}
    for piece in pieces:
        if piece == "[":
            group = []
        elif piece == "]":
            assert group
            parts.append(Choice(tuple(group)))
            group = None
        else:
            part = _piece(piece)
            if isinstance(part, Place):
                places[part.name] = part.kind
            if group is not None:
                group.append(part)
            elif isinstance(part, Word) and not parts:
                words.append(part.text)
            else:
                parts.append(part)
    return Form(source, tuple(words), tuple(parts), places)


def _piece(piece: str) -> Word | Place:
    bare = piece.removeprefix("@")
    name, _, kind = bare.partition(":")
    if not name.isupper():
        return Word(piece)
    kind = kind or name.lower()
    return Place(name.lower(), kind, None if kind in ("statement", "statements") else SLOTS[kind])
