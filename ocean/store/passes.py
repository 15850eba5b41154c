"""Passes: what lets somebody in once, or for a while; rows of `once` by the digest of what they are known by."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ocean.store.engine import Engine, Step, Steps
from ocean.store.reader import now


class Pass(NamedTuple):
    """`of` says for what, `who` is the public key that it lets in as; `until` in milliseconds."""

    of: str
    who: str
    until: int


def _id(kind: str, secret: str) -> str:
    return f"{kind} {hashlib.sha256(secret.encode(errors='replace')).hexdigest()}"


def put(kind: str, secret: str, given: Pass) -> Steps:
    yield Step("INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?)", [(_id(kind, secret), *given)])


def taken(kind: str, secret: str, found: list[Pass]) -> Steps:
    """Takes it away; of two who have it, one is let in."""
    rows = yield Step("DELETE FROM once WHERE id = ? RETURNING request, answer, expires_at", [(_id(kind, secret),)], reads=True)
    found.extend(Pass(*row) for row in rows if row[2] > now())


async def stands(engine: Engine, kind: str, secret: str, moment: int) -> bool:
    return bool(await engine.rows("SELECT 1 FROM once WHERE id = ? AND expires_at > ?", (_id(kind, secret), moment)))


def put_again(kind: str, secret: str, until: int) -> Step:
    """Puts it, or lets the one that is there stand longer."""
    put = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?)"
    again = " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at"
    return Step(put + again, [(_id(kind, secret), kind, "{}", until)])


def first_seen(kind: str, secret: str, moment: int, until: int, found: list[int]) -> Steps:
    """When it was seen first: now, where it never was, or is forgotten by now."""
    row = (_id(kind, secret), str(moment), "{}", until)
    put = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?) ON CONFLICT (id) DO UPDATE SET "
    anew = "CASE WHEN once.expires_at <= ? THEN excluded.{0} ELSE once.{0} END"
    yield Step(f"{put}request = {anew.format('request')}, expires_at = {anew.format('expires_at')}", [(*row, moment, moment)])
    ((first,),) = yield Step("SELECT request FROM once WHERE id = ?", [(row[0],)], reads=True)
    found.append(int(first))


def put_once(kind: str, secret: str, given: Pass, there: list[bool]) -> Steps:
    """Puts it, or says that it is there."""
    row = (_id(kind, secret), *given)
    sql = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?) ON CONFLICT (id) DO NOTHING RETURNING id"
    if not (yield Step(sql, [row], reads=True)):
        there.append(True)
