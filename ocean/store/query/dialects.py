"""Where the engines' SQL differs: reading fields out of stored JSON, by type, without ever mixing types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ocean.store.query.fragments import Sql, joined, sql

# Evaluated once a query, by the index on (route, seq).
_OUTSIDE = (
    "r.route NOT IN (SELECT x.route FROM {source} JOIN record x ON x.route = {name} "
    "UNION SELECT x.route FROM {source} JOIN record x ON x.route > {name} || '/' AND x.route < {name} || '0')"
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record: the JSON it is in, and the way to it."""

    body: Sql
    at: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A value to sort by; `bound` is how a value of its kind is given from outside."""

    value: Sql
    bound: str = "{}"


class Dialect(Protocol):
    """Tests give SQL that is true, false or NULL."""

    name: str
    for_update: str
    explain: str  # what stands before a statement that is to be explained
    walks_in_order: bool  # an index of entries gives them in the order of `sort_keys`

    def json(self) -> str:
        """The sign of a value that is JSON text, as the column keeps it."""

    def exists(self, field: Field) -> Sql: ...
    def equal(self, field: Field, values: Sequence[Any]) -> Sql:
        """The field is one of `values`: text, numbers, true, false or null."""

    def ordered(self, field: Field, operator: str, value: str | float) -> Sql: ...
    def like(self, field: Field, pattern: str) -> Sql:
        """The field is text like `pattern` (`\\` before a literal `%` or `_`), case ignored."""

    def matches(self, field: Field, pattern: str) -> Sql: ...
    def element(self, field: Field, value: Any) -> Sql:
        """The field is a list with the element `value`."""

    def column_like(self, column: Sql, pattern: str) -> Sql: ...
    def column_matches(self, column: Sql, pattern: str) -> Sql: ...
    def outside(self, folders: Sequence[str]) -> Sql:
        """The record's route is none of `folders`, nor beneath one."""

    def among(self, column: Sql, texts: Sequence[str]) -> Sql:
        """The column is one of many texts."""

    def sort_keys(self, field: Field) -> list[Key]:
        """What to sort by, one after another: missing and null first, then false and true, numbers, text byte by byte, and the rest."""

    def down(self, descending: bool) -> str:
        """What stands behind a sort key: NULL is the least."""

    def there(self, field: Field) -> Sql:
        """The field is there, be it null."""

    def as_json(self, field: Field) -> Sql:
        """The field as JSON of its own, or NULL."""

    def text_json(self, column: Sql) -> Sql:
        """A text column as JSON."""

    def joinable(self, field: Field) -> list[Sql]:
        """Values that are equal, one by one, where two fields hold the same text or number; NULL for anything else."""

    def joinable_text(self, field: Field) -> Sql:
        """The field's text, to compare with a column's; NULL for anything else."""

    def moment(self, column: Sql) -> Sql:
        """Milliseconds since the epoch as RFC 3339 text."""

    def object(self, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        """A JSON object; `last`: as the text that is sent."""

    def with_fields(self, body: Sql, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        """The object with fields set."""

    def shown(self, body: Sql) -> Sql:
        """Kept JSON as text."""

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        """The text of a row that was made before; its fields are `names`, in this order, where they are known."""

    def value(self, field: Field) -> Sql:
        """The field as it is cheapest to read, to be a column `value` for the next two."""

    def group_columns(self, value: Sql, field: Field) -> list[Sql]:
        """What tells groups apart, and `group_value` makes the group's own value of, as JSON."""

    def group_value(self, columns: Sequence[Sql]) -> Sql: ...
    def operand(self, op: str, value: Sql, field: Field) -> Sql:
        """What `aggregate` takes for sum, avg, min, max, first, last or distinct over a group, as JSON; `seq` is the order of writing."""

    def aggregate(self, op: str, operand: Sql, seq: Sql) -> Sql: ...

    def number(self, value: Sql) -> Sql:
        """A number as JSON."""

    def scalar(self, field: Field, kind: str) -> Sql:
        """The field as SQL's own value of a kind (text, number, boolean, other; counted: a number and nothing else)."""

    def fields_of(self, scan: Sql, most: int) -> Sql:
        """Rows of `(name, kind)` of the fields of the newest `most` records of a scan, in the order that they came up."""


def sqlite_path(at: Sequence[str]) -> str:
    """`logical.check_name` lets no name by that has a quotation mark or a backslash: SQLite's paths know no way to write them."""
    return "$" + "".join(f'."{part}"' for part in at)


class Sqlite:
    """JSONB in a BLOB (SQLite 3.45 and later)."""

    name = "sqlite"
    for_update = ""
    explain = "EXPLAIN QUERY PLAN "
    walks_in_order = True

    def json(self) -> str:
        return "jsonb(?)"

    def _type(self, field: Field) -> Sql:
        return sql("json_type({}, {})", field.body, sqlite_path(field.at))

    def _value(self, field: Field) -> Sql:
        return sql("json_extract({}, {})", field.body, sqlite_path(field.at))

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
                parts.append(sql(f"({{}} IN ({{}}) AND {{}} IN ({kinds}))", self._value(field), among, self._type(field)))
        for constant, kind in ((None, "null"), (True, "true"), (False, "false")):
            if any(v is constant for v in values):
                parts.append(sql(f"{{}} = '{kind}'", self._type(field)))
        return sql("({})", joined(" OR ", parts))

    def ordered(self, field: Field, operator: str, value: str | float) -> Sql:
        kinds = "'text'" if isinstance(value, str) else "'integer','real'"
        # The value first: most records fail by it, and only of the others the type is asked.
        return sql(f"({{}} {operator} {{}} AND {{}} IN ({kinds}))", self._value(field), value, self._type(field))

    def like(self, field: Field, pattern: str) -> Sql:
        return sql("({} AND {} = 'text')", self.column_like(self._value(field), pattern), self._type(field))

    def matches(self, field: Field, pattern: str) -> Sql:
        return sql("({} = 'text' AND {})", self._type(field), self.column_matches(self._value(field), pattern))

    def element(self, field: Field, value: Any) -> Sql:
        path = sqlite_path(field.at)
        if value is None or isinstance(value, bool):
            same = Sql(f"e.type = '{json.dumps(value)}'")
        else:
            kinds = "'text'" if isinstance(value, str) else "'integer','real'"
            same = sql(f"e.type IN ({kinds}) AND e.value = {{}}", value)
        return sql("({} = 'array' AND EXISTS (SELECT 1 FROM json_each({}, {}) e WHERE {}))", self._type(field), field.body, path, same)

    def column_like(self, column: Sql, pattern: str) -> Sql:
        # LIKE folds ASCII alone, which is all that a pattern in ASCII needs; `lowered` is ours (store.sqlite).
        if pattern.isascii():
            return sql("{} LIKE {} ESCAPE '\\'", column, pattern)
        return sql("lowered({}) LIKE {} ESCAPE '\\'", column, pattern.lower())

    def column_matches(self, column: Sql, pattern: str) -> Sql:
        return sql("matches({}, {})", column, pattern)

    def outside(self, folders: Sequence[str]) -> Sql:
        return Sql(_OUTSIDE.format(source="json_each(?) f", name="f.value"), (json.dumps(folders),) * 2)

    def among(self, column: Sql, texts: Sequence[str]) -> Sql:
        return sql("{} IN (SELECT value FROM json_each({}))", column, json.dumps(list(texts)))

    def rank(self, field: Field) -> Sql:
        return sql(
            "CASE {} WHEN 'null' THEN 0 WHEN 'false' THEN 1 WHEN 'true' THEN 2 WHEN 'integer' THEN 3"
            " WHEN 'real' THEN 3 WHEN 'text' THEN 4 WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END",
            self._type(field),
        )

    def sort_keys(self, field: Field) -> list[Key]:
        return [Key(self.rank(field)), Key(self._value(field))]

    def down(self, descending: bool) -> str:
        return " DESC" if descending else ""

    def as_json(self, field: Field) -> Sql:
        return sql("({} -> {})", field.body, sqlite_path(field.at))

    def text_json(self, column: Sql) -> Sql:
        return column

    def number(self, value: Sql) -> Sql:
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

    def joinable(self, field: Field) -> list[Sql]:
        return [sql("CASE WHEN {} IN ('text','integer','real') THEN {} END", self._type(field), self._value(field))]

    def joinable_text(self, field: Field) -> Sql:
        return sql("CASE {} WHEN 'text' THEN {} END", self._type(field), self._value(field))

    def moment(self, column: Sql) -> Sql:
        return sql("strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1000.0, 'unixepoch')", column)

    def object(self, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        return sql("json{}_object({})", Sql("" if last else "b"), joined(", ", [sql("{}, {}", name, value) for name, value in pairs]))

    def with_fields(self, body: Sql, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        whole = sql("CASE WHEN json_type({}) = 'object' THEN {} ELSE '{{}}' END", body, body)  # no object, no fields
        set_ = [sql("{}, {}", sqlite_path([name]), value) for name, value in pairs]
        return sql("json{}_set({})", Sql("" if last else "b"), joined(", ", [whole, *set_]))

    def shown(self, body: Sql) -> Sql:
        return sql("json({})", body)

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        return self.shown(body)  # JSONB keeps the order of fields

    def value(self, field: Field) -> Sql:
        return self._value(field)

    def _class(self, value: Sql, field: Field) -> Sql:
        """0 for null, a number or text, 1 for true and false, 2 for lists and objects.

        The type is asked only where the value leaves it open: true and false come out as 1 and 0, lists and objects as text.
        """
        kind = self._type(field)
        return sql(
            "CASE typeof({}) WHEN 'integer' THEN CASE WHEN {} IN (0, 1) AND {} IN ('true', 'false') THEN 1 ELSE 0 END "
            "WHEN 'text' THEN CASE WHEN substr({}, 1, 1) IN ('[', '{{') AND {} <> 'text' THEN 2 ELSE 0 END ELSE 0 END",
            value, value, kind, value, kind,
        )  # fmt: skip

    def group_columns(self, value: Sql, field: Field) -> list[Sql]:
        return [value, self._class(value, field)]

    def group_value(self, columns: Sequence[Sql]) -> Sql:
        value, kind = columns
        flag = sql("json(CASE {} WHEN 1 THEN 'true' ELSE 'false' END)", value)
        return sql("CASE {} WHEN 1 THEN {} WHEN 2 THEN json({}) ELSE {} END", kind, flag, value, value)

    def operand(self, op: str, value: Sql, field: Field) -> Sql:
        if op in ("sum", "avg"):
            return sql("CASE WHEN typeof({}) IN ('integer', 'real') AND NOT {} THEN {} END", value, self._class(value, field), value)
        if op in ("min", "max"):
            return sql("CASE WHEN NOT {} THEN {} END", self._class(value, field), value)
        return sql("nullif({}, 'null')", self.as_json(field))

    def aggregate(self, op: str, operand: Sql, seq: Sql) -> Sql:
        if op in ("sum", "avg", "min", "max"):
            return sql(f"{op}({{}})", operand)
        if op == "distinct":
            return sql("json('[' || coalesce(group_concat(DISTINCT {}), '') || ']')", operand)
        order = Sql("" if op == "first" else " DESC")
        return sql("(json_group_array(json({}) ORDER BY {}{}) FILTER (WHERE {} IS NOT NULL) -> '$[0]')", operand, seq, order, operand)


_ARGUMENTS = 45  # pairs of one call: a function of PostgreSQL has at most 100 arguments


class Postgres:
    """JSONB; text compared byte by byte (COLLATE "C"), case folded by ICU."""

    name = "postgres"
    for_update = " FOR UPDATE"
    explain = "EXPLAIN "
    walks_in_order = False  # its indexes have NULL last

    def json(self) -> str:
        return "?::text::jsonb"

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
        return Sql(_OUTSIDE.format(source="unnest(?::text[]) f", name="f"), (list(folders),) * 2)

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

    def text_json(self, column: Sql) -> Sql:
        return sql("to_jsonb({})", column)

    def number(self, value: Sql) -> Sql:
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

    def joinable(self, field: Field) -> list[Sql]:
        return [sql("CASE WHEN {} IN ('string','number') THEN {} END", self._kind(field), self._field(field))]

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

    def shown(self, body: Sql) -> Sql:
        return sql("{}::text", body)

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        if names is None:
            return self.shown(body)
        return self.object([(name, self._field(Field(body, (name,)))) for name in names], last=True)

    def value(self, field: Field) -> Sql:
        return sql("nullif({}, 'null'::jsonb)", self._field(field))

    def group_columns(self, value: Sql, field: Field) -> list[Sql]:
        return [value]

    def group_value(self, columns: Sequence[Sql]) -> Sql:
        return columns[0]

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
