"""Runs of functions that are known afterwards, as rows."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from ocean.store.engine import Engine, Row, Step, Steps

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
JOB, PAID, FAULT = "job", "paid", "fault"  # kinds: asked for without waiting; paid for; failed for somebody else than the author
_RUN = "id, route, author, caller, kind, request, state, result, error, held, took, created_at, done_at"


class Run(NamedTuple):
    """`request` and `result` are JSON, `error` too; `held` in hundredths of an io; times in milliseconds."""

    id: str
    route: str
    author: str
    caller: str
    kind: str
    request: str
    state: str
    result: str
    error: str
    held: int
    took: int | None
    created_at: int
    done_at: int | None


async def run(engine: Engine, id_: str) -> Run | None:
    rows = await engine.rows(f"SELECT {_RUN} FROM run WHERE id = ?", (id_,))
    return Run(*rows[0]) if rows else None


async def open_(engine: Engine, before: int) -> bool:
    """Whether a run is not over, or was over before a moment and can be forgotten."""
    query = "SELECT EXISTS (SELECT 1 FROM run WHERE state IN ('waiting', 'running')) OR EXISTS (SELECT 1 FROM run WHERE done_at < ?)"
    return bool((await engine.rows(query, (before,)))[0][0])


async def waiting(engine: Engine, limit: int) -> list[Run]:
    """Jobs that wait: each caller's oldest first, then each one's second."""
    rows = await engine.rows(
        f"SELECT {_RUN} FROM (SELECT {_RUN}, row_number() OVER (PARTITION BY caller ORDER BY created_at, id) AS n FROM run "
        "WHERE state = 'waiting') w ORDER BY n, created_at LIMIT ?",
        (limit,),
    )
    return [Run(*row) for row in rows]


async def running(engine: Engine, kind: str, before: int) -> list[Run]:
    """Runs of a kind that began before a moment and have not ended."""
    rows = await engine.rows(f"SELECT {_RUN} FROM run WHERE state = 'running' AND kind = ? AND created_at < ?", (kind, before))
    return [Run(*row) for row in rows]


async def failures(engine: Engine, route: str, author: str, limit: int) -> list[Run]:
    """What failed of a function of an author's, newest first."""
    query = f"SELECT {_RUN} FROM run WHERE route = ? AND author = ? AND state = 'failed' ORDER BY created_at DESC, id DESC LIMIT ?"
    return [Run(*row) for row in await engine.rows(query, (route, author, limit))]


def added(new: Run) -> Step:
    return Step(f"INSERT INTO run ({_RUN}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", [tuple(new)])


def room(caller: str, most: int, refuse: Exception) -> Steps:
    """Raises `refuse` where a caller has `most` jobs that are not over."""
    ((count,),) = yield Step(
        "SELECT count(*) FROM run WHERE caller = ? AND state IN ('waiting', 'running') AND kind = 'job'", [(caller,)], reads=True
    )
    if count >= most:
        raise refuse


def begun(id_: str, found: list[Row]) -> Steps:
    """A job that waits runs from now on; `found` has a row where it was this very call that began it."""
    sql = "UPDATE run SET state = 'running', request = '' WHERE id = ? AND state = 'waiting' RETURNING id"
    found.extend((yield Step(sql, [(id_,)], reads=True)))


def over(id_: str) -> Generator[Step, list[Row], bool]:
    """Whether a run has ended, or is not known."""
    rows = yield Step("SELECT state FROM run WHERE id = ?", [(id_,)], reads=True)
    return not rows or rows[0][0] in (DONE, FAILED)


def ended(id_: str, state: str, result: str, error: str, took: int | None, moment: int) -> Step:
    """What came of a run that was not over yet. Nothing of it is held any more: that is moved beside this."""
    return Step(
        "UPDATE run SET state = ?, result = ?, error = ?, took = ?, done_at = ?, held = 0, request = '' "
        "WHERE id = ? AND state IN ('waiting', 'running')",
        [(state, result, error, took, moment, id_)],
    )


def kept_few(new: Run, most: int) -> Steps:
    """Adds a run that failed, unless as many of that function are kept: of those that came since."""
    ((count,),) = yield Step("SELECT count(*) FROM run WHERE route = ? AND kind = 'fault'", [(new.route,)], reads=True)
    if count >= most:
        sql = "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE route = ? AND kind = 'fault' ORDER BY created_at, id LIMIT ?)"
        yield Step(sql, [(new.route, count - most + 1)])
    yield added(new)


def swept(before: int, most: int) -> Generator[Step, list[Row], bool]:
    """Forgets runs that were over before a moment, `most` at once; whether there may be more."""
    sql = "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE done_at IS NOT NULL AND done_at < ? LIMIT ?) RETURNING id"
    return len((yield Step(sql, [(before, most)], reads=True))) == most
