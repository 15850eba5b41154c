"""Jobs: functions that nobody waits for. Queued on disk, run by whichever process holds the lease, asked about by their id.

A job is begun once: where its process dies while it runs, it has failed, since what it did so far is done.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

import orjson

from ocean import causes
from ocean.causes import WITHIN, Within
from ocean.context import Budget, Caller, Ocean
from ocean.core.drop import show_io, show_time
from ocean.core.payloads import dumps, loads
from ocean.errors import OceanError
from ocean.services.automate import keeping
from ocean.services.automate.finding import function_at, not_lent, runnable
from ocean.services.automate.keeping import MAX_RESULT, Outcome
from ocean.store import leases, runs
from ocean.store.engine import Row, Steps
from ocean.store.leases import Lease, LostLeaseError, Tenure
from ocean.store.reader import now
from ocean.store.runs import JOB, WAITING, Run

NAME, LEASE = "jobs", 6.0
AT_ONCE, AT_ONCE_OF_ONE = 6, 2
MAX_OF_ONE, MAX_WAITING = 100, 10_000  # jobs that are not over, from one place and in all
MAX_REQUEST = 1024 * 1024  # characters
KEPT, SWEPT = 86_400_000, 500  # milliseconds that a job is known behind its end, and how many are forgotten at once
LOOK = 1.0  # seconds between looks for what others have queued
log = logging.getLogger("ocean.jobs")


async def queue(ocean: Ocean, caller: Caller, route: str, request: dict[str, Any]) -> str:
    """Queues a run, paid for where it costs something; its id, or of the same request before (Idempotency-Key). Raises as a run does, and
    LIMIT_REACHED."""
    ocean.functions.check()
    caller.required("A job is its caller's, who asks for what came of it with a key.")
    function = await runnable(ocean, caller, route)
    text = dumps(request)
    if len(text) > MAX_REQUEST:
        raise OceanError("PAYLOAD_TOO_LARGE", f"What a job is asked with has at most {MAX_REQUEST // 1024} KB.", "Save it, and name it.")
    new = keeping.row(caller, function, JOB, WAITING, request=text, hops=causes.hops())
    if (before := await keeping.replayed(ocean, caller, new)) is not None:
        return before.id
    ocean.paces.kept.spend(new.holder)
    new = new._replace(held=keeping.price_for(caller, function))
    keeping.spend(caller, new.held)
    new = new._replace(budget=caller.budget.left if caller.budget is not None else None)
    try:
        await keeping.begin(ocean, new, _room(new.holder))
    except OceanError as fault:
        keeping.spend(caller, -new.held)
        if fault.code == "CONFLICT" and (before := await keeping.replayed(ocean, caller, new)) is not None:
            return before.id  # the same request, at the same moment
        raise
    ocean.functions.queued.set()
    return new.id


def _room(holder: str) -> Steps:
    if (yield from runs.count(holder)) >= MAX_OF_ONE:
        raise OceanError("LIMIT_REACHED", f"At most {MAX_OF_ONE} jobs from one place wait or run.", "Let some of them end first.")
    if (yield from runs.count(None)) >= MAX_WAITING:
        raise OceanError("SERVER_BUSY", "Too many jobs wait.", "Try again in a moment.")


async def status(ocean: Ocean, caller: Caller, *, job: str) -> dict[str, Any]:
    """What is known of a job of the caller's: `status` is running, done or failed. Raises NOT_FOUND."""
    owner = caller.required("A job is its caller's.")
    found = await runs.run(ocean.engine, job)
    if found is None or found.kind != JOB or found.caller != owner:
        raise OceanError("NOT_FOUND", f"There is no job {job[:60]!r} of yours.", "A folder is named without quotes: status users")
    told: dict[str, Any] = {"job_id": found.id, "status": found.state if found.over else "running", "route": found.route}
    told["created_at"] = show_time(found.created_at)
    if found.done_at is not None:
        told["done_at"] = show_time(found.done_at)
    if found.took is not None:
        told["ms"] = found.took
    if found.state == runs.DONE:
        told["result"] = orjson.Fragment(found.result.encode())
    elif found.state == runs.FAILED:
        told["error"] = orjson.loads(found.error)
    return {**told, "printed": found.printed} if found.printed and found.author == owner else told


class Jobs:
    """Runs what is queued, while this process holds the lease."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._tenure = Tenure(ocean.engine, NAME, LEASE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._of: Counter[str] = Counter()
        self._swept = 0.0
        self.ended = asyncio.Event()  # a job is over: there may be room for another

    async def step(self) -> None:
        """Begins what waits and has a place, and ends what no process runs any more."""
        self.ended.clear()
        if not self._running and not await runs.open_(self._ocean.engine, now() - KEPT):
            await self._tenure.leave()
            return
        lease = await self._tenure.hold()
        if lease is None:  # another process has it, and takes what runs here for lost
            for task in self._running.values():
                task.cancel()
            return
        for lost in await runs.running(self._ocean.engine, JOB):
            if lost.id not in self._running:
                await keeping.end(self._ocean, lost, keeping.interrupted())
        if len(self._running) < AT_ONCE:
            for id_, holder in await runs.waiting(self._ocean.engine, AT_ONCE * 4):
                if len(self._running) < AT_ONCE and self._of[holder] < AT_ONCE_OF_ONE and id_ not in self._running:
                    self._of[holder] += 1
                    self._running[id_] = asyncio.get_running_loop().create_task(self._run(id_, holder, lease))
        await self._sweep()

    async def close(self) -> None:
        """Ends what runs: it has failed."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._tenure.leave()

    async def _run(self, id_: str, holder: str, lease: Lease) -> None:
        try:
            begun: list[Row] = []
            await self._ocean.engine.transact(_begun(id_, lease, begun), small=True, quiet=True)
            if begun:
                await self._perform(Run(*begun[0]))
        except LostLeaseError:
            pass
        except Exception:  # a full disk, a database away: the next step finds that nobody runs it
            log.exception("the job %s", id_)
        finally:
            del self._running[id_]
            self._of[holder] -= 1
            self._of = +self._of
            self.ended.set()

    async def _perform(self, run: Run) -> None:
        ocean, started = self._ocean, time.monotonic()
        inside = Within.lasting(int(ocean.settings["OCEAN_JOB_SECONDS"]), run.hops)
        token = WITHIN.set(inside)
        try:
            outcome: Outcome | OceanError = await self._outcome(run, inside)
        except OceanError as fault:
            outcome = fault
        except asyncio.CancelledError:
            await asyncio.shield(keeping.end(ocean, run, keeping.interrupted()))
            raise
        finally:
            WITHIN.reset(token)
        took = round((time.monotonic() - started) * 1000)
        await keeping.end(ocean, run._replace(took=took), outcome)

    async def _outcome(self, run: Run, inside: Within) -> Outcome:
        caller = Caller(run.caller, budget=Budget(run.budget) if run.budget is not None else None)
        function = await runnable(self._ocean, caller, run.route)
        try:
            if function.author != run.author:
                raise OceanError("FUNCTION_ERROR", f"The function {run.route!r} is another author's by now: it was not run.")
            outcome = await self._ocean.functions.perform(function, caller, loads(run.request), inside)
            if len(outcome.result) > MAX_RESULT:
                says = f"The result of a job has at most {MAX_RESULT // 1024} KB."
                raise OceanError("FUNCTION_ERROR", says, "Save it, and answer where it is.")
        except OceanError as fault:
            await keeping.note(self._ocean, caller, function, fault)
            raise
        return outcome

    async def _sweep(self) -> None:
        """Gives back what was paid for runs whose process died, and forgets what was over long ago."""
        for lost in await runs.lost(self._ocean.engine, now()):
            await keeping.end(self._ocean, lost, keeping.interrupted())
        if time.monotonic() - self._swept < 60:
            return
        more: list[bool] = []
        await self._ocean.engine.transact(_forgotten(more), quiet=True)
        if not any(more):
            self._swept = time.monotonic()


def _begun(id_: str, lease: Lease, begun: list[Row]) -> Steps:
    yield from leases.holds(lease)
    yield from runs.begun(id_, begun)


def _forgotten(more: list[bool]) -> Steps:
    more.append((yield from runs.swept(now() - KEPT, SWEPT)))


async def told_of(ocean: Ocean, caller: Caller, route: str) -> dict[str, Any]:
    """What `status` says of a folder's function to its author: who may run it, what it costs, what is not in force, and what failed."""
    function = await function_at(ocean, route)
    if function is None or not function.is_of(caller.key) or (function.fault and not function.code):
        return {}
    failed = await runs.failures(ocean.engine, route, function.author, 20)
    told: dict[str, Any] = {"execute": "public" if function.public else "private", "scopes": list(function.scopes)}
    if function.price:
        told["price"] = show_io(function.price)
    if unlent := await not_lent(ocean, function):
        told["not_lent"] = unlent  # these folders are not the author's own
    if function.fault:
        told["fault"] = function.fault
    return {"function": {**told, "failures": [{"at": show_time(one.created_at), **orjson.loads(one.error)} for one in failed]}}
