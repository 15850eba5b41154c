"""Tickets: an address that shows a private page once, without a key in it.

No session follows from one: whoever else writes on that origin would read with it what its holder may read.
"""

from __future__ import annotations

import secrets
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.addresses import address_of_folder, address_of_record
from ocean.core.drop import show_time
from ocean.core.routes import check_key, check_route
from ocean.services.access.reading import require_read
from ocean.services.pages.places import url_of
from ocean.store import passes
from ocean.store.passes import Pass
from ocean.store.reader import now

LIVES = 60_000  # milliseconds until a ticket is worth nothing
_TICKET = "ticket"


async def ticket(ocean: Ocean, caller: Caller, *, route: str, key: str | None = None) -> dict[str, Any]:
    """An address of a page that the caller may see, for one look within a minute. Raises FORBIDDEN, KEY_REQUIRED."""
    who = caller.required("A ticket is for who has a key.")
    route = check_route(route)
    await require_read(ocean, caller, route, "entity")
    path = address_of_record(route, check_key(key)) if key is not None else address_of_folder(route)
    ocean.paces.tickets.spend_each(caller.holders)
    secret, until = secrets.token_urlsafe(24), now() + LIVES
    await ocean.log.transact(passes.put(_TICKET, secret, Pass(path, who, until)))
    return {"url": f"{await url_of(ocean, route, path)}?_ticket={secret}", "expires_at": show_time(until)}


async def redeem(ocean: Ocean, secret: str, path: str) -> str | None:
    """Who is let in to a path on the shared host, given as an address; the ticket is used up, wherever it was for."""
    found: list[Pass] = []
    await ocean.log.transact(passes.taken(_TICKET, secret, found))
    return next((one.who for one in found if one.of == path), None)
