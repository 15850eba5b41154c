"""The predicate, asked with the rules at hand: what every read path goes through."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.access import Rules, Verdict
from ocean.core.drop import Drop
from ocean.core.routes import check_route
from ocean.errors import OceanError


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
    who = caller.required("Writing needs a key.")
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


async def denied_beneath(ocean: Ocean, caller: Caller, route: str, permission: str) -> list[str]:
    """The folders beneath `route` whose own rule keeps the caller out: a decision changes only where a rule is."""
    closed = await ocean.reader.closed_beneath(route, caller.key)
    return [folder for folder, rule in closed if access.narrows(rule, caller.key, permission)]


def gated(caller: Caller, drop: Drop) -> bool:
    """Whether the record has a price that keeps its content from this caller: nobody but its owner, until it can be bought."""
    return drop.price is not None and drop.owner != caller.key


def shown(caller: Caller, drop: Drop) -> dict[str, Any]:
    """The record as this caller may have it: whole, or the stub of a priced one."""
    if not gated(caller, drop):
        return drop.to_json()
    stub = {"drop_id": drop.drop_id, "route": drop.route, "key": drop.key, "price": drop.shown_price, "_gated": True}
    return {name: value for name, value in stub.items() if value is not None}
