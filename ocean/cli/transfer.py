"""`ocean import` and `ocean export`: files into a folder, and out of it."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ocean.cli.client import Client
from ocean.cli.options import as_json, fail
from ocean.cli.reading import Batch, Place, batches
from ocean.cli.sending import HalfError, RefusedError, Sending


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("route")
@click.option("--format", "kind", type=click.Choice(["ndjson", "json", "csv"]), help="what FILE is; else by its ending")
@click.option("--from", "root", metavar="FOLDER", help="the folder that FILE was exported from; else the one of its first record")
@click.option(
    "--key", "key_field", metavar="FIELD", help="the field that is each record's key; without one, records of no export are events"
)
@click.option("--anew", is_flag=True, help="from the beginning, though a part of FILE as it was before is in ROUTE")
@click.option("--skip", default=0, metavar="N", help="leave out the first N records: those that are saved already")
@as_json
def import_(
    file: Path, route: str, kind: str | None, root: str | None, key_field: str | None, anew: bool, skip: int, as_json: bool
) -> None:
    """Save the records of FILE (NDJSON, JSON or CSV) into the folder ROUTE.

    Whether the file can be read is looked at before anything is saved. An import that was cut off goes on where it was, nothing twice; if
    the file is another by then, it says so. One that ended and is run again saves all of it again.
    """
    chosen = kind or {".json": "json", ".csv": "csv"}.get(file.suffix.lower(), "ndjson")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()

    def all_of_it() -> Iterator[Batch]:
        return batches(file, chosen, Place(route, root), key_field, skip)

    client = Client()
    if not client.key:
        fail("An import needs a key, whose the records are: export OCEAN_KEY=... (ocean keys makes one).")
    try:
        begun = Sending(client, [file.resolve(), route], [digest, root, key_field, chosen, skip], anew=anew, instead=skip > 0)
    except HalfError as half:
        fail(
            f"The first {half.records} records of {file} are in {route} from an import that was not ended, and FILE was another then.\n"
            f"  Go on behind them with --skip {half.records}, or save all of it with --anew.", 1
        )  # fmt: skip
    gc.freeze()  # what is loaded by now stays: the collector need not walk it with every batch
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    count = there = 0
    keyless = False
    with (
        begun as sending,
        Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress,
    ):
        landed = sending.landed
        for _ in _shown(all_of_it(), progress, "looking through (KB)", file):
            pass  # what is no record ends the program before anything is saved
        try:
            for number, batch in enumerate(_shown(all_of_it(), progress, "importing (KB)", file)):
                if number >= landed:
                    sending.send(number, batch)
                else:
                    there += len(batch.ops)
                count += len(batch.ops)
                keyless = keyless or any("key" not in op for op in batch.ops)
            sending.end()
        except RefusedError as refused:
            progress.stop()
            fail(refused.told(route), 1)
    if as_json:
        click.echo(json.dumps({"route": route, "records": count}))
        return
    click.echo(
        f"{count} record{'' if count == 1 else 's'} of {file.name} {'is' if count == 1 else 'are'} saved in {route}."
        + (f" {there} of them were there from before." if there else "")
    )
    if keyless:
        click.echo("They have no keys: each import adds them again. A field that names them makes them records: --key FIELD", err=True)


def _shown(found: Iterable[Batch], progress: Progress, says: str, file: Path) -> Iterator[Batch]:
    """The batches, one after another, with a bar of how far it is."""
    size = file.stat().st_size
    task = progress.add_task(says, total=size // 1024)
    seen = 0
    for batch in found:
        yield batch
        seen += batch.length
        progress.update(task, completed=min(seen, size) // 1024)
    progress.remove_task(task)


@click.command()
@click.argument("route")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--format", "kind", type=click.Choice(["ndjson", "json", "csv", "sql", "mongo"]), default="ndjson", show_default=True)
@click.option("--dialect", type=click.Choice(["postgres", "mysql"]), default="postgres", show_default=True, help="of SQL")
@click.option("--all-versions", is_flag=True, help="every version of each record, not the newest alone")
@click.option("--raw", is_flag=True, help="CSV cells that a spreadsheet would take for formulas as they are")
def export(route: str, file: Path | None, kind: str, dialect: str, all_versions: bool, raw: bool) -> None:
    """Write the folder ROUTE and all beneath into FILE, or to the standard output."""
    file = None if file == Path("-") else file
    if file and not file.resolve().parent.is_dir():
        fail(f"The folder of {file} is not there.")
    asked = {"format": kind, "dialect": dialect, "latest": str(not all_versions).lower(), "raw": str(raw).lower()}
    with Client().stream("GET", f"/export/{route}", params=asked) as pieces:
        if file:
            _write(file, pieces)
        else:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    if file:
        size = file.stat().st_size
        nothing = size < 3 and file.read_bytes().strip() in (b"", b"[]")
        click.echo(f"There is nothing in {route} to export." if nothing else f"{file} holds {route} ({size / 1000:.1f} KB).", err=True)


def _write(file: Path, pieces: Iterable[bytes]) -> None:
    """All of it, or what was there before."""
    part = file.with_name(file.name + ".part")
    try:
        with part.open("wb") as target:
            for piece in pieces:
                target.write(piece)
        part.replace(file)
    except OSError as fault:
        fail(f"{file} can't be written: {fault.strerror}.", 1)
    finally:
        part.unlink(missing_ok=True)


COMMANDS = (import_, export)
