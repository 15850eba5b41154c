"""The one ledger: what is moved is decided under its lock, with the balances at hand, and whoever waits shares a commit.

Double entry: a transfer's postings come to nothing together, rows are only ever added, and a balance is the sum of its postings.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import uuid_utils

from ocean.core.drop import show_io
from ocean.core.money import FEES, IO, ISSUE, Transfer, account_of, settled
from ocean.core.payloads import dumps
from ocean.errors import OceanError
from ocean.store.engine import Engine, Row, Step, Steps
from ocean.store.sharing import Bounds, Commits

_READ_BOOK = "SELECT seq FROM book WHERE id = 1"
_MOVE_BOOK = "UPDATE book SET seq = ? WHERE id = 1"
_READ_BALANCE = "SELECT account, amount FROM balance WHERE account = ?"
_PUT_BALANCE = (
    "INSERT INTO balance (account, currency, holder, amount) VALUES (?,?,?,?) ON CONFLICT (account) DO UPDATE SET amount = excluded.amount"
)
_TRANSFER = "seq, txn_id, currency, kind, payer, payee, amount, fee, about, created_at"
_ADD_TRANSFER = f"INSERT INTO transfer ({_TRANSFER}) VALUES (?,?,?,?,?,?,?,?,?,?)"
_ADD_POSTING = "INSERT INTO posting (id, account, seq, amount, balance) VALUES (?,?,?,?,?)"

Answer = dict[str, Any]
Course = Generator[Step, list[Row], Answer]  # as `Steps`, and gives an answer


class Posted(NamedTuple):
    """A transfer that stands in the ledger once the batch commits."""

    txn_id: str
    created_at: int
    left: int  # to the payer


class Book:
    """The accounts as a batch of moves finds them, and what it leaves."""

    def __init__(self, seq: int) -> None:
        self.now = int(time.time() * 1000)
        self._seq = self._before = seq
        self._kept = (seq, 0, 0)
        self._balances: dict[str, int] = {}
        self._moved: dict[str, tuple[str, str]] = {}
        self._transfers: list[tuple[Any, ...]] = []
        self._postings: list[tuple[Any, ...]] = []
        self._undo: list[tuple[str, int]] = []

    def begin(self) -> None:
        """A move begins: what it posts can be taken back."""
        self._undo.clear()
        self._kept = (self._seq, len(self._transfers), len(self._postings))

    def take_back(self) -> None:
        """The move failed: the book is as it was when it began."""
        self._seq, transfers, postings = self._kept
        del self._transfers[transfers:], self._postings[postings:]
        while self._undo:
            account, amount = self._undo.pop()
            self._balances[account] = amount

    def load(self, currency: str, holders: Iterable[str]) -> Steps:
        """Reads balances that are not known yet."""
        unknown = {account for holder in holders if (account := account_of(currency, holder)) not in self._balances}
        if unknown:
            rows = yield Step(_READ_BALANCE, [(account,) for account in unknown], reads=True)
            self._balances.update(dict.fromkeys(unknown, 0))
            self._balances.update({row[0]: row[1] for row in rows})

    def balance(self, currency: str, holder: str) -> int:
        """Of an account that was loaded."""
        return self._balances[account_of(currency, holder)]

    def has_moved(self, currency: str) -> bool:
        """Whether something was posted in it in this batch."""
        return any(row[2] == currency for row in self._transfers)

    def supply(self, currency: str) -> int:
        """All there is of a currency whose source was loaded."""
        return -self.balance(currency, ISSUE)

    def post(self, transfer: Transfer) -> Generator[Step, list[Row], Posted]:
        """Raises RATE_LIMITED, INSUFFICIENT_BALANCE or INVALID_VALUE, and then nothing has moved."""
        moved = transfer.postings()
        yield from self.load(transfer.currency, moved)
        left = settled(transfer, {holder: self.balance(transfer.currency, holder) for holder in moved})
        self._seq += 1
        txn_id = str(uuid_utils.uuid7())
        self._transfers.append(
            (self._seq, txn_id, transfer.currency, transfer.kind, transfer.payer, transfer.payee, transfer.amount, transfer.fee,
             dumps(dict(transfer.about)), self.now)
        )  # fmt: skip
        for side, (holder, by) in enumerate(moved.items()):
            account = account_of(transfer.currency, holder)
            self._undo.append((account, self._balances[account]))
            self._balances[account] = left[holder]
            self._moved[account] = (transfer.currency, holder)
            self._postings.append((self._seq * 4 + side, account, self._seq, by, left[holder]))
        return Posted(txn_id, self.now, left[transfer.payer])

    def flush(self) -> Steps:
        if self._seq == self._before:
            return
        yield Step(_ADD_TRANSFER, self._transfers)
        yield Step(_ADD_POSTING, self._postings)
        yield Step(_PUT_BALANCE, [(account, *whose, self._balances[account]) for account, whose in self._moved.items()])
        yield Step(_MOVE_BOOK, [(self._seq,)])


@dataclass(slots=True)
class Move:
    """One thing asked of the ledger: a course over the book that gives the answer. It reads, checks, posts, and only then writes rows of
    its own: it raises before them, or not at all."""

    course: Callable[[Book], Course]
    done: asyncio.Future[Any] | None = None
    result: Any = None
    fault: Exception | None = None
    size: int = 1024


class Ledger(Commits[Move]):
    """`append` gives a move's answer, once committed."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, Bounds(batch=128), lambda batch: _commit(batch, engine.dialect.for_update), quiet=True)


def _commit(moves: list[Move], for_update: str) -> Steps:
    ((seq,),) = yield Step(_READ_BOOK + for_update, [()], reads=True)
    book = Book(seq)
    for move in moves:
        book.begin()
        try:
            move.result = yield from move.course(book)
        except (OceanError, ArithmeticError, ValueError, TypeError, LookupError) as fault:
            book.take_back()
            move.fault = fault
    yield from book.flush()


class Line(NamedTuple):
    """A transfer with what it left to both."""

    seq: int
    txn_id: str
    currency: str
    kind: str
    payer: str
    payee: str
    amount: int
    fee: int
    about: str
    created_at: int
    payer_balance: int
    payee_balance: int
    balance: int = 0  # of the one that was asked about, where one was


_LINES = (
    f"SELECT {', '.join(f't.{name}' for name in _TRANSFER.split(', '))}, a.balance, b.balance FROM transfer t "
    "JOIN posting a ON a.seq = t.seq AND a.account = t.currency || ' ' || t.payer "
    "JOIN posting b ON b.seq = t.seq AND b.account = t.currency || ' ' || t.payee "
)
_OF = _LINES.replace(" FROM transfer t ", ", p.balance FROM posting p JOIN transfer t ON t.seq = p.seq ")


async def balance_of(engine: Engine, currency: str, holder: str) -> int:
    rows = await engine.rows(_READ_BALANCE, (account_of(currency, holder),))
    return int(rows[0][1]) if rows else 0


async def lines_of(engine: Engine, currency: str, holder: str, limit: int, offset: int) -> list[Line]:
    """What one holder gave and got, newest first."""
    args = (account_of(currency, holder), limit, offset)
    return [Line(*row) for row in await engine.scan(_OF + "WHERE p.account = ? ORDER BY p.seq DESC LIMIT ? OFFSET ?", args)]


async def lines_in(engine: Engine, currency: str, limit: int, offset: int) -> list[Line]:
    """All that moved of a currency, newest first."""
    tail = "WHERE t.currency = ? ORDER BY t.seq DESC LIMIT ? OFFSET ?"
    return [Line(*row) for row in await engine.scan(_LINES + tail, (currency, limit, offset))]


async def holders_of(engine: Engine, currency: str, limit: int, offset: int) -> list[Row]:
    """`(holder, amount)` of those who have any, most first."""
    sql = "SELECT holder, amount FROM balance WHERE currency = ? AND amount > 0 ORDER BY amount DESC, holder LIMIT ? OFFSET ?"
    return await engine.scan(sql, (currency, limit, offset))


async def faults(engine: Engine) -> list[str]:
    """What does not agree in the ledger: sums that are not nothing, balances that are not their postings', accounts below nothing."""
    found = [
        f"the postings of transfer {row[0]} come to {row[1]}"
        for row in await engine.rows("SELECT seq, sum(amount) FROM posting GROUP BY seq HAVING sum(amount) <> 0 LIMIT 10")
    ]
    unlike = (
        "SELECT b.account, b.amount, s.total FROM balance b JOIN (SELECT account, sum(amount) AS total FROM posting GROUP BY account) s "
        "ON s.account = b.account WHERE s.total <> b.amount LIMIT 10"
    )
    found += [f"{row[0]} holds {row[1]}, and its postings come to {row[2]}" for row in await engine.rows(unlike)]
    below = "SELECT account, amount FROM balance WHERE amount < 0 AND holder <> ? LIMIT 10"
    found += [f"{row[0]} holds {row[1]}" for row in await engine.rows(below, (ISSUE,))]
    uncounted = "SELECT p.account FROM posting p LEFT JOIN balance b ON b.account = p.account WHERE b.account IS NULL LIMIT 10"
    return found + [f"{row[0]} has postings and no balance" for row in await engine.rows(uncounted)]


async def totals(engine: Engine) -> dict[str, float | int]:
    """How many transfers there are, how much io is out, and how much of it is the house's."""
    ((count,),) = await engine.rows("SELECT count(*) FROM transfer")
    out, fees = -await balance_of(engine, IO, ISSUE), await balance_of(engine, IO, FEES)
    return {"transfers": int(count), "io": show_io(out), "fees": show_io(fees)}
