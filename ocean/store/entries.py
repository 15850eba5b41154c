"""Entries of indexed fields: where a value stands in their order, which of them a test lets through, and how they are spread."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

from ocean.core.payloads import dumps
from ocean.store.engine import Engine
from ocean.store.query.fragments import Sql, joined, sql

LONGEST = 4096  # characters of a text that is kept in order
_EXACT = 2.0**53  # numbers below are kept as they are
MAX_RANGES = 50
POINTS = 200  # of an index that tell how its values are spread
_POINT_TEXT = 64  # characters of a text that is kept as a point

Point = tuple[int, float | None, str | None]  # rank, number, text: in the order of `Dialect.sort_keys`
Mark = tuple[int, float, str]  # a point, in an order that needs no NULL
_LAST = chr(0x10FFFF)


def place(value: Any) -> Point:
    """Where a field's value stands; what is not there stands with null."""
    if value is None:
        return 0, None, None
    if isinstance(value, bool):
        return 2 if value else 1, None, None
    if isinstance(value, int | float):
        return 3, float(value) if abs(value) < 1e308 else (1e308 if value > 0 else -1e308), None
    return (4, None, value[:LONGEST]) if isinstance(value, str) else (5, None, dumps(value)[:LONGEST])


class Range(NamedTuple):
    """Entries of one rank: numbers or texts from `low` to `high`, both inclusive, None for no end."""

    rank: int
    low: float | str | None = None
    high: float | str | None = None

    def condition(self) -> Sql:
        """On `entry e`. All columns of the index before the one that is compared are given, so that it is walked just there."""
        column = {3: "e.number", 4: "e.text"}.get(self.rank)
        parts = [sql("e.rank = {}", self.rank), *([Sql("e.number IS NULL")] if self.rank == 4 else [])]
        if column is not None and self.low is not None and self.low == self.high:
            parts.append(sql(f"{column} = {{}}", self.low))
        elif column is not None:
            parts += [sql(f"{column} {sign} {{}}", end) for sign, end in ((">=", self.low), ("<=", self.high)) if end is not None]
        return joined(" AND ", parts)

    def narrowed(self, other: Range) -> Range | None:
        """What lies in both; None where they are of different ranks."""
        if self.rank != other.rank:
            return None
        lows = [low for low in (self.low, other.low) if low is not None]
        highs = [high for high in (self.high, other.high) if high is not None]
        return Range(self.rank, max(lows, default=None), min(highs, default=None))

    def ends(self) -> tuple[Mark, Mark]:
        """The first and the last mark that it holds."""
        if self.rank == 3:
            return (3, -inf if self.low is None else float(self.low), ""), (3, inf if self.high is None else float(self.high), "")
        return (self.rank, 0.0, str(self.low or "")), (self.rank, 0.0, _LAST if self.high is None else str(self.high))


def ranges(operator: str, value: Any) -> list[Range] | None:
    """The entries among which all records are that pass a test; None where the index can't tell.

    They let through what lies just at a bound: the test itself is still asked of each record.
    """
    if operator in ("in", "between"):
        found = [ranges(sign, item) for sign, item in zip(("=",) * len(value) if operator == "in" else (">=", "<="), value, strict=True)]
        parts = [part for one in found if one is not None for part in one]
        if len(parts) < len(value) or not 0 < len(parts) <= MAX_RANGES:
            return None
        if operator == "in":
            return parts
        low, high = parts
        return [Range(low.rank, low.low, high.high)] if low.rank == high.rank else None
    if operator not in ("=", ">", ">=", "<", "<=") or value is None:
        return None
    rank, number, text = place(value)
    if rank in (1, 2):
        return [Range(rank)] if operator == "=" else None
    end = number if rank == 3 else text
    if rank == 5 or end is None or (isinstance(end, str) and len(end) >= LONGEST):
        return None
    return [Range(rank, end if operator[0] in "=>" else None, end if operator[0] in "=<" else None)]


def among(found: Sequence[Range]) -> Sql:
    """The condition that an entry lies in one of some ranges."""
    return sql("({})", joined(" OR ", [sql("({})", one.condition()) for one in found])) if len(found) > 1 else found[0].condition()


@dataclass(frozen=True, slots=True)
class Spread:
    """How the values of an index are spread: its entries' number, and about POINTS of them, at even distances and in order."""

    count: int
    marks: list[Mark]
    exact: bool = True  # whether the order of its entries is that of the values: not where texts are cut, or numbers are rounded
    seconds: float = 0.0  # that it took to look
    at: float = field(default_factory=time.monotonic)

    def share(self, found: Sequence[Range]) -> float:
        """About which part of the entries lies in some ranges; never quite none."""
        within = sum(bisect_right(self.marks, last) - bisect_left(self.marks, first) for first, last in (one.ends() for one in found))
        return min(max(within, 0.5) / max(len(self.marks), 1), 1.0)


async def measure(engine: Engine, index: int) -> Spread:
    """Walks along an index once."""
    begun = time.monotonic()
    ((count,),) = await engine.scan("SELECT count(*) FROM entry WHERE field = ?", (index,))
    ordered = f"SELECT rank, number, substr(text, 1, {_POINT_TEXT}) AS text, row_number() OVER (ORDER BY rank, number, text) AS n"
    rows = await engine.scan(
        f"SELECT rank, number, text FROM ({ordered} FROM entry WHERE field = ?) p WHERE n % ? = 0", (index, max(1, count // POINTS))
    )
    extremes = "SELECT min(number), max(number), max(length(text)) FROM entry WHERE field = ?"
    ((least, most, longest),) = await engine.scan(extremes, (index,))
    exact = (least or 0) > -_EXACT and (most or 0) < _EXACT and (longest or 0) < LONGEST
    marks = [(int(row[0]), row[1] or 0.0, row[2] or "") for row in rows]
    return Spread(int(count), marks, exact, time.monotonic() - begun)
