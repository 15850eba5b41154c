"""Texts to words: as they are kept, as they are asked for, and which of them a snippet marks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

LONGEST = 64  # bytes of a word: what is longer is no word
STEMMED = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
MAX_WORDS = 64  # of a question
SNIPPET = 240  # characters


def _builder() -> TextAnalyzerBuilder:
    return (
        TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST)).filter(Filter.lowercase()).filter(Filter.ascii_fold())
    )


@cache
def words() -> TextAnalyzer:
    """Words as they stand, in small letters, without accents."""
    return _builder().build()


@cache
def stems(language: str) -> TextAnalyzer:
    """Words by their stems (Snowball); as they stand in a language that has no stemmer here."""
    name = STEMMED.get(language)
    return _builder().filter(Filter.stemmer(name)).build() if name else words()


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
        several = words().analyze(quoted or piece)
        if quoted and len(several) > 1:
            phrases.append(tuple(several))
        elif piece.endswith("*") and several and len(several[-1]) > 1:
            found += several[:-1]
            begun.append(several[-1])
        else:
            found += several
        if len(found) + len(begun) + sum(map(len, phrases)) >= MAX_WORDS:
            break
    return Question(tuple(dict.fromkeys(found[:MAX_WORDS])), tuple(dict.fromkeys(begun)), tuple(phrases))


def snippet(text: str, wanted: set[str], starts: tuple[str, ...], language: str) -> str | None:
    """The part of a text that has most of the wanted stems, as HTML with <mark> about them; None where it has none."""
    tokens = words().pre_tokenize(text[:20_000]).tokens
    stem_of = stems(language)
    places = [i for i, token in enumerate(tokens) if _meant(token.text, wanted, starts, stem_of)]
    if not places:
        return None
    best = max(places, key=lambda at: _weight(tokens, places, at))
    begin = max(0, tokens[max(0, best - 4)].char_offset_from)
    end = min(len(text), begin + SNIPPET)
    shown: list[str] = ["… "] if begin > 0 else []
    last = begin
    for at in places:
        token = tokens[at]
        if begin <= token.char_offset_from and token.char_offset_to <= end:
            shown += [escape(text[last : token.char_offset_from]), "<mark>"]
            shown += [escape(text[token.char_offset_from : token.char_offset_to]), "</mark>"]
            last = token.char_offset_to
    shown.append(escape(text[last:end]))
    if end < len(text):
        shown.append(" …")
    return " ".join("".join(shown).split())


def _meant(word: str, wanted: set[str], starts: tuple[str, ...], stem_of: Any) -> bool:
    return word in wanted or word.startswith(starts) or any(stem in wanted for stem in stem_of.analyze(word))


def _weight(tokens: Any, places: list[int], at: int) -> int:
    """How many different wanted words a snippet that begins there would have."""
    end = tokens[at].char_offset_from + SNIPPET
    return len({tokens[i].text for i in places if i >= at and tokens[i].char_offset_to <= end})
