"""What columns are of, where the engines differ."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.indexes import Index


class Name(fields.Field[str], str):  # type: ignore[misc]
    """A route or a key: compared byte by byte, so that `x/` to `x0` is just what lies beneath `x`."""

    SQL_TYPE = "TEXT"

    class _db_postgres:  # noqa: N801 - the names that the ORM looks for
        SQL_TYPE = 'TEXT COLLATE "C"'


class Position(fields.Field[int], int):
    """A place in the log; on SQLite the row's own id."""

    SQL_TYPE = "INTEGER"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "BIGINT"


class Expiring(Index):
    """Rows that expire, few among many.

    No such index may name a column that hot statements compare with a bound value: SQLite then prepares them anew each time.
    """

    def __init__(self, *, fields: tuple[str, ...] | list[str], name: str) -> None:
        super().__init__(fields=fields, name=name)
        self.extra = " WHERE expires_at IS NOT NULL"


class Body(fields.Field[Any]):
    """A structured payload in the engine's own binary JSON, for conditions to look into."""

    SQL_TYPE = "BLOB"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "JSONB"


class Cell(fields.Field[Any]):
    """A field's plain value, as SQLite keeps any; other engines have no use for it."""

    SQL_TYPE = "BLOB"

    class _db_postgres:  # noqa: N801
        SQL_TYPE = "BYTEA"
