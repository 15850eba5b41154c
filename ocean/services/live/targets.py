"""Where hooks and calls go: an address of another host, or a function here, which is called without leaving the process."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import unquote, urlsplit

from ocean import settings
from ocean.causes import MAX_HOPS, WITHIN, Within
from ocean.context import Caller, Ocean
from ocean.core.payloads import loads
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.automate.functions import SECONDS

RUN = "/run/"


def target(ocean: Ocean, url: str) -> str:
    """The address as it is kept: checked, or `/run/ROUTE` for a function of this server's, however it was written. Raises INVALID_VALUE."""
    here = settings.api_url(ocean.settings)
    inside = url[len(here) :] if url.startswith(f"{here}{RUN}") else url
    if not inside.startswith(RUN):
        return str(ocean.egress.check(url))
    found = urlsplit(inside)
    if found.query or found.fragment:
        raise OceanError("INVALID_VALUE", "A function is called by its folder alone.", "Such as /run/fn/hello")
    return RUN + check_route(unquote(found.path.removeprefix(RUN)))


def host_of(url: str, owner: str) -> str:
    """Who is burdened by a call: another host, or here whose function it is that is called for."""
    return owner if url.startswith(RUN) else urlsplit(url).hostname or ""


def request_of(body: bytes) -> dict[str, Any]:
    """What a function is asked with for what a hook would have sent: the record's own fields, and the whole as `_event`."""
    event = loads(body.decode())
    data = event.get("data")
    payload = data.get("payload") if isinstance(data, dict) and "drop_id" in data else data
    fields = payload if isinstance(payload, dict) else {} if payload is None else {"payload": payload}
    return {**fields, "_event": event}


async def call(ocean: Ocean, owner: str, url: str, body: bytes, hops: int) -> None:
    """Runs a function for its hook's owner; `hops` writes of functions stand behind it. Raises OceanError."""
    if hops > MAX_HOPS:
        says = f"{MAX_HOPS} writes of functions stand behind this one, each called by the one before: a loop ends here."
        raise OceanError("LIMIT_REACHED", says, "Let the function write to a folder that no hook on it looks at.")
    token = WITHIN.set(Within(time.monotonic() + SECONDS, 0, hops))
    try:
        await ocean.functions.run(Caller(owner), url.removeprefix(RUN), request_of(body))
    finally:
        WITHIN.reset(token)
