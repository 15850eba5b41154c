"""Currencies: their rows."""

from __future__ import annotations

from collections.abc import Generator

from ocean.core.values import Value
from ocean.store.engine import Engine, Row, Step

_COLUMNS = "id, name, symbol, creator, scope, max_supply, decimals, created_at"


async def value(engine: Engine, id_: str) -> Value | None:
    rows = await engine.rows(f"SELECT {_COLUMNS} FROM currency WHERE id = ?", (id_,))
    return Value(*rows[0]) if rows else None


async def made_by(engine: Engine, creator: str | None, limit: int, offset: int) -> list[Value]:
    """All, or one key's, the oldest first."""
    where, args = ("WHERE creator = ? ", (creator,)) if creator is not None else ("", ())
    query = f"SELECT {_COLUMNS} FROM currency {where}ORDER BY created_at, id LIMIT ? OFFSET ?"
    return [Value(*row) for row in await engine.scan(query, (*args, limit, offset))]


def found(id_: str) -> Generator[Step, list[Row], Value | None]:
    """As it is under the ledger's lock."""
    rows = yield Step(f"SELECT {_COLUMNS} FROM currency WHERE id = ?", [(id_,)], reads=True)
    return Value(*rows[0]) if rows else None


def like(made: Value) -> Generator[Step, list[Row], list[Value]]:
    """Those that have its id, or its symbol."""
    rows = yield Step(f"SELECT {_COLUMNS} FROM currency WHERE id = ? OR symbol = ?", [(made.id, made.symbol)], reads=True)
    return [Value(*row) for row in rows]


def moved(id_: str) -> Generator[Step, list[Row], bool]:
    """Whether anything was ever done with it."""
    return bool((yield Step("SELECT 1 FROM transfer WHERE currency = ? LIMIT 1", [(id_,)], reads=True)))


def count_of(creator: str) -> Generator[Step, list[Row], int]:
    ((count,),) = yield Step("SELECT count(*) FROM currency WHERE creator = ?", [(creator,)], reads=True)
    return int(count)


def put(made: Value) -> Generator[Step, list[Row], None]:
    row = (made.id, made.name, made.symbol, made.creator, made.scope, made.max_supply, made.decimals, made.created_at)
    yield Step("DELETE FROM currency WHERE id = ?", [(made.id,)])
    yield Step(f"INSERT INTO currency ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?)", [row])
