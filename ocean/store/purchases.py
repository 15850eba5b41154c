"""What was bought, by whom: the rows, and what the price rule asks of them, of one record, of many keys, and inside a question."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from ocean.core.drop import Drop, Price
from ocean.core.money import Transfer
from ocean.store.engine import Engine, Row, Step
from ocean.store.ledger import Posted
from ocean.store.query.fragments import Sql, sql
from ocean.store.reader import within

HELD = "refunded_at IS NULL"
_BOUGHT = f"SELECT 1 FROM purchase WHERE buyer = ? AND item = ? AND seller = ? AND {HELD} LIMIT 1"
MAX_FOUND = 2000  # bought records of a folder that a search finds


async def bought_among(engine: Engine, buyer: str, drops: Sequence[Drop]) -> set[str]:
    """The items of those drops that were bought of who owns them: what came to be another's is another thing."""
    found: set[str] = set()
    sellers = {drop.item: drop.owner for drop in drops}
    items = list(sellers)
    for start in range(0, len(items), 500):
        some = items[start : start + 500]
        marks = ",".join("?" * len(some))
        rows = await engine.rows(f"SELECT item, seller FROM purchase WHERE buyer = ? AND item IN ({marks}) AND {HELD}", (buyer, *some))
        found |= {item for item, seller in rows if sellers[item] == seller}
    return found


async def buyers_among(engine: Engine, keys: Sequence[str], item: str, seller: str) -> set[str]:
    """Those of some keys that have bought it."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        marks = ",".join("?" * len(some))
        query = f"SELECT buyer FROM purchase WHERE buyer IN ({marks}) AND item = ? AND seller = ? AND {HELD}"
        found |= {row[0] for row in await engine.rows(query, (*some, item, seller))}
    return found


def bought_by(buyer: str, table: str) -> Sql:
    """The condition that a row of `record` or of `drops`, named `table`, was bought by a key."""
    item = f"CASE WHEN {table}.key IS NULL THEN {table}.drop_id ELSE {table}.route || ' ' || {table}.key END"
    held = f"EXISTS (SELECT 1 FROM purchase p WHERE p.buyer = {{}} AND p.item = {item} AND p.seller = {table}.owner AND p.{HELD})"
    return sql(held, buyer)


async def places_of(engine: Engine, buyer: str, route: str) -> list[int]:
    """Where what a key has bought in a folder and all beneath lies in the log now; the newest MAX_FOUND."""
    inside, values = within("p.route", route, True)
    query = (
        f"SELECT r.seq FROM purchase p JOIN record r ON r.route = p.route AND r.key = p.key WHERE p.buyer = ? AND {inside} AND p.{HELD} "
        f"UNION ALL SELECT d.seq FROM purchase p JOIN drops d ON d.drop_id = p.drop_id WHERE p.buyer = ? AND {inside} AND p.{HELD} "
        f"AND p.key IS NULL ORDER BY 1 DESC LIMIT {MAX_FOUND}"
    )
    return [int(row[0]) for row in await engine.rows(query, (buyer, *values, buyer, *values))]


class Purchase(NamedTuple):
    """`id` is of its transfer; `key` is None for an event."""

    id: str
    buyer: str
    item: str
    seller: str
    route: str
    key: str | None
    drop_id: str
    amount: int
    fee: int
    collector: str
    created_at: int
    refunded_at: int | None


class Offer(NamedTuple):
    """What a record is, and costs, at this moment."""

    drop_id: str
    owner: str
    price: Price


_COLUMNS = ", ".join(Purchase._fields)
_REVISE = Step("UPDATE head SET revision = revision + 1 WHERE id = 1", [()])  # what is kept of answers was for who had not bought it
_RECORD = "SELECT drop_id, owner, price, read_price FROM record WHERE route = ? AND key = ? AND removed = 0"
_EVENT = (
    "SELECT d.drop_id, r.owner, r.price, r.read_price FROM drops d JOIN record r ON r.seq = d.seq WHERE d.drop_id = ? AND r.removed = 0"
)


def offered(drop: Drop) -> Generator[Step, list[Row], Offer | None]:
    """The record of a drop as it is now, in a transaction."""
    sql, args = (_EVENT, (drop.drop_id,)) if drop.key is None else (_RECORD, (drop.route, drop.key))
    rows = yield Step(sql, [args], reads=True)
    return Offer(rows[0][0], rows[0][1], Price(rows[0][2], rows[0][3])) if rows else None


def held(buyer: str, drop: Drop) -> Generator[Step, list[Row], bool]:
    return bool((yield Step(_BOUGHT, [(buyer, drop.item, drop.owner)], reads=True)))


def added(drop: Drop, transfer: Transfer, posted: Posted) -> Generator[Step, list[Row], None]:
    """A record that a transfer has paid for."""
    row = Purchase(
        posted.txn_id, transfer.payer, drop.item, drop.owner, drop.route, drop.key, drop.drop_id, transfer.amount, transfer.fee,
        transfer.collector, posted.created_at, None,
    )  # fmt: skip
    yield Step(f"INSERT INTO purchase ({_COLUMNS}) VALUES ({','.join('?' * len(row))})", [row])
    yield _REVISE


def found(id_: str) -> Generator[Step, list[Row], Purchase | None]:
    rows = yield Step(f"SELECT {_COLUMNS} FROM purchase WHERE id = ?", [(id_,)], reads=True)
    return Purchase(*rows[0]) if rows else None


def refunded(id_: str, moment: int) -> Generator[Step, list[Row], None]:
    yield Step("UPDATE purchase SET refunded_at = ? WHERE id = ?", [(moment, id_)])
    yield _REVISE


async def of_side(engine: Engine, side: str, who: str, limit: int, offset: int) -> list[Purchase]:
    """What one key bought (`buyer`) or sold (`seller`), newest first."""
    assert side in ("buyer", "seller")
    query = f"SELECT {_COLUMNS} FROM purchase WHERE {side} = ? ORDER BY id DESC LIMIT ? OFFSET ?"
    return [Purchase(*row) for row in await engine.scan(query, (who, limit, offset))]


async def totals(engine: Engine, seller: str, account: str) -> tuple[list[int], list[int], list[int]]:
    """`[count, gross, fees]` of what a key has sold for good, by the reading, and by runs of its functions."""
    ((*sold,),) = await engine.scan(f"SELECT count(*), sum(amount), sum(fee) FROM purchase WHERE seller = ? AND {HELD}", (seller,))
    rows = await engine.scan(
        "SELECT t.kind, count(*), sum(t.amount), sum(t.fee) FROM posting p JOIN transfer t ON t.seq = p.seq "
        "WHERE p.account = ? AND t.kind IN ('read', 'run') AND t.payee = ? GROUP BY t.kind",
        (account, seller),
    )
    paid = {kind: [int(one) for one in sums] for kind, *sums in rows}
    return [int(one or 0) for one in sold], paid.get("read", [0, 0, 0]), paid.get("run", [0, 0, 0])
