"""`ocean shell`: a prompt for Drops."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import Lexer

from grammar import DropsSyntaxError
from grammar.tokens import NUMBER, OPERATOR, PUNCT, STRING, WORD, tokenize
from ocean.cli import show
from ocean.cli.client import Client, Unreachable
from ocean.commands.table import LANGUAGE, STAGES

_WORD = re.compile(r"[^\s()\[\]{},;:\"'=<>!]*$")
_CLAUSES = LANGUAGE.clauses
_STYLES = {STRING: "ansigreen", NUMBER: "ansimagenta", OPERATOR: "ansiyellow"}


class Words(Completer):
    """Commands at the beginning, clauses and stages behind, and routes that were named before."""

    def __init__(self) -> None:
        self.routes: set[str] = set()

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        match = _WORD.search(before)
        word = match.group() if match else ""
        head = before[: len(before) - len(word)].rstrip()
        if not head or head.endswith(";"):
            known: Iterable[str] = LANGUAGE.words
        elif head.endswith("then"):
            known = STAGES
        else:
            known = self.routes | _CLAUSES
        for candidate in sorted(known):
            if candidate.startswith(word) and candidate != word:
                yield Completion(candidate, -len(word))


class Colours(Lexer):
    """Drops in colour, by its own tokens."""

    def lex_document(self, document: Document) -> Any:
        lines = document.lines

        def line(number: int) -> StyleAndTextTuples:
            text = lines[number]
            try:
                tokens = tokenize(text)
            except DropsSyntaxError:
                return [("", text)]
            shown: StyleAndTextTuples = []
            place = 0
            for token in tokens:
                shown.append(("ansibrightblack", text[place : token.offset]))  # space and comments
                first = not any(kept for _, kept, *_ in shown if kept.strip())
                style = _STYLES.get(token.kind, "")
                if token.kind == WORD:
                    style = "ansicyan bold" if first or token.text in _CLAUSES else "ansiblue" if token.text.startswith("@") else ""
                shown.append((style, token.text))
                place = token.offset + len(token.text)
            return shown

        return line


def goes_on(text: str) -> bool:
    """Whether a statement still wants lines: a bracket or a quotation is open, or its last line ends as none does."""
    try:
        tokens = tokenize(text)
    except DropsSyntaxError as fault:
        return fault.found == "the end of the text"
    depth = sum((t.text in "([{") - (t.text in ")]}") for t in tokens if t.kind == PUNCT)
    return depth > 0 or (len(tokens) > 1 and tokens[-2].text in (",", ":"))


class Shell:
    """Reads statements until the end; Ctrl-C clears a line, Ctrl-D leaves."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.words = Words()

    def run(self) -> None:
        session: PromptSession[str] = PromptSession(
            "ocean> ", history=_history(), completer=self.words, lexer=Colours(), complete_while_typing=False,
            multiline=Condition(lambda: goes_on(get_app().current_buffer.text)), prompt_continuation="   ... ",
        )  # fmt: skip
        click.echo(f"{self.client.url}   Tab completes, help lists the commands, Ctrl-D leaves.")
        while True:
            try:
                text = session.prompt().strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text in ("exit", "quit"):
                return
            if text:
                self.answer(text)

    def answer(self, text: str) -> None:
        try:
            body, ok = self.client.run(text)
        except Unreachable as away:
            click.echo(away.message, err=True)
            return
        if not ok:
            show.failed(body)
            return
        self.words.routes |= {word for word in re.split(r"\s+", text) if "/" in word and not word.startswith(('"', "'", "@", "--"))}
        show.answer(body)


def _history() -> History:
    path = Path.home() / ".ocean_history"
    try:
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
