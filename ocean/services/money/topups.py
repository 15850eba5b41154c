"""Top-ups: io that is bought with money, by Stripe. How much is owed, and for how much, is in our own order and nowhere else."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import Any

import uuid_utils

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import money, topups
from ocean.core.accounts import check_next
from ocean.core.drop import show_io, show_time
from ocean.core.money import IO, ISSUE, Transfer
from ocean.core.topups import News, Order
from ocean.errors import OceanError
from ocean.services.money import stripe
from ocean.services.money.credits import check_page
from ocean.store import topups as rows
from ocean.store.batch import ADD_ONCE, READ_ONCE
from ocean.store.engine import Step
from ocean.store.ledger import Book, Course, Move
from ocean.store.reader import now

_KEYED = "io is bought for a key."
MOST = 1_000_000  # io of one order
MAX_A_DAY = 100  # orders of one key
_KNOWN = 90 * 86_400_000  # milliseconds that an event's id is known: Stripe sends again for some days
_DAY = 86_400_000
_SAME = 23 * 3_600_000  # milliseconds in which Stripe surely takes a request sent again for the same
log = logging.getLogger("ocean.topups")


async def topup(ocean: Ocean, caller: Caller, *, amount: Any, app: bool = False, next: str | None = None) -> dict[str, Any]:
    """Begins to buy io: `url` is where a person pays; with `app`, `client_secret` is what an app goes on with by itself.

    Nothing is credited before Stripe says that it was paid. Raises NOT_AVAILABLE where the operator takes no money, INVALID_VALUE.
    """
    owner, hundredths = caller.required(_KEYED), money.whole_io(amount)
    onward = check_next(next) if next is not None else "/account"
    cents, currency = amount * int(ocean.settings["OCEAN_IO_PRICE"]), ocean.settings["OCEAN_IO_CURRENCY"].lower()
    if amount > MOST or not 0 < cents <= 99_999_999:
        raise OceanError("INVALID_VALUE", f"{amount} io can't be bought at once.", f"At most {MOST}.")
    stripe.check_set_up(ocean)
    made = Order(_id(caller, owner), owner, hundredths, cents, currency, int(app), "", "", None, 0, 0, now())
    order = await _ordered(ocean, made)
    if app:
        begun = await stripe.intent(ocean, order.id, cents, currency)
    else:
        base = settings.api_url(ocean.settings)
        begun = await stripe.checkout(ocean, order.id, cents, currency, f"{amount} io", (base + onward, base + onward))
    await ocean.log.put(rows.BEGUN, [(begun.session, begun.intent, order.id)])
    told = {"order": order.id, "amount": amount, "cost": cents, "currency": currency}
    return {**told, **({"client_secret": begun.client_secret} if app else {"url": begun.url})}


def _id(caller: Caller, owner: str) -> str:
    """An order's id: the same for the same request sent again, so that Stripe too takes it for the same."""
    if not caller.idempotency:
        return str(uuid_utils.uuid7())
    return "once-" + hashlib.sha256(f"{owner}\n{caller.idempotency}".encode()).hexdigest()[:40]


async def _ordered(ocean: Ocean, order: Order) -> Order:
    """The order that stands by that id: this one, or the one that was asked for before. Raises CONFLICT where that was another."""
    found: list[Order] = []
    await ocean.log.transact(rows.there_or_added(order, MAX_A_DAY, now() - _DAY, found))
    if not found:
        raise OceanError("LIMIT_REACHED", f"A key begins at most {MAX_A_DAY} orders a day.", retry_after=3600)
    there = found[0]
    if (there.io, there.cents, there.currency, there.app) != (order.io, order.cents, order.currency, order.app):
        raise OceanError("CONFLICT", "This Idempotency-Key was used for another order.", "Use a new one.")
    if there.created_at < now() - _SAME:
        raise OceanError("CONFLICT", "This order was begun long ago.", "Begin a new one, with another Idempotency-Key.")
    return there


async def orders(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """The caller's orders, newest first."""
    check_page(limit, offset)
    found = [_shown(one) for one in await rows.orders_of(ocean.engine, caller.required(_KEYED), limit, offset)]
    return {"orders": found, "count": len(found)}


def _shown(order: Order) -> dict[str, Any]:
    state = "open" if order.paid_at is None else "refunded" if order.refunded >= order.cents else "paid"
    told = {"order": order.id, "state": state, "amount": show_io(order.io), "cost": order.cents, "currency": order.currency}
    return {**told, "credited": show_io(order.credited), "refunded": order.refunded, "created_at": show_time(order.created_at)}


async def told(ocean: Ocean, body: bytes, signature: str | None) -> dict[str, Any]:
    """An event of Stripe's: what it says of an order is in the ledger when this answers; each event counts once. Raises FORBIDDEN."""
    event = stripe.event(ocean, body, signature)
    news = topups.news_of(event)
    if news is None:
        return {"received": True}
    id_ = f"stripe {event['id']}"

    def course(book: Book) -> Course:
        if (yield Step(READ_ONCE, [(id_,)], reads=True)):
            return {"received": True, "already": True}
        answer = yield from _taken_in(book, news)
        yield Step(ADD_ONCE, [(id_, "", "{}", book.now + _KNOWN)])
        return answer

    answer = dict(await ocean.ledger.append(Move(course)))
    if "said" in answer:
        log.error("event %s of Stripe: %s", event["id"], answer.pop("said"))
    return answer


def _taken_in(book: Book, news: News) -> Course:
    order = yield from rows.order_of(news.order, news.intent)
    if order is None:
        return {"received": True, "said": "no order of ours is of that payment"}
    moved = topups.after(order, news, book.now)
    if moved is None:
        return {"received": True, "said": f"it does not fit the order {order.id}: another sum, or other money"}
    short = yield from _settle(book, moved)
    return {"received": True, **({"said": f"{short} hundredths of a refund of the order {order.id} are spent already"} if short else {})}


def _settle(book: Book, order: Order) -> Any:
    """Moves what the order's owner has for it to what is due; what can't be taken back, since it is spent, is told."""
    yield from book.load(IO, (order.owner, ISSUE))
    about = {"order": order.id}
    credited, short = order.credited, 0
    if order.due > credited:
        yield from book.post(Transfer("topup", IO, ISSUE, order.owner, order.due - credited, about=about))
        credited = order.due
    elif order.due < credited:
        back = min(credited - order.due, book.balance(IO, order.owner))
        if back:
            yield from book.post(Transfer("refund", IO, order.owner, ISSUE, back, about=about))
        credited -= back
        short = credited - order.due
    yield from rows.changed(replace(order, credited=credited))
    return short
