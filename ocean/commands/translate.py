"""A statement as the HTTP request that does the same, found in the table: rest shows it, curl runs it."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from grammar import Statement
from ocean.commands.command import PLACE, Command, Twin
from ocean.commands.data import op_of
from ocean.core.filters import filter_of
from ocean.core.payloads import dumps
from ocean.errors import OceanError
from ocean.services.query.pipes import ACTIONS

TARGETS = ("sql", "mysql", "curl", "rest")
_ORDER = ("where", "group", "sort", "skip", "first", "limit", "pick", "count")
_CALLED = {"counted": "count", "after": "cursor"}  # arguments of a find, as POST /query has them
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
    faults = []
    for twin in command.twins:
        try:
            return _request(twin, args)
        except OceanError as fault:
            faults.append(fault)
    raise faults[0]


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
    """Raises INVALID_VALUE where the twin has no place for an argument, or lacks one that it wants."""
    if twin.path == "/query":
        return twin.method, twin.path, {}, {_CALLED.get(name, name): value for name, value in args.items()}
    if twin.path == "/bulk":
        return twin.method, twin.path, {}, {"ops": [op_of(statement) for statement in args["ops"]]}
    places = {arg.name: arg for arg in twin.args}
    if "where" in args and "where" not in places and "filter" in places:
        args = {**{name: value for name, value in args.items() if name != "where"}, "filter": filter_of(args["where"])}
    lost = next((name for name in args if name not in places and name != twin.whole_body), None)
    wanted = next((arg.name for arg in twin.args if arg.required and arg.name not in args), None)
    if lost or wanted:
        raise OceanError("INVALID_VALUE", f"{twin.path} has no place for {lost!r}." if lost else f"{twin.path} wants {wanted!r}.")
    found: dict[str, dict[str, Any]] = {where: {} for where in ("path", "query", "header", "body")}
    for name, value in args.items():
        if name in places:
            found[places[name].where][places[name].called or name] = value
    path = PLACE.sub(lambda place: quote(str(found["path"][place[1]]), safe="/~" if place[1] == "route" else "~"), twin.path)
    query = {name: _plain(value) for name, value in found["query"].items()}
    headers = {name: str(value) for name, value in found["header"].items()}
    body = args[twin.whole_body] if twin.whole_body else found["body"]
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
