"""Priced records: bought, read by the piece, refunded, and what they earned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import money
from ocean.core.access import Scoped
from ocean.core.addresses import address_of_record
from ocean.core.drop import Drop, show_io, show_time
from ocean.core.money import IO, Transfer, account_of
from ocean.errors import OceanError
from ocean.services.access.reading import gated, may_see, stub
from ocean.services.data.writing import move
from ocean.services.money.credits import check_page, fees_of
from ocean.services.pages.places import url_of
from ocean.store import purchases
from ocean.store.ledger import Book, Course
from ocean.store.purchases import Offer, Purchase
from ocean.store.reader import now

_KEYED = "What is bought and sold is a key's."
_SPENDS = "A reading is paid for by a key."
_GONE = "Read the record again: its stub has the drop_id."


async def purchase(ocean: Ocean, caller: Caller, *, drop_id: str) -> dict[str, Any]:
    """Buys a record, with all its versions, for what the drop that was seen costs.

    Raises NOT_FOUND, RATE_LIMITED where there is too little io, CONFLICT where the record costs something else by now.
    """
    buyer = caller.required(_KEYED)
    ocean.paces.sends.spend(buyer)
    drop = await _seen(ocean, caller, drop_id)
    if drop.owner == buyer:
        raise OceanError("INVALID_VALUE", "This record is your own: it costs you nothing.")
    points, collector = fees_of(ocean)

    def course(book: Book) -> Course:
        offered = yield from purchases.offered(drop)
        if offered is not None and offered.owner == drop.owner and (yield from purchases.held(buyer, drop)):
            return {**_told(drop), "price": show_io(offered.price.once or 0), "already": True}
        amount = _amount(offered, drop)
        transfer = Transfer("transfer", IO, buyer, drop.owner, amount, money.io_fee(amount, points), collector, _about(drop))
        posted = yield from book.post(transfer)
        yield from purchases.added(drop, transfer, posted)
        return {**_told(drop), "price": show_io(amount), "remaining": show_io(posted.left), "txn_id": posted.txn_id}

    return await move(ocean, caller, course)


async def offer(ocean: Ocean, caller: Caller, *, drop_id: str) -> dict[str, Any]:
    """What a priced record costs, what is shown of it before, whether the caller may read it by now, and where its page is."""
    drop = await _seen(ocean, caller, drop_id)
    if drop.key is not None:  # as it is now: that is what is bought
        drop = await _there(ocean, caller, await ocean.reader.entity(drop.route, drop.key), drop_id)
    told = {name: value for name, value in stub(drop).items() if name != "_gated"}
    page = {"url": await url_of(ocean, drop.route, address_of_record(drop.route, drop.key))} if drop.key is not None else {}
    return {**told, "bought": not await gated(ocean, caller, drop), **page}


async def _seen(ocean: Ocean, caller: Caller, drop_id: str) -> Drop:
    """The drop of an id, where it is there and the caller may know of it. Raises NOT_FOUND."""
    return await _there(ocean, caller, await ocean.reader.drop(drop_id), drop_id)


async def _there(ocean: Ocean, caller: Caller, drop: Drop | None, drop_id: str) -> Drop:
    if drop is None or not drop.live(now()) or not may_see(caller, drop, "entity", await ocean.reader.rules(drop.route)):
        raise OceanError("NOT_FOUND", f"There is nothing to buy at {drop_id[:60]!r}.", _GONE)
    return drop


def _amount(offer: Offer | None, drop: Drop) -> int:
    """What the record costs. Raises NOT_FOUND, CONFLICT."""
    if offer is None or offer.owner != drop.owner:
        raise OceanError("NOT_FOUND", f"There is nothing to buy at {drop.drop_id!r}: the record is gone.", _GONE)
    price = offer.price
    if price.once is None and price.read is None:
        raise OceanError("CONFLICT", "The record costs nothing.", "Read it.")
    if price.once is None:
        hint = f"GET /entity/{drop.route}?key=... with X-Ocean-Budget: {show_io(price.read or 0)}"
        raise OceanError("CONFLICT", "The record is sold by the reading.", hint)
    if price.once != drop.price.once:
        raise OceanError("CONFLICT", f"The record costs {show_io(price.once)} io by now.", f"POST /purchase/{offer.drop_id}")
    return price.once


def _told(drop: Drop) -> dict[str, Any]:
    return {"ok": True, **_about(drop)}


def _about(one: Drop | Purchase) -> dict[str, Any]:
    """Which record it is."""
    return {"drop_id": one.drop_id, "route": one.route, **({"key": one.key} if one.key is not None else {})}


async def read_or_pay(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    """Whether the caller may have the record now: it is free for them, or is paid for here, within what the request may spend on readings.

    A request pays once for a record, however often it is named in the answer.
    """
    if not await gated(ocean, caller, drop):
        return True
    amount, budget = drop.price.read, caller.budget
    if amount is None or budget is None or caller.key is None or isinstance(caller.key, Scoped):
        return False
    async with budget.turn:  # one after another: nothing is shown before it is paid
        if drop.item in budget.paid:
            return True
        if amount > budget.left or not await _pay(ocean, caller, drop, amount):
            return False
        budget.left -= amount
        budget.paid.add(drop.item)
        return True


async def _pay(ocean: Ocean, caller: Caller, drop: Drop, amount: int) -> bool:
    """False where there is too little io. The same request sent again (Idempotency-Key) pays no second time."""
    points, collector = fees_of(ocean)
    transfer = Transfer("read", IO, caller.required(_SPENDS), drop.owner, amount, money.io_fee(amount, points), collector, _about(drop))

    def course(book: Book) -> Course:
        posted = yield from book.post(transfer)
        return {"left": posted.left}

    own = replace(caller, idempotency=f"{caller.idempotency} {drop.drop_id} {amount}") if caller.idempotency else caller
    try:
        await move(ocean, own, course)
    except OceanError as fault:
        if fault.code != "RATE_LIMITED":
            raise
        return False
    return True


async def refund(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """The seller's: gives the whole price back, the fee from where it went, and the record is priced for that buyer again.

    Raises NOT_FOUND, RATE_LIMITED where the seller has too little, CONFLICT where the fee is not there any more.
    """
    seller = caller.required(_KEYED)

    def course(book: Book) -> Course:
        sale = yield from purchases.found(id)
        if sale is None or sale.seller != seller:
            raise OceanError("NOT_FOUND", f"There is no sale {id[:60]!r} of this key.", "earnings lists them.")
        told = {"ok": True, "id": id, "refunded": show_io(sale.amount)}
        if sale.refunded_at is not None:
            return {**told, "already": True}
        yield from book.load(IO, (seller, sale.collector))
        if sale.collector not in (seller, sale.buyer) and book.balance(IO, sale.collector) < sale.fee:
            raise OceanError("CONFLICT", "The fee can't be given back: who took it has spent it.", "The operator can put it back.")
        about = {"refund": id, **_about(sale)}
        for payer, amount in ((seller, sale.amount - sale.fee), (sale.collector, sale.fee)):
            if amount and payer != sale.buyer:
                yield from book.post(Transfer("refund", IO, payer, sale.buyer, amount, about=about))
        yield from purchases.refunded(id, book.now)
        return told

    return await move(ocean, caller, course)


async def earnings(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """What the caller's records and functions earned, those that were refunded left out; and each sale, newest first."""
    seller = caller.required(_KEYED)
    check_page(limit, offset)
    sold, read, run = await purchases.totals(ocean.engine, seller, account_of(IO, seller))
    gross, fees = sold[1] + read[1] + run[1], sold[2] + read[2] + run[2]
    sales = [_sale(one) for one in await purchases.of_side(ocean.engine, "seller", seller, limit, offset)]
    told = {"sales": sales, "sold": sold[0], "reads": read[0], "runs": run[0]}
    return {**told, "gross": show_io(gross), "fees": show_io(fees), "net": show_io(gross - fees)}


async def bought(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """What the caller has bought, newest first."""
    check_page(limit, offset)
    found = [_sale(one) for one in await purchases.of_side(ocean.engine, "buyer", caller.required(_KEYED), limit, offset)]
    return {"purchases": found, "count": len(found)}


def _sale(one: Purchase) -> dict[str, Any]:
    told: dict[str, Any] = {"id": one.id, **_about(one)}
    told |= {"price": show_io(one.amount), "fee": show_io(one.fee), "net": show_io(one.amount - one.fee)}
    told["created_at"] = show_time(one.created_at)
    return told if one.refunded_at is None else {**told, "refunded_at": show_time(one.refunded_at)}
