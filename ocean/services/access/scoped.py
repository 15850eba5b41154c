"""Scoped keys: a part of what a key may do, for addresses, apps, and those who only read."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.access import PERMISSIONS, READS, Scoped
from ocean.core.drop import show_time
from ocean.core.keys import SCOPED_PREFIX
from ocean.core.payloads import dumps
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.data.writing import change
from ocean.store import scoped as rows
from ocean.store.engine import Row, locked
from ocean.store.reader import now
from ocean.store.scoped import Scope

_KEYED = "A scoped key is made by a key."
MAX_SCOPED = 1000  # of one key
MAX_ROUTES = 50
MAX_SECONDS = 10 * 365 * 86400


async def make(
    ocean: Ocean, caller: Caller, *, routes: list[Any], permissions: list[Any] | None = None, expires_in: int | None = None, label: str = ""
) -> dict[str, Any]:  # fmt: skip
    """A key that may do just this in those folders and beneath; its secret is shown this once. Without permissions it reads."""
    owner = caller.required(_KEYED)
    if not 0 < len(routes) <= MAX_ROUTES or not all(isinstance(route, str) for route in routes):
        raise OceanError("INVALID_VALUE", f"'routes' is a list of 1 to {MAX_ROUTES} folders.")
    chosen = list(READS) if permissions is None else permissions
    if not chosen or not all(one in PERMISSIONS for one in chosen):
        raise OceanError("INVALID_VALUE", "The permissions are not known ones.", f"Permissions: {', '.join(PERMISSIONS)}.")
    if expires_in is not None and not 0 < expires_in <= MAX_SECONDS:
        raise OceanError("INVALID_VALUE", "'expires_in' is a number of seconds, ten years at most.")
    if len(label) > 100 or not label.isprintable():
        raise OceanError("INVALID_VALUE", "A label is a line of at most 100 characters.")
    ocean.paces.made.spend_each(caller.holders)
    secret, moment = SCOPED_PREFIX + secrets.token_urlsafe(32), now()
    until = moment + expires_in * 1000 if expires_in is not None else None
    made = Scope(
        str(uuid_utils.uuid7()), owner, _digest(secret), label, dumps(sorted({check_route(route) for route in routes})),
        dumps(sorted(set(chosen))), moment, until,
    )  # fmt: skip
    full: list[bool] = []
    # Under no Idempotency-Key: what is answered holds the secret, and would be kept.
    await ocean.log.transact(locked(rows.scope_added(made, MAX_SCOPED, full)))
    if full:
        raise OceanError("LIMIT_REACHED", f"A key has at most {MAX_SCOPED} scoped ones.", "Revoke some: DELETE /key/scoped/ID.")
    return {"secret": secret, **_shown(made)}


async def list_(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's scoped keys, without their secrets."""
    found = [_shown(one) for one in await rows.scopes_of(ocean.engine, caller.required(_KEYED))]
    return {"keys": found, "count": len(found)}


async def revoke(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """Takes a scoped key back; it opens nothing from then on."""
    found: list[Row] = []

    def answer() -> dict[str, Any]:
        if not found:
            raise OceanError("NOT_FOUND", f"There is no scoped key {id[:60]!r} of this one.")
        return {"deleted": True, "id": id}

    return await change(ocean, caller, rows.scope_removed(id, caller.required(_KEYED), found), answer)


async def identity(ocean: Ocean, secret: str) -> Scoped:
    """Who a scoped credential is. Raises INVALID_CREDENTIAL where it was revoked or has expired."""
    found = await rows.scope_by(ocean.engine, _digest(secret))
    if found is None or (found.expires_at is not None and found.expires_at <= now()):
        raise OceanError("INVALID_CREDENTIAL", "This scoped key was revoked, has expired, or is none.", "Its owner can make another.")
    return Scoped.of(found.owner, found.id, orjson.loads(found.routes), orjson.loads(found.permissions), found.expires_at)


async def holds(ocean: Ocean, who: str | None) -> bool:
    """Whether an identity that was given before still stands."""
    if not isinstance(who, Scoped):
        return True
    return (who.expires_at is None or who.expires_at > now()) and await rows.scope_there(ocean.engine, who.id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _shown(one: Scope) -> dict[str, Any]:
    told = {
        "id": one.id, "label": one.label, "routes": orjson.loads(one.routes), "permissions": orjson.loads(one.permissions),
        "created_at": show_time(one.created_at),
    }  # fmt: skip
    return told if one.expires_at is None else {**told, "expires_at": show_time(one.expires_at)}
