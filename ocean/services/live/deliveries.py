"""Deliveries: what changed is queued for the hooks that wait for it, in the order of the log, and sent, one after another of each hook.

Planned in one transaction with the position up to which it is planned, by whoever holds the lease: nothing is left out or queued twice.
Sent at least once: what was under way when a process died is sent again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.core.routes import ancestors
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.live import notifying, targets
from ocean.services.live.hooks import headers
from ocean.services.live.planning import BATCH, Page, parts
from ocean.store import hooks, leases
from ocean.store.engine import Steps
from ocean.store.hooks import DONE, FAILED, WAITING, Delivery, Head, Hook, Outcome
from ocean.store.leases import Lease, LostLeaseError
from ocean.store.reader import now

NAME = "hooks"
LEASE = 6.0  # seconds: so long nothing is sent after a process died
MAX_WAITING = 10_000  # deliveries of one owner
AT_ONCE, AT_ONCE_OF_ONE, AT_ONCE_TO_ONE = 64, 8, 8  # queues that are sent from side by side, of one owner, and to one host;
KEPT_FREE = 16  # of these for owners of whom nothing is being sent
SILENT, SILENCE = 5_000, 60.0  # milliseconds without an answer, after which a host has one place for so many seconds
TRIES = 3  # of what the server itself can't send
TURN = 1.0  # seconds that are sent from a queue before others have a turn
LOOK = 0.1  # seconds between looks at what waits, without news of it
BACKOFF = (5, 60, 300, 1800, 7200, 21600, 86400)  # seconds before a delivery is tried again
KEPT = 7 * 86_400_000  # milliseconds that it is known what came of a delivery
SWEPT = 500  # deliveries that are forgotten at once
BUSY = 503  # of a function here: it is tried again in a moment
GONE = 410  # the receiver wants no more (Standard Webhooks)
log = logging.getLogger("ocean.hooks")


class Deliveries:
    """Plans and sends, while this process holds the lease."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._me = str(uuid_utils.uuid7())
        self._lease: Lease | None = None
        self._position = 0  # up to which it is planned; written down with each delivery, and with the lease
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._of: Counter[str] = Counter()
        self._to: Counter[str] = Counter()  # by host
        self._silent: dict[str, float] = {}  # hosts that let us wait, and until when that counts
        self._next: int | None = None  # when something is due that is not being sent
        self.ended = asyncio.Event()  # a queue has been sent from: there may be room for another
        self._planned = False  # since the last look
        self._looked = 0.0
        self._skipped = False
        self._swept = 0.0

    @property
    def holds(self) -> bool:
        """Whether this process is the one that plans and sends."""
        return self._lease is not None and self._lease.until > now()

    async def step(self) -> bool:
        """Plans what has come, and begins to send what is due; whether there is more to plan at once."""
        if not await self._hold():
            return False
        try:
            more = await self._plan()
        except LostLeaseError:
            self._lease = None
            return False
        if self._due():
            await self._send()
        await self._sweep()
        return more

    def pause(self) -> float:
        """Seconds until the next look, if nothing happens before."""
        if self._skipped:
            return LOOK
        if self._next is None:
            return LEASE / 3
        return min(max((self._next - now()) / 1000, 0.01), LEASE / 3)

    async def close(self) -> None:
        """Ends what is being sent, which another process sends again, and lets the lease go."""
        for task in self._sending.values():
            task.cancel()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)
        if self._lease is not None:
            await leases.release(self._ocean.engine, replace(self._lease, position=self._position))

    def _due(self) -> bool:
        """Whether to look at what waits: at once where there is news of it, else a few times a second however fast the log moves."""
        moment = time.monotonic()
        news = self._planned or self.ended.is_set() or (self._next is not None and self._next <= now())
        self._skipped = not news and moment - self._looked < LOOK
        if not self._skipped:
            self._planned, self._looked = False, moment
            self.ended.clear()
        return not self._skipped

    async def _hold(self) -> bool:
        """Takes the lease, or holds it for longer where a third of its time is over."""
        if self._lease is not None and self._lease.until > now() + LEASE * 1000 * 2 / 3:
            return True
        first = self._lease is None
        position = (await self._ocean.reader.head())[0] if first else self._position
        self._lease = await leases.hold(self._ocean.engine, NAME, self._me, LEASE, position)
        if self._lease is not None:
            self._position = self._lease.position
        return self._lease is not None

    async def _plan(self) -> bool:
        """Queues what changed behind the position. Raises LostLeaseError."""
        ocean = self._ocean
        moved = await ocean.reader.moved(self._position, BATCH)
        if not moved:
            return False
        last = int(moved[-1][0])
        waiting = await hooks.hooks_on(ocean.engine, (folder for route in {row[1] for row in moved} for folder in ancestors(route)))
        page = Page(ocean, waiting, self._hold)
        if waiting:
            prefixes = {hook.prefix for hook in waiting}
            wanted = [row[0] for row in moved if not prefixes.isdisjoint(ancestors(row[1]))]
            async for part in parts(ocean.reader.at(wanted)):
                await page.add(part)
        if page.rows and self._lease is not None:
            await ocean.engine.transact(_planned(self._lease, page.rows, page.slow, last), quiet=True)
            self._planned = True
        self._position = last  # with nothing to deliver it need not be on disk: looked at again, it gives nothing again
        return len(moved) == BATCH

    async def _send(self) -> None:
        heads = await hooks.heads(self._ocean.engine, AT_ONCE_OF_ONE * 2)
        moment = now()
        free = [head for head in heads if head.queue not in self._sending]
        self._next = min((head.due_at for head in free if head.due_at > moment), default=None)
        for head in sorted((h for h in free if h.due_at <= moment), key=lambda h: (self._of[h.owner], h.due_at)):
            host = host_of(head)
            most_there = 1 if self._silent.get(host, 0.0) > time.monotonic() else AT_ONCE_TO_ONE
            room = AT_ONCE if not self._of[head.owner] else AT_ONCE - KEPT_FREE
            if len(self._sending) < room and self._of[head.owner] < AT_ONCE_OF_ONE and self._to[host] < most_there:
                self._of[head.owner] += 1
                self._to[host] += 1
                self._sending[head.queue] = asyncio.get_running_loop().create_task(self._drain(head, host))

    async def _drain(self, head: Head, host: str) -> None:
        """Sends from one queue, in order, until nothing in it is due, or its turn is over."""
        until = time.monotonic() + TURN
        try:
            while self.holds and time.monotonic() < until:
                delivery = await hooks.first(self._ocean.engine, head.queue)
                if delivery is None or delivery.due_at > now():
                    break
                outcome = await self._attempt(delivery)
                if outcome.took is not None and outcome.took >= SILENT and outcome.state != DONE:
                    self._silent[host] = time.monotonic() + SILENCE
                if self._lease is None:
                    break
                await self._ocean.engine.transact(_came(self._lease, delivery, outcome), quiet=True)
        except LostLeaseError:
            self._lease = None
        except Exception as fault:  # a full disk, a database away: it is found again
            log.warning("deliveries wait: %r", fault)
            await asyncio.sleep(1)
        finally:
            del self._sending[head.queue]
            for counts, name in ((self._of, head.owner), (self._to, host)):
                counts[name] -= 1
                if not counts[name]:
                    del counts[name]
            self.ended.set()

    async def _attempt(self, delivery: Delivery) -> Outcome:
        """What came of it. What goes wrong by itself is tried a few times, and then no more: nothing waits behind it for ever. Raises what
        is the store's."""
        try:
            return await attempt(self._ocean, delivery)
        except Exception as fault:
            if isinstance(fault, OceanError) or self._ocean.engine.explain(fault) is not None:
                raise
            log.exception("the delivery %s can't be sent", delivery.id)
            attempts = delivery.attempts + 1
            if attempts <= TRIES:
                return Outcome(WAITING, attempts, None, "The server could not send it.", None, now() + BACKOFF[attempts] * 1000, None)
            return Outcome(FAILED, attempts, None, "The server could not send it.", None, delivery.due_at, now())

    async def _sweep(self) -> None:
        if time.monotonic() - self._swept < 60:
            return
        self._silent = {host: until for host, until in self._silent.items() if until > time.monotonic()}
        more: list[bool] = []
        await self._ocean.engine.transact(_swept(more), quiet=True)
        if not any(more):
            self._swept = time.monotonic()


def _planned(lease: Lease, rows: list[Delivery], slow: list[Hook], position: int) -> Steps:
    yield from leases.moves(lease, position)
    yield from hooks.queued(rows, MAX_WAITING, now())
    for hook in slow:
        yield from hooks.stopped(hook.id, hook.url)


def _came(lease: Lease, delivery: Delivery, outcome: Outcome) -> Steps:
    yield from leases.holds(lease)
    yield from hooks.came(delivery, outcome)


def _swept(more: list[bool]) -> Steps:
    more.append((yield from hooks.swept(now() - KEPT, SWEPT)))


def host_of(head: Head) -> str:
    """Whom a delivery goes to; to browsers and functions, whose."""
    return head.owner if head.url.startswith(hooks.PUSH) else targets.burdened(head.url, head.owner)


async def attempt(ocean: Ocean, delivery: Delivery) -> Outcome:
    """Sends it once; what came of it. Whether it may be sent is asked anew: access may have been taken away, the content erased."""
    hook = await hooks.hook(ocean.engine, delivery.queue) if not delivery.url else None
    if delivery.url.startswith(hooks.PUSH) or (hook is not None and hook.url == hooks.PUSH):
        return await notifying.attempt(ocean, delivery, hook)
    try:
        made = await _made(ocean, delivery, hook)
    except ValueError as fault:  # what the operator can mend
        log.error("the secret of hook %s can't be unwrapped: %s", delivery.queue, fault)
        return Outcome(WAITING, delivery.attempts, None, "The server can't read the hook's secret.", None, now() + 60_000, None)
    if made is None:
        said = "It is no longer there, or no longer yours to read, or the hook was stopped."
        return Outcome(FAILED, delivery.attempts, None, said, None, delivery.due_at, now())
    started = time.monotonic()
    status, error = await _sent(ocean, delivery, made)
    took = round((time.monotonic() - started) * 1000)
    if status == BUSY:
        return Outcome(WAITING, delivery.attempts, None, error, took, now() + BACKOFF[0] * 1000, None)
    attempts = delivery.attempts + 1
    if not error:
        return Outcome(DONE, attempts, status, "", took, delivery.due_at, now())
    if status == GONE and hook is not None:
        await ocean.engine.transact(hooks.stopped(hook.id, hook.url), small=True, quiet=True)
    elif hook is not None and attempts <= hook.retries:
        return Outcome(WAITING, attempts, status, error, took, now() + round(BACKOFF[attempts - 1] * 1000), None)
    return Outcome(FAILED, attempts, status, error, took, delivery.due_at, now())


class _Made(NamedTuple):
    """What is sent: to whom, what, signed with what, and how many functions stand behind it."""

    url: str
    body: bytes
    secret: str | None
    hops: int


async def _sent(ocean: Ocean, delivery: Delivery, made: _Made) -> tuple[int | None, str]:
    """The status that the receiver answers with, and what is wrong with it; BUSY where it is to be tried again and counts for nothing."""
    function = targets.function_in(ocean, made.url)
    try:
        if function is not None:
            await targets.call(ocean, delivery.owner, function, made.body, made.hops)
            return 200, ""
        signed = headers(delivery.id, now() // 1000, made.body, made.secret)
        status = (await ocean.egress.post(made.url, made.body, signed)).status
    except EgressError as fault:
        return None, str(fault)
    except OceanError as fault:
        if function is None:
            return None, fault.message
        return (BUSY if fault.temporary else fault.status), fault.message
    return status, "" if 200 <= status < 300 else f"It answered {status}."


async def _made(ocean: Ocean, delivery: Delivery, hook: Hook | None) -> _Made | None:
    """What is sent, or None where nothing is to be sent any more. Raises ValueError where the secret can't be unwrapped."""
    if delivery.url:
        return _Made(delivery.url, delivery.body.encode(), None, delivery.hops or 0)
    if hook is None or not hook.active:
        return None
    owner = Caller(hook.owner)
    async for drop in ocean.reader.at([delivery.place]):
        if not reading.may_hear(owner, drop, await ocean.reader.rules(drop.route), now()):
            return None
        kind = "record.removed" if drop.removal else "record.saved"
        body = {"type": kind, "timestamp": show_time(drop.created_at), "data": await reading.shown(ocean, owner, drop)}
        secret = ocean.master.unwrap(hook.secret, hook.id) if hook.secret else None
        return _Made(hook.url, orjson.dumps(body), secret, ocean.causes.behind(drop.drop_id))
    return None
