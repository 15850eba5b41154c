"""Scoped keys: their rows, and the steps that change them."""

from __future__ import annotations

from typing import NamedTuple

from ocean.store.engine import Engine, Row, Step, Steps


class Scope(NamedTuple):
    """A scoped key; `routes` and `permissions` are lists as JSON."""

    id: str
    owner: str
    digest: str
    label: str
    routes: str
    permissions: str
    created_at: int
    expires_at: int | None


_SCOPE = "id, owner, digest, label, routes, permissions, created_at, expires_at"


def scope_added(made: Scope, most: int, full: list[bool]) -> Steps:
    ((count,),) = yield Step("SELECT count(*) FROM scoped_key WHERE owner = ?", [(made.owner,)], reads=True)
    if count >= most:
        full.append(True)
        return
    yield Step(f"INSERT INTO scoped_key ({_SCOPE}) VALUES (?,?,?,?,?,?,?,?)", [made])


async def scope_by(engine: Engine, digest: str) -> Scope | None:
    rows = await engine.rows(f"SELECT {_SCOPE} FROM scoped_key WHERE digest = ?", (digest,))
    return Scope(*rows[0]) if rows else None


async def scope_there(engine: Engine, id_: str) -> bool:
    return bool(await engine.rows("SELECT 1 FROM scoped_key WHERE id = ?", (id_,)))


async def scopes_of(engine: Engine, owner: str) -> list[Scope]:
    return [Scope(*row) for row in await engine.rows(f"SELECT {_SCOPE} FROM scoped_key WHERE owner = ? ORDER BY created_at, id", (owner,))]


def scope_removed(id_: str, owner: str, found: list[Row]) -> Steps:
    found.extend((yield Step("DELETE FROM scoped_key WHERE id = ? AND owner = ? RETURNING id", [(id_, owner)], reads=True)))
