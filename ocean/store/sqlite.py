"""The store on SQLite: one writing connection in a thread of its own, read-only ones for everything else."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

import orjson
import pysqlite3
import uuid_utils

from ocean.core import chain
from ocean.core.access import ACCESS_KEY, Rule
from ocean.core.drop import ACCESS, SAVED, Drop
from ocean.core.payloads import decode, structured
from ocean.core.routes import ancestors
from ocean.core.transition import Change, Current

_DROP = "seq, drop_id, route, key, payload, source, created_at, kind, version, expires_at, price"
_SELECT_DROP = f"SELECT {_DROP} FROM drops "  # noqa: S608 - constant text
_INSERT_DROP = f"INSERT INTO drops ({_DROP}, salt, digest, chain) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_UPSERT_RECORD = """
INSERT INTO record (seq, route, key, drop_id, source, owner, created_at, version, expires_at, price, removed, live_seq, counters, body)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,jsonb(?)) ON CONFLICT (route, key) DO UPDATE SET seq = excluded.seq, drop_id = excluded.drop_id,
source = excluded.source, created_at = excluded.created_at, version = excluded.version, expires_at = excluded.expires_at,
price = excluded.price, removed = excluded.removed, live_seq = excluded.live_seq, counters = excluded.counters, body = excluded.body
"""


def connect(database: Path, *, read_only: bool) -> Any:
    """A connection in autocommit mode, durable on commit (WAL, synchronous=FULL)."""
    connection = pysqlite3.connect(
        f"file:{database}{'?mode=ro' if read_only else ''}", uri=True, isolation_level=None, check_same_thread=False,
        cached_statements=256,
    )  # fmt: skip
    connection.execute("PRAGMA busy_timeout=10000")
    if not read_only:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA mmap_size=268435456")
    return connection


class Transaction:
    """The state one batch meets and moves: head, rules and records, read under the write lock."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.seq, self.revision, self.access_seq, self.moment, self.chain = connection.execute(
            "SELECT seq, revision, access_seq, moment, chain FROM head WHERE id = 1"
        ).fetchone()
        self.now = max(self.moment, int(time.time() * 1000))
        self._rules: dict[str, Rule | None] = {}

    def current(self, route: str, key: str) -> Current | None:
        row = self.connection.execute(
            "SELECT r.drop_id, d.payload, r.owner, r.version, r.removed, r.live_seq, r.counters, r.expires_at, r.price "
            "FROM record r JOIN drops d ON d.seq = r.seq WHERE r.route = ? AND r.key = ?",
            (route, key),
        ).fetchone()
        if row is None:
            return None
        drop_id, payload, owner, version, removed, live_seq, counters, expires_at, price = row
        gone = bool(removed) or (expires_at is not None and expires_at <= self.now)
        return Current(drop_id, payload or "null", owner, version, gone, live_seq, decode((counters or "{}").encode()), price, expires_at)

    def rules(self, route: str) -> dict[str, Rule | None]:
        found: dict[str, Rule | None] = {}
        for folder in ancestors(route):
            if folder not in self._rules:
                current = self.current(folder, ACCESS_KEY)
                live = current is not None and not current.removed
                self._rules[folder] = Rule.from_json(decode(current.payload.encode())) if live and current else None
            found[folder] = self._rules[folder]
        return found

    def owners_beneath(self, route: str) -> set[str | None]:
        rows = self.connection.execute(
            "SELECT DISTINCT d.payload ->> '$.owner' FROM record r JOIN drops d ON d.seq = r.seq "
            "WHERE r.route > ? AND r.route < ? AND r.key = ? AND r.removed = 0",
            (route + "/", route + "0", ACCESS_KEY),
        )
        return {row[0] for row in rows}

    def apply(self, change: Change, who: str) -> Drop | None:
        """Appends the drop of `change` and moves the entity. Returns it, or None when only counters moved."""
        counters = None
        if change.counters:
            counters = orjson.dumps(change.counters).decode()
        self.revision += 1
        if change.counters_only:
            self.connection.execute("UPDATE record SET counters = ? WHERE route = ? AND key = ?", (counters, change.route, change.key))
            return None
        self.seq += 1
        seq, now = self.seq, self.now
        drop_id = str(uuid_utils.uuid7())
        salt = secrets.token_bytes(16)
        digest = chain.payload_digest(salt, change.payload)
        self.chain = chain.link(self.chain, chain.leaf(drop_id, change.route, change.key, now, who, digest))
        expires_at = now + change.ttl * 1000 if change.ttl is not None else change.expires_at
        drop = Drop(
            seq, drop_id, change.route, change.key, change.payload, who, now, change.kind, change.version, expires_at, change.price
        )  # fmt: skip
        self.connection.execute(
            _INSERT_DROP,
            (seq, drop_id, change.route, change.key, change.payload, who, now, change.kind, change.version, expires_at,
             change.price, salt, digest, self.chain),
        )  # fmt: skip
        live = change.kind == SAVED or (change.kind == ACCESS and change.rule is not None)
        body = structured(change.payload) if live else None
        self.connection.execute(
            _UPSERT_RECORD,
            (seq, change.route, change.key, drop_id, who, change.owner or who, now, change.version, expires_at, change.price,
             0 if live else 1, seq if live else change.live_seq or 0, counters, body if body and body[0] in "{[" else None),
        )  # fmt: skip
        if change.kind == ACCESS:
            self.access_seq = seq
            self._rules[change.route] = change.rule
        return drop

    def close(self) -> None:
        self.connection.execute(
            "UPDATE head SET seq = ?, revision = ?, access_seq = ?, moment = ?, chain = ? WHERE id = 1",
            (self.seq, self.revision, self.access_seq, self.now, self.chain),
        )


def ensure_head(connection: Any) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO head (id, seq, revision, access_seq, moment, chain) VALUES (1,0,0,0,0,?)",
        (chain.GENESIS,),
    )


class Reader:
    """Reads on one read-only connection, in the caller's thread: each a few microseconds but for scans."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.connection = connect(database, read_only=True)
        self._rules: dict[str, Rule | None] = {}
        self._rules_at = -1

    def head(self) -> tuple[int, int]:
        """`(seq, revision)` of the log as it is now, whoever wrote it."""
        row = self.connection.execute("SELECT seq, revision FROM head WHERE id = 1").fetchone()
        return int(row[0]), int(row[1])

    def rules(self, route: str) -> dict[str, Rule | None]:
        (at,) = self.connection.execute("SELECT access_seq FROM head WHERE id = 1").fetchone()
        if at != self._rules_at or len(self._rules) > 50_000:
            self._rules.clear()
            self._rules_at = at
        found: dict[str, Rule | None] = {}
        for folder in ancestors(route):
            if folder not in self._rules:
                drop = self.entity(folder, ACCESS_KEY)
                live = drop is not None and drop.payload not in (None, "null")
                self._rules[folder] = Rule.from_json(decode((drop.payload or "").encode())) if live and drop else None
            found[folder] = self._rules[folder]
        return found

    def rules_beneath(self, route: str) -> dict[str, Rule]:
        rows = self.connection.execute(
            "SELECT d.route, d.payload FROM record r JOIN drops d ON d.seq = r.seq "
            "WHERE r.route > ? AND r.route < ? AND r.key = ? AND r.removed = 0",
            (route + "/", route + "0", ACCESS_KEY),
        )
        return {folder: Rule.from_json(decode(payload.encode())) for folder, payload in rows}

    def entity(self, route: str, key: str) -> Drop | None:
        """The newest drop of an entity, a removal included."""
        row = self.connection.execute(
            "SELECT d.seq, d.drop_id, d.route, d.key, d.payload, d.source, d.created_at, d.kind, d.version, d.expires_at, d.price, "
            "r.counters FROM record r JOIN drops d ON d.seq = r.seq WHERE r.route = ? AND r.key = ?",
            (route, key),
        ).fetchone()
        return Drop(*row) if row else None

    def owner(self, route: str, key: str) -> str | None:
        row = self.connection.execute("SELECT owner FROM record WHERE route = ? AND key = ?", (route, key)).fetchone()
        return row[0] if row else None

    def entity_at(self, route: str, key: str, moment: int) -> Drop | None:
        return self._one(
            "WHERE route = ? AND key = ? AND seq <= (SELECT coalesce(max(seq), 0) FROM drops WHERE created_at <= ?) "
            "ORDER BY seq DESC LIMIT 1",
            (route, key, moment),
        )

    def last_live(self, route: str, key: str) -> Drop | None:
        """The newest live version of a page, though it was removed since; not though it was unpublished."""
        return self._one("WHERE seq = (SELECT live_seq FROM record WHERE route = ? AND key = ?)", (route, key))

    def history(self, route: str, key: str, limit: int) -> list[Drop]:
        return self._many("WHERE route = ? AND key = ? ORDER BY seq DESC LIMIT ?", (route, key, limit))

    def drop(self, drop_id: str) -> Drop | None:
        return self._one("WHERE drop_id = ?", (drop_id,))

    def follow(self, after: int, limit: int) -> list[Drop]:
        """Drops after a position, in order."""
        return self._many("WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))

    def newest(self, route: str, deep: bool, before: int, limit: int) -> list[Drop]:
        """Up to `limit` drops of a folder before a position, newest first."""
        where = "(route = ? OR (route > ? AND route < ?))" if deep else "route = ?"
        args = (route, route + "/", route + "0") if deep else (route,)
        return self._many(f"WHERE {where} AND seq < ? ORDER BY seq DESC LIMIT ?", (*args, before, limit))

    def scan(self, sql: str, args: list[Any]) -> list[Any]:
        return list(self.connection.execute(sql, args).fetchall())

    def _one(self, tail: str, args: tuple[Any, ...]) -> Drop | None:
        row = self.connection.execute(_SELECT_DROP + tail, args).fetchone()
        return Drop(*row) if row else None

    def _many(self, tail: str, args: tuple[Any, ...]) -> list[Drop]:
        return [Drop(*row) for row in self.connection.execute(_SELECT_DROP + tail, args)]
