"""sql: one SELECT over folders, each scan of them with the reader's access and price rule in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from sqlglot.errors import SqlglotError

from grammar.names import spelled, way
from ocean.context import Caller, Ocean
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.query.scope import check_weight, folder_of, scan_of
from ocean.store.engine import StatementError
from ocean.store.query.logical import is_name
from ocean.store.query.pipeline import Scan
from ocean.store.query.statement import LONG, MAX_ROWS, Statement

MAX_KNOWN = 2000  # fields of a folder that are told apart beforehand
SAMPLE = 1000  # records whose fields tell what kinds they are
log = logging.getLogger("ocean.sql")
T = TypeVar("T")
_PLAIN = ("text", "number", "boolean")


async def sql(ocean: Ocean, caller: Caller, *, query: str) -> dict[str, Any]:
    """`{columns, rows, time_ms}`, at most MAX_ROWS rows, then `truncated`. Raises SQL_ERROR with line and column, LIMIT_REACHED."""
    started = time.perf_counter()
    statement = await _worked(len(query) > LONG, lambda: Statement(query))
    scans = [await scan_of(ocean, caller, await folder_of(ocean, folder.route), "sql") for folder in statement.folders]
    async with ocean.turns.of(*caller.holders):
        by_route = {folder.route: scan for folder, scan in zip(statement.folders, scans, strict=True)}  # one may stand there twice
        known = {route: await fields_of(ocean, scan) for route, scan in by_route.items()}
        await _worked(statement.long, lambda: statement.resolve({route: list(kinds) for route, kinds in known.items()}))
        kinds = [
            await _kinds(ocean, scan, folder.names, known[folder.route]) for folder, scan in zip(statement.folders, scans, strict=True)
        ]
        await check_weight(ocean, scans, statement.reads, gathers=True)
        write = partial(statement.write, ocean.engine.dialect, [scan.select for scan in scans], kinds)
        text, names, shown = await _worked(statement.long, write)
        rows = await _run(ocean, text.text, text.values, statement.by_fields)
    found = [[_shown(value, kind) for value, kind in zip(row, shown, strict=True)] for row in rows[:MAX_ROWS]]
    answer = {"columns": names, "rows": found, "time_ms": round((time.perf_counter() - started) * 1000, 2)}
    return {**answer, "truncated": True} if len(rows) > MAX_ROWS else answer


async def _worked(long: bool, work: Callable[[], T]) -> T:
    """What `work` on a statement gives, in a thread where it is long. Raises SQL_ERROR, whatever the statement did to it."""
    try:
        return await asyncio.to_thread(work) if long else work()
    except RecursionError:
        raise OceanError("SQL_ERROR", "The statement is nested too deep.") from None
    except SqlglotError as fault:
        raise OceanError("SQL_ERROR", f"{str(fault).splitlines()[0].rstrip('.')[:200]}.") from None
    except (AttributeError, KeyError, IndexError, TypeError, AssertionError) as fault:  # a form that nobody thought of
        log.exception("a SELECT could not be read")
        raise OceanError("SQL_ERROR", "The statement has a form that can't be read here.") from fault


async def fields_of(ocean: Ocean, scan: Scan, most: int = SAMPLE) -> dict[str, str]:
    """The fields of a scan's newest records, each with its kind: text, number, boolean, or other where it is none of these or several."""
    statement = ocean.engine.dialect.fields_of(scan.select, most)
    kinds: dict[str, str] = {}
    for name, kind in await ocean.engine.scan(f"{statement.text} LIMIT ?", (*statement.values, MAX_KNOWN)):
        if not is_name(name):
            continue  # no question can have it
        before = kinds.get(name, "null")
        kinds[name] = kind if before in ("null", kind) else before if kind == "null" else "other"
    return {name: kind if kind in _PLAIN else "other" for name, kind in kinds.items()}


async def _kinds(ocean: Ocean, scan: Scan, names: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    """Kinds of the fields that are asked for; those inside others are looked at by themselves."""
    kinds = {spelled([name]): kind for name, kind in known.items()}
    inside = [name for name in names if name not in kinds and (len(way(name)) > 1 or len(known) >= MAX_KNOWN)]
    for name in inside:
        kinds[name] = await ocean.reader.kind_of(scan.select, name, SAMPLE)
    return kinds


async def _run(ocean: Ocean, text: str, values: tuple[Any, ...], by_fields: bool) -> list[Any]:
    try:
        return list(await ocean.engine.scan(text, values, by_fields=by_fields))
    except StatementError as fault:
        raise OceanError("SQL_ERROR", f"The statement can't be run: {str(fault).splitlines()[0][:200]}.") from None


def _shown(value: Any, kind: str | None) -> Any:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return int(value) if value == value.to_integral_value() and abs(value) < 10**40 else float(value)
    if kind == "boolean" and value in (0, 1):
        return bool(value)
    if kind == "other" and isinstance(value, str) and value[:1] in "{[":
        try:
            return loads(value)
        except ValueError:
            return value
    return value
