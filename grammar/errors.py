"""What is said of a statement that cannot be read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DropsSyntaxError(Exception):
    """A statement that is not Drops: where it stops being so, what was expected, and the nearest known word, or another hint.

    `line` and `column` count from 1; `expected` is a phrase ("a route", "'to'").
    """

    def __init__(
        self, text: str, offset: int, expected: str, found: str, suggestion: str | None = None, *, hint: str | None = None
    ) -> None:  # fmt: skip
        self.offset = offset
        before = text[:offset]
        self.line = before.count("\n") + 1
        self.column = offset - (before.rfind("\n") + 1) + 1
        self.expected = expected
        self.found = found
        self.suggestion = suggestion
        self._hint = hint
        message = f"line {self.line}, column {self.column}: expected {expected}, found {found}"
        super().__init__(message)

    @property
    def hint(self) -> str | None:
        if self.suggestion is None:
            return self._hint
        quoted = self.suggestion if '"' in self.suggestion else repr(self.suggestion)
        return f"Did you mean {quoted}?"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` is most likely a slip of, if any is near."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None
