"""Invitations and feeds, as rows."""

from __future__ import annotations

from typing import NamedTuple

from ocean.store.engine import Engine, Step, Steps
from ocean.store.reader import now

_INVITATION = "uid, route, key, owner, mailbox, sequence, digest, told, created_at"


class Invitation(NamedTuple):
    """An event that people were invited to: `told` is the event as they know it, JSON, empty before they were told."""

    uid: str
    route: str
    key: str
    owner: str
    mailbox: str
    sequence: int
    digest: str
    told: str
    created_at: int

    def begun(self) -> Step:
        """People are to be invited, or by another mailbox than before."""
        sql = (
            f"INSERT INTO invitation ({_INVITATION}) VALUES (?,?,?,?,?,?,?,?,?) "
            "ON CONFLICT (uid) DO UPDATE SET owner = excluded.owner, mailbox = excluded.mailbox"
        )
        return Step(sql, [tuple(self)])

    def said(self) -> Step:
        """They were told what `told` says."""
        sql = "UPDATE invitation SET sequence = ?, digest = ?, told = ? WHERE uid = ?"
        return Step(sql, [(self.sequence, self.digest, self.told, self.uid)])

    def over(self) -> Step:
        return Step("DELETE FROM invitation WHERE uid = ?", [(self.uid,)])


async def invitation(engine: Engine, uid: str) -> Invitation | None:
    rows = await engine.rows(f"SELECT {_INVITATION} FROM invitation WHERE uid = ?", (uid,))
    return Invitation(*rows[0]) if rows else None


async def changed_between(engine: Engine, after: int, until: int) -> list[Invitation]:
    """Those whose records were written behind one place of the log, up to another."""
    query = (
        f"SELECT i.{_INVITATION.replace(', ', ', i.')} FROM invitation i WHERE EXISTS "
        "(SELECT 1 FROM drops d WHERE d.route = i.route AND d.key = i.key AND d.seq > ? AND d.seq <= ?) ORDER BY i.created_at, i.uid"
    )
    return [Invitation(*row) for row in await engine.rows(query, (after, until))]


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
