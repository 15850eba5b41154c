"""Orders of io: their rows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import astuple, fields

from ocean.core.topups import Order
from ocean.store.engine import LOCK, Engine, Row, Step, Steps

_COLUMNS = ", ".join(field.name for field in fields(Order))
_ADD = f"INSERT INTO topup ({_COLUMNS}) VALUES ({','.join('?' * len(fields(Order)))})"
BEGUN = "UPDATE topup SET session = ?, intent = ? WHERE id = ? AND paid_at IS NULL AND session = '' AND intent = ''"
_CHANGE = "UPDATE topup SET intent = ?, paid_at = ?, refunded = ?, credited = ? WHERE id = ?"


def there_or_added(made: Order, most: int, since: int, found: list[Order]) -> Steps:
    """The order of that id: the one that is there, or this one from now on; none where its owner began too many."""
    yield Step(LOCK, [()])
    there = f"SELECT {_COLUMNS} FROM topup WHERE id = ?"
    rows = yield Step(there, [(made.id,)], reads=True)
    if not rows:
        ((count,),) = yield Step("SELECT count(*) FROM topup WHERE owner = ? AND created_at > ?", [(made.owner, since)], reads=True)
        if count >= most:
            return
        yield Step(_ADD, [astuple(made)])
    found.append(Order(*rows[0]) if rows else made)


def order_of(id_: str, intent: str) -> Generator[Step, list[Row], Order | None]:
    """By its id, or by the payment that it was begun as."""
    rows = yield Step(f"SELECT {_COLUMNS} FROM topup WHERE id = ?", [(id_,)], reads=True)
    if not rows and intent:
        rows = yield Step(f"SELECT {_COLUMNS} FROM topup WHERE intent = ?", [(intent,)], reads=True)
    return Order(*rows[0]) if rows else None


def changed(order: Order) -> Generator[Step, list[Row], None]:
    yield Step(_CHANGE, [(order.intent, order.paid_at, order.refunded, order.credited, order.id)])


async def orders_of(engine: Engine, owner: str, limit: int, offset: int) -> list[Order]:
    query = f"SELECT {_COLUMNS} FROM topup WHERE owner = ? ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?"
    return [Order(*row) for row in await engine.scan(query, (owner, limit, offset))]
