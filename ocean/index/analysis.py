"""Texts to words: as they are kept, and as they are asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

LONGEST = 64  # bytes of a word: what is longer is no word
STEMMED = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "nb": "norwegian", "nn": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
MAX_WORDS = 64  # of a question


def _builder() -> TextAnalyzerBuilder:
    return (
        TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.remove_long(LONGEST)).filter(Filter.lowercase()).filter(Filter.ascii_fold())
    )


# Scripts that set no spaces between words (Thai, Lao, Burmese, Khmer, Han, Kana, Hangul): each sign is a word, and several in a row are a
# phrase.
SIGN = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def parted(text: str) -> str:
    """A text as it is taken for words: with spaces about what is a word by itself."""
    return text if text.isascii() else SIGN.sub(r" \g<0> ", text)


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


def stems(language: str) -> TextAnalyzer:
    """Words by their stems (Snowball); as they stand in a language that has no stemmer here."""
    return _stemmer(STEMMED.get(language))


@cache
def _stemmer(name: str | None) -> TextAnalyzer:
    return _builder().filter(Filter.stemmer(name)).build() if name else words()


ANY = "en"  # the language of who does not say one: by its stems every text is found, so that a word as it stands always is


def stems_of(word: str, language: str) -> list[str]:
    """What a word is looked for by: its stem in the language first, then that of who does not say one."""
    codes = (ANY,) if language == ANY else (language, ANY)
    return list(dict.fromkeys(stem for code in codes for stem in stems(code).analyze(word))) or [word]


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
        row = not (quoted or piece).isascii() and len(several) > 1 and all(SIGN.fullmatch(word) for word in several)
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


@dataclass(slots=True)
class Sought:
    """What a question came to: the stems that were looked for, and words of which only some like them were found, with how many letters
    they may be away."""

    stems: set[str] = field(default_factory=set)
    like: dict[str, int] = field(default_factory=dict)
