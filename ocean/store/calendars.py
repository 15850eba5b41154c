"""Invitations and feeds, as rows."""

from __future__ import annotations

from typing import NamedTuple

from ocean.store.engine import Engine, Step, Steps
from ocean.store.reader import now

_COLUMNS = ("id", "uid", "route", "key", "owner", "mailbox", "sequence", "digest", "told", "created_at", "due_at")
_INVITATION = ", ".join(_COLUMNS)
_OF_I = ", ".join(f"i.{name}" for name in _COLUMNS)


class Invitation(NamedTuple):
    """An event that people were invited to: `told` is the event as they know it, JSON, empty before they were told; `due_at` when it is
    looked at again though nothing has changed."""

    id: str
    uid: str
    route: str
    key: str
    owner: str
    mailbox: str
    sequence: int
    digest: str
    told: str
    created_at: int
    due_at: int | None = None

    def begun(self) -> Step:
        """People are to be invited to this very record, by this owner's mailbox."""
        sql = (
            f"INSERT INTO invitation ({_INVITATION}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
            "ON CONFLICT (id) DO UPDATE SET uid = excluded.uid, owner = excluded.owner, mailbox = excluded.mailbox"
        )
        return Step(sql, [tuple(self)])

    def said(self) -> Step:
        """They were told what `told` says."""
        sql = "UPDATE invitation SET sequence = ?, digest = ?, told = ?, due_at = NULL WHERE id = ?"
        return Step(sql, [(self.sequence, self.digest, self.told, self.id)])

    def later(self, due_at: int | None) -> Step:
        return Step("UPDATE invitation SET due_at = ? WHERE id = ?", [(due_at, self.id)])

    def over(self) -> Step:
        return Step("DELETE FROM invitation WHERE id = ?", [(self.id,)])


def invitation_id(route: str, key: str) -> str:
    return f"{route} {key}"  # a route has no space


async def invitation(engine: Engine, uid: str, mailbox: str) -> Invitation | None:
    """The event that a mailbox invited to under a uid."""
    query = f"SELECT {_INVITATION} FROM invitation WHERE uid = ? AND mailbox = ? ORDER BY created_at LIMIT 1"
    rows = await engine.rows(query, (uid, mailbox))
    return Invitation(*rows[0]) if rows else None


async def to_look_at(engine: Engine, after: int, until: int, moment: int) -> list[Invitation]:
    """Those whose records were written behind one place of the log, up to another, and those that are due."""
    changed = f"SELECT {_OF_I} FROM drops d JOIN invitation i ON i.route = d.route AND i.key = d.key WHERE d.seq > ? AND d.seq <= ?"
    due = f"SELECT {_INVITATION} FROM invitation WHERE due_at <= ?"
    found = [*await engine.rows(changed, (after, until)), *await engine.rows(due, (moment,))]
    return list({row[0]: Invitation(*row) for row in found}.values())


async def any_invitation(engine: Engine) -> bool:
    return bool(await engine.rows("SELECT 1 FROM invitation LIMIT 1"))


class Feed(NamedTuple):
    id: str
    route: str
    owner: str
    round: int
    created_at: int


def feed_id(route: str, owner: str) -> str:
    return f"{route} {owner}"


async def feeds(engine: Engine, route: str) -> list[Feed]:
    rows = await engine.rows("SELECT id, route, owner, round, created_at FROM feed WHERE route = ? AND round > 0", (route,))
    return [Feed(*row) for row in rows]


def feed_there(route: str, owner: str, found: list[int]) -> Steps:
    """The round of a key's feed of a folder, which begins with 1, or after it was revoked with one that never was."""
    row = (feed_id(route, owner), route, owner, 1, now())
    yield Step("INSERT INTO feed (id, route, owner, round, created_at) VALUES (?,?,?,?,?) ON CONFLICT (id) DO NOTHING", [row])
    yield Step("UPDATE feed SET round = 1 - round WHERE id = ? AND round < 0", [(row[0],)])
    ((round_,),) = yield Step("SELECT round FROM feed WHERE id = ?", [(row[0],)], reads=True)
    found.append(round_)


def feed_revoked(route: str, owner: str) -> Step:
    """Its number is kept, below nothing: no address of before is ever good again."""
    return Step("UPDATE feed SET round = -round WHERE id = ? AND round > 0 RETURNING id", [(feed_id(route, owner),)], reads=True)
