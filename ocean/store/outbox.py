"""The outbox, as rows: one for each recipient of each message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ocean.store.engine import Engine, Row, Step

QUEUED, SENDING, SENT, FAILED, DROPPED = "queued", "sending", "sent", "failed", "dropped"
_COLUMNS = "id, owner, holder, recipient, subject, body, state, attempts, created_at, due_at, mailbox, sender, letter, error, done_at, host"
_ADD = f"INSERT INTO outbox ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"


class Queued(NamedTuple):
    """`owner` is a key, or of our own letters `@KIND DIGEST`; `holder` a digest of the address it was asked from. What is sent is the
    `letter`, or a text of `subject` and `body`. Times in milliseconds."""

    id: str
    owner: str
    holder: str
    recipient: str
    subject: str
    body: str
    state: str
    attempts: int
    created_at: int
    due_at: int
    mailbox: str = ""
    sender: str = ""
    letter: str = ""
    error: str = ""
    done_at: int | None = None
    host: str = ""  # of the recipient


def added(rows: list[Queued]) -> Step:
    return Step(_ADD, [tuple(row) for row in rows])


def count_since(column: str, who: str, moment: int) -> Step:
    """How many of an owner or a holder were queued since."""
    return Step(f"SELECT count(*) FROM outbox WHERE {column} = ? AND created_at > ?", [(who, moment)], reads=True)


def told_since(owner: str, holder: str | None, moment: int) -> Step:
    """`(count, first)` of our letters to one owner, or of those that one holder asked for, since."""
    beside, more = (" AND holder = ?", (holder,)) if holder is not None else ("", ())
    return Step(
        f"SELECT count(*), min(created_at) FROM outbox WHERE owner = ? AND created_at > ?{beside}", [(owner, moment, *more)], reads=True
    )


def asked_since(holder: str, moment: int) -> Step:
    """`(count, first)` of our letters that one holder asked for, since."""
    sql = "SELECT count(*), min(created_at) FROM outbox WHERE holder = ? AND created_at > ? AND owner LIKE '@%'"
    return Step(sql, [(holder, moment)], reads=True)


async def _queued(engine: Engine, tail: str, args: tuple[object, ...]) -> list[Queued]:
    return [_whole(row) for row in await engine.rows(f"SELECT {_COLUMNS} FROM outbox {tail}", args)]


def _whole(row: Row) -> Queued:
    """Rows of before there were all the columns have none there."""
    id_, owner, holder, recipient, subject, body, state, attempts, created_at, due_at, mailbox, sender, letter, error, done_at, host = row
    return Queued(
        id_, owner, holder, recipient, subject, body, state, attempts, created_at, due_at, mailbox or "", sender or "", letter or "",
        error or "", done_at, host or "",
    )  # fmt: skip


async def one(engine: Engine, id_: str) -> Queued | None:
    return next(iter(await _queued(engine, "WHERE id = ?", (id_,))), None)


async def due(engine: Engine, moment: int, hosts: Sequence[str], owners: Sequence[str], limit: int) -> list[Queued]:
    """Those to be sent now, those that wait longest first, but for `hosts` and `owners` that have enough going on: one that is slow holds
    up no other."""
    where, args = "WHERE state = ? AND due_at <= ?", [QUEUED, moment]
    for column, busy in (("coalesce(host, '')", hosts), ("owner", owners)):
        if busy:
            where += f" AND {column} NOT IN ({','.join('?' * len(busy))})"
            args += busy
    return await _queued(engine, f"{where} ORDER BY due_at, id LIMIT ?", (*args, limit))


async def due_here(engine: Engine, moment: int, base: str, limit: int) -> list[Queued]:
    """The same of those for the mail domain and the names beneath it, which wait for no other host."""
    where = "WHERE state = ? AND due_at <= ? AND (host = ? OR host LIKE ?)"
    return await _queued(engine, f"{where} ORDER BY due_at, id LIMIT ?", (QUEUED, moment, base, f"%.{base}", limit))


async def any_queued(engine: Engine) -> bool:
    return bool(await engine.rows("SELECT 1 FROM outbox WHERE state IN (?, ?) LIMIT 1", (QUEUED, SENDING)))


async def next_due(engine: Engine) -> int | None:
    """When the next of those that wait is to be sent."""
    rows = await engine.rows("SELECT min(due_at) FROM outbox WHERE state = ?", (QUEUED,))
    return rows[0][0] if rows else None


async def sent_since(engine: Engine, owner: str, moment: int) -> int:
    """How many of an owner were queued since."""
    step = count_since("owner", owner, moment)
    return int((await engine.rows(step.sql, step.each[0]))[0][0])


async def newest(engine: Engine, limit: int, *owners: str) -> list[Queued]:
    """Those of some owners, or of all."""
    if not owners:
        return await _queued(engine, "ORDER BY id DESC LIMIT ?", (limit,))
    among = ",".join("?" * len(owners))
    return await _queued(engine, f"WHERE owner IN ({among}) ORDER BY created_at DESC, id DESC LIMIT ?", (*owners, limit))


def begun(id_: str) -> Step:
    """It is being sent: nobody takes it back any more. Gives its id, or nothing where it waits no more."""
    return Step("UPDATE outbox SET state = 'sending' WHERE id = ? AND state = 'queued' RETURNING id", [(id_,)], reads=True)


def waits_again() -> Step:
    """What another process was about to send waits, since it is gone."""
    return Step("UPDATE outbox SET state = 'queued' WHERE state = 'sending'", [()])


def settled(id_: str, state: str, error: str, moment: int) -> Step:
    """It is over with it; what it said is kept no longer, where it was all in the row."""
    return Step(
        "UPDATE outbox SET state = ?, error = ?, done_at = ?, attempts = attempts + 1, body = '' WHERE id = ? "
        "AND state IN ('queued', 'sending')",
        [(state, error, moment, id_)],
    )


def postponed(id_: str, due_at: int, error: str) -> Step:
    return Step(
        "UPDATE outbox SET state = 'queued', attempts = attempts + 1, due_at = ?, error = ? WHERE id = ? "
        "AND state IN ('queued', 'sending')",
        [(due_at, error, id_)],
    )


def bounced(id_: str, error: str) -> Step:
    """One that was taken by the next host, and came back."""
    return Step("UPDATE outbox SET state = 'failed', error = ? WHERE id = ? AND state = 'sent'", [(error, id_)])


def hurried(id_: str | None, moment: int) -> Step:
    """One, or all that wait, are to be tried now."""
    only, args = ("id = ? AND ", (id_,)) if id_ is not None else ("", ())
    return Step(f"UPDATE outbox SET due_at = ? WHERE {only}state = 'queued' RETURNING id", [(moment, *args)], reads=True)


def dropped(id_: str, owners: Sequence[str], moment: int) -> Step:
    """It is not sent: the operator's, or with `owners` one of theirs."""
    own = f" AND owner IN ({','.join('?' * len(owners))})" if owners else ""
    sql = f"UPDATE outbox SET state = 'dropped', done_at = ?, body = '' WHERE id = ? AND state = 'queued'{own} RETURNING id"
    return Step(sql, [(moment, id_, *owners)], reads=True)


def forgotten(before: int) -> Step:
    """Those that are over with since long."""
    return Step("DELETE FROM outbox WHERE done_at < ?", [(before,)])
