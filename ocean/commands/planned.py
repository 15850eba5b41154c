"""Statements of the language whose services are not built yet: they parse and print, and say so when they are run."""

from __future__ import annotations

from typing import Any

from ocean.commands.command import Command
from ocean.context import Caller, Ocean
from ocean.errors import OceanError


async def _not_yet(ocean: Ocean, caller: Caller, **args: Any) -> dict[str, Any]:
    raise OceanError("NOT_AVAILABLE", "This statement is part of the language, and not yet of this version.", "help lists what runs.")


# name -> (forms, example)
_FORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "every": (("every SCHEDULE NAME:label run ROUTE [REQUEST:object]",), "every 5 minutes health-check: run fn/ping"),
    "schedules": (("schedules",), "schedules"),
    "schedule delete": (("schedule delete NAME:text",), 'schedule delete "daily-report"'),
}

COMMANDS = tuple(
    Command(name, forms, "Not in this version yet.", example, _not_yet) for name, (forms, example) in _FORMS.items()
)  # fmt: skip
NAMES = frozenset(_FORMS)
