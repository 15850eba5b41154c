"""Who asks, and what answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocean import settings as settings_
from ocean.causes import Causes
from ocean.core import keys
from ocean.core.access import Scoped
from ocean.egress.broker import Broker
from ocean.egress.dns import Dns
from ocean.errors import OceanError
from ocean.kept import Kept
from ocean.pace import Paces
from ocean.store.blobs import Blobs
from ocean.store.engine import Engine
from ocean.store.ledger import Ledger
from ocean.store.log import Log
from ocean.store.reader import Reader
from ocean.store.schema import open_engine
from ocean.store.secrets import MasterKey, ServerKey
from ocean.turns import Turns, household
from ocean.usage import Usage

if TYPE_CHECKING:
    from ocean.core.cards import Card
    from ocean.services.automate.functions import Functions
    from ocean.services.live.broadcasts import Broadcasts
    from ocean.services.query.indexing import Indexing


@dataclass(slots=True)
class Budget:
    """What one request may spend on records that are sold by the reading, in hundredths of an io; and what it has paid for."""

    left: int
    paid: set[str] = field(default_factory=set)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Caller:
    """The public key that asks, or None; `made` is a pair that was made for this very request."""

    key: str | None
    ip: str = ""
    made: keys.Pair | None = None
    idempotency: str | None = None
    request_digest: str = ""
    budget: Budget | None = None

    def writer(self, says: str, hint: str = "Send your key as X-Ocean-Key.") -> str:
        """The public key, for what the predicate decides on. Raises KEY_REQUIRED (401) with the sentence where there is none."""
        if self.key is None:
            raise OceanError("KEY_REQUIRED", says, hint, status=401)
        return self.key

    def required(self, says: str, hint: str = "Send your key as X-Ocean-Key.") -> str:
        """The same for what is the holder's own, which no scoped key has. Raises KEY_REQUIRED (401), FORBIDDEN."""
        key = self.writer(says, hint)
        if isinstance(key, Scoped):
            raise OceanError("FORBIDDEN", "This key is a scoped one: it reads and writes records, no more.", "Use the key that made it.")
        return key

    @property
    def holders(self) -> list[str]:
        """Whom a limit counts for that holds for both: the address, and the key."""
        return [holder for holder in (household(self.ip), self.key) if holder]

    @property
    def holder(self) -> str:
        """Whom a limit counts for: the address, since keys are made for the asking; a key where there is none."""
        return household(self.ip) or self.key or ""


@dataclass(slots=True)
class Ocean:
    """The wired-up services of one process."""

    settings: Mapping[str, str]
    data: Path
    engine: Engine
    reader: Reader
    log: Log
    ledger: Ledger
    blobs: Blobs
    server: ServerKey
    master: MasterKey
    turns: Turns = field(default_factory=Turns)
    views: Counter[tuple[str, str, str]] = field(
        default_factory=Counter
    )  # (route, key, owner) of embeds that were seen since the last count
    cards: dict[tuple[str, str, str | None], Card] = field(default_factory=dict)  # of records, by origin, drop and counters
    paces: Paces = field(default_factory=Paces)
    usage: Usage = field(default_factory=Usage)
    kept: Kept = field(default_factory=Kept)
    jwks: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)  # keys of issuers of ID tokens, and since when
    egress: Broker = field(default_factory=Broker)
    dns: Dns = field(default_factory=Dns)
    searching: Indexing | None = None  # in a process that searches: the API server
    live: Broadcasts | None = None  # there too
    running: Functions | None = None  # and there
    causes: Causes = field(default_factory=Causes)

    @classmethod
    async def open(cls, settings: Mapping[str, str]) -> Ocean:
        """On a running loop; the tables must be there (`store.schema.migrate`)."""
        data = Path(settings["OCEAN_DATA"])
        server = ServerKey(data)
        engine = await open_engine(settings_.store_url(settings))
        master = MasterKey(data, settings["OCEAN_MASTER_KEY"])
        egress, dns = Broker(settings_.networks(settings, "OCEAN_EGRESS_ALLOW")), Dns(settings_.server(settings))
        files = Blobs.open(settings_.blobs_url(settings))
        log, ledger = Log(engine, server.sign), Ledger(engine)
        return cls(settings, data, engine, Reader(engine), log, ledger, files, server, master, egress=egress, dns=dns)

    @property
    def indexing(self) -> Indexing:
        """Raises SERVER_BUSY in a process that does not search."""
        if self.searching is None:
            raise OceanError("SERVER_BUSY", "This process does not search.", "Ask the API server.")
        return self.searching

    @property
    def broadcasting(self) -> Broadcasts:
        """Raises SERVER_BUSY in a process that nobody listens to."""
        if self.live is None:
            raise OceanError("SERVER_BUSY", "This process does not broadcast.", "Ask the API server.")
        return self.live

    @property
    def functions(self) -> Functions:
        """Raises SERVER_BUSY in a process that runs none."""
        if self.running is None:
            raise OceanError("SERVER_BUSY", "This process runs no functions.", "Ask the API server.")
        return self.running

    async def close(self) -> None:
        """Answers what was accepted, and lets go of the store."""
        if self.running is not None:
            await self.running.close()
        await self.log.close()
        await self.ledger.close()
        if self.searching is not None:
            await self.searching.close()
        await self.egress.close()
        await self.engine.close()
