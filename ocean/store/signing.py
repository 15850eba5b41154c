"""The keys that our mail is signed with, as rows; their secrets are wrapped."""

from __future__ import annotations

from ocean.store.engine import Engine, Row, Step, Steps

_SELECT = "SELECT selector, kind, secret FROM signing_key ORDER BY selector"


async def keys(engine: Engine) -> list[Row]:
    """`(selector, kind, wrapped secret)` of each."""
    return await engine.rows(_SELECT)


def first(made: list[tuple[str, str, str, int]], there: list[Row]) -> Steps:
    """Under the log's lock: puts the keys that were made where there are none yet; those that are there then."""
    there.extend((yield Step(_SELECT, [()], reads=True)))
    if not there:
        yield Step("INSERT INTO signing_key (selector, kind, secret, created_at) VALUES (?,?,?,?)", made)
        there.extend((yield Step(_SELECT, [()], reads=True)))
