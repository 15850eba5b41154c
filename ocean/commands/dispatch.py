"""Statements to answers: parse, run the command, then the stages of its pipe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from grammar import DropsSyntaxError, Statement
from grammar.conditions import Test
from ocean.commands.command import run
from ocean.commands.table import COMMANDS, LANGUAGE
from ocean.context import Caller, Ocean
from ocean.core.payloads import weight
from ocean.errors import OceanError
from ocean.services.query import pipes

LONG = 32 * 1024  # characters of a text that is read in a thread
MAX_ANSWERS = 64 * 1024 * 1024  # bytes, about, of several statements' answers together


def parse(text: str) -> list[Statement]:
    """Raises SYNTAX_ERROR with line, column and what was expected."""
    try:
        return LANGUAGE.parse(text)
    except DropsSyntaxError as fault:
        raise OceanError("SYNTAX_ERROR", str(fault), fault.hint, line=fault.line, column=fault.column, expected=fault.expected) from None


async def parse_aside(text: str) -> list[Statement]:
    """The same; a long text in a thread, so that the loop goes on meanwhile."""
    return parse(text) if len(text) < LONG else await asyncio.to_thread(parse, text)


def writes(statements: list[Statement]) -> bool:
    """Whether any of them writes."""
    return any(COMMANDS[s.command].writes for s in statements)


async def execute(ocean: Ocean, caller: Caller, statements: list[Statement]) -> dict[str, Any]:
    """The statement's answer; of several, `{results: [...]}`. The first that fails ends the run, those before it stand."""
    if len(statements) == 1:
        return await _one(ocean, caller, statements[0])
    results: list[dict[str, Any]] = []
    size = 0
    for index, statement in enumerate(statements):
        own = replace(caller, idempotency=f"{caller.idempotency}/{index}" if caller.idempotency else None)
        try:
            results.append(await _one(ocean, own, statement))
            size += weight(results[-1])
            if size > MAX_ANSWERS:
                results.pop()
                raise OceanError("LIMIT_REACHED", "The answers are too large together.", "Send the statements in several requests.")
        except OceanError as fault:
            fault.details.update(statement=index, results=results)
            raise
    return {"results": results}


async def _one(ocean: Ocean, caller: Caller, statement: Statement) -> dict[str, Any]:
    if not statement.pipe:
        return await run(COMMANDS[statement.command], ocean, caller, statement.args)
    args = dict(statement.args)
    if statement.command == "list":
        args = {"prefix": args.pop("route"), "where": Test("key", "exists"), **args}  # records, as a list has them: no events
    elif statement.command != "find":
        raise OceanError("INVALID_VALUE", f"'then' does not follow '{statement.command}': it works on what find and list give.")
    return await pipes.run(ocean, caller, args, statement.pipe)
