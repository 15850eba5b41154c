"""What a caller may ask about: every scan of records begins here, with the reader's access and the price rule in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ocean.context import Caller, Ocean
from ocean.core.access import Verdict
from ocean.core.routes import check_prefix
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.query.plan import Along
from ocean.store.engine import Row, StatementError
from ocean.store.query.fences import NO_LIMIT
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.pipeline import COLUMNS, Scan
from ocean.store.reader import DROP, LIVE, Known, now, within

MAX_LIMIT = 1000
LIGHT = 16  # values that a row may have, whatever they are of
LARGE = 100_000  # bytes of a record that counts
MAX_GATHERED = 64 * 1024 * 1024  # bytes of large records that are grouped or sorted together
MAX_WEIGHED = 10_000  # folders whose weight is kept
MAX_ROW = 256 * 1024 * 1024  # bytes that a row may come to
RECORDS = f"SELECT {DROP}, r.counters FROM record r JOIN drops d ON d.seq = r.seq"  # noqa: S608 - as `Drop` takes them
_SELECT = f"SELECT {', '.join(f'r.{name}' for name in COLUMNS)}{{}} FROM record r WHERE {{}}"  # noqa: S608 - of our own names


async def visible(ocean: Ocean, caller: Caller, route: str, deep: bool, permission: str) -> Sql:
    """The condition on `record r` that leaves what the caller may see of a folder. Raises FORBIDDEN, KEY_REQUIRED, NO_TRUST."""
    return (await _visible(ocean, caller, route, deep, permission))[0]


async def _visible(ocean: Ocean, caller: Caller, route: str, deep: bool, permission: str, known: Known | None = None) -> tuple[Sql, bool]:
    """The same, and whether a folder beneath is closed to the caller."""
    denied: list[str] = []
    if deep:
        verdict, denied = await reading.allowed(ocean, caller, route, permission, known)
    else:
        rules = known.rules if known is not None else await ocean.reader.rules(route)
        verdict = reading.require(caller, route, permission, rules)
    return visible_by(ocean, caller, route, verdict, denied, deep=deep), bool(denied)


def visible_by(ocean: Ocean, caller: Caller, route: str, verdict: Verdict, denied: list[str], *, deep: bool) -> Sql:
    """The condition, where `reading.allowed` has just said what it comes from."""
    inside, values = within("r.route", route, deep)
    parts = [Sql(LIVE, (now(),)), Sql(inside, tuple(values))]
    if denied:
        parts.append(ocean.engine.dialect.outside(denied))
    if verdict == "own":
        parts.append(sql("r.owner = {}", caller.key or ""))
    return joined(" AND ", parts)


_WEIGHT = "SELECT max({}), sum(CASE WHEN {} > {} THEN {} ELSE 0 END) FROM ({}) r"
_ALONG = (
    f"SELECT e.seq, {', '.join(f'r.{name}' for name in COLUMNS[1:])}{{}}, e.rank AS e_rank, e.number AS e_number, e.text AS e_text "  # noqa: S608
    "FROM entry e CROSS JOIN record r WHERE r.seq = e.seq AND e.field = {} AND {} AND {}"
)


class Folder(NamedTuple):
    """A folder that is asked about; `deep`: with all beneath."""

    route: str
    deep: bool


async def folder_of(ocean: Ocean, prefix: str) -> Folder:
    """The folder that a prefix names: deep only where there is anything beneath, since all else is quicker."""
    route, deep = check_prefix(prefix)
    return Folder(route, deep and await ocean.reader.any_beneath(route))


async def scan_of(
    ocean: Ocean, caller: Caller, folder: Folder, permission: str, names: tuple[str, ...] = (), *, along: Along | None = None,
    known: Known | None = None,
) -> Scan:  # fmt: skip
    """The records of a folder that the caller may ask about, events too; `known` of it, where that was read a moment before."""
    route, deep = folder
    known = known or await ocean.reader.known(route)
    seen, closed = await _visible(ocean, caller, route, deep, permission, known)
    parts = [seen, reading.affordable(caller)]
    called = (*names, route.rsplit("/", 1)[-1], route)
    cells = {name: f"c{number}" for name, number in known.cells.items() if number > 0} if not deep else {}
    beside = Sql("".join(f", r.{cell}" for cell in cells.values()))
    if along is not None:
        ordered = along.field if along.ordered else None
        return Scan(called, sql(_ALONG, beside, along.index, along.bounds, joined(" AND ", parts)), ordered, cells, folder)
    select = sql(_SELECT, beside, joined(" AND ", parts))
    if closed:  # what may not be read is not looked into by what comes after, or the time it takes would tell of it
        select = sql("SELECT r.* FROM ({} LIMIT {}) r", select, NO_LIMIT)
    return Scan(called, select, cells=cells, folder=folder)


async def run(
    ocean: Ocean, caller: Caller, statement: Sql, *, cut: bool = False, brief: bool = False, by_fields: bool = False
) -> list[Row]:
    """The rows of a question, in one of the caller's turns; a `brief` one is over before it would have one, most often.

    Raises INVALID_VALUE where the engine can't answer it.
    """
    if brief and (found := ocean.engine.at_once(statement.text, statement.values)) is not None:
        return found
    async with ocean.turns.of(*caller.holders):
        try:
            return await ocean.engine.scan(statement.text, statement.values, cut=cut, by_fields=by_fields)
        except StatementError as fault:
            raise OceanError("INVALID_VALUE", f"The question can't be answered: {str(fault).splitlines()[0][:200]}.") from None


async def check_weight(ocean: Ocean, scans: Sequence[Scan], values: int, *, gathers: bool) -> None:
    """Raises LIMIT_REACHED where rows of so many values, or what a question gathers of many rows, would hold too much: what the engine
    makes in one step is whole before anything can look at it."""
    if values <= LIGHT and not gathers:
        return
    for scan in scans:
        if not _heavy(*await _at_most(ocean, *scan.folder), values, gathers=gathers):
            continue
        largest, together = await _weight(ocean, scan.select)  # what there is now, and may be seen
        if _heavy(largest, together, values, gathers=gathers):
            said = f"Records of up to {largest // 1024} KB are too large to be put together so."
            raise OceanError("LIMIT_REACHED", said, "Leave the large ones out, or ask for less of them.")


def _heavy(largest: int, together: int, values: int, *, gathers: bool) -> bool:
    return largest * values > MAX_ROW or (gathers and together > MAX_GATHERED)


async def _weight(ocean: Ocean, select: Sql) -> tuple[int, int]:
    """Bytes of the largest record of a scan, and of all large ones together."""
    size = ocean.engine.dialect.size(Sql("r.body"))
    asked = sql(_WEIGHT, size, size, LARGE, size, select)
    ((largest, together),) = await ocean.engine.scan(asked.text, asked.values)
    return int(largest or 0), int(together or 0)


async def _at_most(ocean: Ocean, route: str, deep: bool) -> tuple[int, int]:
    """The same of all that a folder has had since this process first looked: only what is new is looked at each time."""
    known = ocean.usage.weights
    before, largest, together = known.get((route, deep), (0, 0, 0))
    head, _ = await ocean.reader.head()
    if head > before:
        inside, values = within("r.route", route, deep)
        since = Sql(f"SELECT r.body FROM record r WHERE {inside} AND r.seq > ?", (*values, before))  # noqa: S608 - of our own names
        new = await _weight(ocean, since)
        largest, together = max(largest, new[0]), together + new[1]
        if len(known) >= MAX_WEIGHED:
            known.clear()
        known[route, deep] = (head, largest, together)
    return largest, together


def check_page(limit: int, skip: int) -> None:
    if not 0 < limit <= MAX_LIMIT or not 0 <= skip <= 10**9:
        raise OceanError("INVALID_VALUE", f"limit is 1 to {MAX_LIMIT}, and skip is not negative.")
