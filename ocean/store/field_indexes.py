"""Indexes of single fields of a folder: made while the store is in use, kept by the writes, and taken away again.

A folder's row names its indexes by field (`rule.indexed`); while one is being filled its number is negative, and no read goes by it.
From the moment it is named every write keeps it, so only what was written before has to be filled in.
"""

from __future__ import annotations

from typing import Any

import orjson

from ocean.core.payloads import body_of, loads
from ocean.store.engine import LOCK, Engine, Step, Steps, only
from ocean.store.projections import ADD_ENTRY, entry_rows

PAGE = 1000  # records that are filled in at once, under the write lock
_BUMP = "UPDATE head SET access_seq = access_seq + 1 WHERE id = 1"  # first: it locks the head
_NAME = (
    "INSERT INTO rule (route, seq, {0}) SELECT CAST(? AS TEXT), access_seq, CAST(? AS TEXT) FROM head WHERE id = 1 "
    "ON CONFLICT (route) DO UPDATE SET seq = excluded.seq, {0} = excluded.{0}"
)
_NAMED = "SELECT {} FROM rule WHERE route = ?"
_OLD = (
    "SELECT r.seq, d.payload, r.counters FROM record r JOIN drops d ON d.seq = r.seq "
    "WHERE r.route = ? AND r.removed = 0 AND r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?"
)


async def create(engine: Engine, route: str, field: str, now: int) -> int:
    """Makes an index and fills it; its number. Others write meanwhile."""
    put = (
        "INSERT INTO field_index (route, field, used_at) VALUES (?,?,?) "
        "ON CONFLICT (route, field) DO UPDATE SET used_at = excluded.used_at"
    )  # fmt: skip
    await engine.transact(only(Step(put, [(route, field, now)])))
    ((index,),) = await engine.rows("SELECT id FROM field_index WHERE route = ? AND field = ?", (route, field))
    await engine.transact(rename("indexed", route, field, -int(index)))
    ((until,),) = await engine.rows("SELECT seq FROM head WHERE id = 1")
    after = 0
    while after < until:
        filled: list[int] = []
        await engine.transact(_fill(route, field, int(index), after, until, filled))
        after = filled[-1] if len(filled) == PAGE else until
    await engine.transact(rename("indexed", route, field, int(index)))
    return int(index)


async def drop(engine: Engine, route: str, field: str, index: int) -> None:
    """Takes an index away at once. Where questions may be under way that go by it, `unname` it, and `erase` it once they are over."""
    await unname(engine, route, field)
    await erase(engine, index)


async def unname(engine: Engine, route: str, field: str) -> None:
    """From now on no question goes by it, and no write keeps it."""
    await engine.transact(rename("indexed", route, field, None))


async def erase(engine: Engine, index: int) -> None:
    """Deletes what is left of an index that has no name any more. Its number is never given again."""
    await engine.transact(only(Step("DELETE FROM field_index WHERE id = ?", [(index,)])))
    while await engine.rows("SELECT id FROM entry WHERE field = ? LIMIT 1", (index,)):
        few = f"DELETE FROM entry WHERE id IN (SELECT id FROM entry WHERE field = ? LIMIT {PAGE})"
        await engine.transact(only(Step(few, [(index,)])))


async def used(engine: Engine, indexes: set[int], now: int) -> None:
    """Notes that somebody asked."""
    await engine.transact(only(Step("UPDATE field_index SET used_at = ? WHERE id = ?", [(now, index) for index in sorted(indexes)])))


async def idle(engine: Engine, before: int) -> list[tuple[str, str, int]]:
    """`(route, field, index)` of those that nobody has gone by since, and of those that were never filled to the end."""
    rows = await engine.rows("SELECT route, field, id FROM field_index WHERE used_at < ? ORDER BY id LIMIT 100", (before,))
    return [(row[0], row[1], int(row[2])) for row in rows]


def rename(column: str, route: str, field: str, number: int | None) -> Steps:
    """Names a field's index (`column`: indexed) or cell (cells) in its folder's row; None takes the name away."""
    yield Step(_BUMP, [()])
    rows = yield Step(_NAMED.format(column), [(route,)], reads=True)
    names: dict[str, Any] = orjson.loads(rows[0][0]) if rows and rows[0][0] else {}
    names.pop(field, None)
    if number is not None:
        names[field] = number
    yield Step(_NAME.format(column), [(route, orjson.dumps(names).decode() if names else None)])


def _fill(route: str, field: str, index: int, after: int, until: int, filled: list[int]) -> Steps:
    yield Step(LOCK, [()])
    rows = yield Step(_OLD, [(route, after, until, PAGE)], reads=True)
    filled.extend(row[0] for row in rows)
    if rows:
        yield Step("DELETE FROM entry WHERE +field = ? AND seq = ?", [(index, row[0]) for row in rows])  # by `seq`, of which there are few
        bodies = [(row[0], body_of(row[1], loads(row[2] or "{}"))) for row in rows if row[1] is not None]
        yield Step(ADD_ENTRY, [entry for seq, body in bodies for entry in entry_rows(seq, body, {field: index})])
