"""HTTP routes made from the command table."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import unquote_to_bytes

from sanic import Request, Sanic

from ocean.api.callers import IN_ADDRESS, answered, caller_of
from ocean.api.quick import Plain, Table
from ocean.commands.command import KINDS, Command, Twin, run
from ocean.commands.table import COMMANDS
from ocean.core.payloads import decode
from ocean.errors import OceanError
from ocean.http.answers import Answer, json_

Asked = Request | Plain
MAX_QUESTION = 256 * 1024  # bytes of a body that only asks
MAX_CONTENT = 16 * 1024 * 1024  # of one that brings a payload, escapes and all
_CONTENT, _MANY = frozenset(("payload", "changes")), frozenset(("ops", "files"))  # arguments that may be large, or many
LONG = 64 * 1024  # bytes of a body that is read in a thread: the loop goes on meanwhile


def mount(server: Sanic[Any, Any], quick: Table) -> None:
    for command in COMMANDS.values():
        for twin in command.twins:
            name = f"{command.name.replace(' ', '_')}_{twin.method.lower()}_{twin.path.split('/')[1]}"
            handler = _handler(command, twin)
            server.add_route(handler, twin.path, methods=[twin.method], name=name)
            quick.add(twin.method, twin.path, handler, instant=command.instant)


def _handler(command: Command, twin: Twin) -> Any:
    credentials = credentials_of(twin)
    read = Reader(twin, command.writes, credentials)

    async def handle(request: Asked, **named: str) -> Answer:
        caller = await caller_of(request, make=command.writes, parameters=credentials)
        args = read(request) if len(request.body) <= LONG else await asyncio.to_thread(read, request)
        work = run(command, request.app.ctx.ocean, caller, args)
        answer = await answered(request, caller, work)
        if command.writes and request.args.get("wait") == "true":
            await request.app.ctx.ocean.indexing.written()
        return json_(answer, twin.status, any_origin=True)

    return handle


def credentials_of(twin: Twin) -> frozenset[str]:
    """The parameters that may carry the caller's key: of what a browser can ask for without headers, those with no other meaning."""
    return IN_ADDRESS - {a.called or a.name for a in twin.args if a.where == "query"} if twin.method == "GET" else frozenset()


class Reader:
    """Reads the arguments of one twin, each checked."""

    def __init__(self, twin: Twin, makes: bool, credentials: frozenset[str]) -> None:
        self._twin = twin
        self._query = frozenset(a.called or a.name for a in twin.args if a.where == "query") | credentials
        if makes:
            self._query |= {"generate_keypair", "wait"}
        self._body = frozenset(a.called or a.name for a in twin.args if a.where == "body")
        names = {*self._body, twin.whole_body}
        self._largest = None if names & _MANY else MAX_CONTENT if names & _CONTENT else MAX_QUESTION
        self._args = [(a, a.called or a.name, KINDS[a.kind]) for a in twin.args]
        segments = twin.path.split("/")
        self._depth = segments.index("<route:path>") if "<route:path>" in segments else 2

    def __call__(self, request: Asked) -> dict[str, Any]:
        """Raises UNKNOWN_FIELD on what the twin does not know, and what the kinds of its arguments refuse."""
        if request.query_string:
            only_parameters(request, self._query)
        if self._largest is not None and len(request.body) > self._largest:
            says = f"{self._twin.path} takes a body of at most {self._largest // 1024} KB."
            raise OceanError("PAYLOAD_TOO_LARGE", says, "Send less at once, and large content as a file.")
        args: dict[str, Any] = {}
        body: dict[str, Any] = {}
        if self._twin.whole_body and (request.body or not self._twin.may_be_empty):
            args[self._twin.whole_body] = decode(request.body)
        elif self._body:
            body = self._fields(request.body)
        for arg, name, kind in self._args:
            value = self._value(request, arg.where, name, body)
            if value is None and not (arg.kind == "any" and name in body):
                if arg.required:
                    _missing(name)
                continue
            args[arg.name] = kind(name, value) if value is not None or arg.kind == "any" else None
        return args

    def _value(self, request: Asked, where: str, name: str, body: dict[str, Any]) -> Any:
        if where == "path":
            return _from_path(request, name, self._depth)
        if where == "query":
            return request.args.get(name)
        return request.headers.get(name) if where == "header" else body.get(name)

    def _fields(self, text: bytes) -> dict[str, Any]:
        body = decode(text)
        if not isinstance(body, dict):
            raise OceanError("INVALID_PAYLOAD", "The body is not a JSON object.")
        if not body.keys() <= self._body:
            name = next(name for name in body if name not in self._body)
            known = ", ".join(sorted(self._body))
            raise OceanError("UNKNOWN_FIELD", f"{self._twin.path} knows no field {name[:40]!r}.", f"Known: {known}.")
        return body


def _from_path(request: Asked, name: str, depth: int) -> str:
    if name == "route":
        return path_route(request, depth)
    try:
        return unquote_to_bytes(str(request.match_info[name])).decode()
    except UnicodeDecodeError:
        raise OceanError("INVALID_VALUE", f"The address's {name!r} is not UTF-8.") from None


def _missing(name: str) -> None:
    if name in ("route", "prefix"):
        raise OceanError("ROUTE_REQUIRED", f"The request has no {name!r}, a folder.")
    if name == "key":
        raise OceanError("KEY_REQUIRED", "The request has no 'key', the record's.")
    raise OceanError("INVALID_PAYLOAD" if name == "payload" else "INVALID_VALUE", f"The request has no {name!r}.")


def only_parameters(request: Asked, known: AbstractSet[str]) -> None:
    """Raises UNKNOWN_FIELD on a query parameter that is not known, or is given twice."""
    for name, values in request.args.items():
        if name not in known:
            raise OceanError("UNKNOWN_FIELD", f"There is no parameter {name[:40]!r} here.")
        if len(values) > 1:
            raise OceanError("INVALID_VALUE", f"The parameter {name!r} is given twice.")


def path_route(request: Asked, depth: int = 2) -> str:
    """The route in a path like /entity/a/b, which begins at the segment `depth`; each is decoded by itself: %2f is never a separator."""
    raw = request.raw_url.split(b"?", 1)[0]
    segments = [unquote_to_bytes(s) for s in raw.split(b"/")[depth:]]
    if any(b"/" in s for s in segments):
        raise OceanError("INVALID_ROUTE", "The route has an encoded slash.")
    try:
        return b"/".join(segments).decode()
    except UnicodeDecodeError:
        raise OceanError("INVALID_ROUTE", "The route is not UTF-8.") from None
