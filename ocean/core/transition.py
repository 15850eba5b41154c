"""What a write does, decided purely: given the state it meets, the drops it appends, or the error it is refused with."""

from __future__ import annotations

from collections.abc import Callable

from ocean.core import access, broadcasts, holding, mail, universal
from ocean.core.access import ACCESS_KEY
from ocean.core.changes import Change, Current, Op, State, missing
from ocean.core.drop import FREE, REMOVED, SAVED, UNPUBLISHED, Price
from ocean.core.files import ids_in, reference_in
from ocean.core.keys import holds_secret
from ocean.core.patterns import SCHEMA_KEY, Schema, named_in, violation
from ocean.core.payloads import encode, loads, structured
from ocean.errors import OceanError

MAX_COUNTER = 2**53
MAX_BLIND = 1000  # the step of one who may not read the record
MAX_COUNTERS = 100  # of a record


def plan(op: Op, who: str, state: State) -> list[Change]:
    """The changes that `op` by `who` makes. Raises OceanError and then nothing has happened."""
    if op.kind == "access":
        return [holding.alter_access(op, who, state)]
    if op.kind == "schema":
        return holding.define(op, who, state)
    if op.key in (ACCESS_KEY, SCHEMA_KEY):
        raise OceanError("INVALID_KEY", f"The key {op.key!r} is the folder's own.", "Change it with share and revoke, define and undefine.")
    if op.kind in ("save", "update", "add") and state.stream(op.route) is not None:
        raise OceanError(
            "CONFLICT", f"The folder {op.route!r} is a stream: nothing in it is kept.", "Save one message at a time, or broadcast it."
        )
    changes: list[Change] = []
    action = "remove" if op.kind in ("remove", "unpublish") else "drop"
    verdict, taken = holding.authorise(op, who, action, state)
    if taken is not None:
        changes.append(taken)
    if op.removes is not None:
        return [_remove_event(op, who, verdict, state)]
    current = state.current(op.route, op.key) if op.key is not None else None
    if verdict == "own" and current is not None and current.owner != who:
        if op.kind != "save" and access.decide(op.route, who, "entity", state.rules(op.route)) != "allow":
            raise missing(op.route, op.key)  # it may not be read either: no telling that it is there
        raise access.refusal(op.route, who, action)
    reads = current is None or _may_read(op.route, who, current, state)
    _check_preconditions(op, current, reads=reads)
    if current is not None and not reads:
        _check_blind(op, who, current)
    try:
        changes.append(_PLANNERS[op.kind](op, who, current))
    except OceanError as fault:
        if reads or fault.code != "CONFLICT" or (current is not None and current.owner == who):
            raise
        raise OceanError("CONFLICT", "The record can't be changed so.", "Who may read it is told why.") from None
    if op.kind == "save" and current is not None and not current.removed and changes[-1].price.free and not current.price.free:
        changes[-1].warning = "It costs nothing by now: the version before had a price. Say it with each save."
    if changes[-1].kind == SAVED and mail.mailbox_of(op.route) is not None and op.route.endswith(f"/{mail.RULES}"):
        mail.check_rule(loads(structured(changes[-1].payload)))
    if op.kind in ("save", "update") and not op.restoring:
        _check_file(changes[-1].payload, who, current, state)
    if not op.restoring:
        try:
            _check_schema(op.route, changes[-1], who, current, state)
        except OceanError as fault:
            if reads or op.kind == "save" or (current is not None and current.owner == who):
                raise
            raise OceanError(fault.code, "The record would not be as it has to be.", "Who may read it is told why.") from None
    if reads and changes[-1].warning is None and changes[-1].kind == SAVED and '"_' in changes[-1].payload:
        body = structured(changes[-1].payload)  # a text that is an object is unpacked for this alone
        if universal.may_be_in(body):
            changes[-1].warning = universal.unread(loads(body))
    if (marked := broadcasts.marked(op.route, op.key)) is not None and changes[-1].kind == SAVED:
        changes[:0] = holding.mark(marked, changes[-1], who, state)
    if op.route.startswith("trust/"):
        changes.append(holding.trust(op, who, state))
    return changes


def _may_read(route: str, who: str, current: Current, state: State) -> bool:
    verdict = access.decide(route, who, "entity", state.rules(route))
    seen = verdict == "allow" or (verdict == "own" and current.owner == who)
    return seen and (current.price.free or current.owner == who)


def _check_blind(op: Op, who: str, current: Current) -> None:
    """Who may not read a record changes it without learning from what is refused: a counter in small steps, and only where it counts
    already; and never what the record is held to."""
    if op.kind == "add" and (abs(op.by) > MAX_BLIND or op.counter not in current.counters):
        raise OceanError("FORBIDDEN", f"A key that may not read {op.key!r} in {op.route!r} can't count that.", f"By at most {MAX_BLIND}.")
    if op.kind == "update" and "pattern" in op.changes and current.owner != who:
        raise OceanError("FORBIDDEN", f"A key that may not read {op.key!r} in {op.route!r} can't say what it is held to.")


def _check_file(payload: str, who: str, current: Current | None, state: State) -> None:
    """A record may name a file only if its writer uploaded it, or if the record names it already."""
    file = reference_in(loads(payload)) if '"blobs/' in payload else None
    if file is None:
        return
    if state.file(file.id) == (who, file.size, file.sha256):
        return
    if current is None or not ids_in(current.payload) or reference_in(loads(current.payload)) != file:
        raise OceanError("FORBIDDEN", f"The file {file.key!r} is not this key's.", "Upload it first: POST /blob.")


def _check_schema(route: str, change: Change, who: str, current: Current | None, state: State) -> None:
    """A record is as its folder's schema has it, and as the pattern that it names, if there is one."""
    if change.kind != SAVED or (change.key or "").startswith("_"):  # a site's settings are no records of its kind
        return
    name = named_in(change.payload)
    found = state.pattern(name) if name is not None else None
    pattern = found[0] if found is not None and _binds(found[1], str(name), who, current) else None
    schema = state.schema(route)
    if schema is not None:
        _hold(f"the schema of {route!r}", schema, change)
    if pattern is not None:
        _hold(f"the pattern {name!r}", pattern, change)


def _hold(what: str, wanted: Schema, change: Change) -> None:
    body = loads(structured(change.payload))
    faults = wanted.faults({**body, **change.counters} if isinstance(body, dict) else body)  # as readers have it
    if faults:
        raise violation(what, faults)


def _binds(pattern: Current, name: str, who: str, current: Current | None) -> bool:
    """Whether a pattern binds a record: one that named it before somebody else made it what it is now goes on as it was."""
    if pattern.owner == who or current is None or current.removed or named_in(current.payload) != name:
        return True
    return current.live_seq > pattern.live_seq


def _check_preconditions(op: Op, current: Current | None, *, reads: bool) -> None:
    live = current is not None and not current.removed
    if op.if_none_match and live:
        raise OceanError("PRECONDITION_FAILED", f"The record {op.key!r} in {op.route!r} exists already.")
    if op.if_match is not None and (current is None or not live or current.drop_id != op.if_match):
        now = "is another" if not reads else f"is {current.drop_id}" if current and live else "does not exist"
        raise OceanError("PRECONDITION_FAILED", f"The record {op.key!r} in {op.route!r} {now}.", "Read it again first.")


def _save(op: Op, who: str, current: Current | None) -> Change:
    if access.first_writer_owns(op.route) and holds_secret(op.payload):
        raise OceanError(
            "INVALID_PAYLOAD", f"The payload has a secret key, and anyone can read {op.route!r}.", "Give the public half of the key."
        )
    if op.key is None:
        if op.payload == "null":
            raise OceanError("KEY_REQUIRED", "A null payload removes a record, and no record is named.", "Add a key.")
        return Change(op.route, None, op.payload, ttl=op.ttl, price=op.price, owner=who, drop_id=op.drop_id)
    if op.payload == "null":
        return _remove(op, who, current)
    counters = dict(current.counters) if current and not current.removed else {}
    if counters:
        value = loads(structured(op.payload))
        counters = {k: v for k, v in counters.items() if not (isinstance(value, dict) and k in value)}
    return Change(
        op.route, op.key, op.payload, ttl=op.ttl, price=_priced(op, who, current), counters=counters,
        owner=current.owner if current else who, version=current.version + 1 if current else 1,
    )  # fmt: skip


def _priced(op: Op, who: str, current: Current | None) -> Price:
    """What a saved record costs: its owner says that, who gets what it earns; others who may write there change what it holds alone."""
    if current is None or (current.owner == who and not op.keeps_price):
        return FREE if op.keeps_price else op.price
    if current.removed:
        if current.owner == who or op.restoring or op.price.free:
            return FREE if op.keeps_price else op.price
    elif op.keeps_price or op.restoring or op.price in (FREE, current.price):
        return current.price
    raise OceanError(
        "FORBIDDEN", f"The price of {op.key!r} in {op.route!r} is its owner's to say.", "Save it without one, or another record."
    )


def _update(op: Op, who: str, current: Current | None) -> Change:
    if current is None or current.removed:
        raise missing(op.route, op.key, current is not None)
    before = loads(structured(current.payload))
    if not isinstance(before, dict):
        raise OceanError("CONFLICT", f"The record {op.key!r} in {op.route!r} is not an object, so it has no fields.")
    merged = {k: v for k, v in {**before, **op.changes}.items() if not (k in op.changes and v is None)}
    op.payload = encode(merged)
    change = _save(op, who, current)
    if (dotted := next((name for name in op.changes if "." in name), None)) is not None:
        change.warning = (
            f"{dotted!r} is a field with a dot in its name, not one inside another: to change that, give the whole of the other."
        )
    change.price, change.expires_at = current.price, current.expires_at
    change.counters = {k: v for k, v in current.counters.items() if k not in op.changes}
    return change


def _remove(op: Op, who: str, current: Current | None) -> Change:
    # A page that was removed by accident still stands: unpublishing takes it down all the same.
    standing = current is not None and current.removed and op.kind == "unpublish" and current.live_seq > 0
    if current is None or (current.removed and not standing):
        raise missing(op.route, op.key, current is not None)
    kind = UNPUBLISHED if op.kind == "unpublish" else REMOVED
    return Change(
        op.route, op.key, "null", kind=kind, owner=current.owner, version=current.version + 1,
        live_seq=0 if kind == UNPUBLISHED else current.live_seq,
    )  # fmt: skip


def _remove_event(op: Op, who: str, verdict: access.Verdict, state: State) -> Change:
    """An event leaves what a folder holds; the log keeps it, and a drop that says so."""
    assert op.removes is not None
    found = state.event(op.removes)
    if found is None or found[0] != op.route:
        raise OceanError("NOT_FOUND", f"There is no event {op.removes[:60]!r} in {op.route!r}.")
    if verdict == "own" and found[1] != who:
        raise access.refusal(op.route, who, "remove")
    return Change(op.route, None, encode({"removes": op.removes}), kind=REMOVED, owner=who, removes=op.removes)


def _add(op: Op, who: str, current: Current | None) -> Change:
    if current is not None and current.removed:
        raise missing(op.route, op.key, True)
    body = loads(structured(current.payload)) if current else {}
    if not isinstance(body, dict):
        raise OceanError("CONFLICT", f"The record {op.key!r} in {op.route!r} is not an object, so it has no counters.")
    counters = dict(current.counters) if current else {}
    before = counters.get(op.counter, body.get(op.counter, 0))
    if isinstance(before, bool) or not isinstance(before, int):
        raise OceanError("CONFLICT", f"The field {op.counter!r} is not a whole number, so it can't be counted.")
    value = before + op.by
    if op.counter not in counters and len(counters) >= MAX_COUNTERS:
        raise OceanError("LIMIT_REACHED", f"The record {op.key!r} in {op.route!r} has {MAX_COUNTERS} counters, the most it may have.")
    if abs(value) > MAX_COUNTER:
        raise OceanError("LIMIT_REACHED", f"The counter {op.counter!r} would pass 2^53.")
    counters[op.counter] = value
    if current is None:
        return Change(op.route, op.key, "{}", owner=who, version=1, counters=counters, value=value)
    return Change(op.route, op.key, current.payload, counters_only=True, counters=counters, value=value)


_PLANNERS: dict[str, Callable[[Op, str, Current | None], Change]] = {
    "save": _save, "update": _update, "remove": _remove, "unpublish": _remove, "add": _add,
}  # fmt: skip
