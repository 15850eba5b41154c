"""Hooks: an address of another host that is called when what lies in a folder changes.

What is sent follows Standard Webhooks (standardwebhooks.com): `webhook-id`, stable however often it is sent; `webhook-timestamp`; and
where the hook has a secret `webhook-signature`, `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson
import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.core.filters import condition_of, filter_of
from ocean.core.routes import check_prefix, check_route
from ocean.core.webhooks import secret_bytes, signature
from ocean.errors import OceanError
from ocean.services.access.reading import require_read
from ocean.services.data import writing
from ocean.services.live import targets
from ocean.store import hooks
from ocean.store.hooks import Delivery, Hook
from ocean.store.query.logical import predicate, tests_of
from ocean.store.query.lower import Lowering, in_record
from ocean.store.reader import now

MAX_HOOKS = 100  # of one key
MAX_RETRIES = 7
MAX_TESTS = 20  # of a filter,
MAX_MATCHES = 3  # of them expressions that are matched
MAX_FILTER = 4096  # characters
MAX_SECRET = 256
MAX_SHOWN = 100


async def create(
    ocean: Ocean, caller: Caller, *, prefix: str, url: str, secret: str | None = None, where: Any = None, filter: Any = None,
    active: bool = True, retries: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """A hook on a folder and all beneath. Raises INVALID_VALUE, INVALID_ROUTE, FORBIDDEN, LIMIT_REACHED."""
    owner = caller.required("A hook needs a key.")
    route = check_route(check_prefix(prefix)[0])
    await require_read(ocean, caller, route, "stream")
    made = Hook(str(uuid_utils.uuid7()), owner, route, "", "", int(active), 0, "", now(), 0)
    asked = filter if filter is not None else filter_of(where) if where is not None else None
    made = made._replace(**_checked(ocean, made.id, url=url, secret=secret, filter=asked, retries=retries))
    full = OceanError("LIMIT_REACHED", f"One key has at most {MAX_HOOKS} hooks.", "Delete those that you need no more: webhook delete.")
    return await writing.change(ocean, caller, hooks.added(made, MAX_HOOKS, full), lambda: shown(made))


async def change(ocean: Ocean, caller: Caller, *, id: str, **news: Any) -> dict[str, Any]:
    """Gives a hook another `url`, `secret`, `filter`, `retries` or `active`. Raises NOT_FOUND."""
    found = await _own(ocean, caller, id)
    values = _checked(ocean, found.id, **news)
    if values:
        await ocean.log.transact(hooks.changed(found.id, values))
    return shown(await _own(ocean, caller, id))


def _checked(ocean: Ocean, id_: str, **news: Any) -> dict[str, Any]:
    """What was given, as columns, each checked."""
    url, secret, filter_, retries, active = (news.get(name) for name in ("url", "secret", "filter", "retries", "active"))
    values: dict[str, Any] = {}
    if url is not None:
        values["url"] = targets.target(ocean, url)
        if secret and values["url"].startswith(targets.RUN):
            raise OceanError("INVALID_VALUE", "A function here is called without a signature.", "Leave the secret out.")
    if secret is not None:
        values["secret"] = ocean.master.wrap(_secret(secret), id_) if secret else ""
    if filter_ is not None:
        condition = condition_of(filter_)
        if sum(1 for _ in tests_of(condition)) > MAX_TESTS:
            raise OceanError("INVALID_VALUE", f"A hook's filter has at most {MAX_TESTS} comparisons: it is asked of every change.")
        if sum(test.operator == "matches" for test in tests_of(condition)) > MAX_MATCHES:
            raise OceanError("INVALID_VALUE", f"A hook's filter has at most {MAX_MATCHES} expressions: it is asked of every change.")
        Lowering(ocean.engine.dialect, in_record).condition(predicate(condition))  # what is refused is refused here
        values["condition"] = orjson.dumps(filter_).decode()
        if len(values["condition"]) > MAX_FILTER:
            raise OceanError("INVALID_VALUE", f"A hook's filter has at most {MAX_FILTER} characters: it is asked of every change.")
    if retries is not None:
        if not 0 <= retries <= MAX_RETRIES:
            raise OceanError("INVALID_VALUE", f"A delivery is tried again 0 to {MAX_RETRIES} times.")
        values["retries"] = retries
    return {**values, "active": int(active)} if active is not None else values


def _secret(text: str) -> str:
    if len(text) > MAX_SECRET:
        raise OceanError("INVALID_VALUE", f"A hook's secret has at most {MAX_SECRET} characters.")
    try:
        secret_bytes(text)
    except ValueError as fault:
        raise OceanError("INVALID_VALUE", f"The secret can't be used: {fault}.") from None
    return text


def headers(delivery: str, timestamp: int, body: bytes, secret: str | None) -> dict[str, str]:
    """Of a delivery; `timestamp` in seconds."""
    found = {"content-type": "application/json", "webhook-id": delivery, "webhook-timestamp": str(timestamp)}
    if secret:
        signed = signature(secret_bytes(secret), f"{delivery}.{timestamp}.".encode() + body)
        found["webhook-signature"] = "v1," + base64.b64encode(signed).decode()
    return found


async def list_(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's hooks; a secret is never shown again."""
    found = [shown(hook) for hook in await hooks.hooks_of(ocean.engine, caller.required("Hooks are their owner's."))]
    return {"hooks": found, "count": len(found)}


async def delete(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """Takes a hook away, with what waits to be sent to it. Raises NOT_FOUND."""
    found = await _own(ocean, caller, id)
    await ocean.log.transact(hooks.removed(found.id))
    return {"deleted": True, "id": found.id}


async def deliveries(ocean: Ocean, caller: Caller, *, id: str, limit: int = MAX_SHOWN, before: str | None = None) -> dict[str, Any]:
    """What was sent to a hook and what came of it, newest first."""
    found = await _own(ocean, caller, id)
    if not 0 < limit <= MAX_SHOWN:
        raise OceanError("INVALID_VALUE", f"limit is 1 to {MAX_SHOWN}.")
    place = 2**62
    if before is not None:
        last = await hooks.delivery(ocean.engine, before)
        if last is None or last.queue != found.id:
            raise OceanError("NOT_FOUND", f"The hook has no delivery {before[:60]!r}.")
        place = last.place
    rows = await hooks.deliveries(ocean.engine, found.id, limit, place)
    answer: dict[str, Any] = {"deliveries": [_shown(row) for row in rows]}
    return {**answer, "next_before": rows[-1].id} if len(rows) == limit else answer


async def replay(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """Sends a delivery once more, under the same id. Raises NOT_FOUND; CONFLICT where it still waits, or its content is not kept."""
    owner = caller.required("Deliveries are their owner's.")
    found = await hooks.delivery(ocean.engine, id)
    if found is None or found.owner != owner:
        raise OceanError("NOT_FOUND", f"There is no delivery {id[:60]!r} of yours.")
    if found.state == hooks.WAITING:
        raise OceanError("CONFLICT", "The delivery waits to be sent already.")
    if found.url:
        raise OceanError("CONFLICT", "What was sent once, by 'then call' or 'push send', is not kept.", "Run the statement again.")
    await ocean.log.transact(hooks.again(found.id, now()))
    ocean.log.wake()
    return {"id": found.id, "state": hooks.WAITING}


async def _own(ocean: Ocean, caller: Caller, id_: str) -> Hook:
    owner = caller.required("Hooks are their owner's.")
    found = await hooks.hook(ocean.engine, id_)
    if found is None or found.owner != owner or found.url == hooks.PUSH:
        raise OceanError("NOT_FOUND", f"There is no hook {id_[:60]!r} of yours.", "webhooks lists them.")
    return found


def shown(hook: Hook) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": hook.id, "prefix": hook.prefix, "url": hook.url, "active": bool(hook.active), "signed": bool(hook.secret),
        "retries": hook.retries, "created_at": show_time(hook.created_at),
    }  # fmt: skip
    return {**answer, "filter": orjson.loads(hook.condition)} if hook.condition else answer


def _shown(row: Delivery) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": row.id,
        "route": row.route,
        "state": row.state,
        "attempts": row.attempts,
        "created_at": show_time(row.created_at),
    }
    more = {
        "status": row.status, "error": row.error or None, "ms": row.took, "done_at": show_time(row.done_at) if row.done_at else None,
        "due_at": show_time(row.due_at) if row.state == hooks.WAITING else None,
    }  # fmt: skip
    return answer | {name: value for name, value in more.items() if value is not None}
