"""One write of a batch, as it is decided on: what it would leave, which the batch takes in or which is forgotten."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import uuid_utils

from ocean.core import broadcasts, chain, patterns
from ocean.core.access import Rule, Verdict
from ocean.core.broadcasts import Stream
from ocean.core.changes import Change, Current, Op
from ocean.core.drop import ACCESS, SAVED, SCHEMA, show_time
from ocean.core.patterns import PATTERNS, Schema
from ocean.core.payloads import body_of
from ocean.core.routes import ancestors
from ocean.core.transition import plan
from ocean.errors import OceanError
from ocean.store import projections

if TYPE_CHECKING:
    from ocean.store.batch import Batch


class Head(NamedTuple):
    """The head row: the newest place, how often anything changed, the newest access drop, the newest time, the chain."""

    seq: int
    revision: int
    access_seq: int
    moment: int
    chain: bytes


class Draft:
    """One write inside a batch: sees the batch and its own changes (`core.changes.State`)."""

    def __init__(self, batch: Batch, who: str) -> None:
        self.batch = batch
        self.who = who
        self.seq, self.revision, self.access_seq, _, self.chain = batch.head
        self.records: dict[tuple[str, str], Current | None] = {}
        self.own_rules: dict[str, Rule | None] = {}
        self.own_beneath: dict[str, set[str]] = {}  # of each folder those beneath it whose rules change
        self._rules: dict[str, dict[str, Rule | None]] = {}  # of the folders that were asked for, until one changes
        self.verdicts: dict[tuple[str, str], Verdict] = {}  # as long
        self.drops: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.entities: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.counts: dict[tuple[str, str], tuple[str | None, str]] = {}
        self.rule_rows: dict[str, tuple[Any, ...]] = {}
        self.marks: dict[int, list[tuple[Any, ...]]] = {}
        self.gone: list[int] = []
        self.own_schemas: dict[str, Schema | None] = {}
        self.schema_rows: dict[str, tuple[Any, ...]] = {}
        self.own_streams: dict[str, Stream | None] = {}
        self.stream_rows: dict[str, tuple[Any, ...]] = {}

    def current(self, route: str, key: str) -> Current | None:
        pair = (route, key)
        return self.records[pair] if pair in self.records else self.batch.records.get(pair)

    def rules(self, route: str) -> dict[str, Rule | None]:
        if route not in self._rules:
            known, shared, own = self.batch.memory.known, self.batch.rules, self.own_rules
            self._rules[route] = {f: own[f] if f in own else shared[f] if f in shared else known.get(f) for f in ancestors(route)}
        return self._rules[route]

    def event(self, drop_id: str) -> tuple[str, str] | None:
        found = self.batch.event_rows.get(drop_id)
        return found[:2] if found is not None and found[2] not in self.batch.gone and found[2] not in self.gone else None

    def schema(self, route: str) -> Schema | None:
        for known in (self.own_schemas, self.batch.schemas):
            if route in known:
                return known[route]
        return self.batch.memory.schemas.get(route)

    def pattern(self, name: str) -> tuple[Schema, Current] | None:
        found = self.current(PATTERNS, name)
        schema = patterns.read(found.payload) if found is not None and not found.removed and found.price.free else None
        return (schema, found) if schema is not None and found is not None else None

    def stream(self, route: str) -> Stream | None:
        for known in (self.own_streams, self.batch.streams):
            if route in known:
                return known[route]
        return self.batch.memory.streams.get(route)

    def file(self, blob_id: str) -> tuple[str, int, str] | None:
        return self.batch.files.get(blob_id)

    def others_beneath(self, route: str, who: str) -> bool:
        if (route, who) in self.batch.others:
            return True
        for folder in itertools.chain(self.own_beneath.get(route, ()), self.batch.beneath.get(route, ())):
            rule = self.own_rules[folder] if folder in self.own_rules else self.batch.rules[folder]
            if rule is not None and rule.owner != who:
                return True
        return False

    def perform(self, ops: list[Op], *, brief: bool = False) -> list[dict[str, Any]]:
        """What is told of each op, or with `brief` how many there were."""
        results: list[dict[str, Any]] = []
        for index, op in enumerate(ops):
            try:
                changes = plan(op, self.who, self)
            except OceanError as fault:
                if len(ops) > 1:
                    fault.details["index"] = index
                raise
            ids = [self._apply(change) for change in changes]
            if not brief:
                own = 0
                if len(changes) > 1:  # a folder was taken with it
                    own = next((i for i, change in enumerate(changes) if change.kind != ACCESS), 0)
                results.append(self._result(op, changes[own], ids[own]))
        return [{"count": len(ops)}] if brief else results

    def _apply(self, change: Change) -> str:
        """Adds the drop of `change` and moves its entity; the drop's id."""
        now = self.batch.now
        self.revision += 1
        if change.counters_only:
            assert change.key is not None
            self._count(change.route, change.key, change)
            return ""
        drop_id = change.drop_id or str(uuid_utils.uuid7())
        salt = self.batch.salt()
        digest = chain.payload_digest(salt, change.payload)
        self.chain = chain.link(self.chain, chain.leaf(drop_id, change.route, change.key, now, self.who, digest))
        self.seq = seq = self.seq + 1
        if change.ttl is not None:
            change.expires_at = now + change.ttl * 1000
        owner = change.owner or self.who
        self.drops.append(
            (seq, drop_id, change.route, change.key, change.payload, self.who, owner, now, change.kind, change.version,
             change.expires_at, *change.price, salt, digest, self.chain),
        )  # fmt: skip
        if change.kind == ACCESS:
            self._rule(change, seq)
        elif change.kind == SCHEMA:
            self._schema(change, seq)
        elif change.removes is not None:
            self.gone.append(self.batch.event_rows[change.removes][2])
        else:
            self._record(change, seq, drop_id)
        return drop_id

    def _rule(self, change: Change, seq: int) -> None:
        moved = self._moved(seq)
        self.own_rules[change.route] = change.rule
        for above in ancestors(change.route)[:-1]:
            self.own_beneath.setdefault(above, set()).add(change.route)
        self._rules.clear()
        self.verdicts.clear()
        rule = change.rule
        text = orjson.dumps(rule.to_json()).decode() if rule else None
        claimed_by = rule.claim.by if rule and rule.claim else None
        self.rule_rows[change.route] = (change.route, moved, rule and rule.owner, rule and rule.mode, text, claimed_by)

    def _schema(self, change: Change, seq: int) -> None:
        moved = self._moved(seq)
        self.own_schemas[change.route] = change.schema
        text = None if change.schema is None else change.payload
        self.schema_rows[change.route] = (change.route, moved, text)

    def _moved(self, seq: int) -> int:
        """What holds in folders has changed: the new number of that. It never runs back, whoever else moves it."""
        self.access_seq = max(self.access_seq + 1, seq)
        return self.access_seq

    def _record(self, change: Change, seq: int, drop_id: str) -> None:
        live = change.kind == SAVED
        owner = change.owner or self.who
        counters = orjson.dumps(change.counters).decode() if change.counters and live else None
        live_seq = seq if live else change.live_seq or 0
        body = body_of(change.payload, change.counters) if live else None
        marks = projections.mark_rows(seq, body)
        if marks:
            self.marks[seq] = marks
        row = (
            seq, change.route, change.key, drop_id, self.who, owner, self.batch.now, change.version, change.expires_at, *change.price,
            0 if live else 1, live_seq, counters, int(bool(marks)), body,
        )  # fmt: skip
        if change.key is None:
            self.events.append(row)
            return
        if (folder := broadcasts.marked(change.route, change.key)) is not None:
            self.own_streams[folder] = broadcasts.read(change.payload) if live else None
            self.stream_rows[folder] = (folder, self._moved(seq), change.payload if live else None)
        pair = (change.route, change.key)
        self.entities[pair] = row
        self.counts.pop(pair, None)
        self.records[pair] = Current(
            drop_id, change.payload, owner, change.version or 1, not live, live_seq, dict(change.counters), change.price, change.expires_at
        )

    def _count(self, route: str, key: str, change: Change) -> None:
        pair = (route, key)
        current = self.current(route, key)
        assert current is not None
        counters, body = orjson.dumps(change.counters).decode(), body_of(current.payload, change.counters)
        self.records[pair] = Current(
            current.drop_id, current.payload, current.owner, current.version, False, current.live_seq, dict(change.counters),
            current.price, current.expires_at,
        )  # fmt: skip
        row = self.entities.get(pair) or self.batch.entities.get(pair)
        if row is not None:
            self.entities[pair] = (*row[:13], counters, row[14], body)
        else:
            self.counts[pair] = (counters, body or "{}")

    def _result(self, op: Op, change: Change, drop_id: str) -> dict[str, Any]:
        """What the writer is told of `op`."""
        if op.kind == "add":
            return {"route": op.route, "key": op.key, "field": op.counter, "value": change.value}
        if op.kind in ("remove", "unpublish"):
            return {"deleted": True, "drop_id": drop_id}
        told: dict[str, Any] = {"drop_id": drop_id, "route": change.route}
        if change.key is not None:
            told["key"] = change.key
        told["source"] = self.who
        told["created_at"] = self.batch.time
        if change.version is not None:
            told["version"] = change.version
        if change.expires_at is not None:
            told["expires_at"] = show_time(change.expires_at)
        told |= change.price.shown()
        if change.warning is not None:
            told["warning"] = change.warning
        if op.kind == "update":
            told["payload"] = orjson.Fragment(body_of(change.payload, change.counters) or change.payload)
        if op.kind == "access":
            told["rule"] = change.rule.to_json() if change.rule else None
        return told

    def adopt(self) -> None:
        """The batch takes the write in."""
        batch = self.batch
        batch.head = Head(self.seq, self.revision, self.access_seq, batch.head.moment, self.chain)
        batch.records.update(self.records)
        batch.rules.update(self.own_rules)
        for above, folders in self.own_beneath.items():
            batch.beneath.setdefault(above, set()).update(folders)
        batch.drops.extend(self.drops)
        batch.events.extend(self.events)
        batch.entities.update(self.entities)
        for pair in self.entities:
            batch.counts.pop(pair, None)
        batch.counts.update(self.counts)
        batch.rule_rows.update(self.rule_rows)
        batch.marks.update(self.marks)
        batch.gone.extend(self.gone)
        batch.schemas.update(self.own_schemas)
        batch.schema_rows.update(self.schema_rows)
        batch.streams.update(self.own_streams)
        batch.stream_rows.update(self.stream_rows)
