"""A statement as the HTTP request that does the same, found in the table: rest shows it, curl runs it."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from grammar import Statement
from ocean.commands.command import Command, Twin
from ocean.commands.data import op_of
from ocean.core.filters import filter_of
from ocean.core.payloads import dumps
from ocean.errors import OceanError
from ocean.services.query.pipes import ACTIONS

TARGETS = ("sql", "mysql", "curl", "rest")
_ORDER = ("where", "group", "sort", "skip", "first", "limit", "pick", "count")
_FOLDED = {"where": "filter", "sort": "sort", "pick": "select", "group": "group"}


def request_of(statement: Statement, commands: dict[str, Command]) -> tuple[str, str, dict[str, str], Any]:
    """`(method, path with its query, headers, body or None)`. Raises INVALID_VALUE."""
    args = dict(statement.args)
    command = commands[statement.command]
    if statement.command == "find" or statement.pipe:
        command, args = commands["query"], _question(statement)
    elif statement.command in ("subtract", "write public", "grant"):
        command, args = _same(statement, commands, args)
    if not command.twins:
        raise OceanError("INVALID_VALUE", f"'{statement.command}' has no address of its own.", "It goes to POST /exec.")
    return _request(command.twins[0], args)


def _same(statement: Statement, commands: dict[str, Command], args: dict[str, Any]) -> tuple[Command, dict[str, Any]]:
    """The command whose address a statement shares with another."""
    if statement.command == "subtract":
        return commands["add"], {**args, "by": -args["by"]}
    if statement.command == "grant":
        return commands["share"], args
    return commands["save"], {**args, "public": True}


def _question(statement: Statement) -> dict[str, Any]:
    """A find with its stages as the body of POST /query."""
    args = {**statement.args}
    folder = str(args.pop("prefix", None) or args.pop("route"))
    body: dict[str, Any] = {"prefix": folder.removesuffix("/*"), **({} if folder.endswith("/*") else {"deep": False})}
    last = -1
    for stage in statement.pipe:
        place = _ORDER.index(stage.name) if stage.name in _ORDER else last
        if place < last or (last >= _ORDER.index("skip") and stage.name == "count") or ("limit" in args and stage.name != "pick"):
            raise OceanError("INVALID_VALUE", f"'then {stage.name}' works on what came before it: it has no address but POST /exec.")
        last = place
        if stage.name == "count":
            args["counted"] = True
        elif stage.name == "first":
            args["limit"] = stage.args.get("n", 1)
        elif stage.name in ("limit", "skip"):
            args[stage.name] = stage.args["n"]
        elif stage.name in _FOLDED and stage.name not in args:
            args.update(stage.args)
        else:
            what = "changes data" if stage.name in ACTIONS else "works on what came before it"
            raise OceanError("INVALID_VALUE", f"'then {stage.name}' {what}: it has no address but POST /exec.")
    for name, value in args.items():
        if name in ("where", "having"):
            body["filter" if name == "where" else name] = filter_of(value)
        elif name == "sort":
            body["sort"] = [("-" if s["descending"] else "") + s["field"] for s in value]
        elif name == "pick":
            body["select"] = [item if isinstance(item, str) else {item["field"]: item["as"]} for item in value]
        elif name == "group":
            body["group"] = value["by"]
            named = {f"{a['op']}_{a.get('field', '')}".rstrip("_"): a for a in value["aggregates"]}
            body["aggregate"] = {name: {f"${a['op']}": a.get("field", True)} for name, a in named.items()}
        elif name == "joins":
            if any(len(dict(join["on"])) < len(join["on"]) for join in value):
                raise OceanError("INVALID_VALUE", "A join of one field with two has no address but POST /exec.")
            body["join"] = [{**{k: v for k, v in join.items() if k != "on"}, "on": dict(join["on"])} for join in value]
        else:
            body[name] = value
    return body


def _request(twin: Twin, args: dict[str, Any]) -> tuple[str, str, dict[str, str], Any]:
    places = {arg.name: arg for arg in twin.args}
    path = twin.path.replace("<route:path>", quote(str(args.get("route", "")), safe="/~"))
    query = {arg.called or name: _plain(args[name]) for name, arg in places.items() if arg.where == "query" and name in args}
    headers = {str(arg.called): str(args[name]) for name, arg in places.items() if arg.where == "header" and name in args}
    body: Any = {arg.called or name: args[name] for name, arg in places.items() if arg.where == "body" and name in args}
    if twin.path == "/query":
        body = {("count" if name == "counted" else "cursor" if name == "after" else name): value for name, value in args.items()}
    if twin.path == "/bulk":
        body = {"ops": [op_of(statement) for statement in args["ops"]]}
    if twin.whole_body:
        body = args[twin.whole_body]
    return twin.method, path + (f"?{urlencode(query)}" if query else ""), headers, body if twin.method in ("POST", "PATCH", "PUT") else None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _any(statement: Statement, commands: dict[str, Command], text: str) -> tuple[str, str, dict[str, str], Any]:
    """The statement's own request, or the one that every statement has."""
    try:
        return request_of(statement, commands)
    except OceanError:
        return "POST", "/exec", {}, {"query": text}


def rest(statement: Statement, commands: dict[str, Command], text: str) -> str:
    """The request as HTTP has it: the line, headers, a blank line, the body."""
    method, path, headers, body = _any(statement, commands, text)
    lines = [f"{method} {path}", "X-Ocean-Key: YOUR_KEY", *(f"{name}: {value}" for name, value in headers.items())]
    return "\n".join(lines if body is None else [*lines, "Content-Type: application/json", "", dumps(body)])


def curl(statement: Statement, commands: dict[str, Command], text: str, api: str) -> str:
    """The same as a line for a shell."""
    method, path, headers, body = _any(statement, commands, text)
    words = ["curl", "-X", method, api + path, "-H", "X-Ocean-Key: YOUR_KEY"]
    for name, value in headers.items():
        words += ["-H", f"{name}: {value}"]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", dumps(body)]
    return " ".join(map(shlex.quote, words))
