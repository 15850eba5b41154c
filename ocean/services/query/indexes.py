"""Indexes that are made by themselves for fields that are often asked for, and the plan of a find."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from grammar import Stage
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.query.find import stages_of
from ocean.services.query.question import ask
from ocean.services.query.scope import run
from ocean.store import entries, field_cells, field_indexes
from ocean.store.query.fragments import Sql
from ocean.store.reader import now

ENOUGH = 20  # questions about a field, within
WINDOW = 3600.0  # seconds
LEAST = 1000  # records of a folder, below which a scan is as good
MOST = 8  # indexes of a folder
MOST_COUNTED = 50_000  # fields that are counted within the window
IDLE = 7 * 86_400_000  # milliseconds after which an index that nobody asks by is dropped
log = logging.getLogger("ocean.indexes")


class Keeper:
    """Counts questions over a while, makes what is wanted and drops what is not; one of them for a store is enough, more do no harm."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._asked: Counter[tuple[str, str]] = Counter()
        self._read: Counter[tuple[str, str]] = Counter()

    async def look(self) -> int:
        """Makes the indexes and cells that are due; how many indexes."""
        usage = self._ocean.usage
        made = 0
        for route, field in _due(self._asked, usage.asked):
            made += await self._make(route, field)
        for route, field in _due(self._read, usage.read):
            await self._make_cell(route, field)
        await self._measure()
        return made

    async def _make_cell(self, route: str, field: str) -> None:
        ocean = self._ocean
        if (await ocean.reader.cells(route)).get(field, 0) > 0 or not await _large(ocean, route):
            return
        if not await ocean.reader.has_field(route, field):
            return
        if await field_cells.create(ocean.engine, route, field, now()) is not None:
            ocean.log.wake()
            log.info("records of the folder %s have a cell for %s", route, field)

    async def _measure(self) -> None:
        """Looks at how the values of indexes are spread that questions ask by."""
        usage = self._ocean.usage
        wanted, usage.wanted = usage.wanted, set()
        for index in wanted:
            try:
                usage.spreads[index] = await entries.measure(self._ocean.engine, index)
            except OceanError as fault:  # too large to walk along in time: what was known of it stands
                log.info("index %d was not looked at: %s", index, fault)

    def forget(self) -> None:
        """The window is over."""
        self._asked.clear()
        self._read.clear()

    async def _make(self, route: str, field: str) -> bool:
        ocean = self._ocean
        there = await ocean.reader.indexed(route)
        begun = field in there and there[field] < 0  # and never ended: whoever made it has gone
        if (field in there and not begun) or (len(there) >= MOST and not begun) or not await _large(ocean, route):
            return False
        if not await ocean.reader.has_field(route, field):  # whoever may read may ask for anything
            return False
        index = await field_indexes.create(ocean.engine, route, field, now())
        ocean.log.wake()
        ocean.usage.wanted.add(index)
        log.info("the folder %s has an index on %s", route, field)
        return True

    async def tidy(self) -> int:
        """Notes which were used, and drops the idle; how many."""
        ocean = self._ocean
        used, ocean.usage.used = ocean.usage.used, set()
        if used:
            await field_indexes.used(ocean.engine, used, now())
        cells, ocean.usage.cells = ocean.usage.cells, set()
        if cells:
            await field_cells.used(ocean.engine, cells, now())
        # In two rounds, an hour apart: what was planned by them before they lost their names is over by the second.
        for route, field, number in await field_cells.idle(ocean.engine, now() - IDLE):
            if field in await ocean.reader.cells(route):
                await field_cells.unname(ocean.engine, route, field)
            else:
                await field_cells.erase(ocean.engine, route, field, number)
        idle = await field_indexes.idle(ocean.engine, now() - IDLE)
        for route, field, index in idle:
            if field in await ocean.reader.indexed(route):
                await field_indexes.unname(ocean.engine, route, field)
                log.info("the index of %s on %s is dropped: nobody asked by it", route, field)
            else:
                await field_indexes.erase(ocean.engine, index)
                ocean.usage.spreads.pop(index, None)
        return len(idle)


def _due(counted: Counter[tuple[str, str]], news: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """What was asked for often enough by now; it is counted anew from here on."""
    counted.update(news)
    news.clear()
    if len(counted) > MOST_COUNTED:
        counted.clear()
    due = [name for name, times in counted.items() if times >= ENOUGH]
    for name in due:
        del counted[name]
    return due


async def _large(ocean: Ocean, route: str) -> bool:
    rows = await ocean.engine.rows("SELECT r.seq FROM record r WHERE r.route = ? ORDER BY r.seq LIMIT 1 OFFSET ?", (route, LEAST - 1))
    return bool(rows)


async def explain(ocean: Ocean, caller: Caller, args: dict[str, Any], pipe: Sequence[Stage]) -> dict[str, Any]:
    """`{sql, plan, index}`: the statement that is run, the engine's own account of how, and the field whose index it goes by."""
    stages = [*stages_of(args), *pipe]
    question = await ask(ocean, caller, args["prefix"], args.get("joins") or [], stages, args.get("after"), noted=False)
    statement = question.statement()
    rows = await run(ocean, caller, Sql(ocean.engine.dialect.explain + statement.text, statement.values))
    return {"sql": statement.text, "plan": [str(row[-1]) for row in rows], "index": question.along.field if question.along else None}
