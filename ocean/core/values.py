"""Values: currencies that anyone makes. What one may be called, and who may mint, hold and be sent it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ocean.core.money import IO, MOST
from ocean.errors import OceanError

PUBLIC, PRIVATE = "public", "private"
MAX_DECIMALS = 18
_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_SYMBOL = re.compile(r"[A-Z0-9]{1,10}")
_HOLDER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Value:
    """A currency; amounts of it are whole numbers of its smallest unit, 10 to the minus `decimals`."""

    id: str
    name: str
    symbol: str
    creator: str
    scope: str
    max_supply: int | None
    decimals: int
    created_at: int


def check(value: Value) -> Value:
    """Raises INVALID_VALUE, CONFLICT."""
    if not _ID.fullmatch(value.id):
        raise OceanError("INVALID_VALUE", f"{value.id[:60]!r} can't be a value's id.", "1 to 32 of a-z, 0-9, - and _.")
    if value.id == IO or value.symbol == IO.upper():
        raise OceanError("CONFLICT", "io is the platform's own.", "Choose another id and symbol.")
    if not value.name.strip() or len(value.name) > 60 or not value.name.isprintable():
        raise OceanError("INVALID_VALUE", "A value's name is a line of at most 60 characters.")
    if not _SYMBOL.fullmatch(value.symbol):
        raise OceanError("INVALID_VALUE", f"{value.symbol[:40]!r} can't be a symbol.", "1 to 10 of A-Z and 0-9.")
    if value.scope not in (PUBLIC, PRIVATE):
        raise OceanError("INVALID_VALUE", f"There is no scope {value.scope[:40]!r}.", "public, or private.")
    if not 0 <= value.decimals <= MAX_DECIMALS:
        raise OceanError("INVALID_VALUE", f"'decimals' is 0 to {MAX_DECIMALS}.")
    if value.max_supply is not None and not 0 < value.max_supply <= MOST:
        raise OceanError("INVALID_VALUE", f"'max_supply' is a whole number above 0, {MOST} at most.")
    return value


def check_minter(value: Value, who: str, amount: int, supply: int) -> None:
    """Raises FORBIDDEN, LIMIT_REACHED."""
    if who != value.creator:
        raise OceanError("FORBIDDEN", f"Only the creator of {value.id!r} mints it.")
    most = value.max_supply if value.max_supply is not None else MOST
    if supply + amount > most:
        raise OceanError("LIMIT_REACHED", f"There are {supply} of {value.id!r}, and there may be {most}.", f"At most {most - supply} more.")


def check_receiver(value: Value, receiver: str, holds: bool) -> None:
    """A private value is sent to its creator and to those who hold it. Raises FORBIDDEN."""
    if value.scope == PRIVATE and receiver != value.creator and not holds:
        raise OceanError(
            "FORBIDDEN", f"{value.id!r} is private: only who holds it can be sent more.", "Its creator can mint to new holders."
        )


def is_name(text: str) -> bool:
    """Whether a recipient who is no key may be called so."""
    return _HOLDER.fullmatch(text) is not None
