"""A command, declared once: its forms, its arguments, its service function, its HTTP twin."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ocean.context import Caller, Ocean
from ocean.errors import OceanError

PLACE = re.compile(r"<(\w+)(?::\w+)?>")  # in a twin's path
Service = Callable[..., Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Arg:
    """An argument as the twin takes it: `where` is path, query, header or body; `kind` a name of KINDS."""

    name: str
    kind: str
    where: str = "body"
    required: bool = False
    called: str | None = None  # its name over HTTP, where another


@dataclass(frozen=True, slots=True)
class Twin:
    method: str
    path: str
    args: tuple[Arg, ...] = ()
    status: int = 200
    whole_body: str | None = None  # the argument that the whole body is
    may_be_empty: bool = False  # the body, which gives no argument then
    refuses: tuple[int, ...] = ()  # statuses of errors that few addresses answer


ROUTE = Arg("route", "text", "path", required=True)
KEY = Arg("key", "text", "query", required=True)
IF_MATCH = Arg("if_match", "etag", "header", called="if-match")


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    forms: tuple[str, ...]
    about: str
    example: str
    run: Service
    twins: tuple[Twin, ...] = ()
    writes: bool = False  # a caller without a key gets a pair made
    instant: bool = False  # a point read: on SQLite it never waits
    answer: str = "object"  # its shape, as `answers` reads it


def _kind(type_: type | tuple[type, ...], says: str) -> Callable[[str, Any], Any]:
    def check(name: str, value: Any) -> Any:
        if (isinstance(value, bool) and type_ is not bool) or not isinstance(value, type_):
            raise OceanError("INVALID_VALUE", f"{name!r} is {says}.")
        return value

    return check


def _integer(name: str, value: Any) -> int:
    if isinstance(value, str) and value.removeprefix("-").isdigit() and value.isascii() and len(value) < 18:
        return int(value)
    return int(_kind(int, "a whole number")(name, value))


def _flag(name: str, value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    return bool(_kind(bool, "true or false")(name, value))


def _any(name: str, value: Any) -> Any:
    return value


def _absent(name: str, value: Any) -> bool:
    if value != "*":
        raise OceanError("INVALID_VALUE", f"{name!r} is '*' here: the write stands only if there is no such record.")
    return True


_CONTENT = frozenset(("payload", "text", "query", "body"))  # arguments that are no names

KINDS: dict[str, Callable[[str, Any], Any]] = {
    "text": _kind(str, "text"),
    "integer": _integer,
    "number": _kind((int, float), "a number"),
    "flag": _flag,
    "object": _kind(dict, "an object"),
    "list": _kind(list, "a list"),
    "any": _any,
    "etag": lambda name, value: str(value).strip('"'),
    "absent": _absent,
}


async def run(command: Command, ocean: Ocean, caller: Caller, args: dict[str, Any]) -> dict[str, Any]:
    """The command with arguments that were read from a statement or a request. Raises INVALID_VALUE for what can be no name of anything."""
    for name, value in args.items():
        if isinstance(value, str) and "\x00" in value and name not in _CONTENT:
            raise OceanError("INVALID_VALUE", f"{name!r} has the character U+0000 in it, which no name has.")
    return await command.run(ocean, caller, **args)
