"""Accounts and handles: their rows, and the steps that change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ocean.store.engine import Engine, Step, Steps

PERSONAL = ""  # the audience of an address's own key
_FIELDS = "key, email, audience, secret, public_id, profile, created_at"
_ADD = f"INSERT INTO account ({_FIELDS}) VALUES (?,?,?,?,?,?,?)"
_BY_EMAIL = f"SELECT {_FIELDS} FROM account WHERE email = ? AND audience = ?"


class Account(NamedTuple):
    """`secret` is wrapped; `audience` is empty for the personal key of an address."""

    key: str
    email: str
    audience: str
    secret: str
    public_id: str
    profile: str
    created_at: int


async def by_email(engine: Engine, email: str, audience: str) -> Account | None:
    rows = await engine.rows(_BY_EMAIL, (email, audience))
    return Account(*rows[0]) if rows else None


async def by_key(engine: Engine, key: str) -> Account | None:
    rows = await engine.rows(f"SELECT {_FIELDS} FROM account WHERE key = ?", (key,))
    return Account(*rows[0]) if rows else None


def there_or_added(made: Account, found: list[Account]) -> Steps:
    """The account of that address and audience: the one that is there, or this one from now on."""
    rows = yield Step(_BY_EMAIL, [(made.email, made.audience)], reads=True)
    if rows:
        found.append(Account(*rows[0]))
        return
    yield Step(_ADD, [made])
    found.append(made)


async def key_of_id(engine: Engine, public_id: str) -> str | None:
    rows = await engine.rows("SELECT key FROM account WHERE public_id = ?", (public_id,))
    return str(rows[0][0]) if rows else None


async def key_of_handle(engine: Engine, name: str) -> str | None:
    rows = await engine.rows("SELECT owner FROM handle WHERE name = ?", (name,))
    return str(rows[0][0]) if rows else None


async def ids_of(engine: Engine, keys: Sequence[str]) -> dict[str, str]:
    return dict(await _in(engine, "SELECT key, public_id FROM account WHERE key IN ({})", keys))


async def handles_of(engine: Engine, keys: Sequence[str]) -> dict[str, str]:
    """Of each key that has any, the handle it took last."""
    return dict(await _in(engine, "SELECT owner, name FROM handle WHERE owner IN ({}) ORDER BY since", keys))


async def _in(engine: Engine, text: str, keys: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        found += [(row[0], row[1]) for row in await engine.rows(text.format(",".join("?" * len(some))), some)]
    return found


def handle_taken(name: str, owner: str, moment: int, most: int, refused: list[str]) -> Steps:
    """Takes a handle, or one of old again; says whose it is, or that there are too many, where it is not taken."""
    rows = yield Step("SELECT owner FROM handle WHERE name = ?", [(name,)], reads=True)
    if rows:
        if rows[0][0] != owner:
            refused.append("taken")
            return
        yield Step("UPDATE handle SET since = ? WHERE name = ?", [(moment, name)])
        return
    ((count,),) = yield Step("SELECT count(*) FROM handle WHERE owner = ?", [(owner,)], reads=True)
    if count >= most:
        refused.append("many")
        return
    yield Step("INSERT INTO handle (name, owner, since) VALUES (?,?,?)", [(name, owner, moment)])


PUT_PROFILE = "UPDATE account SET profile = ? WHERE key = ?"
