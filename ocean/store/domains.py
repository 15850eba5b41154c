"""Domains: who claims a name, for which folder, and how far it is; as rows.

A name is live for one claim at most. What was live once is kept after it ended (GONE): whoever claims that name next has to prove more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ocean.core import domains
from ocean.store.engine import Engine, Step, Steps

_DOMAIN = "id, name, owner, route, state, created_at, proven_at, failing_at, due_at, attempts, error, changed, round"
WAITING, LIVE, GONE = "waiting", "live", "gone"
MOVES = "UPDATE head SET revision = revision + 1 WHERE id = 1"  # first: it locks the head, and pages are asked for anew
PLACE = "SELECT revision FROM head WHERE id = 1"  # what a change of now is known by: it only ever grows


class Domain(NamedTuple):
    """Times in milliseconds since the epoch. `changed` grows with each change of any domain."""

    id: str
    name: str
    owner: str
    route: str
    state: str
    created_at: int
    proven_at: int | None
    failing_at: int | None
    due_at: int | None
    attempts: int
    error: str
    changed: int
    round: int  # grows when what proved it is to prove it no more


def domain_id(name: str, owner: str) -> str:
    return f"{name} {owner}"


async def _domains(engine: Engine, tail: str, args: tuple[object, ...]) -> list[Domain]:
    return [Domain(*row) for row in await engine.rows(f"SELECT {_DOMAIN} FROM domain {tail}", args)]


async def domain(engine: Engine, name: str, owner: str) -> Domain | None:
    return next(iter(await _domains(engine, "WHERE id = ?", (domain_id(name, owner),))), None)


async def domains_of(engine: Engine, owner: str) -> list[Domain]:
    return await _domains(engine, "WHERE owner = ? AND state <> ? ORDER BY created_at, id", (owner, GONE))


async def live(engine: Engine, name: str) -> Domain | None:
    return next(iter(await _domains(engine, "WHERE name = ? AND state = ?", (name, LIVE))), None)


async def of_folders(engine: Engine, routes: Sequence[str]) -> list[Domain]:
    """The live domains of folders, the deepest folder's first, and of each the one that was added first."""
    marks = ",".join("?" * len(routes))
    return await _domains(engine, f"WHERE route IN ({marks}) AND state = ? ORDER BY length(route) DESC, created_at, id", (*routes, LIVE))


async def any_there(engine: Engine) -> bool:
    return bool(await engine.rows("SELECT 1 FROM domain LIMIT 1"))


async def news(engine: Engine, after: tuple[int, str], limit: int) -> list[Domain]:
    """What changed behind a place, `(changed, id)`, in order; what is gone too."""
    return await _domains(engine, "WHERE (changed, id) > (?, ?) ORDER BY changed, id LIMIT ?", (*after, limit))


async def due(engine: Engine, moment: int, limit: int) -> list[Domain]:
    """Those that are to be looked at: first those that were looked at least often."""
    return await _domains(engine, "WHERE due_at <= ? ORDER BY attempts, due_at LIMIT ?", (moment, limit))


def _others(name: str, owner: str) -> tuple[str, tuple[str, ...]]:
    """The condition on claims of others that have a say: on the name itself, and live ones on what it lies beneath."""
    higher = domains.above(name)
    above = f" OR (name IN ({','.join('?' * len(higher))}) AND state = '{LIVE}')" if higher else ""
    return f"owner <> ? AND (name = ?{above})", (owner, name, *higher)


async def contested(engine: Engine, name: str, owner: str) -> bool:
    """Whether others have a say in a name."""
    where, args = _others(name, owner)
    return bool(await engine.rows(f"SELECT 1 FROM domain WHERE {where} LIMIT 1", args))


def claimed(new: Domain, most: int, refuse: Exception) -> Steps:
    """Steps that add a claim, or point the one there is at another folder. Raise `refuse` where its owner has `most`."""
    yield Step(MOVES, [()])
    counts = "SELECT count(*) FROM domain WHERE owner = ? AND state <> ? AND id <> ?"
    ((count,),) = yield Step(counts, [(new.owner, GONE, new.id)], reads=True)
    if count >= most:
        raise refuse
    ((changed,),) = yield Step(PLACE, [()], reads=True)
    yield Step(
        f"INSERT INTO domain ({_DOMAIN}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET route = excluded.route, "
        f"state = CASE WHEN domain.state = '{GONE}' THEN excluded.state ELSE domain.state END, "
        f"created_at = CASE WHEN domain.state = '{GONE}' THEN excluded.created_at ELSE domain.created_at END, "
        "due_at = excluded.due_at, attempts = 0, changed = excluded.changed",
        [tuple(new._replace(changed=changed))],
    )


class ContestedError(Exception):
    """Others have come to have a say in the name: more has to be proven."""


def proven(found: Domain, due_at: int, moment: int, *, strict: bool, displaces: bool) -> Steps:
    """The claim is live; if it `displaces` whoever held the name before, they hold it no more, and the certificate that was theirs is
    forgotten; else theirs stays, and this one waits. Where it changes hands, what others proved before proves nothing any more.

    Raises ContestedError where it was proven as if nobody else had a say (not `strict`), and somebody has.
    """
    yield Step(MOVES, [()])
    where, args = _others(found.name, found.owner)
    if not strict and (yield Step(f"SELECT 1 FROM domain WHERE {where} LIMIT 1", [args], reads=True)):
        raise ContestedError
    there = yield Step("SELECT state FROM domain WHERE id = ? AND route = ?", [(found.id, found.route)], reads=True)
    if not there or there[0][0] == GONE:
        return
    if not displaces and (
        yield Step("SELECT 1 FROM domain WHERE name = ? AND state = ? AND id <> ?", [(found.name, LIVE, found.id)], reads=True)
    ):
        yield Step("UPDATE domain SET due_at = ?, error = ? WHERE id = ?", [(due_at, "Another key has proven it meanwhile.", found.id)])
        return
    ((changed,),) = yield Step(PLACE, [()], reads=True)
    says = "Another key has proven that the domain is its own now."
    ended = yield Step(
        "UPDATE domain SET state = ?, due_at = NULL, error = ?, changed = ? WHERE name = ? AND state = ? AND id <> ? RETURNING id",
        [(GONE, says, changed, found.name, LIVE, found.id)], reads=True,
    )  # fmt: skip
    if ended:
        yield from forgotten(found.name, changed)
    if there[0][0] != LIVE:  # it changes hands: who has it already can't make others' proofs worthless by proving it again
        yield Step("UPDATE domain SET round = round + 1 WHERE name = ? AND id <> ?", [(found.name, found.id)])
    yield Step(
        "UPDATE domain SET state = ?, proven_at = coalesce(proven_at, ?), failing_at = NULL, due_at = ?, attempts = 0, error = '', "
        "changed = ? WHERE id = ?",
        [(LIVE, moment, due_at, changed, found.id)],
    )


def looked(found: Domain, attempts: int, due_at: int, error: str, failing_at: int | None = None) -> Steps:
    """What a look came to that moves nothing. No fence: of two looks side by side either may be the last."""
    yield Step(
        "UPDATE domain SET attempts = ?, due_at = ?, error = ?, failing_at = ? WHERE id = ? AND state = ?",
        [(attempts, due_at, error, failing_at, found.id, found.state)],
    )


def ended(found: Domain, state: str, error: str, due_at: int | None = None, *, whatever: bool = False) -> Steps:
    """The claim is live no more: it waits again (WAITING), or is given up (GONE), and its certificate is forgotten. One that never was live
    leaves nothing. Nothing where it is not any more as it was `found`, unless `whatever` it is."""
    yield Step(MOVES, [()])
    rows = yield Step("SELECT state, proven_at FROM domain WHERE id = ?", [(found.id,)], reads=True)
    if not rows or rows[0][0] == GONE or (rows[0][0] != found.state and not whatever):
        return
    was, proven_at = rows[0]
    if state == GONE and proven_at is None:
        yield Step("DELETE FROM domain WHERE id = ?", [(found.id,)])
        return
    ((changed,),) = yield Step(PLACE, [()], reads=True)
    yield Step(
        "UPDATE domain SET state = ?, due_at = ?, attempts = 0, failing_at = NULL, error = ?, changed = ?, round = round + ? WHERE id = ?",
        [(state, due_at, error, changed, int(was == LIVE), found.id)],
    )
    if was == LIVE:
        yield from forgotten(found.name, changed)


def forgotten(name: str, changed: int) -> Steps:
    """A name's certificate, its key and its order: whoever has the name next gets one of their own, and begins anew."""
    yield Step(
        "UPDATE certificate SET chain = '', secret = '', order_url = '', order_secret = '', directory = '', begins_at = NULL, "
        "ends_at = NULL, renew_at = NULL, ask_at = NULL, attempts = 0, due_at = NULL, error = '', changed = ? WHERE name = ?",
        [(changed, name)],
    )
    yield Step("DELETE FROM challenge WHERE name = ?", [(name,)])
