"""Claims of keys: what each does to the rule of the claimed key's own folder, where the claim is kept. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ocean.core.access import CLAIMED, Claim, Rule
from ocean.errors import OceanError

TYPES_MOST, LABEL_MOST = 40, 100  # characters
Alter = Callable[[Rule | None], Rule | None]


def claim(device: str, claimed: Claim) -> Alter:
    """Raises CONFLICT where somebody else has claimed the key."""

    def alter(rule: Rule | None) -> Rule:
        there = rule.claim if rule is not None else None
        if there is not None and there.by != claimed.by:
            raise OceanError("CONFLICT", f"The key {device!r} is claimed by another.", "Its owner can transfer or release it.")
        return replace(rule or Rule(device, CLAIMED), claim=replace(claimed, at=there.at) if there else claimed)

    return alter


def relabel(device: str, who: str, label: str | None, type_: str | None) -> Alter:
    """Raises FORBIDDEN where it is not theirs."""

    def alter(rule: Rule | None) -> Rule:
        there, mine = _mine(rule, device, who)
        return replace(there, claim=replace(mine, label=mine.label if label is None else label, type=mine.type if type_ is None else type_))

    return alter


def transfer(device: str, who: str, to: str, at: int) -> Alter:
    """What the old owner granted goes with it. Raises FORBIDDEN where it is not theirs."""

    def alter(rule: Rule | None) -> Rule:
        there, mine = _mine(rule, device, who)
        if to in (device, who):
            raise OceanError("INVALID_VALUE", "A key is transferred to another than its owner and itself.")
        return replace(there, mode=CLAIMED, grants={}, claim=replace(mine, by=to, at=at))

    return alter


def release(device: str, who: str) -> Alter:
    """Raises FORBIDDEN where it is not theirs."""

    def alter(rule: Rule | None) -> None:
        _mine(rule, device, who)

    return alter


def _mine(rule: Rule | None, device: str, who: str) -> tuple[Rule, Claim]:
    if rule is None or rule.claim is None or rule.claim.by != who:
        raise not_mine(device)
    return rule, rule.claim


def not_mine(device: str) -> OceanError:
    return OceanError("FORBIDDEN", f"The key {device!r} is not claimed by this one.", "GET /key/claimed lists those that are.")
