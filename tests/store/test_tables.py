"""The tables as models say them, and as migrations make them."""

from __future__ import annotations

from pathlib import Path

from tortoise import Tortoise
from tortoise.migrations.autodetector import MigrationAutodetector

from ocean.store.schema import config


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
