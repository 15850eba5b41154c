"""All commands. The parser's forms, /exec, the HTTP twins and the reference follow from this table."""

from __future__ import annotations

from typing import Any

from grammar import Language, Statement
from ocean.commands.command import Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.core.filters import condition_of, sorts_of
from ocean.errors import OceanError
from ocean.services.access import access
from ocean.services.access.identity import whoami
from ocean.services.data import chain, records
from ocean.services.pages import deploys
from ocean.services.query import find as finding
from ocean.services.query.status import status

ROUTE = Arg("route", "text", "path", required=True)
KEY = Arg("key", "text", "query", required=True)
IF_MATCH = Arg("if_match", "etag", "header", called="if-match")


async def _bulk(ocean: Ocean, caller: Caller, *, ops: list[Any]) -> dict[str, Any]:
    return await records.bulk(ocean, caller, ops=[_op(op) if isinstance(op, Statement) else op for op in ops])


def _op(statement: Statement) -> dict[str, Any]:
    if statement.command not in ("save", "update", "remove", "unpublish"):
        raise OceanError("INVALID_VALUE", f"A bulk can't hold '{statement.command}'.", "save, update, remove, unpublish.")
    args = {("payload" if name == "changes" else name): value for name, value in statement.args.items()}
    return {"op": statement.command, **args}


async def _query(ocean: Ocean, caller: Caller, *, filter: Any = None, sort: Any = None, select: Any = None, **args: Any) -> dict[str, Any]:
    if select is not None and not all(isinstance(name, str) for name in select):
        raise OceanError("INVALID_VALUE", "'select' is a list of fields.")
    return await finding.find(ocean, caller, where=condition_of(filter) if filter else None, sort=sorts_of(sort), pick=select, **args)


async def _save_public(ocean: Ocean, caller: Caller, **args: Any) -> dict[str, Any]:
    return await records.save(ocean, caller, public=True, **args)


async def _publish(ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any], plan: bool = False) -> dict[str, Any]:
    return await (deploys.plan if plan else deploys.publish)(ocean, caller, route=route, files=files)


async def help_(ocean: Ocean, caller: Caller, *, word: str | None = None) -> dict[str, Any]:
    """The commands, or one of them with its forms."""
    shown = [c for c in COMMANDS.values() if c.forms and (word is None or c.name == word)]
    if not shown:
        raise OceanError("NOT_FOUND", f"There is no command {word!r}.", "help lists them all.")
    return {"commands": [{"name": c.name, "forms": list(c.forms), "about": c.about, "example": c.example} for c in shown]}


_SAVE = (
    Arg("route", "text", required=True), Arg("key", "text"), Arg("payload", "any", required=True), Arg("ttl", "integer"),
    Arg("price", "number"), Arg("public", "flag"), IF_MATCH, Arg("if_none_match", "absent", "header", called="if-none-match"),
)  # fmt: skip

_ALL = (
    Command(
        "save", ("save ROUTE [@KEY] PAYLOAD:body [keep TTL:integer] [price PRICE:number]",
                 "write ROUTE [@KEY] PAYLOAD:body [keep TTL:integer] [price PRICE:number]"),
        "Save an event, or a new version of the record @KEY.", 'save my/data @user-1 name: "Alice"', records.save,
        (Twin("POST", "/drop", _SAVE, status=201),), writes=True,
    ),
    Command(
        "write public", ("write public ROUTE [@KEY] PAYLOAD:body [keep TTL:integer]",),
        "Save, and leave a new folder open to everyone for good.", 'write public guests @1 name: "Al"', _save_public, writes=True,
    ),
    Command("get", ("get ROUTE @KEY",), "Read a record.", "get my/data @user-1", records.get,
            (Twin("GET", "/entity/<route:path>", (ROUTE, KEY, Arg("history", "flag", "query"), Arg("at", "text", "query"))),),
            instant=True),
    Command("list", ("list ROUTE [limit LIMIT:integer]",), "List the records of a folder.", "list users", records.list_,
            (Twin("GET", "/entities/<route:path>", (ROUTE, Arg("limit", "integer", "query"), Arg("cursor", "text", "query"))),)),
    Command("update", ("update ROUTE @KEY CHANGES",), "Change some fields of a record; null removes one.",
            "update products @sku-42 price: 29.99", records.update,
            (Twin("PATCH", "/entity/<route:path>", (ROUTE, KEY, IF_MATCH), whole_body="changes"),), writes=True),
    Command("remove", ("remove ROUTE @KEY",), "Remove a record; its history is kept.", "remove users @alice", records.remove,
            (Twin("DELETE", "/entity/<route:path>", (ROUTE, KEY, IF_MATCH)),), writes=True),
    Command("unpublish", ("unpublish ROUTE [@KEY]",), "Take a page, or all of a folder, off the web.", "unpublish mysite @about",
            deploys.unpublish, (Twin("POST", "/unpublish/<route:path>", (ROUTE, Arg("key", "text"))),), writes=True),
    Command(
        "find", ("find PREFIX [where WHERE:condition] [sort SORT:sorts] [limit LIMIT:integer] [skip SKIP:integer] "
                 "[pick PICK:names]",),
        "Find records by their fields.", 'find my/data where name = "Alice"', finding.find,
    ),
    Command(
        "query", (), "find, as JSON.", "", _query,
        (Twin("POST", "/query", (
            Arg("prefix", "text", required=True), Arg("filter", "object"), Arg("sort", "any"), Arg("limit", "integer"),
            Arg("skip", "integer"), Arg("select", "list"), Arg("counted", "flag", called="count"),
        )),),
    ),
    Command("bulk", ("bulk OPS:statements",), "Several changes, all or nothing.",
            "bulk (save ledger @tx1 amount: 100, save ledger @tx2 amount: -100)", _bulk,
            (Twin("POST", "/bulk", (Arg("ops", "list", required=True),)),), writes=True),
    Command("add", ("add BY:integer to ROUTE @KEY FIELD",), "Move a counter up.", "add 1 to pages @home views", records.add,
            (Twin("POST", "/counter/<route:path>",
                  (ROUTE, KEY, Arg("field", "text", required=True), Arg("by", "integer", required=True))),), writes=True),
    Command("subtract", ("subtract BY:integer from ROUTE @KEY FIELD",), "Move a counter down.",
            "subtract 1 from pages @home stock", records.subtract, writes=True),
    Command("share", ("share ROUTE with @KEY [mode MODE:word]",), "Give a key access to a folder.",
            "share agency/shop with @CLIENT_KEY", access.share,
            (Twin("POST", "/access/<route:path>", (
                ROUTE, Arg("key", "text", required=True), Arg("mode", "text"), Arg("permissions", "list"))),)),
    Command("grant", ("grant ROUTE to KEY:identity [MODE:mode]",), "Give a key access to a folder.",
            "grant my/route to YOUR_KEY protected", access.share),
    Command("revoke", ("revoke ROUTE [from KEY:identity]",), "Take access back, or the whole access record.",
            "revoke agency/shop from CLIENT_KEY", access.revoke,
            (Twin("DELETE", "/access/<route:path>", (ROUTE, Arg("key", "text", "query"))),)),
    Command("access", (), "A folder's access record.", "", access.show, (Twin("GET", "/access/<route:path>", (ROUTE,)),)),
    Command("status", ("status ROUTE",), "A folder's schema, indexes and counts.", "status users", status,
            (Twin("GET", "/schema/<route:path>", (ROUTE,)),)),
    Command("publish", (), "Switch a site to a set of uploaded files, in one commit; with `plan`, what that would change.", "", _publish,
            (Twin("POST", "/publish/<route:path>", (ROUTE, Arg("files", "object", required=True), Arg("plan", "flag"))),)),
    Command("rollback", ("rollback ROUTE [to TO:text]",), "Take a site back to before its last deploy, or to a time.",
            'rollback mysite to "2026-03-10T10:00:00Z"', deploys.rollback,
            (Twin("POST", "/rollback/<route:path>", (ROUTE, Arg("to", "text"))),)),
    Command("sites", ("sites",), "The sites that this key published.", "sites", deploys.sites, (Twin("GET", "/sites"),)),
    Command("head", (), "The newest link of the log's chain, signed.", "", chain.head, (Twin("GET", "/chain/head"),)),
    Command("proof", (), "A drop's proof against the chain.", "", chain.proof,
            (Twin("GET", "/chain/proof/<drop_id:str>", (Arg("drop_id", "text", "path", required=True),)),)),
    Command("whoami", ("whoami",), "Which key this is.", "whoami", whoami, (Twin("GET", "/whoami"),)),
    Command("help", ("help", "help WORD:word"), "The commands.", "help find", help_),
)  # fmt: skip

COMMANDS: dict[str, Command] = {command.name: command for command in _ALL}

STAGES = {
    "count": "count", "first": "first [N:count]", "limit": "limit N:integer", "skip": "skip N:integer",
    "sort": "sort SORT:sorts", "pick": "pick PICK:names", "where": "where WHERE:condition",
}  # fmt: skip

# What people of other languages try first.
KNOWN_AS = {
    "delete": "remove", "del": "remove", "rm": "remove", "drop": "remove", "insert": "save", "put": "save", "set": "save", "create": "save",
    "upsert": "save", "select": "find", "query": "find", "count": "find ... then count", "read": "get", "show": "get", "history": "get",
    "ls": "list", "patch": "update", "increment": "add", "incr": "add", "decrement": "subtract",
}  # fmt: skip

LANGUAGE = Language({c.name: c.forms for c in _ALL if c.forms}, STAGES, bare="get", known_as=KNOWN_AS)
