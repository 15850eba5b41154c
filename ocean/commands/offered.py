"""What a function asks for while it runs, as commands: `ocean.read(...)` is `get`, and so on, each with its own checks."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ocean.commands.command import KINDS, Command, run
from ocean.commands.dispatch import execute, parse
from ocean.commands.table import COMMANDS
from ocean.context import Caller, Ocean
from ocean.core.routes import check_route
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.automate import functions
from ocean.services.files import blobs
from ocean.services.query.export import Export

MAX_STATEMENTS = 256 * 1024  # characters
MAX_FETCHED = 4 * 1024 * 1024  # bytes of another host's answer
MAX_EXPORTED = 12 * 1024 * 1024  # characters
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_OURS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "proxy-authorization")
)
# name -> command, and the field of its answer that is wanted
_COMMANDS = {
    "read": ("get", None), "write": ("save", None), "update": ("update", None), "remove": ("remove", None), "query": ("query", "results"),
    "search": ("search", "results"),
}  # fmt: skip


async def ask(ocean: Ocean, caller: Caller, name: str, given: Mapping[str, Any]) -> Any:
    """Raises whatever the command does, and INVALID_VALUE for what is none."""
    if name in _COMMANDS:
        command, field = _COMMANDS[name]
        answer = await run(COMMANDS[command], ocean, caller, _checked(COMMANDS[command], given))
        return answer if field is None else answer[field]
    if name not in _OTHERS:
        raise OceanError("INVALID_VALUE", f"Infinite Ocean is not asked for {name[:40]!r}.")
    return await _OTHERS[name](ocean, caller, given)


def _checked(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the command's own table, as its twin takes them. Raises INVALID_VALUE, UNKNOWN_FIELD."""
    twin = command.twins[0]
    kinds = {arg.name: arg.kind for arg in twin.args} | ({twin.whole_body: "object"} if twin.whole_body else {})
    for name in given:
        if name not in kinds:
            raise OceanError("UNKNOWN_FIELD", f"{command.name} knows no field {str(name)[:40]!r}.")
    return {name: KINDS[kinds[name]](name, value) for name, value in given.items() if value is not None or name == "payload"}


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise OceanError("INVALID_VALUE", f"{name!r} is text.")
    return value


def _bytes(given: Mapping[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(given, name), validate=True)
    except (binascii.Error, ValueError):
        raise OceanError("INVALID_VALUE", f"{name!r} is bytes.") from None


async def _sql(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    answer = await run(COMMANDS["sql"], ocean, caller, {"query": _text(given, "query")})
    return [dict(zip(answer["columns"], row, strict=True)) if isinstance(row, list | tuple) else row for row in answer["rows"]]


async def _exec(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    text = _text(given, "query")
    if len(text) > MAX_STATEMENTS:
        raise OceanError("PAYLOAD_TOO_LARGE", f"The statements are over {MAX_STATEMENTS // 1024} KB.")
    return await execute(ocean, caller, parse(text))


async def _run(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> Any:
    _, outcome = await ocean.functions.run(caller, _text(given, "route"), functions.request_of(given.get("request")))
    return functions.value_of(outcome)


async def _upload(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    name, kind = given.get("filename"), given.get("content_type")
    guessed = mimetypes.guess_type(name)[0] if isinstance(name, str) else None
    received = blobs.Received()
    try:
        await received.take(_bytes(given, "data"))
        type_ = kind if isinstance(kind, str) else guessed or "application/octet-stream"
        return await blobs.upload(ocean, caller, check_route(_text(given, "route")), type_, received)
    finally:
        received.close()


async def _entities(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    size = 0
    async for page in Export(ocean, caller, route=_text(given, "route"), format="json").pages():
        size += sum(len(drop.payload or "") + 300 for drop in page)
        if size > MAX_EXPORTED:
            raise OceanError(
                "LIMIT_REACHED", f"All of it is over {MAX_EXPORTED // 2**20} MB.", "Ask by parts: ocean.query with limit and skip."
            )
        found += [drop.to_json() for drop in page]
    return found


async def _fetch(ocean: Ocean, caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    """Another host's answer, through the one way out."""
    method, headers = given.get("method", "GET"), given.get("headers") or {}
    if method not in METHODS:
        raise OceanError("INVALID_VALUE", f"{str(method)[:20]!r} is no method of HTTP.", f"Methods: {', '.join(METHODS)}.")
    if not isinstance(headers, dict) or not all(isinstance(one, str) for pair in headers.items() for one in pair):
        raise OceanError("INVALID_VALUE", "'headers' are texts by their names.")
    ocean.paces.fetches.spend_each(caller.holders)
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    body = _bytes(given, "body") if given.get("body") is not None else None
    try:
        reply = await ocean.egress.request(str(method), _text(given, "url"), body, sent, most=MAX_FETCHED)
    except EgressError as fault:
        raise OceanError("NOT_AVAILABLE", f"The address could not be asked: {fault}", status=502) from None
    return {"status": reply.status, "headers": dict(reply.headers), "body": base64.b64encode(reply.body).decode()}


_OTHERS: dict[str, Callable[[Ocean, Caller, Mapping[str, Any]], Awaitable[Any]]] = {
    "sql": _sql, "exec": _exec, "run": _run, "upload": _upload, "export_entities": _entities, "fetch": _fetch,
}  # fmt: skip
