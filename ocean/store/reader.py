"""What is read of the log and its projections. Every read sees what was committed when it was asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from grammar.names import way
from ocean.core.access import Rule
from ocean.core.broadcasts import Stream
from ocean.core.drop import Drop
from ocean.core.patterns import Schema
from ocean.core.routes import ancestors
from ocean.errors import OceanError
from ocean.store.engine import Engine, Row
from ocean.store.query.dialects import Field
from ocean.store.query.fragments import Sql, sql
from ocean.store.rules import CHANGED_RULES, READ_RULE, Rules, rule_of

DROP = (
    "d.seq, d.drop_id, d.route, d.key, d.payload, d.source, d.owner, d.created_at, d.kind, d.version, d.expires_at, d.price, d.read_price"
)
LIVE = "r.removed = 0 AND (r.expires_at IS NULL OR r.expires_at > ?)"  # the value: now, in milliseconds
MAX_CLOSED = 20_000
MAX_KEPT = 200  # questions about closed folders whose answers are kept
_SELECT = f"SELECT {DROP} FROM drops d "
_HEAD = "SELECT seq, revision FROM head WHERE id = 1"
_LOOK = (
    f"SELECT h.access_seq, r.owner, {DROP}, r.counters FROM head h LEFT JOIN record r ON r.route = ? AND r.key = ? "
    "LEFT JOIN drops d ON d.seq = r.seq WHERE h.id = 1"
)


def beneath(route: str) -> tuple[str, str]:
    """The bounds (exclusive) of the folders beneath `route`: `0` is what follows `/`."""
    return route + "/", route + "0"


def now() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


class Found(NamedTuple):
    """A record's newest drop (removals included) with the record's owner and the rules that stood at that moment."""

    drop: Drop | None
    owner: str | None
    rules: dict[str, Rule | None]


class Known(NamedTuple):
    """A folder's rules, of itself and of each folder above it, up to the change `at`; its fields that have an index, and a cell."""

    rules: dict[str, Rule | None]
    at: int
    indexed: dict[str, int]
    cells: dict[str, int]


class Closed:
    """Closed folders by the folder above and who asks, true as of `at`."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.found: dict[tuple[str, str | None], list[tuple[str, Rule]]] = {}


class Reader:
    """Reads over an engine, with the rules of folders kept in memory and true."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._rules = Rules()
        self._learning = asyncio.Lock()
        self._closed = Closed(-1)

    async def head(self) -> tuple[int, int]:
        """`(seq, revision)` of the log as it is now, whoever wrote it."""
        (row,) = await self.engine.rows(_HEAD)
        return row[0], row[1]

    async def next_expiry(self, after: int) -> int:
        """When the next of all records expires (milliseconds), or the end of time."""
        rows = await self.engine.rows("SELECT min(expires_at) FROM record WHERE expires_at > ?", (after,))
        return int(rows[0][0]) if rows and rows[0][0] is not None else 2**62

    async def rules(self, route: str) -> dict[str, Rule | None]:
        """The rule, or None, of `route` and of each folder above it."""
        return (await self.rules_now(route))[0]

    async def known(self, route: str) -> Known:
        """What is known of a folder, by one look whether any rule has changed."""
        rules, at = await self.rules_now(route)
        return Known(rules, at, self._rules.indexed.get(route, {}), self._rules.cells.get(route, {}))

    async def rules_now(self, route: str) -> tuple[dict[str, Rule | None], int]:
        """The same, and up to which change of any rule they are so."""
        ((at,),) = await self.engine.rows("SELECT access_seq FROM head WHERE id = 1")
        return await self._rules_at(route, at), at

    async def _rules_at(self, route: str, at: int) -> dict[str, Rule | None]:
        folders = ancestors(route)
        known = self._rules.known
        if at == self._rules.at and all(folder in known for folder in folders):
            return {folder: known[folder] for folder in folders}
        async with self._learning:  # whoever changes the memory does so alone: reads may wait in between
            return await self._learn(folders, at)

    async def _learn(self, folders: tuple[str, ...], at: int) -> dict[str, Rule | None]:
        rules = self._rules
        if at > rules.at:
            rules.refresh(await self.engine.rows(CHANGED_RULES, (rules.at,)), at)
        rules.trim()  # before it is looked who is known: what is forgotten is read again, all of it
        found: dict[str, Rule | None] = {folder: rules.known[folder] for folder in folders if folder in rules.known}
        rows = [row for folder in folders if folder not in found for row in await self.engine.rows(READ_RULE, (folder,))]
        rules.known.update({folder: found.get(folder) for folder in folders})
        rules.learn(rows)
        return {folder: rules.known[folder] for folder in folders}

    async def schema(self, route: str) -> Schema | None:
        """What a folder's records must be."""
        await self.rules(route)
        return self._rules.schemas.get(route)

    async def indexed(self, route: str) -> dict[str, int]:
        """The fields of a folder that have an index."""
        await self.rules(route)
        return self._rules.indexed.get(route, {})

    async def cells(self, route: str) -> dict[str, int]:
        """The fields of a folder that have a cell."""
        await self.rules(route)
        return self._rules.cells.get(route, {})

    async def stream(self, route: str) -> Stream | None:
        """Whether a folder is a stream, that keeps nothing."""
        await self.rules(route)
        return self._rules.streams.get(route)

    async def closed_beneath(self, route: str, who: str | None, at: int) -> list[tuple[str, Rule]]:
        """The folders beneath `route` whose rule may keep `who` from reading, `at` as `rules_now` gave it. Raises LIMIT_REACHED beyond
        MAX_CLOSED."""
        kept, name = self._closed, (route, who)
        if kept.at != at or len(kept.found) > MAX_KEPT:
            kept = self._closed = Closed(at)
        if name not in kept.found:
            kept.found[name] = await self._read_closed(route, who)
        return kept.found[name]

    async def _read_closed(self, route: str, who: str | None) -> list[tuple[str, Rule]]:
        rows = await self.engine.scan(
            "SELECT route, rule FROM rule WHERE route > ? AND route < ? AND mode IN ('shared', 'writeonly') AND owner <> ? "
            "ORDER BY route LIMIT ?",
            (*beneath(route), who or "", MAX_CLOSED + 1),
        )
        if len(rows) > MAX_CLOSED:
            raise OceanError(
                "LIMIT_REACHED", f"More than {MAX_CLOSED} folders beneath {route!r} are closed.", "Ask for one of its folders."
            )
        return [(folder, rule) for folder, text in rows if (rule := rule_of(text)) is not None]

    async def look(self, route: str, key: str) -> Found:
        """One record and who may see it, in one read."""
        (row,) = await self.engine.rows(_LOOK, (route, key))
        drop = Drop(*row[2:]) if row[2] is not None else None
        return Found(drop, row[1], await self._rules_at(route, row[0]))

    async def entity(self, route: str, key: str) -> Drop | None:
        """The newest drop of an entity, a removal included."""
        (row,) = await self.engine.rows(_LOOK, (route, key))
        return Drop(*row[2:]) if row[2] is not None else None

    async def existing(self, pairs: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of the (route, key) pairs that are records, removed ones included."""
        if not pairs:
            return set()
        signs = ",".join(["(?,?)"] * len(pairs))
        rows = await self.engine.rows(
            f"WITH w(route, key) AS (VALUES {signs}) SELECT r.route, r.key FROM w JOIN record r ON r.route = w.route AND r.key = w.key",
            [name for pair in pairs for name in pair],
        )
        return {(row[0], row[1]) for row in rows}

    async def position_at(self, moment: int) -> int:
        """The place of the newest drop written at or before a time: places have no gaps, and their times never run back."""
        low, high = 0, (await self.head())[0]
        while low < high:
            middle = (low + high + 1) // 2
            ((created_at,),) = await self.engine.rows("SELECT created_at FROM drops WHERE seq = ?", (middle,))
            low, high = (middle, high) if created_at <= moment else (low, middle - 1)
        return low

    async def entity_at(self, route: str, key: str, position: int) -> Drop | None:
        """The drop that was an entity's newest at a place of the log."""
        return await self._one("WHERE d.route = ? AND d.key = ? AND d.seq <= ? ORDER BY d.seq DESC LIMIT 1", (route, key, position))

    async def folder_at(self, route: str, position: int) -> AsyncIterator[Drop]:
        """The newest drop of each entity of a folder, as they stood at a place of the log, by key; removals included."""
        last = ""
        while True:
            drops = await self._many(
                "WHERE d.route = ? AND d.key > ? AND d.seq = "
                "(SELECT max(o.seq) FROM drops o WHERE o.route = d.route AND o.key = d.key AND o.seq <= ?) ORDER BY d.key LIMIT 500",
                (route, last, position),
                long=True,
            )
            for drop in drops:
                yield drop
            if not drops:
                return
            last = drops[-1].key or ""

    async def at(self, seqs: Sequence[int]) -> AsyncIterator[Drop]:
        """The drops at some places, one by one."""
        for seq in seqs:
            drop = await self._one("WHERE d.seq = ?", (seq,))
            if drop is not None:
                yield drop

    async def has_field(self, route: str, name: str, among: int = 1000) -> bool:
        """Whether one of a folder's newest records has a field, of those that whoever may read the folder may read."""
        there = self.engine.dialect.there(Field(Sql("r.body"), way(name)))
        newest = sql(
            "SELECT body FROM record WHERE route = {} AND removed = 0 AND price IS NULL AND read_price IS NULL ORDER BY seq DESC LIMIT {}",
            route,
            among,
        )
        statement = sql("SELECT 1 FROM ({}) r WHERE {} LIMIT 1", newest, there)
        return bool(await self.engine.scan(statement.text, statement.values))

    async def any_beneath(self, route: str) -> bool:
        """Whether a folder beneath `route` has ever held anything."""
        return bool(await self.engine.rows("SELECT seq FROM record WHERE route > ? AND route < ? LIMIT 1", beneath(route)))

    async def next_folder(self, after: str, before: str) -> str | None:
        """The first folder between two bounds that holds a live entity."""
        rows = await self.engine.scan(
            f"SELECT r.route FROM record r WHERE {LIVE} AND r.key IS NOT NULL AND r.route > ? AND r.route < ? ORDER BY r.route LIMIT 1",
            (now(), after, before),
        )
        return rows[0][0] if rows else None

    async def entities(self, route: str, limit: int) -> list[Drop]:
        """The entities of exactly that folder as they are now, in the order they were written; those that have expired too."""
        tail = "JOIN record r ON r.seq = d.seq WHERE r.route = ? AND r.key IS NOT NULL AND r.removed = 0 ORDER BY r.seq LIMIT ?"
        return await self._many(tail, (route, limit))

    async def last_live(self, route: str, key: str) -> Drop | None:
        """The newest live version of a page, though it was removed since; not though it was unpublished."""
        return await self._one("JOIN record r ON r.live_seq = d.seq WHERE r.route = ? AND r.key = ?", (route, key))

    async def history(self, route: str, key: str, limit: int) -> list[Drop]:
        """Newest first. Raises LIMIT_REACHED where they are too large together."""
        rows = await self.engine.scan(_SELECT + "WHERE d.route = ? AND d.key = ? ORDER BY d.seq DESC LIMIT ?", (route, key, limit))
        return [Drop(*row) for row in rows]

    async def payload_size(self, route: str, key: str) -> int:
        """The bytes of what a record holds; 0 where there is none."""
        rows = await self.engine.rows(
            "SELECT octet_length(d.payload) FROM record r JOIN drops d ON d.seq = r.seq WHERE r.route = ? AND r.key = ?", (route, key)
        )
        return int(rows[0][0] or 0) if rows else 0

    async def drop(self, drop_id: str) -> Drop | None:
        return await self._one("WHERE d.drop_id = ?", (drop_id,))

    async def follow(self, after: int, limit: int) -> list[Drop]:
        """Drops after a position, in order; fewer than `limit` where they are large."""
        return await self._many("WHERE d.seq > ? ORDER BY d.seq LIMIT ?", (after, limit), long=True)

    async def moved(self, after: int, limit: int) -> list[Row]:
        """`(seq, route)` of the drops after a position, in order."""
        return await self.engine.rows("SELECT seq, route FROM drops WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))

    async def deployed(self, after: int, folders: Sequence[str], key: str) -> bool:
        """Whether one of these folders was deployed after a position: its record of that, `key`, is newer."""
        marks = ",".join("?" * len(folders))
        return bool(
            await self.engine.rows(f"SELECT 1 FROM record WHERE route IN ({marks}) AND key = ? AND seq > ? LIMIT 1", (*folders, key, after))
        )

    async def newest(self, route: str, deep: bool, before: int, limit: int) -> list[Drop]:
        """Up to `limit` drops of a folder before a position, newest first, with empty payloads in the place of what they hold."""
        where, args = within("d.route", route, deep)
        bare = _SELECT.replace("d.payload", "CASE WHEN d.payload IS NULL THEN NULL ELSE '' END")
        rows = await self.engine.scan(f"{bare}WHERE {where} AND d.seq < ? ORDER BY d.seq DESC LIMIT ?", (*args, before, limit))
        return [Drop(*row) for row in rows]

    async def following(self, route: str, deep: bool, after: int, until: int, limit: int) -> list[Drop]:
        """Up to `limit` drops of a folder after a position, in order; fewer where they are large, none at the end."""
        where, args = within("d.route", route, deep)
        tail = f"WHERE {where} AND d.seq > ? AND d.seq <= ? ORDER BY d.seq LIMIT ?"
        return await self._many(tail, (*args, after, until, limit), long=True)

    async def kind_of(self, scan: Sql, name: str, most: int) -> str:
        """text, number or boolean, if a field inside others is nothing else in the newest records of a scan; or other."""
        dialect = self.engine.dialect
        inside = dialect.object([("v", dialect.as_json(Field(Sql("r.body"), way(name))))], last=False)
        statement = dialect.fields_of(sql("SELECT {} AS body, r.seq FROM ({}) r", inside, scan), most)
        kinds = {row[1] for row in await self.engine.scan(statement.text, statement.values)} - {"null"}
        return str(kinds.pop()) if len(kinds) == 1 else "other"

    async def _one(self, tail: str, args: Sequence[Any]) -> Drop | None:
        rows = await self.engine.rows(_SELECT + tail, args)
        return Drop(*rows[0]) if rows else None

    async def _many(self, tail: str, args: Sequence[Any], *, long: bool = False) -> list[Drop]:
        rows = await self.engine.scan(_SELECT + tail, args, cut=True) if long else await self.engine.rows(_SELECT + tail, args)
        return [Drop(*row) for row in rows]


def within(column: str, route: str, deep: bool) -> tuple[str, tuple[str, ...]]:
    """The condition that a route is `route`, or also beneath it, and its values."""
    if not deep:
        return f"{column} = ?", (route,)
    return f"({column} = ? OR ({column} > ? AND {column} < ?))", (route, *beneath(route))
