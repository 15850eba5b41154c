"""Texts to words: as they are kept, as they are asked for, and which of them a snippet marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

LONGEST = 64  # bytes of a word: what is longer is no word
STEMMED = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
MAX_WORDS = 64  # of a question
SNIPPET = 240  # characters
_BEFORE = 40  # of them before the first marked word
_LOOKED_AT = 20_000  # characters of a text


def _builder() -> TextAnalyzerBuilder:
    return (
        TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST)).filter(Filter.lowercase()).filter(Filter.ascii_fold())
    )


# Scripts that set no spaces between words (Thai, Lao, Burmese, Khmer, Han, Kana, Hangul): each sign is a word, and several in a row are a
# phrase.
_SIGN = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def parted(text: str) -> str:
    """A text as it is taken for words: with spaces about what is a word by itself."""
    return text if text.isascii() else _SIGN.sub(r" \g<0> ", text)


@cache
def words() -> TextAnalyzer:
    """Words as they stand, in small letters, without accents."""
    return _builder().build()


@cache
def pieces() -> TextAnalyzer:
    """What stands between spaces, as it is: also what no word can be."""
    return TextAnalyzerBuilder(Tokenizer.whitespace()).build()


def language_code(text: str) -> str:
    """`de` of `de`, `de-AT` or `german`. Raises ValueError where it is neither a code nor the name of a language that has stems."""
    name = text.strip().lower()
    code = next((code for code, known in STEMMED.items() if known == name), re.split("[-_]", name)[0])
    if not (code.isascii() and code.isalpha() and len(code) in (2, 3)):
        raise ValueError(f"{text[:40]!r} is no language")
    return code


@cache
def stems(language: str) -> TextAnalyzer:
    """Words by their stems (Snowball); as they stand in a language that has no stemmer here."""
    name = STEMMED.get(language)
    return _builder().filter(Filter.stemmer(name)).build() if name else words()


ANY = "en"  # the language of who does not say one: by its stems every text is found, so that a word as it stands always is


def stems_of(word: str, language: str) -> list[str]:
    """What a word is looked for by: its stem in the language first, then that of who does not say one."""
    return list(dict.fromkeys(stem for code in (language, ANY) for stem in stems(code).analyze(word))) or [word]


def foreign_stems(text: str, language: str) -> str:
    """The stems of ANY where they are others than the language's own."""
    if language == ANY:
        return ""
    both = zip(stems(language).pre_tokenize(text).tokens, stems(ANY).pre_tokenize(text).tokens, strict=True)
    return " ".join(other.text for own, other in both if other.text != own.text)


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed: words, those of them that are only begun (`auto*`), and phrases ("in quotes") as lists of words."""

    words: tuple[str, ...]
    begun: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]

    @property
    def empty(self) -> bool:
        return not (self.words or self.begun or self.phrases)


_PARTS = re.compile(r'"([^"]*)"|(\S+)')


def read(text: str) -> Question:
    """What is asked for. Anything can be typed: there is no syntax to be wrong in."""
    found: list[str] = []
    begun: list[str] = []
    phrases: list[tuple[str, ...]] = []
    for quoted, piece in _PARTS.findall(text):
        several = words().analyze(parted(quoted or piece))
        row = not (quoted or piece).isascii() and len(several) > 1 and all(_SIGN.fullmatch(word) for word in several)
        if row or (quoted and len(several) > 1):
            phrases.append(tuple(several))
        elif piece.endswith("*") and several and len(several[-1]) > 1:
            found += several[:-1]
            begun.append(several[-1])
        else:
            found += several
        if len(found) + len(begun) + sum(map(len, phrases)) >= MAX_WORDS:
            break
    return Question(tuple(dict.fromkeys(found[:MAX_WORDS])), tuple(dict.fromkeys(begun)), tuple(phrases))


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


class Marker:
    """Shows where texts have what was asked for: some stems, and words that begin in some ways."""

    def __init__(self, wanted: set[str], starts: tuple[str, ...]) -> None:
        self._wanted, self._starts = wanted, starts
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
        wanted, starts = self._wanted, self._starts
        if not text.isascii():
            both = zip(stems(language).pre_tokenize(text).tokens, stems(ANY).pre_tokenize(text).tokens, strict=True)
            found = [(t.char_offset_from, t.char_offset_to, t.text if t.text in wanted else other.text) for t, other in both]
            marks = [mark for mark in found if mark[2] in wanted or (starts and text[mark[0] : mark[1]].lower().startswith(starts))]
            return sorted([*marks, *((at.start(), at.end(), at[0]) for at in _SIGN.finditer(text) if at[0] in wanted)])
        known, mine = self._words.get(language) or self._begun(language)
        there = set(_ASCII_WORD.findall(text))
        for word in there.difference(known.of):
            if not known.learn(word).isdisjoint(wanted):
                mine.add(word)
        marked = there & mine
        if starts:
            marked |= {word for word in there if word.lower().startswith(starts)}
        marks = [mark for word in marked for mark in _places(text, word, known.of[word])]
        return marks if len(marks) < 2 else sorted(marks)

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
