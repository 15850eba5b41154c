"""Our fields and tests as PostgreSQL and MySQL have them, over tables as our exports make them.

A column is of a plain kind, or JSON where a folder has several kinds under one name, lists or objects; so is what lies inside one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from grammar.conditions import Condition
from grammar.names import parted, title, way
from ocean.core.exporters import column_name
from ocean.errors import OceanError
from ocean.store.query.dialects import json_path
from ocean.store.query.logical import ORDERED, TextTest, UniversalTest, check_name, like_pattern, literal, predicate, value_of

OWN = {"key": "_key", "created_at": "_created_at", "drop_id": "_drop_id", "route": "_route", "source": "_source"}
_SIGNS: dict[type[exp.Expr], str] = {kind: sign for sign, kind in ORDERED.items()}
_TYPES = {
    "postgres": {str: "= 'string'", bool: "= 'boolean'", int: "= 'number'", list: "= 'array'"},
    "mysql": {str: "= 'STRING'", bool: "= 'BOOLEAN'", int: "IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL')", list: "= 'ARRAY'"},
}
_TYPE_OF = {"postgres": "jsonb_typeof", "mysql": "JSON_TYPE"}


@dataclass(frozen=True, slots=True)
class Table:
    """A folder as a table, and what is known of its fields: kinds (text, number, boolean, other), and which of them some records lack."""

    name: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    lacking: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field is: a column, and the way inside it; `kind` where it is known."""

    column: exp.Column
    inside: tuple[str, ...] = ()
    kind: str | None = None
    lacks: bool = False

    @property
    def is_json(self) -> bool:
        return bool(self.inside) or self.kind == "other"


class Tables:
    """The tables that a SELECT is from; without any it is from rows that another SELECT made, some of which have `lacking` as NULL."""

    def __init__(self, dialect: str, tables: Sequence[Table] = (), lacking: frozenset[str] = frozenset()) -> None:
        self.dialect = dialect
        self.tables = list(tables)
        self.lacking = lacking.union(*(table.lacking for table in tables))

    def rows(self) -> Tables:
        """What stands for these once a SELECT made rows of them."""
        return Tables(self.dialect, lacking=self.lacking)

    def named(self, name: str) -> exp.Identifier:
        identifier: exp.Identifier = exp.to_identifier(column_name(name, self.dialect), quoted=True)
        return identifier

    def place(self, name: str, of: Sequence[Table] | None = None) -> Place:
        """Where a field is: `users.name` in the table that goes by that name, `name` in the first that has it."""
        check_name(name)
        tables = self.tables if of is None else of
        first, rest = parted(name)
        table = next((t for t in self.tables if t.name == first), None) if rest and len(self.tables) > 1 else None
        if table is None:
            rest = name
            table = next((t for t in tables if way(name)[0] in t.kinds), tables[0] if tables and (name in OWN or of) else None)
        beside = exp.to_identifier(table.name, quoted=True) if table is not None and len(self.tables) > 1 else None
        if not tables:  # the field of a row
            return Place(exp.Column(this=self.named(title(name))), lacks=name in self.lacking)
        if rest in OWN:
            return Place(exp.Column(this=exp.to_identifier(OWN[rest], quoted=True), table=beside), kind="text")
        top, *inside = way(rest)
        column = exp.Column(this=self.named(top), table=beside)
        kind = table.kinds.get(top) if table is not None else None
        return Place(column, tuple(inside), kind, table is not None and rest in table.lacking)

    def value(self, name: str, of: Sequence[Table] | None = None) -> exp.Expr:
        """The field as a value to pick, to group by or to join on; `of`: in one of these tables."""
        return self._value(self.place(name, of))

    def _value(self, place: Place) -> exp.Expr:
        return exp.Var(this=self._text(self._json(place))) if place.inside else place.column

    def ordered(self, name: str, descending: bool) -> exp.Ordered:
        """As ours: what lacks the field comes first, or last where it descends."""
        place = self.place(name)
        by_itself = descending if self.dialect == "postgres" else not descending
        first = not descending if place.lacks else by_itself
        value = exp.Var(this=self._json(place)) if place.inside else place.column
        return exp.Ordered(this=value, desc=descending or None, nulls_first=first)

    def where(self, condition: Condition) -> exp.Expr:
        """The condition. Raises INVALID_VALUE."""
        tree = predicate(condition).transform(self._portable)
        return tree.this if isinstance(tree, exp.Paren) else tree

    def _portable(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, UniversalTest):
            raise OceanError("INVALID_VALUE", f"{node.this.name} is looked for by marks of its own: plain SQL has none.")
        here = node.args.get("this")
        if not isinstance(here, exp.Column):
            return node
        place = self.place(here.name)
        if isinstance(node, exp.Is):
            return exp.Is(this=self._value(place), expression=exp.Null())
        if isinstance(node, exp.In):
            return self._among(place, node.expressions)
        if isinstance(node, exp.Between):
            return self._between(place, node.args["low"], node.args["high"])
        if isinstance(node, exp.RegexpLike):
            return self._of_text(place, lambda text: self._matches(text, node.expression))
        value = value_of(node.expression)
        if isinstance(node, exp.EQ):
            return self._equal(place, value)
        if isinstance(node, exp.NullSafeNEQ):
            return self._differs(place, value)
        if isinstance(node, TextTest):
            return self._text_test(place, node.args["mode"], value)
        return self._compared(place, _SIGNS[node.__class__], value)

    def _among(self, place: Place, values: list[exp.Expr]) -> exp.Expr:
        if not self._apart(place, values):
            return exp.In(this=place.column, expressions=values)
        return exp.Paren(this=exp.or_(*(self._equal(place, value_of(item)) for item in values)))

    def _between(self, place: Place, low: exp.Expr, high: exp.Expr) -> exp.Expr:
        if not self._apart(place, [low, high]):
            return exp.Between(this=place.column, low=low, high=high)
        return exp.Paren(this=exp.and_(self._compared(place, ">=", value_of(low)), self._compared(place, "<=", value_of(high))))

    def _apart(self, place: Place, values: Sequence[exp.Expr]) -> bool:
        """Whether values are compared with one by one: as JSON, by kinds that differ, or with null."""
        return place.is_json or any(isinstance(v, exp.Null) or not self._fits(place, value_of(v)) for v in values)

    @staticmethod
    def _fits(place: Place, value: Any) -> bool:
        """Whether the column is of the value's kind: types are never mixed."""
        kind = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        return place.kind in (None, kind)

    def _equal(self, place: Place, value: Any) -> exp.Expr:
        if value is None:
            return exp.Is(this=self._value(place), expression=exp.Null())
        if place.is_json:
            return exp.Var(this=self._json_equal(self._json(place), value))
        return exp.EQ(this=place.column, expression=literal(value)) if self._fits(place, value) else exp.false()

    def _differs(self, place: Place, value: Any) -> exp.Expr:
        if value is None:
            return exp.Not(this=exp.Is(this=self._value(place), expression=exp.Null()))
        if place.is_json:
            return exp.Var(this=f"NOT COALESCE({self._json_equal(self._json(place), value)}, FALSE)")
        return exp.NullSafeNEQ(this=place.column, expression=literal(value)) if self._fits(place, value) else exp.true()

    def _compared(self, place: Place, sign: str, value: Any) -> exp.Expr:
        if not place.is_json:
            return ORDERED[sign](this=place.column, expression=literal(value)) if self._fits(place, value) else exp.false()
        found = self._json(place)
        if isinstance(value, str):
            return exp.Var(this=f"({self._is(found, str)} AND {self._text(found)} {sign} {self._quoted(value)})")
        if self.dialect == "postgres":
            return exp.Var(this=f"({self._is(found, int)} AND {found} {sign} '{json.dumps(value)}'::jsonb)")
        return exp.Var(this=f"({self._is(found, int)} AND {self._text(found)} + 0 {sign} {json.dumps(value)})")

    def _text_test(self, place: Place, mode: str, value: Any) -> exp.Expr:
        element = None
        if mode == "contains" and place.is_json:
            found, wanted = self._json(place), self._quoted(json.dumps([value], ensure_ascii=False))
            has = f"{found} @> {wanted}::jsonb" if self.dialect == "postgres" else f"JSON_CONTAINS({found}, {wanted})"
            element = exp.Var(this=f"({self._is(found, list)} AND {has})")
        if not isinstance(value, str):
            return element or exp.false()
        pattern = exp.Literal.string(like_pattern(mode, value))
        like = self._of_text(place, lambda text: exp.ILike(this=text, expression=pattern))
        return exp.Paren(this=exp.Or(this=element, expression=like)) if element else like

    def _of_text(self, place: Place, test: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        if not place.is_json:
            return test(place.column) if self._fits(place, "") else exp.false()
        found = self._json(place)
        return exp.Paren(this=exp.And(this=exp.Var(this=self._is(found, str)), expression=test(exp.Var(this=self._text(found)))))

    def _matches(self, text: exp.Expr, pattern: exp.Expr) -> exp.Expr:
        if self.dialect == "postgres":
            return exp.RegexpLike(this=text, expression=pattern)
        return exp.Var(this=f"{text.sql(dialect=self.dialect, identify=True)} RLIKE {self._quoted(pattern.name)}")  # MariaDB has it, too

    def _json_equal(self, found: str, value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False)
        if self.dialect == "postgres":
            return f"{found} = {self._quoted(text)}::jsonb"
        if isinstance(value, str):
            return f"({self._is(found, str)} AND {self._text(found)} = {self._quoted(value)})"
        if isinstance(value, bool):
            return f"({self._is(found, bool)} AND {self._text(found)} = '{text}')"
        return f"({self._is(found, int)} AND {self._text(found)} + 0 = {text})"

    def _json(self, place: Place) -> str:
        """The field as JSON."""
        column = place.column.sql(dialect=self.dialect, identify=True)
        if not place.inside:
            return column
        if self.dialect == "mysql":
            return f"JSON_EXTRACT({column}, {self._quoted(json_path(place.inside))})"
        path = "{" + ",".join(json.dumps(part, ensure_ascii=False) for part in place.inside) + "}"
        return f"({column} #> {self._quoted(path)})"

    def _text(self, found: str) -> str:
        """JSON's text: a string as it is."""
        return f"JSON_UNQUOTE({found})" if self.dialect == "mysql" else f"({found} #>> '{{}}')"

    def _is(self, found: str, kind: type) -> str:
        return f"{_TYPE_OF[self.dialect]}({found}) {_TYPES[self.dialect][kind]}"

    def _quoted(self, text: str) -> str:
        return exp.Literal.string(text).sql(dialect=self.dialect)
