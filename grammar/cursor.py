"""A place in a statement's tokens."""

from __future__ import annotations

from collections.abc import Iterable

from grammar.errors import DropsSyntaxError, nearest
from grammar.tokens import END, PUNCT, WORD, Token, describe


class Cursor:
    """Walks the tokens of one statement; the last token is always END."""

    __slots__ = ("_last", "depth", "index", "peek", "text", "tokens")

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.index = 0
        self.depth = 0  # lists of statements that are open
        self._last = len(tokens) - 1
        self.peek = tokens[0]

    def peek_at(self, ahead: int) -> Token:
        return self.tokens[min(self.index + ahead, self._last)]

    def advance(self) -> Token:
        """The token here; the cursor goes on. What follows END is END."""
        token = self.peek
        self.index = min(self.index + 1, self._last)
        self.peek = self.tokens[self.index]
        return token

    def reset(self, index: int) -> None:
        self.index = index
        self.peek = self.tokens[index]

    @property
    def at_end(self) -> bool:
        return self.peek.kind == END

    def at_word(self, word: str) -> bool:
        return self.peek.kind == WORD and self.peek.text == word

    def take_word(self, word: str) -> bool:
        if self.peek.kind == WORD and self.peek.text == word:
            self.advance()
            return True
        return False

    def expect_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.error(f"'{word}'", known=(word,))

    def at_punct(self, mark: str) -> bool:
        return self.peek.kind == PUNCT and self.peek.text == mark

    def take_punct(self, mark: str) -> bool:
        if self.peek.kind == PUNCT and self.peek.text == mark:
            self.advance()
            return True
        return False

    def expect_punct(self, mark: str) -> None:
        if not self.take_punct(mark):
            raise self.error(f"'{mark}'")

    def error(
        self, expected: str, *, at: int | None = None, found: str | None = None, known: Iterable[str] = (), likely: str | None = None,
        write: str | None = None, hint: str | None = None,
    ) -> DropsSyntaxError:  # fmt: skip
        """The error to raise here, or at offset `at`. It gives the `hint`, or says to `write` what is said here for what another
        language has; or it suggests `likely`, or the nearest of the words that are `known`."""
        offset = self.peek.offset if at is None else at
        if write is not None:
            hint = f"Write {write}."
        suggestion = likely or (nearest(self.peek.text, known) if self.peek.kind == WORD and known else None)
        return DropsSyntaxError(self.text, offset, expected, found or describe(self.peek), None if hint else suggestion, hint=hint)
