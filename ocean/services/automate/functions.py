"""Functions, run: a process of the sandbox, what it asks for while it runs, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uuid_utils

from ocean import settings
from ocean.causes import WITHIN, Within
from ocean.context import Caller, Ocean
from ocean.core.access import Scoped
from ocean.core.functions import Function
from ocean.core.payloads import decode, encode, loads
from ocean.errors import OceanError
from ocean.runner.pool import Pool
from ocean.runner.sandbox import EndedError, Sandbox
from ocean.services.automate import paying
from ocean.services.automate.found import runnable, sides
from ocean.store import runs
from ocean.store.reader import now
from ocean.store.runs import FAULT, PAID, RUNNING, Run
from ocean.turns import Turns

SECONDS = 10.0  # that somebody waits for a function, and for those that it calls
AT_ONCE, AT_ONCE_OF_ONE = 8, 4  # functions side by side; for one caller, and of one author
MAX_DEPTH = 8  # functions that wait for each other
MAX_TOLD = 2000  # characters of what went wrong
KEPT_FAULTS = 100  # of one function
LARGE = 64 * 1024  # characters that are read in a thread
Ask = Callable[[Ocean, Caller, str, dict[str, Any]], Awaitable[Any]]
log = logging.getLogger("ocean.functions")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: `result` is JSON; `took` in milliseconds; `printed` is what its author may see."""

    result: str
    took: int
    printed: str = ""


class Functions:
    """Runs functions in this process's sandboxes. `ask` answers what they ask for, as any caller's request is answered."""

    def __init__(self, ocean: Ocean, ask: Ask) -> None:
        self._ocean, self._ask = ocean, ask
        files = settings.blobs_url(ocean.settings)
        hidden = [ocean.data, *([Path(files.removeprefix("file://"))] if files.startswith("file://") else [])]
        self._pool = Pool(int(ocean.settings["OCEAN_FUNCTION_MEMORY"]) << 20, hidden)
        self.queued = asyncio.Event()  # there is a job that was asked for in this process
        self._places = asyncio.Semaphore(AT_ONCE)
        self._turns = Turns(AT_ONCE_OF_ONE, "Too many functions of yours wait.")

    async def run(self, caller: Caller, route: str, request: dict[str, Any]) -> tuple[Function, Outcome]:
        """A function, paid for where it costs something, while its caller waits.

        Raises NOT_FOUND, FORBIDDEN, RATE_LIMITED, FUNCTION_ERROR, FUNCTION_TIMEOUT, LIMIT_REACHED, NOT_AVAILABLE, SERVER_BUSY.
        """
        self.check()
        function = await runnable(self._ocean, caller, route)
        inside = WITHIN.get() or Within(time.monotonic() + SECONDS)
        if inside.depth >= MAX_DEPTH:
            raise OceanError("LIMIT_REACHED", f"At most {MAX_DEPTH} functions wait for each other.", "Call it async, or do it in one.")
        price = paying.price_for(caller, function)
        async with self._place(caller, function, inside) if not inside.depth else contextlib.nullcontext():
            run = _row(function, caller, PAID, price)
            if price:
                await paying.hold(self._ocean, run)
            try:
                outcome = await self.perform(function, caller, request, inside)
            except OceanError as fault:
                await self._failed(run, function, caller, fault)
                raise
            if price:
                await paying.end(self._ocean, run, "", None, outcome.took)
            return function, outcome

    def check(self) -> None:
        """Raises NOT_AVAILABLE where the operator runs none."""
        if not settings.flag(self._ocean.settings, "OCEAN_FUNCTIONS"):
            raise OceanError("NOT_AVAILABLE", "This server runs no functions.", "Its operator can: OCEAN_FUNCTIONS=true.", status=503)

    async def perform(self, function: Function, caller: Caller, request: dict[str, Any], inside: Within) -> Outcome:
        """The function once, for somebody who may run it. Raises FUNCTION_ERROR, FUNCTION_TIMEOUT, NOT_AVAILABLE."""
        own, user = await sides(self._ocean, caller, function)
        name = f"{function.drop_id} {own.key!r}"
        started = time.monotonic()
        try:
            async with asyncio.timeout(inside.until - started):
                process, ready = await self._pool.take(name)
                said = await self._called(process, function, request, _Sides(own, user), inside, ready)
        except TimeoutError:
            says = f"The function {function.route!r} took longer than it may ({round(time.monotonic() - started)} s)."
            raise OceanError("FUNCTION_TIMEOUT", says, "Do less at once, or run it async.") from None
        except EndedError:
            says = f"The process of the function {function.route!r} ended before it answered."
            raise OceanError("FUNCTION_ERROR", says, f"It may use {self._ocean.settings['OCEAN_FUNCTION_MEMORY']} MB.") from None
        took = round((time.monotonic() - started) * 1000)
        if said.get("loaded") is False:
            await process.end()
        else:
            self._pool.give(name, process)
        if "result" not in said:
            raise _fault(function, caller, said)
        return Outcome(await _result(function, said.get("result")), took, str(said.get("printed", "")))

    async def _called(
        self, process: Sandbox, function: Function, request: dict[str, Any], who: _Sides, inside: Within, ready: bool
    ) -> dict[str, Any]:
        """Until it has answered; it is killed where it does not."""
        try:
            process.go_on()
            code = {} if ready else {"code": function.code}
            await process.send({"name": function.route, "request": request, "user": who.user is not None, **code})
            while True:
                said = await process.receive()
                if "ask" not in said:
                    process.stop()
                    return said
                await process.send(await self._answer(said, who, Within(inside.until, inside.depth + 1, inside.hops)))
        except BaseException:
            await asyncio.shield(process.end())
            raise

    async def _answer(self, said: dict[str, Any], who: _Sides, inside: Within) -> dict[str, Any]:
        """What a function asked for, as a frame."""
        caller = who.user if said.get("side") == "user" else who.own
        given = said.get("given")
        token = WITHIN.set(inside)
        try:
            if caller is None:
                raise OceanError("KEY_REQUIRED", "Who called this function has no key, or none of its folders is lent.", status=401)
            if not isinstance(given, dict):
                raise OceanError("INVALID_VALUE", "What is asked for has no arguments.")
            value = await self._ask(self._ocean, caller, str(said["ask"]), given)
            return {"value": value}
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
        """One of the places for functions. Raises LIMIT_REACHED, SERVER_BUSY where none comes free in time."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(inside.until - time.monotonic()):
                    await stack.enter_async_context(self._turns.of(*caller.holders, f"author {function.author}"))
                    await self._places.acquire()
            except TimeoutError:
                raise OceanError("SERVER_BUSY", "Too many functions run.", "Try again in a moment, or run it async.") from None
            stack.callback(self._places.release)
            yield

    async def _failed(self, run: Run, function: Function, caller: Caller, fault: OceanError) -> None:
        """Notes for a function's author what went wrong for somebody else, and gives back what was paid."""
        if run.held:
            await paying.end(self._ocean, run, "", fault, None)
        if caller.key != function.author and fault.code in ("FUNCTION_ERROR", "FUNCTION_TIMEOUT"):
            why = orjson.dumps(fault.details.pop("why", {"message": fault.message})).decode()
            row = run._replace(id=str(uuid_utils.uuid7()), kind=FAULT, state=runs.FAILED, error=why, held=0, done_at=now())
            with contextlib.suppress(OceanError):
                await self._ocean.engine.transact(runs.kept_few(row, KEPT_FAULTS), small=True, quiet=True)
        fault.details.pop("why", None)

    async def close(self) -> None:
        await self._pool.close()


@dataclass(frozen=True, slots=True)
class _Sides:
    own: Caller
    user: Caller | None


def _row(function: Function, caller: Caller, kind: str, held: int) -> Run:
    return Run(
        str(uuid_utils.uuid7()), function.route, function.author, caller.key or "", kind, "", RUNNING, "", "", held, None, now(), None
    )


def _told(fault: OceanError) -> dict[str, Any]:
    hint = {"hint": fault.hint} if fault.hint else {}
    return {"error": {"code": fault.code, "message": fault.message, "status": fault.status, **hint}}


def _fault(function: Function, caller: Caller, said: dict[str, Any]) -> OceanError:
    """What went wrong: in full for the author, and for others what the function itself says to them (`raise OceanError`)."""
    found = said.get("fault")
    told = found if isinstance(found, dict) else {}
    message = str(told.get("message", "it ended without an answer"))[:MAX_TOLD]
    trace = [str(line)[:300] for line in told.get("trace", ()) if isinstance(line, str)][:20] if isinstance(told.get("trace"), list) else []
    why: dict[str, Any] = {"message": message, "trace": trace, "printed": str(said.get("printed", ""))[:MAX_TOLD]}
    if caller.key == function.author and not isinstance(caller.key, Scoped):
        return OceanError("FUNCTION_ERROR", f"{function.route}: {message}", **{k: v for k, v in why.items() if v and k != "message"})
    if told.get("own") is True:
        return OceanError("FUNCTION_ERROR", message, why=why)
    return OceanError(
        "FUNCTION_ERROR", f"The function {function.route!r} failed.", f"Its author sees why: status {function.route}", why=why
    )


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
    return {**told, "printed": outcome.printed} if outcome.printed and caller.key == function.author else told


def request_of(request: Any) -> dict[str, Any]:
    """Raises INVALID_PAYLOAD."""
    if request is None:
        return {}
    if not isinstance(request, dict):
        raise OceanError("INVALID_PAYLOAD", "What a function is asked with is an object.", 'Such as {"name": "world"}.')
    return request


def value_of(outcome: Outcome) -> Any:
    return loads(outcome.result)
