"""Backup and restore: one file (tar, zstandard) of the store's rows and its files, taken at one moment, the same for every engine.

manifest.json            {"format": 1, "version", "created_at", "position", "counts": {table: rows}}
tables/NAME-00001.ndjson each line a row as a JSON array; bytes as {"b64": "..."}
files/NAME               the object store's bytes
server.key, master.key, ocean.toml   as in the data folder
"""

from __future__ import annotations

import base64
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

from ocean import __version__
from ocean.core.drop import show_time
from ocean.core.payloads import body_of
from ocean.store.blobs import Blobs
from ocean.store.engine import Engine, Step, Steps
from ocean.store.projections import ADD_MARK, mark_rows
from ocean.store.secrets import MASTER
from ocean.store.secrets import NAME as KEY_FILE

FORMAT = 1
KEY_FILES = (KEY_FILE, MASTER)
PAGE = 200
# table -> the column that orders it, and its columns. `record.body` is left out: it follows from the drop.
TABLES: dict[str, tuple[str, str]] = {
    "drops": (
        "seq",
        "seq, drop_id, route, key, payload, source, owner, created_at, kind, version, expires_at, price, salt, digest, chain, read_price",
    ),
    "record": (
        "seq",
        "seq, route, key, drop_id, source, owner, created_at, version, expires_at, price, removed, live_seq, counters, read_price",
    ),
    "rule": ("route", "route, seq, owner, mode, rule, schema, stream, claimed_by"),
    "blob": ("id", "id, owner, route, size, type, sha256, created_at"),
    "checkpoint": ("seq", "seq, chain, created_at, public_key, signature"),
    "outbox": (
        "id",
        "id, owner, holder, recipient, subject, body, state, attempts, created_at, due_at, mailbox, sender, letter, error, done_at, host",
    ),
    "mailbox": ("name", "name, owner, created_at"),
    "mail_domain": ("id", "id, name, owner, mailbox, state, created_at, proven_at"),
    "letter": ("id", "id, mailbox, folder, message_id, thread, source, file, size, created_at"),
    "signing_key": ("selector", "selector, kind, secret, created_at"),
    "invitation": ("id", "id, uid, route, key, owner, mailbox, sequence, digest, told, created_at, due_at"),
    "feed": ("id", "id, route, owner, round, created_at"),
    "run": (
        "id",
        "id, route, author, caller, holder, kind, request, digest, state, result, error, printed, held, budget, hops, took, created_at, "
        "due_at, done_at",
    ),
    "hook": ("id", "id, owner, prefix, url, secret, active, retries, condition, created_at, since"),
    "delivery": (
        "id",
        "id, queue, place, owner, route, url, body, state, attempts, status, error, took, created_at, due_at, done_at, hops",
    ),
    "browser": ("id", "id, owner, digest, target, host, created_at"),
    "domain": ("id", "id, name, owner, route, state, created_at, proven_at, failing_at, due_at, attempts, error, changed, round"),
    "certificate": (
        "name",
        "name, chain, secret, begins_at, ends_at, renew_at, ask_at, order_url, order_secret, directory, attempts, due_at, error, changed",
    ),
    "ordering": ("id", "id, name, owner, begun_at"),
    "authority": ("directory", "directory, secret, account"),
    "transfer": ("seq", "seq, txn_id, currency, kind, payer, payee, amount, fee, about, created_at"),
    "posting": ("id", "id, account, seq, amount, balance"),
    "balance": ("account", "account, currency, holder, amount"),
    "purchase": ("id", "id, buyer, item, seller, route, key, drop_id, amount, fee, collector, created_at, refunded_at"),
    "topup": ("id", "id, owner, io, cents, currency, app, session, intent, paid_at, refunded, credited, created_at"),
    "currency": ("id", "id, name, symbol, creator, scope, max_supply, decimals, created_at"),
    "account": ("key", "key, email, audience, secret, public_id, profile, created_at"),
    "handle": ("name", "name, owner, since"),
    "scoped_key": ("id", "id, owner, digest, label, routes, permissions, created_at, expires_at"),
    "book": ("id", "id, seq"),
    "lease": ("name", "name, holder, fence, until, position"),
    "head": ("id", "id, seq, revision, access_seq, moment, chain"),
}
NUMBERED = frozenset({"head", "book", "posting"})  # whose ids are numbers
Seen = Callable[[str, int, int], None]  # what is being done, how much is done, of how much


class ArchiveError(Exception):
    """A backup that can't be taken or read; the sentence says why."""


async def backup(engine: Engine, blobs: Blobs, data: Path, target: IO[bytes], seen: Seen) -> int:
    """Writes the archive while the store is in use; the position it holds."""
    compressor = zstandard.ZstdCompressor(level=6)
    with compressor.stream_writer(target, closefd=False) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        async with engine.snapshot() as read:
            counts = {name: (await read(f"SELECT count(*) FROM {name}", ()))[0][0] for name in TABLES}
            ((position,),) = await read("SELECT seq FROM head WHERE id = 1", ())
            manifest = {"format": FORMAT, "version": __version__, "created_at": show_time(int(time.time() * 1000)), "position": position}
            _add(tar, "manifest.json", json.dumps({**manifest, "counts": counts}, indent=2).encode())
            files: list[tuple[str, int]] = []
            for table, (order, columns) in TABLES.items():
                last: Any = -1 if order == "seq" or table in NUMBERED else ""
                done = 0
                while rows := await read(
                    f"SELECT {columns} FROM {table} WHERE {order} > ? ORDER BY {order} LIMIT ?",
                    (last, PAGE),
                ):
                    _add(tar, f"tables/{table}-{done // PAGE + 1:06d}.ndjson", b"".join(_line(row) for row in rows))
                    last, done = rows[-1][0], done + len(rows)
                    seen(table, done, counts[table])
                    if table == "blob":
                        files.extend((f"blobs/{row[0]}", row[3]) for row in rows)
        total = sum(size for _, size in files)
        done = 0
        for name, size in files:
            await _add_file(tar, blobs, name, size)
            done += size
            seen("files", done, total)
        for name in (*KEY_FILES, "ocean.toml"):
            if (data / name).exists():
                _add(tar, name, (data / name).read_bytes())
    return int(position)


def _add(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(body), int(time.time()), 0o600
    tar.addfile(entry, io.BytesIO(body))


async def _add_file(tar: tarfile.TarFile, blobs: Blobs, name: str, size: int) -> None:
    import tempfile

    entry = tarfile.TarInfo(f"files/{name}")
    entry.size, entry.mtime, entry.mode = size, int(time.time()), 0o600
    with tempfile.TemporaryFile() as whole:
        async for piece in blobs.pieces(name, 0, size):
            whole.write(piece)
        whole.seek(0)
        tar.addfile(entry, whole)


def _line(row: Any) -> bytes:
    cells = [{"b64": base64.b64encode(cell).decode()} if isinstance(cell, bytes | memoryview) else cell for cell in row]
    return json.dumps(cells, ensure_ascii=False).encode() + b"\n"


def _row(line: bytes) -> tuple[Any, ...]:
    return tuple(base64.b64decode(cell["b64"]) if isinstance(cell, dict) else cell for cell in json.loads(line))


async def restore(engine: Engine, blobs: Blobs, data: Path, source: IO[bytes], seen: Seen) -> int:
    """Fills an empty store from an archive, in one transaction; the position it holds. Raises ArchiveError."""
    ((position,),) = await engine.rows("SELECT seq FROM head WHERE id = 1")
    if position:
        raise ArchiveError("the store is not empty. Restore into a new data folder: --data DIR.")
    try:
        with zstandard.ZstdDecompressor().stream_reader(source, closefd=False) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            members = iter(tar)
            manifest = _manifest(tar, next(members, None))
            loading = _Loading(engine, tar, members, manifest, seen)
            await engine.transact(loading.steps())
            await _files(tar, loading.rest, blobs, data)
    except (zstandard.ZstdError, tarfile.TarError, EOFError) as fault:
        raise ArchiveError(f"the file is not a whole backup: {fault}.") from fault
    return int(manifest["position"])


def _manifest(tar: tarfile.TarFile, entry: tarfile.TarInfo | None) -> dict[str, Any]:
    file = tar.extractfile(entry) if entry is not None and entry.name == "manifest.json" else None
    if file is None:
        raise ArchiveError("the file is not a backup: it does not begin with a manifest.")
    manifest: dict[str, Any] = json.loads(file.read())
    if manifest.get("format") != FORMAT:
        raise ArchiveError(f"the backup has format {manifest.get('format')}, and this version reads {FORMAT}.")
    return manifest


class _Loading:
    """The rows of an archive as the steps of one transaction; `rest` is what stands behind the tables."""

    def __init__(
        self, engine: Engine, tar: tarfile.TarFile, members: Iterator[tarfile.TarInfo], manifest: dict[str, Any], seen: Seen
    ) -> None:
        self._engine, self._tar, self._members, self._manifest, self._seen = engine, tar, members, manifest, seen
        self.rest: Iterator[tarfile.TarInfo] = members

    def steps(self) -> Steps:
        for table in ("head", "book"):
            if table in self._manifest["counts"]:
                yield Step(f"DELETE FROM {table}", [()])
        done = dict.fromkeys(TABLES, 0)
        for entry in self._members:
            if not entry.name.startswith("tables/"):
                self.rest = _chain(entry, self._members)
                break
            table = entry.name.removeprefix("tables/").split("-")[0]
            file = self._tar.extractfile(entry)
            if table not in TABLES or file is None:
                raise ArchiveError(f"the backup has an unknown part, {entry.name!r}.")
            columns = TABLES[table][1]
            rows = [_whole(_row(line), columns.count(",") + 1) for line in file]
            if table == "record":
                rows = yield from self._with_bodies(rows)
                columns += ", marks, body"
            signs = ["?"] * len(columns.split(","))
            if table == "record":
                signs[-1] = self._engine.dialect.json()
            yield Step(f"INSERT INTO {table} ({columns}) VALUES ({','.join(signs)})", rows)
            done[table] += len(rows)
            self._seen(table, done[table], self._manifest["counts"][table])
        if {name: count for name, count in done.items() if name in self._manifest["counts"]} != self._manifest["counts"]:
            raise ArchiveError("the backup ends too early: rows are missing.")

    def _with_bodies(self, rows: list[tuple[Any, ...]]) -> Any:
        payloads = yield Step("SELECT seq, payload FROM drops WHERE seq = ?", [(row[0],) for row in rows], reads=True)
        by_seq = dict(payloads)
        full = []
        marks: list[tuple[Any, ...]] = []
        for row in rows:
            payload, removed, counters = by_seq.get(row[0]), row[10], row[12]
            body = body_of(payload, json.loads(counters or "{}")) if payload is not None and not removed else None
            own = mark_rows(row[0], body)
            marks.extend(own)
            full.append((*row, int(bool(own)), body))
        if marks:
            yield Step(ADD_MARK, marks)
        return full


def _whole(row: tuple[Any, ...], columns: int) -> tuple[Any, ...]:
    """A row of an older version, which knew fewer columns, with nothing in those that came later."""
    return (*row, *[None] * (columns - len(row)))


def _chain(first: tarfile.TarInfo, rest: Iterator[tarfile.TarInfo]) -> Iterator[tarfile.TarInfo]:
    yield first
    yield from rest


async def _files(tar: tarfile.TarFile, entries: Iterator[tarfile.TarInfo], blobs: Blobs, data: Path) -> None:
    for entry in entries:
        file = tar.extractfile(entry)
        if file is None:
            continue
        if entry.name.startswith("files/blobs/"):
            await blobs.put(entry.name.removeprefix("files/"), file.read())
        elif entry.name in KEY_FILES:
            descriptor = os.open(data / entry.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as key:
                key.write(file.read())
        elif entry.name == "ocean.toml" and not (data / "ocean.toml").exists():
            (data / "ocean.toml").write_bytes(file.read())
