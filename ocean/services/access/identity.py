"""Who the caller is: by which credential, and what is known of them."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.access import Scoped
from ocean.services.access import people, scoped
from ocean.services.money import credits
from ocean.store import accounts


async def key_of(ocean: Ocean, secret: str) -> str:
    """The public key that a credential is of, as far as the credential goes. Raises INVALID_CREDENTIAL."""
    if secret.startswith(keys.SCOPED_PREFIX):
        return await scoped.identity(ocean, secret)
    return keys.public_of(secret)


async def whoami(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The tier and the public key of the caller, what they have, and what they are called."""
    key = caller.key
    if key is None:
        return {"tier": "anonymous", "ip": caller.ip}
    if isinstance(key, Scoped):
        return {"tier": "scoped", "key": str(key), "routes": list(key.routes), "permissions": sorted(key.permissions)}
    told: dict[str, Any] = {"tier": "balance", "key": key, "balance": await credits.balance(ocean, key)}
    account = await accounts.by_key(ocean.engine, key)
    if account is not None:
        told |= {"public_id": account.public_id, "email": account.email, **await people.handle(ocean, key)}
    return told
