"""translate: what a statement would be in another system's SQL, from the same tree that find runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from grammar import Stage, Statement
from grammar.conditions import Test
from grammar.names import title
from ocean.context import Caller, Ocean
from ocean.core.exporters import column_name, compact
from ocean.core.routes import check_prefix
from ocean.errors import OceanError
from ocean.services.query.find import find
from ocean.services.query.portable import OWN, Table, Tables
from ocean.services.query.scope import Folder, scan_of
from ocean.services.query.sql import fields_of
from ocean.store.query.groups import name_of
from ocean.store.query.logical import check_name, column, like_pattern, literal

_CONFLICT = 'ON CONFLICT("_key")'
DIALECTS = {"sql": "postgres", "mysql": "mysql"}
_NAMED = {(column, name) for name, column in OWN.items()}  # a record's own fields, that go by their columns' names
_AGGREGATES: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "sum": lambda field: exp.Sum(this=field), "avg": lambda field: exp.Avg(this=field), "min": lambda field: exp.Min(this=field),
    "max": lambda field: exp.Max(this=field), "distinct": lambda field: exp.ArrayAgg(this=exp.Distinct(expressions=[field])),
}  # fmt: skip


async def to_sql(ocean: Ocean, caller: Caller, statement: Statement, target: str) -> str:
    """The statement in PostgreSQL's SQL (`sql`) or MySQL's, ended by `;`. Raises INVALID_VALUE where it has no such form.

    What the caller's own newest records have decides between forms: a list is looked into otherwise than a text.
    """
    dialect = DIALECTS[target]
    trees: list[exp.Expr] = []
    for part in statement.args["ops"] if statement.command == "bulk" else (statement,):
        if part.command in ("find", "list", "search"):
            tables = [await _known(ocean, caller, folder, name, part) for folder, name in zip(folders_of(part), _names(part), strict=True)]
            trees += _search(part, dialect, tables[0]) if part.command == "search" else _Find(part, dialect, tables).trees()
        elif (maker := _MAKERS.get(part.command)) is not None:
            trees += maker(part, dialect)
        else:
            known = ", ".join(("find", "list", "search", "bulk", *_MAKERS))
            raise OceanError("INVALID_VALUE", f"'{part.command}' has no form in SQL.", f"These have: {known}.")
    if statement.command == "bulk":
        trees = [exp.Command(this="BEGIN"), *trees, exp.Commit()]
    return "\n".join(_written(tree, dialect) for tree in trees)


def _written(tree: exp.Expr, dialect: str) -> str:
    for select in tree.find_all(exp.Select):
        if dialect == "mysql" and select.args.get("offset") and not select.args.get("limit"):
            select.set("limit", exp.Limit(expression=exp.Literal.number(2**64 - 1)))  # it knows no OFFSET alone
    text = tree.sql(dialect=dialect, identify=True)
    if text.count(_CONFLICT) == 1:
        text = text.replace(_CONFLICT, 'ON CONFLICT ("_key")')
    return text + ";"


def folders_of(statement: Statement) -> list[str]:
    """The folders that a statement reads, the joined ones behind the first."""
    first = str(statement.args.get("prefix") or statement.args["route"])
    return [first, *(join["route"] for join in statement.args.get("joins") or ())]


def _names(statement: Statement) -> list[str]:
    """What each of them is called where fields are asked for."""
    return [folders_of(statement)[0], *(join.get("as") or join["route"] for join in statement.args.get("joins") or ())]


async def _known(ocean: Ocean, caller: Caller, folder: str, name: str, statement: Statement) -> Table:
    """The folder as a table, with what the caller may know of its fields."""
    try:
        route, deep = check_prefix(folder)
        if deep:
            return Table(name)
        scan = await scan_of(ocean, caller, Folder(route, False), "query")
        async with ocean.turns.of(*caller.holders):
            kinds = await fields_of(ocean, scan)
        clauses = [statement.args, *(stage.args for stage in statement.pipe)]
        sorts = [s["field"] for args in clauses for s in args.get("sort") or () if kinds]
        missing = [sort for sort in sorts if (await find(ocean, caller, prefix=route, where=Test(sort, "missing"), limit=1))["results"]]
        return Table(name, kinds, frozenset(missing))
    except OceanError as fault:
        if fault.code not in ("FORBIDDEN", "KEY_REQUIRED", "NO_TRUST"):
            raise
        return Table(name)  # the folder is not theirs to read: the statement is told as it stands


def _table(route: str) -> exp.Table:
    if route.endswith("/*"):
        raise OceanError("INVALID_VALUE", f"{route[:80]!r} is many folders, and each would be a table.", "Name one of them.")
    return exp.Table(this=exp.to_identifier(route, quoted=True))


class _Find:
    """A find that becomes a SELECT, stage by stage."""

    def __init__(self, statement: Statement, dialect: str, tables: Sequence[Table]) -> None:
        self.args = statement.args
        if "after" in self.args:
            raise OceanError("INVALID_VALUE", "A cursor is of this store alone: no other can go on behind it.", "Leave out 'after'.")
        self.tables = Tables(dialect, tables[:1])
        self.select = exp.Select().from_(_table(folders_of(statement)[0]))
        for join, table in zip(self.args.get("joins") or (), tables[1:], strict=True):
            self._join(join, table)
        stages = [Stage(k, {k: self.args[k]}) for k in ("where", "group", "having", "sort", "skip", "limit", "pick") if k in self.args]
        for stage in (*stages, *statement.pipe):
            self._stage(stage.name, stage.args)

    def trees(self) -> list[exp.Expr]:
        return [_all(self.select)]

    def _join(self, join: dict[str, Any], table: Table) -> None:
        before = list(self.tables.tables)
        self.tables.tables.append(table)
        named = _table(join["route"])
        if "as" in join:
            named.set("alias", exp.TableAlias(this=exp.to_identifier(join["as"], quoted=True)))
        on = exp.and_(*(exp.EQ(this=self.tables.value(a, before), expression=self.tables.value(b, [table])) for a, b in join["on"]))
        self.select = self.select.join(named, on=on, join_type=join["kind"])

    def _stage(self, name: str, args: dict[str, Any]) -> None:
        select = self.select
        closed = (select.args.get("limit") is not None and name != "pick") or bool(select.expressions)  # a pick is of what is left
        sorts_only = name == "sort" and not select.args.get("limit")
        if name in ("where", "having", "sort", "group", "pick", "count") and closed and not sorts_only:
            self._around()
        if name in ("where", "having"):  # a condition on groups is one on the rows that they make
            self.select = self.select.where(self.tables.where(args[name]))
        elif name == "sort":
            rows = self.tables.rows() if self.select.expressions else self.tables
            self.select = self.select.order_by(*(rows.ordered(s["field"], bool(s["descending"])) for s in args["sort"]))
        elif name == "group":
            self._group(args["group"])
        elif name in ("limit", "first"):
            before = select.args.get("limit")
            count = int(args.get("n", args.get("limit", 1)))
            self.select = select.limit(min(count, int(before.expression.name)) if before is not None else count)
        elif name == "skip":
            self._skip(int(args.get("n", args.get("skip", 0))))
        elif name == "pick":
            self.select = self.select.select(*map(self._picked, args["pick"]))
        elif name == "count":
            self.select = self.select.select(exp.Count(this=exp.Star()))
        else:
            raise OceanError(
                "INVALID_VALUE", f"'then {name}' has no form in SQL.", "count, first, limit, skip, sort, pick, where and group have."
            )

    def _skip(self, count: int) -> None:
        if self.select.args.get("limit") is not None:
            self._around()
        self.select = self.select.offset(count)

    def _around(self) -> None:
        """A SELECT whose rows are what there was."""
        same = not self.select.expressions and len(self.tables.tables) == 1
        inner = exp.Subquery(this=_all(self.select), alias=exp.TableAlias(this=exp.to_identifier("t", quoted=True)))
        self.select = exp.Select().from_(inner)
        if not same:
            self.tables = self.tables.rows()

    def _picked(self, item: str | dict[str, str]) -> exp.Expr:
        if item == "*":
            joined = len(self.tables.tables) > 1
            table = exp.to_identifier(self.tables.tables[0].name, quoted=True) if joined else None
            return exp.Column(this=exp.Star(), table=table) if joined else exp.Star()
        name, shown = (item["field"], item["as"]) if isinstance(item, dict) else (item, title(item))
        value = self.tables.value(name)
        plain = isinstance(value, exp.Column) and (value.name == shown or (value.name, name) in _NAMED)
        return value if plain else exp.alias_(value, shown, quoted=True)

    def _group(self, group: dict[str, Any]) -> None:
        shown: list[exp.Expr] = [self._picked(name) for name in group["by"]]
        for aggregate in group["aggregates"]:
            op = aggregate["op"]
            if op in ("first", "last"):
                raise OceanError("INVALID_VALUE", f"'{op}' in a group has no form in SQL that all have.", "min and max have.")
            tree = exp.Count(this=exp.Star()) if op == "count" else _AGGREGATES[op](self.tables.value(aggregate["field"]))
            shown.append(exp.alias_(tree, name_of(aggregate), quoted=True))
        self.select = self.select.select(*shown)
        if group["by"]:
            self.select = self.select.group_by(*map(self.tables.value, group["by"]))


def _all(select: exp.Select) -> exp.Select:
    return select if select.expressions else select.select("*")


def _columns(given: Any, dialect: str) -> tuple[list[str], list[exp.Expr]]:
    if not isinstance(given, dict):
        given = {"value": given}
    return [column_name(check_name(name), dialect) for name in given], [_value(value) for value in given.values()]


def _value(value: Any) -> exp.Expr:
    return exp.Literal.string(compact(value)) if isinstance(value, dict | list) else literal(value)


def _save(statement: Statement, dialect: str) -> list[exp.Expr]:
    names, values = _columns(statement.args["payload"], dialect)
    key = statement.args.get("key")
    identifiers = [exp.to_identifier(name, quoted=True) for name in ["_key", "_created_at", *names]]
    named = literal(key) if key is not None else exp.Anonymous(this="UUID" if dialect == "mysql" else "gen_random_uuid", expressions=[])
    row: list[exp.Expr] = [named, exp.CurrentTimestamp(), *values]
    schema = exp.Schema(this=_table(statement.args["route"]), expressions=identifiers)
    insert = exp.Insert(this=schema, expression=exp.Values(expressions=[exp.Tuple(expressions=row)]))
    if key is None:
        return [insert]
    changed = identifiers[1:]
    if dialect == "mysql":
        sets = [exp.EQ(this=i.copy(), expression=exp.Anonymous(this="VALUES", expressions=[i.copy()])) for i in changed]
        insert.set("conflict", exp.OnConflict(duplicate=True, expressions=sets, action=exp.Var(this="UPDATE")))
    else:
        sets = [exp.EQ(this=i.copy(), expression=exp.column(i.copy(), table=exp.to_identifier("excluded"))) for i in changed]
        conflict = [exp.to_identifier("_key", quoted=True)]
        insert.set("conflict", exp.OnConflict(conflict_keys=conflict, expressions=sets, action=exp.Var(this="DO UPDATE")))
    return [insert]


def _at(statement: Statement) -> exp.Expr:
    return exp.EQ(this=column(OWN["key"]), expression=literal(statement.args["key"]))


def _update(statement: Statement, dialect: str) -> list[exp.Expr]:
    names, values = _columns(statement.args["changes"], dialect)
    sets = [exp.EQ(this=exp.to_identifier(name, quoted=True), expression=value) for name, value in zip(names, values, strict=True)]
    return [exp.Update(this=_table(statement.args["route"]), expressions=sets, where=exp.Where(this=_at(statement)))]


def _count_up(statement: Statement, dialect: str) -> list[exp.Expr]:
    kind = exp.Add if statement.command == "add" else exp.Sub
    field = column(statement.args["field"])
    before = exp.Coalesce(this=field.copy(), expressions=[literal(0)])
    sets = [exp.EQ(this=field, expression=kind(this=before, expression=literal(statement.args["by"])))]
    return [exp.Update(this=_table(statement.args["route"]), expressions=sets, where=exp.Where(this=_at(statement)))]


def _remove(statement: Statement, dialect: str) -> list[exp.Expr]:
    return [exp.Delete(this=_table(statement.args["route"]), where=exp.Where(this=_at(statement)))]


def _get(statement: Statement, dialect: str) -> list[exp.Expr]:
    return [exp.Select().select("*").from_(_table(statement.args["route"])).where(_at(statement))]


def _search(statement: Statement, dialect: str, table: Table) -> list[exp.Expr]:
    """The nearest that plain SQL has: the words anywhere in the record."""
    named = _table(table.name)
    pattern = exp.Literal.string(like_pattern("contains", statement.args["text"]))
    if dialect == "mysql":
        texts = [name for name, kind in table.kinds.items() if kind in ("text", "other")]
        if not texts:
            raise OceanError("INVALID_VALUE", f"MySQL looks for words in columns, and {table.name[:60]!r} shows you none with text.")
        whole: exp.Expr = exp.Anonymous(
            this="CONCAT_WS", expressions=[exp.Literal.string(" "), *map(Tables(dialect, [table]).value, texts)]
        )
    else:
        whole = exp.Cast(this=exp.column(named.this.copy()), to=exp.DataType.build("text"))
    like = exp.ILike(this=whole, expression=pattern)
    return [exp.Select().select("*").from_(named).where(like).limit(int(statement.args.get("top_k", 10)))]


_MAKERS: dict[str, Callable[[Statement, str], list[exp.Expr]]] = {
    "get": _get, "save": _save, "update": _update, "remove": _remove, "add": _count_up, "subtract": _count_up,
}  # fmt: skip
