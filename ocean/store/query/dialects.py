"""Where the engines' SQL differs: reading fields out of stored JSON, by type, without ever mixing types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ocean.store.query.fragments import Sql

# Evaluated once a query, by the index on (route, seq).
OUTSIDE = (
    "r.route NOT IN (SELECT x.route FROM {source} CROSS JOIN record x WHERE x.route = {name} "
    "UNION SELECT x.route FROM {source} CROSS JOIN record x WHERE x.route > {name} || '/' AND x.route < {name} || '0')"
)


def json_path(at: Sequence[str]) -> str:
    """The way to a field as SQLite and MySQL have it; a label in quotes is read as JSON text is."""
    return "$" + "".join(f".{json.dumps(part, ensure_ascii=False)}" for part in at)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record: the JSON it is in, and the way to it; `cell` is where its plain value is kept beside, if it is."""

    body: Sql
    at: tuple[str, ...]
    cell: Sql | None = None


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
    loops_only: bool  # it knows no other join than a loop within a loop
    walks_in_order: bool  # an index of entries gives them in the order of `sort_keys`
    cells: int  # how many fields of a folder may have a cell: their plain values beside the JSON

    def json(self) -> str:
        """The sign of a value that is JSON text, as the column keeps it."""

    def cell(self, field: Field) -> Sql:
        """What a cell keeps of a field: a number, a text that is not long, NULL for null or nothing; else what says: look in the JSON."""

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

    def to_json(self, value: Sql) -> Sql:
        """A text or a number as JSON."""

    def joinable(self, field: Field) -> Sql:
        """A value that is equal where two fields hold the same text or number; NULL for anything else."""

    def joinable_text(self, field: Field) -> Sql:
        """The field's text, to compare with a column's; NULL for anything else."""

    def moment(self, column: Sql) -> Sql:
        """Milliseconds since the epoch as RFC 3339 text."""

    def object(self, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        """A JSON object; `last`: as the text that is sent."""

    def with_fields(self, body: Sql, pairs: Sequence[tuple[str, Sql]], *, last: bool) -> Sql:
        """The object with fields set."""

    def size(self, body: Sql) -> Sql:
        """The bytes of kept JSON."""

    def shown(self, body: Sql) -> Sql:
        """Kept JSON as text."""

    def row(self, body: Sql, names: Sequence[str] | None) -> Sql:
        """The text of a row that was made before; its fields are `names`, in this order, where they are known."""

    def value(self, field: Field) -> Sql:
        """The field as it is cheapest to read (a cell as it is), to be a column `value`, and the field's cell, for what follows."""

    def plain(self, cell: Sql) -> Sql:
        """What a cell has; null where it has nothing plain."""

    def not_plain(self, cell: Sql) -> Sql:
        """Whether a cell tells that there is something that is not plain. Never null."""

    def group_key(self, value: Sql, field: Field) -> Sql:
        """What tells groups apart, and `group_value` makes the group's own value of, as JSON."""

    def group_value(self, key: Sql) -> Sql: ...
    def operand(self, op: str, value: Sql, field: Field) -> Sql:
        """What `aggregate` takes for sum, avg, min, max, first, last or distinct over a group, as JSON; `seq` is the order of writing."""

    def aggregate(self, op: str, operand: Sql, seq: Sql) -> Sql: ...

    def scalar(self, field: Field, kind: str) -> Sql:
        """The field as SQL's own value of a kind (text, number, boolean, other; counted: a number and nothing else)."""

    def fields_of(self, scan: Sql, most: int) -> Sql:
        """Rows of `(name, kind)` of the fields of the newest `most` records of a scan, in the order that they came up."""
