"""Statements: text to a command's name and its arguments, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grammar.cursor import Cursor
from grammar.errors import DropsSyntaxError, nearest
from grammar.forms import Form, compile_form
from grammar.tokens import WORD, Token, split_statements, tokenize

MAX_STATEMENTS = 1000
MAX_PIPES = 50
MAX_NESTING = 1  # lists of statements inside one another


@dataclass(frozen=True, slots=True)
class Stage:
    """One `then ...` of a pipe."""

    name: str
    args: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """What was asked: the command's name, its arguments as plain values, and the pipe behind it."""

    command: str
    args: dict[str, Any]
    pipe: tuple[Stage, ...] = field(default=())


class Language:
    """The forms of a set of commands and of the stages of a pipe. `commands` maps a name to its forms, the first the one printed."""

    def __init__(
        self, commands: dict[str, tuple[str, ...]], stages: dict[str, str], bare: str | None = None,
        known_as: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`known_as`: words of other languages, and what is said here for each."""
        self._known_as = known_as or {}
        self._forms = {name: [compile_form(f) for f in forms] for name, forms in commands.items()}
        self._stages = {name: compile_form(form) for name, form in stages.items()}
        self._bare = bare
        self._by_word: dict[str, list[tuple[str, Form]]] = {}
        for name, forms in self._forms.items():
            for form in forms:
                self._by_word.setdefault(form.words[0], []).append((name, form))
        for candidates in self._by_word.values():
            candidates.sort(key=lambda c: -len(c[1].words))  # `value create` before `value`

    @property
    def words(self) -> Iterable[str]:
        """Every word a statement can begin with."""
        return self._by_word.keys()

    def parse(self, text: str) -> list[Statement]:
        """The statements of `text`. Raises DropsSyntaxError."""
        statements = [self._statement(Cursor(text, tokens)) for tokens in split_statements(tokenize(text))]
        if not statements or len(statements) > MAX_STATEMENTS:
            tokens = [Token("end", "", len(text))]
            raise Cursor(text, tokens).error("a statement" if not statements else f"at most {MAX_STATEMENTS} statements")
        return statements

    def show(self, statement: Statement) -> str:
        """The statement as text; parsing it gives the statement back."""
        forms = self._forms[statement.command]
        fitting = [f for f in forms if set(statement.args) <= set(f.places)]
        shown = (fitting or forms)[0].show(statement.args, self._show_list)
        for stage in statement.pipe:
            shown += " then " + self._stages[stage.name].show(stage.args, self._show_list)
        return shown

    def _show_list(self, statements: list[Statement]) -> str:
        return f"({', '.join(map(self.show, statements))})"

    def _statement(self, cursor: Cursor, inner: bool = False) -> Statement:
        name, args = self._head(cursor, inner)
        pipe: list[Stage] = []
        while not inner and cursor.take_word("then"):
            if len(pipe) >= MAX_PIPES:
                raise cursor.error(f"at most {MAX_PIPES} stages in a pipe")
            pipe.append(self._stage(cursor))
        if not inner and not cursor.at_end:
            raise cursor.error(self._expected_next(name, args, pipe), known=self._clause_words(name) | {"then"})
        return Statement(name, args, tuple(pipe))

    def _head(self, cursor: Cursor, inner: bool) -> tuple[str, dict[str, Any]]:
        token = cursor.peek
        candidates = self._by_word.get(token.text, []) if token.kind == WORD else []
        for name, form in candidates:
            if all(cursor.peek_at(i).text == word for i, word in enumerate(form.words)):
                start = cursor.index
                for _ in form.words:
                    cursor.advance()
                try:
                    args = form.read(cursor, self._list)
                except DropsSyntaxError:
                    if form is candidates[-1][1] or len(form.words) > 1:
                        raise
                    cursor.reset(start)
                    continue
                if inner or cursor.at_end or cursor.at_word("then") or form is candidates[-1][1]:
                    return name, args
                cursor.reset(start)
        following = cursor.peek_at(1)
        if self._bare and token.kind == WORD and following.kind == WORD and following.text.startswith("@"):
            return self._bare, self._forms[self._bare][0].read(cursor, self._list)
        known = list(self._by_word)
        likely = (self._known_as.get(token.text.lower()) or nearest(token.text, known)) if token.kind == WORD else None
        raise cursor.error("a command" + (" (try 'help')" if likely is None else ""), likely=likely)

    def _stage(self, cursor: Cursor) -> Stage:
        form = self._stages.get(cursor.peek.text)
        if form is None or cursor.peek.kind != WORD:
            raise cursor.error(f"a stage ({', '.join(self._stages)})", known=self._stages)
        name = cursor.advance().text
        return Stage(name, form.read(cursor, self._list))

    def _list(self, cursor: Cursor) -> list[Statement]:
        if cursor.depth >= MAX_NESTING:
            raise cursor.error("a statement without a list of its own", found="a list inside a list")
        cursor.expect_punct("(")
        cursor.depth += 1
        statements: list[Statement] = []
        while not cursor.take_punct(")"):
            statements.append(self._statement(cursor, inner=True))
            if not cursor.take_punct(",") and not cursor.take_punct(";") and not cursor.at_punct(")"):
                raise cursor.error("',' or ')'")
        cursor.depth -= 1
        return statements

    def _clause_words(self, name: str) -> set[str]:
        return {part.opens for form in self._forms.get(name, ()) for part in form.parts if hasattr(part, "opens") and part.opens}

    def _expected_next(self, name: str, args: dict[str, Any], pipe: list[Stage]) -> str:
        words = sorted(self._clause_words(name)) if not pipe else []
        return "the end of the statement" if not words else f"{', '.join(words)}, then, or the end of the statement"
