"""Records as files that other systems load: CSV, SQL for PostgreSQL and MySQL, a script for MongoDB. Pure: rows in, text out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_TYPES = {
    "postgres": {"text": "TEXT", "integer": "BIGINT", "boolean": "BOOLEAN", "real": "DOUBLE PRECISION", "json": "JSONB", "huge": "NUMERIC"},
    "mysql": {"text": "LONGTEXT", "integer": "BIGINT", "boolean": "TINYINT(1)", "real": "DOUBLE", "json": "JSON", "huge": "DECIMAL(65,0)"},
}
DIALECTS = tuple(_TYPES)
SHORT = 255  # characters of a text that MySQL keeps in its row
MAX_SHORT = 15  # columns that it does so for: a row of it has 64 KB
_BEYOND = re.compile("[\U00010000-\U0010ffff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PAIRS = {"integer": {"real": "real", "huge": "huge"}, "real": {"integer": "real"}, "huge": {"integer": "huge"}}


@dataclass(slots=True)
class Column:
    """A field of the records: its kind over all of them (text, integer, real, boolean, huge, json), and its longest text."""

    kind: str = ""
    longest: int = 0

    def meet(self, value: Any) -> None:
        if value is None:
            return
        kind = kind_of(value)
        if kind == "text":
            self.longest = max(self.longest, len(value))
        if not self.kind or self.kind == kind:
            self.kind = kind
        else:
            self.kind = _PAIRS.get(self.kind, {}).get(kind, "json")


@dataclass(slots=True)
class Columns:
    """All fields of a folder's records, in the order they came up."""

    by_name: dict[str, Column] = field(default_factory=dict)

    def meet(self, body: Any) -> None:
        """Takes in a record's payload; one that is no object has the one field `value`."""
        for name, value in fields_of(body).items():
            column = self.by_name.get(name)
            if column is None:
                column = self.by_name[name] = Column()
            column.meet(value)


def fields_of(body: Any) -> Mapping[str, Any]:
    """A payload's fields."""
    return body if isinstance(body, dict) else {"value": body}


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**63) <= value < 2**63 else "huge"
    return "real" if isinstance(value, float) else "text" if isinstance(value, str) else "json"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def column_name(name: str, dialect: str) -> str:
    """A field's name as the dialect takes it: not empty, 60 bytes at most, no space at its end; MySQL's know no character past U+FFFF."""
    if dialect == "mysql":
        name = _BEYOND.sub("\ufffd", name)
    return (name.encode()[:56].decode(errors="ignore").rstrip() or "field") if name.strip() else "field"


def beside(own: Sequence[str], names: Sequence[str]) -> list[str]:
    """Fields' names as columns beside a record's own: `_key` as `_key_2` where there is a `_key`."""
    taken = {*own, *names}
    return [_free(name, taken.__contains__) if name in own else name for name in names]


def _free(name: str, taken: Callable[[str], bool]) -> str:
    """The name, or the first of `name_2`, `name_3` and so on that is not taken."""
    chosen, number = name, 1
    while taken(chosen):
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def csv_lines(rows: Iterable[Sequence[Any]], *, raw: bool = False) -> str:
    """RFC 4180 lines. A text that a spreadsheet would take for a formula begins with `'`, unless `raw`."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_cell(value, raw) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any, raw: bool) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) and not raw else value
    return compact(value)


class SqlTable:
    """One folder as a table: CREATE, then INSERTs. `keyed`: `_key` is the primary key, else `_drop_id` is."""

    def __init__(self, name: str, columns: Columns, dialect: str, *, keyed: bool) -> None:
        self.dialect = dialect
        self.keyed = keyed
        self.table = self.quoted(name if dialect == "postgres" else name[-60:])
        first = "_key" if keyed else "_drop_id"
        self.fixed = [first, "_created_at"] if keyed else [first, "_key", "_created_at"]
        taken = {self._told_apart(name) for name in self.fixed}
        self.names = {name: self._column(name, taken) for name in columns.by_name}
        self.columns = columns.by_name
        short = [name for name, column in self.columns.items() if column.kind == "text" and column.longest <= SHORT]
        self._short = frozenset(short[:MAX_SHORT])

    def quoted(self, name: str) -> str:
        """A name as the dialect quotes it, whatever is in it."""
        return f"`{name.replace('`', '``')}`" if self.dialect == "mysql" else '"' + name.replace('"', '""') + '"'

    def _column(self, name: str, taken: set[str]) -> str:
        chosen = _free(column_name(name, self.dialect), lambda shown: self._told_apart(shown) in taken)
        taken.add(self._told_apart(chosen))
        return chosen

    def _told_apart(self, name: str) -> str:
        """What differs where two columns may stand beside each other: MySQL takes `Name` and `name` for one."""
        return name.casefold() if self.dialect == "mysql" else name

    def create(self) -> str:
        lines = [f"{self.quoted(self.fixed[0])} {self._key_type()} PRIMARY KEY"]
        lines += [f"{self.quoted('_key')} {self._key_type()}"] if not self.keyed else []
        lines += [f"{self.quoted('_created_at')} {'TIMESTAMPTZ' if self.dialect == 'postgres' else 'DATETIME(3)'}"]
        lines += [f"{self.quoted(self.names[name])} {self._type(name)}" for name in self.columns]
        tail = ");" if self.dialect == "postgres" else ") DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;"
        return f"CREATE TABLE IF NOT EXISTS {self.table} (\n" + ",\n".join(lines) + f"\n{tail}\n"

    def _key_type(self) -> str:
        return "TEXT" if self.dialect == "postgres" else "VARCHAR(512)"

    def _type(self, name: str) -> str:
        if self.dialect == "mysql" and name in self._short:
            return f"VARCHAR({SHORT})"
        return _TYPES[self.dialect][self.columns[name].kind or "text"]

    def insert(self, rows: Sequence[tuple[str, str | None, str, Any]]) -> str:
        """Rows of `(drop_id, key, created_at, body)`."""
        names = ",".join(map(self.quoted, [*self.fixed, *self.names.values()]))
        return f"INSERT INTO {self.table} ({names}) VALUES\n" + ",\n".join(map(self._row, rows)) + ";\n"

    def _row(self, row: tuple[str, str | None, str, Any]) -> str:
        drop_id, key, created_at, body = row
        time = created_at if self.dialect == "postgres" else created_at.replace("T", " ").rstrip("Z")
        fixed = [key if key is not None else drop_id, time] if self.keyed else [drop_id, key, time]
        found = fields_of(body)
        return "(" + ",".join([*map(self._literal, fixed), *(self._value(name, found.get(name)) for name in self.columns)]) + ")"

    def _value(self, name: str, value: Any) -> str:
        if value is None or self.columns[name].kind != "json":
            return self._literal(value)
        return self._text(compact(value))

    def _literal(self, value: Any) -> str:
        if value is None:
            return "NULL"
        if isinstance(value, bool):
            return ("TRUE" if value else "FALSE") if self.dialect == "postgres" else str(int(value))
        return self._text(value) if isinstance(value, str) else repr(value)

    def _text(self, value: str) -> str:
        return "'" + (value.replace("\\", "\\\\") if self.dialect == "mysql" else value).replace("'", "''") + "'"


def mongo_insert(collection: str, rows: Sequence[tuple[str, str | None, str, Any]], *, keyed: bool) -> str:
    """One insertMany for the MongoDB shell; `_id` is the record's key, or where versions are told apart the drop's id."""
    documents = []
    for drop_id, key, created_at, body in rows:
        own = {"_id": key if keyed and key is not None else drop_id, **({} if keyed else {"_key": key})}
        fixed = [f"{_js_name(name)}: {_js(value)}" for name, value in own.items()] + [f'_created_at: ISODate("{created_at}")']
        rest = [f"{_js_name(name)}: {_js(value)}" for name, value in fields_of(body).items() if name not in (*own, "_created_at")]
        documents.append("  { " + ", ".join([*fixed, *rest]) + " }")
    return f"db.getCollection({_js(collection)}).insertMany([\n" + ",\n".join(documents) + "\n]);\n"


def _js_name(name: str) -> str:
    return name if name in ("_id", "_key", "_created_at") else f"[{_js(name)}]"  # in brackets `__proto__` is a name like any other


def _js(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_js_name(name)}: {_js(item)}" for name, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_js, value)) + "]"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return f'NumberLong("{value}")' if kind_of(value) == "integer" else f'NumberDecimal("{value}")'
    return json.dumps(value)  # ASCII: no sign of JavaScript's own is left in it
