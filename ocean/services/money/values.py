"""Values: made, minted, transferred, burnt, and looked at."""

from __future__ import annotations

from typing import Any, NamedTuple

from ocean.context import Caller, Ocean
from ocean.core import keys, money
from ocean.core import values as rules
from ocean.core.accounts import is_address, is_public_id
from ocean.core.drop import show_time
from ocean.core.money import FEES, ISSUE, Transfer
from ocean.core.values import PUBLIC, Value
from ocean.errors import OceanError
from ocean.services.access import people
from ocean.services.data.writing import move
from ocean.services.money.credits import check_page, fees_of, named
from ocean.store import ledger, values
from ocean.store.ledger import Book, Course, Line
from ocean.store.reader import now

_KEYED = "Values belong to keys."
MAX_MADE = 1000  # by one key


async def create(
    ocean: Ocean, caller: Caller, *, id: str, name: str, symbol: str, scope: str = PUBLIC, max_supply: int | None = None, decimals: int = 0
) -> dict[str, Any]:
    """Makes a value; what there is of it, its creator mints. As long as nothing was minted they can make it anew.

    Raises INVALID_VALUE, CONFLICT where its id or symbol is another's.
    """
    creator = caller.required(_KEYED)
    ocean.paces.made.spend_each(caller.holders)
    made = rules.check(Value(id, name, symbol, creator, scope, max_supply, decimals, now()))

    def course(book: Book) -> Course:
        for other in (yield from values.like(made)):
            if other.id != made.id or other.creator != creator or book.has_moved(made.id) or (yield from values.moved(made.id)):
                name = made.id if other.id == made.id else made.symbol
                raise OceanError("CONFLICT", f"There is a value called {name!r} already.", "Choose another id and symbol.")
        if (yield from values.count_of(creator)) >= MAX_MADE:
            raise OceanError("LIMIT_REACHED", f"A key makes at most {MAX_MADE} values.")
        yield from values.put(made)
        return {"ok": True, **_shown(made), "supply": 0}

    return await move(ocean, caller, course)


async def mint(ocean: Ocean, caller: Caller, *, currency: str, amount: Any, to: str | None = None) -> dict[str, Any]:
    """The creator's: makes more of a value, for themselves or for another. Raises FORBIDDEN, LIMIT_REACHED beyond max_supply."""
    who = caller.required(_KEYED)
    units = money.whole(amount, currency)
    receiver = await _receiver(ocean, caller, to) if to is not None else Receiver(who, who, {})

    def course(book: Book) -> Course:
        value = _there((yield from values.found(currency)), currency)
        yield from book.load(value.id, (ISSUE, receiver.key))
        rules.check_minter(value, who, units, book.supply(value.id))
        yield from book.post(Transfer("mint", value.id, ISSUE, receiver.key, units))
        told = {"ok": True, "currency": value.id, "minted": units, "to": receiver.called}
        return {**told, "supply": book.supply(value.id), **receiver.warning}

    return await move(ocean, caller, course)


async def transfer(ocean: Ocean, caller: Caller, *, currency: str, amount: Any, to: str) -> dict[str, Any]:
    """Sends an amount of a value: the receiver gets all of it, the sender pays the fee on top.

    Raises INSUFFICIENT_BALANCE, FORBIDDEN where the value is private and the receiver holds none, NOT_FOUND, INVALID_VALUE.
    """
    sender = caller.required(_KEYED)
    units = money.whole(amount, currency)
    ocean.paces.sends.spend(sender)
    receiver = await _receiver(ocean, caller, to)
    fee, collector = money.value_fee(units, int(ocean.settings["OCEAN_VALUE_FEE"])), fees_of(ocean)[1]

    def course(book: Book) -> Course:
        value = _there((yield from values.found(currency)), currency)
        yield from book.load(value.id, (receiver.key,))
        rules.check_receiver(value, receiver.key, book.balance(value.id, receiver.key) > 0)
        posted = yield from book.post(Transfer("transfer", value.id, sender, receiver.key, units + fee, fee, collector))
        told = {"ok": True, "currency": value.id, "transferred": units, "to": receiver.called, "fee": fee, "paid": units + fee}
        return {**told, "balance": posted.left, "txn_id": posted.txn_id, **receiver.warning}

    return await move(ocean, caller, course)


async def burn(ocean: Ocean, caller: Caller, *, currency: str, amount: Any) -> dict[str, Any]:
    """Takes an amount of the caller's own out of the world. Raises INSUFFICIENT_BALANCE."""
    who = caller.required(_KEYED)
    units = money.whole(amount, currency)

    def course(book: Book) -> Course:
        value = _there((yield from values.found(currency)), currency)
        yield from book.load(value.id, (ISSUE,))
        posted = yield from book.post(Transfer("burn", value.id, who, ISSUE, units))
        return {"ok": True, "currency": value.id, "burned": units, "balance": posted.left, "supply": book.supply(value.id)}

    return await move(ocean, caller, course)


async def balance(ocean: Ocean, caller: Caller, *, currency: str, holder: str | None = None) -> dict[str, Any]:
    """What somebody has of a value: the caller, if nobody is named."""
    value = await _value(ocean, currency)
    if holder is not None and is_address(holder):
        raise OceanError("INVALID_VALUE", "What others have is not looked up by their addresses.", "By @handle, public_id or key.")
    who = caller.required(_KEYED) if holder is None else await _holder(ocean, caller, holder)
    amount = await ledger.balance_of(ocean.engine, value.id, who)
    return {"currency": value.id, "holder": holder or who, "balance": amount, "decimals": value.decimals}


async def supply(ocean: Ocean, caller: Caller, *, currency: str) -> dict[str, Any]:
    """How much there is of a value, and may be."""
    value = await _value(ocean, currency)
    return {"currency": value.id, "supply": await _supply(ocean, value), "max_supply": value.max_supply}


async def currency(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """A value, with what there is of it."""
    value = await _value(ocean, id)
    return {**_shown(value), "supply": await _supply(ocean, value)}


async def currencies(
    ocean: Ocean, caller: Caller, *, creator: str | None = None, limit: int = 100, offset: int = 0
) -> dict[str, Any]:  # fmt: skip
    """All values, or one creator's, the oldest first."""
    check_page(limit, offset)
    if creator is not None and (is_address(creator) or is_public_id(creator)):
        raise OceanError("INVALID_VALUE", "Creators are looked up by @handle or key: theirs is told to all.")
    maker = await _holder(ocean, caller, creator) if creator is not None else None
    found = [_shown(one) for one in await values.made_by(ocean.engine, maker, limit, offset)]
    return {"currencies": found, "count": len(found)}


async def holders(ocean: Ocean, caller: Caller, *, currency: str, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """Who has a value, those with most first."""
    check_page(limit, offset)
    value = await _value(ocean, currency)
    held = await ledger.holders_of(ocean.engine, value.id, limit, offset)
    called = {**await people.named(ocean, [who for who, _ in held]), FEES: "fees"}
    found = [{"holder": called[who], "balance": amount} for who, amount in held]
    return {"currency": value.id, "holders": found, "count": len(found)}


async def lines(ocean: Ocean, caller: Caller, *, id: str, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """All that was done with a value, newest first. It is public, as its holders are."""
    check_page(limit, offset)
    value = await _value(ocean, id)
    found = await ledger.lines_in(ocean.engine, value.id, limit, offset)
    called = await named(ocean, found)
    return {"currency": value.id, "entries": [_line(line, called) for line in found], "count": len(found)}


def _line(line: Line, called: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {"type": line.kind, "amount": line.amount - line.fee, "fee": line.fee}
    if line.payer != ISSUE:
        told["from"] = called[line.payer]
    if line.payee != ISSUE:
        told["to"] = called[line.payee]
    return {**told, "txn_id": line.txn_id, "created_at": show_time(line.created_at)}


async def _value(ocean: Ocean, id_: str) -> Value:
    return _there(await values.value(ocean.engine, id_), id_)


def _there(found: Value | None, id_: str) -> Value:
    if found is None:
        raise OceanError("NOT_FOUND", f"There is no value {id_[:60]!r}.", "value currencies lists them all.")
    return found


async def _supply(ocean: Ocean, value: Value) -> int:
    return -await ledger.balance_of(ocean.engine, value.id, ISSUE)


class Receiver(NamedTuple):
    """Who gets it, what others call them, and what is said to the sender of a name that is nobody's key."""

    key: str
    called: str
    warning: dict[str, str]


async def _receiver(ocean: Ocean, caller: Caller, to: str) -> Receiver:
    """A name that is nobody's key yet holds what it is sent, and nobody can move it: that is said."""
    who = await _holder(ocean, caller, to)
    called = (await people.named(ocean, [who]))[who]
    if keys.is_public(who):
        return Receiver(who, called, {})
    return Receiver(who, called, {"warning": f"{who!r} is no public key (43 characters): nobody can move what is sent to it."})


async def _holder(ocean: Ocean, caller: Caller, text: str) -> str:
    if rules.is_name(text) and len(text) < 40 and not text.startswith((keys.SECRET_PREFIX, keys.SCOPED_PREFIX)):
        try:
            return await people.find(ocean, text, caller)
        except OceanError as fault:
            if fault.code == "NOT_FOUND":  # it has the form of a public_id, and is none
                raise
            return text
    return await people.find(ocean, text, caller)


def _shown(value: Value) -> dict[str, Any]:
    return {
        "id": value.id, "name": value.name, "symbol": value.symbol, "creator": value.creator, "scope": value.scope,
        "max_supply": value.max_supply, "decimals": value.decimals, "created_at": show_time(value.created_at),
    }  # fmt: skip
