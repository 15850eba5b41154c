"""The domains that are live, and their certificates: in memory, and kept true by looking at what changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, TypeVar

from ocean.context import Ocean
from ocean.core.domains import main_one, sibling
from ocean.store import certificates, domains
from ocean.store.certificates import TLS_ALPN, Certificate, Challenge
from ocean.store.domains import LIVE, Domain
from ocean.store.engine import Engine
from ocean.store.reader import now

PAGE = 1000  # rows that are read at once
_Row = TypeVar("_Row", Domain, Certificate)
_Place = tuple[int, str]
log = logging.getLogger("ocean.certificates")


class Secured(NamedTuple):
    """A certificate and its key, PEM; `ends_at` in milliseconds."""

    chain: str
    key: str
    ends_at: int


class Hosting:
    """Read whole at start, then what is new. `revision` is the log's, from before the last look; `version` grows with what is taken in."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._following = asyncio.Lock()
        self.revision = -1
        self.version = 0
        self.live: dict[str, Domain] = {}
        self.certificates: dict[str, Secured] = {}
        self.challenges: dict[str, Challenge] = {}  # of TLS-ALPN, by name
        self._seen: _Place = (0, "")
        self._seen_certificates: _Place = (0, "")

    async def follow(self) -> None:
        """Takes in what changed since the last look: one at a time, or an older look would undo a newer one."""
        _, revision = await self._ocean.reader.head()
        if revision == self.revision:
            return
        async with self._following:
            _, revision = await self._ocean.reader.head()
            if revision != self.revision:
                await self._take_in()
                self.revision = revision

    async def _take_in(self) -> None:
        engine = self._ocean.engine
        async for claim in _all(engine, domains.news, self._seen, lambda row: row.id):
            self._seen = (claim.changed, claim.id)
            self.version += 1
            if claim.state == LIVE:
                self.live[claim.name] = claim
            elif (there := self.live.get(claim.name)) is not None and there.id == claim.id:
                del self.live[claim.name]
        async for found in _all(engine, certificates.news, self._seen_certificates, lambda row: row.name):
            self._seen_certificates = (found.changed, found.name)
            self.version += 1
            secured = self._read(found)
            if secured is not None:
                self.certificates[found.name] = secured
            else:
                self.certificates.pop(found.name, None)
        self.challenges = {one.name: one for one in await certificates.challenges(engine, TLS_ALPN, now())}

    def _read(self, found: Certificate) -> Secured | None:
        """None where there is none, or its key can't be read: whoever orders certificates orders it anew."""
        if not found.chain or found.ends_at is None:
            return None
        try:
            return Secured(found.chain, self._ocean.master.unwrap(found.secret, about(found.name)), found.ends_at)
        except ValueError as fault:
            log.warning("the certificate of %s can't be used: %s", found.name, fault)
            return None

    def main(self, claim: Domain) -> str:
        """The name that a domain's site is at: its own, or the one with `www.`, or without, that was added before it."""
        other = self.live.get(sibling(claim.name))
        if other is None or (other.owner, other.route) != (claim.owner, claim.route):
            return claim.name
        return main_one(claim.name, {claim.name: claim.created_at, other.name: other.created_at})

    def secured(self, name: str) -> Secured | None:
        """The certificate of a name, if there is one that holds."""
        found = self.certificates.get(name)
        return found if found is not None and found.ends_at > now() else None


def pem_of(ocean: Ocean, found: Certificate) -> bytes | None:
    """A certificate and its key as one file; None where its key can't be read."""
    try:
        return (ocean.master.unwrap(found.secret, about(found.name)) + found.chain).encode()
    except ValueError:
        return None


def about(name: str) -> str:
    """What a wrapped key of a name's certificate is wrapped for."""
    return f"certificate {name}"


async def answer_to(ocean: Ocean, token: str, host: str) -> str | None:
    """What an authority is to find at a name (RFC 8555, 8.3)."""
    found = await certificates.challenge(ocean.engine, token)
    return found.answer if found is not None and found.name == host and found.until > now() else None


async def _all(
    engine: Engine, read: Callable[[Engine, _Place, int], Awaitable[list[_Row]]], after: _Place, key: Callable[[_Row], str]
) -> AsyncIterator[_Row]:
    while rows := await read(engine, after, PAGE):
        for row in rows:
            yield row
        after = (rows[-1].changed, key(rows[-1]))
