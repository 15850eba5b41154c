"""What is kept of a record's fields beside it, so that it can be found by them: marks of universal fields, entries of indexed ones, cells.

Written in the transaction that writes the record, so they are never behind it; a row that no record has any more is only waste.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grammar.names import way
from ocean.core.payloads import loads, reach
from ocean.core.universal import marks_of, may_be_in
from ocean.store.entries import place
from ocean.store.query.dialects import Dialect, Field
from ocean.store.query.fragments import Sql, joined, sql

ADD_MARK = "INSERT INTO mark (seq, kind, name, text, role, low, high) VALUES (?,?,?,?,?,?,?)"
DROP_MARKS = "DELETE FROM mark WHERE seq = ?"
ADD_ENTRY = "INSERT INTO entry (field, rank, number, text, seq) VALUES (?,?,?,?,?)"
DROP_ENTRIES = "DELETE FROM entry WHERE seq = ?"

NO_CELLS = ", ".join(f"c{number} = NULL" for number in range(1, 9))
Indexed = Mapping[str, int]  # a folder's indexed fields, each with its index (`store.field_indexes`)


def mark_rows(seq: int, body: str | None) -> list[tuple[Any, ...]]:
    """Rows of `mark` for a record whose structured payload is `body`."""
    if body is None or not may_be_in(body):
        return []
    return [(seq, *mark) for mark in marks_of(loads(body))]


def entry_rows(seq: int, body: str | None, indexed: Indexed) -> list[tuple[Any, ...]]:
    """Rows of `entry`: one for each index, also where the record lacks the field, since it has its place in an order."""
    value = loads(body) if body is not None else None
    return [(abs(index), *place(reach(value, field)), seq) for field, index in indexed.items()]  # negative while it is being filled


def put_cells(dialect: Dialect, cells: Mapping[str, int]) -> Sql:
    """`UPDATE record SET ...` of a folder's cells, by the records' own bodies."""
    made = [sql(f"c{abs(number)} = {{}}", dialect.cell(Field(Sql("body"), way(name)))) for name, number in cells.items()]
    return sql("UPDATE record SET {}", joined(", ", made))
