"""Grants: what sharing a folder, and taking it back, does to its rule. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ocean.core import access
from ocean.core.access import OPEN, Rule
from ocean.errors import OceanError


def grant(route: str, who: str, key: str, mode: str | None, permissions: tuple[str, ...] | None) -> Callable[[Rule | None], Rule]:
    """The alteration that grants `key` access, taking the folder for `who` if nobody has."""

    def alter(rule: Rule | None) -> Rule:
        if rule is not None and rule.mode == OPEN:
            raise OceanError("CONFLICT", f"The folder {route!r} was left open for good.")
        if access.private_owner(route) and mode not in (None, "shared"):
            raise OceanError("INVALID_VALUE", "A private folder can only be shared with named keys (mode shared).")
        grants = {**(rule.grants if rule else {}), key: access.PERMISSIONS if permissions is None else permissions}
        if rule is None:
            return Rule(access.private_owner(route) or who, mode or "shared", grants)
        return replace(rule, mode=mode or ("shared" if rule.mode == access.CLAIMED else rule.mode), grants=grants)

    return alter


def revoke(route: str, key: str | None) -> Callable[[Rule | None], Rule | None]:
    """The alteration that takes back one grant, or the whole rule."""

    def alter(rule: Rule | None) -> Rule | None:
        if rule is None:
            raise OceanError("NOT_FOUND", f"The folder {route!r} has no access record of its own.")
        if key is None:
            return replace(rule, mode=access.CLAIMED, grants={}) if rule.claim else None
        if key not in rule.grants:
            raise OceanError("NOT_FOUND", f"The key {key!r} has no grant on {route!r}.")
        return replace(rule, grants={k: v for k, v in rule.grants.items() if k != key})

    return alter
