"""The predicate, asked with the rules at hand: what every read path goes through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.access import Rules, Verdict
from ocean.core.drop import Drop
from ocean.core.payloads import dumps, loads
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.store import purchases
from ocean.store.query.fragments import Sql, sql
from ocean.store.reader import Known


def require(caller: Caller, route: str, permission: str, rules: Rules) -> Verdict:
    """ "allow" or "own", by rules that were read before. Raises FORBIDDEN, KEY_REQUIRED or NO_TRUST."""
    verdict = access.decide(route, caller.key, permission, rules)
    if verdict == "deny":
        raise access.refusal(route, caller.key, permission)
    return verdict


async def require_read(ocean: Ocean, caller: Caller, route: str, permission: str) -> Verdict:
    """The same, by the rules as they are now."""
    return require(caller, route, permission, await ocean.reader.rules(route))


async def require_write(ocean: Ocean, caller: Caller, route: str) -> str:
    """The checked route, before work for a write begins: whether it can come to anything at all. The log decides again, under its lock.

    Raises KEY_REQUIRED, FORBIDDEN, NO_TRUST or INVALID_ROUTE.
    """
    route = check_route(route)
    who = caller.writer("Writing needs a key.")
    if access.decide(route, who, "drop", await ocean.reader.rules(route)) == "deny":
        raise access.refusal(route, who, "drop")
    return route


def may_see(caller: Caller, drop: Drop, permission: str, rules: Rules) -> bool:
    """Whether this one drop may be shown to the caller."""
    try:
        verdict = access.decide(drop.route, caller.key, permission, rules)
    except OceanError:
        return False
    return verdict == "allow" or (verdict == "own" and caller.key is not None and drop.owner == caller.key)


def may_hear(caller: Caller, drop: Drop, rules: Rules, moment: int) -> bool:
    """Whether the caller may be told of this change, at a moment: it is still there to tell of, and theirs to follow."""
    return drop.news(moment) and may_see(caller, drop, "stream", rules)


async def allowed(ocean: Ocean, caller: Caller, route: str, permission: str, known: Known | None = None) -> tuple[Verdict, list[str]]:
    """The verdict on a folder, and the folders beneath it whose own rule keeps the caller out: a decision changes only where a rule is. By
    one look at the rules. Raises as `require` does, and LIMIT_REACHED where too many are closed."""
    known = known or await ocean.reader.known(route)
    verdict = require(caller, route, permission, known.rules)
    if access.holds_private(route, caller.key, known.rules):
        return verdict, []
    closed = await ocean.reader.closed_beneath(route, caller.key, known.at)
    return verdict, [folder for folder, rule in closed if access.narrows(rule, caller.key, permission)]


async def gated(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    """Whether the record has a price that keeps its content from this caller: from all but its owner and who has bought it."""
    return bool(await gated_among(ocean, caller, (drop,)))


async def gated_among(ocean: Ocean, caller: Caller, drops: Sequence[Drop]) -> set[int]:
    """The places of those drops that are kept from the caller so; one question for all of them."""
    priced = [drop for drop in drops if not drop.price.free and drop.owner != caller.key]
    if not priced:
        return set()
    bought = await purchases.bought_among(ocean.engine, caller.key, priced) if caller.key is not None else set()
    return {drop.seq for drop in priced if drop.item not in bought}


async def ungated(ocean: Ocean, keys: Collection[str | None], drop: Drop) -> set[str | None]:
    """Those of some keys that `gated` keeps nothing of a priced record from."""
    others = [key for key in keys if key is not None and key != drop.owner]
    return {*await purchases.buyers_among(ocean.engine, others, drop.item, drop.owner), *({drop.owner} & set(keys))}


def affordable(caller: Caller, table: str = "r") -> Sql:
    """The same as a condition on a row of `record` or `drops`: priced records of others are left out, since what can't be seen can't be
    filtered, sorted or counted by."""
    free = f"{table}.price IS NULL AND {table}.read_price IS NULL"
    if caller.key is None:
        return Sql(f"({free})")
    return sql(f"(({free}) OR {table}.owner = {{}} OR {{}})", caller.key, purchases.bought_by(caller.key, table))


async def shown(ocean: Ocean, caller: Caller, drop: Drop) -> dict[str, Any]:
    """The record as this caller may have it: whole, or the stub of a priced one."""
    return (await all_shown(ocean, caller, (drop,)))[0]


async def all_shown(ocean: Ocean, caller: Caller, drops: Sequence[Drop]) -> list[dict[str, Any]]:
    """The same of many."""
    kept = await gated_among(ocean, caller, drops)
    return [stub(drop) if drop.seq in kept else drop.to_json() for drop in drops]


def stub(drop: Drop) -> dict[str, Any]:
    """What is told of a record to who has not bought it: where it is, what it costs, and what its writer shows of it (`_preview`)."""
    told: dict[str, Any] = {"drop_id": drop.drop_id, "route": drop.route, "key": drop.key, **drop.price.shown(), "_gated": True}
    if '"_preview"' in (drop.payload or "") and isinstance(body := loads(drop.body()), dict) and "_preview" in body:
        preview = body["_preview"]
        told["preview"] = preview if isinstance(preview, str) else orjson.Fragment(dumps(preview).encode())  # numbers of any size
    return {name: value for name, value in told.items() if value is not None}
