"""Functions, run: a process of the sandbox, what it asks for while it runs, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from ocean import settings
from ocean.causes import MAX_DEPTH, WITHIN, Within
from ocean.context import Caller, Ocean
from ocean.core.drop import show_io
from ocean.core.functions import Function
from ocean.core.payloads import decode, encode
from ocean.errors import OceanError
from ocean.runner.pool import Pool
from ocean.runner.sandbox import EndedError, Sandbox
from ocean.services.automate import keeping
from ocean.services.automate.finding import Sides, runnable, sides
from ocean.services.automate.keeping import MAX_TOLD, Outcome
from ocean.store.reader import now
from ocean.store.runs import KEPT, RUNNING, Run
from ocean.turns import Turns

SECONDS = 10.0  # that somebody waits for a function, and for those that it calls
AT_ONCE, AT_ONCE_OF_ONE = 16, 4  # functions that are waited for side by side, half of them of one author; and for one caller
MAX_ASKED = 256 * 1024  # bytes that a function asks with, but for what brings content
_CONTENT = ("write", "update", "upload")
KEPT_OF_ONE = 8  # runs from one place that go on whoever waits for them
SLACK = 30.0  # seconds behind its time after which a run is taken for lost
LARGE = 64 * 1024  # characters that are read in a thread
Ask = Callable[[Ocean, Caller, str, dict[str, Any]], Awaitable[Any]]
log = logging.getLogger("ocean.functions")


class Functions:
    """Runs functions in this process's sandboxes. `ask` answers what they ask for, as any caller's request is answered."""

    def __init__(self, ocean: Ocean, ask: Ask) -> None:
        self._ocean, self._ask = ocean, ask
        files = settings.blobs_url(ocean.settings)
        hidden = [ocean.data, *([Path(files.removeprefix("file://"))] if files.startswith("file://") else [])]
        self.pool = Pool(int(ocean.settings["OCEAN_FUNCTION_MEMORY"]) << 20, hidden)
        self.queued = asyncio.Event()  # there is a job that was asked for in this process
        self.running = 0  # at this moment, jobs and those that others call among them
        self._settling: dict[asyncio.Task[Outcome], str] = {}
        self._kept_of: Counter[str] = Counter()
        self._begun: set[asyncio.Task[Any]] = set()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._callers = Turns(AT_ONCE_OF_ONE, "Too many functions of yours wait.", "SERVER_BUSY")
        self._authors = Turns(AT_ONCE // 2, "Too many wait for the functions of this author.", "SERVER_BUSY")

    async def run(self, caller: Caller, route: str, request: dict[str, Any]) -> tuple[Function, Outcome]:
        """A function, paid for where it costs something, while its caller waits; the same request again (Idempotency-Key) gives what it
        gave.

        Raises NOT_FOUND, FORBIDDEN, RATE_LIMITED, FUNCTION_ERROR, FUNCTION_TIMEOUT, LIMIT_REACHED, NOT_AVAILABLE, SERVER_BUSY.
        """
        self.check()
        function = await runnable(self._ocean, caller, route)
        inside = WITHIN.get() or Within.lasting(SECONDS)
        if inside.depth >= MAX_DEPTH:
            raise OceanError("LIMIT_REACHED", f"At most {MAX_DEPTH} functions wait for each other.", "Do it in one, or run it async.")
        keyed = bool(caller.idempotency and caller.key)
        if keyed and (before := await keeping.replayed(self._ocean, caller, keeping.row(caller, function, KEPT, RUNNING))) is not None:
            return function, keeping.outcome_of(before, caller.key)
        price = keeping.price_for(caller, function)
        if not price and not keyed:
            async with self._place(caller, function, inside):
                return function, await self._noted(function, caller, request, inside)
        new = keeping.row(caller, function, KEPT, RUNNING)._replace(held=price)
        if not new.held:
            self._ocean.paces.kept.spend(new.holder)
        if self._kept_of[new.holder] >= KEPT_OF_ONE:
            raise OceanError("SERVER_BUSY", "Too many functions of yours run.", "Let some of them end first.")
        # It goes on where nobody waits for it any more, for as long as any other: who breaks off has not been given it for nothing.
        task = asyncio.get_running_loop().create_task(self._kept(new, function, caller, request, inside))
        self._kept_of[new.holder] += 1
        self._settling[task] = new.holder
        task.add_done_callback(self._over)
        try:
            return function, await asyncio.shield(task)
        except asyncio.CancelledError:
            if task not in self._begun:  # it has no place yet, and now nobody wants one
                task.cancel()
            raise

    async def _kept(self, new: Run, function: Function, caller: Caller, request: dict[str, Any], inside: Within) -> Outcome:
        """A run that is kept, in its place."""
        async with self._place(caller, function, inside):
            keeping.spend(caller, new.held)
            try:
                new = new._replace(due_at=now() + round((SECONDS + SLACK) * 1000))
                await keeping.begin(self._ocean, new)
                if (task := asyncio.current_task()) is not None:
                    self._begun.add(task)
                return await self._settled(
                    new, function, caller, request, replace(Within.lasting(SECONDS, inside.hops), depth=inside.depth)
                )
            except BaseException:
                keeping.spend(caller, -new.held)
                raise

    async def _settled(self, new: Run, function: Function, caller: Caller, request: dict[str, Any], inside: Within) -> Outcome:
        """A run that is kept: what it costs is held, and paid or given back at its end."""
        try:
            outcome = replace(await self._noted(function, caller, request, inside), paid=new.held)
        except OceanError as fault:
            if fault.temporary or fault.code == "NOT_AVAILABLE":
                await keeping.drop(self._ocean, new)
            else:
                await keeping.end(self._ocean, new, fault)
            raise
        except BaseException:  # the server is being stopped, or has failed
            await asyncio.shield(keeping.end(self._ocean, new, keeping.interrupted()))
            raise
        await keeping.end(self._ocean, new, outcome)
        return outcome

    def _over(self, task: asyncio.Task[Outcome]) -> None:
        self._begun.discard(task)
        self._kept_of[self._settling.pop(task)] -= 1
        self._kept_of = +self._kept_of
        if not task.cancelled():
            task.exception()  # whoever waits is told

    def check(self) -> None:
        """Raises NOT_AVAILABLE where the operator runs none."""
        if not settings.flag(self._ocean.settings, "OCEAN_FUNCTIONS"):
            raise OceanError("NOT_AVAILABLE", "This server runs no functions.", "Its operator can: OCEAN_FUNCTIONS=true.", status=503)

    async def _noted(self, function: Function, caller: Caller, request: dict[str, Any], inside: Within) -> Outcome:
        try:
            return await self.perform(function, caller, request, inside)
        except OceanError as fault:
            await keeping.note(self._ocean, caller, function, fault)
            raise

    async def perform(self, function: Function, caller: Caller, request: dict[str, Any], inside: Within) -> Outcome:
        """The function once, for somebody who may run it. Raises FUNCTION_ERROR, FUNCTION_TIMEOUT, NOT_AVAILABLE, SERVER_BUSY."""
        who = await sides(self._ocean, caller, function)
        name = f"{function.drop_id} {who.own.key!r}"
        started = time.monotonic()
        self.running += 1
        try:
            async with asyncio.timeout(inside.left):
                process, said = await self._said(name, function, request, who, caller, inside)
        except TimeoutError:
            says = f"The function {function.route!r} took longer than it may ({round(time.monotonic() - started)} s)."
            raise OceanError("FUNCTION_TIMEOUT", says, "Do less at once, or run it async.") from None
        except EndedError:
            says = f"The process of the function {function.route!r} ended before it answered."
            raise OceanError("FUNCTION_ERROR", says, self._memory) from None
        finally:
            self.running -= 1
        took = round((time.monotonic() - started) * 1000)
        if said.get("loaded") is False:
            await process.end()
        else:
            self.pool.give(name, process)
        if "result" not in said:
            raise self._fault(function, caller, said)
        return Outcome(await _result(function, said["result"]), took, _text(said.get("printed")))

    @property
    def _memory(self) -> str:
        return f"A function may use {self._ocean.settings['OCEAN_FUNCTION_MEMORY']} MB of memory (OCEAN_FUNCTION_MEMORY)."

    async def _said(
        self, name: str, function: Function, request: dict[str, Any], who: Sides, caller: Caller, inside: Within
    ) -> tuple[Sandbox, dict[str, Any]]:
        """A process and its answer. One that still speaks of a call before is ended, and another is asked."""
        process, ready = await self.pool.take(name)
        try:
            return process, await self._called(process, function, request, who, caller, inside, ready)
        except StaleError:
            process, ready = await self.pool.take(name, fresh=True)
            return process, await self._called(process, function, request, who, caller, inside, ready)

    async def _called(
        self, process: Sandbox, function: Function, request: dict[str, Any], who: Sides, caller: Caller, inside: Within, ready: bool
    ) -> dict[str, Any]:
        """Until it has answered; it is killed where it does not. Raises EndedError: StaleError where it speaks first of a call before."""
        process.calls += 1
        call, asked = process.calls, 0
        try:
            process.go_on()
            code = {} if ready else {"code": function.code}
            await process.send({"name": function.route, "request": request, "user": caller.key is not None, "call": call, **code})
            while True:
                said = await process.receive()
                if said.get("call") != call:
                    raise EndedError if asked or not ready else StaleError
                if "ask" not in said:
                    process.stop()
                    return said
                asked += 1
                answer = await self._answer(said, process.said, function, who, inside.inner)
                try:
                    await process.send(answer)
                except OceanError as fault:
                    await process.send(_told(fault))
        except BaseException:
            await asyncio.shield(process.end())
            raise

    async def _answer(self, said: dict[str, Any], size: int, function: Function, who: Sides, inside: Within) -> dict[str, Any]:
        """What a function asked for, as a frame."""
        caller = who.user if said.get("side") == "user" else who.own
        given = said.get("given")
        token = WITHIN.set(inside)
        try:
            if caller is None:
                says = f"Nothing of the caller's is lent to {function.route!r}: no folder of its 'scopes' is its author's own."
                raise OceanError("FORBIDDEN", says, f"status {function.route} tells its author which.")
            if size > MAX_ASKED and said["ask"] not in _CONTENT:
                raise OceanError(
                    "PAYLOAD_TOO_LARGE", f"What is asked has at most {MAX_ASKED // 1024} KB.", "Save large content by ocean.write."
                )
            if not isinstance(given, dict):
                raise OceanError("INVALID_VALUE", "What is asked for has no arguments.")
            return {"value": await self._ask(self._ocean, caller, _text(said["ask"]), given)}
        except OceanError as fault:
            return _told(fault)
        except Exception as fault:
            known = self._ocean.engine.explain(fault)
            if known is None:
                log.exception("what a function asked for failed")
            return _told(known or OceanError("INTERNAL_ERROR", "The server failed."))
        finally:
            WITHIN.reset(token)

    @contextlib.asynccontextmanager
    async def _place(self, caller: Caller, function: Function, inside: Within) -> AsyncIterator[None]:
        """One of the places for functions; what another waits for is in that one's. Raises SERVER_BUSY where none comes free in time."""
        if inside.depth:
            yield
            return
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(inside.left):
                    await stack.enter_async_context(self._callers.of(*caller.holders))
                    await stack.enter_async_context(self._authors.of(function.author))
                    await self._places.acquire()
            except TimeoutError:
                raise OceanError("SERVER_BUSY", "Too many functions run.", "Try again in a moment, or run it async.") from None
            stack.callback(self._places.release)
            yield

    def _fault(self, function: Function, caller: Caller, said: dict[str, Any]) -> OceanError:
        """What went wrong: in full for the author, and for others what the function itself says to them (`raise OceanError`)."""
        told = said["fault"] if isinstance(said.get("fault"), dict) else {}
        message = _text(told.get("message")) or "it ended without an answer"
        if message.startswith("MemoryError"):
            message = f"MemoryError. {self._memory}"
        trace = told.get("trace") if isinstance(told.get("trace"), list) else []
        why: dict[str, Any] = {
            "message": message,
            "trace": [_text(line)[:300] for line in (trace or [])[:20]],
            "printed": _text(said.get("printed")),
        }
        if function.is_of(caller.key):
            return OceanError("FUNCTION_ERROR", f"{function.route}: {message}", **{k: v for k, v in why.items() if v and k != "message"})
        if told.get("own") is True:
            return OceanError("FUNCTION_ERROR", message, why=why)
        return OceanError(
            "FUNCTION_ERROR", f"The function {function.route!r} failed.", f"Its author sees why: status {function.route}", why=why
        )

    async def close(self) -> None:
        for task in self._settling:
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)
        await self.pool.close()


class StaleError(EndedError):
    """A process speaks of a call that is over."""


def _text(value: Any) -> str:
    """What a process says, of which nothing is sure."""
    return str(value)[: MAX_TOLD * 8] if isinstance(value, str) else ""


def _told(fault: OceanError) -> dict[str, Any]:
    hint = {"hint": fault.hint} if fault.hint else {}
    return {"error": {"code": fault.code, "message": fault.message, "status": fault.status, **hint}}


async def _result(function: Function, text: Any) -> str:
    """JSON as it is answered. Raises FUNCTION_ERROR."""
    try:
        if not isinstance(text, str):
            raise OceanError("INVALID_PAYLOAD", "it is none")
        raw = text.encode()
        return encode(decode(raw)) if len(raw) < LARGE else await asyncio.to_thread(lambda: encode(decode(raw)))
    except (OceanError, UnicodeEncodeError) as fault:
        says = fault.message if isinstance(fault, OceanError) else "it has half of a character"
        raise OceanError("FUNCTION_ERROR", f"The result of {function.route!r} can't be answered: {says}") from None


def shown(caller: Caller, function: Function, outcome: Outcome) -> dict[str, Any]:
    """A run's answer; what it printed is its author's to see."""
    told: dict[str, Any] = {"result": orjson.Fragment(outcome.result.encode()), "ms": outcome.took}
    if outcome.paid:
        told["paid"] = show_io(outcome.paid)
    return {**told, "printed": outcome.printed} if outcome.printed and function.is_of(caller.key) else told


def request_of(request: Any) -> dict[str, Any]:
    """Raises INVALID_PAYLOAD."""
    if request is None:
        return {}
    if not isinstance(request, dict):
        raise OceanError("INVALID_PAYLOAD", "What a function is asked with is an object.", 'Such as {"name": "world"}.')
    return request
