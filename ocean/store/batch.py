"""A batch of writes, decided under the lock of the head row and written together: one course of steps for every engine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from ocean.core import chain
from ocean.core.access import Rule
from ocean.core.broadcasts import Stream
from ocean.core.changes import Current, Op, looks_at, needs_payload
from ocean.core.drop import Price, show_time
from ocean.core.files import ids_in
from ocean.core.patterns import PATTERNS, Schema, named_in
from ocean.core.payloads import dumps, loads
from ocean.core.routes import ancestors
from ocean.errors import OceanError
from ocean.store import projections
from ocean.store.draft import Draft, Head
from ocean.store.engine import Row, Step, Steps
from ocean.store.query.dialects import Dialect
from ocean.store.rules import CHANGED_RULES, READ_RULE, Rules

CHECKPOINT_EVERY = 256  # drops; a walk from a drop to a signed head is as long, and one batch more


@dataclass(frozen=True, slots=True)
class Once:
    """What happens at most once until `expires_at`: an idempotency key, or a nonce. `request` is a digest of what was asked."""

    id: str
    request: str
    expires_at: int


def answer_of(once: Once, request: str, answer: str) -> Any:
    """What the same request was answered before. Raises CONFLICT where it was another."""
    if request != once.request:
        raise OceanError("CONFLICT", "This Idempotency-Key was used for another request.", "Use a new one.", reused=True)
    return loads(answer)


@dataclass(slots=True)
class Write:
    """Changes that happen together or not at all, by one key."""

    ops: list[Op]
    who: str
    once: Once | None = None
    beside: Callable[[], Steps] | None = None  # rows that are written with it: they are looked at, refused (OceanError), and only then put
    brief: bool = False  # its result is `[{"count"}]`, not one for each op
    done: asyncio.Future[Any] | None = None
    result: list[dict[str, Any]] = field(default_factory=list)
    fault: Exception | None = None
    size: int = 0  # about how much memory it holds while it waits, in bytes

    def __post_init__(self) -> None:
        self.size = 512 + sum([400 + len(op.payload) + op.weight for op in self.ops])


_READ_HEAD = "SELECT seq, revision, access_seq, moment, chain FROM head WHERE id = 1"
_MOVE_HEAD = "UPDATE head SET seq = ?, revision = ?, access_seq = ?, moment = ?, chain = ? WHERE id = 1"
READ_ONCE = "SELECT id, request, answer FROM once WHERE id = ?"
ADD_ONCE = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?)"
_CURRENT = (
    "r.route, r.key, r.drop_id, r.owner, r.version, r.removed, r.live_seq, r.counters, r.price, r.read_price, r.expires_at, r.seq, r.marks"
)
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
    "INSERT INTO drops (seq, drop_id, route, key, payload, source, owner, created_at, kind, version, expires_at, price, read_price, salt, "
    "digest, chain) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
_RECORD = (
    "seq", "route", "key", "drop_id", "source", "owner", "created_at", "version", "expires_at", "price", "read_price", "removed",
    "live_seq", "counters", "marks", "body",
)  # fmt: skip
_PUT_RECORD = f"INSERT INTO record ({', '.join(_RECORD)}) VALUES ({'?,' * 15}{{json}}) ON CONFLICT (route, key) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in _RECORD if name not in ("route", "key")
)
_COUNT = "UPDATE record SET counters = ?, body = {json} WHERE route = ? AND key = ?"
_PUT_RULE = (
    "INSERT INTO rule (route, seq, owner, mode, rule, claimed_by) VALUES (?,?,?,?,?,?) "
    "ON CONFLICT (route) DO UPDATE SET seq = excluded.seq, owner = excluded.owner, mode = excluded.mode, rule = excluded.rule, "
    "claimed_by = excluded.claimed_by"
)
_PUT_SAID = (  # a folder's schema, or that it is a stream
    "INSERT INTO rule (route, seq, {0}) VALUES (?,?,?) ON CONFLICT (route) DO UPDATE SET seq = excluded.seq, {0} = excluded.{0}"
)
_READ_FILE = "SELECT id, owner, size, sha256 FROM blob WHERE id = ?"
_ADD_CHECKPOINT = "INSERT INTO checkpoint (seq, chain, created_at, public_key, signature) VALUES (?,?,?,?,?)"


Sign = Callable[[bytes], tuple[str, str]]  # message -> (public key, signature)


def commit(writes: list[Write], rules: Rules, dialect: Dialect, sign: Sign) -> Steps:
    """The transaction that performs `writes` in order; each gets its result or its fault.

    `rules` is a memory that outlives the batch; whoever runs this and fails to commit must empty it.
    """
    (row,) = yield Step(_READ_HEAD + dialect.for_update, [()], reads=True)
    batch = Batch(Head(*row), rules)
    yield from batch.load(writes)
    for write in writes:
        yield from batch.perform(write)
    yield from batch.flush(dialect, sign)
    batch.settle()


class Batch:
    """What the writes meet, and what they leave, in memory between the reads and the flush."""

    def __init__(self, head: Head, rules: Rules) -> None:
        self.before = self.head = Head(*head[:4], bytes(head.chain))
        self.now = max(head.moment, int(time.time() * 1000))
        self.time = show_time(self.now)
        self.memory = rules
        self._salts: list[bytes] = []
        self.once: dict[str, tuple[str, str]] = {}
        self.records: dict[tuple[str, str], Current | None] = {}
        self.rules: dict[str, Rule | None] = {}
        self.beneath: dict[str, set[str]] = {}  # of each folder those beneath it whose rules change
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
        self.streams: dict[str, Stream | None] = {}
        self.stream_rows: dict[str, tuple[Any, ...]] = {}
        self.event_rows: dict[str, tuple[str, str, int]] = {}  # drop_id -> (route, owner, seq) of events that are to be removed
        self.gone: list[int] = []
        self.marks: dict[int, list[tuple[Any, ...]]] = {}  # of records, by their places
        self.places: dict[tuple[str, str], tuple[int, int]] = {}  # where records were, and whether they have marks

    def load(self, writes: list[Write]) -> Steps:
        """Reads all that deciding on `writes` can ask for."""
        keys = [(write.once.id,) for write in writes if write.once]
        if keys:
            for id_, request, answer in (yield Step(READ_ONCE, keys, reads=True)):
                self.once[id_] = (request, answer)
        ops = [(op, write.who) for write in writes for op in write.ops]
        needed: dict[bool, set[tuple[str, str | None]]] = {True: set(), False: set()}
        for op, _ in ops:
            if op.key is not None:
                needed[needs_payload(op)].add((op.route, op.key))
        yield from self._load_records("NULL", needed[False] - needed[True])
        yield from self._load_records("d.payload", needed[True])
        patterns: set[tuple[str, str | None]] = {(PATTERNS, name) for op, _ in ops if (name := self._pattern(op)) is not None}
        yield from self._load_records("d.payload", patterns)
        removed = [(op.removes,) for op, _ in ops if op.removes is not None]
        if removed:
            rows = yield Step(_READ_EVENT, removed, reads=True)
            self.event_rows = {row[0]: (row[1], row[2], row[3]) for row in rows}
        names = {blob_id for op, _ in ops for blob_id in ids_in(op.payload)}
        names |= {blob_id for op, _ in ops if op.kind == "update" for blob_id in self._kept(op)}
        if names:
            rows = yield Step(_READ_FILE, [(name,) for name in names], reads=True)
            self.files = {row[0]: (row[1], row[2], row[3]) for row in rows}
        looked = {(route, who) for op, who in ops for route in looks_at(op)}
        yield from self._load_rules([route for route, _ in looked])
        changes = any(op.kind == "access" or op.route.startswith("trust/") for op, _ in ops)  # then any rule may go within the batch
        asked = [(route, who) for route, who in looked if changes or not any(self.memory.of(route).values())]
        if asked:
            each = [(route, who, route + "/", route + "0", who) for route, who in asked]
            self.others = {(row[0], row[1]) for row in (yield Step(_READ_OTHERS, each, reads=True))}

    def _load_records(self, column: str, pairs: set[tuple[str, str | None]]) -> Steps:
        for sql, each in _reads(column, list(pairs)):
            for row in (yield Step(sql, each, reads=True)):
                self.records[row[0], row[1]] = self._current(row)
                self.places[row[0], row[1]] = (row[11], row[12])

    def _pattern(self, op: Op) -> str | None:
        """The pattern that the record will name once `op` is done."""
        if op.kind == "save":
            return named_in(op.payload)
        named = op.changes.get("pattern")
        if isinstance(named, str):
            return named
        current = self.records.get((op.route, op.key or "")) if op.kind in ("update", "add") else None
        return named_in(current.payload) if current is not None else None

    def _kept(self, op: Op) -> set[str]:
        """The files that a record may name once it is updated."""
        current = self.records.get((op.route, op.key or ""))
        return ids_in(dumps(op.changes)) | (ids_in(current.payload) if current else set())

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
        _, _, drop_id, owner, version, removed, live_seq, counters, once, read, expires_at, _, _, payload = row
        gone = bool(removed) or (expires_at is not None and expires_at <= self.now)
        counts = orjson.loads(counters or "{}")
        return Current(drop_id, payload or "null", owner, version, gone, live_seq, counts, Price(once, read), expires_at)

    def salt(self) -> bytes:
        """16 random bytes, drawn many at a time: each draw asks the kernel."""
        if not self._salts:
            drawn = secrets.token_bytes(16 * 64)
            self._salts = [drawn[i : i + 16] for i in range(0, len(drawn), 16)]
        return self._salts.pop()

    def perform(self, write: Write) -> Steps:
        """Decides on one write; a refused one leaves no trace in the batch."""
        draft = Draft(self, write.who)
        try:
            answered = self._answered(write)
            write.result = answered or draft.perform(write.ops, brief=write.brief)
            if write.beside is not None and not answered:
                yield from write.beside()
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
        return list(answer_of(write.once, *self.once[write.once.id]))

    def flush(self, dialect: Dialect, sign: Sign) -> Steps:
        """Writes what the batch holds, and moves the head."""
        if self.added_once:
            yield Step(ADD_ONCE, self.added_once)
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
        yield from self._keep_cells(dialect)
        if self.rule_rows:
            yield Step(_PUT_RULE, list(self.rule_rows.values()))
        for column, said in (("schema", self.schema_rows), ("stream", self.stream_rows)):
            if said:
                yield Step(_PUT_SAID.format(column), list(said.values()))
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
        marks = [mark for row in rows for mark in self.marks.get(row[0], ())]
        entries = [
            entry for row in rows if row[1] in indexed and not row[11] for entry in projections.entry_rows(row[0], row[15], indexed[row[1]])
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

    def _keep_cells(self, dialect: Dialect) -> Steps:
        """The cells of records that change, in folders that have any."""
        cells = self.memory.cells
        if not cells:
            return
        changed: dict[str, list[int]] = {}
        for row in self.events + list(self.entities.values()):
            if row[1] in cells:  # removed ones too: theirs are emptied
                changed.setdefault(row[1], []).append(row[0])
        for pair in self.counts:
            if pair[0] in cells and pair in self.places:
                changed.setdefault(pair[0], []).append(self.places[pair][0])
        for route, seqs in changed.items():
            put = projections.put_cells(dialect, cells[route])
            yield Step(f"{put.text} WHERE seq = ?", [(*put.values, seq) for seq in seqs])

    def settle(self) -> None:
        """The memory of rules takes in what was written."""
        self.memory.known.update(self.rules)
        self.memory.say(self.schemas, self.streams)
        self.memory.at = self.head.access_seq
