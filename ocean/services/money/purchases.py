"""Priced records: bought, read by the piece, refunded, and what they earned."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import money
from ocean.core.addresses import address_of_record
from ocean.core.drop import Drop, show_io, show_time
from ocean.core.money import IO, Transfer, account_of
from ocean.errors import OceanError
from ocean.services.access.reading import gated, may_see, stub
from ocean.services.data.writing import move
from ocean.services.money.credits import check_page, fees_of
from ocean.services.pages.places import url_of
from ocean.store import purchases
from ocean.store.ledger import Book, Course, Move
from ocean.store.purchases import Offer, Purchase
from ocean.store.reader import now

_KEYED = "What is bought is a key's."
_GONE = "Read the record again: its stub has the drop_id."


async def purchase(ocean: Ocean, caller: Caller, *, drop_id: str) -> dict[str, Any]:
    """Buys a record, with all its versions, for what the drop that was seen costs.

    Raises NOT_FOUND, RATE_LIMITED where there is too little io, CONFLICT where the record costs something else by now.
    """
    buyer = caller.required(_KEYED)
    ocean.paces.sends.spend(buyer)
    drop = await _buyable(ocean, caller, drop_id)
    points, collector = fees_of(ocean)

    def course(book: Book) -> Course:
        amount = _amount((yield from purchases.offered(drop)), drop)
        if (yield from purchases.held(buyer, drop)):
            return {**_told(drop), "price": show_io(amount), "already": True}
        transfer = Transfer("transfer", IO, buyer, drop.owner, amount, money.io_fee(amount, points), collector, _about(drop))
        posted = yield from book.post(transfer)
        yield from purchases.added(buyer, drop, posted, amount, transfer.fee)
        return {**_told(drop), "price": show_io(amount), "remaining": show_io(posted.left), "txn_id": posted.txn_id}

    return await move(ocean, caller, course)


async def offer(ocean: Ocean, caller: Caller, *, drop_id: str) -> dict[str, Any]:
    """What a priced record costs, what is shown of it before, whether the caller may read it by now, and where its page is."""
    drop = await ocean.reader.drop(drop_id)
    if drop is None or not drop.live(now()) or not may_see(caller, drop, "entity", await ocean.reader.rules(drop.route)):
        raise OceanError("NOT_FOUND", f"There is nothing to buy at {drop_id[:60]!r}.", _GONE)
    if drop.key is not None:
        drop = await ocean.reader.entity(drop.route, drop.key) or drop
    told = {name: value for name, value in stub(drop).items() if name != "_gated"}
    page = {"url": await url_of(ocean, drop.route, address_of_record(drop.route, drop.key))} if drop.key is not None else {}
    return {**told, "bought": not await gated(ocean, caller, drop), **page}


async def _buyable(ocean: Ocean, caller: Caller, drop_id: str) -> Drop:
    """The drop that a buyer has seen, of a record that is there for them. Raises NOT_FOUND, INVALID_VALUE."""
    drop = await ocean.reader.drop(drop_id)
    if drop is None or not drop.live(now()) or not may_see(caller, drop, "entity", await ocean.reader.rules(drop.route)):
        raise OceanError("NOT_FOUND", f"There is nothing to buy at {drop_id[:60]!r}.", _GONE)
    if drop.owner == caller.key:
        raise OceanError("INVALID_VALUE", "This record is your own: it costs you nothing.")
    return drop


def _amount(offer: Offer | None, drop: Drop) -> int:
    """What the record costs. Raises NOT_FOUND, CONFLICT."""
    if offer is None or offer.owner != drop.owner:
        raise OceanError("NOT_FOUND", f"There is nothing to buy at {drop.drop_id!r}: the record is gone.", _GONE)
    if offer.price.once is None:
        if offer.price.read is None:
            raise OceanError("CONFLICT", "The record costs nothing.", "Read it.")
        raise OceanError("CONFLICT", "The record is sold by the reading.", "Say what a request may spend: X-Ocean-Budget: 5")
    if offer.price.once != drop.price.once:
        raise OceanError("CONFLICT", f"The record costs {show_io(offer.price.once)} io by now.", f"POST /purchase/{offer.drop_id}")
    return offer.price.once


def _told(drop: Drop) -> dict[str, Any]:
    return {"ok": True, **_about(drop)}


def _about(drop: Drop) -> dict[str, Any]:
    return {"drop_id": drop.drop_id, "route": drop.route, **({"key": drop.key} if drop.key is not None else {})}


async def may_read(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    """Whether the caller may have the record now: it is free for them, or is paid for by the reading, within what the request may spend.

    A request pays once for a record, however often it is named in the answer.
    """
    if not await gated(ocean, caller, drop):
        return True
    amount, budget = drop.price.read, caller.budget
    if amount is None or budget is None or caller.key is None:
        return False
    if drop.item in budget.paid:
        return True
    if not budget.allows(amount):
        return False
    points, collector = fees_of(ocean)
    transfer = Transfer("read", IO, caller.required(_KEYED), drop.owner, amount, money.io_fee(amount, points), collector, _about(drop))

    def course(book: Book) -> Course:
        posted = yield from book.post(transfer)
        return {"left": posted.left}

    budget.spend(drop.item, amount)  # before it is waited for: what is read side by side is paid once
    try:
        await ocean.ledger.append(Move(course))
    except OceanError as fault:
        if fault.code != "RATE_LIMITED":
            raise
        budget.paid.discard(drop.item)
        return False
    return True


async def refund(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """The seller's: gives the whole price back, the fee too, and the record is priced for that buyer again.

    Raises NOT_FOUND, RATE_LIMITED where the seller has too little.
    """
    seller = caller.required(_KEYED)
    collector = fees_of(ocean)[1]

    def course(book: Book) -> Course:
        sale = yield from purchases.found(id)
        if sale is None or sale.seller != seller:
            raise OceanError("NOT_FOUND", f"There is no sale {id[:60]!r} of this key.", "earnings lists them.")
        told = {"ok": True, "id": id, "refunded": show_io(sale.amount)}
        if sale.refunded_at is not None:
            return {**told, "already": True}
        about = {"refund": id, "drop_id": sale.drop_id, "route": sale.route, **({"key": sale.key} if sale.key is not None else {})}
        for payer, amount in ((seller, sale.amount - sale.fee), (collector, sale.fee)):
            if amount and payer != sale.buyer:
                yield from book.post(Transfer("refund", IO, payer, sale.buyer, amount, about=about))
        yield from purchases.refunded(id, book.now)
        return told

    return await move(ocean, caller, course)


async def earnings(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """What the caller's records earned, those that were refunded left out; and each sale, newest first."""
    seller = caller.required(_KEYED)
    check_page(limit, offset)
    sold, read = await purchases.totals(ocean.engine, seller, account_of(IO, seller))
    gross, fees = sold[1] + read[1], sold[2] + read[2]
    sales = [_sale(one) for one in await purchases.of_side(ocean.engine, "seller", seller, limit, offset)]
    told = {"sales": sales, "sold": sold[0], "reads": read[0]}
    return {**told, "gross": show_io(gross), "fees": show_io(fees), "net": show_io(gross - fees)}


async def bought(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """What the caller has bought, newest first."""
    check_page(limit, offset)
    found = [_sale(one) for one in await purchases.of_side(ocean.engine, "buyer", caller.required(_KEYED), limit, offset)]
    return {"purchases": found, "count": len(found)}


def _sale(one: Purchase) -> dict[str, Any]:
    told: dict[str, Any] = {"id": one.id, "route": one.route, **({"key": one.key} if one.key is not None else {}), "drop_id": one.drop_id}
    told |= {"price": show_io(one.amount), "fee": show_io(one.fee), "net": show_io(one.amount - one.fee)}
    told["created_at"] = show_time(one.created_at)
    return told if one.refunded_at is None else {**told, "refunded_at": show_time(one.refunded_at)}
