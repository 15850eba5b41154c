"""One SELECT of the user's own: read, checked node by node, and its folders replaced by what the reader may see of them.

The text is PostgreSQL's SQL; sqlglot writes it for the engine. Nothing of it is run that is not on a list here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from grammar.names import spelled, title
from ocean.core.drop import show_time
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.store.query import allowed, moments
from ocean.store.query.dialects import Dialect
from ocean.store.query.fences import NO_LIMIT, joined_by_fields, keep_made, turn_right_joins
from ocean.store.query.fragments import Binds, Sql, joined, sql
from ocean.store.query.logical import check_name, regex
from ocean.store.query.lower import Own, in_record
from ocean.store.reader import now

MAX_LIKE = 1000  # characters of a pattern
MAX_MADE = 1_000_000  # characters of a text that || makes
FREE = 16  # values of a row that may each be as long
MAX_TABLES = 20
MAX_COLUMNS = 1_000  # that all * of a statement may be
MAX_ROWS = 10_000
LONG = 200  # characters

_CALCULATIONS = (
    exp.Sum, exp.Avg, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sqrt,
)  # fmt: skip
_EXPORTED = {"_key": "key", "_created_at": "created_at", "_route": "route"}  # as exports and translations call them
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass(slots=True)
class Folder:
    """A folder where the statement names it: what it is called there, and the fields of it that are asked for."""

    route: str
    table: exp.Table
    names: dict[str, str] = field(default_factory=dict)  # field -> column

    def column(self, name: str) -> str:
        return self.names.setdefault(check_name(name), f"f{len(self.names)}")


class Statement:
    """A checked statement: `folders` names what it reads, `write` makes it what the engine runs."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = allowed.read(text)
        tree = moments.replaced(self.tree, show_time(now()), lambda said, node: self._fault(said, node))
        assert isinstance(tree, exp.Query)
        self.tree = tree
        self._merged: dict[int, set[str]] = {}  # of a SELECT, the fields that USING makes one of two
        self._name_using()
        allowed.check(text, self.tree)
        self.folders: list[Folder] = []
        self._of: dict[int, Folder] = {}
        self._fields: Mapping[str, Sequence[str]] = {}
        self.by_fields = False  # whether folders are joined by more than their keys, once it is written
        self._stars = 0  # columns that a * has become
        seen: set[int] = set()
        for scope in self._scopes():
            seen.update(id(node) for node, _ in scope.selected_sources.values())
            for source in _sources(scope).values():
                if isinstance(source, exp.Table) and id(source) not in self._of:
                    folder = Folder(self._route(source), source)
                    self._of[id(source)] = folder
                    self.folders.append(folder)
        for table in self.tree.find_all(exp.Table):
            if id(table) not in seen:  # in a place where sources are not looked for: nothing would stand between it and the store
                raise self._fault("A folder can't be read in this place.", table)
        if len(self.folders) > MAX_TABLES:
            raise self._fault(f"The statement reads more than {MAX_TABLES} folders.")

    def _scopes(self) -> list[Scope]:
        try:
            return list(traverse_scope(self.tree))
        except SqlglotError as fault:
            raise self._fault(f"{str(fault).splitlines()[0].rstrip('.')[:200]}.") from None

    @property
    def long(self) -> bool:
        """Whether to work on it takes so long that the loop should go on meanwhile."""
        return len(self.text) > LONG or any(self.tree.find_all(exp.Star))

    @property
    def reads(self) -> int:
        """How many values of a row are made at most, once the fields are known."""
        return sum(1 for _ in self.tree.find_all(exp.Column))

    def resolve(self, fields: Mapping[str, Sequence[str]]) -> None:
        """Finds each column's folder, with `fields` in the place of `*`; raises SQL_ERROR where it could be of several."""
        self._fields = fields
        for scope in self._scopes():
            if _has_star(scope.expression):
                self._expand(scope)
        for scope in self._scopes():
            aliases = {e.alias for e in getattr(scope.expression, "selects", ()) if isinstance(e, exp.Alias)}
            for column in list(scope.columns):
                if column.parent is None:  # it was placed by a SELECT inside
                    continue
                if not isinstance(column.this, exp.Star) and not _is_alias(aliases, column):
                    self._place(scope, column)

    def write(self, dialect: Dialect, scans: Sequence[Sql], kinds: Sequence[Mapping[str, str]]) -> tuple[Sql, list[str], list[str | None]]:
        """The statement for an engine, its columns' names and, where they are known, kinds.

        `scans` and `kinds` (of fields: text, number, boolean, other) are of each of `folders`.
        """
        binds = Binds()
        by_column = {
            (folder.table.alias_or_name, column): known.get(name)
            for folder, known in reversed(list(zip(self.folders, kinds, strict=True)))
            for name, column in folder.names.items()
        }
        shown = [by_column.get((c.table, c.name)) if isinstance(c := node.unalias(), exp.Column) else None for node in self.tree.selects]
        names = [_name_of(node, i) for i, node in enumerate(self.tree.selects)]
        for division in self.tree.find_all(exp.Div):  # of numbers as they are, on every engine; by nothing it gives null
            division.set("typed", False)
            division.set("safe", True)
        counted = self._counted()
        if dialect.name == "sqlite":
            self._never_mix({(folder.table.alias_or_name, column) for folder in self.folders for column in folder.names.values()})
        if dialect.loops_only:
            turn_right_joins(self.tree)
        apart = joined_by_fields(
            self._scopes(), lambda table, column: self._of[id(table)].names.get("key") == column, loops_only=dialect.loops_only
        )
        self.by_fields = bool(apart) or any("query" in node.args for node in self.tree.find_all(exp.In))
        for folder, scan, known in zip(self.folders, scans, kinds, strict=True):
            columns = [
                sql(
                    f"{{}} AS {c}",
                    _value(dialect, name, "counted" if (folder.table.alias_or_name, c) in counted else known.get(name, "text")),
                )
                for name, c in folder.names.items()
            ]
            inner = sql("SELECT {} FROM ({}) r", joined(", ", columns or [Sql("1 AS f0")]), scan)
            inner = sql("{} LIMIT {}", inner, NO_LIMIT) if id(folder.table) in apart and dialect.loops_only else inner
            alias = exp.TableAlias(this=exp.to_identifier(folder.table.alias_or_name, quoted=True))
            folder.table.replace(exp.Subquery(this=binds.leaf(inner), alias=alias))
        self._limit()
        keep_made(self.tree)
        self._bind(binds, dialect)
        self._rename()
        return binds.write(self.tree, dialect.name, quoted=True), names, shown

    def _name_using(self) -> None:
        """JOIN ... USING (a) as ON: the field of the first folder, and of the joined one."""
        for select in self.tree.find_all(exp.Select):
            first = select.args.get("from_")
            for join in select.args.get("joins") or ():
                if not (using := join.args.get("using")):
                    continue
                if first is None or not first.this.alias_or_name or not join.this.alias_or_name:
                    raise self._fault("USING joins folders that have names.", join)
                names = [part.name for part in using]
                if join.side not in ("RIGHT", "FULL"):  # there the field of the first folder may be missing
                    self._merged.setdefault(id(select), set()).update(names)
                left, right = (exp.to_identifier(side.this.alias_or_name, quoted=True) for side in (first, join))
                pairs = [
                    exp.EQ(this=exp.column(exp.to_identifier(n, quoted=True), table=left.copy()),
                           expression=exp.column(exp.to_identifier(n, quoted=True), table=right.copy()))
                    for n in names
                ]  # fmt: skip
                join.set("using", None)
                join.set("on", exp.and_(*pairs))

    def _route(self, table: exp.Table) -> str:
        if table.args.get("db") or not isinstance(table.this, exp.Identifier):
            raise self._fault("A folder is one name, in quotes where it has a slash.", table, 'FROM "my/folder"')
        return check_route(table.name)

    def _expand(self, scope: Scope) -> None:
        select = scope.expression
        assert isinstance(select, exp.Select)
        expanded: list[exp.Expr] = []
        for node in select.expressions:
            star = _star(node)
            if star is None:
                expanded.append(node)
                continue
            if any(star.args.values()):
                raise self._fault("* stands alone here.", node)
            of = node.table if isinstance(node, exp.Column) else None
            merged = self._merged.get(id(select), set())
            for place, (name, source) in enumerate(_sources(scope).items()):
                if of in (None, "", name):
                    shown = ["key", *self._fields[self._of[id(source)].route]] if isinstance(source, exp.Table) else _columns(source)
                    shown = [column for column in shown if of or not place or column not in merged]
                    table = exp.to_identifier(name, quoted=True)
                    self._stars += len(shown)
                    if self._stars > MAX_COLUMNS:
                        raise self._fault(f"* would be more than {MAX_COLUMNS} columns.", node, "Name those that you want.")
                    expanded += [exp.column(exp.to_identifier(column, quoted=True), table=table.copy()) for column in shown]
        select.set("expressions", expanded)

    def _place(self, scope: Scope, column: exp.Column) -> None:
        parts = [part.name for part in column.parts]
        within: Scope | None = scope
        source: Any = None
        while within is not None and source is None:
            source = _sources(within).get(parts[0]) if len(parts) > 1 else None
            name = parts[0]
            within = within.parent
        path = parts[1:]
        if source is None:
            there = _sources(scope)
            if len(parts) == 1 and parts[0] in self._merged.get(id(scope.expression), ()):
                there = dict(list(there.items())[:1])
            if len(there) != 1:
                said = ".".join(parts)[:60]
                if len(parts) > 1 and there:
                    raise self._fault(
                        f"There is no folder {parts[0][:60]!r} here to have {said!r}.", column, f"There are: {', '.join(there)}."
                    )
                raise self._fault(f"The column {said!r} could be of several folders.", column, "Say of which: folder.column")
            ((name, source),) = there.items()
            path = parts
        table = exp.to_identifier(name, quoted=True)
        shown = ".".join(path)
        named = shown
        if isinstance(source, exp.Table):
            folder = self._of[id(source)]
            if path[0] in _EXPORTED and path[0] not in self._fields[folder.route]:
                path = [_EXPORTED[path[0]], *path[1:]]
            first = spelled(path[:1]) if path[0] in self._fields[folder.route] else path[0]  # a dot of its own, or one that reaches inside
            asked = ".".join([first, *(spelled([part]) for part in path[1:])])
            named, shown = folder.column(asked), title(asked)
        own = exp.to_identifier(named, quoted=True)
        if isinstance(source, exp.Table):
            own.meta["ours"] = True
        placed = exp.Column(this=own, table=table)
        selected = column.parent is scope.expression and isinstance(source, exp.Table)
        column.replace(exp.alias_(placed, shown, quoted=True) if selected else placed)

    def _never_mix(self, columns: set[tuple[str, str]]) -> None:
        """SQLite compares text with numbers, the other engine does not: a field that has both is compared as what it is compared with."""
        for node in list(self.tree.find_all(*_COMPARED)):
            for column, other in ((node.this, node.expression), (node.expression, node.this)):
                if isinstance(column, exp.Column) and isinstance(other, exp.Literal) and (column.table, column.name) in columns:
                    kinds = [exp.Literal.string("text")] if other.is_string else [exp.Literal.string(k) for k in ("integer", "real")]
                    is_kind = exp.In(this=exp.Anonymous(this="typeof", expressions=[column.copy()]), expressions=kinds)
                    node.replace(exp.Paren(this=exp.And(this=is_kind, expression=node.copy())))
                    break

    def _counted(self) -> set[tuple[str, str]]:
        """The columns that the statement calculates with: of a field that has text too, only the numbers count."""
        found = set()
        for column in self.tree.find_all(exp.Column):
            around = column.parent
            other = around.expression if isinstance(around, _COMPARED) and around.this is column else around.this if around else None
            beside_number = isinstance(around, _COMPARED) and isinstance(other, exp.Literal) and not other.is_string
            if isinstance(around, _CALCULATIONS) or beside_number:
                found.add((column.table, column.name))
        return found

    def _rename(self) -> None:
        """Every name that the user chose as a word of ours: none of them can be that of a table of the store."""
        names: dict[str, str] = {}
        for identifier in self.tree.find_all(exp.Identifier):
            if not identifier.meta.get("ours"):
                identifier.set("this", names.setdefault(identifier.name, f"q_{len(names)}"))

    def _limit(self) -> None:
        """One row more than may be answered, so that it can be told."""
        limit = self.tree.args.get("limit")
        if limit is not None and int(limit.expression.name) <= MAX_ROWS:
            return
        self.tree.set("limit", exp.Limit(expression=exp.Literal.number(MAX_ROWS + 1)))

    def _bind(self, binds: Binds, dialect: Dialect) -> None:
        """Text is bound, never pasted; LIKE and ~ mean the same on every engine."""
        template = "{}::text" if dialect.name == "postgres" else "{}"
        for node in list(self.tree.find_all(exp.Like, exp.RegexpLike))[::-1]:  # the inner ones first: what is replaced is copied
            if dialect.name == "sqlite":
                pattern = node.expression
                if not isinstance(pattern, exp.Literal) or not pattern.is_string:
                    raise self._fault("LIKE and ~ compare with text in quotes here.", node)
                if len(pattern.name) > MAX_LIKE:
                    raise self._fault(f"A pattern has at most {MAX_LIKE} characters.", node)
                wanted = regex(pattern.name) if isinstance(node, exp.RegexpLike) else _like(pattern.name)
                node.replace(exp.Anonymous(this="matches", expressions=[node.this.copy(), exp.Literal.string(wanted)]))
        values = sum(len(select.expressions) for select in self.tree.find_all(exp.Select))
        most = MAX_MADE // max(1, values // FREE)  # a row of many values has no more in it than one of few
        for made in list(self.tree.find_all(exp.DPipe))[::-1]:  # the inner ones first: no text grows without an end
            bounds = [exp.Literal.number(1), exp.Literal.number(most)]
            made.replace(exp.Anonymous(this="substr", expressions=[made.copy(), *bounds]))
        for literal in list(self.tree.find_all(exp.Literal)):
            if literal.is_string:
                literal.replace(binds.leaf(sql(template, literal.name)))

    def _fault(self, message: str, node: exp.Expr | None = None, hint: str | None = None) -> OceanError:
        return allowed.fault(self.text, message, node, hint)


def _has_star(node: exp.Expr) -> bool:
    return isinstance(node, exp.Select) and any(_star(shown) is not None for shown in node.expressions)


def _star(node: exp.Expr) -> exp.Star | None:
    """The * of `*` or `folder.*`."""
    star = node.this if isinstance(node, exp.Column) else node
    return star if isinstance(star, exp.Star) else None


def _name_of(node: exp.Expr, place: int) -> str:
    """What a column of an answer is called: as the SELECT says, by its function, or by its place."""
    if isinstance(node, exp.Alias | exp.Column):
        return node.alias_or_name
    return node.sql_name().lower() if isinstance(node, exp.Func) else f"column{place + 1}"


def _sources(scope: Scope) -> dict[str, Any]:
    """What a SELECT is from, by name: not every CTE that it could be from."""
    return {name: source for name, (_, source) in scope.selected_sources.items()}


def _columns(source: Scope) -> list[str]:
    """The columns of a SELECT inside, each of which gets a name."""
    names = []
    for i, node in enumerate(getattr(source.expression, "selects", ())):
        name = _name_of(node, i)
        if not isinstance(node, exp.Alias | exp.Column):
            node.replace(exp.alias_(node.copy(), name, quoted=True))
        names.append(name)
    return list(dict.fromkeys(names))


def _is_alias(aliases: set[str], column: exp.Column) -> bool:
    """Whether a name is what the SELECT calls one of its own columns, as ORDER BY, GROUP BY and HAVING may."""
    place = column.find_ancestor(exp.Order, exp.Group, exp.Having, exp.Where, exp.Join, exp.Window, exp.Select)
    return not column.table and column.name in aliases and isinstance(place, exp.Order | exp.Group | exp.Having)


def _value(dialect: Dialect, name: str, kind: str) -> Sql:
    """A field of `r` as SQL compares it."""
    place = in_record(name)
    if isinstance(place, Own):
        return dialect.moment(place.column) if name == "created_at" else place.column
    return dialect.scalar(place, kind)


def _like(pattern: str) -> str:
    """LIKE's signs as an expression."""
    return "(?s)^" + re.sub(r"\\?.", lambda m: {"%": ".*", "_": "."}.get(m[0], re.escape(m[0][-1])), pattern, flags=re.DOTALL) + "$"


__all__ = ["MAX_ROWS", "Folder", "Statement"]
