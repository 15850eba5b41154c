"""What a function asks for while it runs, as commands: `ocean.read(...)` is `get`, and so on, each with its own checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.commands.command import KINDS, Command, run
from ocean.commands.dispatch import execute, parse_aside
from ocean.commands.table import COMMANDS
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.automate.asking import ASKED, text_of

MAX_STATEMENTS = 256 * 1024  # characters
_COMMANDS = {"read": "get", "write": "save", "update": "update", "remove": "remove", "search": "search", "sql": "sql"}


async def ask(ocean: Ocean, caller: Caller, name: str, given: Mapping[str, Any]) -> Any:
    """Raises whatever the command does, and INVALID_VALUE for what is none."""
    if name in ASKED:
        return await ASKED[name](ocean, caller, given)
    if name == "exec":
        text = text_of(given, "query")
        if len(text) > MAX_STATEMENTS:
            raise OceanError("PAYLOAD_TOO_LARGE", f"The statements are over {MAX_STATEMENTS // 1024} KB.")
        return await execute(ocean, caller, await parse_aside(text))
    if name not in _COMMANDS:
        raise OceanError("INVALID_VALUE", f"Infinite Ocean is not asked for {name[:40]!r}.")
    command = COMMANDS[_COMMANDS[name]]
    answer = await run(command, ocean, caller, _checked(command, given))
    if name == "sql":
        return [dict(zip(answer["columns"], row, strict=True)) if isinstance(row, list | tuple) else row for row in answer["rows"]]
    return answer["results"] if name == "search" else answer


def _checked(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the command's own table, as its twin takes them. Raises INVALID_VALUE, UNKNOWN_FIELD."""
    (twin, *_) = command.twins
    kinds = {arg.name: arg.kind for arg in twin.args} | ({twin.whole_body: "object"} if twin.whole_body else {})
    for name in given:
        if name not in kinds:
            raise OceanError("UNKNOWN_FIELD", f"{command.name} knows no field {str(name)[:40]!r}.")
    wanted = {arg.name for arg in twin.args if arg.required} | ({twin.whole_body} if twin.whole_body else set())
    if missing := sorted(name for name in wanted if name not in given or (given[name] is None and name != "payload")):
        raise OceanError("INVALID_VALUE", f"{command.name} wants {', '.join(missing)}.")
    return {name: KINDS[kinds[name]](name, value) for name, value in given.items() if value is not None or name == "payload"}
