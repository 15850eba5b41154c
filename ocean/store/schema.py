"""Migrations, run before a process serves: Tortoise's own, on whichever engine the store is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pysqlite3

# Tortoise and aiosqlite import `sqlite3`; the one Python carries may have the WAL-reset bug (3.7.0 to 3.51.2).
sys.modules["sqlite3"] = pysqlite3

SAFE_SQLITE = (3, 51, 3)


def config(database: Path) -> dict[str, Any]:
    return {
        "connections": {
            "default": {
                "engine": "tortoise.backends.sqlite",
                "credentials": {"file_path": str(database), "synchronous": "FULL", "busy_timeout": 10000},
            }
        },
        "apps": {"models": {"models": ["ocean.store.models"], "migrations": "ocean.store.migrations"}},
    }


async def migrate(database: Path) -> None:
    """Brings the tables up to date. Raises RuntimeError on an SQLite that can corrupt its log."""
    if pysqlite3.sqlite_version_info < SAFE_SQLITE:
        raise RuntimeError(f"SQLite {pysqlite3.sqlite_version} can corrupt a WAL with several connections; 3.51.3 is needed.")
    from tortoise import Tortoise
    from tortoise.migrations.api import migrate as run

    await run(config=config(database))
    await Tortoise.close_connections()
