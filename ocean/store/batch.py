"""A batch of writes, decided under the lock of the head row and written together: one course of steps for every engine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import uuid_utils

from ocean.core import chain
from ocean.core.access import Rule
from ocean.core.drop import ACCESS, SAVED, SCHEMA, show_io, show_time
from ocean.core.files import ids_in
from ocean.core.patterns import Schema
from ocean.core.payloads import dumps, loads, structured
from ocean.core.routes import ancestors, covers
from ocean.core.transition import Change, Current, Op, looks_at, needs_payload, plan
from ocean.errors import OceanError
from ocean.store import projections
from ocean.store.engine import Row, Step, Steps
from ocean.store.query.dialects import Dialect

MAX_RULES = 20_000  # folders whose rule is kept in memory
CHECKPOINT_EVERY = 256  # drops; a walk from a drop to a signed head is as long, and one batch more


@dataclass(frozen=True, slots=True)
class Once:
    """What happens at most once until `expires_at`: an idempotency key, or a nonce. `request` is a digest of what was asked."""

    id: str
    request: str
    expires_at: int


@dataclass(slots=True)
class Write:
    """Changes that happen together or not at all, by one key."""

    ops: list[Op]
    who: str
    once: Once | None = None
    done: asyncio.Future[list[dict[str, Any]]] | None = None
    result: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None
    size: int = 0  # about how much memory it holds while it waits, in bytes

    def __post_init__(self) -> None:
        self.size = 512 + sum([400 + len(op.payload) + op.weight for op in self.ops])


def rule_of(text: str | None) -> Rule | None:
    """A rule as its table keeps it; None once it was taken back."""
    return Rule.from_json(orjson.loads(text)) if text else None


@dataclass(slots=True)
class Rules:
    """What holds in folders, in memory: their rules, and of those that have any their schemas and indexed fields. True as of `at`."""

    at: int = -1
    known: dict[str, Rule | None] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    indexed: dict[str, dict[str, int]] = field(default_factory=dict)

    def learn(self, rows: list[Row]) -> None:
        for route, rule, schema, indexed in rows:
            self.known[route] = rule_of(rule)
            self.schemas.pop(route, None)
            self.indexed.pop(route, None)
            if schema:
                self.schemas[route] = Schema.from_json(orjson.loads(schema))
            if indexed:
                self.indexed[route] = orjson.loads(indexed)

    def refresh(self, rows: list[Row], at: int) -> None:
        """Takes in what has changed since, without growing."""
        self.learn([row for row in rows if row[0] in self.known])
        self.at = at

    def trim(self) -> None:
        """Forgets all where it holds too many: most are of folders that nobody ever made."""
        if len(self.known) > MAX_RULES:
            self.known.clear()
            self.schemas.clear()
            self.indexed.clear()

    def of(self, route: str) -> dict[str, Rule | None]:
        return {folder: self.known.get(folder) for folder in ancestors(route)}


READ_RULE = "SELECT route, rule, schema, indexed FROM rule WHERE route = ?"
CHANGED_RULES = "SELECT route, rule, schema, indexed FROM rule WHERE seq > ? ORDER BY seq"
_READ_HEAD = "SELECT seq, revision, access_seq, moment, chain FROM head WHERE id = 1"
_MOVE_HEAD = "UPDATE head SET seq = ?, revision = ?, access_seq = ?, moment = ?, chain = ? WHERE id = 1"
_READ_ONCE = "SELECT id, request, answer FROM once WHERE id = ?"
_ADD_ONCE = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?)"
_CURRENT = "r.route, r.key, r.drop_id, r.owner, r.version, r.removed, r.live_seq, r.counters, r.price, r.expires_at, r.seq, r.marks"
_AT_ONCE = 100  # records that one statement reads, where many are wanted
_PAIRS = ",".join(["(CAST(? AS TEXT), CAST(? AS TEXT))"] * _AT_ONCE)


def _reads(column: str, pairs: list[tuple[str, str | None]]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """Statements, each with its values, that read records by route and key: one by one, or many at once."""
    beside = " JOIN drops d ON d.seq = r.seq" if column != "NULL" else ""
    many, rest = divmod(len(pairs), _AT_ONCE) if len(pairs) >= _AT_ONCE else (0, len(pairs))
    found: list[tuple[str, list[tuple[Any, ...]]]] = []
    if many:
        groups = [tuple(name for pair in pairs[i * _AT_ONCE : (i + 1) * _AT_ONCE] for name in pair) for i in range(many)]
        wanted = f"WITH w(route, key) AS (VALUES {_PAIRS})"
        among = f"{wanted} SELECT {_CURRENT}, {column} FROM w JOIN record r ON r.route = w.route AND r.key = w.key"
        found.append((among + beside, groups))
    if rest:
        one = f"SELECT {_CURRENT}, {column} FROM record r{beside} WHERE r.route = ? AND r.key = ?"
        found.append((one, list(pairs[-rest:])))
    return found


# The lower bound of `route > x/` to `route < x0` is all that lies beneath x: `0` follows `/`.
_READ_OTHERS = (
    "SELECT CAST(? AS TEXT), CAST(? AS TEXT) FROM rule WHERE route > ? AND route < ? AND rule IS NOT NULL "
    "AND (owner IS NULL OR owner <> ?) LIMIT 1"
)
_READ_EVENT = "SELECT d.drop_id, r.route, r.owner, r.seq FROM drops d JOIN record r ON r.seq = d.seq WHERE d.drop_id = ? AND r.key IS NULL"
_DROP_EVENT = "DELETE FROM record WHERE seq = ?"
_ADD_DROP = (
    "INSERT INTO drops (seq, drop_id, route, key, payload, source, owner, created_at, kind, version, expires_at, price, salt, digest, "
    "chain) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_RECORD = (
    "seq", "route", "key", "drop_id", "source", "owner", "created_at", "version", "expires_at", "price", "removed", "live_seq",
    "counters", "marks", "body",
)  # fmt: skip
_PUT_RECORD = f"INSERT INTO record ({', '.join(_RECORD)}) VALUES ({'?,' * 14}{{json}}) ON CONFLICT (route, key) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _RECORD if name not in ("route", "key")
)
_COUNT = "UPDATE record SET counters = ?, body = {json} WHERE route = ? AND key = ?"
_PUT_RULE = (
    "INSERT INTO rule (route, seq, owner, mode, rule) VALUES (?,?,?,?,?) "
    "ON CONFLICT (route) DO UPDATE SET seq = excluded.seq, owner = excluded.owner, mode = excluded.mode, rule = excluded.rule"
)
_PUT_SCHEMA = (
    "INSERT INTO rule (route, seq, schema) VALUES (?,?,?) ON CONFLICT (route) DO UPDATE SET seq = excluded.seq, schema = excluded.schema"
)
_READ_FILE = "SELECT id, owner, size, sha256 FROM blob WHERE id = ?"
_ADD_CHECKPOINT = "INSERT INTO checkpoint (seq, chain, created_at, public_key, signature) VALUES (?,?,?,?,?)"


class Head(NamedTuple):
    """The head row: the newest place, how often anything changed, the newest access drop, the newest time, the chain."""

    seq: int
    revision: int
    access_seq: int
    moment: int
    chain: bytes


Sign = Callable[[bytes], tuple[str, str]]  # message -> (public key, signature)


def commit(writes: list[Write], rules: Rules, dialect: Dialect, sign: Sign) -> Steps:
    """The transaction that performs `writes` in order; each gets its result or its fault.

    `rules` is a memory that outlives the batch; whoever runs this and fails to commit must empty it.
    """
    (row,) = yield Step(_READ_HEAD + dialect.for_update, [()], reads=True)
    batch = Batch(Head(*row), rules)
    yield from batch.load(writes)
    for write in writes:
        batch.perform(write)
    yield from batch.flush(dialect, sign)
    batch.settle()


class Batch:
    """What the writes meet, and what they leave, in memory between the reads and the flush."""

    def __init__(self, head: Head, rules: Rules) -> None:
        self.before = self.head = Head(*head[:4], bytes(head.chain))
        self.now = max(head.moment, int(time.time() * 1000))
        self.memory = rules
        self._salts: list[bytes] = []
        self.once: dict[str, tuple[str, str]] = {}
        self.records: dict[tuple[str, str], Current | None] = {}
        self.rules: dict[str, Rule | None] = {}
        self.others: set[tuple[str, str]] = set()
        self.files: dict[str, tuple[str, int, str]] = {}
        self.added_once: list[tuple[Any, ...]] = []
        self.drops: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.entities: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.counts: dict[tuple[str, str], tuple[str | None, str]] = {}
        self.rule_rows: dict[str, tuple[Any, ...]] = {}
        self.schemas: dict[str, Schema | None] = {}
        self.schema_rows: dict[str, tuple[Any, ...]] = {}
        self.event_rows: dict[str, tuple[str, str, int]] = {}  # drop_id -> (route, owner, seq) of events that are to be removed
        self.gone: list[int] = []
        self.places: dict[tuple[str, str], tuple[int, int]] = {}  # where records were, and whether they have marks

    def load(self, writes: list[Write]) -> Steps:
        """Reads all that deciding on `writes` can ask for."""
        keys = [(write.once.id,) for write in writes if write.once]
        if keys:
            for id_, request, answer in (yield Step(_READ_ONCE, keys, reads=True)):
                self.once[id_] = (request, answer)
        ops = [(op, write.who) for write in writes for op in write.ops]
        whole = {(op.route, op.key) for op, _ in ops if op.key is not None and needs_payload(op)}
        plain = {(op.route, op.key) for op, _ in ops if op.key is not None} - whole
        for columns, pairs in (("d.payload", whole), ("NULL", plain)):
            for sql, each in _reads(columns, list(pairs)):
                for row in (yield Step(sql, each, reads=True)):
                    self.records[row[0], row[1]] = self._current(row)
                    self.places[row[0], row[1]] = (row[10], row[11])
        removed = [(op.removes,) for op, _ in ops if op.removes is not None]
        if removed:
            rows = yield Step(_READ_EVENT, removed, reads=True)
            self.event_rows = {row[0]: (row[1], row[2], row[3]) for row in rows}
        names = {blob_id for op, _ in ops for blob_id in self._names(op)}
        if names:
            rows = yield Step(_READ_FILE, [(name,) for name in names], reads=True)
            self.files = {row[0]: (row[1], row[2], row[3]) for row in rows}
        yield from self._load_rules([route for op, _ in ops for route in looks_at(op)])
        changes = any(op.kind == "access" or op.route.startswith("trust/") for op, _ in ops)  # then any rule may go within the batch
        asked = {(op.route, who) for op, who in ops if changes or not any(self.memory.of(op.route).values())}
        if asked:
            each = [(route, who, route + "/", route + "0", who) for route, who in asked]
            self.others = {(row[0], row[1]) for row in (yield Step(_READ_OTHERS, each, reads=True))}

    def _names(self, op: Op) -> set[str]:
        """The files that the record may name once `op` is done."""
        names = ids_in(op.payload)
        if op.kind == "update":
            current = self.records.get((op.route, op.key or ""))
            names |= ids_in(dumps(op.changes)) | (ids_in(current.payload) if current else set())
        return names

    def _load_rules(self, routes: list[str]) -> Steps:
        if self.memory.at != self.head.access_seq:
            self.memory.refresh((yield Step(CHANGED_RULES, [(self.memory.at,)], reads=True)), self.head.access_seq)
        self.memory.trim()
        unknown = {folder for route in routes for folder in ancestors(route)} - self.memory.known.keys()
        if unknown:
            rows = yield Step(READ_RULE, [(folder,) for folder in unknown], reads=True)
            self.memory.known.update(dict.fromkeys(unknown))  # without a row there is nothing to know
            self.memory.learn(rows)

    def _current(self, row: Row) -> Current:
        _, _, drop_id, owner, version, removed, live_seq, counters, price, expires_at, _, _, payload = row
        gone = bool(removed) or (expires_at is not None and expires_at <= self.now)
        return Current(drop_id, payload or "null", owner, version, gone, live_seq, orjson.loads(counters or "{}"), price, expires_at)

    def salt(self) -> bytes:
        """16 random bytes, drawn many at a time: each draw asks the kernel."""
        if not self._salts:
            drawn = secrets.token_bytes(16 * 64)
            self._salts = [drawn[i : i + 16] for i in range(0, len(drawn), 16)]
        return self._salts.pop()

    def perform(self, write: Write) -> None:
        """Decides on one write; a refused one leaves no trace in the batch."""
        draft = Draft(self, write.who)
        try:
            write.result = self._answered(write) or draft.perform(write.ops)
        except (OceanError, ArithmeticError, ValueError, TypeError, LookupError) as fault:
            write.fault = fault
            return
        draft.adopt()
        if write.once and write.once.id not in self.once:
            answer = orjson.dumps(write.result).decode()
            self.once[write.once.id] = (write.once.request, answer)
            self.added_once.append((write.once.id, write.once.request, answer, write.once.expires_at))

    def _answered(self, write: Write) -> list[dict[str, Any]]:
        if write.once is None or write.once.id not in self.once:
            return []
        request, answer = self.once[write.once.id]
        if request != write.once.request:
            raise OceanError("CONFLICT", "This Idempotency-Key was used for another request.", "Use a new one.")
        return list(loads(answer))

    def flush(self, dialect: Dialect, sign: Sign) -> Steps:
        """Writes what the batch holds, and moves the head."""
        if self.added_once:
            yield Step(_ADD_ONCE, self.added_once)
        if self.head == self.before:
            return
        if self.drops:
            yield Step(_ADD_DROP, self.drops)
        rows = self.events + list(self.entities.values())
        if rows:
            yield from self._project(rows)
            yield Step(_PUT_RECORD.format(json=dialect.json()), rows)
        if self.gone:
            gone = [(seq,) for seq in self.gone]
            for sql in (_DROP_EVENT, projections.DROP_MARKS, projections.DROP_ENTRIES):
                yield Step(sql, gone)
        if self.counts:
            each = [(counters, body, *pair) for pair, (counters, body) in self.counts.items()]
            yield Step(_COUNT.format(json=dialect.json()), each)
            yield from self._recount()
        if self.rule_rows:
            yield Step(_PUT_RULE, list(self.rule_rows.values()))
        if self.schema_rows:
            yield Step(_PUT_SCHEMA, list(self.schema_rows.values()))
        if self.head.seq // CHECKPOINT_EVERY > self.before.seq // CHECKPOINT_EVERY:
            signed = sign(chain.checkpoint_message(self.head.seq, self.head.chain))
            yield Step(_ADD_CHECKPOINT, [(self.head.seq, self.head.chain, self.now, *signed)])
        yield Step(_MOVE_HEAD, [(self.head.seq, self.head.revision, self.head.access_seq, self.now, self.head.chain)])

    def _project(self, rows: list[tuple[Any, ...]]) -> Steps:
        """The marks and entries of records that change, and away with those of what they were."""
        indexed = self.memory.indexed
        replaced = [(place, row[1]) for row in self.entities.values() if (place := self.places.get((row[1], row[2])))]
        marked = [(place[0],) for place, _ in replaced if place[1]]
        entered = [(place[0],) for place, route in replaced if route in indexed]
        marks = [mark for row in rows if row[13] for mark in projections.mark_rows(row[0], row[14])]
        entries = [
            entry for row in rows if row[1] in indexed and not row[10] for entry in projections.entry_rows(row[0], row[14], indexed[row[1]])
        ]
        for sql, each in (
            (projections.DROP_MARKS, marked), (projections.DROP_ENTRIES, entered), (projections.ADD_MARK, marks),
            (projections.ADD_ENTRY, entries),
        ):  # fmt: skip
            if each:
                yield Step(sql, each)

    def _recount(self) -> Steps:
        """The entries of records whose counters alone moved."""
        indexed = self.memory.indexed
        moved = {
            self.places[pair][0]: (pair[0], body) for pair, (_, body) in self.counts.items() if pair[0] in indexed and pair in self.places
        }
        if moved:
            yield Step(projections.DROP_ENTRIES, [(seq,) for seq in moved])
            yield Step(
                projections.ADD_ENTRY,
                [row for seq, (route, body) in moved.items() for row in projections.entry_rows(seq, body, indexed[route])],
            )

    def settle(self) -> None:
        """The memory of rules takes in what was written."""
        self.memory.known.update(self.rules)
        for route, schema in self.schemas.items():
            if schema is None:
                self.memory.schemas.pop(route, None)
            else:
                self.memory.schemas[route] = schema
        self.memory.at = self.head.access_seq


class Draft:
    """One write inside a batch: sees the batch and its own changes (`core.transition.State`)."""

    def __init__(self, batch: Batch, who: str) -> None:
        self.batch = batch
        self.who = who
        self.head = batch.head
        self.records: dict[tuple[str, str], Current | None] = {}
        self.own_rules: dict[str, Rule | None] = {}
        self.drops: list[tuple[Any, ...]] = []
        self.events: list[tuple[Any, ...]] = []
        self.entities: dict[tuple[str, str], tuple[Any, ...]] = {}
        self.counts: dict[tuple[str, str], tuple[str | None, str]] = {}
        self.rule_rows: dict[str, tuple[Any, ...]] = {}
        self.gone: list[int] = []
        self.own_schemas: dict[str, Schema | None] = {}
        self.schema_rows: dict[str, tuple[Any, ...]] = {}

    def current(self, route: str, key: str) -> Current | None:
        pair = (route, key)
        return self.records[pair] if pair in self.records else self.batch.records.get(pair)

    def rules(self, route: str) -> dict[str, Rule | None]:
        known, shared, own = self.batch.memory.known, self.batch.rules, self.own_rules
        return {f: own[f] if f in own else shared[f] if f in shared else known.get(f) for f in ancestors(route)}

    def event(self, drop_id: str) -> tuple[str, str] | None:
        found = self.batch.event_rows.get(drop_id)
        return found[:2] if found is not None and found[2] not in self.batch.gone and found[2] not in self.gone else None

    def schema(self, route: str) -> Schema | None:
        for known in (self.own_schemas, self.batch.schemas):
            if route in known:
                return known[route]
        return self.batch.memory.schemas.get(route)

    def file(self, blob_id: str) -> tuple[str, int, str] | None:
        return self.batch.files.get(blob_id)

    def others_beneath(self, route: str, who: str) -> bool:
        changed = {**self.batch.rules, **self.own_rules}
        return (route, who) in self.batch.others or any(
            rule is not None and rule.owner != who and folder != route and covers(route, folder) for folder, rule in changed.items()
        )

    def perform(self, ops: list[Op]) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        for index, op in enumerate(ops):
            try:
                changes = plan(op, self.who, self)
            except OceanError as fault:
                if len(ops) > 1:
                    fault.details["index"] = index
                raise
            told = [self._apply(change) for change in changes]
            own = next((i for i, c in enumerate(changes) if c.kind != ACCESS or op.kind == "access"), 0)
            results.append(_result(op, changes[own], told[own]))
        return results

    def _apply(self, change: Change) -> dict[str, Any]:
        """Adds the drop of `change`, moves its entity, and gives what is told of it."""
        head, now = self.head, self.batch.now
        if change.counters_only:
            assert change.key is not None
            self.head = Head(head.seq, head.revision + 1, head.access_seq, head.moment, head.chain)
            self._count(change.route, change.key, change)
            return {}
        drop_id = change.drop_id or str(uuid_utils.uuid7())
        salt = self.batch.salt()
        digest = chain.payload_digest(salt, change.payload)
        link = chain.link(head.chain, chain.leaf(drop_id, change.route, change.key, now, self.who, digest))
        seq = head.seq + 1
        self.head = Head(seq, head.revision + 1, head.access_seq, head.moment, link)
        expires_at = now + change.ttl * 1000 if change.ttl is not None else change.expires_at
        owner = change.owner or self.who
        self.drops.append(
            (seq, drop_id, change.route, change.key, change.payload, self.who, owner, now, change.kind, change.version, expires_at,
             change.price, salt, digest, link),
        )  # fmt: skip
        if change.kind == ACCESS:
            self._rule(change, seq)
        elif change.kind == SCHEMA:
            self._schema(change, seq)
        elif change.removes is not None:
            self.gone.append(self.batch.event_rows[change.removes][2])
        else:
            self._record(change, seq, drop_id, expires_at)
        told: dict[str, Any] = {"drop_id": drop_id, "route": change.route, "key": change.key, "source": self.who}
        told["created_at"] = show_time(now)
        told["version"] = change.version
        told["expires_at"] = show_time(expires_at) if expires_at is not None else None
        return {name: value for name, value in told.items() if value is not None}

    def _rule(self, change: Change, seq: int) -> None:
        moved = self._moved(seq)
        self.own_rules[change.route] = change.rule
        rule = change.rule
        text = orjson.dumps(rule.to_json()).decode() if rule else None
        self.rule_rows[change.route] = (change.route, moved, rule and rule.owner, rule and rule.mode, text)

    def _schema(self, change: Change, seq: int) -> None:
        moved = self._moved(seq)
        self.own_schemas[change.route] = change.schema
        text = None if change.schema is None else change.payload
        self.schema_rows[change.route] = (change.route, moved, text)

    def _moved(self, seq: int) -> int:
        """What holds in folders has changed: the new number of that. It never runs back, whoever else moves it."""
        moved = max(self.head.access_seq + 1, seq)
        self.head = self.head._replace(access_seq=moved)
        return moved

    def _record(self, change: Change, seq: int, drop_id: str, expires_at: int | None) -> None:
        live = change.kind == SAVED
        owner = change.owner or self.who
        counters = orjson.dumps(change.counters).decode() if change.counters and live else None
        live_seq = seq if live else change.live_seq or 0
        body = body_of(change.payload, change.counters) if live else None
        marks = int(bool(body is not None and '"_' in body and projections.mark_rows(seq, body)))
        row = (
            seq, change.route, change.key, drop_id, self.who, owner, self.batch.now, change.version, expires_at, change.price,
            0 if live else 1, live_seq, counters, marks, body,
        )  # fmt: skip
        if change.key is None:
            self.events.append(row)
            return
        pair = (change.route, change.key)
        self.entities[pair] = row
        self.counts.pop(pair, None)
        self.records[pair] = Current(
            drop_id, change.payload, owner, change.version or 1, not live, live_seq, dict(change.counters), change.price, expires_at
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
            self.entities[pair] = (*row[:12], counters, row[13], body)
        else:
            self.counts[pair] = (counters, body or "{}")

    def adopt(self) -> None:
        """The batch takes the write in."""
        batch = self.batch
        batch.head = self.head
        batch.records.update(self.records)
        batch.rules.update(self.own_rules)
        batch.drops.extend(self.drops)
        batch.events.extend(self.events)
        batch.entities.update(self.entities)
        for pair in self.entities:
            batch.counts.pop(pair, None)
        batch.counts.update(self.counts)
        batch.rule_rows.update(self.rule_rows)
        batch.gone.extend(self.gone)
        batch.schemas.update(self.own_schemas)
        batch.schema_rows.update(self.schema_rows)


def body_of(payload: str, counters: dict[str, int] | None = None) -> str | None:
    """What conditions look into: the structured payload with its counters, or None where it is not structured."""
    text = structured(payload)
    if text[0] not in "{[":
        return None
    if counters and text[0] == "{":
        return dumps({**loads(text), **counters})
    return text


def _result(op: Op, change: Change, told: dict[str, Any]) -> dict[str, Any]:
    if op.kind == "add":
        return {"route": op.route, "key": op.key, "field": op.counter, "value": change.value}
    if op.kind in ("remove", "unpublish"):
        return {"deleted": True, "drop_id": told["drop_id"]}
    if change.price is not None:
        told["price"] = show_io(change.price)
    if op.kind == "update":
        told["payload"] = orjson.Fragment(body_of(change.payload, change.counters) or change.payload)
    if op.kind == "access":
        told["rule"] = change.rule.to_json() if change.rule else None
    return told
