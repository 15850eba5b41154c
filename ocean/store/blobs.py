"""Files' bytes, in one object store: a folder, or S3 and what speaks like it. What was put is never changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url

PIECE = 1024 * 1024


class Blobs:
    """Bytes by name. A name is ours (`blobs/UUID`), never a user's text."""

    def __init__(self, store: Any, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Blobs:
        """`url` is file:///path, or s3://bucket/prefix with its credentials in the environment (AWS_*)."""
        if url.startswith("file://"):
            folder = Path(url.removeprefix("file://"))
            folder.mkdir(parents=True, exist_ok=True)
            return cls(LocalStore(prefix=folder, mkdir=True), folder)
        return cls(from_url(url))

    async def put(self, name: str, body: bytes | AsyncIterator[bytes]) -> None:
        """Whole and on disk when this returns. Raises OSError where it can't be kept."""
        try:
            await obstore.put_async(self._store, name, body)
            if self._folder is not None:  # a local store renames into place, but does not sync
                await asyncio.to_thread(_sync, self._folder / name)
        except Exception as fault:
            raise OSError(f"{name} can't be kept: {fault}") from fault

    async def get(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to `end` (exclusive). Raises FileNotFoundError."""
        if end is None:
            return bytes(await (await obstore.get_async(self._store, name)).bytes_async())
        return bytes(await obstore.get_range_async(self._store, name, start=start, end=end))

    async def pieces(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The same, in pieces, so that a large file never stands in memory."""
        while start < end:
            until = min(start + PIECE, end)
            yield await self.get(name, start, until)
            start = until

    async def copy(self, name: str, to: str) -> None:
        """Whole and on disk when this returns, as `put`."""
        await obstore.copy_async(self._store, name, to)
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / to)

    async def remove(self, name: str) -> None:
        """Without a word where it is not there."""
        with suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)

    async def names(self, prefix: str) -> list[tuple[str, float, int]]:
        """`(name, last change in seconds since the epoch, size)` of all beneath a prefix."""
        found: list[tuple[str, float, int]] = []
        async for batch in obstore.list(self._store, prefix=prefix):
            found.extend((str(m["path"]), m["last_modified"].timestamp(), int(m["size"])) for m in batch)
        return found


def _sync(path: Path) -> None:
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
