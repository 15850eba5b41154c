"""The tables as models say them, and as migrations make them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector

from ocean.store.query.sqlite import Sqlite
from ocean.store.schema import config, migrate


async def test_no_change_of_a_table_lacks_its_migration(tmp_path: Path) -> None:
    said = config(f"sqlite://{tmp_path}/none.db")
    await Tortoise.init(config=said)
    try:
        assert Tortoise.apps is not None
        found = await MigrationAutodetector(Tortoise.apps, said["apps"]).changes()
    finally:
        await Tortoise.close_connections()
    changes = [operation for migration in found for operation in migration.operations]
    # A model's words about itself are an option too, and change no table.
    assert [type(change).__name__ for change in changes if type(change).__name__ != "AlterModelOptions"] == []


async def test_the_index_of_a_folder_holds_what_questions_read(tmp_path: Path) -> None:
    """The model says nothing of it (migration 0012); without it each question reads every row."""
    (tmp_path / "data").mkdir()
    await migrate(f"sqlite://{tmp_path}/data/ocean.db")
    with sqlite3.connect(tmp_path / "data" / "ocean.db") as connection:
        held = [row[2] for row in connection.execute("PRAGMA index_info(record_route)")]
        sizes = dict(connection.execute("SELECT idx, stat FROM sqlite_stat1 WHERE tbl = 'record'").fetchall())
        indexes = [row[1] for row in connection.execute("PRAGMA index_list(record)")]
    cells = [f"c{number}" for number in range(1, Sqlite.cells + 1)]
    assert held == ["route", "seq", "removed", "expires_at", "price", "read_price", *cells]
    assert sizes.keys() <= set(indexes), "the planner is told of indexes that there are"
    assert len(sizes) == 2
