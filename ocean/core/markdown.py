"""Markdown as pages have it: CommonMark with tables, footnotes, task lists, headings that can be linked to, highlighted code. Pure.

What is written as HTML in it stays as it is: it is its writer's page.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from io import StringIO
from typing import Any

import pyromark
import yaml

from ocean.core.shown import shortened

_OPTIONS = (
    pyromark.Options.ENABLE_GFM | pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_FOOTNOTES | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS | pyromark.Options.ENABLE_HEADING_ATTRIBUTES | pyromark.Options.ENABLE_DEFINITION_LIST
    | pyromark.Options.ENABLE_SMART_PUNCTUATION
)  # fmt: skip
_HEAD = re.compile(r"---[ \t]*\r?\n(.{0,4096}?)(?:\r?\n)(?:---|\.\.\.)[ \t]*(?:\r?\n|$)", re.DOTALL)
_HEADING = re.compile(r"<h[1-6](?=[\s>])", re.IGNORECASE)
_LINE = re.compile(r"([A-Za-z][\w-]*):[ \t]+(.*)")
_NO_NAME = re.compile(r"[^\w\- ]+")
MAX_TEXT = 2 * 1024 * 1024  # characters that are read as Markdown
# Of Pygments' some hundred: what people write about, and what no text is known to hold up for long.
_LANGUAGES = frozenset((
    "bash", "c", "c++", "console", "cpp", "css", "diff", "docker", "dockerfile", "elixir", "go", "haskell", "html", "http", "ini",
    "java", "javascript", "js", "json", "jsx", "julia", "kotlin", "lua", "nginx", "perl", "php", "powershell", "python", "py", "r", "ruby",
    "rb", "rust", "rs", "scala", "scss", "sh", "shell", "sql", "swift", "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml", "zig",
))  # fmt: skip
_HEAD_OF = 8_000  # characters of a text that its card is made of
_MAX_CODE = 4_000  # characters of a block that are highlighted, and
_ALL_CODE = 30_000  # of all blocks of a text: the time of some lexers grows with the square of what they read


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Document:
    """`fields`: what stands before the text, between two lines of `---`; `title`: the heading that it begins with, if it does."""

    html: str
    fields: dict[str, Any] = field(default_factory=dict)
    headings: tuple[Heading, ...] = ()
    title: str | None = None
    summary: str | None = None


def head(text: str) -> Document:
    """What is known of a text, without its HTML: by the fields before it, and how it begins."""
    fields, body = split(text)
    outline = _Outline()
    for event in pyromark.events(body[:_HEAD_OF], options=_OPTIONS):
        outline.take(event)
    return Document("", fields, tuple(outline.headings), outline.title, outline.summary)


def read(text: str) -> Document:
    """A text and what is known of it. Never raises: whatever is no Markdown is text."""
    fields, body = split(text)
    if len(body) > MAX_TEXT:
        return Document(f"<pre>{escape(body)}</pre>", fields)
    outline = _Outline()
    for event in pyromark.events(body, options=_OPTIONS):
        outline.take(event)
    anchors = iter(outline.anchors)
    html = _HEADING.sub(lambda found: found[0] + next(anchors, ""), pyromark.html(body, options=_OPTIONS, highlight=_Highlighter()))
    html = html.replace("<pre><code", '<pre tabindex="0"><code')  # what scrolls can be reached without a mouse
    return Document(html, fields, tuple(outline.headings), outline.title, outline.summary)


class _Outline:
    """The headings of a text, and its first paragraph, from what a parser tells in turn.

    `anchors` has one piece for each heading that the HTML will have, those that were written as HTML too (nothing is added there).
    """

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.anchors: list[str] = []
        self.summary: str | None = None
        self.begins = False  # with a heading
        self._count = 0
        self._text: list[str] | None = None
        self._raw: list[str] = []
        self._own: str | None = None
        self._level = 0
        self._picture = False  # what stands for one is not read with the text
        self._taken: Counter[str] = Counter()

    @property
    def title(self) -> str | None:
        """The heading that the text begins with, if it does."""
        return self.headings[0].text if self.begins and self.headings and self.headings[0].level == 1 else None

    def take(self, event: Any) -> None:
        kind: str
        value: Any
        kind, value = next(iter(event.items())) if isinstance(event, dict) else (event, None)
        if kind in ("Html", "InlineHtml"):
            self._raw.append(value)
            return
        if self._raw:
            self.anchors += [""] * len(_HEADING.findall("".join(self._raw)))
            self._raw = []
        self._count += 1
        if kind == "Start":
            self._begin(value)
        elif kind == "End":
            self._end(value)
        elif self._text is not None and not self._picture:
            self._text.append(" " if kind in ("SoftBreak", "HardBreak") else value if kind in ("Text", "Code") else "")

    def _begin(self, value: Any) -> None:
        if isinstance(value, dict) and "Image" in value:
            self._picture = True
        if isinstance(value, dict) and "Heading" in value:
            self._text, self._own, self._level = [], value["Heading"]["id"], int(value["Heading"]["level"][1])
            self.begins = self.begins or self._count == 1
        elif value == "Paragraph" and self.summary is None:
            self._text = []

    def _end(self, value: Any) -> None:
        if value == "Image":
            self._picture = False
        if self._text is None:
            return
        text = " ".join("".join(self._text).split())
        if isinstance(value, dict) and "Heading" in value:
            anchor = self._own or self._free(text)
            self.headings.append(Heading(self._level, text, anchor))
            self.anchors.append("" if self._own else f' id="{escape(anchor)}"')
            self._text = None
        elif value == "Paragraph":
            self.summary = shortened(text) or None
            self._text = None

    def _free(self, text: str) -> str:
        """A name for a heading that no other has, as GitHub makes them."""
        base = _NO_NAME.sub("", text.lower()).strip().replace(" ", "-")[:80] or "section"
        self._taken[base] += 1
        return base if self._taken[base] == 1 else f"{base}-{self._taken[base] - 1}"


class _Highlighter:
    """Code as HTML with classes, by Pygments; what it does not know stays as it is."""

    def __init__(self) -> None:
        self._left = _ALL_CODE

    def __call__(self, language: str | None, code: str) -> str | None:
        words = (language or "").replace(",", " ").split()
        if not words or len(code) > min(_MAX_CODE, self._left):
            return None
        self._left -= len(code)
        return _highlighted(code, words[0].lower())


def _highlighted(code: str, language: str) -> str | None:
    known = _lexer(language)
    if known is None:
        return None
    lexer, formatter = known
    made = StringIO()
    formatter.format(lexer.get_tokens(code), made)
    inner = made.getvalue()
    return f'<pre><code class="language-{escape(language)}">{inner}</code></pre>\n'


@lru_cache(maxsize=64)
def _lexer(language: str) -> Any:
    """A lexer of Pygments with a formatter, or None."""
    if language not in _LANGUAGES:
        return None
    from pygments.formatters import HtmlFormatter  # takes a moment to import
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(language), HtmlFormatter(nowrap=True, classprefix="c-")


def split(text: str) -> tuple[dict[str, Any], str]:
    """The fields before a text, and the text. What can't be read as fields is part of the text."""
    found = _HEAD.match(text)
    if found is None:
        return {}, text
    body = text[found.end() :]
    try:
        for event in yaml.parse(found[1], Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
                return {}, text  # what stands for something else may grow without end; no types are read
        fields = yaml.load(found[1], Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        fields = _lines(found[1])
    if not isinstance(fields, dict):
        return {}, text
    return {str(name): value for name, value in fields.items()}, body


def _lines(said: str) -> dict[str, str] | None:
    """Fields a line each, where they are no YAML, as with a colon in a title; None where a line is no field."""
    found = [_LINE.fullmatch(line) for line in said.splitlines() if line.strip()]
    return {field[1]: field[2].strip().strip("\"'") for field in found if field} if all(found) else None


class _Loader(yaml.CSafeLoader):
    """Dates stay the text that they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }
