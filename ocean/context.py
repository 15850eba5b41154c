"""Who asks, and what answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocean.core import keys
from ocean.store.log import Log
from ocean.store.sqlite import Reader


@dataclass(frozen=True, slots=True)
class Caller:
    """The public key that asks, or None; `made` is a pair that was made for this very request."""

    key: str | None
    ip: str = ""
    made: keys.Pair | None = None
    idempotency: str | None = None
    request_digest: str = ""


@dataclass(slots=True)
class Ocean:
    """The wired-up services of one process."""

    data: Path
    reader: Reader
    log: Log

    @classmethod
    def open(cls, data: Path) -> Ocean:
        """On a running loop; the tables must be there (`store.schema.migrate`)."""
        database = data / "ocean.db"
        log = Log(database)
        return cls(data, Reader(database), log)

    async def close(self) -> None:
        await self.log.close()
        self.reader.connection.close()
