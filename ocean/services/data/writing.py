"""The way every write takes to the log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import functions
from ocean.core.changes import Op, needs_payload
from ocean.core.payloads import dumps
from ocean.store.batch import ADD_ONCE, READ_ONCE, Once, Write, answer_of
from ocean.store.engine import LOCK, Step, Steps
from ocean.store.ledger import Book, Course, Move
from ocean.store.reader import now

KEPT = 86_400_000  # milliseconds an idempotency key is remembered


async def write(
    ocean: Ocean, caller: Caller, ops: list[Op], beside: Callable[[], Steps] | None = None, *, brief: bool = False
) -> list[dict[str, Any]]:
    """One result for each op, or with `brief` how many they were; all or nothing, committed when it answers. `beside` are rows that are
    put with them."""
    who = caller.writer("Writing needs a key.")
    for op in ops:
        functions.check(op, who)
        if needs_payload(op) and op.key is not None:
            op.weight = await ocean.reader.payload_size(op.route, op.key)
    results = list(await ocean.log.append(Write(ops, who, _once(caller, who), beside, brief)))
    ocean.causes.wrote(result["drop_id"] for result in results if "drop_id" in result)
    return results


async def change(ocean: Ocean, caller: Caller, steps: Steps, answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Changes rows that are not of the log by `steps`, all or none; what `answer` gives once they are run, or gave to the same request
    before (Idempotency-Key). Raises CONFLICT where that key was another request's."""
    once = _once(caller, caller.required("Writing needs a key."))
    told: list[dict[str, Any]] = []
    await ocean.log.transact(_run_once(steps, once, answer, told))
    ocean.log.wake()
    return told[0]


async def move(ocean: Ocean, caller: Caller, course: Callable[[Book], Course]) -> dict[str, Any]:
    """Moves money: what the course over the ledger's book gives, or gave to the same request before. Raises CONFLICT as `change` does."""
    once = _once(caller, caller.required("Money moves with a key."))
    once = once and replace(once, id=f"money {once.id}")  # the log and the ledger, each with its own lock, wait for no row of the other
    return dict(await ocean.ledger.append(Move(lambda book: _only_once(once, course(book)))))


def _once(caller: Caller, who: str) -> Once | None:
    if not caller.idempotency or caller.made is not None:
        return None
    digest = hashlib.sha256(f"{str(who) if type(who) is str else repr(who)}\n{caller.idempotency}".encode()).hexdigest()
    return Once(digest, caller.request_digest, now() + KEPT)


def _run_once(steps: Steps, once: Once | None, answer: Callable[[], dict[str, Any]], told: list[dict[str, Any]]) -> Steps:
    if once is not None:
        yield Step(LOCK, [()])
    told.append((yield from _only_once(once, _answered(steps, answer))))


def _answered(steps: Steps, answer: Callable[[], dict[str, Any]]) -> Course:
    yield from steps
    return answer()


def _only_once(once: Once | None, course: Course) -> Course:
    if once is None:
        return (yield from course)
    there = yield Step(READ_ONCE, [(once.id,)], reads=True)
    if there:
        return dict(answer_of(once, there[0][1], there[0][2]))
    answer = yield from course
    yield Step(ADD_ONCE, [(once.id, once.request, dumps(answer), once.expires_at)])
    return answer
