"""Files: bytes in the object store, and the records that name them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.core.files import Reference, media_type, reference_in
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.access.reading import gated, may_see, require_write
from ocean.services.data.writing import write
from ocean.store.reader import now

MAX_BYTES = 100 * 1024 * 1024
_IN_MEMORY = 4 * 1024 * 1024
_PIECE = 1024 * 1024


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
    """Keeps a file and appends the record of it, an event of `route`; its `drop_id` is the file's id too. A refused one leaves nothing."""
    route = await require_write(ocean, caller, route)
    assert caller.key is not None
    file = await keep(ocean, caller.key, route, type_, received)
    payload = orjson.dumps({"blob": file.to_json()}).decode()
    try:
        (result,) = await write(ocean, caller, [Op("save", route, None, payload, drop_id=file.id)])
    except BaseException:
        await asyncio.shield(forget(ocean, file))
        raise
    if result["drop_id"] != file.id:  # an idempotency key that was used before: the file of then stands
        await forget(ocean, file)
        file = await find(ocean, caller, result["drop_id"])
    return {**result, "blob": file.to_json()}


async def forget(ocean: Ocean, file: Reference) -> None:
    """Removes a file that no record names."""
    await ocean.log.put("DELETE FROM blob WHERE id = ?", [(file.id,)])
    await ocean.blobs.remove(file.key)


async def find(ocean: Ocean, caller: Caller, drop_id: str) -> Reference:
    """The file of an upload's record, for who may read that record. Raises NOT_FOUND, FORBIDDEN, KEY_REQUIRED, RATE_LIMITED."""
    drop = await ocean.reader.drop(drop_id)
    file = reference_in(loads(drop.payload)) if drop is not None and drop.payload and drop.live(now()) else None
    if drop is None or file is None:
        raise OceanError("NOT_FOUND", f"There is no file {drop_id[:60]!r}.")
    if not may_see(caller, drop, "entity", await ocean.reader.rules(drop.route)):
        caller.writer("This file is not for everyone.")
        raise OceanError("FORBIDDEN", "This key may not read this file.")
    if await gated(ocean, caller, drop):
        raise OceanError("RATE_LIMITED", "This file has a price.", "Buy it first.")
    return file
