"""Feeds: a folder's events at an address that calendar programs subscribe to, as long as it is not revoked."""

from __future__ import annotations

import asyncio
import base64
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core.addresses import path_of
from ocean.core.drop import Drop
from ocean.core.events import Event
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access.reading import require_read
from ocean.services.calendar import events, ics
from ocean.services.calendar.ics import Placed
from ocean.store import calendars as rows
from ocean.store.engine import Row, locked, only

_KEYED = "A feed belongs to a key."


async def feed(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """The address of the folder as a calendar, for who may read it: whoever has the address reads what the caller may."""
    route, owner = check_route(route), caller.required(_KEYED)
    await require_read(ocean, caller, route, "query")
    found: list[int] = []
    await ocean.log.transact(locked(rows.feed_there(route, owner, found)))
    return {"feed_url": f"{settings.api_url(ocean.settings)}/calendar/feed/{path_of(route)}?token={_token(ocean, route, owner, found[0])}"}


async def revoke(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """Ends the caller's feed of a folder: its address is good no more. Raises NOT_FOUND."""
    route, found = check_route(route), list[Row]()
    await ocean.log.transact(only(rows.feed_revoked(route, caller.required(_KEYED)), found))
    if not found:
        raise OceanError("NOT_FOUND", f"There is no feed of {route!r} for this key.", "calendar feed makes one.")
    return {"revoked": True, "route": route}


def _token(ocean: Ocean, route: str, owner: str, round_: int) -> str:
    return base64.urlsafe_b64encode(ocean.master.derived(f"feed {route} {owner} {round_}", 24)).decode()


async def text(ocean: Ocean, route: str, token: str, *, only_busy: bool = False) -> bytes:
    """The calendar that a token opens, as its owner may read the folder now. Raises FORBIDDEN, and what reading does."""
    route = check_route(route)
    owner = next(
        (one.owner for one in await rows.feeds(ocean.engine, route)
         if hmac.compare_digest(_token(ocean, route, one.owner, one.round).encode(), token.encode(errors="replace"))),
        None,
    )  # fmt: skip
    if owner is None:
        raise OceanError("FORBIDDEN", "This address of a calendar is none, or was revoked.", "Its owner makes a new one: calendar feed.")
    found = await events.all_of(ocean, Caller(owner), route)
    if only_busy:
        low = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=31)
        high = low + timedelta(days=400)
        async with ocean.turns.of(owner):
            times = await asyncio.to_thread(events.busy_times, found, low, high)
        return ics.busy(low, high, times, events.uid_of(ocean, route, "busy"))
    async with ocean.turns.of(owner):
        return await asyncio.to_thread(ics.feed, route, [_placed(ocean, drop, event) for drop, event in found])


def _placed(ocean: Ocean, drop: Drop, event: Event) -> Placed:
    changed = datetime.fromtimestamp(drop.created_at // 1000, UTC)
    return Placed(event, events.uid_of(ocean, drop.route, drop.key or drop.drop_id, event), changed)
