"""Who is who: public keys by @handle, address of mail or public_id, and what a key is called."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.accounts import canonical_email, handle_of, is_address, is_public_id
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.store import accounts
from ocean.store.accounts import PERSONAL


async def find(ocean: Ocean, who: str, caller: Caller | None = None) -> str:
    """The public key of a recipient: @handle, address of mail, public_id, or a public key; the caller is who looks, None the operator.

    Raises NOT_FOUND, INVALID_VALUE, AUTH_RATE_LIMITED where one looks for too many addresses.
    """
    if who.startswith("@"):
        name = handle_of(who)
        found = await accounts.key_of_handle(ocean.engine, name) if name is not None else None
    elif is_address(who):
        ocean.paces.addresses.spend_each(caller.holders if caller is not None else ())
        account = await accounts.by_email(ocean.engine, canonical_email(who), PERSONAL)
        found = account.key if account else None
    elif is_public_id(who):
        found = await accounts.key_of_id(ocean.engine, who)
    else:
        key = keys.identity(who)
        if not keys.is_public(key):
            raise OceanError("INVALID_VALUE", f"{who[:60]!r} names nobody.", "A @handle, an address of mail, a public_id or a public key.")
        return key
    if found is None:
        raise OceanError("NOT_FOUND", f"There is nobody called {who[:80]!r} here.", "A @handle, an address of mail, a public_id or a key.")
    return found


async def named(ocean: Ocean, keys_: Collection[str]) -> dict[str, str]:
    """What each key is called to others: its @handle, its public_id, or itself."""
    called = {key: key for key in keys_}
    called |= await accounts.ids_of(ocean.engine, list(keys_))
    return called | {key: f"@{handle}" for key, handle in (await accounts.handles_of(ocean.engine, list(keys_))).items()}


def told(who: str, called: str) -> dict[str, Any]:
    """A recipient as an answer has them: by the name that they are known by."""
    return {"handle": called} if called.startswith("@") else {"key": called} if called == who else {"public_id": called}


async def profile(ocean: Ocean, caller: Caller, *, who: str) -> dict[str, Any]:
    """What a person says of themselves to all, by @handle, public_id or key: never by address. Raises NOT_FOUND."""
    if is_address(who):
        raise OceanError("INVALID_VALUE", "People are not looked up by their addresses.", "By @handle, public_id or key.")
    account = await accounts.by_key(ocean.engine, await find(ocean, who, caller))
    if account is None or account.audience:
        raise OceanError("NOT_FOUND", f"There is nobody called {who[:80]!r} here.")
    return {"public_id": account.public_id, "profile": loads(account.profile), **await handle(ocean, account.key)}


async def handle(ocean: Ocean, key: str) -> dict[str, str]:
    """`{handle}` of a key that has one."""
    name = (await accounts.handles_of(ocean.engine, [key])).get(key)
    return {"handle": f"@{name}"} if name else {}
