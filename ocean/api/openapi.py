"""GET /openapi.json: the API as OpenAPI 3.1 describes it, made from the command table and the addresses by hand; and /docs to try it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from sanic import HTTPResponse, Request, Sanic

from ocean import __version__
from ocean.api.byhand import BY_HAND, JSON, Endpoint
from ocean.api.callers import ANY_ORIGIN
from ocean.commands.answers import components, schema_of
from ocean.commands.command import PLACE, Arg, Command, Twin
from ocean.commands.table import COMMANDS, LANGUAGE
from ocean.commands.translate import request_of
from ocean.errors import CODES, OceanError
from ocean.http import assets
from ocean.settings import api_url

_KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"}, "integer": {"type": "integer"}, "number": {"type": "number"}, "flag": {"type": "boolean"},
    "object": {"type": "object"}, "list": {"type": "array"}, "any": {}, "etag": {"type": "string"}, "absent": {"const": "*"},
}  # fmt: skip
_ALWAYS = (400, 401, 403, 404, 408, 409, 410, 412, 413, 429, 503, 507)  # errors that any address may answer
_PAGE = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}
_IDEMPOTENT = Arg("idempotency-key", "text", "header")
_WAIT = Arg("wait", "flag", "query")
_PAIR = Arg("generate_keypair", "flag", "query")


def document(settings: Mapping[str, str]) -> dict[str, Any]:
    """The description, whole."""
    paths: dict[str, dict[str, Any]] = {}
    for command in COMMANDS.values():
        for twin in command.twins:
            paths.setdefault(_path(twin.path), {})[twin.method.lower()] = _of_twin(command, twin)
    for endpoint in BY_HAND:
        paths.setdefault(_path(endpoint.path), {})[endpoint.method.lower()] = _by_hand(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Infinite Ocean", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": api_url(settings)}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**components(), "error": _error()},
            "responses": {f"E{status}": _refusal(status) for status in sorted({status for status, _ in CODES.values()} | {408})},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-ocean-key"}},
        },
        "security": [{}, {"key": []}],
    }


_ABOUT = (
    "Save a record and it is stored, versioned, searchable, live and, where it is a page, on the web. A key is made for who writes without "
    "one, and shown that once. Slashes in a route stand in the path as they are."
)


def _path(path: str) -> str:
    return PLACE.sub(r"{\1}", path)


def _of_twin(command: Command, twin: Twin) -> dict[str, Any]:
    args = [arg for arg in twin.args if arg.where != "body"]
    args += [_IDEMPOTENT, _WAIT, _PAIR] if command.writes else []
    found = _operation(f"{command.name} {twin.method} {twin.path}", command.about, twin.path, args)
    inside = [arg for arg in twin.args if arg.where == "body"]
    if twin.whole_body:
        found["requestBody"] = {
            "required": not twin.may_be_empty,
            "content": {JSON: {"schema": {} if twin.whole_body == "payload" else {"type": "object"}}},
        }
    elif inside:
        found["requestBody"] = {"required": any(arg.required for arg in inside), "content": {JSON: {"schema": _body(inside)}}}
    answer = {"description": "as it is described", "content": {JSON: {"schema": schema_of(command.answer)}}}
    found["responses"] = {str(twin.status): answer, **_refusals(*twin.refuses)}
    _exemplify(found, command, twin)
    if command.forms:
        found["description"] = "In Drops: " + "; ".join(f"`{form}`" for form in command.forms)
    return found


def _exemplify(found: dict[str, Any], command: Command, twin: Twin) -> None:
    """Fills in what the command's example would send to this address."""
    example = COMMANDS["find"].example if command.name == "query" else command.example
    if not example:
        return
    try:
        method, target, headers, body = request_of(LANGUAGE.parse(example)[0], COMMANDS)
    except OceanError:  # a statement that has no address of its own
        return
    path, _, query = target.partition("?")
    match = re.fullmatch(PLACE.sub(r"(?P<\1>.+)", twin.path), path)
    if method != twin.method or match is None:
        return
    values = {**headers, **match.groupdict(), **dict(parse_qsl(query))}
    for parameter in found["parameters"]:
        if (value := values.get(parameter["name"])) is not None:
            parameter["example"] = unquote(value)
    if body is not None and "requestBody" in found:
        found["requestBody"]["content"][JSON]["example"] = body


def _by_hand(endpoint: Endpoint) -> dict[str, Any]:
    found = _operation(f"{endpoint.method} {endpoint.path}", endpoint.about, endpoint.path, endpoint.args)
    if endpoint.takes:
        schema: dict[str, Any] = {"type": "string"} if endpoint.takes.startswith("text/") else {}
        found["requestBody"] = {"required": True, "content": {endpoint.takes: {"schema": schema}}}
    shapes = {kind: {"schema": schema_of(endpoint.answer)} if kind == JSON else {} for kind in endpoint.gives}
    more = {str(status): {"description": about, "content": {"*/*": {}}} for status, about in endpoint.more.items()}
    answer = {"description": "as it is described", "content": shapes}
    found["responses"] = {str(endpoint.status): answer, **more, **_refusals(*endpoint.refuses)}
    return found


def _operation(name: str, about: str, path: str, args: Sequence[Arg]) -> dict[str, Any]:
    parameters = [
        {
            "name": arg.called or arg.name, "in": arg.where, "required": arg.required or arg.where == "path",
            "schema": {**_KINDS[arg.kind], **({"minLength": 1} if arg.where == "path" else {})},
        }
        for arg in args
    ]  # fmt: skip
    return {
        "operationId": re.sub(r"\W+", "_", name).strip("_").lower(), "summary": about, "tags": [path.split("/")[1]],
        "parameters": parameters,
    }  # fmt: skip


def _body(args: Sequence[Arg]) -> dict[str, Any]:
    return {
        "type": "object", "properties": {arg.called or arg.name: _KINDS[arg.kind] for arg in args},
        "required": [arg.called or arg.name for arg in args if arg.required], "additionalProperties": False,
    }  # fmt: skip


def _refusals(*more: int) -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/E{status}"} for status in sorted((*_ALWAYS, *more))}


def _refusal(status: int) -> dict[str, Any]:
    codes = [code for code, (own, _) in CODES.items() if own == status]
    return {
        "description": ", ".join(codes) or "BAD_REQUEST",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/error"}}},
    }


def _error() -> dict[str, Any]:
    told = {"code": {"enum": list(CODES)}, "message": {"type": "string"}, "hint": {"type": "string"}}
    inner = {"type": "object", "properties": told, "required": ["code", "message"]}
    return {"type": "object", "properties": {"error": inner}, "required": ["error"]}


def mount(server: Sanic[Any, Any]) -> None:
    @cache
    def body() -> bytes:  # when it is first asked for, not at every start
        return orjson.dumps(document(server.ctx.settings))

    @server.get("/openapi.json")
    async def openapi(request: Request) -> HTTPResponse:
        return HTTPResponse(body(), 200, {**ANY_ORIGIN, "cache-control": "public, max-age=300"}, "application/json")

    assets.mount(server, {
        "/ocean.js": assets.Asset("client/ocean.js", ANY_ORIGIN), "/ocean.d.ts": assets.Asset("client/ocean.d.ts", ANY_ORIGIN),
        "/ocean-sw.js": assets.Asset("client/ocean-sw.js", ANY_ORIGIN),
        "/docs": assets.Asset("docs/index.html", _PAGE), "/docs.js": assets.Asset("docs/docs.js"),
        "/publish": assets.Asset("publish/index.html", _PAGE), "/publish.js": assets.Asset("publish/publish.js"),
        "/zip.js": assets.Asset("publish/zip.js"),
    })  # fmt: skip
