"""Every statement that the seed shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocean.commands.table import LANGUAGE

EXAMPLES = [
    line for line in (Path(__file__).parent / "drops-examples.txt").read_text().splitlines() if line and not line.startswith("#")
]  # fmt: skip


@pytest.mark.parametrize("text", EXAMPLES)
def test_it_parses_and_prints_back(text: str) -> None:
    statements = LANGUAGE.parse(text)
    assert len(statements) == 1
    assert LANGUAGE.parse(LANGUAGE.show(statements[0])) == statements
