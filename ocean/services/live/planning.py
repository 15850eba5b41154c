"""What changed, for the hooks that wait for it: which deliveries are to be made of a part of the log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import orjson

from ocean.context import Caller, Ocean
from ocean.core.access import Rules
from ocean.core.drop import Drop
from ocean.core.filters import condition_of
from ocean.core.routes import ancestors
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.store import hooks
from ocean.store.engine import StatementError
from ocean.store.hooks import FAILED, PUSH, WAITING, Delivery, Hook
from ocean.store.leases import LostLeaseError
from ocean.store.query.dialects import Dialect
from ocean.store.query.fragments import Sql, joined, sql
from ocean.store.query.logical import predicate
from ocean.store.query.lower import Lowering, in_record
from ocean.store.reader import now

BATCH = 200  # drops that are looked at for one commit
TOGETHER = 50  # of them that are held, and that a filter is asked of in one question,
TOGETHER_BYTES = 8 * 1024 * 1024  # if they are not larger than this
SLOW = 1000  # milliseconds that a hook's filter may take for a page
_ASKED_IN_VAIN = ("INVALID_VALUE", "LIMIT_REACHED")  # what a filter can't be asked of; anything else is of the moment, and tried again
log = logging.getLogger("ocean.hooks")


class Page:
    """Changes that are committed together: `rows` are their deliveries to the hooks that wait."""

    def __init__(self, ocean: Ocean, waiting: list[Hook], hold: Callable[[], Awaitable[bool]]) -> None:
        """`hold` keeps the lease, or says that it is lost."""
        self._hold = hold
        self._moment = now()
        self._ocean = ocean
        self._waiting = waiting
        self._rules: dict[str, Rules] = {}
        self._spent: Counter[str] = Counter()  # milliseconds that hooks' filters took
        self.rows: list[Delivery] = []
        self.slow: list[Hook] = []  # whose filters took too long

    async def add(self, drops: list[Drop]) -> None:
        """Raises LostLeaseError, and what is of the moment: a store that is busy."""
        for hook in self._waiting:
            if hook in self.slow:
                continue
            if not await self._hold():
                raise LostLeaseError
            concerned = [drop for drop in drops if drop.seq > hook.since and hook.prefix in ancestors(drop.route)]
            if concerned:
                await self._of(hook, concerned)

    async def _of(self, hook: Hook, drops: list[Drop]) -> None:
        owner = Caller(hook.owner)
        if hook.url == PUSH:  # of what is removed nobody is notified
            drops = [drop for drop in drops if not drop.removal]
        heard = [drop for drop in drops if reading.may_hear(owner, drop, await self._rules_of(drop.route), self._moment)]
        if not hook.condition:
            self.rows += [_delivery(hook, drop) for drop in heard]
            return
        # What has a price is told of as a stub, and what is removed has nothing in it: no filter looks into them.
        kept_back = await reading.gated_among(self._ocean, owner, heard)
        asked = [drop for drop in heard if not drop.removal and drop.seq not in kept_back]
        if asked:
            begun = time.monotonic()
            await self._filtered(hook, asked)
            self._spent[hook.id] += round((time.monotonic() - begun) * 1000)
            if self._spent[hook.id] > SLOW:
                self.slow.append(hook)
                self.rows.append(_failed(hook, asked[-1], "The hook was stopped: its filter takes too long."))

    async def _filtered(self, hook: Hook, drops: list[Drop]) -> None:
        """By the hook's filter; what it can't be asked of is a delivery that failed, so that its owner hears of it."""
        try:
            found = await _matching(self._ocean, hook.condition, drops)
        except (OceanError, StatementError) as fault:
            if isinstance(fault, OceanError) and fault.code not in _ASKED_IN_VAIN:
                raise
            if len(drops) > 1:
                half = len(drops) // 2
                await self._filtered(hook, drops[:half])
                await self._filtered(hook, drops[half:])
            else:
                self.rows.append(_failed(hook, drops[0], "The hook's filter can't be asked of it."))
            return
        self.rows += [_delivery(hook, drop) for drop in drops if drop.seq in found]

    async def _rules_of(self, route: str) -> Rules:
        if route not in self._rules:
            self._rules[route] = await self._ocean.reader.rules(route)
        return self._rules[route]


def _delivery(hook: Hook, drop: Drop) -> Delivery:
    moment = now()
    id_ = hooks.delivery_id(hook.id, drop.seq)
    return Delivery(id_, hook.id, drop.seq, hook.owner, drop.route, "", "", WAITING, 0, None, "", None, moment, moment, None)


def _failed(hook: Hook, drop: Drop, error: str) -> Delivery:
    return _delivery(hook, drop)._replace(state=FAILED, error=error, done_at=now())


async def _matching(ocean: Ocean, filter_: str, drops: list[Drop]) -> set[int]:
    """Places of those that a filter lets by, asked by the engine as a find asks it of records, of all in one question."""
    dialect = ocean.engine.dialect
    condition = Lowering(dialect, in_record).condition(predicate(condition_of(orjson.loads(filter_))))
    asked = sql("SELECT r.seq FROM ({}) r WHERE {}", joined(" UNION ALL ", [_row(dialect, drop) for drop in drops]), condition)
    return {row[0] for row in await ocean.engine.scan(asked.text, asked.values)}


def _row(dialect: Dialect, drop: Drop) -> Sql:
    text, whole = ("{}::text", "{}::bigint") if dialect.name == "postgres" else ("{}", "{}")
    return sql(
        f"SELECT {whole} AS seq, {text} AS key, {whole} AS created_at, {text} AS drop_id, {text} AS route, {text} AS source, {{}} AS body",
        drop.seq, drop.key, drop.created_at, drop.drop_id, drop.route, drop.source, Sql(dialect.json(), (drop.body(),)),
    )  # fmt: skip


async def parts(drops: AsyncIterator[Drop]) -> AsyncIterator[list[Drop]]:
    """Drops as they are read, in parts that may be held and asked about together."""
    held: list[Drop] = []
    size = 0
    async for drop in drops:
        length = len(drop.payload or "")
        if held and (len(held) >= TOGETHER or size + length > TOGETHER_BYTES):
            yield held
            held, size = [], 0
        held.append(drop)
        size += length
    if held:
        yield held
