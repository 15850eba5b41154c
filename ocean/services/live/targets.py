"""Where hooks and calls go: an address of another host, or a function here, which is called without leaving the process."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from ocean import settings
from ocean.causes import MAX_HOPS, WITHIN, Within, loop
from ocean.context import Budget, Caller, Ocean
from ocean.core.payloads import loads
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.automate.functions import SECONDS

RUN = "/run/"


def target(ocean: Ocean, url: str) -> str:
    """The address as it is kept: checked, or `/run/ROUTE` for a function of this server's, however it was written. Raises INVALID_VALUE."""
    inside = _inside(ocean, url)
    if inside is None:
        if "://" not in url:
            hint = "Such as https://example.com/hook, or /run/fn/hello for the function fn/hello here."
            raise OceanError("INVALID_VALUE", f"{url[:80]!r} is no address.", hint)
        return str(ocean.egress.check(url))
    found = urlsplit(inside)
    if found.query or found.fragment:
        raise OceanError("INVALID_VALUE", "A function is called by its folder alone.", "Such as /run/fn/hello")
    return RUN + check_route(unquote(found.path.removeprefix(RUN)))


def _inside(ocean: Ocean, url: str) -> str | None:
    """The path of an address of our own functions."""
    here = settings.api_url(ocean.settings)
    path = url[len(here) :] if url.startswith(f"{here}{RUN}") else url
    return path if path.startswith(RUN) else None


def function_in(ocean: Ocean, url: str) -> str | None:
    """The folder of the function that an address is of; None where it is another host's. An address that was kept before it was known to
    be ours is one too."""
    inside = _inside(ocean, url)
    return unquote(urlsplit(inside).path.removeprefix(RUN)) if inside is not None else None


def burdened(url: str, owner: str) -> str:
    """Who is burdened by a call: another host, or here whose call it is."""
    return owner if url.startswith(RUN) else urlsplit(url).hostname or ""


def _request(body: bytes) -> dict[str, Any]:
    """What a function is asked with for what a hook would have sent: the record's own fields, and the whole as `_event`."""
    event = loads(body.decode())
    data = event.get("data")
    payload = data.get("payload") if isinstance(data, dict) and "drop_id" in data else data
    fields = payload if isinstance(payload, dict) else {} if payload is None else {"payload": payload}
    return {**fields, "_event": event}


async def call(ocean: Ocean, owner: str, route: str, body: bytes, hops: int) -> None:
    """Runs a function for whoever's hook or call it is, who pays for nothing by it; `hops` functions stand behind it. Raises OceanError."""
    if hops > MAX_HOPS:
        raise loop()
    token = WITHIN.set(Within.lasting(SECONDS, hops))
    try:
        await ocean.functions.run(Caller(owner, budget=Budget(0)), route, _request(body))
    finally:
        WITHIN.reset(token)
