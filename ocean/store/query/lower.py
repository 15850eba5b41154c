"""The logical tree's conditions as an engine runs them: fields read out of JSON by type, a record's own fields from their columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from grammar.names import way
from ocean.core.drop import read_time
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.store.query.dialects import Dialect, Field
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import ORDERED, TextTest, UniversalTest, like_pattern, value_of
from ocean.store.query.marks import conditions

OWN = ("key", "created_at", "drop_id", "route", "source")
_SIGNS: dict[type[exp.Expr], str] = {kind: sign for sign, kind in ORDERED.items()}


class Own:
    """One of a record's own fields: a column of text, but for the time, which is kept in milliseconds."""

    def __init__(self, name: str, column: Sql) -> None:
        self.name = name
        self.column = column


Resolve = Callable[[str], Field | Own]  # a field's name -> where it is


def in_record(name: str, prefix: str = "r.") -> Field | Own:
    """Where a field of a record is, whose columns begin with `prefix`."""
    if name in OWN:
        return Own(name, Sql(prefix + name))
    return Field(Sql(prefix + "body"), way(name))


class Lowering:
    """Conditions of one relation, whose fields `resolve` finds."""

    def __init__(self, dialect: Dialect, resolve: Resolve) -> None:
        self.dialect = dialect
        self.resolve = resolve

    def condition(self, node: exp.Expr) -> Sql:
        """SQL that is true, false or NULL. Raises INVALID_VALUE."""
        if isinstance(node, exp.Paren):
            return sql("({})", self.condition(node.this))
        if isinstance(node, exp.And | exp.Or):
            return joined(" AND " if isinstance(node, exp.And) else " OR ", [self.condition(part) for part in node.flatten(unnest=False)])
        if isinstance(node, exp.Not):
            return self._not(node.this)
        if isinstance(node, exp.Coalesce):
            return sql("coalesce({}, false)", self.condition(node.this))
        if isinstance(node, exp.Boolean):
            return Sql("true" if node.this else "false")
        return self._test(node)

    def _not(self, node: exp.Expr) -> Sql:
        """`not` is true also where what it denies is NULL: a record that lacks a field is not equal to any value."""
        inner = node.this if isinstance(node, exp.Coalesce) else node
        return sql("NOT coalesce({}, false)", self.condition(inner))

    def _test(self, node: exp.Expr) -> Sql:
        if isinstance(node, exp.Is):
            return sql("NOT coalesce({}, false)", self._exists(node.this))
        if isinstance(node, exp.NullSafeNEQ):
            return sql("NOT coalesce({}, false)", self._equal(node.this, [value_of(node.expression)]))
        if isinstance(node, exp.EQ):
            return self._equal(node.this, [value_of(node.expression)])
        if isinstance(node, exp.In):
            return self._equal(node.this, [value_of(item) for item in node.expressions])
        if isinstance(node, exp.Between):
            low, high = value_of(node.args["low"]), value_of(node.args["high"])
            return sql("({} AND {})", self._ordered(node.this, ">=", low), self._ordered(node.this, "<=", high))
        if isinstance(node, exp.RegexpLike):
            return self._matches(node.this, value_of(node.expression))
        if isinstance(node, UniversalTest):
            place = self._where(node.this)
            if isinstance(place, Own) or place.body.text != "r.body":
                raise OceanError("INVALID_VALUE", f"{node.this.name} is asked of records, not of rows that were made of them.")
            return conditions({node.this.name.removeprefix("_"): loads(node.args["wanted"])}, self.dialect)
        if isinstance(node, TextTest):
            return self._text(node.this, node.args["mode"], value_of(node.expression))
        return self._ordered(node.this, _SIGNS[node.__class__], value_of(node.expression))

    def _where(self, column: exp.Column) -> Field | Own:
        return self.resolve(column.name)

    def _exists(self, column: exp.Column) -> Sql:
        place = self._where(column)
        return sql("{} IS NOT NULL", place.column) if isinstance(place, Own) else self.dialect.exists(place)

    def _equal(self, column: exp.Column, values: list[Any]) -> Sql:
        place = self._where(column)
        if not isinstance(place, Own):
            return self.dialect.equal(place, values)
        found = [_own_value(place, value) for value in values]
        return sql("{} IN ({})", place.column, Sql(",".join("?" * len(found)), tuple(found)))

    def _ordered(self, column: exp.Column, sign: str, value: Any) -> Sql:
        place = self._where(column)
        if isinstance(place, Own):
            return sql(f"{{}} {sign} {{}}", place.column, _own_value(place, value))
        return self.dialect.ordered(place, sign, value)

    def _matches(self, column: exp.Column, pattern: str) -> Sql:
        place = self._where(column)
        return self.dialect.column_matches(_text_of(place), pattern) if isinstance(place, Own) else self.dialect.matches(place, pattern)

    def _text(self, column: exp.Column, mode: str, value: Any) -> Sql:
        place = self._where(column)
        if isinstance(place, Own):
            if not isinstance(value, str):
                raise OceanError("INVALID_VALUE", f"{place.name} is compared with text.")
            return self.dialect.column_like(_text_of(place), like_pattern(mode, value))
        if mode != "contains":
            return self.dialect.like(place, like_pattern(mode, value))
        element = self.dialect.element(place, value)
        if not isinstance(value, str):
            return element
        return sql("({} OR {})", element, self.dialect.like(place, like_pattern(mode, value)))


def _own_value(place: Own, value: Any) -> Any:
    if not isinstance(value, str):
        raise OceanError("INVALID_VALUE", f"{place.name} is compared with text.")
    return read_time(value) if place.name == "created_at" else value


def _text_of(place: Own) -> Sql:
    if place.name == "created_at":
        raise OceanError("INVALID_VALUE", "created_at is a time: compare it with =, <, > or between.")
    return place.column
