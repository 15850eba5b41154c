"""Migrations, run before a process serves: Tortoise's own, on whichever engine the store is."""

from __future__ import annotations

import asyncio
import fcntl
import sys
from pathlib import Path
from typing import Any

import pysqlite3

from ocean.core import chain
from ocean.store.engine import Engine
from ocean.store.sqlite import SqliteEngine, connect

# Tortoise and aiosqlite import `sqlite3`; the one Python carries may have the WAL-reset bug (3.7.0 to 3.51.2).
sys.modules["sqlite3"] = pysqlite3

SAFE_SQLITE = (3, 51, 3)
_LOCK = 0x6F6365616E  # one migration at a time on a shared database
# Of a million records a folder has ten thousand. The index in the order of writing is taken for the small one, or SQLite would go along the
# keys where neither has all that is asked for, and look records up here and there.
_FOLDERS = [("record_route", "1000000 10000 1 sz=32"), ("sqlite_autoindex_record_1", "1000000 10000 1 sz=128")]
_FIRST_HEAD = "INSERT INTO head (id, seq, revision, access_seq, moment, chain) VALUES (1,0,0,0,0,{}) ON CONFLICT (id) DO NOTHING"
_FIRST_BOOK = "INSERT INTO book (id, seq) VALUES (1,0) ON CONFLICT (id) DO NOTHING"


def is_postgres(url: str) -> bool:
    return url.startswith(("postgres://", "postgresql://"))


def database_path(url: str) -> Path:
    """The file of a `sqlite:///path` address."""
    return Path(url.removeprefix("sqlite://"))


def config(url: str) -> dict[str, Any]:
    """Tortoise's settings for a store."""
    connection: Any = url.replace("postgresql://", "postgres://", 1)
    if not is_postgres(url):
        connection = {
            "engine": "tortoise.backends.sqlite",
            "credentials": {"file_path": str(database_path(url)), "synchronous": "FULL", "busy_timeout": 10000},
        }
    return {
        "connections": {"default": connection},
        "apps": {"models": {"models": ["ocean.store.models"], "migrations": "ocean.store.migrations"}},
    }


async def migrate(url: str) -> None:
    """Brings the tables up to date. Raises RuntimeError on an SQLite that can corrupt its log."""
    if pysqlite3.sqlite_version_info < SAFE_SQLITE:
        raise RuntimeError(f"SQLite {pysqlite3.sqlite_version} can corrupt a WAL with several connections; 3.51.3 is needed.")
    if is_postgres(url):
        await _migrate_postgres(url)
        return
    with (database_path(url).parent / ".migrate").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)  # processes that start together take turns
        database_path(url).touch(mode=0o600)  # the engine's other files take its mode
        await _run(url)
        connection = connect(database_path(url), read_only=False)
        connection.execute(_FIRST_HEAD.format("?"), (chain.GENESIS,))
        connection.execute(_FIRST_BOOK)
        _tell_planner(connection)
        connection.close()


def _tell_planner(connection: Any) -> None:
    """SQLite takes a folder for ten records unless it is told, and then joins as if it were: a folder may have many
    (https://sqlite.org/optoverview.html#manual_control_of_query_plans_using_sqlite_stat_tables)."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchall():
        connection.execute("ANALYZE head")  # which makes the table
    told = connection.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'record'").fetchall()
    if sorted(told) == sorted(_FOLDERS):
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'record'")
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('record', ?, ?)", _FOLDERS)
    connection.execute("COMMIT")


async def _run(url: str) -> None:
    from tortoise import Tortoise
    from tortoise.migrations.api import migrate as run

    await run(config=config(url))
    await Tortoise.close_connections()


async def _migrate_postgres(url: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _run(url)
        await connection.execute(_FIRST_HEAD.format("$1"), chain.GENESIS)
        await connection.execute(_FIRST_BOOK)
    finally:
        await connection.close()


async def open_engine(url: str) -> Engine:
    """The engine of a store whose tables are there, on the running loop."""
    if not is_postgres(url):
        return SqliteEngine(database_path(url))
    from ocean.store.postgres import PostgresEngine  # its driver takes 3 MB of each process

    return await PostgresEngine.open(url)
