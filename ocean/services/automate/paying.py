"""Functions that cost io: what a run costs is held from its start, and goes to its author when it has answered, or back.

The row of the run and the money are changed together, so that nothing is held of a run that is over, whenever a process dies.
"""

from __future__ import annotations

import orjson

from ocean.context import Caller, Ocean
from ocean.core import money
from ocean.core.functions import Function
from ocean.core.money import HELD, IO, Transfer
from ocean.errors import OceanError
from ocean.services.money.credits import fees_of
from ocean.store import runs
from ocean.store.engine import Steps, only
from ocean.store.ledger import Book, Course, Move
from ocean.store.reader import now
from ocean.store.runs import DONE, Run


def price_for(caller: Caller, function: Function) -> int:
    """What a run costs this caller, in hundredths of an io. Raises KEY_REQUIRED, FORBIDDEN where nobody could pay."""
    if not function.price or caller.key == function.author:
        return 0
    caller.required(f"The function {function.route!r} costs io, which a key pays.")
    return function.price


async def hold(ocean: Ocean, new: Run, room: Steps | None = None) -> None:
    """Holds what the run costs, with its row; `room` raises where there is none. Raises RATE_LIMITED where there is too little io."""
    transfer = Transfer("hold", IO, new.caller, HELD, new.held, about={"run": new.id, "route": new.route})

    def course(book: Book) -> Course:
        yield from room or ()
        yield from book.post(transfer)
        yield runs.added(new)
        return {}

    await ocean.ledger.append(Move(course))


async def end(ocean: Ocean, run: Run, result: str, error: OceanError | None, took: int | None) -> None:
    """What came of a run that has a row: where something is held of it, its author has it, or its caller has it back."""
    state, said = (runs.FAILED, _text(error)) if error is not None else (DONE, "")
    if not run.held:
        await ocean.engine.transact(only(runs.ended(run.id, state, result, said, took, now())), quiet=True)
        return
    points, collector = fees_of(ocean)
    about = {"run": run.id, "route": run.route}
    back = Transfer("refund", IO, HELD, run.caller, run.held, about=about)
    paid = Transfer("run", IO, HELD, run.author, run.held, money.io_fee(run.held, points), collector, about)

    def course(book: Book) -> Course:
        if not (yield from runs.over(run.id)):
            yield from book.post(back if error is not None else paid)
            yield runs.ended(run.id, state, result, said, took, book.now)
        return {}

    await ocean.ledger.append(Move(course))


def _text(error: OceanError) -> str:
    return orjson.dumps(error.body()["error"], default=str).decode()
