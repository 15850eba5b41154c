"""export: a folder and all beneath as a stream of text, page by page, so that memory stays flat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from grammar.conditions import Condition
from ocean.context import Caller, Ocean
from ocean.core import exporters
from ocean.core.drop import SAVED, Drop, read_time, show_time
from ocean.core.payloads import dumps, loads, reach
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.query.scope import RECORDS, run, visible
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import check_name, predicate
from ocean.store.query.lower import Lowering, in_record
from ocean.store.reader import DROP, beneath, now

PAGE = 2000  # records that are read at once
INSERTS = 500  # rows of one INSERT
CELLS = 20_000  # that are written in one go: the loop goes on between
MAX_COLUMNS = 2000
MAX_TEXT = 16 * 1024 * 1024  # characters that a statement's answer may have
FORMATS = {
    "ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv; charset=utf-8", "sql": "application/sql; charset=utf-8",
    "mongo": "text/javascript; charset=utf-8",
}  # fmt: skip


class Export:
    """What is exported, checked: `text` streams it."""

    def __init__(
        self, ocean: Ocean, caller: Caller, *, route: str, format: str = "ndjson", dialect: str = "postgres", latest: bool = True,
        where: Condition | None = None, since: str | None = None, until: str | None = None, select: list[str] | None = None,
        raw: bool = False,
    ) -> None:  # fmt: skip
        """Raises INVALID_VALUE, INVALID_ROUTE."""
        if format not in FORMATS:
            raise OceanError("INVALID_VALUE", f"There is no format {format[:40]!r}.", f"Formats: {', '.join(FORMATS)}.")
        if dialect not in exporters.DIALECTS:
            raise OceanError("INVALID_VALUE", f"There is no dialect {dialect[:40]!r}.", f"Dialects: {', '.join(exporters.DIALECTS)}.")
        self.ocean, self.caller, self.route, self.format, self.dialect, self.raw = ocean, caller, check_route(route), format, dialect, raw
        self.latest = latest
        self._found: dict[str, exporters.Columns] | None = None
        self.select = [check_name(name) for name in select] if select is not None else None
        self._times = [(sign, read_time(at)) for sign, at in ((">=", since), ("<=", until)) if at is not None]
        self._where = Lowering(ocean.engine.dialect, in_record).condition(predicate(where)) if where is not None else None

    @property
    def content_type(self) -> str:
        return FORMATS[self.format]

    async def check(self) -> None:
        """Raises what keeps the caller from exporting, before anything is sent; a table's columns are known then too."""
        await self._condition()
        if self.format in ("csv", "sql"):
            await self._columns()

    async def text(self) -> AsyncIterator[str]:
        """The file, in pieces."""
        maker = {"ndjson": self._lines, "json": self._lines, "csv": self._csv, "sql": self._sql, "mongo": self._mongo}[self.format]
        async for piece in maker():
            yield piece

    async def pages(self) -> AsyncIterator[list[Drop]]:
        """Records, by folder and in the order they were written."""
        route, seq = self.route, 0
        beyond = False  # whether the folder is at its end: the next page begins with the next one
        while True:
            condition = await self._condition()  # anew for each page: access may have been taken away
            here = "{0}.route > {{}}" if beyond else "{0}.route = {{}} AND {0}.seq > {{}}"
            from_here = sql(here.format("r" if self.latest else "d"), *((route,) if beyond else (route, seq)))
            statement = self._page(joined(" AND ", [condition, from_here]))
            rows = await run(self.ocean, self.caller, statement, cut=True)
            if not rows:
                if beyond:
                    return
                beyond = True
                continue
            drops = [Drop(*row) for row in rows]
            route, seq, beyond = drops[-1].route, drops[-1].seq, False
            yield drops

    async def _condition(self) -> Sql:
        seen = await visible(self.ocean, self.caller, self.route, True, "export")
        # All routes from this one to the last beneath it, and a few beside them that `seen` leaves out: one walk along the index.
        along = sql("r.route >= {} AND r.route < {}", self.route, beneath(self.route)[1])
        parts = [along, seen, reading.affordable(self.caller)]
        if self._where is not None:
            parts.append(self._where)
        parts += [sql(f"{'r' if self.latest else 'd'}.created_at {sign} {{}}", moment) for sign, moment in self._times]
        return joined(" AND ", parts)

    def _page(self, condition: Sql) -> Sql:
        if self.latest:
            return sql(f"{RECORDS} WHERE {{}} ORDER BY r.route, r.seq LIMIT {{}}", condition, PAGE)
        # All versions of what is there and matches now; what was removed or has expired took its history out of sight.
        beside = "JOIN record r ON r.route = d.route AND (r.key = d.key OR r.seq = d.seq)"
        there = "d.kind = {} AND d.payload IS NOT NULL AND (d.expires_at IS NULL OR d.expires_at > {}) AND {}"
        text = f"SELECT {DROP} FROM drops d {beside} WHERE {{}} AND {there} ORDER BY d.route, d.seq LIMIT {{}}"  # noqa: S608
        return sql(text, condition, SAVED, now(), reading.affordable(self.caller, "d"), PAGE)

    def _selected(self, drop: Drop) -> Any:
        body = loads(drop.body())
        if self.select is None or not isinstance(body, dict):
            return body
        return {name: reach(body, name) for name in self.select if reach(body, name) is not None}

    async def _lines(self) -> AsyncIterator[str]:
        array = self.format == "json"
        if array:
            yield "["
        first = True
        async for page in self.pages():
            lines = [self._line(drop) for drop in page]
            yield ("" if first or not array else ",\n") + (",\n" if array else "\n").join(lines) + ("" if array else "\n")
            first = False
        if array:
            yield "]\n"

    def _line(self, drop: Drop) -> str:
        if self.select is None:
            return orjson.dumps(drop.to_json()).decode()
        return dumps({**{k: v for k, v in drop.to_json().items() if k != "payload"}, "payload": self._selected(drop)})

    async def _columns(self) -> dict[str, exporters.Columns]:
        """The fields of each folder, over all of its records: one walk through them."""
        if self._found is not None:
            return self._found
        found: dict[str, exporters.Columns] = {}
        async for page in self.pages():
            for drop in page:
                columns = found.setdefault(drop.route, exporters.Columns())
                columns.meet(self._selected(drop))
                if len(columns.by_name) > MAX_COLUMNS:
                    raise OceanError(
                        "LIMIT_REACHED", f"The folder {drop.route!r} has more than {MAX_COLUMNS} different fields.", "Name some: select."
                    )
            await asyncio.sleep(0)
        self._found = found
        return found

    async def _csv(self) -> AsyncIterator[str]:
        by_route = await self._columns()
        names = list(dict.fromkeys(name for columns in by_route.values() for name in columns.by_name))
        routed = ["_route"] if len(by_route) > 1 else []
        own = [*routed, "_key", "_created_at"]
        yield exporters.csv_lines([[*own, *exporters.beside(own, names)]], raw=self.raw)
        async for page in self.pages():
            step = max(1, CELLS // (len(names) + 1))
            for start in range(0, len(page), step):
                rows = []
                for drop in page[start : start + step]:
                    found = exporters.fields_of(self._selected(drop))
                    rows.append(
                        [*([drop.route] if routed else []), drop.key, show_time(drop.created_at), *(found.get(name) for name in names)]
                    )
                yield exporters.csv_lines(rows, raw=self.raw)
                await asyncio.sleep(0)

    async def _sql(self) -> AsyncIterator[str]:
        columns = await self._columns()
        table: exporters.SqlTable | None = None
        route = None
        yield f"-- {self.route.replace(chr(10), ' ')}: {len(columns)} table{'' if len(columns) == 1 else 's'}\n"
        if self.dialect == "mysql":
            yield "SET NAMES utf8mb4;\n"
        async for page in self.pages():
            for at, rows in self._by_route(page):
                if table is None or at != route:
                    route = at
                    table = exporters.SqlTable(at, columns.get(at, exporters.Columns()), self.dialect, keyed=self.latest)
                    yield table.create()
                step = max(1, CELLS // (len(table.columns) + 1))
                for start in range(0, len(rows), step):
                    yield table.insert(rows[start : start + step])
                    await asyncio.sleep(0)

    async def _mongo(self) -> AsyncIterator[str]:
        async for page in self.pages():
            for route, rows in self._by_route(page):
                yield exporters.mongo_insert(route, rows, keyed=self.latest)

    def _by_route(self, page: list[Drop]) -> list[tuple[str, list[tuple[str, str | None, str, Any]]]]:
        """Rows by folder, INSERTS at a time."""
        groups: list[tuple[str, list[tuple[str, str | None, str, Any]]]] = []
        for drop in page:
            if not groups or groups[-1][0] != drop.route or len(groups[-1][1]) >= INSERTS:
                groups.append((drop.route, []))
            groups[-1][1].append((drop.drop_id, drop.key, show_time(drop.created_at), self._selected(drop)))
        return groups


async def export(ocean: Ocean, caller: Caller, **asked: Any) -> dict[str, Any]:
    """The export as one answer: `{format, text}`, or for json `{results, count}`. Raises LIMIT_REACHED where it is too large for that."""
    asked.setdefault("format", "json")
    made = Export(ocean, caller, **asked)
    pieces: list[str] = []
    size = 0
    async for piece in made.text():
        size += len(piece)
        if size > MAX_TEXT:
            raise OceanError("LIMIT_REACHED", "The export is too large for one answer.", f"Stream it: GET /export/{made.route}")
        pieces.append(piece)
    text = "".join(pieces)
    if made.format == "json":
        results = orjson.loads(text)
        return {"results": results, "count": len(results)}
    return {"format": made.format, "text": text}
