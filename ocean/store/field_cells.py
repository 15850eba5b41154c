"""Cells: plain values of fields that questions often read, kept beside a folder's records in columns of their own.

Reading one costs a third of finding it in the record's JSON. A folder's row names its cells by field (`rule.cells`), negative while they
are being filled; from then on every write keeps them, as with indexes (`store.field_indexes`).
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from ocean.store.engine import LOCK, Engine, Step, Steps, only
from ocean.store.field_indexes import rename
from ocean.store.projections import put_cells

PAGE = 1000  # records that are filled in at once, under the write lock


async def create(engine: Engine, route: str, field: str, now: int) -> int | None:
    """Gives a field a cell and fills it; its number, or None where the folder has no room. Others write meanwhile."""
    rows = await engine.rows("SELECT number, field FROM field_cell WHERE route = ?", (route,))
    number = next((int(row[0]) for row in rows if row[1] == field), None)
    if number is None:
        free = [n for n in range(1, engine.dialect.cells + 1) if all(n != row[0] for row in rows)]
        if not free:
            return None
        number = free[0]
        put = "INSERT INTO field_cell (route, number, field, used_at) VALUES (?,?,?,?) ON CONFLICT (route, number) DO NOTHING"
        await engine.transact(only(Step(put, [(route, number, field, now)])))
        rows = await engine.rows("SELECT field FROM field_cell WHERE route = ? AND number = ?", (route, number))
        if not rows or rows[0][0] != field:
            return None  # another process gave it to another field just now
    await engine.transact(rename("cells", route, field, -number))
    await _walk(engine, route, lambda after, end: _fill(engine, route, {field: number}, after, end))
    await engine.transact(rename("cells", route, field, number))
    return number


def _fill(engine: Engine, route: str, cells: dict[str, int], after: int, until: int) -> Steps:
    yield Step(LOCK, [()])
    put = put_cells(engine.dialect, cells)
    yield Step(f"{put.text} WHERE route = ? AND seq > ? AND seq <= ?", [(*put.values, route, after, until)])


async def drop(engine: Engine, route: str, field: str, number: int) -> None:
    """Takes a cell away at once. Where questions may be under way that read it, `unname` it, and `erase` it once they are over."""
    await unname(engine, route, field)
    await erase(engine, route, field, number)


async def unname(engine: Engine, route: str, field: str) -> None:
    """From now on no question reads it, and no write keeps it."""
    await engine.transact(rename("cells", route, field, None))


async def erase(engine: Engine, route: str, field: str, number: int) -> None:
    """Empties a cell that has no name any more: a copy that no write keeps would outlast what it is a copy of."""
    await _walk(engine, route, lambda after, end: _empty(route, number, after, end))
    gone = "DELETE FROM field_cell WHERE route = ? AND number = ? AND field = ?"
    await engine.transact(only(Step(gone, [(route, number, field)])))


def _empty(route: str, number: int, after: int, until: int) -> Steps:
    yield Step(LOCK, [()])
    rows = yield Step("SELECT cells FROM rule WHERE route = ?", [(route,)], reads=True)
    if rows and rows[0][0] and number in map(abs, orjson.loads(rows[0][0]).values()):
        return  # it has a name again
    yield Step(f"UPDATE record SET c{number} = NULL WHERE route = ? AND seq > ? AND seq <= ?", [(route, after, until)])


async def _walk(engine: Engine, route: str, work: Callable[[int, int], Steps]) -> None:
    """Does something with all that a folder holds by now, PAGE records a transaction."""
    ((until,),) = await engine.rows("SELECT seq FROM head WHERE id = 1")
    after = 0
    while after < until:
        page = "SELECT seq FROM record WHERE route = ? AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?"
        rows = await engine.rows(page, (route, after, PAGE - 1))
        end = int(rows[0][0]) if rows else until
        await engine.transact(work(after, end))
        after = end


async def used(engine: Engine, fields: set[tuple[str, str]], now: int) -> None:
    """Notes that somebody asked."""
    each = [(now, route, field) for route, field in sorted(fields)]
    await engine.transact(only(Step("UPDATE field_cell SET used_at = ? WHERE route = ? AND field = ?", each)))


async def idle(engine: Engine, before: int) -> list[tuple[str, str, int]]:
    """`(route, field, number)` of those that nobody has read since."""
    rows = await engine.rows("SELECT route, field, number FROM field_cell WHERE used_at < ? ORDER BY id LIMIT 100", (before,))
    return [(row[0], row[1], int(row[2])) for row in rows]
