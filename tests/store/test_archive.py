"""A backup taken on one engine is restored on any, with every version, every file, and a chain that holds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from tortoise import Model

from ocean import settings
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.services.files import blobs
from ocean.store import models
from ocean.store.archive import TABLES, ArchiveError, backup, restore
from ocean.store.blobs import Blobs
from ocean.store.schema import migrate, open_engine
from ocean.store.verify import verify
from tests.postgres import fresh_database


def quiet(part: str, done: int, of: int) -> None:
    assert 0 <= done <= of, part


async def fill(ocean: Ocean, who: Caller) -> str:
    for text in (
        'save a @1 name: "Ä" n: 1', "update a @1 n: 2", "add 5 to a @1 views", 'save a "an event"', "save b/c @x (1, 2, 3)",
        "remove b/c @x", f"share b with @{who.key} mode shared", "save t @soon 1 keep 1000", 'save p @priced "dear" price 2.5',
    ):  # fmt: skip
        await execute(ocean, who, parse(text))
    received = blobs.Received()
    await received.take(bytes(range(256)) * 100)
    answer = await blobs.upload(ocean, who, "files", "application/x-thing", received)
    received.close()
    return str(answer["drop_id"])


async def everything(ocean: Ocean) -> list[Any]:
    rows: list[Any] = []
    for table, (order, columns) in TABLES.items():
        rows += [(table, *row) for row in await ocean.engine.rows(f"SELECT {columns} FROM {table} ORDER BY {order}")]
    return rows


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
async def test_what_was_backed_up_is_there_again(
    ocean: Ocean, alice: Caller, bob: Caller, tmp_path: Path, target: str, request: pytest.FixtureRequest
) -> None:
    drop_id = await fill(ocean, alice)
    archive = io.BytesIO()
    position = await backup(ocean.engine, ocean.blobs, ocean.data, archive, quiet)
    assert position == (await ocean.reader.head())[0]
    folder = tmp_path / "again"
    folder.mkdir()
    store = fresh_database(request.getfixturevalue("postgres")) if target == "postgres" else ""
    values = settings.load({"OCEAN_DATA": str(folder), "OCEAN_STORE": store or None})
    if not store:
        await migrate(settings.store_url(values))
    engine = await open_engine(settings.store_url(values))
    archive.seek(0)
    assert await restore(engine, Blobs.open(settings.blobs_url(values)), folder, archive, quiet) == position
    assert await verify(engine) == (position, None)
    archive.seek(0)
    with pytest.raises(ArchiveError):
        await restore(engine, Blobs.open(settings.blobs_url(values)), folder, archive, quiet)
    await engine.close()
    again = await Ocean.open(values)
    try:
        assert await everything(again) == await everything(ocean)
        assert (await execute(again, alice, parse("find a where views = 5 and n = 2 then count"))) == {"count": 1}
        assert (await execute(again, bob, parse("find p then count"))) == {"count": 0}
        file = await blobs.find(again, alice, drop_id)
        assert await again.blobs.get(file.key) == bytes(range(256)) * 100
        assert again.server.public == ocean.server.public
    finally:
        await again.close()


async def test_half_a_backup_is_refused_and_leaves_nothing(ocean: Ocean, alice: Caller, tmp_path: Path) -> None:
    await fill(ocean, alice)
    whole = io.BytesIO()
    await backup(ocean.engine, ocean.blobs, ocean.data, whole, quiet)
    folder = tmp_path / "again"
    folder.mkdir()
    values = settings.load({"OCEAN_DATA": str(folder)})
    await migrate(settings.store_url(values))
    for broken in (b"", b"not a backup", whole.getvalue()[: len(whole.getvalue()) // 2]):
        engine = await open_engine(settings.store_url(values))
        with pytest.raises(ArchiveError):
            await restore(engine, Blobs.open(settings.blobs_url(values)), folder, io.BytesIO(broken), quiet)
        assert (await engine.rows("SELECT seq FROM head"))[0][0] == 0
        await engine.close()


def test_no_table_and_no_column_is_forgotten() -> None:
    """What is not carried is made again from the rest, or is of the moment."""
    made_again = {"entry", "field_cell", "field_index", "mark", "once", "challenge"}
    unsaid = {"record": {"body", "marks", *(f"c{number}" for number in range(1, 9))}, "rule": {"cells", "indexed"}}
    found = [model for model in vars(models).values() if isinstance(model, type) and issubclass(model, Model)]
    columns = {model._meta.db_table: set(model._meta.fields_db_projection.values()) for model in found}
    carried = {table: set(named.split(", ")) for table, (_, named) in TABLES.items()}
    assert {table: names - unsaid.get(table, set()) for table, names in columns.items() if table not in made_again} == carried
