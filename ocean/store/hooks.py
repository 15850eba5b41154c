"""Hooks and their deliveries, as rows."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ocean.errors import OceanError
from ocean.store.engine import Engine, Row, Step, Steps
from ocean.store.field_indexes import LOCK
from ocean.store.reader import now

_HOOK = "id, owner, prefix, url, secret, active, retries, condition, created_at, since"
_DELIVERY = "id, queue, place, owner, route, url, body, state, attempts, status, error, took, created_at, due_at, done_at"
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


async def hooks_on(engine: Engine, routes: Iterable[str]) -> list[Hook]:
    """The active hooks whose prefix is one of these folders, in the order they were made."""
    names = sorted(set(routes))
    found: list[Hook] = []
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        marks = ",".join("?" * len(part))
        rows = await engine.rows(f"SELECT {_HOOK} FROM hook WHERE active = 1 AND prefix IN ({marks})", part)
        found += [Hook(*row) for row in rows]
    return sorted(found, key=lambda hook: (hook.created_at, hook.id))


async def hook(engine: Engine, hook_id: str) -> Hook | None:
    rows = await engine.rows(f"SELECT {_HOOK} FROM hook WHERE id = ?", (hook_id,))
    return Hook(*rows[0]) if rows else None


async def hooks_of(engine: Engine, owner: str) -> list[Hook]:
    rows = await engine.rows(f"SELECT {_HOOK} FROM hook WHERE owner = ? ORDER BY created_at, id", (owner,))
    return [Hook(*row) for row in rows]


def added(new: Hook, most: int, refuse: Exception) -> Steps:
    """Steps that add a hook. Raise `refuse` where its owner has `most` already."""
    yield Step(LOCK, [()])
    ((count,),) = yield Step("SELECT count(*) FROM hook WHERE owner = ?", [(new.owner,)], reads=True)
    if count >= most:
        raise refuse
    ((seq,),) = yield Step("SELECT seq FROM head WHERE id = 1", [()], reads=True)
    yield Step(f"INSERT INTO hook ({_HOOK}) VALUES (?,?,?,?,?,?,?,?,?,?)", [tuple(new._replace(since=seq))])


def changed(new: Hook) -> Steps:
    yield Step(
        "UPDATE hook SET url = ?, secret = ?, active = ?, retries = ?, condition = ? WHERE id = ?",
        [(new.url, new.secret, new.active, new.retries, new.condition, new.id)],
    )


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
    for row in rows:
        if room[row.owner] > 0:
            room[row.owner] -= 1
            placed.append(row)
        else:
            placed.append(row._replace(state=FAILED, error=f"More than {most} of yours wait to be sent.", body="", done_at=moment))
    if placed:
        yield Step(
            f"INSERT INTO delivery ({_DELIVERY}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            [tuple(row) for row in placed],
        )


async def due(engine: Engine, moment: int, limit: int = 1000) -> list[tuple[str, str]]:
    """`(queue, owner)` of the queues whose first waiting delivery is due."""
    rows = await engine.rows(
        "SELECT d.queue, d.owner FROM (SELECT queue, min(place) AS first FROM delivery WHERE state = 'waiting' GROUP BY queue) q "
        "JOIN delivery d ON d.queue = q.queue AND d.place = q.first WHERE d.due_at <= ? ORDER BY d.due_at LIMIT ?",
        (moment, limit),
    )
    return [(row[0], row[1]) for row in rows]


async def next_due(engine: Engine) -> int | None:
    rows = await engine.rows("SELECT min(due_at) FROM delivery WHERE state = 'waiting'")
    return rows[0][0] if rows else None


async def first(engine: Engine, queue: str) -> Delivery | None:
    """The first delivery of a queue that waits."""
    rows = await engine.rows(
        f"SELECT {_DELIVERY} FROM delivery WHERE state = 'waiting' AND queue = ? ORDER BY place LIMIT 1",
        (queue,),
    )
    return Delivery(*rows[0]) if rows else None


def came(delivery: Delivery, outcome: Outcome) -> Steps:
    """What came of an attempt; what was sent by `then call` is not kept."""
    body = delivery.body if outcome.state == WAITING else ""
    values = (
        outcome.state,
        outcome.attempts,
        outcome.status,
        outcome.error,
        outcome.took,
        outcome.due_at,
        outcome.done_at,
        body,
        delivery.id,
    )
    yield Step(
        "UPDATE delivery SET state = ?, attempts = ?, status = ?, error = ?, took = ?, due_at = ?, done_at = ?, body = ? "
        "WHERE id = ? AND state = 'waiting'",
        [values],
    )


async def deliveries(engine: Engine, queue: str, limit: int, before: int) -> list[Delivery]:
    """Newest first, of a place in the log before `before`."""
    rows = await engine.rows(
        f"SELECT {_DELIVERY} FROM delivery WHERE queue = ? AND place < ? ORDER BY place DESC LIMIT ?",
        (queue, before, limit),
    )
    return [Delivery(*row) for row in rows]


async def delivery(engine: Engine, found: str) -> Delivery | None:
    rows = await engine.rows(f"SELECT {_DELIVERY} FROM delivery WHERE id = ?", (found,))
    return Delivery(*rows[0]) if rows else None


def again(found: str, moment: int) -> Steps:
    """To be sent once more."""
    yield Step(
        "UPDATE delivery SET state = 'waiting', due_at = ?, done_at = NULL, attempts = 0, error = '' WHERE id = ? AND state <> 'waiting'",
        [(moment, found)],
    )


def swept(before: int) -> Steps:
    """What was done before a moment is forgotten."""
    yield Step("DELETE FROM delivery WHERE done_at < ?", [(before,)])


def last_place(queue: str, owner: str, most: int, more: int) -> Generator[Step, list[Row], int]:
    """The last place of a queue that is given places by those who put into it, one at a time. Raises LIMIT_REACHED where there is no
    room for `more` of its owner's."""
    yield Step(LOCK, [()])
    ((waiting,),) = yield Step(_SIZE, [(owner, most)], reads=True)
    if waiting + more > most:
        raise OceanError("LIMIT_REACHED", f"At most {most} calls of one key wait to be sent.", f"{waiting} wait already.")
    ((last,),) = yield Step("SELECT coalesce(max(place), 0) FROM delivery WHERE queue = ?", [(queue,)], reads=True)
    return max(int(last), now() * 1000)  # what was sent and forgotten has had its places
