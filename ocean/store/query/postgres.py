"""PostgreSQL's SQL over stored JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ocean.store.query.dialects import OUTSIDE, Field, Key
from ocean.store.query.fragments import Sql, joined, sql

_ARGUMENTS = 45  # pairs of one call: a function of PostgreSQL has at most 100 arguments


class Postgres:
    """JSONB; text compared byte by byte (COLLATE "C"), case folded by ICU."""

    name = "postgres"
    for_update = " FOR UPDATE"
    explain = "EXPLAIN "
    walks_in_order = False  # its indexes have NULL last
    loops_only = False
    cells = 0

    def json(self) -> str:
        return "?::text::jsonb"

    def cell(self, field: Field) -> Sql:
        return Sql("NULL")

    def _field(self, field: Field) -> Sql:
        return Sql(f"({field.body.text}{' -> ?::text' * len(field.at)})", (*field.body.values, *field.at))

    def _text(self, field: Field) -> Sql:
        return sql("({} #>> '{{}}')", self._field(field))

    def _kind(self, field: Field) -> Sql:
        return sql("jsonb_typeof({})", self._field(field))

    def exists(self, field: Field) -> Sql:
        return sql("{} <> 'null'::jsonb", self._field(field))

    def there(self, field: Field) -> Sql:
        return sql("{} IS NOT NULL", self._field(field))

    def equal(self, field: Field, values: Sequence[Any]) -> Sql:
        return sql("{} = ANY({}::text[]::jsonb[])", self._field(field), [json.dumps(v, ensure_ascii=False) for v in values])

    def ordered(self, field: Field, operator: str, value: str | float) -> Sql:
        kind = self._kind(field)
        if isinstance(value, str):
            return sql(f"({{}} = 'string' AND {{}} COLLATE \"C\" {operator} {{}}::text)", kind, self._text(field), value)
        return sql(f"({{}} = 'number' AND {{}} {operator} {{}}::text::jsonb)", kind, self._field(field), json.dumps(value))

    def like(self, field: Field, pattern: str) -> Sql:
        return sql("({} = 'string' AND {})", self._kind(field), self.column_like(self._text(field), pattern))

    def matches(self, field: Field, pattern: str) -> Sql:
        return sql("({} = 'string' AND {})", self._kind(field), self.column_matches(self._text(field), pattern))

    def element(self, field: Field, value: Any) -> Sql:
        wanted = json.dumps([value], ensure_ascii=False)
        return sql("({} = 'array' AND {} @> {}::text::jsonb)", self._kind(field), self._field(field), wanted)

    def column_like(self, column: Sql, pattern: str) -> Sql:
        return sql('lower({} COLLATE "und-x-icu") COLLATE "C" LIKE {}::text ESCAPE \'\\\'', column, pattern.lower())

    def column_matches(self, column: Sql, pattern: str) -> Sql:
        return sql('{} COLLATE "C" ~ {}::text', column, pattern.replace("\\b", "\\y").replace("\\z", "\\Z"))

    def outside(self, folders: Sequence[str]) -> Sql:
        return Sql(OUTSIDE.format(source="unnest(?::text[]) f", name="f"), (list(folders),) * 2)

    def among(self, column: Sql, texts: Sequence[str]) -> Sql:
        return sql("{} = ANY({}::text[])", column, list(texts))

    def rank(self, field: Field) -> Sql:
        return sql(
            "CASE jsonb_typeof({}) WHEN 'null' THEN 0 WHEN 'boolean' THEN 1 WHEN 'number' THEN 3"
            " WHEN 'string' THEN 4 WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END",
            self._field(field),
        )

    def sort_keys(self, field: Field) -> list[Key]:
        number = sql("CASE WHEN {} IN ('number', 'boolean') THEN {} END", self._kind(field), self._field(field))
        text = sql("(CASE WHEN {} = 'string' THEN {} END) COLLATE \"C\"", self._kind(field), self._text(field))
        return [Key(self.rank(field), "{}::int"), Key(number, "{}::text::jsonb"), Key(text, "{}::text")]

    def down(self, descending: bool) -> str:
        return " DESC NULLS LAST" if descending else " NULLS FIRST"

    def as_json(self, field: Field) -> Sql:
        return self._field(field)

    def to_json(self, value: Sql) -> Sql:
        return sql("to_jsonb({})", value)

    def scalar(self, field: Field, kind: str) -> Sql:
        if kind in ("number", "counted", "boolean"):
            kind = "number" if kind == "counted" else kind
            cast = "numeric" if kind == "number" else "boolean"
            return sql(f"CASE WHEN {{}} = '{kind}' THEN {{}}::{cast} END", self._kind(field), self._text(field))
        return self._text(field)

    def fields_of(self, scan: Sql, most: int) -> Sql:
        return sql(
            "SELECT j.key, CASE jsonb_typeof(j.value) WHEN 'string' THEN 'text' WHEN 'number' THEN 'number' WHEN 'boolean' THEN 'boolean' "
            "WHEN 'null' THEN 'null' ELSE 'other' END FROM (SELECT r.body, r.seq FROM ({}) r WHERE jsonb_typeof(r.body) = 'object' "
            "ORDER BY r.seq DESC LIMIT {}) n, jsonb_each(n.body) WITH ORDINALITY j(key, value, place) "
            "GROUP BY 1, 2 ORDER BY min(n.seq * 10000000 + j.place)",
            scan, most,
        )  # fmt: skip

    def joinable(self, field: Field) -> Sql:
        return sql("CASE WHEN {} IN ('string','number','boolean') THEN {} END", self._kind(field), self._field(field))

    def joinable_text(self, field: Field) -> Sql:
        return sql("CASE WHEN {} = 'string' THEN {} END", self._kind(field), self._text(field))

    def moment(self, column: Sql) -> Sql:
        return sql("to_char(to_timestamp({} / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')", column)

    def object(self, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        if len(pairs) > _ARGUMENTS:
            parts = [self.object(pairs[i : i + _ARGUMENTS], last=False) for i in range(0, len(pairs), _ARGUMENTS)]
            return sql("({})::text" if last else "({})", joined(" || ", parts))
        inner = joined(", ", [sql("{}::text, {}", name, value) for name, value in pairs])
        return sql("json_build_object({})::text" if last else "jsonb_build_object({})", inner)

    def with_fields(self, body: Sql, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        # A body that is no object has no fields to add to.
        whole = sql("CASE WHEN jsonb_typeof({}) = 'object' THEN {} ELSE '{{}}'::jsonb END", body, body)
        with_all = sql("(({}) || {})", whole, self.object(pairs, last=False)) if pairs else sql("({})", whole)
        return sql("{}::text", with_all) if last else with_all

    def size(self, body: Sql) -> Sql:
        return sql("octet_length({}::text)", body)

    def shown(self, body: Sql) -> Sql:
        return sql("{}::text", body)

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        if names is None:
            return self.shown(body)
        return self.object([(name, self._field(Field(body, (name,)))) for name in names], last=True)

    def value(self, field: Field) -> Sql:
        return sql("nullif({}, 'null'::jsonb)", self._field(field))

    def plain(self, cell: Sql) -> Sql:
        return cell

    def not_plain(self, cell: Sql) -> Sql:
        return Sql("false")

    def group_key(self, value: Sql, field: Field) -> Sql:
        return value

    def group_value(self, key: Sql) -> Sql:
        return key

    def operand(self, op: str, value: Sql, field: Field) -> Sql:
        return value

    def aggregate(self, op: str, operand: Sql, seq: Sql) -> Sql:
        here = Field(operand, ())
        kind, number = self._kind(here), sql("{}::numeric", self._text(here))
        if op in ("sum", "avg"):
            return sql(f"to_jsonb(trim_scale({op}({{}})))", number_of(kind, number))
        if op in ("min", "max"):
            of_numbers = sql(f"to_jsonb({op}({{}}))", number_of(kind, number))
            of_texts = sql(f"to_jsonb({op}((CASE WHEN {{}} = 'string' THEN {{}} END) COLLATE \"C\"))", kind, self._text(here))
            first, second = (of_numbers, of_texts) if op == "min" else (of_texts, of_numbers)
            return sql("coalesce({}, {})", first, second)
        known = sql("FILTER (WHERE {} IS NOT NULL)", operand)
        if op == "distinct":
            return sql("coalesce(jsonb_agg(DISTINCT {}) {}, '[]'::jsonb)", operand, known)
        order = Sql("" if op == "first" else " DESC")
        return sql("((array_agg({} ORDER BY {}{}) {})[1])", operand, seq, order, known)


def number_of(kind: Sql, number: Sql) -> Sql:
    return sql("CASE WHEN {} = 'number' THEN {} END", kind, number)
