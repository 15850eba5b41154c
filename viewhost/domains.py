"""The domains that are live, and their certificates: in memory, and kept true by looking at what changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from ocean.context import Ocean
from ocean.core.domains import main_one, sibling
from ocean.store import certificates, domains
from ocean.store.certificates import TLS_ALPN, Certificate, Challenge
from ocean.store.domains import LIVE, Domain
from ocean.store.engine import Engine
from ocean.store.reader import now

PAGE = 1000  # rows that are read at once
_Row = TypeVar("_Row", Domain, Certificate)


class Domains:
    """Read whole at start, then what is new. `revision` is the log's, as it was before the last look."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self.revision = -1
        self.version = 0  # grows with what is taken in
        self.live: dict[str, Domain] = {}
        self.certificates: dict[str, Certificate] = {}
        self.challenges: dict[str, Challenge] = {}  # of TLS-ALPN, by name
        self._seen = self._seen_certificates = 0

    async def follow(self) -> None:
        """Takes in what changed since the last look."""
        _, revision = await self._ocean.reader.head()
        if revision == self.revision:
            return
        engine = self._ocean.engine
        async for claim in _all(engine, domains.news, self._seen):
            self._seen = claim.changed
            self.version += 1
            if claim.state == LIVE:
                self.live[claim.name] = claim
            elif (there := self.live.get(claim.name)) is not None and there.id == claim.id:
                del self.live[claim.name]
        async for found in _all(engine, certificates.news, self._seen_certificates):
            self._seen_certificates = found.changed
            self.version += 1
            if found.chain:
                self.certificates[found.name] = found
            else:
                self.certificates.pop(found.name, None)
        self.challenges = {one.name: one for one in await certificates.challenges(engine, TLS_ALPN, now())}
        self.revision = revision

    def main(self, claim: Domain) -> str:
        """The name that a domain's site is at: its own, or the one with `www.`, or without, that was added before it."""
        other = self.live.get(sibling(claim.name))
        if other is None or (other.owner, other.route) != (claim.owner, claim.route):
            return claim.name
        return main_one(claim.name, {claim.name: claim.created_at, other.name: other.created_at})

    def secured(self, name: str) -> bool:
        """Whether there is a certificate for a name that holds."""
        found = self.certificates.get(name)
        return found is not None and found.holds(now())


async def _all(engine: Engine, read: Callable[[Engine, int, int], Awaitable[list[_Row]]], since: int) -> AsyncIterator[_Row]:
    while rows := await read(engine, since, PAGE):
        for row in rows:
            yield row
        since = rows[-1].changed
