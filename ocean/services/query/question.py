"""A find that is put together for one caller: its stages checked, the index that serves it, the rows that answer it."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from grammar import Stage
from ocean.context import Caller, Ocean
from ocean.core.drop import Drop
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.data.embeds import Look
from ocean.services.query.plan import Along, Asked, Way, asked, choose, reads_texts
from ocean.services.query.scope import Folder, check_page, check_weight, folder_of, run, scan_of
from ocean.store.query.fragments import Sql, joined
from ocean.store.query.lower import OWN
from ocean.store.query.pipeline import MAX_JOINS, Join, Pipeline, Scan
from ocean.store.reader import DROP

_COLUMNS = f"{DROP}, n.counters"  # as `Drop` takes them
LIMIT = 100  # results where nobody says how many
BRIEF = 1500  # records that are looked at within a moment
MAX_CURSOR = 8192  # characters


class Question:
    """A find that is put together: `counts`, or gives records or rows."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.counts = False
        self.limit: int | None = None  # of the last stage that has one
        self.tells = False  # whether one row more than the limit is asked for, to tell that there are more
        self.truncated = False  # there were more rows
        self.order = 0  # tells cursors of one order from those of another
        self.pages = True  # whether a cursor can go on behind its end
        self.along: Along | None = None  # the index that it goes along
        self.plain: Sql | None = None  # the groups by cells alone, where they may do,
        self.cells = ("", "")  # and the folder and cells that they are by
        self.weighed: tuple[list[Scan], int] = ([], 0)  # what is scanned for rows, and how many values are made of each
        self.brief = False  # whether it looks at few records, for all that is known

    async def run(self, ocean: Ocean, caller: Caller, statement: Sql | None = None) -> list[Any]:
        return await run(ocean, caller, statement or self._whole(), brief=self.brief, by_fields=self.pipeline.by_fields)

    def statement(self) -> Sql:
        """What is run, first."""
        return self.plain or self._whole()

    def _whole(self) -> Sql:
        if self.counts:
            return self.pipeline.total()
        return self.pipeline.records_with(_COLUMNS)[0] if self.pipeline.records else self.pipeline.rows()

    async def _rows(self, ocean: Ocean, caller: Caller) -> list[Any]:
        """By cells alone where they do: what is not plain is one group there, of which the first row tells; its sum may be too large."""
        if self.plain is not None:
            try:
                rows = await self.run(ocean, caller, self.plain)
                if not rows or not rows[0][1]:
                    return rows
            except OceanError as fault:
                if fault.code != "INVALID_VALUE":
                    raise
            ocean.usage.note_mixed(self.cells)
            await self.weigh(ocean, caller, gathers=True)
        return await self.run(ocean, caller)

    async def weigh(self, ocean: Ocean, caller: Caller, *, gathers: bool) -> None:
        """Raises LIMIT_REACHED where its rows would hold too much."""
        async with ocean.turns.of(*caller.holders):
            await check_weight(ocean, *self.weighed, gathers=gathers)

    async def drops(self, ocean: Ocean, caller: Caller) -> tuple[list[Drop], str | None]:
        """The records, and a cursor to what follows them."""
        statement, keys = self.pipeline.records_with(_COLUMNS)
        rows = await self.run(ocean, caller, statement)
        width = len(rows[0]) - keys - 1 if rows else 0
        drops = [Drop(*row[:width]) for row in rows]
        more = self.pages and rows and len(rows) == self.limit
        return drops, _cursor([self.order, *self.pipeline.cursor(rows[-1][width:])]) if more else None

    async def results(self, ocean: Ocean, caller: Caller, *, embeds: int = 0) -> tuple[list[Any], str | None]:
        """What is answered: records' or rows' JSON, and a cursor. Embeds of records are resolved so deep."""
        if self.pipeline.records:
            drops, cursor = await self.drops(ocean, caller)
            look = Look(ocean, caller)
            return [await look.record(drop, drop.to_json(), embeds) for drop in drops], cursor
        beside = self.pipeline.beside
        rows = await self._rows(ocean, caller)
        if self.tells and self.limit is not None and len(rows) > self.limit:
            self.truncated = True
            rows = rows[: self.limit]
        if beside > 1:
            return [_beside(row[: beside * 2]) for row in rows], None
        return [orjson.Fragment(row[0]) if row[0] is not None else {} for row in rows], None


def _beside(row: Sequence[Any]) -> dict[str, Any]:
    """A joined row: the fields of all its records, where two have the same the first one's."""
    merged: dict[str, Any] = {}
    for i in range(0, len(row), 2):
        body = loads(row[i]) if row[i] is not None else None
        own = {"key": row[i + 1]} if row[i + 1] is not None and i == 0 else {}
        for name, value in {**own, **(body if isinstance(body, dict) else {})}.items():
            merged.setdefault(name, value)
    return merged


async def ask(
    ocean: Ocean, caller: Caller, prefix: str, joins: list[dict[str, Any]], stages: Sequence[Stage], after: str | None = None,
    *, all_of_them: int | None = None, noted: bool = True,
) -> Question:  # fmt: skip
    """A find, put together for this caller: LIMIT results if no stage says how many, or `all_of_them` up to that number.

    Raises what its stages and its access refuse.
    """
    if len(joins) > MAX_JOINS:
        raise OceanError("INVALID_VALUE", f"A find joins at most {MAX_JOINS} folders.")
    for stage in stages:
        _check_count(stage)
    folder = await folder_of(ocean, prefix)
    first = asked(stages, all_of_them or LIMIT) if not joins else Asked()  # a field may be the joined folder's
    known = await ocean.reader.known(folder.route)
    indexed = {field: index for field, index in known.indexed.items() if index > 0}
    way = _way(ocean, folder, first, indexed)
    base = await scan_of(ocean, caller, folder, "query", along=way.along, known=known)
    question = Question(Pipeline(ocean.engine.dialect, base))
    question.along = way.along
    question.brief = not folder.deep and not joins and way.looks is not None and way.looks <= BRIEF and not reads_texts(stages)
    pipeline = question.pipeline
    beside: list[Join] = []
    if joins:
        beside = [await _join(ocean, caller, join) for join in joins]
        pipeline.join(beside)
    for stage in stages:
        if question.counts:
            raise OceanError("INVALID_VALUE", f"'then {stage.name}' can't follow 'count', which is a number.")
        _add(question, stage)
    if not question.counts:
        question.pages = pipeline.levels == 1 and pipeline.records
        if question.limit is None:
            question.limit = all_of_them or LIMIT
            question.tells = not pipeline.records and all_of_them is None
            pipeline.limit(question.limit + question.tells)
        question.order = zlib.crc32(repr([stage.args["sort"] for stage in stages if stage.name == "sort"]).encode())
        if after is not None:
            if not question.pages:
                raise OceanError("INVALID_VALUE", "A cursor goes on in records, not in rows.", "Use skip and limit.")
            order, *values = _values(after)
            if order != question.order:
                raise OceanError("INVALID_VALUE", "The cursor is of a question in another order.", "Ask from the beginning.")
            pipeline.after(values)
    if not pipeline.records:
        question.weighed = ([base, *(join.scan for join in beside)], sum(map(_made, stages)))
        if not question.counts and (plain := pipeline.plain) is not None:
            question.cells = (folder.route, joined(", ", plain.keys()).text)
            if not ocean.usage.is_mixed(question.cells):  # it is not asked twice each time
                question.plain = pipeline.plain_groups(plain)
        await question.weigh(ocean, caller, gathers=question.plain is None and any(stage.name == "group" for stage in stages))
    if noted and not folder.deep:  # it is known by now that this caller may ask, and that the question is sound
        _note(ocean, folder.route, first, question, known.cells)
    return question


def _made(stage: Stage) -> int:
    """How many values a stage makes of a row."""
    if stage.name == "group":
        return len(stage.args["group"]["by"]) + len(stage.args["group"]["aggregates"])
    return len(stage.args["pick"]) if stage.name == "pick" else 0


def _way(ocean: Ocean, folder: Folder, question: Asked, indexed: dict[str, int]) -> Way:
    """The index to go along, if one serves better than a scan."""
    if folder.deep:
        return Way()
    named = [indexed[field] for field in question.fields if field in indexed]
    return choose(question, indexed, ocean.usage.look(named), walks=ocean.engine.dialect.walks_in_order)


def _note(ocean: Ocean, route: str, first: Asked, question: Question, cells: Mapping[str, int]) -> None:
    """What was asked for, so that it may have an index soon, or a cell; and which of them answered."""
    usage = ocean.usage
    for field in first.fields:
        if field not in OWN:
            usage.note(usage.asked, route, field)
    if question.along is not None:
        usage.used.add(question.along.index)
    if ocean.engine.dialect.cells:
        for field in question.pipeline.fields:
            if field in cells:
                usage.cells.add((route, field))
            else:
                usage.note(usage.read, route, field)


def _check_count(stage: Stage) -> None:
    if stage.name == "skip":
        check_page(1, stage.args["n"])
    elif stage.name in ("limit", "first", "last"):
        check_page(stage.args.get("n", 1), 0)


def _add(question: Question, stage: Stage) -> None:
    pipeline, args = question.pipeline, stage.args
    if stage.name == "where":
        pipeline.where(args["where"])
    elif stage.name == "group":
        pipeline.grouped(args["group"]["by"], args["group"]["aggregates"])
        question.limit = None
    elif stage.name == "sort":
        pipeline.sort(args["sort"])
    elif stage.name == "pick":
        pipeline.picked(args["pick"])
    elif stage.name == "count":
        question.counts = True
    elif stage.name == "skip":
        pipeline.skip(args["n"])
    else:
        count = args.get("n", 1)
        if stage.name == "last":
            pipeline.last(count)
        else:
            pipeline.limit(count)
        question.limit = count if question.limit is None else min(count, question.limit)


async def _join(ocean: Ocean, caller: Caller, join: dict[str, Any]) -> Join:
    names = (join["as"],) if "as" in join else ()
    scan = await scan_of(ocean, caller, await folder_of(ocean, join["route"]), "query", names)
    return Join(scan, join.get("kind") == "inner", join["on"])


def _cursor(values: Sequence[Any]) -> str | None:
    """What goes on behind a row, or None where its values are too long for it."""
    text = base64.urlsafe_b64encode(json.dumps(list(values), separators=(",", ":")).encode()).decode().rstrip("=")
    return text if len(text) <= MAX_CURSOR else None


def _sound(value: Any) -> bool:
    """Whether a value is one that an engine takes."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    return value is None or (isinstance(value, int | float) and abs(value) < 2**63)


def _values(cursor: str) -> list[Any]:
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(values, list) or not values or not all(map(_sound, values)):
            raise ValueError
    except (ValueError, binascii.Error, RecursionError):
        raise OceanError("INVALID_VALUE", "The cursor is not one that a find gave.") from None
    return values
