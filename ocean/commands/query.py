"""Commands that ask, and those that say what records are."""

from __future__ import annotations

from typing import Any

from grammar import Statement
from ocean.commands import translate as requests
from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.core.filters import condition_of, grouping_of, joins_of, picks_of, sorts_of
from ocean.errors import OceanError
from ocean.services.query import find as finding
from ocean.services.query import schemas
from ocean.services.query.export import export
from ocean.services.query.indexes import explain
from ocean.services.query.primitives import primitives
from ocean.services.query.search import search
from ocean.services.query.sql import sql
from ocean.services.query.status import status
from ocean.services.query.translate import DIALECTS, to_sql
from ocean.settings import api_url

MAX_TRANSLATED = 20_000  # characters


async def _query(
    ocean: Ocean, caller: Caller, *, prefix: str, filter: Any = None, sort: Any = None, select: Any = None, group: Any = None,
    aggregate: Any = None,
    having: Any = None, join: Any = None, deep: bool = True, **args: Any,
) -> dict[str, Any]:  # fmt: skip
    if aggregate is not None and group is None:
        group = []
    if deep and not prefix.endswith("/*"):  # here, unlike in Drops, a folder is it and all beneath
        prefix = f"{prefix}/*"
    return await finding.find(
        ocean, caller, prefix=prefix, where=condition_of(filter) if filter else None, sort=sorts_of(sort), pick=picks_of(select),
        group=grouping_of(group, aggregate) if group is not None else None, having=condition_of(having) if having else None,
        joins=joins_of(join), **args,
    )  # fmt: skip


async def _primitives(ocean: Ocean, caller: Caller, *, filter: Any = None, where: Any = None, **args: Any) -> dict[str, Any]:
    return await primitives(ocean, caller, where=condition_of(filter) if filter else where, **args)


async def _search(ocean: Ocean, caller: Caller, *, filter: Any = None, where: Any = None, **args: Any) -> dict[str, Any]:
    return await search(ocean, caller, where=condition_of(filter) if filter else where, **args)


async def _translate(ocean: Ocean, caller: Caller, *, query: str, to: str) -> dict[str, Any]:
    from ocean.commands.dispatch import parse
    from ocean.commands.table import COMMANDS, LANGUAGE  # the table that this command is a row of

    if to not in requests.TARGETS:
        raise OceanError("INVALID_VALUE", f"There is no translation to {to[:40]!r}.", f"Targets: {', '.join(requests.TARGETS)}.")
    if len(query) > MAX_TRANSLATED:
        raise OceanError("PAYLOAD_TOO_LARGE", f"What is translated has at most {MAX_TRANSLATED} characters.", "Translate it in parts.")
    statements = parse(query)
    if to in DIALECTS:
        texts = [await to_sql(ocean, caller, statement, to) for statement in statements]
    elif to == "rest":
        texts = [requests.rest(statement, COMMANDS, LANGUAGE.show(statement)) for statement in statements]
    else:
        api = api_url(ocean.settings)
        texts = [requests.curl(statement, COMMANDS, LANGUAGE.show(statement), api) for statement in statements]
    return {"to": to, "text": "\n".join(texts)}


async def _explain(ocean: Ocean, caller: Caller, *, asked: Statement) -> dict[str, Any]:
    if asked.command not in ("find", "list"):
        raise OceanError("INVALID_VALUE", f"'{asked.command}' has no plan.", "explain find my/data where age > 21")
    args = {("prefix" if name == "route" else name): value for name, value in asked.args.items()}
    return await explain(ocean, caller, args, asked.pipe)


async def _export(ocean: Ocean, caller: Caller, *, format: str = "json", **args: Any) -> dict[str, Any]:
    return await export(ocean, caller, format=format, **args)


FIND = (
    "find PREFIX [JOINS:joins] [where WHERE:condition] [group GROUP:grouping] [having HAVING:condition] [sort SORT:sorts] "
    "[limit LIMIT:integer] [skip SKIP:integer] [pick PICK:picks] [after AFTER:text]"
)
_PRIMITIVES = (
    "primitives [dates DATES:object] [identifiers IDENTIFIERS:object] [locations LOCATIONS:object] [amounts AMOUNTS:object] "
    "[texts TEXTS:text] [blobs BLOBS:object] [in PREFIX] [where WHERE:condition] [limit LIMIT:integer]"
)
_SEARCH = (
    "search PREFIX TEXT:text [top TOP_K:integer] [where WHERE:condition] [min MIN_SCORE:number] [mode MODE:word] [fusion FUSION:word] "
    "[language LANGUAGE:word] [facets FACETS:names] [wait WAIT:flag]"
)
_EXPORT = (
    "export ROUTE [as FORMAT:word] [dialect DIALECT:word] [where WHERE:condition] [from SINCE:text] [to UNTIL:text] [pick SELECT:names]"
)
_QUERY = (
    Arg("prefix", "text", required=True), Arg("filter", "object"), Arg("sort", "any"), Arg("limit", "integer"), Arg("skip", "integer"),
    Arg("select", "list"), Arg("counted", "flag", called="count"), Arg("group", "any"), Arg("aggregate", "object"),
    Arg("having", "object"), Arg("join", "any"), Arg("after", "text", called="cursor"), Arg("resolve", "flag"),
    Arg("deep", "flag"),
)  # fmt: skip

COMMANDS = (
    Command("find", (FIND,), "Find records by their fields; join, group and sort them.", 'find my/data where name = "Alice"', finding.find,
            answer="page | total | changed"),
    Command("query", (), "find, as JSON.", "", _query, (Twin("POST", "/query", _QUERY),), answer="page | total"),
    Command("search", (_SEARCH,), "Find records by words, best first; over HTTP by meaning too.", 'search my/data "alice" top 5', _search,
            (Twin("POST", "/search", (
                Arg("prefix", "text", required=True), Arg("text", "any"), Arg("vector", "any"), Arg("mode", "text"), Arg("fusion", "text"),
                Arg("top_k", "integer"), Arg("min_score", "number"), Arg("filter", "object"), Arg("language", "text"),
                Arg("facets", "list"), Arg("wait", "flag"))),), answer="searched"),
    Command("sql", ("sql QUERY:text",), "One SELECT over folders.", 'sql "SELECT name, age FROM users WHERE age > 21 ORDER BY age"', sql,
            (Twin("POST", "/sql", (Arg("query", "text", required=True),)),), answer="rows"),
    Command(
        "primitives", (_PRIMITIVES,), "Find records of any folder by dates, identifiers, places, amounts and texts.",
        'primitives dates { $gte: "2026-03-01", $lt: "2026-04-01" } identifiers { $has: { type: "email", value: "bob@example.com" } }',
        _primitives,
        (Twin("POST", "/primitives", (
            Arg("dates", "object"), Arg("identifiers", "any"), Arg("locations", "object"), Arg("amounts", "object"), Arg("texts", "any"),
            Arg("blobs", "object"), Arg("filter", "object"), Arg("prefix", "text"), Arg("limit", "integer"))),),
            answer="results: record[], count: integer, time_ms: number"
    ),
    Command("explain", ("explain ASKED:statement",), "The plan of a find: the SQL that is run, and how the engine goes about it.",
            "explain find users where age > 21", _explain, answer="sql: text, plan: text[], index: text|null"),
    Command("status", ("status JOB:text", "status ROUTE"), "A folder's schema, indexes and counts; in quotes, a job.",
            "status users", status, (Twin("GET", "/schema/<route:path>", (ROUTE,)),), answer="status | job"),
    Command("define", ("define ROUTE:text [version VERSION:text] fields FIELDS:changes",
                       "define NAME:name [version VERSION:text] fields FIELDS:changes [views VIEWS:object]"),
            'Say what the records of a folder ("in quotes") must be, or make a pattern.',
            'define "users" fields { name: "text required", email: "text", age: "number" }', schemas.define,
            (Twin("POST", "/schema/<route:path>", (ROUTE, Arg("fields", "object", required=True), Arg("version", "text"))),
             Twin("POST", "/patterns", (Arg("name", "text", required=True), Arg("fields", "object", required=True),
                                        Arg("version", "text"), Arg("views", "object")), status=201)), writes=True,
            answer="defined | made_pattern"),
    Command("undefine", ("undefine ROUTE:text", "undefine NAME:name"), "Take a schema, or a pattern, away.", 'undefine "users"',
            schemas.undefine, (Twin("DELETE", "/schema/<route:path>", (ROUTE,)),), writes=True, answer="undefined | unmade_pattern"),
    Command("patterns", ("patterns",), "The patterns that there are.", "patterns", schemas.list_patterns, (Twin("GET", "/patterns"),),
            answer="results: pattern|priced_pattern[], count: integer"),
    Command("validate", ("validate PATTERN:word PAYLOAD:body",), "Check a payload against a pattern.",
            'validate todo title: "Ship v2" status: "pending"', schemas.validate,
            (Twin("POST", "/validate", (Arg("pattern", "text", required=True), Arg("payload", "any", required=True))),),
            answer="valid: flag, errors: fault[]"),
    Command("export", (_EXPORT,), "A folder and all beneath as JSON, CSV, SQL or a MongoDB script.", "export users as csv", _export,
            answer="results: record[], count: integer | format: text, text: text"),
    Command("translate", ("translate QUERY:text to TO:word",), "A statement as sql, mysql, a line for curl, or an HTTP request (rest).",
            "translate \"find users where .role = 'admin' sort .name limit 10\" to sql", _translate,
            (Twin("POST", "/translate", (Arg("query", "text", required=True), Arg("to", "text", required=True))),),
            answer="to: text, text: text"),
)  # fmt: skip
