"""Stages to one statement: where, join, group, sort, skip, limit and pick, in any order and number.

Each SELECT takes stages as long as they fit in; one that would change the meaning of those before it (a condition after a limit)
begins a SELECT around it. What flows between is always a record, or a row whose fields are in `body`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from grammar.conditions import Condition
from grammar.names import parted, title, way
from ocean.errors import OceanError
from ocean.store.query.dialects import Dialect, Field, Key
from ocean.store.query.fences import NO_LIMIT
from ocean.store.query.fragments import Binds, Sql, joined, sql
from ocean.store.query.groups import SEQ, Group, PlainGroup, put, shown
from ocean.store.query.logical import check_name, predicate
from ocean.store.query.lower import OWN, Lowering, Own, in_record

COLUMNS = ("seq", *OWN, "body")  # of a record, as it flows
MAX_KEYS = 16
MAX_FIELDS = 100
MAX_LEVELS = 20
MAX_JOINS = 8

Pick = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Scan:
    """The records of a folder that the reader may see: a SELECT of COLUMNS, and the names the folder goes by."""

    names: tuple[str, ...]
    select: Sql
    ordered: str | None = None  # the field that it goes along, whose values are e_rank, e_number and e_text beside COLUMNS
    cells: Mapping[str, str] = field(default_factory=dict)  # fields whose cells are columns beside
    folder: tuple[str, bool] = ("", True)  # the folder, and whether all beneath is among them


@dataclass(frozen=True, slots=True)
class Join:
    """A folder beside: `on` has pairs of a field from before and a field of its own."""

    scan: Scan
    inner: bool
    on: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where fields come from: the columns of `r` that begin with `prefix`."""

    names: tuple[str, ...]
    prefix: str
    own: bool = True  # it is a record: it has a key and so on
    cells: Mapping[str, str] = field(default_factory=dict)  # columns of fields that have one

    def column(self, name: str) -> Sql:
        return Sql(f"r.{self.prefix}{name}")


@dataclass(slots=True)
class Level:
    """One SELECT."""

    inner: exp.Expr
    sources: list[Source]
    order: list[tuple[Key, bool]]  # how what comes in is ordered, and which of it descends
    wheres: list[Sql] = field(default_factory=list)
    sorts: list[tuple[Key, bool]] = field(default_factory=list)
    group: Group | None = None
    pick: list[Pick] | None = None
    names: list[str] | None = None  # of rows that come in, where they are known
    limit: int | None = None
    skip: int = 0
    backward: bool = False  # of the end, not of the beginning


class Pipeline:
    """A question that is being put together; `rows` or `total` makes the statement."""

    def __init__(self, dialect: Dialect, base: Scan) -> None:
        self.dialect = dialect
        self.binds = Binds()
        self.names: list[str] | None = None  # the fields of rows, where they are known
        self.levels = 1
        self.fields: set[str] = set()  # of the folder's records that are looked at
        self.by_fields = False  # whether records are joined by more than their keys
        self._ordered_by = base.ordered
        self.level = Level(_named(self.binds.leaf(base.select), "r"), [Source(base.names, "", cells=base.cells)], [])

    @property
    def records(self) -> bool:
        """Whether records come out, and not rows."""
        return self.beside == 1 and self.level.sources[0].own

    @property
    def beside(self) -> int:
        """How many records stand beside one another in a row."""
        return 0 if self.shaped else len(self.level.sources)

    @property
    def shaped(self) -> bool:
        return self.level.group is not None or self.level.pick is not None

    @property
    def _cut(self) -> bool:
        return self.level.limit is not None or self.level.skip > 0

    def join(self, joins: Sequence[Join]) -> None:
        for join in joins:
            number = len(self.level.sources)
            self.level.inner = self._joined(join, number)
            self.level.sources.append(Source(join.scan.names, f"j{number}_"))

    def where(self, condition: Condition) -> None:
        self._fresh()
        self.level.wheres.append(Lowering(self.dialect, self._resolve).condition(predicate(condition)))

    def sort(self, sorts: Sequence[dict[str, Any]]) -> None:
        if len(sorts) > MAX_KEYS:
            raise OceanError("INVALID_VALUE", f"A find is sorted by at most {MAX_KEYS} fields.")
        self._fresh()
        keys = [(key, bool(s["descending"])) for s in sorts for key in self._sort_keys(s["field"])]
        self.level.sorts = [*keys, *self.level.sorts]

    def skip(self, count: int) -> None:
        if self.level.limit is not None:
            self._nest()
        self.level.skip += count

    def limit(self, count: int) -> None:
        self.level.limit = count if self.level.limit is None else min(count, self.level.limit)

    def last(self, count: int) -> None:
        if self._cut or self.shaped:
            self._nest()
        self.level.backward = True
        self.level.limit = count
        self._nest()

    def after(self, values: Sequence[Any]) -> None:
        """What comes after the row that has these values of the sort keys, and its place in the log as the last of them."""
        keys = [*self._order(), (Key(SEQ), False)]
        if self._walks and len(values) == len(keys) - 1:  # (rank, value) as (rank, number, text)
            number = values[1] if not isinstance(values[1], str) else None
            values = [values[0], number, values[1] if number is None else None, *values[2:]]
        if len(values) != len(keys) or not isinstance(values[-1], int):
            raise OceanError("INVALID_VALUE", "The cursor is of another question.", "Ask from the beginning.")
        ways: list[Sql] = []
        same: list[Sql] = []
        for (key, descending), value in zip(keys, values, strict=True):
            bound = sql(key.bound, value)
            if value is None:
                beyond = Sql("false") if descending else sql("{} IS NOT NULL", key.value)
                equal = sql("{} IS NULL", key.value)
            else:
                beyond = sql(
                    "({} < {} OR {} IS NULL)" if descending else "{} > {}", *([key.value, bound, key.value][: 3 if descending else 2])
                )
                equal = sql("{} = {}", key.value, bound)
            ways.append(sql("({})", joined(" AND ", [*same, beyond])))
            same.append(equal)
        self.level.wheres.append(sql("({})", joined(" OR ", ways)))

    def cursor(self, values: Sequence[Any]) -> list[Any]:
        """What `after` goes on behind, of a row's sort keys and place: the same whether an index was gone along or not."""
        if not self._walks:
            return list(values)
        return [values[0], values[1] if values[1] is not None else values[2], *values[3:]]

    @property
    def _walks(self) -> bool:
        """Whether the order is that of an index."""
        return bool(self.level.sorts) and self.level.sorts[0][0].value.text == "r.e_rank"

    def grouped(self, by: list[str], aggregates: list[dict[str, str]]) -> None:
        self._fresh()
        if len(by) + len(aggregates) > MAX_FIELDS or not (by or aggregates):
            raise OceanError("INVALID_VALUE", f"A group has 1 to {MAX_FIELDS} fields and aggregates.")
        self.level.group = Group.of(self.dialect, by, aggregates, self._resolve)
        self.names = self.level.group.names

    def picked(self, fields: list[Pick]) -> None:
        if self.shaped:
            self._nest()
        if not 0 < len(fields) <= MAX_FIELDS:
            raise OceanError("INVALID_VALUE", f"A find picks 1 to {MAX_FIELDS} fields.")
        self.level.pick = fields
        self.names = None if "*" in fields else [item["as"] if isinstance(item, dict) else title(item) for item in fields]

    def total(self) -> Sql:
        """How many there are."""
        if self._cut or self.shaped:
            self._nest()
        self.level.sorts, self.level.order = [], []
        select = self._select([Sql("count(*)")])
        return self.binds.write(select, self.dialect.name)

    def places(self) -> tuple[exp.Select, int]:
        """For records: the SELECT of their places in the log with their sort keys, and how many keys there are."""
        keys = self._order()
        return self._ordered(self._select([SEQ, *_numbered(keys)])), len(keys)

    def seqs(self) -> Sql:
        """For records: their places in the log."""
        return self.binds.write(self.places()[0], self.dialect.name)

    def records_with(self, columns: str) -> tuple[Sql, int]:
        """The records themselves, `columns` of drops `d` and `n` (record), then their sort keys and place; and how many keys there are."""
        select, keys = self.places()
        names = [f"q.o{i}" for i in range(keys)]
        tail = exp.Select().select(exp.Var(this=", ".join([columns, *names, "q.seq"])), copy=False)
        tail.from_(_named(select, "q"), copy=False)
        tail.join(exp.Var(this="drops AS d"), on=exp.Var(this="d.seq = q.seq"), copy=False)
        tail.join(exp.Var(this="record AS n"), on=exp.Var(this="n.seq = q.seq"), copy=False)
        order = [f"{name}{self.dialect.down(down)}" for name, (_, down) in zip(names, self._order(), strict=True)]
        tail.order_by(exp.Var(this=", ".join([*order, "q.seq"])), copy=False)
        return self.binds.write(tail, self.dialect.name), keys

    def rows(self) -> Sql:
        """Rows: one column, the text of a JSON object; of joined records one for each of them, and each's key behind it."""
        if self.shaped:
            columns = [self._body(last=True)]
        elif len(self.level.sources) > 1:
            columns = [part for s in self.level.sources for part in (self.dialect.shown(s.column("body")), s.column("key"))]
        else:
            columns = [self.dialect.row(Sql("r.body"), self.names)]
        return self.binds.write(self._ordered(self._select([*columns, *_numbered(self._order())])), self.dialect.name)

    @property
    def plain(self) -> PlainGroup | None:
        """Its groups by cells alone, where they may do."""
        group = self.level.group
        return group.plain() if group is not None and self.levels == 1 and not self.level.skip else None

    def plain_groups(self, group: PlainGroup) -> Sql:
        """Rows as `rows` has them, with a second column: if it is true of the first row, cells did not do, and `rows` is to be asked."""
        columns = [self.dialect.object(list(group.pairs().items()), last=True), sql("{} AS mixed", group.mixed)]
        return self.binds.write(self._ordered(self._select(columns, group), first=["mixed DESC"]), self.dialect.name)

    def _fresh(self) -> None:
        """A stage that works on what comes out of those before it."""
        if self._cut or self.shaped:
            self._nest()

    def _nest(self) -> None:
        """A SELECT around what there is."""
        self.levels += 1
        if self.levels > MAX_LEVELS:
            raise OceanError("INVALID_VALUE", "The pipe has too many stages that work on one another.")
        keys = self._order()
        if self.shaped:
            seq = sql("min({}) AS seq", SEQ) if self.level.group else sql("{} AS seq", SEQ)
            columns, sources = [sql("{} AS body", self._body(last=False)), seq], [Source((), "", own=False)]
        else:
            sources = [replace(s, cells={}) for s in self.level.sources]
            columns = [
                sql(f"{{}} AS {s.prefix}{name}", s.column(name)) for s in sources for name in (COLUMNS if s.own else ("body", "seq"))
            ]
        select = self._select([*columns, *_numbered(keys)])
        if self._cut:
            select = self._ordered(select)
        order = [(Key(Sql(f"r.o{i}"), key.bound), down) for i, (key, down) in enumerate(keys)]
        rows = self.names if self.shaped or not sources[0].own else None
        self.level = Level(_named(select, "r"), sources, order, names=rows)

    def _order(self) -> list[tuple[Key, bool]]:
        """What it is ordered by, before the order of writing."""
        return [] if self.level.group else [*self.level.sorts, *self.level.order]

    def _select(self, columns: list[Sql], group: Group | None = None) -> exp.Select:
        """`columns` of the records that pass, or of the level's groups: as they are, or as another `group` makes them."""
        group = group or self.level.group
        made = group is not None and group.is_made
        inner = self._group_input(group) if group is not None and made else self.level.inner
        select = exp.Select().select(self.binds.leaf(joined(", ", columns)), copy=False).from_(inner, copy=False)
        if not made:
            self._filter(select)
        if group is not None and group.by:
            select.group_by(exp.Var(this=joined(", ", group.keys()).text), copy=False)
        return select

    def _filter(self, select: exp.Select) -> None:
        if self.level.wheres:
            select.where(self.binds.leaf(joined(" AND ", [sql("({})", w) for w in self.level.wheres])), copy=False)

    def _ordered(self, select: exp.Select, *, first: Sequence[str] = ()) -> exp.Select:
        """In order of its `_numbered` keys, and cut."""
        level = self.level
        downs = [down != level.backward for _, down in self._order()]
        order = [f"o{i}{self.dialect.down(down)}" for i, down in enumerate(downs)]
        written = "min(r.seq)" if level.group else "r.seq"
        if level.group and not level.group.by:
            order, written = [], ""
        back = " DESC" if level.backward else ""
        if written:
            select.order_by(exp.Var(this=", ".join([*first, *order, written + back])), copy=False)
        if level.limit is not None or level.skip:
            select.limit(self.binds.leaf(Sql("?", (level.limit if level.limit is not None else NO_LIMIT,))), copy=False)
        if level.skip:
            select.offset(self.binds.leaf(Sql("?", (level.skip,))), copy=False)
        return select

    def _group_input(self, group: Group) -> exp.Expr:
        """What a group is made over, in two SELECTs, which are kept apart but where all that is read are columns."""
        bodies = [Sql(f"r.{s.prefix}body") for s in self.level.sources]
        read = [SEQ, *bodies, *group.read()]
        inner = exp.Select().select(self.binds.leaf(joined(", ", read)), copy=False).from_(self.level.inner, copy=False)
        self._filter(inner)
        source = _named(inner, "r") if group.columns else self._apart(inner)
        made = joined(", ", [SEQ, *group.made()])
        return self._apart(exp.Select().select(self.binds.leaf(made), copy=False).from_(source, copy=False))

    def _apart(self, select: exp.Select, name: str = "r") -> exp.Subquery:
        """A SELECT that the engine does not take into the one around it."""
        select.limit(self.binds.leaf(Sql("?", (NO_LIMIT,))), copy=False)
        return _named(select, name)

    def _body(self, *, last: bool) -> Sql:
        """The object that a group or a pick makes."""
        if self.level.group:
            return self.dialect.object(list(self.level.group.pairs().items()), last=last)
        pairs: dict[str, Sql] = {}
        whole = False
        for item in self.level.pick or ():
            if item == "*":
                whole = True
                continue
            name, called = (item["field"], item["as"]) if isinstance(item, dict) else (item, title(item))
            put(pairs, called, self._json(name))
        if whole:
            return self.dialect.with_fields(self.level.sources[0].column("body"), list(pairs.items()), last=last)
        return self.dialect.object(list(pairs.items()), last=last)

    def _json(self, name: str) -> Sql:
        place = self._resolve(name)
        return self.dialect.to_json(shown(self.dialect, place)) if isinstance(place, Own) else self.dialect.as_json(place)

    def _sort_keys(self, name: str) -> list[Key]:
        if name == self._ordered_by and self.levels == 1 and len(self.level.sources) == 1:
            return [Key(Sql("r.e_rank")), Key(Sql("r.e_number")), Key(Sql("r.e_text"))]
        place = self._resolve(name)
        return [Key(place.column)] if isinstance(place, Own) else self.dialect.sort_keys(place)

    def _resolve(self, name: str) -> Field | Own:
        """Where a field is: `users.name` in the folder that goes by that name, `name` in the first that has it."""
        check_name(name)
        sources = self.level.sources
        if self.level.names and title(name) in self.level.names:  # a dot in it leads nowhere: the row has a field of just that name
            return Field(sources[0].column("body"), (title(name),))
        first, rest = parted(name)
        if self.level.names and first not in self.level.names:
            known = ", ".join(self.level.names)
            raise OceanError("INVALID_VALUE", f"The rows have no field {name[:60]!r} here.", f"They have: {known[:300]}.")
        if rest and len(sources) > 1:
            for source in sources:
                if first in source.names:
                    return in_record(rest, f"r.{source.prefix}")
        if name in OWN and sources[0].own:
            return Own(name, sources[0].column(name))
        at = way(name)
        if len(sources) == 1 and sources[0].own:
            self.fields.add(name)
            cell = sources[0].cells.get(name)
            return Field(sources[0].column("body"), at, sources[0].column(cell) if cell else None)
        body = sources[-1].column("body")
        for source in reversed(sources[:-1]):
            there = self.dialect.there(Field(source.column("body"), at))
            body = sql("CASE WHEN {} THEN {} ELSE {} END", there, source.column("body"), body)
        return Field(body, at)

    def _joined(self, join: Join, number: int) -> exp.Expr:
        """What there is so far with a folder beside it, as one relation `r`."""
        left = [sql(f"{{}} AS {s.prefix}{name}", s.column(name)) for s in self.level.sources for name in COLUMNS]
        right = [Sql(f"x.{name} AS j{number}_{name}") for name in COLUMNS]
        on: list[Sql] = []
        extra: list[Sql] = []
        for i, (mine, theirs) in enumerate(join.on):
            first, rest = parted(theirs)
            there = in_record(rest if rest and first in join.scan.names else check_name(theirs))
            here = self._resolve(mine)
            if isinstance(there, Own):
                value = here.column if isinstance(here, Own) else self.dialect.joinable_text(here)
                on.append(sql(f"x.{there.name} = {{}}", value))
                continue
            if isinstance(here, Own):
                extra.append(sql(f"CAST({{}} AS text) AS k{i}", self.dialect.joinable_text(there)))  # as a key is, or no index serves both
                on.append(sql(f"x.k{i} = {{}}", here.column))
                continue
            extra.append(sql(f"{{}} AS k{i}", self.dialect.joinable(there)))
            on.append(sql(f"x.k{i} = {{}}", self.dialect.joinable(here)))
        self.by_fields = self.by_fields or bool(extra)
        columns = [Sql(f"r.{name}") for name in COLUMNS]
        scan = exp.Select().select(self.binds.leaf(joined(", ", [*columns, *extra])), copy=False)
        scan.from_(_named(self.binds.leaf(join.scan.select), "r"), copy=False)
        aside = self._apart(scan, "x") if extra else _named(scan, "x")  # so that the engine can index it for this one question
        select = exp.Select().select(self.binds.leaf(joined(", ", [*left, *right])), copy=False).from_(self.level.inner, copy=False)
        select.join(
            aside, on=self.binds.leaf(joined(" AND ", on)), join_type="inner" if join.inner else "left", copy=False,
        )  # fmt: skip
        return _named(select, "r")


def _named(select: exp.Expr, name: str) -> exp.Subquery:
    return exp.Subquery(this=select, alias=exp.TableAlias(this=exp.to_identifier(name)))


def _numbered(keys: Sequence[tuple[Key, bool]]) -> list[Sql]:
    """Sort keys as columns o0, o1 and so on."""
    return [sql(f"{{}} AS o{i}", key.value) for i, (key, _) in enumerate(keys)]
