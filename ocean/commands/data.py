"""Commands that save and read records."""

from __future__ import annotations

from typing import Any

from grammar import Statement
from ocean.commands.command import IF_MATCH, KEY, ROUTE, Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import chain, records


async def _bulk(ocean: Ocean, caller: Caller, *, ops: list[Any], **how: Any) -> dict[str, Any]:
    return await records.bulk(ocean, caller, ops=[op_of(op) if isinstance(op, Statement) else op for op in ops], **how)


def op_of(statement: Statement) -> dict[str, Any]:
    """A statement of a bulk as an op of POST /bulk. Raises INVALID_VALUE."""
    if statement.command not in ("save", "update", "remove", "unpublish"):
        raise OceanError("INVALID_VALUE", f"A bulk can't hold '{statement.command}'.", "save, update, remove, unpublish.")
    args = {("payload" if name == "changes" else name): value for name, value in statement.args.items()}
    return {"op": statement.command, **args}


async def _save_public(ocean: Ocean, caller: Caller, **args: Any) -> dict[str, Any]:
    return await records.save(ocean, caller, public=True, **args)


_SAVE = (
    Arg("route", "text", required=True), Arg("key", "text"), Arg("payload", "any", required=True), Arg("ttl", "integer"),
    Arg("price", "number"), Arg("price_per_read", "number"), Arg("public", "flag"), Arg("vector", "list"),
    IF_MATCH, Arg("if_none_match", "absent", "header", called="if-none-match"),
)  # fmt: skip

COMMANDS = (
    Command(
        "save", ("save ROUTE [@KEY] PAYLOAD:body [keep TTL:integer] [price PRICE:number] [price_per_read PRICE_PER_READ:number]",
                 "write ROUTE [@KEY] PAYLOAD:body [keep TTL:integer] [price PRICE:number] [price_per_read PRICE_PER_READ:number]"),
        "Save an event, or a new version of the record @KEY.", 'save my/data @user-1 name: "Alice"', records.save,
        (Twin("POST", "/drop", _SAVE, status=201),), writes=True, answer="saved | told"
    ),
    Command(
        "write public", ("write public ROUTE [@KEY] PAYLOAD:body [keep TTL:integer]",),
        "Save, and leave a new folder open to everyone for good.", 'write public guests @1 name: "Al"', _save_public, writes=True,
            answer="saved | told"
    ),
    Command("get", ("get ROUTE @KEY",), "Read a record.", "get my/data @user-1", records.get,
            (Twin("GET", "/entity/<route:path>", (ROUTE, KEY, Arg("history", "flag", "query"), Arg("at", "text", "query"),
                                                 Arg("embed_depth", "integer", "query"), Arg("resolve", "flag", "query"))),),
            instant=True, answer="record | priced | versions"),
    Command("list", ("list ROUTE [limit LIMIT:integer]",), "List the records of a folder.", "list users", records.list_,
            (Twin("GET", "/entities/<route:path>", (ROUTE, Arg("limit", "integer", "query"), Arg("cursor", "text", "query"))),),
            answer="entities: record|priced[], next_cursor?: text"),
    Command("update", ("update ROUTE @KEY CHANGES",), "Change some fields of a record; null removes one.",
            "update products @sku-42 price: 29.99", records.update,
            (Twin("PATCH", "/entity/<route:path>", (ROUTE, KEY, IF_MATCH), whole_body="changes"),), writes=True, answer="updated"),
    Command("remove", ("remove ROUTE @KEY",), "Remove a record; its history is kept.", "remove users @alice", records.remove,
            (Twin("DELETE", "/entity/<route:path>", (ROUTE, KEY, IF_MATCH)),), writes=True, answer="removed"),
    Command("bulk", ("bulk OPS:statements",), "Several changes, all or nothing.",
            "bulk (save ledger @tx1 amount: 100, save ledger @tx2 amount: -100)", _bulk,
            (Twin("POST", "/bulk", (Arg("ops", "list", required=True), Arg("brief", "flag"))),), writes=True,
            answer="results?: object[], count?: integer, keypair?: keypair"),
    Command("add", ("add BY:integer to ROUTE @KEY FIELD",), "Move a counter up.", "add 1 to pages @home views", records.add,
            (Twin("POST", "/counter/<route:path>",
                  (ROUTE, KEY, Arg("field", "text", required=True), Arg("by", "integer", required=True))),), writes=True, answer="counted"),
    Command("subtract", ("subtract BY:integer from ROUTE @KEY FIELD",), "Move a counter down.",
            "subtract 1 from pages @home stock", records.subtract, writes=True, answer="counted"),
    Command("head", (), "The newest link of the log's chain, signed.", "", chain.head, (Twin("GET", "/chain/head"),), answer="link"),
    Command("proof", (), "A drop's proof against the chain.", "", chain.proof,
            (Twin("GET", "/chain/proof/<drop_id:str>", (Arg("drop_id", "text", "path", required=True),)),), answer="proof"),
)  # fmt: skip
