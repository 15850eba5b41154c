"""Runs of functions that are known afterwards, as rows."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from ocean.store.engine import Engine, Row, Step, Steps

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
JOB, KEPT, FAULT = "job", "kept", "fault"  # kinds: nobody waits for it; paid for, or asked for under a key; what its author is told failed
_RUN = (
    "id, route, author, caller, holder, kind, request, digest, state, result, error, printed, held, budget, hops, took, created_at, "
    "due_at, done_at"
)


class Run(NamedTuple):
    """`request` of a job, `result` and `error` are JSON; `digest` is of the request that it was asked for with; `held`, and `budget`, what
    it may spend, in hundredths of an io; `took` and times in milliseconds."""

    id: str
    route: str
    author: str
    caller: str
    holder: str
    kind: str
    request: str
    digest: str
    state: str
    result: str
    error: str
    printed: str
    held: int
    budget: int | None
    hops: int
    took: int | None
    created_at: int
    due_at: int
    done_at: int | None

    @property
    def over(self) -> bool:
        return self.state in (DONE, FAILED)


async def run(engine: Engine, id_: str) -> Run | None:
    return next(iter(await _runs(engine, "WHERE id = ?", (id_,))), None)


async def _runs(engine: Engine, tail: str, args: tuple[object, ...]) -> list[Run]:
    return [Run(*row) for row in await engine.rows(f"SELECT {_RUN} FROM run {tail}", args)]


async def open_(engine: Engine, before: int) -> bool:
    """Whether a run is not over, or was over before a moment and can be forgotten."""
    query = "SELECT EXISTS (SELECT 1 FROM run WHERE state IN ('waiting', 'running')) OR EXISTS (SELECT 1 FROM run WHERE done_at < ?)"
    return bool((await engine.rows(query, (before,)))[0][0])


async def waiting(engine: Engine, limit: int) -> list[tuple[str, str]]:
    """`(id, holder)` of jobs that wait: each holder's oldest first, then each one's second."""
    rows = await engine.rows(
        "SELECT id, holder FROM (SELECT id, holder, created_at, row_number() OVER (PARTITION BY holder ORDER BY created_at, id) AS n "
        "FROM run WHERE state = 'waiting') w ORDER BY n, created_at LIMIT ?",
        (limit,),
    )
    return [(row[0], row[1]) for row in rows]


async def running(engine: Engine, kind: str) -> list[Run]:
    """Runs of a kind that are not over."""
    return await _runs(engine, "WHERE state = 'running' AND kind = ?", (kind,))


async def lost(engine: Engine, moment: int) -> list[Run]:
    """What somebody waited for and should be over by a moment: its process has died."""
    return await _runs(engine, "WHERE state = 'running' AND kind = 'kept' AND due_at < ?", (moment,))


async def failures(engine: Engine, route: str, author: str, limit: int) -> list[Run]:
    """What failed of a function of an author's, newest first."""
    tail = "WHERE route = ? AND author = ? AND kind = 'fault' ORDER BY created_at DESC, id DESC LIMIT ?"
    return await _runs(engine, tail, (route, author, limit))


def added(new: Run) -> Step:
    return Step(f"INSERT INTO run ({_RUN}) VALUES ({','.join('?' * len(new))})", [tuple(new)])


def there(id_: str) -> Generator[Step, list[Row], bool]:
    """Whether a run is known."""
    return bool((yield Step("SELECT 1 FROM run WHERE id = ?", [(id_,)], reads=True)))


def count(holder: str | None) -> Generator[Step, list[Row], int]:
    """Jobs that are not over, of one holder or of all."""
    whose, args = ("AND holder = ?", (holder,)) if holder is not None else ("", ())
    sql = f"SELECT count(*) FROM run WHERE state IN ('waiting', 'running') AND kind = 'job' {whose}"
    return int((yield Step(sql, [args], reads=True))[0][0])


def begun(id_: str, found: list[Row]) -> Steps:
    """A job that waits runs from now on; `found` has its row where it was this very call that began it."""
    found.extend(
        (yield Step(f"UPDATE run SET state = 'running' WHERE id = ? AND state = 'waiting' RETURNING {_RUN}", [(id_,)], reads=True))
    )


def over(id_: str) -> Generator[Step, list[Row], bool]:
    """Whether a run has ended, or is not known."""
    rows = yield Step("SELECT state FROM run WHERE id = ?", [(id_,)], reads=True)
    return not rows or rows[0][0] in (DONE, FAILED)


def ended(run: Run) -> Step:
    """What came of a run that was not over yet. Nothing of it is held any more: that is moved beside this."""
    return Step(
        "UPDATE run SET state = ?, result = ?, error = ?, printed = ?, took = ?, done_at = ?, held = 0, request = '' "
        "WHERE id = ? AND state IN ('waiting', 'running')",
        [(run.state, run.result, run.error, run.printed, run.took, run.done_at, run.id)],
    )


def dropped(id_: str) -> Step:
    """A run that came to nothing is not known any more."""
    return Step("DELETE FROM run WHERE id = ? AND state IN ('waiting', 'running')", [(id_,)])


def kept_few(new: Run, most: int) -> Steps:
    """Adds a run that failed; of one function only the newest are kept."""
    ((there_,),) = yield Step("SELECT count(*) FROM run WHERE route = ? AND kind = 'fault'", [(new.route,)], reads=True)
    if there_ >= most:
        sql = "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE route = ? AND kind = 'fault' ORDER BY created_at, id LIMIT ?)"
        yield Step(sql, [(new.route, there_ - most + 1)])
    yield added(new)


def swept(before: int, most: int) -> Generator[Step, list[Row], bool]:
    """Forgets runs that were over before a moment, `most` at once; whether there may be more."""
    sql = "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE done_at IS NOT NULL AND done_at < ? LIMIT ?) RETURNING id"
    return len((yield Step(sql, [(before, most)], reads=True))) == most
