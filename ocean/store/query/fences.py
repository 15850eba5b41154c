"""What keeps an engine's planner from harm: SELECTs inside that stay what they are, and folders that are looked up by a field made once.

SQLite knows no other join than a loop within a loop. Where the inner one is a SELECT that it can't take into the one around it, it makes
its rows once, and an index of them for this one question (https://sqlite.org/optoverview.html#automatic_query_time_indexes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

NO_LIMIT = 2**62  # rows


def keep_made(tree: exp.Expr) -> None:
    """SELECTs inside that make values are not taken into the one around them: there each use of a value would be a copy of what makes
    it, and copies of copies are more than any machine has room to plan."""
    for select in tree.find_all(exp.Select):
        made = any(not isinstance(node.unalias(), exp.Column | exp.Literal) for node in select.expressions)
        if made and isinstance(select.parent, exp.Subquery | exp.CTE):
            _keep(select)


def joined_by_fields(scopes: Sequence[Scope], is_key: Callable[[exp.Table, str], bool], *, loops_only: bool) -> set[int]:
    """Ids of the tables and SELECTs inside that are joined by a field.

    `is_key` says whether a column of a table is its key, by which its own index finds it. `loops_only`: the engine has to be helped, as
    above; the SELECTs are kept apart then, and nothing keeps it from an index.
    """
    found: set[int] = set()
    for scope in scopes:
        sources = scope.selected_sources
        places = {name: place for place, name in enumerate(_in_order(scope))}
        for name, (_, source) in sources.items():
            pairs = list(_met(scope, name, places))
            by_key = [other for column, other in pairs if isinstance(source, exp.Table) and is_key(source, column.name)]
            if loops_only:
                for other in by_key:
                    _text_alone(other)
            if not pairs or by_key:
                continue
            inner = source.expression if isinstance(source, Scope) else source
            found.add(id(inner))
            if loops_only:
                for _, other in pairs:
                    _without_affinity(other)
                if isinstance(inner, exp.Select):
                    _keep(inner)
    return found


def turn_right_joins(tree: exp.Expr) -> None:
    """`a RIGHT JOIN b` as `b LEFT JOIN a`: SQLite makes no index of what is right of a right join."""
    for select in tree.find_all(exp.Select):
        first, joins = select.args.get("from_"), select.args.get("joins") or []
        if first is not None and len(joins) == 1 and joins[0].side == "RIGHT":
            left, right = first.this, joins[0].this
            first.set("this", right)
            joins[0].set("this", left)
            joins[0].set("side", "LEFT")


def _met(scope: Scope, name: str, places: Mapping[str, int]) -> Iterator[tuple[exp.Column, exp.Expr]]:
    """Columns of a source that must equal something of the sources before it, or of the SELECT around, and what."""
    for node in scope.find_all(exp.EQ):
        if not isinstance(node.find_ancestor(exp.Or, exp.Not, exp.Case, exp.Select), exp.Select):
            continue
        for column, other in ((node.this, node.expression), (node.expression, node.this)):
            if not isinstance(column, exp.Column) or column.table != name:
                continue
            tables = {c.table for c in other.find_all(exp.Column)}
            if tables and all(places.get(table, -1) < places[name] for table in tables):
                yield column, other


def _in_order(scope: Scope) -> Iterator[str]:
    """The names of what a SELECT is from, as they stand there."""
    select = scope.expression
    first = select.args.get("from_")
    for part in (first, *(select.args.get("joins") or ())):
        if part is not None and part.this.alias_or_name:
            yield part.this.alias_or_name


def _without_affinity(node: exp.Expr) -> None:
    """A column of text would make SQLite compare as text, and for that it has no index of a field."""
    if isinstance(node, exp.Column):
        node.replace(exp.Coalesce(this=node.copy(), expressions=[exp.Null()]))


def _text_alone(node: exp.Expr) -> None:
    """A key is compared with texts alone: SQLite would take the number 5 for the key "5"."""
    if isinstance(node, exp.Column):
        is_text = exp.EQ(this=exp.Anonymous(this="typeof", expressions=[node.copy()]), expression=exp.Literal.string("text"))
        node.replace(exp.Case(ifs=[exp.If(this=is_text, true=node.copy())]))


def _keep(select: exp.Select) -> None:
    if select.args.get("limit") is None:
        select.set("limit", exp.Limit(expression=exp.Literal.number(NO_LIMIT)))
    if select.args.get("offset") is None:
        select.set("offset", exp.Offset(expression=exp.Literal.number(0)))
