"""Deliveries: what changed is queued for the hooks that wait for it, in the order of the log, and sent, one after another of each hook.

Planned in one transaction with the position up to which it is planned, by whoever holds the lease: nothing is left out or queued twice.
Sent at least once: what was under way when a process died is sent again, under the same id.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.drop import REMOVED, Drop, show_time
from ocean.core.filters import condition_of
from ocean.core.routes import ancestors
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.live.hooks import headers
from ocean.store import hooks, leases
from ocean.store.engine import StatementError, Steps
from ocean.store.hooks import DONE, FAILED, WAITING, Delivery, Hook, Outcome
from ocean.store.leases import Lease
from ocean.store.query.dialects import Dialect
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import predicate
from ocean.store.query.lower import Lowering, in_record
from ocean.store.reader import now

NAME = "hooks"
LEASE = 6.0  # seconds: so long nothing is sent after a process died
BATCH = 200  # drops that are looked at at once
TOGETHER = 50  # of them that a filter is asked of in one question
MAX_WAITING = 10_000  # deliveries of one owner
AT_ONCE, AT_ONCE_OF_ONE = 64, 8  # queues that are sent from side by side, and of one owner
BACKOFF = (5, 60, 300, 1800, 7200, 21600, 86400)  # seconds before a delivery is tried again
KEPT = 7 * 86_400_000  # milliseconds that it is known what came of a delivery
GONE = 410  # the receiver wants no more (Standard Webhooks)
log = logging.getLogger("ocean.hooks")


class Deliveries:
    """Plans and sends, while this process holds the lease."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._me = str(uuid_utils.uuid7())
        self._lease: Lease | None = None
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._of: Counter[str] = Counter()
        self.ended = asyncio.Event()  # a queue has been sent from: there may be room for another
        self._swept = 0.0

    async def step(self) -> bool:
        """Plans what has come, and begins to send what is due; whether there is more to plan at once."""
        if not await self._hold():
            return False
        assert self._lease is not None
        more = await self._plan(self._lease)
        await self._send()
        if time.monotonic() - self._swept > 3600:
            self._swept = time.monotonic()
            await self._ocean.engine.transact(hooks.swept(now() - KEPT), small=True)
        return more

    async def wait_until(self) -> float:
        """Seconds until the next look, if nothing happens before."""
        due = await hooks.next_due(self._ocean.engine) if self._lease is not None else None
        soonest = (due - now()) / 1000 if due is not None else LEASE / 3
        return min(max(soonest, 0.05 if self._sending else 0.01), LEASE / 3)

    async def close(self) -> None:
        """Ends what is being sent, which another process sends again, and lets the lease go."""
        for task in self._sending.values():
            task.cancel()
        await asyncio.gather(*self._sending.values(), return_exceptions=True)
        if self._lease is not None:
            await leases.release(self._ocean.engine, self._lease)

    async def _hold(self) -> bool:
        soon = now() + int(LEASE * 1000 * 2 / 3)
        if self._lease is None or self._lease.until < soon:
            seq, _ = await self._ocean.reader.head()
            self._lease = await leases.hold(self._ocean.engine, NAME, self._me, LEASE, seq)
        return self._lease is not None

    def _mine(self) -> bool:
        return self._lease is not None and self._lease.until > now()

    async def _plan(self, lease: Lease) -> bool:
        """Queues what changed behind the lease's position."""
        ocean = self._ocean
        moved = await ocean.reader.moved(lease.position, BATCH)
        if not moved:
            return False
        last = int(moved[-1][0])
        waiting = await hooks.hooks_on(ocean.engine, (folder for route in {row[1] for row in moved} for folder in ancestors(route)))
        rows: list[Delivery] = []
        if waiting:
            moment = now()
            drops = [drop async for drop in ocean.reader.at([row[0] for row in moved]) if drop.news(moment)]
            for hook in waiting:
                rows += [_delivery(hook, drop, moment) for drop in await wanted(ocean, hook, drops)]
        await ocean.engine.transact(_planned(lease, rows, last))
        self._lease = Lease(lease.name, lease.fence, last, self._lease.until if self._lease else lease.until)
        return len(moved) == BATCH

    async def _send(self) -> None:
        for queue, owner in await hooks.due(self._ocean.engine, now()):
            if len(self._sending) >= AT_ONCE:
                break
            if queue not in self._sending and self._of[owner] < AT_ONCE_OF_ONE:
                self._of[owner] += 1
                self._sending[queue] = asyncio.get_running_loop().create_task(self._drain(queue, owner))

    async def _drain(self, queue: str, owner: str) -> None:
        """Sends from one queue, in order, until nothing in it is due."""
        try:
            while self._mine():
                delivery = await hooks.first(self._ocean.engine, queue)
                if delivery is None or delivery.due_at > now():
                    break
                outcome = await attempt(self._ocean, delivery)
                await self._ocean.engine.transact(hooks.came(delivery, outcome), small=True)
        except asyncio.CancelledError:
            raise
        except Exception as fault:  # a full disk, a database away: it is found again
            log.warning("deliveries wait: %r", fault)
            await asyncio.sleep(1)
        finally:
            del self._sending[queue]
            self._of[owner] -= 1
            self.ended.set()


def _planned(lease: Lease, rows: list[Delivery], position: int) -> Steps:
    yield from leases.moves(lease, position)
    if rows:
        yield from hooks.queued(rows, MAX_WAITING, now())


def _delivery(hook: Hook, drop: Drop, moment: int) -> Delivery:
    id_ = hooks.delivery_id(hook.id, drop.seq)
    return Delivery(id_, hook.id, drop.seq, hook.owner, drop.route, "", "", WAITING, 0, None, "", None, moment, moment, None)


async def wanted(ocean: Ocean, hook: Hook, drops: list[Drop]) -> list[Drop]:
    """The changes that the hook asks for and its owner may hear of. What has a price is told of as a stub: no filter looks into it."""
    owner = Caller(hook.owner)
    found = []
    for drop in (drop for drop in drops if drop.seq > hook.since and hook.prefix in ancestors(drop.route)):
        if reading.may_see(owner, drop, "stream", await ocean.reader.rules(drop.route)):
            found.append(drop)
    if not hook.condition or not found:
        return found
    asked = [drop for drop in found if drop.kind != REMOVED and not reading.gated(owner, drop)]
    matching = await _matching(ocean, hook.condition, asked) if asked else set()
    return [drop for drop in asked if drop.seq in matching]


async def _matching(ocean: Ocean, filter_: str, drops: list[Drop]) -> set[int]:
    """Places of those that a filter lets by, asked by the engine as a find asks it of records, of all in one question."""
    dialect = ocean.engine.dialect
    condition = Lowering(dialect, in_record).condition(predicate(condition_of(orjson.loads(filter_))))
    found: set[int] = set()
    for start in range(0, len(drops), TOGETHER):
        rows = [_row(dialect, drop) for drop in drops[start : start + TOGETHER]]
        asked = sql("SELECT r.seq FROM ({}) r WHERE {}", joined(" UNION ALL ", rows), condition)
        try:
            found.update(row[0] for row in await ocean.engine.scan(asked.text, asked.values))
        except (OceanError, StatementError) as fault:  # of these it can't be asked
            log.info("a hook's filter was not answered: %s", fault)
    return found


def _row(dialect: Dialect, drop: Drop) -> Sql:
    text, whole = ("{}::text", "{}::bigint") if dialect.name == "postgres" else ("{}", "{}")
    return sql(
        f"SELECT {whole} AS seq, {text} AS key, {whole} AS created_at, {text} AS drop_id, {text} AS route, {text} AS source, {{}} AS body",
        drop.seq, drop.key, drop.created_at, drop.drop_id, drop.route, drop.source, Sql(dialect.json(), (drop.body(),)),
    )  # fmt: skip


async def attempt(ocean: Ocean, delivery: Delivery) -> Outcome:
    """Sends it once; what came of it. Whether it may be sent is asked anew: access may have been taken away, the content erased."""
    hook = await hooks.hook(ocean.engine, delivery.queue) if not delivery.url else None
    made = await _body(ocean, delivery, hook)
    if made is None:
        return _over(delivery, FAILED, "It is no longer there, or no longer yours to read, or the hook was stopped.")
    url, body, secret = made
    started = time.monotonic()
    status: int | None = None
    try:
        reply = await ocean.egress.post(url, body, headers(delivery.id, now() // 1000, body, secret))
        status = reply.status
        error = "" if 200 <= status < 300 else f"It answered {status}."
    except (EgressError, OceanError) as fault:
        error = fault.message if isinstance(fault, OceanError) else str(fault)
    took = round((time.monotonic() - started) * 1000)
    attempts = delivery.attempts + 1
    if not error:
        return Outcome(DONE, attempts, status, "", took, delivery.due_at, now())
    if status == GONE and hook is not None:
        await ocean.engine.transact(hooks.changed(hook._replace(active=0)), small=True)
    elif hook is not None and attempts <= hook.retries:
        return Outcome(WAITING, attempts, status, error, took, now() + BACKOFF[attempts - 1] * 1000, None)
    return Outcome(FAILED, attempts, status, error, took, delivery.due_at, now())


def _over(delivery: Delivery, state: str, error: str) -> Outcome:
    return Outcome(state, delivery.attempts, None, error, None, delivery.due_at, now())


async def _body(ocean: Ocean, delivery: Delivery, hook: Hook | None) -> tuple[str, bytes, str | None] | None:
    """`(address, body, secret)`, or None where nothing is to be sent any more."""
    if delivery.url:
        return delivery.url, delivery.body.encode(), None
    if hook is None or not hook.active:
        return None
    async for drop in ocean.reader.at([delivery.place]):
        if not drop.news(now()) or not reading.may_see(Caller(hook.owner), drop, "stream", await ocean.reader.rules(drop.route)):
            return None
        kind = "record.removed" if drop.kind == REMOVED else "record.saved"
        body = {"type": kind, "timestamp": show_time(drop.created_at), "data": reading.shown(Caller(hook.owner), drop)}
        try:
            secret = ocean.master.unwrap(hook.secret, hook.id) if hook.secret else None
        except ValueError:
            log.error("the secret of hook %s can't be unwrapped: was OCEAN_MASTER_KEY changed?", hook.id)
            return None
        return hook.url, orjson.dumps(body), secret
    return None


async def call(ocean: Ocean, caller: Caller, url: str, payloads: list[Any]) -> list[str]:
    """Queues a call of `url` for each payload, all or none; their ids. Raises INVALID_VALUE, LIMIT_REACHED."""
    owner = caller.required("Calling others needs a key.")
    address = ocean.egress.check(url)
    moment = now()
    bodies = [orjson.dumps({"type": "record.called", "timestamp": show_time(moment), "data": payload}).decode() for payload in payloads]
    if sum(map(len, bodies)) > MAX_BODIES:
        raise OceanError("LIMIT_REACHED", f"What is sent together has at most {MAX_BODIES // 2**20} MB.", "Send it in parts.")
    queue = f"{owner} {address.host}"
    ids: list[str] = []
    await ocean.log.transact(_called(queue, owner, str(address), bodies, moment, ids))
    ocean.log.wake()
    return ids


MAX_BODIES = 16 * 1024 * 1024  # characters that one `then call` sends


def _called(queue: str, owner: str, url: str, bodies: list[str], moment: int, ids: list[str]) -> Steps:
    last = yield from hooks.last_place(queue, owner, MAX_WAITING, len(bodies))
    rows = []
    for i, body in enumerate(bodies, last + 1):
        id_ = hooks.delivery_id(queue, i)
        ids.append(id_)
        rows.append(Delivery(id_, queue, i, owner, "", url, body, WAITING, 0, None, "", None, moment, moment, None))
    yield from hooks.queued(rows, MAX_WAITING, moment)
