"""io: sent, granted, and what the ledger says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import money
from ocean.core.drop import show_io, show_time
from ocean.core.money import FEES, HELD, IO, ISSUE, Transfer
from ocean.errors import OceanError
from ocean.services.access import people
from ocean.services.data.writing import move
from ocean.store import ledger
from ocean.store.ledger import Book, Course, Line, Move

_KEYED = "io belongs to a key."
MAX_LINES, MAX_OFFSET = 1000, 100_000
_OWN = {ISSUE: "issue", FEES: "fees", HELD: "held"}


def fees_of(ocean: Ocean) -> tuple[int, str]:
    """What the house takes, in hundredths of a percent, and the account that it goes to."""
    return settings.basis_points(ocean.settings), ocean.settings["OCEAN_FEES_TO"] or FEES


async def send(ocean: Ocean, caller: Caller, *, to: str, amount: Any) -> dict[str, Any]:
    """Sends a whole number of io; the fee is a part of it. Raises RATE_LIMITED where there is too little, NOT_FOUND, INVALID_VALUE."""
    sender, hundredths = caller.required(_KEYED), money.whole_io(amount)
    ocean.paces.sends.spend(sender)
    receiver = await people.find(ocean, to, caller)
    points, collector = fees_of(ocean)
    transfer = Transfer("transfer", IO, sender, receiver, hundredths, money.io_fee(hundredths, points), collector)
    called = people.told(receiver, (await people.named(ocean, [receiver]))[receiver])

    def course(book: Book) -> Course:
        posted = yield from book.post(transfer)
        return {
            "ok": True, "sent": show_io(hundredths), "to": called, "fee": show_io(transfer.fee), "net": show_io(transfer.net),
            "remaining": show_io(posted.left), "txn_id": posted.txn_id,
        }  # fmt: skip

    return await move(ocean, caller, course)


async def balance(ocean: Ocean, key: str) -> float | int:
    """What a key has, in io."""
    return show_io(await ledger.balance_of(ocean.engine, IO, key))


async def grant(ocean: Ocean, key: str, amount: Any) -> dict[str, Any]:
    """The operator's: gives a key io that nobody had before."""
    receiver, hundredths = await people.find(ocean, key), money.whole_io(amount)

    def course(book: Book) -> Course:
        posted = yield from book.post(Transfer("grant", IO, ISSUE, receiver, hundredths))
        return {"ok": True, "granted": show_io(hundredths), "to": receiver, "txn_id": posted.txn_id}

    return dict(await ocean.ledger.append(Move(course)))


async def lines(ocean: Ocean, caller: Caller, *, limit: int = 100, offset: int = 0) -> dict[str, Any]:
    """What the caller gave and got, newest first."""
    key = caller.required(_KEYED)
    check_page(limit, offset)
    found = await ledger.lines_of(ocean.engine, IO, key, limit, offset)
    called = await named(ocean, found)
    return {"entries": [_shown(line, key, called) for line in found], "count": len(found)}


async def named(ocean: Ocean, found: Sequence[Line]) -> dict[str, str]:
    """What those are called who stand in some lines."""
    return {**await people.named(ocean, {holder for line in found for holder in (line.payer, line.payee)} - _OWN.keys()), **_OWN}


def check_page(limit: int, offset: int) -> None:
    """Raises INVALID_VALUE."""
    if not 0 < limit <= MAX_LINES or not 0 <= offset <= MAX_OFFSET:
        raise OceanError("INVALID_VALUE", f"limit is 1 to {MAX_LINES}, offset 0 to {MAX_OFFSET}.")


def _shown(line: Line, key: str, called: dict[str, str]) -> dict[str, Any]:
    """A line as its one side sees it: what the other has left is theirs to know."""
    told: dict[str, Any]
    if key not in (line.payer, line.payee):  # it took the fee: what that was for is the business of those two
        told = {"type": "fee", "amount": show_io(line.fee), "from": "fees", "to": "you", "fee": 0, "net": show_io(line.fee)}
        return {**told, "to_bal": show_io(line.balance), "txn_id": line.txn_id, "created_at": show_time(line.created_at)}
    kind = "transfer" if line.kind == "read" else line.kind
    told = {"type": kind, "amount": show_io(line.amount)}
    told |= {"from": "you" if line.payer == key else called[line.payer], "to": "you" if line.payee == key else called[line.payee]}
    told |= {"fee": show_io(line.fee), "net": show_io(line.amount - line.fee)}
    if line.payer == key:
        told["from_bal"] = show_io(line.payer_balance)
    if line.payee == key:
        told["to_bal"] = show_io(line.payee_balance)
    about = orjson.loads(line.about)
    return {**told, "txn_id": line.txn_id, "created_at": show_time(line.created_at), **({"about": about} if about else {})}
