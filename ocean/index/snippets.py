"""Snippets: the part of a text that has most of what was asked for, marked."""

from __future__ import annotations

import re
from functools import cache
from html import escape

from ocean.index.analysis import ANY, LONGEST, SIGN, STEMMED, Sought, stems, stems_of

SNIPPET = 240  # characters
_BEFORE = 40  # of them before the first marked word
_LOOKED_AT = 20_000  # characters of a text
_ALL, _LEAST = 1_000_000, 2_000  # characters of all texts of an answer together; beyond, of each one
_MARKS = 250  # of a text
_FEW = 8  # words that a text is walked over for, each by itself
_KNOWN = 16_384  # words of a language whose stems are kept
_LIKE, _LIKE_LONGEST, _COMPARED = 8, 24, 1_000  # words that others are compared with, letters of these, and comparisons of an answer
_TAKEN = "g"  # all that a stemmer takes from a word's beginning: the Dutch one's ge-
_ASCII_WORD = re.compile("[A-Za-z0-9]+")


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
def _stems_of(language: str) -> _Stems:  # of a language that has stems here: writers name what they like
    return _Stems(language)


Mark = tuple[int, int, str]  # where a word begins and ends, and its stem


def near(word: str, other: str, most: int) -> bool:
    """Whether two words are at most so many letters apart: one more, one less, another, or two that stand the other way round (optimal
    string alignment)."""
    same = _shared(word, other)  # what both begin and end with takes no change
    word, other = word[same:][::-1], other[same:][::-1]
    same = _shared(word, other)
    word, other = word[same:], other[same:]
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


def _shared(word: str, other: str) -> int:
    """With how many letters both begin."""
    count = 0
    for letter, there in zip(word, other, strict=False):
        if letter != there:
            break
        count += 1
    return count


class Marker:
    """Shows where texts have what was asked for: some stems, words like some, and words that begin in some ways."""

    def __init__(self, sought: Sought, starts: tuple[str, ...]) -> None:
        self._wanted, self._starts = sought.stems, starts
        letters = "".join(stem[0] for stem in sought.stems if stem) + _TAKEN
        self._firsts = frozenset(letters + letters.upper())  # letters that words of such stems begin with
        self._like = [(word, most, frozenset(word)) for word, most in list(sought.like.items())[:_LIKE]]
        self._lengths = {len(word) + more for word, most, _ in self._like for more in range(-most, most + 1)}
        self._meant: dict[str, bool] = {}
        self._words: dict[str, set[str]] = {}  # of each language those that are known to have one of the stems
        self._left, self._compared = _ALL, 0

    def snippet(self, text: str, language: str) -> str | None:
        """The part of a text that has most of the wanted stems, as HTML with <mark> about them; None where it has none."""
        looked = min(len(text), _LOOKED_AT, max(self._left, _LEAST))
        self._left -= looked
        marks = self._marks(text[:looked], language if language in STEMMED else "")[:_MARKS]
        if not marks:
            return None
        begin = _begin(text, marks)
        end = min(len(text), begin + SNIPPET)
        shown = ["… "] if begin else []
        last = begin
        plain = _SPECIAL.search(text, begin, end) is None
        for start, stop, _ in marks:
            if last <= start and stop <= end:
                between, word = text[last:start], text[start:stop]
                shown += [between, "<mark>", word, "</mark>"] if plain else [escape(between), "<mark>", escape(word), "</mark>"]
                last = stop
        shown.append(text[last:end] if plain else escape(text[last:end]))
        if end < len(text):
            shown.append(" …")
        return " ".join("".join(shown).replace("</mark><mark>", "").split())

    def _marks(self, text: str, language: str) -> list[Mark]:
        if not text.isascii():
            return self._marks_beyond(text, language)
        known = _stems_of(language)
        if len(known.of) > _KNOWN:
            known.of.clear()
            known.words.clear()
        mine = self._words.get(language)
        if mine is None:
            mine = self._words[language] = set().union(*(known.words.get(stem, ()) for stem in self._wanted))
        there = set(_ASCII_WORD.findall(text))
        for word in there:  # of other beginnings none can have such a stem
            new = word[0] in self._firsts and word not in known.of and len(word) <= LONGEST
            if new and not known.learn(word).isdisjoint(self._wanted):
                mine.add(word)
        marked = there & mine
        if self._starts or self._like:
            marked |= {word for word in there if (self._starts or len(word) in self._lengths) and self._is_meant(word)}
        if len(marked) > _FEW:  # one walk over the text, and not one for each
            return [(at.start(), at.end(), known.of.get(at[0], at[0])) for at in _ASCII_WORD.finditer(text) if at[0] in marked]
        marks: list[Mark] = []
        for word in marked:
            _place(text, word, known.of.get(word, word), marks)
        marks.sort()
        return marks

    def _marks_beyond(self, text: str, language: str) -> list[Mark]:
        wanted = self._wanted
        both = zip(stems(language).pre_tokenize(text).tokens, stems(ANY).pre_tokenize(text).tokens, strict=True)
        found = [(t.char_offset_from, t.char_offset_to, t.text if t.text in wanted else other.text) for t, other in both]
        marks = [mark for mark in found if mark[2] in wanted or self._is_meant(text[mark[0] : mark[1]])]
        return sorted([*marks, *((at.start(), at.end(), at[0]) for at in SIGN.finditer(text) if at[0] in wanted)])

    def _is_meant(self, word: str) -> bool:
        """Whether a word begins as was asked, or is like one that was."""
        if not self._starts and not self._like:
            return False
        known = self._meant.get(word)
        if known is None:
            lower = word.lower()
            known = self._meant[word] = (bool(self._starts) and lower.startswith(self._starts)) or self._is_like(lower)
        return known

    def _is_like(self, word: str) -> bool:
        for wanted, most, letters in self._like:
            alike = abs(len(word) - len(wanted)) <= most and len(letters.symmetric_difference(word)) <= 2 * most
            if alike and len(word) <= _LIKE_LONGEST and self._compared < _COMPARED:
                self._compared += 1
                if near(wanted, word, most):
                    return True
        return False


def _place(text: str, word: str, stem: str, marks: list[Mark]) -> None:
    """Adds where a word stands by itself in a text of ASCII."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not (at and text[at - 1].isalnum()) and not text[end : end + 1].isalnum():
            marks.append((at, end, stem))
        at = text.find(word, end)


_SPECIAL = re.compile("[&<>\"']")


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
