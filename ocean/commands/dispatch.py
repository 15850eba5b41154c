"""Statements to answers: parse, run the command, then the stages of its pipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from grammar import DropsSyntaxError, Statement
from ocean.commands.command import run
from ocean.commands.table import COMMANDS, LANGUAGE
from ocean.context import Caller, Ocean
from ocean.errors import OceanError


def parse(text: str) -> list[Statement]:
    """Raises SYNTAX_ERROR with line, column and what was expected."""
    try:
        return LANGUAGE.parse(text)
    except DropsSyntaxError as fault:
        raise OceanError("SYNTAX_ERROR", str(fault), fault.hint, line=fault.line, column=fault.column, expected=fault.expected) from None


def writes(statements: list[Statement]) -> bool:
    """Whether any of them writes."""
    return any(COMMANDS[s.command].writes for s in statements)


async def execute(ocean: Ocean, caller: Caller, statements: list[Statement]) -> dict[str, Any]:
    """The statement's answer; of several, `{results: [...]}`. The first that fails ends the run, those before it stand."""
    if len(statements) == 1:
        return await _one(ocean, caller, statements[0])
    results: list[dict[str, Any]] = []
    for index, statement in enumerate(statements):
        own = replace(caller, idempotency=f"{caller.idempotency}/{index}" if caller.idempotency else None)
        try:
            results.append(await _one(ocean, own, statement))
        except OceanError as fault:
            fault.details.update(statement=index, results=results)
            raise
    return {"results": results}


async def _one(ocean: Ocean, caller: Caller, statement: Statement) -> dict[str, Any]:
    args = _fold(statement)
    command = COMMANDS[statement.command]
    if statement.pipe and statement.command == "list":
        command, args = COMMANDS["find"], {"prefix": args.pop("route"), **args}
    return await run(command, ocean, caller, args)


def _fold(statement: Statement) -> dict[str, Any]:
    """The pipe, taken into the find before it: each stage may stand once, in the order that the clauses have."""
    args = dict(statement.args)
    if not statement.pipe:
        return args
    if statement.command not in ("find", "list"):
        raise OceanError("INVALID_VALUE", f"'{statement.command}' has no results for 'then' to work on.")
    order = ("where", "sort", "skip", "limit", "first", "count", "pick")
    last = -1
    for stage in statement.pipe:
        place = order.index(stage.name)
        if place <= last or stage.name in args or ("limit" in args and stage.name in ("where", "sort", "count")):
            raise OceanError("INVALID_VALUE", f"'then {stage.name}' can't stand here.", f"In order: {', '.join(order)}.")
        last = place
        if stage.name == "count":
            args["counted"] = True
        elif stage.name in ("limit", "skip"):
            args[stage.name] = stage.args["n"]
        elif stage.name == "first":
            args["limit"] = min(stage.args.get("n", 1), args.get("limit", 1000))
        else:
            args.update(stage.args)
    return args
