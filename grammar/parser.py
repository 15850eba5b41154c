"""Statements: text to a command's name and its arguments, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from grammar.cursor import Cursor
from grammar.errors import DropsSyntaxError, nearest
from grammar.forms import Form, compile_form
from grammar.tokens import STRING, WORD, Token, split_statements, tokenize

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


_AND_OR = {"AND": "and", "And": "and", "&": "and", "&&": "and", "OR": "or", "Or": "or", "|": "or", "||": "or"}


class Language:
    """The forms of a set of commands and of the stages of a pipe. `commands` maps a name to its forms, the first the one printed."""

    def __init__(
        self, commands: dict[str, tuple[str, ...]], stages: dict[str, str], bare: str | None = None,
        known_as: Mapping[str, str] | None = None, clauses_known_as: Mapping[str, tuple[str, str]] | None = None,
    ) -> None:  # fmt: skip
        """`known_as`: commands of other languages, and what is said here for each; `clauses_known_as`: their clauses, the word that
        ours begins with, and how it is written."""
        self._known_as = known_as or {}
        self._clauses_known_as = clauses_known_as or {}
        self._forms = {name: [compile_form(f) for f in forms] for name, forms in commands.items()}
        self._stages = {name: compile_form(form) for name, form in stages.items()}
        self._bare = bare
        self._by_word: dict[str, list[tuple[str, Form]]] = {}
        for name, forms in self._forms.items():
            for form in forms:
                self._by_word.setdefault(form.words[0], []).append((name, form))
        for candidates in self._by_word.values():
            candidates.sort(key=lambda c: -len(c[1].words))  # `value create` before `value`
        self._stage_forms = sorted(self._stages.items(), key=lambda item: -len(item[1].words))
        # A line that opens with one of these goes on with the statement above it.
        opening = {word for forms in self._forms.values() for form in forms for word in form.clauses} - self._by_word.keys()
        self._continues = frozenset(opening | {"then", "and", "or"})

    @property
    def words(self) -> Iterable[str]:
        """Every word a statement can begin with."""
        return self._by_word.keys()

    @property
    def clauses(self) -> frozenset[str]:
        """Every word that a clause can begin with."""
        return frozenset(word for forms in self._forms.values() for form in forms for word in form.clauses) | {"then", "and", "or", "not"}

    @property
    def forms(self) -> dict[str, list[Form]]:
        """The forms of each command."""
        return self._forms

    @property
    def stages(self) -> dict[str, Form]:
        return self._stages

    def parse(self, text: str) -> list[Statement]:
        """The statements of `text`. Raises DropsSyntaxError."""
        statements = [self._statement(Cursor(text, tokens)) for tokens in split_statements(tokenize(text), self._continues)]
        if not statements or len(statements) > MAX_STATEMENTS:
            tokens = [Token("end", "", len(text))]
            raise Cursor(text, tokens).error("a statement" if not statements else f"at most {MAX_STATEMENTS} statements")
        return statements

    def show(self, statement: Statement) -> str:
        """The statement as text; parsing it gives the statement back."""
        forms = self._forms[statement.command]
        shown = next((f for f in forms if f.fits(statement.args)), forms[0]).show(statement.args, self._show_inner)
        for stage in statement.pipe:
            shown += " then " + self._stages[stage.name].show(stage.args, self._show_inner)
        return shown

    def _show_inner(self, inner: Statement | list[Statement]) -> str:
        return f"({', '.join(map(self.show, inner))})" if isinstance(inner, list) else self.show(inner)

    def _statement(self, cursor: Cursor, inner: bool = False, pipes: bool = False) -> Statement:
        name, args = self._head(cursor, inner)
        pipe: list[Stage] = []
        while (pipes or not inner) and cursor.take_word("then"):
            if len(pipe) >= MAX_PIPES:
                raise cursor.error(f"at most {MAX_PIPES} stages in a pipe")
            pipe.append(self._stage(cursor))
        if not inner and not cursor.at_end:
            raise self._beyond(cursor, name, args, pipe)
        return Statement(name, args, tuple(pipe))

    def _beyond(self, cursor: Cursor, name: str, args: dict[str, Any], pipe: list[Stage]) -> DropsSyntaxError:
        """What is said of what stands behind a statement."""
        expected = self._expected_next(name, args, pipe)
        if cursor.peek_at(-1).text == "by":
            return cursor.error(expected, hint="Leave out 'by'.")
        word, clauses = cursor.peek.text, self._clause_words(name)
        if pipe and word in self._stages:
            return cursor.error(expected, likely=f"then {word}")
        ours, write = ("where", _AND_OR[word]) if word in _AND_OR else self._clauses_known_as.get(word.lower(), ("", ""))
        return cursor.error(expected, known=clauses | {"then"}, write=write if ours in clauses else None)

    def _head(self, cursor: Cursor, inner: bool) -> tuple[str, dict[str, Any]]:
        token = cursor.peek
        candidates = self._by_word.get(token.text, []) if token.kind == WORD else []
        candidates = [c for c in candidates if all(cursor.peek_at(i).text == word for i, word in enumerate(c[1].words))]
        most = len(candidates[0][1].words) if candidates else 0
        candidates = [c for c in candidates if len(c[1].words) == most]  # `value create` is never `value`
        start = cursor.index
        failed: list[DropsSyntaxError] = []
        for name, form in candidates:
            cursor.reset(start + len(form.words))
            try:
                args = form.read(cursor, self._inner)
            except DropsSyntaxError as fault:
                failed.append(fault)
                continue
            if inner or cursor.at_end or cursor.at_word("then") or form is candidates[-1][1]:
                return name, args
        if failed:
            raise max(failed, key=lambda fault: fault.offset)  # the form that went furthest is the one that was meant
        following = cursor.peek_at(1)
        if self._bare and token.kind in (WORD, STRING) and following.kind == WORD and following.text.startswith("@"):
            return self._bare, self._forms[self._bare][0].read(cursor, self._inner)
        known = list(self._by_word)
        likely = (self._known_as.get(token.text.lower()) or nearest(token.text, known)) if token.kind == WORD else None
        raise cursor.error("a command" + (" (try 'help')" if likely is None else ""), likely=likely)

    def _stage(self, cursor: Cursor) -> Stage:
        for name, form in self._stage_forms:
            if cursor.peek.kind == WORD and all(cursor.peek_at(i).text == word for i, word in enumerate(form.words)):
                cursor.reset(cursor.index + len(form.words))
                return Stage(name, form.read(cursor, self._inner))
        raise cursor.error(f"a stage ({', '.join(self._stages)})", known=self._stages)

    def _inner(self, cursor: Cursor, kind: str) -> Statement | list[Statement]:
        return self._list(cursor) if kind == "statements" else self._statement(cursor, inner=True, pipes=True)

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
        return {word for form in self._forms.get(name, ()) for word in form.clauses}

    def _expected_next(self, name: str, args: dict[str, Any], pipe: list[Stage]) -> str:
        words = sorted(self._clause_words(name)) if not pipe else []
        return "the end of the statement" if not words else f"{', '.join(words)}, then, or the end of the statement"
