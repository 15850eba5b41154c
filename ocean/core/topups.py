"""Top-ups: what an event of the payment service says of an order, and how much io stands for it then. Pure.

However often, however late and in whatever order events come, an order goes one way: paid, and more and more refunded. What its owner has
for it follows from that state alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """`io` in hundredths, for `cents` of `currency`; `refunded` in cents, `credited` the io that stands in the ledger for it."""

    id: str
    owner: str
    io: int
    cents: int
    currency: str
    app: int  # whether it is an app's to take to its end, or Checkout's
    session: str
    intent: str
    paid_at: int | None
    refunded: int
    credited: int
    created_at: int

    @property
    def due(self) -> int:
        """The hundredths that are its owner's for it now; of what is partly refunded the part, rounded down."""
        return 0 if self.paid_at is None else self.io * (self.cents - self.refunded) // self.cents


@dataclass(frozen=True, slots=True)
class News:
    """What an event says: of which order, or of which payment; that so much was paid, or that so much in all was refunded."""

    order: str
    intent: str
    currency: str
    paid: int | None = None
    refunded: int | None = None


def news_of(event: Mapping[str, Any]) -> News | None:
    """None where it is not about a payment of ours that came to its end."""
    data = event.get("data")
    thing = data.get("object") if isinstance(data, Mapping) else None
    if not isinstance(thing, Mapping):
        return None
    kind, metadata = event.get("type"), thing.get("metadata")
    order = metadata.get("order") if isinstance(metadata, Mapping) else None
    intent, currency = thing.get("payment_intent"), thing.get("currency")
    named = (order if isinstance(order, str) else "", intent if isinstance(intent, str) else "", str(currency))
    if kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded") and thing.get("payment_status") == "paid":
        return News(*named, paid=_whole(thing.get("amount_total")))
    if kind == "payment_intent.succeeded":
        return News(named[0], str(thing.get("id")), named[2], paid=_whole(thing.get("amount_received", thing.get("amount"))))
    if kind == "charge.refunded":
        return News(*named, refunded=_whole(thing.get("amount_refunded")))
    if kind == "charge.dispute.funds_withdrawn":  # what was paid is taken back, as by a refund
        return News(*named, refunded=_whole(thing.get("amount")))
    return None


def _whole(amount: Any) -> int:
    return amount if isinstance(amount, int) and not isinstance(amount, bool) and amount >= 0 else -1


def after(order: Order, news: News, moment: int) -> Order | None:
    """The order as it is with the news in it; None where the news does not fit it: another sum, or other money."""
    if news.currency != order.currency or (news.intent and order.intent and news.intent != order.intent):
        return None
    intent = order.intent or news.intent
    if news.paid is not None:
        return None if news.paid != order.cents else replace(order, intent=intent, paid_at=order.paid_at or moment)
    if news.refunded is None or not 0 <= news.refunded <= order.cents:
        return None
    return replace(order, intent=intent, refunded=max(order.refunded, news.refunded))
