"""SQLite's SQL over stored JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ocean.store.query.dialects import OUTSIDE, Field, Key, json_path
from ocean.store.query.fragments import Sql, joined, sql

_WITHIN = re.compile(r"%((?:[^\\%_]|\\.)*)(%?)", re.DOTALL)  # what LIKE finds within a text, or at its end
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CELL_TEXT = 500  # characters of a text that a cell keeps


class Sqlite:
    """JSONB in a BLOB (SQLite 3.45 and later).

    Cells have no affinity, and numbers are less than any text, texts than any blob (https://sqlite.org/datatype3.html, 4.1): `c < ''` is
    true of numbers alone, `c >= x''` of blobs. That is the cheapest way to ask what a cell has.
    """

    name = "sqlite"
    for_update = ""
    explain = "EXPLAIN QUERY PLAN "
    walks_in_order = True
    loops_only = True
    cells = 8

    def json(self) -> str:
        return "jsonb(?)"

    def cell(self, field: Field) -> Sql:
        kind, value = self._type(field), self._value(field)
        text = sql(f"CASE WHEN length({{}}) <= {_CELL_TEXT} THEN {{}} ELSE x'' END", value, value)
        return sql(
            "CASE coalesce({}, 'null') WHEN 'null' THEN NULL WHEN 'integer' THEN {} WHEN 'real' THEN {} WHEN 'text' THEN {} ELSE x'' END",
            kind, value, value, text,
        )  # fmt: skip

    def _type(self, field: Field) -> Sql:
        kind = sql("json_type({}, {})", field.body, json_path(field.at))
        if field.cell is None:
            return kind
        return sql("CASE WHEN {} < x'' THEN typeof({}) ELSE {} END", field.cell, field.cell, kind)

    def _value(self, field: Field) -> Sql:
        value = self._in_json(field)
        return value if field.cell is None else sql("CASE WHEN {} >= x'' THEN {} ELSE {} END", field.cell, value, field.cell)

    @staticmethod
    def _in_json(field: Field) -> Sql:
        return sql("json_extract({}, {})", field.body, json_path(field.at))

    def exists(self, field: Field) -> Sql:
        return sql("{} <> 'null'", self._type(field))

    def there(self, field: Field) -> Sql:
        return sql("{} IS NOT NULL", self._type(field))

    def equal(self, field: Field, values: Sequence[Any]) -> Sql:
        parts = []
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        texts = [v for v in values if isinstance(v, str)]
        for group, kinds in ((texts, "'text'"), (numbers, "'integer','real'")):
            if group:
                among = Sql(",".join("?" * len(group)), tuple(group))
                if field.cell is not None:
                    parts.append(self._cell_among(field, field.cell, among, texts=group is texts))
                    continue
                parts.append(sql(f"({{}} IN ({{}}) AND {{}} IN ({kinds}))", self._value(field), among, self._type(field)))
        for constant, kind in ((None, "null"), (True, "true"), (False, "false")):
            if any(v is constant for v in values):
                parts.append(sql(f"{{}} = '{kind}'", self._type(field)))
        return sql("({})", joined(" OR ", parts))

    def _cell_among(self, field: Field, cell: Sql, among: Sql, *, texts: bool) -> Sql:
        """A number is always kept in its cell; a text that is long is not."""
        if not texts:
            return sql("{} IN ({})", cell, among)
        bare = Field(field.body, field.at)
        return sql(
            "({} IN ({}) OR ({} >= x'' AND {} IN ({}) AND {} = 'text'))", cell, among, cell, self._value(bare), among, self._type(bare)
        )

    def ordered(self, field: Field, operator: str, value: str | float) -> Sql:
        kinds = "'text'" if isinstance(value, str) else "'integer','real'"
        if field.cell is not None and not isinstance(value, str):
            return sql(f"({{}} {operator} {{}} AND {{}} < '')", field.cell, value, field.cell)
        # The value first: most records fail by it, and only of the others the type is asked.
        return sql(f"({{}} {operator} {{}} AND {{}} IN ({kinds}))", self._value(field), value, self._type(field))

    def like(self, field: Field, pattern: str) -> Sql:
        return sql("({} AND {} = 'text')", self.column_like(self._value(field), pattern), self._type(field))

    def matches(self, field: Field, pattern: str) -> Sql:
        return sql("({} = 'text' AND {})", self._type(field), self.column_matches(self._value(field), pattern))

    def element(self, field: Field, value: Any) -> Sql:
        path = json_path(field.at)
        if value is None or isinstance(value, bool):
            same = Sql(f"e.type = '{json.dumps(value)}'")
        else:
            kinds = "'text'" if isinstance(value, str) else "'integer','real'"
            same = sql(f"e.type IN ({kinds}) AND e.value = {{}}", value)
        return sql("({} = 'array' AND EXISTS (SELECT 1 FROM json_each({}, {}) e WHERE {}))", self._type(field), field.body, path, same)

    def column_like(self, column: Sql, pattern: str) -> Sql:
        # `lower` folds ASCII alone, which is all that a pattern in ASCII needs; `lowered` is ours (store.sqlite).
        # LIKE would compare from each place anew, in a time that nothing ends: only what a text begins with is left to it.
        fold = "lower" if pattern.isascii() else "lowered"
        if (literal := _WITHIN.fullmatch(pattern)) is not None:
            wanted = _ESCAPED.sub(r"\1", literal[1]).lower()
            if literal[2]:
                return sql(f"instr({fold}({{}}), {{}}) > 0", column, wanted)
            return sql(f"substr({fold}({{}}), {{}}) = {{}}", column, -len(wanted), wanted) if wanted else sql("{} IS NOT NULL", column)
        if pattern.isascii():
            return sql("{} LIKE {} ESCAPE '\\'", column, pattern)
        return sql("lowered({}) LIKE {} ESCAPE '\\'", column, pattern.lower())

    def column_matches(self, column: Sql, pattern: str) -> Sql:
        return sql("matches({}, {})", column, pattern)

    def outside(self, folders: Sequence[str]) -> Sql:
        return Sql(OUTSIDE.format(source="json_each(?) f", name="f.value"), (json.dumps(folders),) * 2)

    def among(self, column: Sql, texts: Sequence[str]) -> Sql:
        return sql("{} IN (SELECT value FROM json_each({}))", column, json.dumps(list(texts)))

    def rank(self, field: Field) -> Sql:
        found = sql(
            "CASE {} WHEN 'null' THEN 0 WHEN 'false' THEN 1 WHEN 'true' THEN 2 WHEN 'integer' THEN 3"
            " WHEN 'real' THEN 3 WHEN 'text' THEN 4 WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END",
            self._type(Field(field.body, field.at)),
        )
        if field.cell is None:
            return found
        return sql("CASE WHEN {} < '' THEN 3 WHEN {} < x'' THEN 4 ELSE {} END", field.cell, field.cell, found)

    def sort_keys(self, field: Field) -> list[Key]:
        return [Key(self.rank(field)), Key(self._value(field))]

    def down(self, descending: bool) -> str:
        return " DESC" if descending else ""

    def as_json(self, field: Field) -> Sql:
        return sql("({} -> {})", field.body, json_path(field.at))

    def to_json(self, value: Sql) -> Sql:
        return value

    def scalar(self, field: Field, kind: str) -> Sql:
        if kind == "counted":
            return sql("CASE WHEN {} IN ('integer','real') THEN {} END", self._type(field), self._value(field))
        return self._value(field)

    def fields_of(self, scan: Sql, most: int) -> Sql:
        kind = (
            "CASE j.type WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' "
            "WHEN 'text' THEN 'text' WHEN 'null' THEN 'null' ELSE 'other' END"
        )
        return sql(
            f"SELECT j.key, {kind} FROM (SELECT r.body, r.seq FROM ({{}}) r ORDER BY r.seq DESC LIMIT {{}}) n, json_each(n.body) j "
            "WHERE json_type(n.body) = 'object' GROUP BY 1, 2 ORDER BY min(n.seq * 10000000 + j.id)",
            scan, most,
        )  # fmt: skip

    def joinable(self, field: Field) -> Sql:
        made = "CASE {} WHEN 'true' THEN x'01' WHEN 'false' THEN x'00' WHEN 'text' THEN {} WHEN 'integer' THEN {} WHEN 'real' THEN {} END"
        return sql(made, self._type(field), *[self._value(field)] * 3)  # true is no 1

    def joinable_text(self, field: Field) -> Sql:
        return sql("CASE {} WHEN 'text' THEN {} END", self._type(field), self._value(field))

    def moment(self, column: Sql) -> Sql:
        return sql("strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1000.0, 'unixepoch')", column)

    def object(self, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        return sql("json{}_object({})", Sql("" if last else "b"), joined(", ", [sql("{}, {}", name, value) for name, value in pairs]))

    def with_fields(self, body: Sql, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        whole = sql("CASE WHEN json_type({}) = 'object' THEN {} ELSE '{{}}' END", body, body)  # no object, no fields
        set_ = [sql("{}, {}", json_path([name]), value) for name, value in pairs]
        return sql("json{}_set({})", Sql("" if last else "b"), joined(", ", [whole, *set_]))

    def size(self, body: Sql) -> Sql:
        return sql("octet_length({})", body)

    def shown(self, body: Sql) -> Sql:
        return sql("json({})", body)

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        return self.shown(body)  # JSONB keeps the order of fields

    def value(self, field: Field) -> Sql:
        return self._value(field) if field.cell is None else field.cell

    @staticmethod
    def _or_cell(field: Field, otherwise: Callable[[Sql, Field], Sql], value: Sql) -> Sql:
        """What a cell has; where it has nothing plain, or there is none, what `otherwise` makes of the field in its JSON."""
        if field.cell is None:
            return otherwise(value, field)
        bare = Field(field.body, field.at)
        return sql("CASE WHEN {} >= x'' THEN {} ELSE {} END", field.cell, otherwise(Sqlite._in_json(bare), bare), field.cell)

    def _flag(self, value: Sql, field: Field) -> Sql:
        """Whether it is true or false, which come out as 1 and 0: the type is asked only of those."""
        return sql("({} IN (0, 1) AND {} IN ('true', 'false'))", value, self._type(field))

    def _other(self, value: Sql, field: Field) -> Sql:
        """Whether it is neither null, a number nor a text.

        The type is asked only where the value leaves it open: lists and objects come out as text. Compared with `<`, since numbers are less
        than texts, and a function is dearer.
        """
        return sql(
            "({} OR ({} >= '[' AND {} < '\\' OR {} >= '{{' AND {} < '|') AND {} <> 'text')",
            self._flag(value, field), value, value, value, value, self._type(field),
        )  # fmt: skip

    def plain(self, cell: Sql) -> Sql:
        return sql("nullif({}, x'')", cell)

    def not_plain(self, cell: Sql) -> Sql:
        return sql("typeof({}) = 'blob'", cell)

    def group_key(self, value: Sql, field: Field) -> Sql:
        """What is neither a number nor a text is JSONB, which no other value is equal to."""
        return self._or_cell(field, self._group_key, value)

    def _group_key(self, value: Sql, field: Field) -> Sql:
        return sql("CASE WHEN {} THEN jsonb({}) ELSE {} END", self._other(value, field), self.as_json(field), value)

    def group_value(self, key: Sql) -> Sql:
        return sql("CASE typeof({}) WHEN 'blob' THEN json({}) ELSE {} END", key, key, key)

    def operand(self, op: str, value: Sql, field: Field) -> Sql:
        if op in ("sum", "avg"):
            if field.cell is not None:  # which has no true and false
                return sql("CASE WHEN {} < '' THEN {} END", value, value)
            return sql("CASE WHEN {} < '' AND NOT {} THEN {} END", value, self._flag(value, field), value)
        if op in ("min", "max"):
            return self._or_cell(
                field, lambda plain, bare: sql("CASE WHEN {} THEN NULL ELSE {} END", self._other(plain, bare), plain), value
            )
        return sql("nullif({}, 'null')", self.as_json(field))

    def aggregate(self, op: str, operand: Sql, seq: Sql) -> Sql:
        if op in ("sum", "avg", "min", "max"):
            return sql(f"{op}({{}})", operand)
        if op == "distinct":
            return sql("json('[' || coalesce(group_concat(DISTINCT {}), '') || ']')", operand)
        order = Sql("" if op == "first" else " DESC")
        return sql("(json_group_array(json({}) ORDER BY {}{}) FILTER (WHERE {} IS NOT NULL) -> '$[0]')", operand, seq, order, operand)
