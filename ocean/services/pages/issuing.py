"""Domains that are due are looked at, and certificates made and renewed, one order a name, by whoever holds the lease.

What is under way is in the store: an order whose process died is gone on with by the next one. A certificate that is there stays until a
better one is; what went wrong is kept in words, beside when it is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from ocean.context import Ocean
from ocean.core import certs
from ocean.egress.refusals import AcmeError
from ocean.services.pages.accounts import Account
from ocean.services.pages.domains import look_again
from ocean.services.pages.hosting import about
from ocean.services.pages.ordering import Ordering
from ocean.settings import listener
from ocean.store import certificates, domains
from ocean.store.certificates import Certificate
from ocean.store.leases import Lease, LostLeaseError, Tenure
from ocean.store.reader import now

LEASE = 30.0  # seconds
ORDERS, LOOKS = 4, 32  # that are under way at once
BACKOFF = (60, 300, 1800, 7200, 21_600, 86_400)  # seconds before a name is tried again
WINDOW, MOST = 3 * 3_600_000, 250  # milliseconds, and orders begun in them: less than authorities take of one account
KEPT_FREE, FEW = 40, 3  # more of them, for renewals, this server's own names, and keys that ordered fewer today
DAY, MOST_OF_ONE, MOST_FOR_ONE = 86_400_000, 50, 10  # the same for the names of one key, and for one name of theirs
TURN = 1_800_000  # milliseconds that one over these waits
ASK = 3600.0  # seconds until an authority is asked again when to renew, if it does not say
PAUSE = 5.0  # seconds between looks at what is due, without news
log = logging.getLogger("ocean.certificates")


class Issuing:
    """`own`: names of this server that are to have certificates beside the domains'."""

    def __init__(self, ocean: Ocean, own: tuple[str, ...] = ()) -> None:
        self._ocean = ocean
        self._own = own
        self._tenure = Tenure(ocean.engine, "certificates", LEASE)
        self._account = Account(ocean)
        self._orders: dict[str, asyncio.Task[None]] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._tidied: int | None = None  # the tenure in which what can't be used was put away
        self.ended = asyncio.Event()

    async def step(self) -> float:
        """Begins what is due; after how many seconds to look again."""
        has_work = bool(self._own) or await domains.any_there(self._ocean.engine)
        lease = await self._tenure.hold() if has_work else None
        if lease is None:
            return PAUSE
        self.ended.clear()
        await self._tidy(lease)
        for claim in await domains.due(self._ocean.engine, now(), LOOKS * 2):
            if claim.id not in self._looks and len(self._looks) < LOOKS:
                self._start(self._looks, claim.id, look_again(self._ocean, claim))
        if listener(self._ocean.settings) is not None:
            for name, owner in await self._wanting():
                if name not in self._orders and len(self._orders) < ORDERS:
                    self._start(self._orders, name, self._order(name, owner, lease))
            for found in await certificates.asking(self._ocean.engine, now(), ORDERS * 2):
                if found.name not in self._orders and len(self._orders) < ORDERS:
                    self._start(self._orders, found.name, self._ask(found, lease))
        return PAUSE

    async def idle(self) -> None:
        """Waits for what is under way."""
        await asyncio.gather(*self._orders.values(), *self._looks.values())

    async def close(self) -> None:
        under_way = [*self._orders.values(), *self._looks.values()]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._account.close()
        await self._tenure.leave()

    def _start(self, among: dict[str, asyncio.Task[None]], name: str, work: Coroutine[Any, Any, None]) -> None:
        task = among[name] = asyncio.get_running_loop().create_task(_caught(name, work))
        task.add_done_callback(lambda _: self._done(among, name))

    def _done(self, among: dict[str, asyncio.Task[None]], name: str) -> None:
        del among[name]
        self.ended.set()

    async def _tidy(self, lease: Lease) -> None:
        """Once a tenure: what is of another authority than now, and what the master key can't read any more, is made again."""
        if self._tidied == lease.fence:
            return
        await self._ocean.log.transact(certificates.of_another(self._account.directory, now(), lease))
        place, useless = (-1, ""), []
        while rows := await certificates.news(self._ocean.engine, place, 1000):
            place = (rows[-1].changed, rows[-1].name)
            useless += [row.name for row in rows if row.chain and self._key_in(row.secret, row.name) is None]
        if useless:
            await self._ocean.log.transact(certificates.useless(useless, lease))
        self._tidied = lease.fence

    def _key_in(self, wrapped: str, name: str) -> str | None:
        try:
            return self._ocean.master.unwrap(wrapped, about(name))
        except ValueError:
            return None

    async def _wanting(self) -> list[tuple[str, str]]:
        """`(name, owner)`; of this server's own names without one."""
        moment = now()
        wanted = []
        for name in self._own:
            there = await certificates.certificate(self._ocean.engine, name) or Certificate(name)
            if (not there.chain or (there.renew_at or 0) <= moment) and (there.due_at or 0) <= moment:
                wanted.append((name, ""))
        return wanted + await certificates.wanting(self._ocean.engine, moment, ORDERS * 2)

    async def _order(self, name: str, owner: str, lease: Lease) -> None:
        """One attempt, whatever comes of it."""
        ocean, moment = self._ocean, now()
        there = await certificates.certificate(ocean.engine, name) or Certificate(name)
        if await self._over_budget(there, owner):
            says = "Many certificates were ordered lately: this one waits for its turn."
            await ocean.log.transact(certificates.put_off(name, says, moment + TURN, lease))
            return
        key = self._key_in(there.order_secret, name) if there.order_url else None
        if key is None:
            key = certs.new_key()
            there = there._replace(order_url="", order_secret=ocean.master.wrap(key, about(name)))
        row = there._replace(directory=self._account.directory)
        pause = BACKOFF[min(there.attempts, len(BACKOFF) - 1)] * 1000
        await ocean.log.transact(certificates.begun(row, owner, moment, moment + pause, lease))
        try:
            await Ordering(ocean, await self._account.open(), row, key, there.attempts, lease).run()
        except LostLeaseError:
            raise
        except Exception as fault:
            told = fault if isinstance(fault, AcmeError) else AcmeError("Something went wrong here; the operator's log says what.")
            if told.stranger:
                await self._account.forget()
            wait = max(pause, int((told.retry_after or 0) * 1000))
            log.warning("no certificate for %s: %s", name, told, exc_info=fault if told is not fault else None)
            await ocean.log.transact(certificates.failed(row, str(told), now() + wait, lease, over=told.over))

    async def _over_budget(self, there: Certificate, owner: str) -> bool:
        engine, day = self._ocean.engine, now() - DAY
        of_owner = await certificates.ordered(engine, day, owner=owner)
        modest = bool(there.chain) or not owner or of_owner < FEW
        return (
            await certificates.ordered(engine, now() - WINDOW) >= (MOST + KEPT_FREE if modest else MOST)
            or await certificates.ordered(engine, day, owner=owner, name=there.name) >= MOST_FOR_ONE
            or (bool(owner) and of_owner >= MOST_OF_ONE)
        )

    async def _ask(self, found: Certificate, lease: Lease) -> None:
        """Asks the authority when to renew (ARI); where it does not say, what was reckoned stands."""
        renew_at, later = found.renew_at or now(), int((time.time() + ASK) * 1000)
        await self._ocean.log.transact(certificates.asked(found, renew_at, later, lease))  # whatever comes of it
        found = found._replace(ask_at=later)
        try:
            at, again = await (await self._account.open()).renewal(found.chain)
        except AcmeError as fault:
            log.info("when to renew %s is not known: %s", found.name, fault)
            return
        if at is not None:
            renew_at = min(int(at * 1000), found.ends_at or renew_at)
        await self._ocean.log.transact(certificates.asked(found, renew_at, max(int(again * 1000), now() + 60_000), lease))


async def _caught(name: str, work: Coroutine[Any, Any, None]) -> None:
    """What is due stays so, and is tried again: another process has the lease, the store is away, or a fault of ours."""
    try:
        await work
    except LostLeaseError:
        log.warning("another process goes on with %s", name)
    except Exception as fault:
        log.exception("%s: %r", name, fault)
