"""What a caller may ask about: every scan of records begins here, with the reader's access and the price rule in it."""

from __future__ import annotations

from dataclasses import dataclass

from ocean.context import Caller, Ocean
from ocean.core.routes import check_prefix
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.store.engine import Row, StatementError
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.pipeline import COLUMNS, Scan
from ocean.store.reader import DROP, LIVE, now, within

MAX_LIMIT = 1000
RECORDS = f"SELECT {DROP}, r.counters FROM record r JOIN drops d ON d.seq = r.seq"  # noqa: S608 - as `Drop` takes them
_SELECT = f"SELECT {', '.join(f'r.{name}' for name in COLUMNS)} FROM record r WHERE {{}}"  # noqa: S608 - of our own names


async def visible(ocean: Ocean, caller: Caller, route: str, deep: bool, permission: str) -> Sql:
    """The condition on `record r` that leaves what the caller may see of a folder. Raises FORBIDDEN, KEY_REQUIRED, NO_TRUST."""
    verdict = await reading.require_read(ocean, caller, route, permission)
    inside, values = within("r.route", route, deep)
    parts = [Sql(LIVE, (now(),)), Sql(inside, tuple(values))]
    if deep and (denied := await reading.denied_beneath(ocean, caller, route, permission)):
        parts.append(ocean.engine.dialect.outside(denied))
    if verdict == "own":
        parts.append(sql("r.owner = {}", caller.key or ""))
    return joined(" AND ", parts)


def affordable(caller: Caller) -> Sql:
    """Priced records of others are left out: what can't be seen can't be filtered, sorted or counted by."""
    return sql("(r.price IS NULL OR r.owner = {})", caller.key or "")


_ALONG = (
    f"SELECT e.seq, {', '.join(f'r.{name}' for name in COLUMNS[1:])}, e.rank AS e_rank, e.number AS e_number, e.text AS e_text "  # noqa: S608
    "FROM entry e CROSS JOIN record r WHERE r.seq = e.seq AND e.field = {} AND {} AND {}"
)


@dataclass(frozen=True, slots=True)
class Along:
    """An index to go along: the entries of `field` that pass `bounds`; `ordered`, if the question is sorted by it."""

    field: str
    index: int
    bounds: Sql
    ordered: bool


async def scan_of(
    ocean: Ocean, caller: Caller, prefix: str, permission: str, names: tuple[str, ...] = (), *, entities: bool = False,
    along: Along | None = None,
) -> Scan:  # fmt: skip
    """The records of a folder (`x/*`: and all beneath) that the caller may ask about; events too, but for `entities`."""
    route, deep = check_prefix(prefix)
    parts = [await visible(ocean, caller, route, deep, permission), affordable(caller)]
    if entities:
        parts.append(Sql("r.key IS NOT NULL"))
    known = (*names, route.rsplit("/", 1)[-1], route)
    if along is not None:
        ordered = along.field if along.ordered else None
        return Scan(known, sql(_ALONG, along.index, along.bounds, joined(" AND ", parts)), ordered)
    return Scan(known, sql(_SELECT, joined(" AND ", parts)))


async def run(ocean: Ocean, caller: Caller, statement: Sql, *, cut: bool = False) -> list[Row]:
    """The rows of a question, in one of the caller's turns. Raises INVALID_VALUE where the engine can't answer it."""
    async with ocean.turns.of(caller.holder):
        try:
            return await ocean.engine.scan(statement.text, statement.values, cut=cut)
        except StatementError as fault:
            raise OceanError("INVALID_VALUE", f"The question can't be answered: {str(fault).splitlines()[0][:200]}.") from None


def check_page(limit: int, skip: int) -> None:
    if not 0 < limit <= MAX_LIMIT or not 0 <= skip <= 10**9:
        raise OceanError("INVALID_VALUE", f"limit is 1 to {MAX_LIMIT}, and skip is not negative.")
