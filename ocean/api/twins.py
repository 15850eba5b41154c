"""HTTP routes made from the command table."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from sanic import Request, Sanic

from ocean.api.callers import caller_of
from ocean.api.quick import Plain, Table
from ocean.commands.command import KINDS, Command, Twin, run
from ocean.commands.table import COMMANDS
from ocean.core.payloads import decode
from ocean.errors import OceanError
from ocean.http import Answer, json_

Asked = Request | Plain


def mount(server: Sanic[Any, Any], quick: Table) -> None:
    for command in COMMANDS.values():
        for twin in command.twins:
            name = f"{command.name.replace(' ', '_')}_{twin.method.lower()}"
            handler = _handler(command, twin)
            server.add_route(handler, twin.path, methods=[twin.method], name=name)
            quick.add(twin.method, twin.path, handler, instant=command.instant)


def _handler(command: Command, twin: Twin) -> Any:
    async def handle(request: Asked, **named: str) -> Answer:
        caller = await caller_of(request, make=command.writes)
        args = read(twin, request)
        return json_(await run(command, request.app.ctx.ocean, caller, args), twin.status, any_origin=True)

    return handle


def read(twin: Twin, request: Asked) -> dict[str, Any]:
    """The arguments, each checked. Raises UNKNOWN_FIELD on what the twin does not know."""
    query = {a.called or a.name for a in twin.args if a.where == "query"}
    allowed = query | ({"generate_keypair"} if request.method == "POST" else set())
    only_parameters(request, allowed)
    args: dict[str, Any] = {}
    body: dict[str, Any] = {}
    if twin.whole_body:
        args[twin.whole_body] = decode(request.body)
    elif any(a.where == "body" for a in twin.args):
        body = decode(request.body)
        if not isinstance(body, dict):
            raise OceanError("INVALID_PAYLOAD", "The body is not a JSON object.")
        known = {a.called or a.name for a in twin.args if a.where == "body"}
        for name in body:
            if name not in known:
                raise OceanError("UNKNOWN_FIELD", f"{twin.path} knows no field {name[:40]!r}.", f"Known: {', '.join(sorted(known))}.")
    for arg in twin.args:
        name = arg.called or arg.name
        source: Any = request.args if arg.where == "query" else body
        value = _from_path(request, name) if arg.where == "path" else source.get(name)
        if value is None and name not in (source if isinstance(source, dict) else {}):
            if arg.required:
                _missing(name)
            continue
        args[arg.name] = KINDS[arg.kind](name, value) if value is not None or arg.kind == "any" else None
    _preconditions(twin, request, args)
    return args


def _from_path(request: Asked, name: str) -> str:
    return path_route(request) if name == "route" else str(request.match_info[name])


def _missing(name: str) -> None:
    if name in ("route", "prefix"):
        raise OceanError("ROUTE_REQUIRED", f"The request has no {name!r}, a folder.")
    if name == "key":
        raise OceanError("KEY_REQUIRED", "The request has no 'key', the record's.")
    raise OceanError("INVALID_PAYLOAD" if name == "payload" else "INVALID_VALUE", f"The request has no {name!r}.")


def _preconditions(twin: Twin, request: Asked, args: dict[str, Any]) -> None:
    match = request.headers.get("if-match")
    if match and (twin.path == "/drop" or twin.method in ("PATCH", "DELETE")):
        args["if_match"] = match.strip('"')
    if request.headers.get("if-none-match") == "*" and twin.path == "/drop":
        args["if_none_match"] = True


def only_parameters(request: Asked, known: set[str]) -> None:
    """Raises UNKNOWN_FIELD on a query parameter that is not known, or is given twice."""
    for name, values in request.args.items():
        if name not in known:
            raise OceanError("UNKNOWN_FIELD", f"There is no parameter {name[:40]!r} here.")
        if len(values) > 1:
            raise OceanError("INVALID_VALUE", f"The parameter {name!r} is given twice.")


def path_route(request: Asked) -> str:
    """The route in a path like /entity/a/b, each segment decoded by itself: %2f is never a separator."""
    raw = request.raw_url.split(b"?", 1)[0]
    segments = [unquote_to_bytes(s) for s in raw.split(b"/")[2:]]
    if any(b"/" in s for s in segments):
        raise OceanError("INVALID_ROUTE", "The route has an encoded slash.")
    try:
        return b"/".join(segments).decode()
    except UnicodeDecodeError:
        raise OceanError("INVALID_ROUTE", "The route is not UTF-8.") from None
