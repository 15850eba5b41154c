"""The page about the language: each example runs, and none comes back empty."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import requests

from ocean.core import keys
from tests.conftest import Running

PAGE = Path(__file__).parents[2] / "ops" / "reference" / "language.md"
EXAMPLES = [
    (kind, line)
    for kind, body in re.findall(r"```(drops|POST /\w+)\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    for line in (body.splitlines() if kind == "drops" else [body])
]
SECRET = keys.generate().secret


@pytest.mark.parametrize(("kind", "text"), EXAMPLES)
def test_every_example_runs_and_answers(server: Running, kind: str, text: str) -> None:
    if kind == "drops":
        answer = server.drops(text, SECRET)
    else:
        headers = {"x-ocean-key": SECRET}
        answer = requests.post(server.api + kind.removeprefix("POST "), json=json.loads(text), headers=headers, timeout=20)
    assert answer.ok, answer.text
    told = answer.json()
    assert told.get("results", told.get("rows", [1])) or told.get("dry"), told


def test_the_page_of_a_pattern_is_there(server: Running) -> None:
    page = requests.get(f"{server.view}/shop/recipes/tea", timeout=9).text
    assert "<ol><li>Boil</li><li>Wait</li></ol>" in page
