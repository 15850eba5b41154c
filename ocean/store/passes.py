"""Passes: what lets somebody in once, or for a while; rows of `once` by the digest of what they are known by."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ocean.store.engine import Step, Steps
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


def put_once(kind: str, secret: str, given: Pass, there: list[bool]) -> Steps:
    """Puts it, or says that it is there."""
    row = (_id(kind, secret), *given)
    sql = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?) ON CONFLICT (id) DO NOTHING RETURNING id"
    if not (yield Step(sql, [row], reads=True)):
        there.append(True)
