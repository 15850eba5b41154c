"""Money: amounts in whole units (io in hundredths), what a transfer does to each account, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ocean.core.drop import show_io
from ocean.errors import OceanError

IO = "io"
WHOLE = 100  # hundredths of one io
ISSUE = "@issue"  # where money comes from and where burnt money goes: what it is short of is what there is
FEES = "@fees"
HELD = "@held"  # what was paid for what is not done yet
MOST = 2**53 - 1  # of any amount, and of all there is of a value: a number of JSON that every reader keeps exact


@dataclass(frozen=True, slots=True)
class Transfer:
    """`amount` is what the payer gives, `fee` of it goes to `collector`, the rest to the payee. Holders are public keys,
    or the ledger's own."""

    kind: str
    currency: str
    payer: str
    payee: str
    amount: int
    fee: int = 0
    collector: str = FEES
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def net(self) -> int:
        return self.amount - self.fee

    def postings(self) -> dict[str, int]:
        """What each holder's account moves by: together nothing."""
        moved: dict[str, int] = {}
        for holder, by in ((self.payer, -self.amount), (self.payee, self.net), (self.collector, self.fee)):
            moved[holder] = moved.get(holder, 0) + by
        return {holder: by for holder, by in moved.items() if by or holder in (self.payer, self.payee)}


def account_of(currency: str, holder: str) -> str:
    return f"{currency} {holder}"


def settled(transfer: Transfer, balances: Mapping[str, int]) -> dict[str, int]:
    """The balances, by holder, that a transfer leaves. Raises where the payer has too little, and what is no transfer at all."""
    if not 0 < transfer.amount <= MOST or not 0 <= transfer.fee <= transfer.amount:
        raise OceanError("INVALID_VALUE", f"{transfer.amount} is not an amount to move.")
    if transfer.payer == transfer.payee:
        raise OceanError("INVALID_VALUE", "Nothing can be sent to the key that sends it.")
    left: dict[str, int] = {}
    for holder, by in transfer.postings().items():
        left[holder] = balances[holder] + by
        if left[holder] < 0 and by < 0 and holder != ISSUE:
            raise _short(transfer, balances[holder])
        if left[holder] > MOST:
            raise OceanError("INVALID_VALUE", "An account can't hold that much.")
    return left


def _short(transfer: Transfer, there: int) -> OceanError:
    if transfer.currency == IO:
        says = f"There are {show_io(there)} io, and {show_io(transfer.amount)} are wanted."
        return OceanError("RATE_LIMITED", says, "Be sent some, or buy some: POST /io/topup.")
    return OceanError("INSUFFICIENT_BALANCE", f"There are {there} of {transfer.currency!r}, and {transfer.amount} are wanted.")


def io_fee(amount: int, basis_points: int) -> int:
    """What the house takes of an amount of io: 1% (100) of any whole number is exact, of parts it is rounded down."""
    return amount * basis_points // 10_000


def value_fee(amount: int, per_thousand: int) -> int:
    """What a sender pays on top of an amount of a value: a thousandth of it, rounded up."""
    return -(-amount * per_thousand // 1000)


def whole(amount: Any, of: str, most: int = MOST) -> int:
    """A whole number above nothing. Raises INVALID_VALUE for all else: parts, text, true, what is too large."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= most:
        raise OceanError("INVALID_VALUE", f"{str(amount)[:40]!r} is not an amount of {of[:40]!r}.", "A whole number above 0.")
    return amount


def whole_io(amount: Any) -> int:
    """A whole number of io in hundredths. Raises INVALID_VALUE."""
    return whole(amount, IO, MOST // WHOLE) * WHOLE


def read_io(text: str) -> int:
    """Hundredths of a number of io that is written out, with at most two decimals; nothing is one. Raises INVALID_VALUE."""
    found = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", text)
    if found is None:
        raise OceanError("INVALID_VALUE", f"{text[:40]!r} is not a number of io.", "With at most two decimals, such as 5 or 0.25.")
    return int(found[1]) * WHOLE + int((found[2] or "").ljust(2, "0"))


def price_of(amount: Any, name: str = "price") -> int:
    """A price in hundredths of an io. Raises INVALID_VALUE."""
    sound = isinstance(amount, int | float) and not isinstance(amount, bool) and 0 < amount <= 10**10
    hundredths = round(amount * WHOLE) if sound else 0
    if hundredths <= 0 or abs(hundredths - amount * WHOLE) > 1e-6:
        raise OceanError("INVALID_VALUE", f"{str(amount)[:40]} is not a {name}.", "A price is positive, with at most two decimals.")
    return hundredths
