"""One order at a certificate authority, from its beginning, or from where a process died in it, to the certificate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocean.context import Ocean
from ocean.core import certs
from ocean.egress.refusals import AcmeError
from ocean.store import certificates
from ocean.store.certificates import HTTP, TLS_ALPN, Certificate, Challenge
from ocean.store.leases import Lease
from ocean.store.reader import now

if TYPE_CHECKING:
    from ocean.egress.acme import Authority, Authorization, Offer, Order

PROOF, ISSUE = 120.0, 120.0  # seconds that an authority has to look for an answer, and to make a certificate
PATIENCE = 3  # attempts that one order is gone on with
HEARD = 2.0  # seconds until every view host has heard of a challenge
LIVES = 3_600_000  # milliseconds that a challenge is kept
log = logging.getLogger("ocean.certificates")


@dataclass(frozen=True, slots=True)
class Ordering:
    """`row` is the order as the store has it; `key` its key, PEM; `tries` says how often it was tried before."""

    ocean: Ocean
    authority: Authority
    row: Certificate
    key: str
    tries: int
    lease: Lease

    async def run(self) -> None:
        """Raises AcmeError, LostLeaseError."""
        request = certs.signing_request(self.row.name, self.key)
        order = await self._placed(request)
        for url in order.authorizations:
            await self._prove(url)
        await self._fetch(order, request)

    async def _placed(self, request: bytes) -> Order:
        """The order that is under way, or a new one where there is none that goes on."""
        if self.row.order_url:
            try:
                order = await self.authority.look(self.row.order_url)
                if order.status in ("pending", "ready", "processing", "valid"):
                    return order
            except AcmeError as fault:
                if not fault.over:
                    raise
        order = await self.authority.order(request)
        await self.ocean.log.transact(certificates.placed(self.row, order.url, self.lease))
        return order

    async def _prove(self, url: str) -> None:
        name = self.row.name
        found = await self.authority.authorization(url)
        if found.status == "valid":
            return
        if found.name != name:
            raise AcmeError(f"The certificate authority asks for {found.name[:100]}, not for {name}.", over=True)
        offer = _chosen(found, self.tries)
        if found.status != "pending" or offer is None:
            raise AcmeError(f"The certificate authority offers no challenge for {name} that can be answered here.", over=True)
        challenge = Challenge(offer.token, name, offer.kind, offer.answer, now() + LIVES)
        await self.ocean.log.transact(certificates.put(challenge, now(), self.lease))
        if offer.kind == TLS_ALPN:
            await asyncio.sleep(HEARD)
        await self.authority.answer(offer)
        await self._proven(url, offer)

    async def _proven(self, url: str, offer: Offer) -> None:
        async for _ in _until(PROOF):
            found = await self.authority.authorization(url)
            if found.status == "valid":
                return
            if found.status != "pending":
                said = next((one.error for one in found.offers if one.token == offer.token and one.kind == offer.kind), "")
                raise AcmeError(f"The certificate authority did not find our answer ({offer.kind}): {said or found.status}", over=True)
        raise AcmeError("The certificate authority did not look for our answer in time.")

    async def _fetch(self, order: Order, request: bytes) -> None:
        """Has a proven order finished, and keeps what comes of it."""
        finalized = False
        async for _ in _until(ISSUE):
            order = await self.authority.look(order.url)
            if order.status == "ready" and not finalized:
                finalized = True
                await self.authority.finalize(order, request)
            elif order.status == "invalid":
                raise AcmeError(f"The certificate authority gave up the order: {order.error or 'it does not say why'}", over=True)
            elif order.status == "valid" and order.certificate:
                await self._keep(await self.authority.chain(order))
                return
        raise AcmeError("The certificate authority did not make the certificate in time.", over=self.tries >= PATIENCE)

    async def _keep(self, chain: str) -> None:
        try:
            times = certs.check_chain(chain, self.row.name, self.key, certs.moment(now()))
        except ValueError as fault:
            raise AcmeError(f"The certificate authority: {fault}.", over=True) from None
        kept: list[str] = []
        await self.ocean.log.transact(certificates.issued(self.row, chain, times, now(), self.lease, kept))
        for name in kept:
            log.info("a certificate for %s, until %s", name, certs.moment(times.ends).date())


def _chosen(found: Authorization, tries: int) -> Offer | None:
    """Over HTTP, which disturbs nobody; the other way each second time, for servers that are not reached at port 80."""
    kinds = (HTTP, TLS_ALPN) if tries % 2 == 0 else (TLS_ALPN, HTTP)
    offers = {offer.kind: offer for offer in found.offers}
    return next((offers[kind] for kind in kinds if kind in offers), None)


async def _until(seconds: float) -> AsyncIterator[None]:
    """Turns, ever slower, for so many seconds."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, 0.25
    while loop.time() < end:
        yield
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 5.0)
