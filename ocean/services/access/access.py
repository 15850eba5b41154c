"""Who has access: the record of it shown and changed."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import access, grants, keys
from ocean.core.changes import Op
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access.reading import require
from ocean.services.data.writing import write

_KEYED = ("Access is changed with a key.", "Send it as X-Ocean-Key.")


async def share(
    ocean: Ocean, caller: Caller, *, route: str, key: str, mode: str | None = None, permissions: list[str] | None = None
) -> dict[str, Any]:
    """Grants a key access to a folder, taking the folder if nobody owns it."""
    route = check_route(route)
    if mode is not None and mode not in access.MODES:
        raise OceanError("INVALID_VALUE", f"There is no mode {mode!r}.", f"Modes: {', '.join(access.MODES)}.")
    if permissions is not None and not (permissions and all(p in access.PERMISSIONS for p in permissions)):
        raise OceanError("INVALID_VALUE", "The permissions are not known ones.", f"Permissions: {', '.join(access.PERMISSIONS)}.")
    who = caller.required(*_KEYED)
    alter = grants.grant(route, who, keys.identity(key), mode, tuple(permissions) if permissions is not None else None)
    return await _change(ocean, caller, Op("access", route, alter=alter))


async def revoke(ocean: Ocean, caller: Caller, *, route: str, key: str | None = None) -> dict[str, Any]:
    """Takes back one key's grant, or the folder's whole access record."""
    route = check_route(route)
    caller.required(*_KEYED)
    alter = grants.revoke(route, keys.identity(key) if key is not None else None)
    return await _change(ocean, caller, Op("access", route, alter=alter))


async def show(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """The folder's access record; its grants only to its owner."""
    route = check_route(route)
    rules = await ocean.reader.rules(route)
    admin = access.is_admin(route, caller.key, rules)
    if not admin:
        require(caller, route, "entity", rules)
    rule = rules.get(route)
    if rule is None:
        raise OceanError("NOT_FOUND", f"The folder {route!r} has no access record of its own.")
    shown = rule.to_json()
    return {"route": route, **shown} if admin else {"route": route, "owner": rule.owner, "mode": rule.mode}


async def _change(ocean: Ocean, caller: Caller, op: Op) -> dict[str, Any]:
    (result,) = await write(ocean, caller, [op])
    rule = result["rule"] or {"owner": None, "mode": None, "grants": {}}
    strangers = [name for name in rule["grants"] if not keys.is_public(name)]
    warning = {"warning": f"{', '.join(strangers)[:200]}: not a public key (43 characters), so nobody has this grant."} if strangers else {}
    return {"route": op.route, **rule, **warning}
