"""Records: save, get, list, update, remove, bulk, counters, history."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import money, payloads
from ocean.core.changes import Op, missing
from ocean.core.drop import REMOVED, UNPUBLISHED, Drop, Price, read_time
from ocean.core.patterns import PATTERNS
from ocean.core.routes import check_key, check_route
from ocean.core.searched import check_vector
from ocean.errors import OceanError
from ocean.services.access.reading import all_shown, gated, may_see, require, stub
from ocean.services.data.embeds import Look, check_depth
from ocean.services.data.writing import write
from ocean.services.live import broadcasts
from ocean.services.money.purchases import read_or_pay
from ocean.services.query.folders import entities
from ocean.store.engine import SCAN_BYTES
from ocean.store.reader import now

MAX_TTL = 100 * 365 * 86400
MAX_BULK = 10_000


async def save(
    ocean: Ocean, caller: Caller, *, route: str, payload: Any, key: str | None = None, ttl: int | None = None,
    price: float | None = None, price_per_read: float | None = None, public: bool = False, if_match: str | None = None,
    if_none_match: bool = False, vector: list[Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Appends a drop: an event, or a new version of the record `key`; in a folder that is a stream, tells who listens instead.

    `vector` is what the record is found by in searches, kept as the field `vector` of its payload. Raises INVALID_VECTOR.
    """
    if vector is not None:
        payload = _with_vector(payload, vector)
    op = save_op(route, key, payload, ttl, price, price_per_read, public)
    if await ocean.reader.stream(op.route) is not None:
        if ttl is not None or not op.price.free or public or if_match is not None or if_none_match:
            raise OceanError("INVALID_VALUE", f"The folder {op.route!r} is a stream: a message has no time to live, price or condition.")
        return await broadcasts.publish(ocean, caller, route=op.route, key=op.key, payload=payload)
    op.if_match, op.if_none_match = if_match, if_none_match
    (result,) = await write(ocean, caller, [op])
    return {**result, **await _unknown_pattern(ocean, payload)} if isinstance(payload, dict) and "pattern" in payload else result


async def _unknown_pattern(ocean: Ocean, payload: dict[str, Any]) -> dict[str, str]:
    """A warning where a record names a pattern that there is not: a field may be called so, but it may also be a slip."""
    name = payload["pattern"]
    if not isinstance(name, str):
        return {}
    try:
        drop = (await ocean.reader.look(PATTERNS, check_key(name))).drop
    except OceanError:
        drop = None
    if drop is not None and drop.live(now()):
        return {}
    return {"warning": f"There is no pattern {name[:60]!r}: nothing checks or draws this record by it. patterns lists those there are."}


def _with_vector(payload: Any, vector: list[Any]) -> dict[str, Any]:
    check_vector(vector)
    if not isinstance(payload, dict) or "vector" in payload:
        raise OceanError("INVALID_VECTOR", "A vector stands beside a payload that is an object, and has no 'vector' itself.")
    return {**payload, "vector": vector}


def save_op(
    route: str, key: str | None, payload: Any, ttl: int | None = None, price: float | None = None, per_read: float | None = None,
    public: bool = False,
) -> Op:  # fmt: skip
    """The checked op of a save."""
    if ttl is not None and not 0 < ttl <= MAX_TTL:
        raise OceanError("INVALID_VALUE", f"A record can't be kept {ttl} seconds.", "Give a positive number of seconds.")
    once = money.price_of(price) if price is not None else None
    read = money.price_of(per_read, "price per read") if per_read is not None else None
    return Op(
        "save", check_route(route), check_key(key) if key is not None else None, payloads.encode(payload),
        ttl=ttl, price=Price(once, read), public=public,
    )  # fmt: skip


async def update(
    ocean: Ocean, caller: Caller, *, route: str, key: str, changes: dict[str, Any], if_match: str | None = None
) -> dict[str, Any]:
    """Merges fields into a record, one level deep; null removes a field. Who may not read it is not told what it holds."""
    route, key = check_route(route), check_key(key)
    (result,) = await write(ocean, caller, [Op("update", route, key, changes=_fields(changes), if_match=if_match)])
    return result if await _read_or_pay(ocean, caller, route, key) else without(result, "payload")


async def _read_or_pay(ocean: Ocean, caller: Caller, route: str, key: str) -> bool:
    found = await ocean.reader.look(route, key)
    return found.drop is not None and may_see(caller, found.drop, "entity", found.rules) and not await gated(ocean, caller, found.drop)


def without(result: dict[str, Any], name: str) -> dict[str, Any]:
    return {k: v for k, v in result.items() if k != name} if name in result else result


async def remove(ocean: Ocean, caller: Caller, *, route: str, key: str, if_match: str | None = None) -> dict[str, Any]:
    """Appends a tombstone. The record's page stays up in its last live version."""
    (result,) = await write(ocean, caller, [Op("remove", check_route(route), check_key(key), if_match=if_match)])
    return result


async def add(ocean: Ocean, caller: Caller, *, route: str, key: str, field: str, by: int) -> dict[str, Any]:
    """Moves a counter by a whole number."""
    if not field or len(field) > 200 or "." in field or "\x00" in field:
        raise OceanError("INVALID_VALUE", f"{field[:60]!r} can't name a counter.")
    if abs(by) > 2**53:
        raise OceanError("INVALID_VALUE", "A counter moves by at most 2^53.")
    route, key = check_route(route), check_key(key)
    (result,) = await write(ocean, caller, [Op("add", route, key, counter=field, by=by)])
    return result if await _read_or_pay(ocean, caller, route, key) else without(result, "value")


async def subtract(ocean: Ocean, caller: Caller, *, route: str, key: str, field: str, by: int) -> dict[str, Any]:
    """Moves a counter down."""
    return await add(ocean, caller, route=route, key=key, field=field, by=-by)


async def bulk(ocean: Ocean, caller: Caller, *, ops: list[dict[str, Any]], brief: bool = False) -> dict[str, Any]:
    """Several changes, all or nothing: a result for each, or with `brief` their number."""
    if not ops or len(ops) > MAX_BULK:
        raise OceanError("INVALID_VALUE", f"A bulk has 1 to {MAX_BULK} operations.")
    planned: list[Op] = []
    for index, op in enumerate(ops):
        try:
            planned.append(_bulk_op(op))
        except OceanError as fault:
            fault.details["index"] = index
            raise
    results = await write(ocean, caller, planned, brief=brief)
    return results[0] if brief else {"results": [without(result, "payload") for result in results]}


_OP_FIELDS = frozenset(("op", "route", "key", "payload", "ttl", "price", "price_per_read", "public"))


def _bulk_op(op: Any) -> Op:
    if not isinstance(op, dict):
        raise OceanError("INVALID_VALUE", "An operation of a bulk is an object.")
    if not op.keys() <= _OP_FIELDS:
        raise OceanError(
            "UNKNOWN_FIELD",
            f"A bulk operation has no field {min(op.keys() - _OP_FIELDS)[:60]!r}.",
            f"It has {', '.join(sorted(_OP_FIELDS))}; an update's changes are its payload.",
        )
    kind, route, key = op.get("op", "save"), op.get("route"), op.get("key")
    if kind == "save":
        if "payload" not in op:
            raise OceanError("INVALID_PAYLOAD", "A save in a bulk has no payload.")
        ttl, price, per_read = op.get("ttl"), op.get("price"), op.get("price_per_read")
        if not isinstance(op.get("public", False), bool):
            raise OceanError("INVALID_VALUE", "'public' is true or false.")
        if not isinstance(ttl, int | None) or isinstance(ttl, bool):
            raise OceanError("INVALID_VALUE", "ttl is a number.")
        return save_op(route, key, op["payload"], ttl, price, per_read, op.get("public") is True)  # type: ignore[arg-type]
    if kind == "update":
        return Op("update", check_route(route), check_key(key), changes=_fields(op.get("payload")))
    if kind in ("remove", "unpublish"):
        return Op(kind, check_route(route), check_key(key))
    raise OceanError("INVALID_VALUE", f"A bulk has no operation {str(kind)[:40]!r}.", "save, update, remove, unpublish.")


def _fields(changes: Any) -> dict[str, Any]:
    if not isinstance(changes, dict) or not changes:
        raise OceanError("INVALID_PAYLOAD", "An update is an object with the fields to change.")
    payloads.encode(changes)
    return changes


async def get(
    ocean: Ocean, caller: Caller, *, route: str, key: str, at: str | None = None, history: bool = False, embed_depth: int | None = None,
    resolve: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """The record as it is, as it was at a time, or all its versions, newest first; its embeds resolved `embed_depth` deep (1)."""
    depth = check_depth(embed_depth, resolve)
    route, key = check_route(route), check_key(key)
    found = await ocean.reader.look(route, key)
    verdict = require(caller, route, "entity", found.rules)
    if verdict == "own" and (caller.key is None or found.owner != caller.key):
        raise missing(route, key)
    if history:
        moment = now()
        async with ocean.turns.of(*caller.holders):
            versions = await ocean.reader.history(route, key, 1000)
        drops = [d for d in versions if d.payload is not None and not d.expired(moment)]
        if not drops:
            raise missing(route, key)
        return {"versions": await all_shown(ocean, caller, drops)}
    drop = found.drop
    if at is not None:
        drop = await ocean.reader.entity_at(route, key, await ocean.reader.position_at(read_time(at)))
    there = _live(drop, route, key)
    return await Look(ocean, caller).record(there, there.to_json() if await read_or_pay(ocean, caller, there) else stub(there), depth)


def _live(drop: Drop | None, route: str, key: str) -> Drop:
    """The drop, if it is there for a reader. Raises NOT_FOUND or DELETED."""
    if drop is None or not drop.live(now()):
        raise missing(route, key, drop is not None and drop.kind in (REMOVED, UNPUBLISHED))
    return drop


async def list_(ocean: Ocean, caller: Caller, *, route: str, limit: int = 100, cursor: str | None = None) -> dict[str, Any]:
    """The folder's live entities, in the order they were written."""
    route = check_route(route)
    after = 0
    if cursor is not None:
        if not cursor.isdigit() or not cursor.isascii() or len(cursor) > 18:
            raise OceanError("INVALID_VALUE", "The cursor is not one that a list gave.")
        after = int(cursor)
    drops = await entities(ocean, caller, route, limit, after)
    answer: dict[str, Any] = {"entities": await all_shown(ocean, caller, drops)}
    if len(drops) == limit or sum(len(d.payload or "") for d in drops) > SCAN_BYTES // 4:  # it may have been cut short
        answer["next_cursor"] = str(drops[-1].seq)
    return answer
