"""translate: what a statement would be in another system's SQL, from the same tree that find runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from grammar import Statement
from grammar.conditions import Condition
from ocean.core.exporters import compact
from ocean.errors import OceanError
from ocean.store.query.logical import TextTest, UniversalTest, check_name, column, like_pattern, literal, predicate, value_of
from ocean.store.query.pipeline import name_of

_CONFLICT = 'ON CONFLICT("_key")'
DIALECTS = {"sql": "postgres", "mysql": "mysql"}
_OWN = {"key": "_key", "created_at": "_created_at", "drop_id": "_drop_id", "route": "_route", "source": "_source"}
_AGGREGATES: dict[str, Callable[[exp.Expr], exp.Expr]] = {
    "sum": lambda field: exp.Sum(this=field), "avg": lambda field: exp.Avg(this=field), "min": lambda field: exp.Min(this=field),
    "max": lambda field: exp.Max(this=field), "distinct": lambda field: exp.ArrayAgg(this=exp.Distinct(expressions=[field])),
}  # fmt: skip


def to_sql(statement: Statement, target: str) -> str:
    """The statement in PostgreSQL's SQL (`sql`) or MySQL's, ended by `;`. Raises INVALID_VALUE where it has no such form."""
    maker = _MAKERS.get(statement.command)
    if maker is None:
        raise OceanError("INVALID_VALUE", f"'{statement.command}' has no form in SQL.", f"These have: {', '.join(_MAKERS)}.")
    dialect = DIALECTS[target]
    trees = maker(statement, dialect)
    return "\n".join(_written(tree, dialect) for tree in trees)


def _written(tree: exp.Expr, dialect: str) -> str:
    text = tree.transform(_portable(dialect)).sql(dialect=dialect, identify=True)
    if text.count(_CONFLICT) == 1:
        text = text.replace(_CONFLICT, 'ON CONFLICT ("_key")')
    return text + ";"


def _portable(dialect: str) -> Callable[[exp.Expr], exp.Expr]:
    """Our own tests as that system has them; a dot in a field's name as its way into JSON."""

    def change(node: exp.Expr) -> exp.Expr:
        if isinstance(node, UniversalTest):
            raise OceanError("INVALID_VALUE", f"{node.this.name} is looked for by marks of its own: plain SQL has none.")
        if isinstance(node, TextTest):
            text = str(value_of(node.expression))
            return exp.ILike(this=node.this, expression=exp.Literal.string(like_pattern(node.args["mode"], text)))
        if isinstance(node, exp.Column) and not node.table and "." in node.name:
            return _inside(node, dialect)
        if isinstance(node, exp.Select) and dialect == "mysql" and node.args.get("offset") and not node.args.get("limit"):
            node.set("limit", exp.Limit(expression=exp.Literal.number(2**64 - 1)))  # it knows no OFFSET alone
        if isinstance(node, exp.Ordered):  # as each system has it by itself
            node.set("nulls_first", bool(node.args.get("desc")) != (dialect == "mysql"))
        return node

    return change


def _inside(node: exp.Column, dialect: str) -> exp.Expr:
    """A field inside another, whose column is JSON, as our exports make it: its text, or where it is compared with a number that."""
    first, *rest = node.name.split(".")
    column_ = exp.column(exp.to_identifier(first, quoted=True))
    if dialect == "mysql":
        path = exp.Literal.string("$" + "".join(f'."{part}"' for part in rest))
        return exp.Anonymous(this="JSON_UNQUOTE", expressions=[exp.Anonymous(this="JSON_EXTRACT", expressions=[column_, path])])
    way = exp.Literal.string("{" + ",".join(f'"{part}"' for part in rest) + "}")
    found = exp.Paren(this=exp.JSONBExtractScalar(this=column_, expression=way))
    beside = node.parent.find_all(exp.Literal) if isinstance(node.parent, exp.Binary | exp.Between | exp.In) else ()
    numbers = any(not literal.is_string for literal in beside)
    return exp.Cast(this=found, to=exp.DataType.build("double precision", dialect="postgres")) if numbers else found


def _name(name: str) -> exp.Column:
    return column(_OWN.get(name, name))


def _table(route: str) -> exp.Table:
    if route.endswith("/*"):
        raise OceanError("INVALID_VALUE", f"{route[:80]!r} is many folders, and each would be a table.", "Name one of them.")
    return exp.Table(this=exp.to_identifier(route, quoted=True))


def _where(condition: Condition) -> exp.Expr:
    tree = predicate(condition).transform(lambda n: _name(n.name) if isinstance(n, exp.Column) else n)
    return tree.this if isinstance(tree, exp.Paren) else tree


def _find(statement: Statement, dialect: str) -> list[exp.Expr]:
    args = statement.args
    select = exp.Select().from_(_table(args.get("prefix") or args["route"]))
    folders = [str(args.get("prefix") or args["route"])]
    for join in args.get("joins") or ():
        folders.append(join.get("as") or join["route"])
        table = _table(join["route"])
        if "as" in join:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(join["as"], quoted=True)))
        on = exp.and_(*(exp.EQ(this=_of(folders, a, 0), expression=_of(folders, b, -1)) for a, b in join["on"]))
        select = select.join(table, on=on, join_type=join["kind"])
    stages: list[tuple[str, dict[str, Any]]] = [
        (k, {k: args[k]}) for k in ("where", "group", "having", "sort", "skip", "limit", "pick") if k in args
    ]
    stages += [(stage.name, stage.args) for stage in statement.pipe]
    for name, given in stages:
        select = _stage(select, name, given)
    if not select.expressions:
        select = select.select("*")
    if len(folders) > 1 and not any(select.find_all(exp.Subquery)):
        for node in list(select.find_all(exp.Column)):  # each of the tables has these
            if not node.table and node.name in _OWN.values():
                node.set("table", exp.to_identifier(folders[0], quoted=True))
    return [select]


def _of(folders: list[str], name: str, which: int) -> exp.Expr:
    first, _, rest = name.partition(".")
    table, field = (first, rest) if rest and first in folders else (folders[which], name)
    return exp.column(exp.to_identifier(_OWN.get(field, field), quoted=True), table=exp.to_identifier(table, quoted=True))


def _stage(select: exp.Select, name: str, args: dict[str, Any]) -> exp.Select:
    closed = select.args.get("limit") is not None or bool(select.expressions)
    sorts_only = name == "sort" and not select.args.get("limit")
    if name in ("where", "having", "sort", "group", "pick", "count") and closed and not sorts_only:
        select = _around(select)
    if name in ("where", "having"):  # a condition on groups is one on the rows that they make
        return select.where(_where(args[name]))
    if name == "sort":
        return select.order_by(*(exp.Ordered(this=_name(s["field"]), desc=s["descending"] or None) for s in args["sort"]))
    if name == "group":
        return _grouped(select, args["group"])
    if name in ("limit", "first"):
        before = select.args.get("limit")
        count = int(args.get("n", args.get("limit", 1)))
        return select.limit(min(count, int(before.expression.name)) if before is not None else count)
    if name == "skip":
        if select.args.get("limit") is not None:
            select = _around(select)
        return select.offset(int(args.get("n", args.get("skip", 0))))
    if name == "pick":
        return select.select(*(_picked(item) for item in args["pick"]))
    if name == "count":
        return select.select(exp.Count(this=exp.Star()))
    raise OceanError("INVALID_VALUE", f"'then {name}' has no form in SQL.", "count, first, limit, skip, sort, pick, where and group have.")


def _around(select: exp.Select) -> exp.Select:
    """A SELECT whose rows are what another one gives."""
    inner = exp.Subquery(this=_all(select), alias=exp.TableAlias(this=exp.to_identifier("t", quoted=True)))
    return exp.Select().from_(inner)


def _all(select: exp.Select) -> exp.Select:
    return select if select.expressions else select.select("*")


def _picked(item: str | dict[str, str]) -> exp.Expr:
    if item == "*":
        return exp.Star()
    if isinstance(item, dict):
        return exp.alias_(_name(item["field"]), item["as"], quoted=True)
    return _name(item)


def _grouped(select: exp.Select, group: dict[str, Any]) -> exp.Select:
    by = [_name(name) for name in group["by"]]
    shown: list[exp.Expr] = [node.copy() for node in by]
    for aggregate in group["aggregates"]:
        if aggregate["op"] in ("first", "last"):
            raise OceanError("INVALID_VALUE", f"'{aggregate['op']}' in a group has no form in SQL that all have.", "min and max have.")
        tree = exp.Count(this=exp.Star()) if aggregate["op"] == "count" else _AGGREGATES[aggregate["op"]](_name(aggregate["field"]))
        shown.append(exp.alias_(tree, name_of(aggregate), quoted=True))
    return select.select(*shown).group_by(*by) if by else select.select(*shown)


def _columns(given: Any) -> tuple[list[str], list[exp.Expr]]:
    if not isinstance(given, dict):
        given = {"value": given}
    return [check_name(name) for name in given], [_value(value) for value in given.values()]


def _value(value: Any) -> exp.Expr:
    return exp.Literal.string(compact(value)) if isinstance(value, dict | list) else literal(value)


def _save(statement: Statement, dialect: str) -> list[exp.Expr]:
    names, values = _columns(statement.args["payload"])
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
    return exp.EQ(this=_name("key"), expression=literal(statement.args["key"]))


def _update(statement: Statement, dialect: str) -> list[exp.Expr]:
    names, values = _columns(statement.args["changes"])
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


def _search(statement: Statement, dialect: str) -> list[exp.Expr]:
    """The nearest that plain SQL has: the words anywhere in the record."""
    table = _table(statement.args["prefix"])
    whole = exp.Cast(this=exp.column(table.this.copy()), to=exp.DataType.build("text"))
    like = exp.ILike(this=whole, expression=exp.Literal.string(like_pattern("contains", statement.args["text"])))
    return [exp.Select().select("*").from_(table).where(like).limit(int(statement.args.get("top_k", 10)))]


def _bulk(statement: Statement, dialect: str) -> list[exp.Expr]:
    inner = [tree for op in statement.args["ops"] for tree in _MAKERS[op.command](op, dialect)]
    return [exp.Command(this="BEGIN"), *inner, exp.Commit()]


_MAKERS: dict[str, Callable[[Statement, str], list[exp.Expr]]] = {
    "find": _find, "list": _find, "get": _get, "save": _save, "update": _update, "remove": _remove, "add": _count_up,
    "subtract": _count_up, "search": _search, "bulk": _bulk,
}  # fmt: skip
