"""Each example of the table, as the HTTP request that it is translated to, says what the statement says."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from grammar import Statement
from ocean.api.quick import Plain
from ocean.api.twins import Reader, credentials_of
from ocean.commands.command import PLACE
from ocean.commands.table import COMMANDS, LANGUAGE
from ocean.commands.translate import request_of
from ocean.core.filters import filter_of
from ocean.errors import OceanError

SAYS_MORE = (
    'when orders where amount > 100 changes call "https://example.com/hook"',
    'search my/data "alice" where age > 21 top 5',
    'primitives texts "tea" where age > 21',
    'webhook delete "abc-1"',
    'webhook deliveries "abc/../1"',
    'define todo fields { title: "text" }',
    'undefine "users"',
    'push unsubscribe "id-1"',
)
STATEMENTS = [c.example for c in COMMANDS.values() if c.example and c.forms] + list(SAYS_MORE)


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_and_its_request_are_the_same(text: str) -> None:
    (statement,) = LANGUAGE.parse(text)
    try:
        method, target, headers, body = request_of(statement, COMMANDS)
    except OceanError:
        return  # it has no address but /exec, and says so
    command, twin, match = next(
        (command, twin, match)
        for command in COMMANDS.values()
        for twin in command.twins
        if twin.method == method and (match := re.fullmatch(PLACE.sub(r"(?P<\1>.+)", twin.path), target.split("?")[0]))
    )
    request = Plain(None, "", method, target.encode(), headers, json.dumps(body).encode() if body is not None else b"")
    request.match_info = {name: unquote(value) for name, value in match.groupdict().items()}
    read = Reader(twin, command.writes, credentials_of(twin))(request)
    if command.name in ("query", "bulk"):
        return  # their arguments are held to each other by tests of their own
    assert read == _meant(statement), target


def _meant(statement: Statement) -> dict[str, Any]:
    """A statement's arguments as the twin takes them."""
    found = dict(statement.args)
    if statement.command == "write public":
        found["public"] = True
    if statement.command == "subtract":
        found["by"] = -found["by"]
    if "where" in found:
        found["filter"] = filter_of(found.pop("where"))
    return found


def test_what_has_no_address_is_sent_to_exec() -> None:
    for text in ("undefine todo", 'status "job-1"'):
        with pytest.raises(OceanError, match=r"place|wants"):
            request_of(LANGUAGE.parse(text)[0], COMMANDS)
