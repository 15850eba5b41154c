"""Files: bytes in the object store, and the records that name them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import IO, Any

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.routes import check_route
from ocean.core.transition import Op
from ocean.errors import OceanError
from ocean.services.access.reading import gated, require
from ocean.store.reader import now

MAX_BYTES = 100 * 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """What a record says of the file it names: `{"blob": {"key", "size", "type", "sha256"}}`."""

    key: str  # blobs/ID
    size: int
    type: str
    sha256: str

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "size": self.size, "type": self.type, "sha256": self.sha256}


def reference_in(payload: Any) -> Reference | None:
    """The file that a payload names, if it does."""
    blob = payload.get("blob") if isinstance(payload, dict) else None
    if not isinstance(blob, dict):
        return None
    key, size, type_, sha256 = (blob.get(name) for name in ("key", "size", "type", "sha256"))
    if not isinstance(key, str) or not isinstance(type_, str) or not isinstance(sha256, str):
        return None
    if not key.startswith("blobs/") or not isinstance(size, int) or isinstance(size, bool):
        return None
    return Reference(key, size, media_type(type_), sha256)


def media_type(text: str) -> str:
    """A Content-Type as it may be sent back: printable, of one line, or the type that says nothing."""
    return text if 0 < len(text) <= 200 and text.isascii() and text.isprintable() and "/" in text else "application/octet-stream"


class Received:
    """An upload as it comes in: counted and digested, in memory while small, then in a file without a name."""

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self.size = 0
        self._limit = limit
        self._digest = hashlib.sha256()
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by `close`

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def take(self, piece: bytes) -> None:
        """Raises BLOB_TOO_LARGE."""
        self.size += len(piece)
        if self.size > self._limit:
            raise OceanError("BLOB_TOO_LARGE", f"The file is over {self._limit // 1024 // 1024} MB.", "Upload it in parts.")
        self._digest.update(piece)
        await asyncio.to_thread(self._file.write, piece) if self.size > _IN_MEMORY else self._file.write(piece)

    async def pieces(self) -> AsyncIterator[bytes]:
        self._file.seek(0)
        while piece := await asyncio.to_thread(self._file.read, _PIECE):
            yield piece

    def close(self) -> None:
        self._file.close()


async def keep(ocean: Ocean, owner: str, route: str, type_: str, received: Received) -> Reference:
    """Puts an upload's bytes into the object store under a new id of `owner`'s."""
    blob_id = str(uuid_utils.uuid7())
    await _put(ocean, f"blobs/{blob_id}", received.pieces())
    return await _register(ocean, blob_id, owner, route, type_, received.size, received.sha256)


async def adopt(ocean: Ocean, owner: str, route: str, type_: str, name: str, size: int, sha256: str) -> Reference:
    """The same for bytes that are in the object store already, as `name`."""
    blob_id = str(uuid_utils.uuid7())
    await ocean.blobs.copy(name, f"blobs/{blob_id}")
    return await _register(ocean, blob_id, owner, route, type_, size, sha256)


async def _put(ocean: Ocean, name: str, pieces: AsyncIterator[bytes]) -> None:
    try:
        await ocean.blobs.put(name, pieces)
    except OSError as fault:
        raise OceanError("STORAGE_FULL", "The file can't be kept: the disk may be full.", "Free space; reads go on.") from fault


async def _register(ocean: Ocean, blob_id: str, owner: str, route: str, type_: str, size: int, sha256: str) -> Reference:
    row = (blob_id, owner, route, size, media_type(type_), sha256, now())
    await ocean.log.put("INSERT INTO blob (id, owner, route, size, type, sha256, created_at) VALUES (?,?,?,?,?,?,?)", [row])
    return Reference(f"blobs/{blob_id}", size, media_type(type_), sha256)


async def upload(ocean: Ocean, caller: Caller, route: str, type_: str, received: Received) -> dict[str, Any]:
    """Keeps a file and appends the record of it, an event of `route`; its `drop_id` is the file's id too."""
    from ocean.services.data.writing import write

    check_route(route)
    if caller.key is None:
        raise OceanError("KEY_REQUIRED", "Writing needs a key.", "Send your key as X-Ocean-Key.", status=401)
    file = await keep(ocean, caller.key, route, type_, received)
    payload = orjson.dumps({"blob": file.to_json()}).decode()
    (result,) = await write(ocean, caller, [Op("save", route, None, payload, drop_id=file.key.removeprefix("blobs/"))])
    return {**result, "blob": file.to_json()}


async def find(ocean: Ocean, caller: Caller, drop_id: str) -> Reference:
    """The file of an upload's record, for who may read that record. Raises NOT_FOUND, FORBIDDEN, RATE_LIMITED."""
    drop = await ocean.reader.drop(drop_id)
    file = reference_in(orjson.loads(drop.payload)) if drop is not None and drop.payload and drop.live(now()) else None
    if drop is None or file is None:
        raise OceanError("NOT_FOUND", f"There is no file {drop_id[:60]!r}.")
    verdict = require(caller, drop.route, "entity", await ocean.reader.rules(drop.route))
    if verdict == "own" and drop.source != caller.key:
        raise OceanError("NOT_FOUND", f"There is no file {drop_id[:60]!r}.")
    if gated(caller, drop):
        raise OceanError("RATE_LIMITED", "This file has a price.", "Buy it first.")
    return file


async def check_references(ocean: Ocean, who: str, ops: Iterable[Op]) -> None:
    """A record may name a file only if its writer uploaded it, or the record names it already. Raises FORBIDDEN."""
    for op in ops:
        if op.kind == "save" and '"blobs/' in op.payload:
            file = reference_in(orjson.loads(op.payload))
        elif op.kind == "update" and "blob" in op.changes:
            file = reference_in(op.changes)
        else:
            continue
        if file is None:
            continue
        rows = await ocean.engine.rows("SELECT owner, size, sha256 FROM blob WHERE id = ?", (file.key.removeprefix("blobs/"),))
        if rows and tuple(rows[0]) == (who, file.size, file.sha256):
            continue
        current = await ocean.reader.entity(op.route, op.key) if op.key is not None else None
        if current is None or current.payload is None or reference_in(orjson.loads(current.payload)) != file:
            raise OceanError("FORBIDDEN", f"The file {file.key!r} is not this key's.", "Upload it first: POST /blob.")
