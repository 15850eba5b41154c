"""Answers held to what the table says of them, by a validator of somebody else's."""

from __future__ import annotations

from typing import Any

import jsonschema

from grammar import Statement
from ocean.commands.answers import components, schema_of
from ocean.commands.table import COMMANDS

_DEFINED = {"components": {"schemas": components()}}


def check(statement: Statement, answer: Any) -> None:
    """`answer` as it is read back from JSON."""
    command = COMMANDS["find" if statement.pipe else statement.command]
    jsonschema.Draft202012Validator({**schema_of(command.answer), **_DEFINED}).validate(answer)
