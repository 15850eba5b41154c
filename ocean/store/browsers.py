"""The browsers that keys are notified in, as rows."""

from __future__ import annotations

from typing import NamedTuple

from ocean.store.engine import LOCK, Engine, Step, Steps

_BROWSER = "id, owner, digest, target, host, created_at"


class Browser(NamedTuple):
    """`target` is wrapped; `digest` is of the address that a push service gave the browser."""

    id: str
    owner: str
    digest: str
    target: str
    host: str
    created_at: int


async def browsers_of(engine: Engine, owner: str) -> list[Browser]:
    rows = await engine.rows(f"SELECT {_BROWSER} FROM browser WHERE owner = ? ORDER BY created_at, id", (owner,))
    return [Browser(*row) for row in rows]


def added(new: Browser, most: int, most_there: int, refuse: Exception, kept: list[str]) -> Steps:
    """Steps that add a browser, or give one that is there its new target; `kept` gets its id. Raise `refuse` where there are `most`, or
    `most_there` at its host."""
    yield Step(LOCK, [()])
    there = yield Step("SELECT id FROM browser WHERE owner = ? AND digest = ?", [(new.owner, new.digest)], reads=True)
    if there:
        kept.append(there[0][0])
        yield Step("UPDATE browser SET target = ? WHERE id = ?", [(new.target, there[0][0])])
        return
    hosts = yield Step("SELECT host FROM browser WHERE owner = ?", [(new.owner,)], reads=True)
    if len(hosts) >= most or sum(host == new.host for (host,) in hosts) >= most_there:
        raise refuse
    kept.append(new.id)
    yield Step(f"INSERT INTO browser ({_BROWSER}) VALUES (?,?,?,?,?,?)", [tuple(new)])


def removed(ids: list[str]) -> Steps:
    yield Step("DELETE FROM browser WHERE id = ?", [(id_,) for id_ in ids])
