"""The operator's commands: they work on a data folder (or a store), not through a server."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ocean import settings
from ocean.cli import show
from ocean.cli.options import as_json, data, fail, load, names_a_key, store
from ocean.core import keys
from ocean.errors import OceanError

T = TypeVar("T")


@click.command("settings")
@as_json
@data
def settings_(as_json: bool, **given: str | None) -> None:
    """List every setting, its value and what it means."""
    values = load(given)
    rows = [{"name": s.name, "value": settings.shown(values, s.name), "default": s.default, "about": s.about} for s in settings.SETTINGS]
    if as_json:
        click.echo(json.dumps(rows))
        return
    show.table(rows)


@click.command("keys")
@as_json
def keys_(as_json: bool) -> None:
    """Make a key pair. It is shown once and kept nowhere."""
    pair = keys.generate()
    if as_json:
        click.echo(json.dumps({"public": pair.public, "secret": pair.secret}))
        return
    click.echo(f"public  {pair.public}\nsecret  {pair.secret}\n\nKeep the secret; then: export OCEAN_KEY={pair.secret}")


@click.command()
@data
@store
def verify(**given: str | None) -> None:
    """Check the log's chain from its first drop to its head, and every signed checkpoint on the way."""
    from ocean.store.verify import verify as check

    values = existing(given)
    with _progress() as seen:
        count, fault = with_engine(values, lambda engine: check(engine, lambda done, of: seen("checking", done, of)))
    if fault:
        fail(f"The chain does not hold: {fault}", 1)
    click.echo(f"{count} drops, and the chain holds.")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data
@store
def backup(file: Path, **given: str | None) -> None:
    """Write everything to FILE, while it runs: the log, its files, the server's key."""
    from ocean.store.archive import backup as write
    from ocean.store.blobs import Blobs

    values = existing(given)
    if file.exists():
        fail(f"{file} is there already; choose another name.")
    part = file.with_name(file.name + ".part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as target, _progress() as seen:
            blobs = Blobs.open(settings.blobs_url(values))
            position = with_engine(values, lambda engine: write(engine, blobs, Path(values["OCEAN_DATA"]), target, seen))
            target.flush()
            os.fsync(target.fileno())
        part.rename(file)
    except OSError as fault:
        part.unlink(missing_ok=True)
        fail(f"{file} can't be written: {fault.strerror or fault}.")
    size = filesize.decimal(file.stat().st_size)
    click.echo(f"{file} holds the store up to position {position} ({size}). It has the server's key: keep it safe.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data
@store
def restore(file: Path, **given: str | None) -> None:
    """Fill an empty data folder (or an empty PostgreSQL database) from FILE, and check the chain."""
    from ocean.store.archive import ArchiveError
    from ocean.store.archive import restore as read
    from ocean.store.blobs import Blobs
    from ocean.store.schema import migrate
    from ocean.store.verify import verify as check

    values = load(given)
    folder = Path(values["OCEAN_DATA"])
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(migrate(settings.store_url(values)))
    try:
        with file.open("rb") as source, _progress() as seen:
            blobs = Blobs.open(settings.blobs_url(values))
            position = with_engine(values, lambda engine: read(engine, blobs, folder, source, seen))
            _, fault = with_engine(values, lambda engine: check(engine, lambda done, of: seen("checking", done, of)))
    except ArchiveError as said:
        if made:
            shutil.rmtree(folder)
        fail(f"{file}: {said}", 1)
    if fault:
        fail(f"The restored chain does not hold: {fault}", 1)
    click.echo(f"{folder} holds the store up to position {position}, and the chain holds.")


@click.command()
@data
@store
def reindex(**given: str | None) -> None:
    """Make the search index anew from the log. The API server does so by itself where its index is missing or damaged."""
    from ocean.index.index import in_use
    from ocean.services.query.indexing import FOLDER, Indexing
    from ocean.store.reader import Reader

    values = existing(given)
    folder = Path(values["OCEAN_DATA"])
    if in_use(folder / FOLDER):
        fail("The API server has the index open: stop it first.", 1)

    async def work(engine: Any) -> int:
        indexing = Indexing(folder, engine, Reader(engine))
        try:
            return await indexing.rebuild(lambda done, of: seen("indexing", done, of))
        finally:
            await indexing.close()

    with _progress() as seen:
        position = with_engine(values, work)
    click.echo(f"The index is made anew, up to position {position}.")


@click.group("io")
def io_() -> None:
    """The operator's io: given to keys, and what came of it."""


@io_.command("grant", context_settings=names_a_key)
@click.argument("key")
@click.argument("amount", type=int)
@as_json
@data
@store
def io_grant(key: str, amount: int, as_json: bool, **given: str | None) -> None:
    """Give a KEY (or @handle, address, public_id) AMOUNT io that nobody had before. It works while the servers run."""
    from ocean.services.money.credits import grant

    told = with_ocean(existing(given), lambda ocean: grant(ocean, key, amount))
    click.echo(json.dumps(told) if as_json else f"{told['to']} was given {told['granted']} io.")


@io_.command("check")
@as_json
@data
@store
def io_check(as_json: bool, **given: str | None) -> None:
    """Check the ledger: each transfer's postings come to nothing, each balance is the sum of its postings, none is below nothing."""
    from ocean.store.ledger import faults, totals

    values = existing(given)

    async def look(engine: Any) -> tuple[list[str], dict[str, float | int]]:
        return await faults(engine), await totals(engine)

    found, sums = with_engine(values, look)
    if as_json:
        click.echo(json.dumps({"faults": found, **sums}))
    else:
        said = f"{sums['transfers']} transfers, and the ledger holds: {sums['io']} io are out, {sums['fees']} of them fees."
        click.echo("\n".join(found) or said)
    if found:
        raise SystemExit(1)


def existing(given: dict[str, str | None]) -> dict[str, str]:
    values = load(given)
    database = Path(values["OCEAN_DATA"]) / "ocean.db"
    if not values["OCEAN_STORE"] and not database.exists():
        fail(f"There is no store at {database}. Name its folder: --data DIR.")
    return values


def with_ocean(values: dict[str, str], work: Callable[[Any], Awaitable[T]]) -> T:
    """With all services, beside servers that may run."""
    from ocean.context import Ocean

    async def run() -> T:
        ocean = await Ocean.open(values)
        try:
            return await work(ocean)
        finally:
            await ocean.close()

    try:
        return asyncio.run(run())
    except OceanError as fault:
        fail(f"{fault.message} {fault.hint or ''}".strip(), 1)
    except OSError as fault:
        fail(f"The store can't be reached: {fault}.")


def with_engine(values: dict[str, str], work: Callable[[Any], Awaitable[T]]) -> T:
    from ocean.store.schema import open_engine

    async def run() -> T:
        engine = await open_engine(settings.store_url(values))
        try:
            return await work(engine)
        finally:
            await engine.close()

    try:
        return asyncio.run(run())
    except OSError as fault:
        fail(f"The store can't be reached: {fault}.")


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each part of a long work."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def seen(part: str, done: int, of: int) -> None:
            if part not in tasks:
                tasks[part] = progress.add_task(part, total=of)
            progress.update(tasks[part], completed=done, total=of)

        yield seen


COMMANDS = (settings_, keys_, io_, verify, backup, restore, reindex)
