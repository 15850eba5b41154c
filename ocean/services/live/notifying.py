"""A notification on its way: sealed for each browser of a key, sent once to each; a browser that is gone is forgotten."""

from __future__ import annotations

import asyncio
import logging
import time

import orjson

from ocean.context import Caller, Ocean
from ocean.core.addresses import address_of_folder, address_of_record
from ocean.core.drop import Drop
from ocean.core.payloads import loads
from ocean.core.push import told_of
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.access import reading
from ocean.services.live.vapid import sealed, unwrapped
from ocean.services.pages.places import url_of
from ocean.store import browsers
from ocean.store.browsers import Browser
from ocean.store.hooks import DONE, FAILED, PUSH, Delivery, Hook, Outcome
from ocean.store.reader import now

log = logging.getLogger("ocean.push")
AT_ONCE = 3  # browsers of a key that are sent to side by side
GONE = (404, 410)  # what a push service says of a browser that is no more (RFC 8030)


async def attempt(ocean: Ocean, delivery: Delivery, hook: Hook | None) -> Outcome:
    """Sends it once to each browser of the key; what came of it."""
    owner = hook.owner if hook is not None else delivery.url.removeprefix(PUSH)
    text = delivery.body if hook is None else await _told(ocean, delivery, hook)
    if text is None:
        return _ended(delivery, None, "It is no longer there, or no longer yours to read.", None)
    targets = await browsers.browsers_of(ocean.engine, owner)
    if not targets:
        return _ended(delivery, None, "No browser of that key is subscribed.", None)
    if not ocean.settings["OCEAN_PUSH_CONTACT"]:
        return _ended(delivery, None, "The operator has not named a contact: OCEAN_PUSH_CONTACT.", None)
    started = time.monotonic()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(browser: Browser) -> tuple[int | None, str]:
        async with room:
            return await _send(ocean, browser, text)

    found = await asyncio.gather(*map(one, targets))
    gone = [browser.id for browser, (status, _) in zip(targets, found, strict=True) if status in GONE]
    if gone:
        await ocean.engine.transact(browsers.removed(gone), small=True, quiet=True)
    took = round((time.monotonic() - started) * 1000)
    best = min(found, key=lambda answer: answer[1] != "")
    return _ended(delivery, best[0], best[1], took)


def _ended(delivery: Delivery, status: int | None, error: str, took: int | None) -> Outcome:
    return Outcome(FAILED if error else DONE, delivery.attempts + 1, status, error, took, delivery.due_at, now())


async def _send(ocean: Ocean, browser: Browser, text: str) -> tuple[int | None, str]:
    """The push service's status, and what was wrong."""
    try:
        target = unwrapped(ocean.master, browser.owner, browser.target)
    except ValueError:
        return None, "The server can't read where the browser is: its master key is another."
    try:
        body, headers = await asyncio.to_thread(sealed, ocean.master, ocean.settings["OCEAN_PUSH_CONTACT"], target, text, time.time())
    except Exception as fault:  # of others' code: whatever it is, it concerns this browser alone
        log.warning("a message for the browser %s could not be sealed: %r", browser.id, fault)
        return None, "It could not be sealed with the keys that the browser gave."
    try:
        status = (await ocean.egress.post(target["endpoint"], body, headers)).status
    except EgressError as fault:
        return None, str(fault)
    except OceanError as fault:
        return None, fault.message
    return status, "" if 200 <= status < 300 else f"The push service answered {status}."


async def _told(ocean: Ocean, delivery: Delivery, hook: Hook) -> str | None:
    """What is told of a record that was saved; None where there is nothing to tell any more."""
    owner = Caller(hook.owner)
    async for drop in ocean.reader.at([delivery.place]):
        if not drop.removal and reading.may_hear(owner, drop, await ocean.reader.rules(drop.route), now()):
            found = told_of(drop.route, None if await reading.gated(ocean, owner, drop) else loads(drop.body()), await _page(ocean, drop))
            return orjson.dumps(found).decode()
    return None


async def _page(ocean: Ocean, drop: Drop) -> str:
    return await url_of(ocean, drop.route, address_of_record(drop.route, drop.key) if drop.key else address_of_folder(drop.route))
