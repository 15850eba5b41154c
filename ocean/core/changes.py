"""What a write is made of: what is asked for, what it meets, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ocean.core import broadcasts
from ocean.core.access import Rule, Verdict
from ocean.core.drop import FREE, SAVED, Price
from ocean.core.files import ids_in
from ocean.core.patterns import Schema
from ocean.errors import OceanError


@dataclass(slots=True)
class Op:
    """One change asked for. `kind`: save, update, remove, unpublish, add, access, schema."""

    kind: str
    route: str
    key: str | None = None
    payload: str = "null"  # save: JSON text
    changes: dict[str, Any] = field(default_factory=dict)  # update
    ttl: int | None = None
    price: Price = FREE
    keeps_price: bool = False  # save: what there is costs what it did, whatever `price` says
    public: bool = False
    drop_id: str | None = None  # save: the id that the drop shall have
    removes: str | None = None  # remove: the event of this id, which has no key
    weight: int = 0  # update, add: the bytes of what the record holds, which deciding reads
    restoring: bool = False  # save: the payload is one that the log has of this record
    if_match: str | None = None
    if_none_match: bool = False
    counter: str = ""  # add
    by: int = 0
    alter: Callable[[Rule | None], Rule | None] | None = None  # access: the rule there is -> the rule there shall be
    given: bool = False  # access: the folder is given to `who` by us, who may not take it: a mailbox
    schema: Schema | None = None  # schema: what the folder's records shall be, None for anything


@dataclass(slots=True)
class Current:
    """A record as the write finds it."""

    drop_id: str
    payload: str
    owner: str
    version: int
    removed: bool
    live_seq: int
    counters: dict[str, int] = field(default_factory=dict)
    price: Price = FREE
    expires_at: int | None = None


@dataclass(slots=True)
class Change:
    """A drop to append (`counters_only`: none, the counters alone move)."""

    route: str
    key: str | None
    payload: str
    kind: int = SAVED
    ttl: int | None = None
    price: Price = FREE
    expires_at: int | None = None  # milliseconds, where a change keeps the one there is
    owner: str | None = None
    version: int | None = None
    counters: dict[str, int] = field(default_factory=dict)
    counters_only: bool = False
    live_seq: int | None = None
    rule: Rule | None = None
    schema: Schema | None = None
    value: int | None = None
    drop_id: str | None = None
    removes: str | None = None  # the event that is gone with it
    warning: str | None = None


class State(Protocol):
    """What a decision may look at; reads see the changes planned before in the same write."""

    verdicts: dict[tuple[str, str], Verdict]
    """What its writer may do, of (folder, action), in folders that are held, as long as no rule changes."""

    def current(self, route: str, key: str) -> Current | None: ...
    def rules(self, route: str) -> dict[str, Rule | None]: ...
    def event(self, drop_id: str) -> tuple[str, str] | None:
        """`(route, owner)` of an event that is there."""

    def schema(self, route: str) -> Schema | None: ...
    def pattern(self, name: str) -> tuple[Schema, Current] | None:
        """A pattern that may be read, and the record that it is."""

    def stream(self, route: str) -> broadcasts.Stream | None: ...
    def file(self, blob_id: str) -> tuple[str, int, str] | None:
        """`(owner, size, sha256)` of an uploaded file."""

    def others_beneath(self, route: str, who: str) -> bool:
        """Whether a folder beneath `route` belongs to somebody else, or was left open for good."""


def looks_at(op: Op) -> list[str]:
    """The folders whose rules deciding on `op` may ask for; each with its ancestors."""
    top, _, rest = op.route.partition("/")
    if (marked := broadcasts.marked(op.route, op.key)) is not None:
        return [op.route, marked]
    return [op.route, "shared/" + rest] if top == "trust" and rest else [op.route]


def needs_payload(op: Op) -> bool:
    """Whether deciding on `op` reads what the record holds."""
    return op.kind in ("update", "add") or bool(ids_in(op.payload)) or "pattern" in op.payload


def missing(route: str, key: str | None, removed: bool = False) -> OceanError:
    """The error for a record that is not there."""
    if removed:
        return OceanError("DELETED", f"The record {key!r} in {route!r} was removed.", "Its history is kept.")
    return OceanError("NOT_FOUND", f"There is no record {key!r} in {route!r}.")
