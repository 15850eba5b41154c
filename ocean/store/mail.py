"""Mailboxes, the domains whose mail they get, and letters, as rows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

from ocean.core.mail import RULES, folder
from ocean.store.engine import Engine, Row, Step, Steps
from ocean.store.reader import now

WAITING, LIVE = "waiting", "live"
_DOMAIN = "id, name, owner, mailbox, state, created_at, proven_at"
_LETTER = "id, mailbox, folder, message_id, thread, source, file, size, created_at"
_ADD_LETTER = f"INSERT INTO letter ({_LETTER}) VALUES (?,?,?,?,?,?,?,?,?)"


class Mailbox(NamedTuple):
    name: str
    owner: str
    created_at: int  # milliseconds
    ruled: bool | None = None  # whether it has rules, where that was looked for


class MailDomain(NamedTuple):
    """A domain whose mail goes to a mailbox once it is live. Times in milliseconds."""

    id: str
    name: str
    owner: str
    mailbox: str
    state: str
    created_at: int
    proven_at: int | None


class Letter(NamedTuple):
    """A message byte for byte: in `source`, or where it is a large one in the object store as `file`."""

    id: str
    mailbox: str
    folder: str
    message_id: str
    thread: str
    source: bytes | None
    file: str
    size: int
    created_at: int

    def added(self) -> Step:
        return Step(_ADD_LETTER, [tuple(self)])


async def mailbox(engine: Engine, name: str) -> Mailbox | None:
    """The mailbox, and whether it has rules."""
    ruled = "EXISTS (SELECT 1 FROM record WHERE route = ? AND removed = 0)"  # a question of its own would cost more than all of this
    rows = await engine.rows(f"SELECT name, owner, created_at, {ruled} FROM mailbox WHERE name = ?", (folder(name, RULES), name))
    if not rows:
        return None
    called, owner, created_at, found = rows[0]
    return Mailbox(called, owner, created_at, bool(found))


async def mailboxes_of(engine: Engine, owner: str) -> list[Mailbox]:
    """Those of a key, the oldest first."""
    rows = await engine.rows("SELECT name, owner, created_at FROM mailbox WHERE owner = ? ORDER BY created_at, name", (owner,))
    return [Mailbox(*row) for row in rows]


def mailbox_refusal(box: Mailbox, most: int) -> Generator[Step, list[Row], str]:
    """Why a mailbox can't be added: `taken`, or `full` where the owner has as many as one may have; else nothing."""
    if (yield Step("SELECT name FROM mailbox WHERE name = ?", [(box.name,)], reads=True)):
        return "taken"
    ((count,),) = yield Step("SELECT count(*) FROM mailbox WHERE owner = ?", [(box.owner,)], reads=True)
    return "full" if count >= most else ""


def mailbox_added(box: Mailbox) -> Step:
    return Step("INSERT INTO mailbox (name, owner, created_at) VALUES (?,?,?)", [box[:3]])


async def _domains(engine: Engine, tail: str, args: tuple[object, ...]) -> list[MailDomain]:
    return [MailDomain(*row) for row in await engine.rows(f"SELECT {_DOMAIN} FROM mail_domain {tail}", args)]


async def live_domain(engine: Engine, name: str) -> MailDomain | None:
    return next(iter(await _domains(engine, "WHERE name = ? AND state = ?", (name, LIVE))), None)


async def domain_of(engine: Engine, name: str, owner: str) -> MailDomain | None:
    return next(iter(await _domains(engine, "WHERE id = ?", (domain_id(name, owner),))), None)


async def domains_of(engine: Engine, owner: str) -> list[MailDomain]:
    return await _domains(engine, "WHERE owner = ? ORDER BY created_at, id", (owner,))


async def domains_into(engine: Engine, box: str) -> list[MailDomain]:
    """The live ones whose mail goes to a mailbox."""
    return await _domains(engine, "WHERE mailbox = ? AND state = ? ORDER BY created_at, id", (box, LIVE))


def domain_id(name: str, owner: str) -> str:
    return f"{name} {owner}"


def domain_there(id_: str) -> Step:
    return Step("SELECT mailbox FROM mail_domain WHERE id = ?", [(id_,)], reads=True)


def domain_led(id_: str, mailbox: str) -> Step:
    """Its mail goes to another mailbox."""
    return Step("UPDATE mail_domain SET mailbox = ? WHERE id = ?", [(mailbox, id_)])


def domain_put(claim: MailDomain) -> Steps:
    yield Step(f"INSERT INTO mail_domain ({_DOMAIN}) VALUES (?,?,?,?,?,?,?)", [tuple(claim)])


def domains_count(owner: str) -> Step:
    return Step("SELECT count(*) FROM mail_domain WHERE owner = ?", [(owner,)], reads=True)


def domain_removed(claim: MailDomain) -> Steps:
    yield Step("DELETE FROM mail_domain WHERE id = ?", [(claim.id,)])


def domain_proven(claim: MailDomain) -> Steps:
    """Under the log's lock: it is live for this owner, and for no other from now on."""
    yield Step("UPDATE mail_domain SET state = ? WHERE name = ? AND id <> ?", [(WAITING, claim.name, claim.id)])
    yield Step("UPDATE mail_domain SET state = ?, proven_at = ? WHERE id = ?", [(LIVE, now(), claim.id)])


async def letter(engine: Engine, id_: str) -> Letter | None:
    rows = await engine.rows(f"SELECT {_LETTER} FROM letter WHERE id = ?", (id_,))
    found = Letter(*rows[0]) if rows else None
    return found if found is None or found.source is None else found._replace(source=bytes(found.source))


async def thread_with(engine: Engine, box: str, ids: list[str]) -> str | None:
    """The conversation in a mailbox that has one of some messages, by the newest of them that is there."""
    marks = ",".join("?" * len(ids))
    query = f"SELECT thread FROM letter WHERE mailbox = ? AND message_id IN ({marks}) ORDER BY id DESC LIMIT 1"
    rows = await engine.rows(query, (box, *ids)) if ids else []
    return str(rows[0][0]) if rows else None


async def in_thread(engine: Engine, box: str, thread: str, limit: int) -> list[tuple[str, str]]:
    """`(folder, id)` of the messages of a conversation, the oldest first."""
    query = "SELECT folder, id FROM letter WHERE mailbox = ? AND thread = ? ORDER BY id LIMIT ?"
    return [(str(row[0]), str(row[1])) for row in await engine.rows(query, (box, thread, limit))]


async def changed_since(engine: Engine, routes: Sequence[str], after: int, limit: int) -> list[Row]:
    """`(route, key, version, removed)` of the records of some folders that were written behind a place of the log."""
    marks = ",".join("?" * len(routes))
    query = f"SELECT route, key, version, removed FROM record WHERE route IN ({marks}) AND key IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?"
    return await engine.rows(query, (*routes, after, limit))


def letters_gone(ids: Sequence[str]) -> Steps:
    yield Step("DELETE FROM letter WHERE id = ?", [(id_,) for id_ in ids])


async def newest_of(engine: Engine, routes: Sequence[str]) -> int:
    """The place of what was written last in some folders, removals too."""
    marks = ",".join("?" * len(routes))
    rows = await engine.rows(f"SELECT max(seq) FROM record WHERE route IN ({marks})", tuple(routes))
    return int(rows[0][0] or 0)


async def orphans(engine: Engine, before: int, limit: int) -> list[Row]:
    """Letters whose record was removed: `(id, file)`."""
    gone = "SELECT 1 FROM record r WHERE r.route = 'mail/' || l.mailbox || '/' || l.folder AND r.key = l.id AND r.removed = 0"
    sql = f"SELECT l.id, l.file FROM letter l WHERE l.created_at < ? AND NOT EXISTS ({gone}) LIMIT ?"
    return await engine.scan(sql, (before, limit))
