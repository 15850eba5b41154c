"""Writes that concern folders: who holds them, and what holds in them."""

from __future__ import annotations

from ocean.core import access, broadcasts, mail
from ocean.core.access import ACCESS_KEY, OPEN, Action, Rule, Verdict
from ocean.core.changes import Change, Op, State
from ocean.core.drop import ACCESS, SCHEMA
from ocean.core.keys import SECRET_PREFIX, holds_secret
from ocean.core.patterns import SCHEMA_KEY
from ocean.core.payloads import encode, loads, structured
from ocean.errors import OceanError


def define(op: Op, who: str, state: State) -> list[Change]:
    """A folder's schema is its owner's to give; an open folder is taken as by any first write."""
    rules = state.rules(op.route)
    _no_scoped(who)
    if access.first_writer_owns(op.route) or op.route.split("/", 1)[0] == "trust":
        raise OceanError("FORBIDDEN", f"In {op.route!r} each record belongs to its first writer: the folder has no schema.")
    _, taken = authorise(op, who, "drop", state)
    if taken is None and not access.is_admin(op.route, who, rules):
        raise OceanError("FORBIDDEN", f"Only the owner of {op.route!r} may say what its records are.")
    if op.schema is None and state.schema(op.route) is None:
        raise OceanError("NOT_FOUND", f"The folder {op.route!r} has no schema.", 'define "folder" fields { name: "text required" }')
    payload = encode(op.schema.to_json()) if op.schema else "null"
    return [*([taken] if taken else []), Change(op.route, SCHEMA_KEY, payload, kind=SCHEMA, owner=who, schema=op.schema)]


def _no_scoped(who: str) -> None:
    """What holds in a folder is said by its owner, not by a key for a part of what is theirs."""
    if isinstance(who, access.Scoped):
        raise OceanError("FORBIDDEN", "This key is a scoped one: it may not say what holds in a folder.", "Use the key that made it.")


def mark(folder: str, change: Change, who: str, state: State) -> list[Change]:
    """Saying that a folder is a stream is its owner's; one that nobody owns is taken by it, as by any first write."""
    _no_scoped(who)
    broadcasts.read(change.payload)
    if change.ttl is not None or not change.price.free:
        raise OceanError("INVALID_VALUE", "A folder's mark has neither an end nor a price.")
    if access.first_writer_owns(folder) or folder.split("/", 1)[0] == "trust":
        raise OceanError("FORBIDDEN", f"In {folder!r} each record belongs to its first writer: it is no stream.")
    if access.is_admin(folder, who, state.rules(folder)):
        return []
    _, taken = authorise(Op("save", folder), who, "drop", state)
    if taken is None:
        raise OceanError("FORBIDDEN", f"Only the owner of {folder!r} may say that it is a stream.")
    return [taken]


def trust(op: Op, who: str, state: State) -> Change:
    """A trust record at trust/NAME is the access rule of shared/NAME; its first writer owns both."""
    if op.route.count("/") != 1 or op.kind != "save":
        raise OceanError("INVALID_ROUTE", "A trust record is saved whole, at trust/NAME.")
    route = "shared/" + op.route.split("/")[1]
    rule = state.rules(route).get(route)
    if rule is not None and rule.owner != who:
        raise access.refusal(op.route, who, "drop")
    value = loads(structured(op.payload))
    keys = value.get("keys", []) if isinstance(value, dict) else []
    mode = value.get("mode", "shared") if isinstance(value, dict) else "shared"
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys) or mode not in access.MODES:
        raise OceanError("INVALID_PAYLOAD", "A trust record has `keys`, a list of public keys, and may have a `mode`.")
    if holds_secret(op.payload) or any(k.startswith(SECRET_PREFIX) for k in keys):
        raise OceanError("INVALID_PAYLOAD", "The trust record has a secret key.", "Give the public half of the key.")
    return _rule_change(route, Rule(who, mode, dict.fromkeys(keys, access.PERMISSIONS)), who)


def authorise(op: Op, who: str, action: Action, state: State) -> tuple[Verdict, Change | None]:
    """Refuses, or gives the verdict, and the change that takes an unowned folder for its first writer."""
    known = state.verdicts.get((op.route, action))
    if known is not None and not op.public:
        return known, None
    rules = state.rules(op.route)
    if op.public or op.route.split("/", 1)[0] == "trust":
        _no_scoped(who)
    verdict = access.decide(op.route, who, action, rules)
    if verdict == "deny":
        raise access.refusal(op.route, who, action)
    if any(rules.values()) or access.first_writer_owns(op.route) or access.private_owner(op.route):
        state.verdicts[op.route, action] = verdict
        return verdict, None
    if action == "remove" or op.route.split("/", 1)[0] in ("trust", "shared"):
        return verdict, None
    if state.others_beneath(op.route, who):
        return verdict, None  # an ancestor of others' folders stays open: it can't be taken
    return verdict, _rule_change(op.route, Rule(None, OPEN) if op.public else Rule(str(who), "protected"), who)


def _rule_change(route: str, rule: Rule | None, who: str) -> Change:
    payload = encode(rule.to_json()) if rule else "null"
    return Change(route, ACCESS_KEY, payload, kind=ACCESS, owner=who, rule=rule)


def alter_access(op: Op, who: str, state: State) -> Change:
    rules = state.rules(op.route)
    _no_scoped(who)
    if access.first_writer_owns(op.route):
        raise OceanError("FORBIDDEN", f"In {op.route!r} each record belongs to its first writer; it can't be shared.")
    top = op.route.split("/", 1)[0]
    if top == "trust" or op.route == "shared":
        raise OceanError("FORBIDDEN", f"{op.route!r} belongs to the system; a trust record at trust/NAME opens shared/NAME.")
    if top == "shared":
        access.decide(op.route, who, "drop", rules)  # NO_TRUST where there is no trust record
    _check_mail(op, rules)
    owned = any(rules.values()) or access.private_owner(op.route)
    if owned and not access.is_admin(op.route, who, rules):
        raise OceanError("FORBIDDEN", f"Only the owner of {op.route!r} may change who has access.")
    if not access.private_owner(op.route) and state.others_beneath(op.route, who):
        raise OceanError("FORBIDDEN", f"{op.route!r} contains folders of others and can't be taken.")
    assert op.alter is not None
    before = rules.get(op.route)
    after = op.alter(before)
    if after is None and mail.is_mailbox(op.route):
        raise OceanError("FORBIDDEN", f"The folder {op.route!r} is a mailbox: it stays its owner's.", "Take single grants back.")
    return _rule_change(op.route, after, who)


def _check_mail(op: Op, rules: access.Rules) -> None:
    """A mailbox is claimed, not taken, and all of them are nobody's."""
    if op.route == mail.TOP or (mail.mailbox_of(op.route) is not None and not any(rules.values()) and not op.given):
        raise OceanError("FORBIDDEN", f"{op.route!r} is no mailbox of this key.", "Claim one: POST /mail/claim.")
