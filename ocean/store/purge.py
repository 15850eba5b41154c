"""What expired is destroyed: the payload and its salt go, the place in the chain stays."""

from __future__ import annotations

from ocean.store.engine import Engine, Step, Steps
from ocean.store.projections import DROP_ENTRIES, DROP_MARKS, NO_CELLS

BATCH = 500  # drops a transaction


async def purge(engine: Engine, now: int) -> int:
    """Destroys what has expired by `now` (milliseconds), and forgets idempotency keys and nonces that are due. Counts the drops."""
    purged = 0
    if await engine.rows("SELECT id FROM once WHERE expires_at <= ? LIMIT 1", (now,)):
        await engine.transact(_forget(now))
    while seqs := await engine.rows("SELECT seq FROM drops WHERE expires_at <= ? LIMIT ?", (now, BATCH)):
        await engine.transact(_destroy([(row[0],) for row in seqs]))
        purged += len(seqs)
    return purged


def _forget(now: int) -> Steps:
    yield Step("DELETE FROM once WHERE expires_at <= ?", [(now,)])


def _destroy(seqs: list[tuple[int]]) -> Steps:
    yield Step("UPDATE head SET revision = revision + 1 WHERE id = 1", [()])  # first: it locks the head
    yield Step("UPDATE drops SET payload = NULL, salt = NULL, expires_at = NULL WHERE seq = ?", seqs)
    yield Step(
        "UPDATE record SET removed = 1, live_seq = 0, body = NULL, counters = NULL, expires_at = NULL, marks = 0, "
        f"{NO_CELLS} WHERE seq = ?",
        seqs,
    )
    yield Step(DROP_MARKS, seqs)
    yield Step(DROP_ENTRIES, seqs)
