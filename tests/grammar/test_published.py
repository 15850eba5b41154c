"""The published grammar and the parser: what the one makes the other reads, and the seed's statements are of both."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis.extra.lark import from_lark
from lark import Lark

import grammar
from grammar import DropsSyntaxError
from ocean.commands.table import LANGUAGE
from tests.seed.test_corpus import EXAMPLES

HERE = Path(grammar.__file__).parent
LARK = Lark((HERE / "drops.lark").read_text(), parser="earley", start="start")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(from_lark(LARK, start="statement"))
def test_what_the_published_grammar_makes_is_read_and_printed_back(text: str) -> None:
    try:
        statements = LANGUAGE.parse(text)
    except DropsSyntaxError as fault:
        assume("each field once" not in str(fault))  # what no grammar without context can say
        raise
    assert len(statements) == 1
    assert LANGUAGE.parse(LANGUAGE.show(statements[0])) == statements


PLAIN = re.compile(r"\s+")


@pytest.mark.parametrize("text", [text for text in EXAMPLES if "(" not in text and "{" not in text])
def test_what_the_seed_shows_is_of_the_published_grammar(text: str) -> None:
    LARK.parse(PLAIN.sub(" ", text))


def test_the_editor_mode_is_one_and_its_expressions_are_ones() -> None:
    mode = json.loads((HERE / "drops.tmLanguage.json").read_text())
    found = {pattern["name"]: re.compile(pattern["match"], re.MULTILINE) for pattern in mode["patterns"]}
    line = 'find my/data where age > 21 and name = "Al" then first 3 -- a comment'
    assert found["keyword.control.drops"].search(line).group(1) == "find"  # type: ignore[union-attr]
    assert found["comment.line.drops"].search(line).group() == "-- a comment"  # type: ignore[union-attr]
    assert {m.group(1) for m in found["keyword.other.drops"].finditer(line)} >= {"where", "and", "then", "first"}
