"""The one access predicate. Everything that reads or writes asks here, and nothing else decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from ocean.core.keys import is_public
from ocean.core.routes import ancestors, covers
from ocean.errors import OceanError

ACCESS_KEY = "_access"
READS = ("stream", "search", "query", "entity", "sql", "export")
PERMISSIONS = (*READS, "drop")
MODES = ("shared", "protected", "writeonly", "moderated")
OPEN = "open"  # `write public`: nobody owns it, for good
CLAIMED = "claimed"  # the rule of a key's own folder that says nothing but who has claimed the key

Verdict = Literal["allow", "own", "deny"]
Action = str  # one of PERMISSIONS, or "remove"


class Scoped(str):
    """A public key by a credential that may do a part of what the key may: it is that key, wherever this predicate allows it to be."""

    routes: tuple[str, ...]
    permissions: frozenset[str]
    expires_at: int | None  # milliseconds
    id: str

    @classmethod
    def of(cls, owner: str, id_: str, routes: Sequence[str], permissions: Sequence[str], expires_at: int | None) -> Scoped:
        made = cls(owner)
        made.id, made.routes, made.permissions, made.expires_at = id_, tuple(routes), frozenset(permissions), expires_at
        return made

    def __repr__(self) -> str:
        """Answers that are kept are kept by it: one of the key's own is none of this, nor one of what may do something else."""
        return f"Scoped({str(self)!r}, {self.id!r}, {self.routes!r}, {sorted(self.permissions)!r})"

    def may(self, route: str, action: Action) -> bool:
        """Whether what is asked lies within it. Whether the key itself may, the predicate says."""
        permission = "drop" if action == "remove" else action
        return permission in self.permissions and any(covers(folder, route) for folder in self.routes)


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose a key is by its own proof: `by` has what is in that key's folder, as the key itself has."""

    by: str
    label: str
    type: str
    at: int  # milliseconds

    def to_json(self) -> dict[str, Any]:
        return {"by": self.by, "label": self.label, "type": self.type, "at": self.at}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a folder's `_access` record says; `owner` is None for a folder left open for good."""

    owner: str | None
    mode: str
    grants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    claim: Claim | None = None

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"owner": self.owner, "mode": self.mode, "grants": {k: list(v) for k, v in self.grants.items()}}
        return told if self.claim is None else {**told, "claim": self.claim.to_json()}

    @classmethod
    def from_json(cls, payload: Mapping[str, Any]) -> Rule:
        claim = Claim(**payload["claim"]) if "claim" in payload else None
        return cls(payload["owner"], payload["mode"], {k: tuple(v) for k, v in payload["grants"].items()}, claim)


Rules = Mapping[str, Rule | None]


@lru_cache(maxsize=16384)
def first_writer_owns(route: str) -> bool:
    """Folders where each record belongs to its first writer and no folder is ever taken."""
    top = route.split("/", 1)[0]
    return (top.startswith("_") and not is_public(top)) or top in ("patterns", "views")


@lru_cache(maxsize=16384)
def private_owner(route: str) -> str | None:
    top = route.split("/", 1)[0]
    return top if is_public(top) else None


def holds_private(route: str, who: str | None, rules: Rules) -> bool:
    """Whether `route` lies in the folder of a key that `who` is, or has claimed."""
    owner = private_owner(route)
    if owner is None or who is None:
        return False
    root = rules.get(owner)
    return who == owner or (root is not None and root.claim is not None and root.claim.by == who)


def _by_rule(rule: Rule, who: str | None, action: Action) -> Verdict:
    if rule.mode == OPEN or (who is not None and who == rule.owner):
        return "allow"
    permission = "drop" if action == "remove" else action
    if who is not None and permission in rule.grants.get(who, ()):
        return "allow"
    if rule.mode == "protected":
        return "allow" if action in READS else "deny"
    if rule.mode == "writeonly":
        return "own" if action in ("drop", "remove") else "deny"
    if rule.mode == "moderated":
        return {"drop": "own", "remove": "deny"}.get(action, "allow")  # type: ignore[return-value]
    return "deny"


def narrows(rule: Rule, who: str | None, action: Action) -> bool:
    """Whether the rule alone keeps `who` from doing `action`, whatever stands above it."""
    return _by_rule(rule, who, action) != "allow"


def owners(folders: Sequence[str], rules: Rules) -> list[str | None]:
    """Whose each folder of a path is, the top one first: the owner of the nearest rule at it or above it."""
    found: list[str | None] = []
    owner = private_owner(folders[0]) if folders else None
    for folder in folders:
        rule = rules.get(folder)
        owner = rule.owner if rule is not None else owner
        found.append(owner)
    return found


_ORDER: dict[Verdict, int] = {"allow": 0, "own": 1, "deny": 2}


def decide(route: str, who: str | None, action: Action, rules: Rules) -> Verdict:
    """Whether `who` (a public key or None) may do `action` in `route`.

    `rules` holds the rule, or None, of each ancestor of `route`. "own" allows only records that the caller first wrote, and
    new ones. A child may narrow what its ancestors grant, never widen it.
    """
    if isinstance(who, Scoped) and not who.may(route, action):
        return "deny"
    top = route.split("/", 1)[0]
    if top == "trust":
        return "deny" if action in READS else "own"
    if first_writer_owns(route):
        if top == "_webhooks" or top == "_memory":
            return "own"
        return "allow" if action in READS else "own"
    chain = [rule for folder in ancestors(route) if (rule := rules.get(folder)) and rule.mode != CLAIMED]
    if private_owner(route) is not None:
        if holds_private(route, who, rules):
            return "allow"
        if not chain:
            return "deny"
    if top == "shared" and not chain:
        raise OceanError(
            "NO_TRUST",
            f"The shared folder {route!r} has no trust record.",
            "Save one first: save trust/" + (route.split("/")[1] if "/" in route else "NAME") + " keys: ().",
        )
    if top == "mail" and not chain and action not in READS:
        return "deny"
    verdict: Verdict = "allow"
    for rule in chain:
        here = _by_rule(rule, who, action)
        if _ORDER[here] > _ORDER[verdict]:
            verdict = here
    return verdict


def refusal(route: str, who: str | None, action: Action) -> OceanError:
    """The error that says no, and what would help."""
    if who is None and private_owner(route):
        return OceanError("KEY_REQUIRED", f"The folder {route!r} is private.", "Send your key as X-Ocean-Key.", status=401)
    if isinstance(who, Scoped) and not who.may(route, action):
        return OceanError(
            "FORBIDDEN", f"This key is a scoped one: it may not do that in {route!r} ({action}).", "Use the key that made it."
        )
    verb = "read" if action in READS else "write to" if action == "drop" else "remove from"
    return OceanError(
        "FORBIDDEN",
        f"{'This key' if who else 'A caller without a key'} may not {verb} {route!r}.",
        _way_out(route) if who else f"Send the key that may, as X-Ocean-Key. {_way_out(route)}",
    )


def _way_out(route: str) -> str:
    if route == "trust" or route.startswith("trust/"):
        return "A trust record is its first writer's alone, and is never read: it opens shared/NAME."
    if route.split("/", 1)[0] == "mail":
        return "A mailbox is claimed first: POST /mail/claim."
    if first_writer_owns(route):
        return "Each record there belongs to whoever wrote it first: choose another key."
    return f"Its owner can grant access: share {route} with @YOUR_KEY."


def is_admin(route: str, who: str | None, rules: Rules) -> bool:
    """Whether `who` owns `route` or a folder above it."""
    if who is None or isinstance(who, Scoped):
        return False
    owned = any((rule := rules.get(folder)) is not None and rule.owner == who for folder in ancestors(route))
    return owned or holds_private(route, who, rules)
