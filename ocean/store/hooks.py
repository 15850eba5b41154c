"""Hooks and their deliveries, as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ocean.errors import OceanError
from ocean.store.engine import LOCK, Engine, Row, Step, Steps
from ocean.store.reader import now

_HOOK = "id, owner, prefix, url, secret, active, retries, condition, created_at, since"
_DELIVERY = "id, queue, place, owner, route, url, body, state, attempts, status, error, took, created_at, due_at, done_at, hops"
PUSH = "push:"  # the address of a hook that notifies its owner's browsers; with a key behind it, of a delivery to that key's
WAITING, DONE, FAILED = "waiting", "done", "failed"
_SIZE = "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE owner = ? AND state = 'waiting' LIMIT ?) w"


class Hook(NamedTuple):
    """`secret` is wrapped, `condition` a filter as JSON; both may be empty."""

    id: str
    owner: str
    prefix: str
    url: str
    secret: str
    active: int
    retries: int
    condition: str
    created_at: int
    since: int


class Delivery(NamedTuple):
    """Times in milliseconds since the epoch, `took` in milliseconds."""

    id: str
    queue: str
    place: int
    owner: str
    route: str
    url: str
    body: str
    state: str
    attempts: int
    status: int | None
    error: str
    took: int | None
    created_at: int
    due_at: int
    done_at: int | None
    hops: int | None = None  # calls of functions by functions that stand behind it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt; `due_at` where it is tried again."""

    state: str
    attempts: int
    status: int | None
    error: str
    took: int | None
    due_at: int
    done_at: int | None


def delivery_id(queue: str, place: int) -> str:
    """Stable: of the same change for the same hook it is always the same, however often it is planned or sent."""
    return "msg_" + hashlib.sha256(f"{queue}\n{place}".encode()).hexdigest()[:32]


async def _hooks(engine: Engine, tail: str, args: Sequence[Any]) -> list[Hook]:
    return [Hook(*row) for row in await engine.rows(f"SELECT {_HOOK} FROM hook {tail}", args)]


async def _deliveries(engine: Engine, tail: str, args: Sequence[Any]) -> list[Delivery]:
    return [Delivery(*row) for row in await engine.rows(f"SELECT {_DELIVERY} FROM delivery {tail}", args)]


async def hooks_on(engine: Engine, routes: Iterable[str]) -> list[Hook]:
    """The active hooks whose prefix is one of these folders, in the order they were made."""
    names = sorted(set(routes))
    found: list[Hook] = []
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        marks = ",".join("?" * len(part))
        found += await _hooks(engine, f"WHERE active = 1 AND prefix IN ({marks})", part)
    return sorted(found, key=lambda hook: (hook.created_at, hook.id))


async def hook(engine: Engine, hook_id: str) -> Hook | None:
    return next(iter(await _hooks(engine, "WHERE id = ?", (hook_id,))), None)


async def hooks_of(engine: Engine, owner: str, url: str | None = None) -> list[Hook]:
    """Those that call an address, or with PUSH those that notify."""
    return await _hooks(engine, f"WHERE {_alike(url)} ORDER BY created_at, id", (owner, PUSH))


def _alike(url: str | None) -> str:
    """The condition on an owner's hooks, of `(owner, PUSH)`: those that notify, or those that call."""
    return f"owner = ? AND url {'=' if url == PUSH else '<>'} ?"


def added(new: Hook, most: int, refuse: Exception) -> Steps:
    """Steps that add a hook. Raise `refuse` where its owner has `most` already."""
    yield Step(LOCK, [()])
    ((count,),) = yield Step(f"SELECT count(*) FROM hook WHERE {_alike(new.url)}", [(new.owner, PUSH)], reads=True)
    if count >= most:
        raise refuse
    ((seq,),) = yield Step("SELECT seq FROM head WHERE id = 1", [()], reads=True)
    yield Step(f"INSERT INTO hook ({_HOOK}) VALUES (?,?,?,?,?,?,?,?,?,?)", [tuple(new._replace(since=seq))])


def changed(hook_id: str, news: Mapping[str, Any]) -> Steps:
    """Gives a hook's columns new values: those that are named, and no other."""
    assert news.keys() <= {"url", "secret", "active", "retries", "condition"}
    sets = ", ".join(f"{name} = ?" for name in news)
    yield Step(f"UPDATE hook SET {sets} WHERE id = ?", [(*news.values(), hook_id)])


def stopped(hook_id: str, url: str) -> Steps:
    """The hook calls no more, if it still calls there."""
    yield Step("UPDATE hook SET active = 0 WHERE id = ? AND url = ?", [(hook_id, url)])


def removed(hook_id: str) -> Steps:
    """The hook and all that was to be sent to it, or was."""
    yield Step("DELETE FROM delivery WHERE queue = ?", [(hook_id,)])
    yield Step("DELETE FROM hook WHERE id = ?", [(hook_id,)])


def queued(rows: Sequence[Delivery], most: int, moment: int) -> Steps:
    """Steps that add deliveries. What is there already stays; of an owner for whom `most` wait already, the new ones fail."""
    room: dict[str, int] = {}
    for owner in {row.owner for row in rows}:
        ((waiting,),) = yield Step(_SIZE, [(owner, most)], reads=True)
        room[owner] = most - waiting
    placed = []
    told: set[str] = set()  # of these one row says that there was no room
    for row in rows:
        if row.state != WAITING:
            placed.append(row)
        elif room[row.owner] > 0:
            room[row.owner] -= 1
            placed.append(row)
        elif row.queue not in told:
            told.add(row.queue)
            said = f"More than {most} of yours wait: this one and what came with it was left out."
            placed.append(row._replace(state=FAILED, error=said, body="", done_at=moment))
    yield from put(placed)


def put(rows: Sequence[Delivery]) -> Steps:
    """Steps that add deliveries for which there is room. What is there already stays."""
    if rows:
        yield Step(
            f"INSERT INTO delivery ({_DELIVERY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [tuple(row) for row in rows],
        )


class Head(NamedTuple):
    """The first delivery of a queue that waits: when it is due, in milliseconds, and where it goes."""

    queue: str
    owner: str
    due_at: int
    url: str


async def heads(engine: Engine, of_one: int, limit: int = 1000) -> list[Head]:
    """What waits first in its queue: each owner's longest due, then each one's second, up to `of_one` of them."""
    rows = await engine.scan(
        "SELECT h.queue, h.owner, h.due_at, CASE WHEN h.url <> '' THEN h.url ELSE coalesce(k.url, '') END FROM "
        "(SELECT d.queue, d.owner, d.due_at, d.url, row_number() OVER (PARTITION BY d.owner ORDER BY d.due_at, d.queue) AS n FROM "
        "(SELECT queue, min(place) AS first FROM delivery WHERE state = 'waiting' GROUP BY queue) q "
        "JOIN delivery d ON d.queue = q.queue AND d.place = q.first) h LEFT JOIN hook k ON k.id = h.queue "
        "WHERE h.n <= ? ORDER BY h.n, h.due_at LIMIT ?",
        (of_one, limit),
    )
    return [Head(*row) for row in rows]


async def first(engine: Engine, queue: str) -> Delivery | None:
    """The first delivery of a queue that waits."""
    return next(iter(await _deliveries(engine, "WHERE state = 'waiting' AND queue = ? ORDER BY place LIMIT 1", (queue,))), None)


def came(delivery: Delivery, outcome: Outcome) -> Steps:
    """What came of an attempt; what was sent by `then call` is not kept."""
    body = delivery.body if outcome.state == WAITING else ""
    of_it = (outcome.state, outcome.attempts, outcome.status, outcome.error, outcome.took, outcome.due_at, outcome.done_at, body)
    yield Step(
        "UPDATE delivery SET state = ?, attempts = ?, status = ?, error = ?, took = ?, due_at = ?, done_at = ?, body = ? "
        "WHERE id = ? AND state = 'waiting' AND attempts = ?",
        [(*of_it, delivery.id, delivery.attempts)],
    )


async def deliveries(engine: Engine, queue: str, limit: int, before: int) -> list[Delivery]:
    """Newest first, of a place in the log before `before`."""
    return await _deliveries(engine, "WHERE queue = ? AND place < ? ORDER BY place DESC LIMIT ?", (queue, before, limit))


async def delivery(engine: Engine, found: str) -> Delivery | None:
    return next(iter(await _deliveries(engine, "WHERE id = ?", (found,))), None)


def again(found: str, moment: int) -> Steps:
    """To be sent once more."""
    yield Step(
        "UPDATE delivery SET state = 'waiting', due_at = ?, done_at = NULL, attempts = 0, error = '' WHERE id = ? AND state <> 'waiting'",
        [(moment, found)],
    )


def swept(before: int, most: int) -> Generator[Step, list[Row], bool]:
    """Forgets what was done before a moment, `most` at a time; whether there may be more."""
    gone = yield Step(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE done_at < ? ORDER BY done_at LIMIT ?) RETURNING id",
        [(before, most)], reads=True,
    )  # fmt: skip
    return len(gone) == most


def last_place(queue: str, owner: str, most: int, more: int) -> Generator[Step, list[Row], int]:
    """The last place of a queue that is given places by those who put into it, one at a time. Raises LIMIT_REACHED where there is no
    room for `more` of its owner's."""
    yield Step(LOCK, [()])
    ((waiting,),) = yield Step(_SIZE, [(owner, most)], reads=True)
    if waiting + more > most:
        raise OceanError("LIMIT_REACHED", f"At most {most} calls and notifications of one key wait to be sent.", f"{waiting} wait already.")
    ((last,),) = yield Step("SELECT coalesce(max(place), 0) FROM delivery WHERE queue = ?", [(queue,)], reads=True)
    return max(int(last), now() * 1000)  # what was sent and forgotten has had its places
