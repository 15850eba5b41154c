"""Stripe, by its own library, sent through the one way out. It is imported where it is used: it takes a second and 40 MB."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ocean.context import Ocean
from ocean.egress.broker import EgressError
from ocean.errors import OceanError

if TYPE_CHECKING:
    import stripe

SECONDS = 20.0
TOLERANCE = 300  # seconds that an event may be old


class Started(NamedTuple):
    """What Stripe calls a payment that was begun, and where it goes on."""

    session: str
    intent: str
    url: str | None
    client_secret: str | None


def check_set_up(ocean: Ocean) -> None:
    """Raises NOT_AVAILABLE where the operator takes no money."""
    if not ocean.settings["OCEAN_STRIPE_KEY"]:
        raise OceanError("NOT_AVAILABLE", "io can't be bought on this server.", "Its operator sets OCEAN_STRIPE_KEY first.")


async def checkout(ocean: Ocean, order: str, cents: int, currency: str, name: str, back: tuple[str, str]) -> Started:
    """A page of Stripe's where a person pays; `back` are the pages that they come back to, paid or not."""
    made: Any = await _ask(
        ocean,
        lambda client: client.v1.checkout.sessions.create_async(
            {
                "mode": "payment",
                "client_reference_id": order,
                "metadata": {"order": order},
                "payment_intent_data": {"metadata": {"order": order}},
                "line_items": [
                    {"quantity": 1, "price_data": {"currency": currency, "unit_amount": cents, "product_data": {"name": name}}},
                ],
                "success_url": back[0],
                "cancel_url": back[1],
            },
            {"idempotency_key": f"{order} checkout"},
        ),
    )
    return Started(str(made["id"]), str(made.get("payment_intent") or ""), made.get("url"), None)


async def intent(ocean: Ocean, order: str, cents: int, currency: str) -> Started:
    """A payment that an app takes to its end itself, with Stripe's own elements."""
    made: Any = await _ask(
        ocean,
        lambda client: client.v1.payment_intents.create_async(
            {"amount": cents, "currency": currency, "metadata": {"order": order}, "payment_method_types": ["card"]},
            {"idempotency_key": f"{order} intent"},
        ),
    )
    return Started("", str(made["id"]), None, made.get("client_secret"))


async def _ask(ocean: Ocean, question: Any) -> Any:
    """Raises SERVER_BUSY where Stripe is away or refuses."""
    import stripe

    client = stripe.StripeClient(
        ocean.settings["OCEAN_STRIPE_KEY"],
        base_addresses={"api": ocean.settings["OCEAN_STRIPE_API"].rstrip("/")},
        http_client=_way_out(ocean),
        max_network_retries=2,
    )
    try:
        answer = await question(client)
    except stripe.StripeError as fault:
        says = f"Stripe did not take the payment on: {fault.user_message or type(fault).__name__}."
        raise OceanError("SERVER_BUSY", says, "Try again in a moment.") from fault
    return answer.to_dict()


def _way_out(ocean: Ocean) -> stripe.HTTPClient:
    import asyncio

    import stripe

    class WayOut(stripe.HTTPClient):
        """The library's requests, made by the broker."""

        name = "ocean"

        def sleep_async(self, secs: float) -> Any:
            return asyncio.sleep(secs)

        async def request_async(
            self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
        ) -> tuple[bytes, int, Mapping[str, str]]:
            body = post_data.encode() if isinstance(post_data, str) else post_data
            try:
                reply = await ocean.egress.request(method.upper(), url, body, headers, seconds=SECONDS)
            except EgressError as fault:
                raise stripe.APIConnectionError(str(fault), should_retry=True) from fault  # type: ignore[no-untyped-call]
            except OceanError as fault:  # an address that nothing is sent to
                raise stripe.APIConnectionError(fault.message) from fault  # type: ignore[no-untyped-call]
            return reply.body, reply.status, reply.headers

    return WayOut()


def event(ocean: Ocean, body: bytes, signature: str | None) -> dict[str, Any]:
    """An event that Stripe signed, not longer than five minutes ago. Raises NOT_AVAILABLE, FORBIDDEN."""
    secret = ocean.settings["OCEAN_STRIPE_WEBHOOK_SECRET"]
    if not secret:
        raise OceanError("NOT_AVAILABLE", "No events of Stripe are taken here.", "The operator sets OCEAN_STRIPE_WEBHOOK_SECRET first.")
    import stripe

    try:
        stripe.WebhookSignature.verify_header(body.decode(), (signature or "").encode("ascii").decode(), secret, TOLERANCE)
        made = re.search(r"(?:^|,)t=(\d{1,12})(?:,|$)", signature or "")
        if made is None or int(made[1]) > time.time() + TOLERANCE:
            raise stripe.SignatureVerificationError("made in the future", signature)  # type: ignore[no-untyped-call]
    except (stripe.SignatureVerificationError, UnicodeError):
        raise OceanError("FORBIDDEN", "The event's signature does not hold, or is too old.") from None
    import orjson

    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or not isinstance(found.get("type"), str):
        raise OceanError("INVALID_PAYLOAD", "The event is none.")
    return found
