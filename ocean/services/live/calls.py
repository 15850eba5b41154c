"""`then call`: each result of a find is sent to an address, once; all queued or none. Nothing is signed: there is no secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from ocean import causes
from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.data.writing import change
from ocean.services.live.deliveries import MAX_WAITING
from ocean.services.live.targets import RUN, burdened, target
from ocean.store import hooks
from ocean.store.engine import Steps
from ocean.store.hooks import WAITING, Delivery
from ocean.store.reader import now

MAX_BODIES = 16 * 1024 * 1024  # characters of one statement's


async def call(ocean: Ocean, caller: Caller, url: str, payloads: list[Any]) -> list[str]:
    """Queues a call of `url` for each payload; their ids. Raises INVALID_VALUE, LIMIT_REACHED."""
    owner = caller.required("Calling others needs a key.")
    address = target(ocean, url)
    moment = now()
    bodies = [orjson.dumps({"type": "record.called", "timestamp": show_time(moment), "data": payload}).decode() for payload in payloads]
    if sum(map(len, bodies)) > MAX_BODIES:
        raise OceanError("LIMIT_REACHED", f"What is sent together has at most {MAX_BODIES // 2**20} MB.", "Send it in parts.")
    return await queue(ocean, caller, [(f"{owner} {burdened(address, RUN)}", address, bodies)])


async def queue(ocean: Ocean, caller: Caller, batches: Sequence[tuple[str, str, list[str]]]) -> list[str]:
    """Puts bodies into queues, `(queue, address, bodies)` each, in order, all or none; their ids. Raises LIMIT_REACHED."""
    owner = caller.required("What is sent has a sender.")
    ids: list[str] = []
    hops = causes.hops() if any(url.startswith(RUN) for _, url, _ in batches) else None

    def steps() -> Steps:
        for name, url, bodies in batches:
            yield from _called(name, owner, url, bodies, hops, ids)

    return list((await change(ocean, caller, steps(), lambda: {"ids": ids}))["ids"])


def _called(queue: str, owner: str, url: str, bodies: list[str], hops: int | None, ids: list[str]) -> Steps:
    moment = now()
    last = yield from hooks.last_place(queue, owner, MAX_WAITING, len(bodies))
    rows = []
    for i, body in enumerate(bodies, last + 1):
        id_ = hooks.delivery_id(queue, i)
        ids.append(id_)
        rows.append(Delivery(id_, queue, i, owner, "", url, body, WAITING, 0, None, "", None, moment, moment, None, hops))
    yield from hooks.put(rows)
