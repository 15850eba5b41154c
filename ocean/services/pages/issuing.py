"""Certificates for live domains: ordered, proven, fetched and renewed, one order a name, by whoever holds the lease.

What is under way is in the store: an order whose process died is gone on with by the next one. A certificate that is there stays until a
better one is; what went wrong is kept in words, beside when it is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ocean.context import Ocean
from ocean.core import certs
from ocean.core import domains as names
from ocean.egress.broker import Broker
from ocean.errors import OceanError
from ocean.services.pages.domains import look_again
from ocean.settings import listener, networks
from ocean.store import certificates, domains
from ocean.store.certificates import HTTP, TLS_ALPN, Certificate, Challenge
from ocean.store.engine import Steps
from ocean.store.leases import Lease, LostLeaseError, Tenure
from ocean.store.reader import now

if TYPE_CHECKING:
    from ocean.egress.acme import Authority, Authorization, Offer, Order

LEASE = 30.0  # seconds
AT_ONCE = 4  # orders
LOOKS = 50  # domains that are looked at in one step
BACKOFF = (60, 300, 1800, 7200, 21_600, 86_400)  # seconds before a name is tried again
WINDOW, MOST = 3 * 3_600_000, 250  # milliseconds, and orders begun in them: less than authorities take of one account
DAY, MOST_OF_ONE = 86_400_000, 50  # the same for the names of one key
PROOF, ISSUE = 120.0, 120.0  # seconds that an authority has to look for an answer, and to make a certificate
HEARD = 2.0  # seconds until every view host has heard of a challenge
LIVES = 3_600_000  # milliseconds that a challenge is kept
PAUSE = 5.0  # seconds between looks at what is due, without news
log = logging.getLogger("ocean.certificates")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order for one name."""

    name: str
    key: str
    request: bytes
    lease: Lease
    tries: int


class Issuing:
    """Looks at domains that are due and has certificates made, while this process holds the lease. `own`: names of this server that are
    to have certificates beside the domains'."""

    def __init__(self, ocean: Ocean, own: tuple[str, ...] = ()) -> None:
        self._ocean = ocean
        self._own = own
        self._tenure = Tenure(ocean.engine, "certificates", LEASE)
        self._orders: dict[str, asyncio.Task[None]] = {}
        self._authority: Authority | None = None
        self._broker: Broker | None = None
        self._opening = asyncio.Lock()
        self.ended = asyncio.Event()

    async def step(self) -> float:
        """Begins what is due; after how many seconds to look again."""
        lease = await self._tenure.hold() if await self._has_work() else None
        if lease is None:
            return PAUSE
        self.ended.clear()
        await asyncio.gather(*(self._look(claim) for claim in await domains.due(self._ocean.engine, now(), LOOKS)))
        if listener(self._ocean.settings) is not None:
            for name in await self._wanting():
                self._begin(name, lease)
            for found in await certificates.asking(self._ocean.engine, now(), 1):
                self._begin(found.name, lease, asks=found)
        return PAUSE

    async def close(self) -> None:
        for task in self._orders.values():
            task.cancel()
        await asyncio.gather(*self._orders.values(), return_exceptions=True)
        if self._broker is not None:
            await self._broker.close()
        await self._tenure.leave()

    async def _has_work(self) -> bool:
        return bool(self._own) or bool(await self._ocean.engine.rows("SELECT 1 FROM domain LIMIT 1"))

    async def _look(self, claim: domains.Domain) -> None:
        try:
            await look_again(self._ocean, claim)
        except OceanError as fault:
            log.warning("%s was not looked at: %s", claim.name, fault)

    async def _wanting(self) -> list[str]:
        moment = now()
        wanted = []
        for name in self._own:
            there = await certificates.certificate(self._ocean.engine, name) or Certificate(name)
            if (not there.chain or (there.renew_at or 0) <= moment) and (there.due_at or 0) <= moment:
                wanted.append(name)
        return wanted + await certificates.wanting(self._ocean.engine, moment, AT_ONCE * 2)

    def _begin(self, name: str, lease: Lease, asks: Certificate | None = None) -> None:
        if name in self._orders or len(self._orders) >= AT_ONCE:
            return
        work = self._ask(asks, lease) if asks is not None else self._try(name, lease)
        task = self._orders[name] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._done(name))

    def _done(self, name: str) -> None:
        del self._orders[name]
        self.ended.set()

    async def _write(self, steps: Steps) -> None:
        await self._ocean.log.transact(steps)

    async def _try(self, name: str, lease: Lease) -> None:
        """One order, whatever comes of it."""
        try:
            if await self._over_budget(name, lease):
                return
            there = await certificates.certificate(self._ocean.engine, name) or Certificate(name)
            await self._order(there, lease)
        except LostLeaseError:
            log.warning("another process goes on with the certificate of %s", name)
        except Exception as fault:  # the store is away, or a fault of ours: the next step tries again, later
            log.exception("the certificate of %s: %r", name, fault)

    async def _over_budget(self, name: str, lease: Lease) -> bool:
        moment = now()
        everybody, _ = await certificates.ordered_since(self._ocean.engine, moment - WINDOW, name)
        _, owners = await certificates.ordered_since(self._ocean.engine, moment - DAY, name)
        if everybody < MOST and (owners < MOST_OF_ONE or name in self._own):
            return False
        says = "Many certificates were ordered lately: this one waits for its turn."
        await self._write(certificates.failed(name, says, moment + 1_800_000, lease, over=False))
        return True

    async def _order(self, there: Certificate, lease: Lease) -> None:
        from ocean.egress.acme import AcmeError  # where an order is made: it takes long to import

        name, tries = there.name, there.attempts
        key = self._key(there)
        pause = BACKOFF[min(tries, len(BACKOFF) - 1)] * 1000
        wrapped = self._ocean.master.wrap(key, f"certificate {name}")
        await self._write(certificates.begun(name, wrapped, now(), now() + pause, lease))
        try:
            authority = await self._open()
            attempt = Attempt(name, key, certs.signing_request(name, key), lease, tries)
            order = await self._placed(authority, attempt, there.order_url)
            for url in order.authorizations:
                await self._prove(authority, attempt, url)
            await self._fetch(authority, attempt, order)
        except AcmeError as fault:
            if fault.stranger:
                await self._forget_account()
            wait = max(pause, int((fault.retry_after or 0) * 1000))
            log.warning("no certificate for %s: %s", name, fault)
            await self._write(certificates.failed(name, str(fault), now() + wait, lease, over=fault.over))

    def _key(self, there: Certificate) -> str:
        """The key of the order that is under way, or a new one."""
        if there.order_url:
            try:
                return self._ocean.master.unwrap(there.order_secret, f"certificate {there.name}")
            except ValueError:
                log.warning("the order of %s was begun under another master key", there.name)
        return certs.new_key()

    async def _placed(self, authority: Authority, attempt: Attempt, url: str) -> Order:
        """The order that is under way, or a new one where there is none that goes on."""
        from ocean.egress.acme import AcmeError

        if url:
            try:
                order = await authority.look(url)
                if order.status in ("pending", "ready", "processing", "valid"):
                    return order
            except AcmeError as fault:
                if not fault.over:
                    raise
        order = await authority.order(attempt.request)
        await self._write(certificates.placed(attempt.name, order.url, attempt.lease))
        return order

    async def _prove(self, authority: Authority, attempt: Attempt, url: str) -> None:
        from ocean.egress.acme import AcmeError

        found = await authority.authorization(url)
        if found.status == "valid":
            return
        if found.name != attempt.name:
            raise AcmeError(f"The certificate authority asks for {found.name[:100]}, not for {attempt.name}.", over=True)
        offer = _chosen(found, attempt.tries)
        if found.status != "pending" or offer is None:
            raise AcmeError(f"The certificate authority offers no challenge for {attempt.name} that can be answered here.", over=True)
        challenge = Challenge(offer.token, attempt.name, offer.kind, offer.answer, now() + LIVES)
        await self._write(certificates.put(challenge, attempt.lease))
        if offer.kind == TLS_ALPN:
            await asyncio.sleep(HEARD)
        await authority.answer(offer)
        await self._proven(authority, url, offer)

    async def _proven(self, authority: Authority, url: str, offer: Offer) -> None:
        from ocean.egress.acme import AcmeError

        async for _ in _until(PROOF):
            found = await authority.authorization(url)
            if found.status == "valid":
                return
            if found.status != "pending":
                said = next((one.error for one in found.offers if one.token == offer.token and one.kind == offer.kind), "")
                raise AcmeError(f"The certificate authority did not find our answer ({offer.kind}): {said or found.status}", over=True)
        raise AcmeError("The certificate authority did not look for our answer in time.")

    async def _fetch(self, authority: Authority, attempt: Attempt, order: Order) -> None:
        """Has a proven order finished, and keeps what comes of it."""
        from ocean.egress.acme import AcmeError

        finalized = False
        async for _ in _until(ISSUE):
            order = await authority.look(order.url)
            if order.status == "ready" and not finalized:
                finalized = True
                await authority.finalize(order, attempt.request)
            elif order.status == "invalid":
                raise AcmeError(f"The certificate authority gave up the order: {order.error or 'it does not say why'}", over=True)
            elif order.status == "valid" and order.certificate:
                await self._keep(attempt, await authority.chain(order))
                return
        raise AcmeError("The certificate authority did not make the certificate in time.")

    async def _keep(self, attempt: Attempt, chain: str) -> None:
        from ocean.egress.acme import AcmeError

        try:
            times = certs.check_chain(chain, attempt.name, attempt.key, certs.moment(now()))
        except ValueError as fault:
            raise AcmeError(f"The certificate authority: {fault}.", over=True) from None
        await self._write(certificates.issued(attempt.name, chain, times, now(), attempt.lease))
        log.info("a certificate for %s, until %s", attempt.name, certs.moment(times.ends).date())

    async def _ask(self, found: Certificate, lease: Lease) -> None:
        """Asks the authority when to renew (ARI); where it does not say, what was reckoned stands."""
        from ocean.egress.acme import AcmeError

        try:
            at, again = await (await self._open()).renewal(found.chain)
        except AcmeError:
            at, again = None, now() / 1000 + 3600
        try:
            renew_at = min(int(at * 1000), found.ends_at or now()) if at is not None else found.renew_at
            ask_at = max(int(again * 1000), now() + 60_000)
            await self._write(certificates.asked(found, renew_at or now(), ask_at, lease))
        except LostLeaseError:
            log.warning("another process asks when to renew %s", found.name)

    async def _open(self) -> Authority:
        """The authority, with our account at it. Raises AcmeError."""
        from ocean.egress.acme import Authority

        async with self._opening:
            if self._authority is not None:
                return self._authority
            ocean, directory = self._ocean, self._ocean.settings["OCEAN_ACME_DIRECTORY"]
            about = f"authority {directory}"
            there = await certificates.account(ocean.engine, directory)
            if there is None:
                await self._write(certificates.with_account(directory, ocean.master.wrap(certs.new_key(), about), ""))
                there = await certificates.account(ocean.engine, directory)
            assert there is not None
            self._broker = self._broker or _broker(ocean)
            authority = Authority(directory, self._broker, ocean.master.unwrap(there[0], about), there[1])
            address = await authority.open(ocean.settings["OCEAN_ACME_CONTACT"], ocean.settings["OCEAN_ACME_EAB"])
            await self._write(certificates.with_account(directory, there[0], address))
            self._authority = authority
            return authority

    async def _forget_account(self) -> None:
        """The authority does not know it (any more): it is made again."""
        async with self._opening:
            self._authority = None
            directory = self._ocean.settings["OCEAN_ACME_DIRECTORY"]
            there = await certificates.account(self._ocean.engine, directory)
            if there is not None:
                await self._write(certificates.with_account(directory, there[0], ""))


def own_names(settings: Mapping[str, str]) -> tuple[str, ...]:
    """The names of this server that want a certificate: the view host's, where it ends TLS and was given none."""
    host = (urlsplit(settings["OCEAN_VIEW_URL"]).hostname or "").lower()
    if listener(settings) is None or settings["OCEAN_TLS_CERTIFICATE"] or not host:
        return ()
    try:
        return (names.canonical(host),)
    except OceanError:  # an address, or localhost: no authority certifies it
        return ()


def _broker(ocean: Ocean) -> Broker:
    ca = ocean.settings["OCEAN_ACME_CA"]
    return Broker(networks(ocean.settings, "OCEAN_EGRESS_ALLOW"), trusts=ssl.create_default_context(cafile=ca) if ca else None)


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
