"""The predicate, asked with the rules at hand: what every read path goes through."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.drop import Drop
from ocean.errors import OceanError


def require_read(ocean: Ocean, caller: Caller, route: str, permission: str) -> access.Verdict:
    """ "allow" or "own". Raises FORBIDDEN, KEY_REQUIRED or NO_TRUST."""
    verdict = access.decide(route, caller.key, permission, ocean.reader.rules(route))
    if verdict == "deny":
        raise access.refusal(route, caller.key, permission)
    return verdict


def may_see(ocean: Ocean, caller: Caller, drop: Drop, permission: str) -> bool:
    """Whether this one drop may be shown to the caller."""
    try:
        verdict = access.decide(drop.route, caller.key, permission, ocean.reader.rules(drop.route))
    except OceanError:
        return False
    return verdict == "allow" or (verdict == "own" and caller.key is not None and drop.source == caller.key)


def denied_beneath(ocean: Ocean, caller: Caller, route: str, permission: str) -> list[str]:
    """The folders beneath `route` whose own rule keeps the caller out: a decision changes only where a rule is."""
    denied: list[str] = []
    for folder in ocean.reader.rules_beneath(route):
        if access.decide(folder, caller.key, permission, ocean.reader.rules(folder)) != "allow":
            denied.append(folder)
    return denied


def gated(caller: Caller, drop: Drop) -> bool:
    """Whether the record has a price that keeps its content from this caller: nobody but its writer, until it can be bought."""
    return drop.price is not None and drop.source != caller.key


def shown(caller: Caller, drop: Drop) -> dict[str, Any]:
    """The record as this caller may have it: whole, or the stub of a priced one."""
    record = drop.to_json()
    if not gated(caller, drop):
        return record
    return {name: record[name] for name in ("drop_id", "route", "key", "price") if name in record} | {"_gated": True}
