"""What a file holds for an import: records of NDJSON, JSON or CSV as operations of bulks."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from ocean.cli.options import fail
from ocean.core.payloads import loads

BATCH = 1000  # records that are saved together, all or none
BATCH_BYTES = 4 * 1024 * 1024
_RECORD = frozenset(
    {"drop_id", "route", "key", "payload", "source", "created_at", "version", "expires_at", "price", "price_per_read", "owner"}
)
csv.field_size_limit(64 * 1024 * 1024)  # characters of a cell; a record is refused by the server, and says why
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,17})?([eE][+-]?\d{1,2})?")
_GUARDED = re.compile(r"'[=+\-@\t\r]")


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


class Batch(NamedTuple):
    """Records of a file that are saved together, all or none; those whose time is over are in it, and not among its operations."""

    first: int  # how many records of the file come before
    records: int
    ops: list[dict[str, Any]]
    numbers: list[int]  # of each operation the record of the file that it is
    length: int  # about how many bytes of the file it is


def batches(file: Path, kind: str, place: Place, key_field: str | None, skip: int) -> Iterator[Batch]:
    """The same ones each time, whatever has expired meanwhile: an import that was cut off goes on by their numbers."""
    ops: list[dict[str, Any]] = []
    numbers: list[int] = []
    first, length, number = skip, 0, skip
    key_name = "_key" if kind == "csv" else key_field or "_key"
    for number, (record, size) in enumerate(_records(file, kind, key_field), 1):
        if number <= skip:
            continue
        length += size
        op = _op(record, place, key_name, number, wanted=key_field)
        if op is not None:
            ops.append(op)
            numbers.append(number)
        if number - first >= BATCH or length >= BATCH_BYTES:
            yield Batch(first, number - first, ops, numbers, length)
            ops, numbers, first, length = [], [], number, 0
    if number > first:
        yield Batch(first, number - first, ops, numbers, length)


def _records(file: Path, kind: str, key_field: str | None) -> Iterator[tuple[Any, int]]:
    if kind == "json":
        whole = _loads(file.read_bytes(), file, 1)
        for item in whole if isinstance(whole, list) else [whole]:
            yield item, file.stat().st_size // max(1, len(whole) if isinstance(whole, list) else 1)
    elif kind == "csv":
        texts = _texts(_csv(file))
        for row in _csv(file):
            record = {name: value for name, cell in row.items() if (value := _value(cell, name in texts)) is not None}
            own = {"_key": row.get(key_field or "_key"), "_route": row.get("_route")}  # names, whatever they look like
            record |= {name: _unguarded(cell) for name, cell in own.items() if cell}
            yield record, sum(len(cell) + 1 for cell in row.values())
    else:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text.strip():
                    yield _loads(text.rstrip(b"\r\n"), file, number), len(line)


def _csv(file: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV by its first line's names. What is no such table ends the program with the line at fault."""
    with file.open(newline="", encoding="utf-8-sig") as text:
        reader = csv.reader(text, strict=True, delimiter=_separator(file))
        try:
            names = next(reader, [])
            if twice := [name for name, times in Counter(names).items() if times > 1]:
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
        return loads(text)  # whole numbers of any size as they are
    except ValueError as fault:
        known = file.suffix.lower() in (".json", ".ndjson", ".jsonl")
        way = "" if known else " A file of another ending is taken for NDJSON: say what it is with --format."
        fail(f"{file}, line {line}, is not JSON: {fault}.{way}", 1)


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
        return _unguarded(cell)
    if cell in ("true", "false"):
        return cell == "true"
    if _NUMBER.fullmatch(cell):
        return json.loads(cell)
    if cell[0] in "{[":
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return _unguarded(cell)


def _unguarded(cell: str) -> str:
    """The text of a cell that an export made safe for spreadsheets."""
    return cell[1:] if _GUARDED.match(cell) else cell


def _key(value: object, number: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(f"Record {number} has a key that is neither text nor a number: {json.dumps(value)[:40]}.", 1)
    return json.dumps(value)


def _op(record: Any, place: Place, key_name: str, number: int, *, wanted: str | None) -> dict[str, Any] | None:
    """A line of an export as the record that it was, None where its time is over; anything else as a payload, without what an export
    writes beside its fields."""
    if isinstance(record, dict) and "payload" in record and set(record) <= _RECORD:
        own = {name: record[name] for name in ("key", "price", "price_per_read") if record.get(name) is not None}
        if record.get("expires_at"):
            own["ttl"] = _left(record["expires_at"], number)
            if own["ttl"] <= 0:
                return None
        return {"op": "save", "route": place.of(record.get("route"), number), **own, "payload": record["payload"]}
    if record is None:
        fail(f"Record {number} is null, which is no record.", 1)
    if not isinstance(record, dict):
        return {"op": "save", "route": place.route, "payload": record}
    key = record.get(key_name)
    if key == "" or (key is None and wanted is not None):
        fail(f"Record {number} has no field {wanted or '_key'!r} to be its key.", 1)
    root = record.pop("_route", None)
    record.pop("_key", None)
    record.pop("_created_at", None)
    op = {"op": "save", "route": place.of(root, number), "payload": record}
    if key is not None:
        op["key"] = _key(key, number)
    return op


def _left(expires_at: object, number: int) -> int:
    """Seconds until a time that an export wrote."""
    try:
        return ceil((datetime.fromisoformat(str(expires_at)) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        fail(f"Record {number} has an expires_at that is no time with a zone: {str(expires_at)[:40]!r}.", 1)
