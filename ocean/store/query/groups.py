"""What a group is made by, and made of: the columns that it sorts, and the object that comes of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from grammar.names import title
from ocean.errors import OceanError
from ocean.store.query.dialects import Dialect, Field
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import check_name
from ocean.store.query.lower import Own

SEQ = Sql("r.seq")
By = tuple[str, Field | Own]  # what it is called, and where it is
Aggregate = tuple[str, str, Field | Own | None]  # the operator, what it is called, and of what, if of anything
_BY_CELLS = ("sum", "avg")  # aggregates to which only numbers count, and those a cell always has


class Group:
    """Groups of `r`, whose columns are the fields as `read` and then `made`: each is read once a record, and then made what is grouped or
    calculated with, so that nothing but plain values is sorted."""

    is_made = True  # of columns that are made first; else of the records' own

    def __init__(self, dialect: Dialect, by: Sequence[By], aggregates: Sequence[Aggregate]) -> None:
        self.dialect = dialect
        self.by = by
        self.aggregates = aggregates

    @classmethod
    def of(cls, dialect: Dialect, by: Sequence[str], aggregates: Sequence[dict[str, str]], resolve: Callable[[str], Field | Own]) -> Group:
        """A group by fields and with aggregates as a statement names them."""
        return cls(
            dialect,
            [(title(name), resolve(name)) for name in by],
            [(a["op"], name_of(a), resolve(a["field"]) if a["op"] != "count" else None) for a in aggregates],
        )

    @property
    def names(self) -> list[str]:
        return [*(name for name, _ in self.by), *(name for _, name, _ in self.aggregates)]

    @property
    def _fields(self) -> dict[str, tuple[str | None, Field | Own]]:
        """By column: what is calculated with it, None for what is grouped by, and where it is."""
        by = {f"g{i}": (None, place) for i, (_, place) in enumerate(self.by)}
        return {**by, **{f"a{i}": (op, place) for i, (op, _, place) in enumerate(self.aggregates) if place is not None}}

    @property
    def columns(self) -> bool:
        """Whether to read the fields is to read columns."""
        return all(place.name != "created_at" if isinstance(place, Own) else place.cell is not None for _, place in self._fields.values())

    def read(self) -> list[Sql]:
        """The fields as columns."""
        return [
            sql(f"{{}} AS v_{column}", shown(self.dialect, place) if isinstance(place, Own) else self.dialect.value(place))
            for column, (_, place) in self._fields.items()
        ]

    def made(self) -> list[Sql]:
        """What is grouped by and calculated with, made of them."""
        return [sql(f"{{}} AS {column}", self._made(op, Sql(f"r.v_{column}"), place)) for column, (op, place) in self._fields.items()]

    def _made(self, op: str | None, value: Sql, place: Field | Own) -> Sql:
        if isinstance(place, Own):
            return value
        place = replace(place, cell=value if place.cell is not None else None)
        return self.dialect.group_key(value, place) if op is None else self.dialect.operand(op, value, place)

    def keys(self) -> list[Sql]:
        """The columns that tell groups apart."""
        return [self._key(i, place) for i, (_, place) in enumerate(self.by)]

    def _key(self, i: int, place: Field | Own) -> Sql:
        return Sql(f"r.g{i}")

    def _value(self, i: int, place: Field | Own) -> Sql:
        """What a group is called by one of its fields."""
        key = self._key(i, place)
        return self.dialect.to_json(key) if isinstance(place, Own) else self.dialect.group_value(key)

    def _operand(self, i: int, op: str, place: Field | Own) -> Sql:
        return Sql(f"r.a{i}")

    def pairs(self) -> dict[str, Sql]:
        """The fields of the object that a group comes to. Raises INVALID_VALUE where two would be called the same."""
        pairs: dict[str, Sql] = {}
        for i, (name, by) in enumerate(self.by):
            put(pairs, name, self._value(i, by))
        for i, (op, name, place) in enumerate(self.aggregates):
            counted = self.dialect.to_json(Sql("count(*)"))
            put(pairs, name, self._aggregate(op, self._operand(i, op, place), place) if place is not None else counted)
        return pairs

    def _aggregate(self, op: str, column: Sql, place: Field | Own) -> Sql:
        if not isinstance(place, Own):
            return self.dialect.aggregate(op, column, SEQ)
        if op in ("min", "max"):
            return self.dialect.to_json(sql(f"{op}({{}})", column))
        made = Field(self.dialect.object([("v", self.dialect.to_json(column))], last=False), ("v",))  # as a field of an object made of it
        return self.dialect.aggregate(op, self.dialect.operand(op, self.dialect.value(made), made), SEQ)

    def plain(self) -> PlainGroup | None:
        """The same by cells alone, where they may do."""
        of_cells = all(
            isinstance(place, Field) and place.cell is not None and op in (None, *_BY_CELLS) for op, place in self._fields.values()
        )
        return PlainGroup(self.dialect, self.by, self.aggregates) if self.by and of_cells else None


class PlainGroup(Group):
    """Groups of records by what their cells have, as if each had all of its field.

    `mixed` tells of the groups of which that is not so: what these records have is in their bodies alone, where `Group` looks, which takes
    half again as long."""

    is_made = False

    def _key(self, i: int, place: Field | Own) -> Sql:
        assert isinstance(place, Field)
        assert place.cell is not None
        return place.cell

    def _value(self, i: int, place: Field | Own) -> Sql:
        return self.dialect.plain(self._key(i, place))

    def _operand(self, i: int, op: str, place: Field | Own) -> Sql:
        assert isinstance(place, Field)
        assert place.cell is not None
        return self.dialect.operand(op, place.cell, place)

    @property
    def mixed(self) -> Sql:
        return joined(" OR ", [self.dialect.not_plain(key) for key in self.keys()])


def shown(dialect: Dialect, place: Own) -> Sql:
    return dialect.moment(place.column) if place.name == "created_at" else place.column


def put(pairs: dict[str, Sql], name: str, value: Sql) -> None:
    """Adds a field to those of an object. Raises INVALID_VALUE where there is one of that name."""
    if check_name(name) in pairs:
        raise OceanError("INVALID_VALUE", f"Two fields would be called {name[:60]!r}.", "Give one another name: pick a, b as c.")
    pairs[name] = value


def name_of(aggregate: dict[str, str]) -> str:
    """An aggregate's column: `sum_amount`, `count`."""
    return aggregate.get("as") or (aggregate["op"] if aggregate["op"] == "count" else f"{aggregate['op']}_{title(aggregate['field'])}")
