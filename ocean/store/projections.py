"""What is kept of a record's fields beside it, so that it can be found by them: marks of universal fields, entries of indexed ones.

Written in the transaction that writes the record, so they are never behind it; a row that no record has any more is only waste.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocean.core.payloads import dumps, loads
from ocean.core.universal import FIELDS, marks_of

ADD_MARK = "INSERT INTO mark (seq, kind, name, text, role, low, high) VALUES (?,?,?,?,?,?,?)"
DROP_MARKS = "DELETE FROM mark WHERE seq = ?"
ADD_ENTRY = "INSERT INTO entry (field, rank, number, text, seq) VALUES (?,?,?,?,?)"
DROP_ENTRIES = "DELETE FROM entry WHERE seq = ?"
LONGEST = 4096  # characters of a text that is kept in order

Indexed = Mapping[str, int]  # a folder's indexed fields, each with its index (`store.field_indexes`)


def mark_rows(seq: int, body: str | None) -> list[tuple[Any, ...]]:
    """Rows of `mark` for a record whose structured payload is `body`."""
    if body is None or '"_' not in body or not any(f'"{name}"' in body for name in FIELDS):
        return []
    return [(seq, *mark) for mark in marks_of(loads(body))]


def entry_rows(seq: int, body: str | None, indexed: Indexed) -> list[tuple[Any, ...]]:
    """Rows of `entry`: one for each index, also where the record lacks the field, since it has its place in an order."""
    value = loads(body) if body is not None else None
    return [(abs(index), *_place(value, field), seq) for field, index in indexed.items()]  # negative while it is being filled


def _place(body: Any, field: str) -> tuple[int, float | None, str | None]:
    """`(rank, number, text)`, in the order of `Dialect.sort_keys`."""
    value = body
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return 0, None, None
    if isinstance(value, bool):
        return 2 if value else 1, None, None
    if isinstance(value, int | float):
        return 3, float(value) if abs(value) < 1e308 else (1e308 if value > 0 else -1e308), None
    return (4, None, value[:LONGEST]) if isinstance(value, str) else (5, None, dumps(value)[:LONGEST])


def bounds(operator: str, value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """The entries `e` among which all records are that pass a test, as a condition; None where the index can't tell.

    It lets through what lies just at a bound: the test itself is still asked of each record.
    """
    if operator == "between":
        parts = [bounds(">=", value[0]), bounds("<=", value[1])]
        if None in parts:
            return None
        return " AND ".join(part[0] for part in parts if part), tuple(v for part in parts if part for v in part[1])
    if operator == "in":
        ways = [bounds("=", item) for item in value]
        if not ways or None in ways or len(ways) > 50:
            return None
        return "(" + " OR ".join(f"({way[0]})" for way in ways if way) + ")", tuple(v for way in ways if way for v in way[1])
    sign = {">": ">=", "<": "<="}.get(operator, operator)
    if sign not in ("=", ">=", "<=") or value is None:
        return None
    rank, number, text = _place({"v": value}, "v")
    if rank in (1, 2):
        return ("e.rank = ?", (rank,)) if sign == "=" else None
    if rank == 3:
        return f"e.rank = ? AND e.number {sign} ?", (rank, number)
    return (f"e.rank = ? AND e.text {sign} ?", (rank, text)) if rank == 4 and text is not None and len(text) < LONGEST else None
