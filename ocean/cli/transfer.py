"""`ocean import` and `ocean export`: files into a folder, and out of it."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ocean.cli.client import Client
from ocean.cli.options import as_json, fail
from ocean.cli.sending import RefusedError, Sending
from ocean.core.payloads import loads

BATCH = 1000  # records that are saved together, all or none
BATCH_BYTES = 4 * 1024 * 1024
_RECORD = frozenset(
    {"drop_id", "route", "key", "payload", "source", "created_at", "version", "expires_at", "price", "price_per_read", "owner"}
)
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][+-]?\d{1,2})?")
_GUARDED = re.compile(r"'[=+\-@\t\r]")


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("route")
@click.option("--format", "kind", type=click.Choice(["ndjson", "json", "csv"]), help="what FILE is; else by its ending")
@click.option("--from", "root", metavar="FOLDER", help="the folder that FILE was exported from; else the one of its first record")
@click.option(
    "--key", "key_field", metavar="FIELD", help="the field that is each record's key; without one, records of no export are events"
)
@click.option("--skip", default=0, metavar="N", help="leave out the first N records: those that are saved already")
@as_json
def import_(file: Path, route: str, kind: str | None, root: str | None, key_field: str | None, skip: int, as_json: bool) -> None:
    """Save the records of FILE (NDJSON, JSON or CSV) into the folder ROUTE.

    The file is looked through before anything is saved. An import that was cut off goes on where it was, nothing twice; one that ended
    and is run again saves all of it again.
    """
    chosen = kind or {".json": "json", ".csv": "csv"}.get(file.suffix.lower(), "ndjson")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()

    def batches() -> Iterator[tuple[list[dict[str, Any]], int]]:
        return _batches(file, chosen, Place(route, root), key_field, skip)

    size = file.stat().st_size
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Sending(Client(), [digest, route, root, key_field, chosen, skip]) as sending,
        Progress(*columns, console=Console(stderr=True), transient=True, disable=as_json) as progress,
    ):
        landed = sending.landed
        task = progress.add_task("importing (KB)", total=size // 1024)
        seen = count = 0
        keyless = False
        _look_through(batches(), progress, size)
        try:
            for number, (ops, length) in enumerate(batches()):
                if number >= landed:
                    sending.send(number, skip + count, ops)
                count += len(ops)
                keyless = keyless or any("key" not in op for op in ops)
                seen += length
                progress.update(task, completed=min(seen, size) // 1024)
            sending.end()
        except RefusedError as refused:
            progress.stop()
            fail(refused.told(route), 1)
    if as_json:
        click.echo(json.dumps({"route": route, "records": count}))
        return
    click.echo(f"{count} records are in {route}." + (f" {min(landed * BATCH, count)} of them were there from before." if landed else ""))
    if keyless and count:
        click.echo("They have no keys: each import adds them again. A field that names them makes them records: --key FIELD", err=True)


def _look_through(batches: Iterable[tuple[list[dict[str, Any]], int]], progress: Progress, size: int) -> None:
    """Reads all of them once: what is no record ends the program before anything is saved."""
    task = progress.add_task("looking through (KB)", total=size // 1024)
    seen = 0
    for _, length in batches:
        seen += length
        progress.update(task, completed=min(seen, size) // 1024)
    progress.remove_task(task)


class Place:
    """Where records go: a folder's own into `route`, those beneath it beneath that."""

    def __init__(self, route: str, root: str | None) -> None:
        self.route = route
        self._root = root

    def of(self, exported: object, number: int) -> str:
        if not isinstance(exported, str) or not exported:
            return self.route
        if self._root is None:
            self._root = exported
        if exported != self._root and not exported.startswith(self._root + "/"):
            fail(f"Record {number} is of {exported!r}, which is not beneath {self._root!r}. Say what was exported: --from FOLDER.", 1)
        return self.route + exported[len(self._root) :]


def _batches(file: Path, kind: str, place: Place, key_field: str | None, skip: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """Operations of a bulk, and about how many bytes of the file they are."""
    ops: list[dict[str, Any]] = []
    length = 0
    for number, (record, size) in enumerate(_records(file, kind), 1):
        length += size
        if number <= skip:
            continue
        op = _op(record, place, key_field, number)
        if op is None:
            continue
        ops.append(op)
        if len(ops) >= BATCH or length >= BATCH_BYTES:
            yield ops, length
            ops, length = [], 0
    if ops:
        yield ops, length


def _records(file: Path, kind: str) -> Iterator[tuple[Any, int]]:
    if kind == "json":
        whole = _loads(file.read_bytes(), file, 1)
        for item in whole if isinstance(whole, list) else [whole]:
            yield item, file.stat().st_size // max(1, len(whole) if isinstance(whole, list) else 1)
    elif kind == "csv":
        texts = _texts(_csv(file))
        for row in _csv(file):
            yield (
                {name: value for name, cell in row.items() if (value := _value(cell, name in texts)) is not None},
                sum(len(str(cell)) + 1 for cell in row.values()),
            )
    else:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _loads(line, file, number), len(line)


def _csv(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV by its first line's names. What is no such table ends the program with the line at fault."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text, strict=True, delimiter=_separator(file))
        try:
            names = next(reader, [])
            if twice := [name for name in names if names.count(name) > 1]:
                fail(f"{file} has the column {twice[0]!r} twice.", 1)
            for row in reader:
                if row and len(row) != len(names):
                    fail(f"{file}, line {reader.line_num}, has {len(row)} cells; its first line has {len(names)}.", 1)
                if row:
                    yield dict(zip(names, row, strict=True))
        except csv.Error as fault:
            fail(f"{file}, line {reader.line_num}, is not CSV: {fault}.", 1)
        except UnicodeDecodeError:
            fail(f"{file} is not UTF-8. Save it as UTF-8, or convert it: iconv -f LATIN1 -t UTF-8", 1)


def _separator(file: Path) -> str:
    """What stands between the cells: a comma, or what a first line without one has more of, as spreadsheets of many countries write it."""
    with file.open("rb") as opened:
        first = opened.readline(1024 * 1024)
    signs = {sign: first.count(sign.encode()) for sign in (",", ";", "\t")}
    return "," if signs[","] else max(signs, key=lambda sign: signs[sign])


def _loads(text: bytes, file: Path, line: int) -> Any:
    try:
        return loads(text.decode())  # whole numbers of any size as they are
    except ValueError as fault:
        fail(f"{file}, line {line}, is not JSON: {fault}.", 1)


def _texts(rows: Iterable[dict[str, str]]) -> set[str]:
    """The columns of a CSV that hold text: a number among words is one of them, as a house's number or a code is."""
    found: set[str] = set()
    for row in rows:
        for name, cell in row.items():
            if name not in found and isinstance(_value(cell), str):
                found.add(name)
    return found


def _value(cell: str, text: bool = False) -> Any:
    """A cell of a CSV as JSON: numbers, true and false as such unless its column holds text, nothing where it is empty."""
    if cell == "":
        return None
    if text and cell[0] not in "{[":
        return cell[1:] if _GUARDED.match(cell) else cell
    if cell in ("true", "false"):
        return cell == "true"
    if _NUMBER.fullmatch(cell):
        return json.loads(cell)
    if cell[0] in "{[":
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell[1:] if _GUARDED.match(cell) else cell


def _op(record: Any, place: Place, key_field: str | None, number: int) -> dict[str, Any] | None:
    """A line of an export as the record that it was, None where its time is over; anything else as a payload."""
    if isinstance(record, dict) and "payload" in record and set(record) <= _RECORD:
        own = {name: record[name] for name in ("key", "price", "price_per_read") if record.get(name) is not None}
        if record.get("expires_at"):
            own["ttl"] = _left(record["expires_at"], number)
            if own["ttl"] <= 0:
                return None
        return {"op": "save", "route": place.of(record.get("route"), number), **own, "payload": record["payload"]}
    if not isinstance(record, dict):
        return {"op": "save", "route": place.route, "payload": record}
    field = key_field or ("_key" if record.get("_key") is not None else None)
    if field is not None and record.get(field) is None:
        fail(f"Record {number} has no field {field!r} to be its key.", 1)
    named = {"key": str(record[field])} if field is not None else {}
    payload = dict(record)
    root = payload.pop("_route", None)
    payload.pop("_key", None)
    payload.pop("_created_at", None)
    return {"op": "save", "route": place.of(root, number), **named, "payload": payload}


def _left(expires_at: object, number: int) -> int:
    """Seconds until a time that an export wrote."""
    try:
        return ceil((datetime.fromisoformat(str(expires_at)) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        fail(f"Record {number} has an expires_at that is no time with a zone: {str(expires_at)[:40]!r}.", 1)


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
        click.echo(f"{file} holds {route} ({file.stat().st_size / 1000:.1f} KB).", err=True)


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
