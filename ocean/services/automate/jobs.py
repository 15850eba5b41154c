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
import uuid_utils

from ocean.causes import Within
from ocean.context import Caller, Ocean
from ocean.core.drop import show_io, show_time
from ocean.core.payloads import dumps, loads
from ocean.errors import OceanError
from ocean.services.automate import paying
from ocean.services.automate.found import function_at, runnable
from ocean.services.automate.functions import MAX_DEPTH, SECONDS
from ocean.store import runs
from ocean.store.engine import Row, Steps, locked
from ocean.store.leases import Tenure
from ocean.store.reader import now
from ocean.store.runs import FAILED, JOB, PAID, WAITING, Run

NAME, LEASE = "jobs", 6.0
AT_ONCE, AT_ONCE_OF_ONE = 4, 2
MAX_WAITING = 100  # jobs of one caller that are not over
MAX_REQUEST, MAX_RESULT = 1024 * 1024, 1024 * 1024  # characters
KEPT, SWEPT = 7 * 86_400_000, 500  # milliseconds that a job is known behind its end, and how many are forgotten at once
LOOK = 1.0  # seconds between looks for what others have queued
log = logging.getLogger("ocean.jobs")


async def queue(ocean: Ocean, caller: Caller, route: str, request: dict[str, Any]) -> str:
    """Queues a run, paid for where it costs something; its id. Raises as a run does, and LIMIT_REACHED."""
    ocean.functions.check()
    owner = caller.required("A job is its caller's, who asks for what came of it with a key.")
    function = await runnable(ocean, caller, route)
    text = dumps(request)
    if len(text) > MAX_REQUEST:
        raise OceanError("PAYLOAD_TOO_LARGE", f"What a job is asked with has at most {MAX_REQUEST // 1024} KB.", "Save it, and name it.")
    held = paying.price_for(caller, function)
    new = Run(str(uuid_utils.uuid7()), function.route, function.author, owner, JOB, text, WAITING, "", "", held, None, now(), None)
    full = OceanError("LIMIT_REACHED", f"At most {MAX_WAITING} jobs of one key wait or run.", "Let some of them end first.")
    room = runs.room(owner, MAX_WAITING, full)
    if held:
        await paying.hold(ocean, new, room)
    else:
        await ocean.log.transact(locked(_added(new, room)))
    ocean.functions.queued.set()
    return new.id


def _added(new: Run, room: Steps) -> Steps:
    yield from room
    yield runs.added(new)


async def status(ocean: Ocean, caller: Caller, *, job: str) -> dict[str, Any]:
    """What is known of a job of the caller's: `status` is running, done or failed. Raises NOT_FOUND."""
    owner = caller.required("A job is its caller's.")
    found = await runs.run(ocean.engine, job)
    if found is None or found.kind != JOB or found.caller != owner:
        raise OceanError("NOT_FOUND", f"There is no job {job[:60]!r} of yours.", "A folder is named without quotes: status users")
    over = found.state in (runs.DONE, FAILED)
    told: dict[str, Any] = {"job_id": found.id, "status": found.state if over else "running", "route": found.route}
    told["created_at"] = show_time(found.created_at)
    if found.done_at is not None:
        told["done_at"] = show_time(found.done_at)
    if found.took is not None:
        told["ms"] = found.took
    if found.state == runs.DONE:
        told["result"] = orjson.Fragment(found.result.encode())
    elif found.state == FAILED:
        told["error"] = orjson.loads(found.error)
    return told


class Jobs:
    """Runs what is queued, while this process holds the lease."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._tenure = Tenure(ocean.engine, NAME, LEASE)
        self._held = False
        self._running: dict[str, asyncio.Task[None]] = {}
        self._of: Counter[str] = Counter()
        self._swept = 0.0
        self.ended = asyncio.Event()  # a job is over: there may be room for another

    async def step(self) -> None:
        """Begins what waits and has a place."""
        self.ended.clear()
        if not self._running and not await runs.open_(self._ocean.engine, now() - KEPT):
            await self._tenure.leave()
            self._held = False
            return
        if await self._tenure.hold() is None:
            self._held = False
            return
        if not self._held:
            self._held = True
            for lost in await runs.running(self._ocean.engine, JOB, now()):
                if lost.id not in self._running:
                    await self._over(lost, "", _interrupted(), None)
        if len(self._running) < AT_ONCE:
            for run in await runs.waiting(self._ocean.engine, AT_ONCE * 4):
                if len(self._running) < AT_ONCE and self._of[run.caller] < AT_ONCE_OF_ONE and run.id not in self._running:
                    self._of[run.caller] += 1
                    self._running[run.id] = asyncio.get_running_loop().create_task(self._run(run))
        await self._sweep()

    async def close(self) -> None:
        """Ends what runs: it has failed."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._tenure.leave()

    async def _run(self, run: Run) -> None:
        try:
            begun: list[Row] = []
            await self._ocean.engine.transact(runs.begun(run.id, begun), small=True, quiet=True)
            if begun:
                await self._perform(run)
        except Exception:  # a full disk, a database away: it counts as interrupted when this process has the lease anew
            log.exception("the job %s", run.id)
        finally:
            del self._running[run.id]
            self._of[run.caller] -= 1
            self._of = +self._of
            self.ended.set()

    async def _perform(self, run: Run) -> None:
        ocean, started = self._ocean, time.monotonic()
        seconds = int(ocean.settings["OCEAN_JOB_SECONDS"])
        try:
            caller = Caller(run.caller)
            function = await runnable(ocean, caller, run.route)
            outcome = await ocean.functions.perform(function, caller, loads(run.request), Within(started + seconds))
            if len(outcome.result) > MAX_RESULT:
                raise OceanError(
                    "FUNCTION_ERROR", f"The result of a job has at most {MAX_RESULT // 1024} KB.", "Save it, and answer its key."
                )
        except OceanError as fault:
            fault.details.pop("why", None)
            await self._over(run, "", fault, round((time.monotonic() - started) * 1000))
        except asyncio.CancelledError:
            await asyncio.shield(self._over(run, "", _interrupted(), None))
            raise
        else:
            await self._over(run, outcome.result, None, outcome.took)

    async def _over(self, run: Run, result: str, fault: OceanError | None, took: int | None) -> None:
        await paying.end(self._ocean, run, result, fault, took)

    async def _sweep(self) -> None:
        """Gives back what was paid for runs whose process died, and forgets what was over long ago."""
        if time.monotonic() - self._swept < 60:
            return
        self._swept = time.monotonic()
        for lost in await runs.running(self._ocean.engine, PAID, now() - round(SECONDS * (MAX_DEPTH + 1) * 1000)):
            await self._over(lost, "", _interrupted(), None)
        more: list[bool] = []
        await self._ocean.engine.transact(_forgotten(more), quiet=True)


def _forgotten(more: list[bool]) -> Steps:
    more.append((yield from runs.swept(now() - KEPT, SWEPT)))


def _interrupted() -> OceanError:
    return OceanError(
        "FUNCTION_ERROR", "The server was stopped while it ran.", "What it did so far is done; run it again if that is right."
    )


async def told_of(ocean: Ocean, caller: Caller, route: str) -> dict[str, Any]:
    """What `status` says of a folder's function to its author: who may run it, what it costs, and what failed for others."""
    function = await function_at(ocean, route)
    if function is None or caller.key != function.author:
        return {}
    failed = await runs.failures(ocean.engine, route, function.author, 20)
    faults = [{"at": show_time(one.created_at), **orjson.loads(one.error)} for one in failed]
    told: dict[str, Any] = {"execute": "public" if function.public else "private", "scopes": list(function.scopes), "failures": faults}
    return {"function": {**told, "price": show_io(function.price)} if function.price else told}
