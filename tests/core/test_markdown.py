"""Markdown as pages have it."""

from __future__ import annotations

import time

import pytest

from ocean.core import markdown
from ocean.core.markdown import read


def test_headings_have_names_that_no_other_has() -> None:
    found = read("# One *two*\n\n## Part\n\n<h2>raw</h2>\n\ntext <h3>in</h3>\n\n## Part\n\nSet `x`\n---\n\n## Own {#own}\n\n## !!!\n")
    assert [(h.level, h.text, h.anchor) for h in found.headings] == [
        (1, "One two", "one-two"), (2, "Part", "part"), (2, "Part", "part-1"), (2, "Set x", "set-x"), (2, "Own", "own"),
        (2, "!!!", "section"),
    ]  # fmt: skip
    for piece in ('<h2 id="part">', "<h2>raw</h2>", "<h3>in</h3>", '<h2 id="part-1">', '<h2 id="own">', '<h2 id="section">'):
        assert piece in found.html
    assert found.title == "One two"


@pytest.mark.parametrize(
    ("text", "title", "summary"),
    [
        ("# A\n\ntext *of*\nit", "A", "text of it"),
        ("## A\n\ntext", None, "text"),
        ("text\n\n# A", None, "text"),
        ("", None, None),
        ("![](x.png)\n\nword", None, "word"),
        ("# A\n\n" + "word " * 100, "A", "word " * 38 + "word\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_title_and_summary(text: str, title: str | None, summary: str | None) -> None:
    found = read(text)
    assert (found.title, found.summary) == (title, summary)


def test_fields_before_a_text() -> None:
    found = read("---\ntitle: A tale\ndate: 2026-01-02\ntags: [a, b]\ndraft: false\nn: 3\n---\n# B\n\nx")
    assert found.fields == {"title": "A tale", "date": "2026-01-02", "tags": ["a", "b"], "draft": False, "n": 3}
    assert found.title == "B"


def test_fields_that_are_no_yaml_are_read_line_by_line() -> None:
    """A title with a colon in it made all of them text."""
    found = read('---\ntitle: Bad: yaml: here\nimage: "x.png"\n\n---\nx')
    assert found.fields == {"title": "Bad: yaml: here", "image": "x.png"}


@pytest.mark.parametrize(
    "head",
    [
        "a:[",
        "- a\n- b",
        "a: &x [1]\nb: *x",
        "\x01",
        "a: !!python/object:os.system x",
        "x: !!bool maybe",
        'x: !!int ""',
        "x: !!timestamp foo",
        "9" * 5000,
    ],
)
def test_what_is_no_fields_is_text(head: str) -> None:
    assert read(f"---\n{head}\n---\nx").fields == {}


def test_code_is_in_colour_where_its_language_is_known() -> None:
    made = read("```python title=x\ndef f(): pass\n```\n\n```none\n<b>\n```\n\n```\n<i>\n```\n").html
    assert '<pre tabindex="0"><code class="language-python"><span class="c-k">def</span>' in made
    assert "&lt;b&gt;" in made
    assert "&lt;i&gt;" in made
    assert "<span" not in read(f"```python\n{'x = 1' * 2000}\n```").html  # a long block stays as it is


def test_colour_ends_when_there_is_much_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "_ALL_CODE", 8)
    assert read("```python\nx = 1\n```\n\n```python\ny = 2\n```").html.count("<span") == 3


def test_the_head_of_a_text_is_what_the_whole_says_of_it() -> None:
    text = "---\ntitle: A\n---\n# B\n\nwords\n\n" + "more " * 10_000
    whole, first = read(text), markdown.head(text)
    assert (first.fields, first.title, first.summary, first.html) == (whole.fields, whole.title, whole.summary, "")


def test_a_text_that_is_too_long_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "MAX_TEXT", 10)
    assert read("# A <b>cdefghijkl").html == "<pre># A &lt;b&gt;cdefghijkl</pre>"


@pytest.mark.parametrize(
    "text", ["# x\n" * 20_000, ">" * 20_000, "- " * 20_000, "[" * 20_000, "*a " * 20_000, "<div>" * 20_000, "`" * 20_000]
)
def test_no_text_takes_more_than_a_moment(text: str) -> None:
    begun = time.process_time()
    read(text)
    assert time.process_time() - begun < 3
