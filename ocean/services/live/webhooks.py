"""What other services send to `/webhook/NAME`: kept as an event in `_webhooks/NAME`, for the owner of `_integrations @NAME` alone."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import orjson

from ocean.context import Caller, Ocean
from ocean.core import webhooks
from ocean.core.payloads import loads
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.store.reader import now
from ocean.turns import household

INTEGRATIONS, WEBHOOKS = "_integrations", "_webhooks"
MAX_BODY = 1024 * 1024  # bytes


async def receive(ocean: Ocean, *, name: str, headers: Mapping[str, str], body: bytes, query: str = "", ip: str = "") -> dict[str, Any]:
    """`{drop_id}`; for Slack's own check of the address `{challenge}`. Raises NOT_FOUND where nobody waits for it, PAYLOAD_TOO_LARGE.

    `verified` is true where the sender's signature was checked against the owner's secret, false where it does not hold, and left out
    where there is nothing to check it by.
    """
    route = check_route(f"{WEBHOOKS}/{check_key(name)}")
    ocean.paces.events.spend(household(ip))
    ocean.paces.events_to_one.spend(household(ip), name)
    if len(body) > MAX_BODY:
        raise OceanError("PAYLOAD_TOO_LARGE", f"An event has at most {MAX_BODY // 1024} KB.")
    owner, kind = await _integration(ocean, name)
    lowered = {header.lower(): value for header, value in headers.items()}
    sure = await _verified(ocean, owner, name, kind, lowered, body)
    event: dict[str, Any] = {"headers": webhooks.kept_headers(headers), **_text(body)}
    if query:
        event["query"] = query[:2000]
    if kind:
        event["type"] = kind
    if sure is not None:
        event["verified"] = sure
    if kind == "slack" and sure and (challenge := _challenge(body)) is not None:
        return {"challenge": challenge}
    sent = webhooks.delivery_of(kind, lowered) if sure else None
    caller = Caller(owner, idempotency=f"{name} {sent[:150]}" if sent else None, request_digest=name)
    made = await records.save(ocean, caller, route=route, payload=event)
    return {"drop_id": made["drop_id"]}


async def _integration(ocean: Ocean, name: str) -> tuple[str, str]:
    """`(owner, type)` of an integration that is active."""
    drop = await ocean.reader.entity(INTEGRATIONS, name)
    if drop is not None and drop.live(now()):
        said = loads(drop.body())
        if isinstance(said, dict) and said.get("active") is not False and drop.owner:
            return drop.owner, str(said.get("type", ""))[:40]
    raise OceanError("NOT_FOUND", f"Nobody waits for events at {name[:60]!r}.", 'save _integrations @NAME type: "stripe" active: true')


async def _verified(ocean: Ocean, owner: str, name: str, kind: str, headers: Mapping[str, str], body: bytes) -> bool | None:
    """Whether the signature holds; None where the sender's kind has none, or no secret is stored: KEY/credentials/NAME (or TYPE)
    @webhook_secret."""
    if kind not in webhooks.TYPES:
        return None
    for folder in (name, kind):
        drop = await ocean.reader.entity(f"{owner}/credentials/{folder}", "webhook_secret")
        if drop is not None and drop.live(now()):
            secret = loads(drop.body())
            return isinstance(secret, str) and secret != "" and webhooks.verified(kind, headers, body, secret, time.time())
    return None


def _text(body: bytes) -> dict[str, str]:
    """The body as it came: text, or where it is none base64."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\x00"
    return {"body": text} if "\x00" not in text else {"body_base64": base64.b64encode(body).decode()}


def _challenge(body: bytes) -> str | None:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return str(said.get("challenge", "")) if isinstance(said, dict) and said.get("type") == "url_verification" else None
