"""Snippets: the part of a text that has most of what was asked for, marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html import escape

from ocean.index.analysis import ANY, SIGN, Sought, stems, stems_of

SNIPPET = 240  # characters
_BEFORE = 40  # of them before the first marked word
_LOOKED_AT = 20_000  # characters of a text
_ASCII_WORD = re.compile("[A-Za-z0-9]+")
_KNOWN = 65_536  # words whose stems are kept


class _Stems:
    """Words of a language and their stems, kept from the last time; both ways, so that a text's words are looked through as sets."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.of: dict[str, str] = {}  # in the language itself
        self.words: dict[str, set[str]] = {}

    def learn(self, word: str) -> set[str]:
        """The stems by which the word is found (`stems_of`)."""
        first, *_ = found = stems_of(word, self._language)
        self.of[word] = first
        for stem in found:
            self.words.setdefault(stem, set()).add(word)
        return set(found)


@cache
def _stems_of(language: str) -> _Stems:
    return _Stems(language)


Mark = tuple[int, int, str]  # where a word begins and ends, and its stem


def near(word: str, other: str, most: int) -> bool:
    """Whether two words are at most so many letters apart: one more, one less, another, or two that stand the other way round (optimal
    string alignment)."""
    if abs(len(word) - len(other)) > most or len(set(word) ^ set(other)) > 2 * most:
        return False
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        row = [i]
        for j, there in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != there))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == there:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
        before, last = last, row
    return last[-1] <= most


class Marker:
    """Shows where texts have what was asked for: some stems, words like some, and words that begin in some ways."""

    def __init__(self, sought: Sought, starts: tuple[str, ...]) -> None:
        self._wanted, self._like, self._starts = sought.stems, sought.like, starts
        self._judged: dict[str, bool] = {}
        self._words: dict[str, tuple[_Stems, set[str]]] = {}  # of each language those that are known to have one of the stems

    def snippet(self, text: str, language: str) -> str | None:
        """The part of a text that has most of the wanted stems, as HTML with <mark> about them; None where it has none."""
        marks = self._marks(text[:_LOOKED_AT], language)
        if not marks:
            return None
        begin = _begin(text, marks)
        end = min(len(text), begin + SNIPPET)
        shown = ["… "] if begin else []
        last = begin
        for start, stop, _ in marks:
            if last <= start and stop <= end:
                shown += [_escaped(text[last:start]), "<mark>", _escaped(text[start:stop]), "</mark>"]
                last = stop
        shown.append(_escaped(text[last:end]))
        if end < len(text):
            shown.append(" …")
        return " ".join("".join(shown).replace("</mark><mark>", "").split())

    def _marks(self, text: str, language: str) -> list[Mark]:
        wanted = self._wanted
        if not text.isascii():
            both = zip(stems(language).pre_tokenize(text).tokens, stems(ANY).pre_tokenize(text).tokens, strict=True)
            found = [(t.char_offset_from, t.char_offset_to, t.text if t.text in wanted else other.text) for t, other in both]
            marks = [mark for mark in found if mark[2] in wanted or self._meant(text[mark[0] : mark[1]])]
            return sorted([*marks, *((at.start(), at.end(), at[0]) for at in SIGN.finditer(text) if at[0] in wanted)])
        known, mine = self._words.get(language) or self._begun(language)
        there = set(_ASCII_WORD.findall(text))
        for word in there.difference(known.of):
            if not known.learn(word).isdisjoint(wanted):
                mine.add(word)
        marked = there & mine
        if self._starts or self._like:
            marked |= {word for word in there if self._meant(word)}
        marks = [mark for word in marked for mark in _places(text, word, known.of[word])]
        return marks if len(marks) < 2 else sorted(marks)

    def _meant(self, word: str) -> bool:
        """Whether a word begins as was asked, or is like one that was."""
        if not self._starts and not self._like:
            return False
        if word not in self._judged:
            lower = word.lower()
            alike = any(near(wanted, lower, most) for wanted, most in self._like.items())
            self._judged[word] = alike or (bool(self._starts) and lower.startswith(self._starts))
        return self._judged[word]

    def _begun(self, language: str) -> tuple[_Stems, set[str]]:
        known = _stems_of(language)
        if len(known.of) > _KNOWN:
            known.of.clear()
            known.words.clear()
        mine: set[str] = set().union(*(known.words.get(stem, ()) for stem in self._wanted))
        self._words[language] = (known, mine)
        return known, mine


def _places(text: str, word: str, stem: str) -> Iterator[Mark]:
    """Where a word stands by itself in a text of ASCII."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (at and text[at - 1].isalnum()) and not text[end : end + 1].isalnum():
            yield at, end, stem
        at = text.find(word, end)


_SPECIAL = re.compile("[&<>\"']")


def _escaped(text: str) -> str:
    return escape(text) if _SPECIAL.search(text) else text


def _begin(text: str, marks: list[Mark]) -> int:
    """Where a snippet begins that has as many different marked words as can be: at a word, a little before the first of them."""
    if len(text) <= SNIPPET:
        return 0
    most, best = 0, marks[0][0]
    for at, (start, _, _) in enumerate(marks[:200]):
        words_there = {word for begin, stop, word in marks[at : at + 50] if stop <= start + SNIPPET - _BEFORE}
        if len(words_there) > most:
            most, best = len(words_there), start
    begin = max(0, best - _BEFORE)
    return begin if begin == 0 else text.find(" ", begin, best) + 1 or best
