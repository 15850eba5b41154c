"""Runs that are known afterwards: those that cost io, those asked for under an Idempotency-Key, and what failed.

What a run costs is held from its start, and goes to its author when it has answered, or back. The row of the run and the money are changed
together, so that nothing is held of a run that is over, whenever a process dies.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
import uuid_utils

from ocean.causes import WITHIN
from ocean.context import Caller, Ocean
from ocean.core import money
from ocean.core.drop import show_io
from ocean.core.functions import Function
from ocean.core.money import HELD, IO, Transfer
from ocean.errors import OceanError
from ocean.services.money.credits import fees_of
from ocean.store import runs
from ocean.store.engine import Steps, locked, only
from ocean.store.ledger import Book, Course, Move
from ocean.store.reader import now
from ocean.store.runs import DONE, FAULT, Run

MAX_RESULT = 256 * 1024  # characters of an answer that is kept
KEPT_FAULTS = 100  # of one function
MAX_TOLD = 2000  # characters of what went wrong


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: `result` is JSON; `took` in milliseconds; `printed` is what its author may see; `paid` in hundredths of an io."""

    result: str
    took: int
    printed: str = ""
    paid: int = 0


def price_for(caller: Caller, function: Function) -> int:
    """What a run costs this caller, in hundredths of an io. Raises KEY_REQUIRED, FORBIDDEN where nobody could pay, RATE_LIMITED beyond what
    the request may spend."""
    if not function.price or caller.key == function.author:
        return 0
    caller.required(f"The function {function.route!r} costs io, which a key pays.")
    if caller.budget is not None and function.price > caller.budget.left:
        says = f"The function {function.route!r} costs {show_io(function.price)} io, and this may spend {show_io(caller.budget.left)}."
        raise OceanError("RATE_LIMITED", says, "Say more with X-Ocean-Budget; hooks and calls spend nothing.")
    return function.price


def spend(caller: Caller, amount: int) -> None:
    """Of what the request may spend; what comes back is taken off again."""
    if caller.budget is not None:
        caller.budget.left -= amount


def row(caller: Caller, function: Function, kind: str, state: str, *, request: str = "", hops: int = 0) -> Run:
    """A new run; under an Idempotency-Key its id follows from that."""
    named = f"{caller.key!r}\n{kind}\n{caller.idempotency}"
    id_ = hashlib.sha256(named.encode()).hexdigest()[:32] if caller.idempotency and caller.key else str(uuid_utils.uuid7())
    return Run(
        id_, function.route, function.author, caller.key or "", caller.holder, kind, request, caller.request_digest, state, "", "", "", 0,
        caller.budget.left if caller.budget is not None else None, hops, None, now(), 0, None,
    )  # fmt: skip


async def begin(ocean: Ocean, new: Run, room: Steps | None = None) -> None:
    """Keeps a run, with what it costs held; `room` raises where there is none. Raises CONFLICT where it is there, RATE_LIMITED where there
    is too little io."""

    def course(book: Book) -> Course:
        yield from _fits(new, room)
        about = {"run": new.id, "route": new.route}
        yield from book.post(Transfer("hold", IO, new.caller, HELD, new.held, about=about))
        yield runs.added(new)
        return {}

    def steps() -> Steps:
        yield from _fits(new, room)
        yield runs.added(new)

    if new.held:
        await ocean.ledger.append(Move(course))
    else:
        await ocean.log.transact(locked(steps()))


def _fits(new: Run, room: Steps | None) -> Steps:
    if (yield from runs.there(new.id)):
        raise OceanError("CONFLICT", "The same request is being answered at this moment.", "Send it again in a moment.")
    yield from room or ()


async def drop(ocean: Ocean, run: Run) -> None:
    """A run that was kept and could not be begun: what is held of it is given back, and the same request may come again."""

    def course(book: Book) -> Course:
        if not (yield from runs.over(run.id)):
            yield from book.post(Transfer("refund", IO, HELD, run.caller, run.held, about={"run": run.id, "route": run.route}))
            yield runs.dropped(run.id)
        return {}

    if run.held:
        await ocean.ledger.append(Move(course))
    else:
        await ocean.engine.transact(only(runs.dropped(run.id)), quiet=True)


async def end(ocean: Ocean, run: Run, outcome: Outcome | OceanError) -> None:
    """What came of a run that was kept: where something is held of it, its author has it, or its caller has it back."""
    over = _ended(run, outcome)
    if not run.held:
        await ocean.engine.transact(only(runs.ended(over)), quiet=True)
        return
    points, collector = fees_of(ocean)
    about = {"run": run.id, "route": run.route}
    back = Transfer("refund", IO, HELD, run.caller, run.held, about=about)
    paid = Transfer("run", IO, HELD, run.author, run.held, money.io_fee(run.held, points), collector, about)

    def course(book: Book) -> Course:
        if not (yield from runs.over(run.id)):
            yield from book.post(paid if over.state == DONE else back)
            yield runs.ended(over)
        return {}

    await ocean.ledger.append(Move(course))


def _ended(run: Run, outcome: Outcome | OceanError) -> Run:
    if isinstance(outcome, OceanError):
        return run._replace(state=runs.FAILED, error=_text(outcome), done_at=now())
    kept = outcome.result if len(outcome.result) <= MAX_RESULT else ""
    return run._replace(state=DONE, result=kept, printed=outcome.printed, took=outcome.took, done_at=now())


def interrupted() -> OceanError:
    says = "The run was broken off: its server was stopped, or whoever waited for it went away."
    return OceanError("FUNCTION_ERROR", says, "What it did so far is done; run it again if that is right.")


async def replayed(ocean: Ocean, caller: Caller, new: Run) -> Run | None:
    """The run that the same request began before, under its Idempotency-Key. Raises CONFLICT where that was another request's."""
    found = await runs.run(ocean.engine, new.id) if caller.idempotency else None
    if found is not None and (found.route, found.kind, found.digest) != (new.route, new.kind, new.digest):
        raise OceanError("CONFLICT", "The Idempotency-Key was used for another request.", "Use a new one for each.")
    return found


def outcome_of(run: Run, key: str | None) -> Outcome:
    """What a run that was kept came to, as `key` may know of it. Raises what it failed with; CONFLICT where it is not over, or its answer
    was too long to keep."""
    if run.state == runs.FAILED:
        said = orjson.loads(run.error)
        raise OceanError(said["code"], said["message"], said.get("hint"))
    if run.state != DONE or not run.result:
        says = "This request is being answered." if run.state != DONE else "This request was answered, and its answer is too long to keep."
        raise OceanError("CONFLICT", says)
    return Outcome(run.result, run.took or 0, run.printed if key == run.author else "")


async def note(ocean: Ocean, caller: Caller, function: Function, fault: OceanError) -> None:
    """Notes for a function's author what went wrong where they did not see it: for others, in a job, and where a hook has called it. What
    only the author is to know is taken off the fault."""
    why = fault.details.pop("why", None)
    inside = WITHIN.get()
    unseen = not function.is_of(caller.key) or (inside is not None and inside.hops > 0)
    if not unseen or fault.code not in ("FUNCTION_ERROR", "FUNCTION_TIMEOUT"):
        return
    said = {
        "message": fault.message,
        **{name: fault.details[name] for name in ("trace", "printed") if name in fault.details},
        **(why or {}),
    }
    moment = now()
    new = row(Caller(caller.key, caller.ip), function, FAULT, runs.FAILED)._replace(error=_json(said), done_at=moment)
    with contextlib.suppress(OceanError):
        await ocean.engine.transact(runs.kept_few(new, KEPT_FAULTS), small=True, quiet=True)


def _text(error: OceanError) -> str:
    return _json({name: value for name, value in error.body()["error"].items() if name != "why"})


def _json(said: dict[str, Any]) -> str:
    return orjson.dumps(said, default=str).decode()
