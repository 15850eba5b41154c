"""Who the caller is."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean


async def whoami(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The tier and the public key of the caller."""
    if caller.key is None:
        return {"tier": "anonymous", "ip": caller.ip}
    return {"tier": "balance", "key": caller.key, "balance": 0}
