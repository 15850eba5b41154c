"""Pipes: a find, and what is done with its results; one that changes data is one atomic bulk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from grammar import Stage
from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.core.drop import Drop
from ocean.core.payloads import dumps, encode, loads, reach
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.automate import functions
from ocean.services.data.records import MAX_BULK, without
from ocean.services.data.writing import write
from ocean.services.live import calls, targets
from ocean.services.mail import outbox, sending
from ocean.services.query.find import find, stages_of
from ocean.services.query.question import Question, ask
from ocean.services.query.scope import MAX_LIMIT

CHANGES = frozenset({"save", "update", "remove"})
ACTIONS = frozenset({*CHANGES, "send email", "run", "call"})


async def run(ocean: Ocean, caller: Caller, args: dict[str, Any], pipe: Sequence[Stage]) -> dict[str, Any]:
    """The find of `args` with its stages; where the last one changes data, `{affected, results}`."""
    last = pipe[-1]
    early = next((stage.name for stage in pipe[:-1] if stage.name in ACTIONS), None)
    if early is not None:
        raise OceanError("INVALID_VALUE", f"'then {early}' is the end of a pipe.", "Put it last.")
    if last.name not in ACTIONS:
        return await find(ocean, caller, **args, pipe=pipe)
    question = await _asked(ocean, caller, args, pipe[:-1])
    if last.name == "save":
        return await _save(ocean, caller, question, last.args)
    if last.name == "call":
        return await _call(ocean, caller, question, last.args)
    if last.name == "run":
        return await _run(ocean, caller, question, last.args)
    if last.name == "send email":
        return await _send(ocean, caller, question, last.args)
    if not question.pipeline.records:
        raise OceanError("INVALID_VALUE", f"'then {last.name}' works on records, not on rows.", "Leave out join, group and pick.")
    drops, _ = await question.drops(ocean, caller)
    if len(drops) > MAX_BULK and last.args.get("dry", False):
        counted = await find(ocean, caller, **args, pipe=[*pipe[:-1], Stage("count", {})])
        return {"affected": counted["count"], "dry": True, "results": [], "most": MAX_BULK}
    return await _change(ocean, caller, _few(drops), last)


async def _asked(ocean: Ocean, caller: Caller, args: dict[str, Any], stages: Sequence[Stage]) -> Question:
    """All that matches: without a limit of its own a change is not cut short at the hundred that a find shows."""
    stages = [*stages_of(args), *stages]
    question = await ask(ocean, caller, args["prefix"], args.get("joins") or [], stages, args.get("after"), all_of_them=MAX_BULK + 1)
    if question.counts:
        raise OceanError("INVALID_VALUE", "A count is a number: there is nothing to change.")
    return question


def _few(found: list[Any]) -> list[Any]:
    if len(found) > MAX_BULK:
        raise OceanError("LIMIT_REACHED", f"More than {MAX_BULK} records match.", f"Do it in parts: then limit {MAX_LIMIT}.")
    return found


async def _change(ocean: Ocean, caller: Caller, drops: list[Drop], stage: Stage) -> dict[str, Any]:
    if stage.name == "update":
        event = next((drop for drop in drops if drop.key is None), None)
        if event is not None:
            raise OceanError("INVALID_VALUE", f"The event {event.drop_id} in {event.route!r} has no key: events are not changed.")
        changes = stage.args["changes"]
        encode(changes)
        ops = [Op("update", drop.route, drop.key, changes=dict(changes), if_match=drop.drop_id) for drop in drops]
    else:
        ops = [Op("remove", drop.route, drop.key, removes=drop.drop_id if drop.key is None else None) for drop in drops]
    return await _done(ocean, caller, ops, dry=stage.args.get("dry", False))


async def _save(ocean: Ocean, caller: Caller, question: Question, args: dict[str, Any]) -> dict[str, Any]:
    """All results as one record where a key is named; else a copy of each in that folder, records under their own keys."""
    route, key = check_route(args["route"]), args.get("key")
    ops: list[Op] = []
    if question.pipeline.records:
        drops = _few((await question.drops(ocean, caller))[0])
        found: list[Any] = [_kept(drop) for drop in drops]
        ops = [Op("save", route, drop.key, drop.body(), ttl=None) for drop in drops]
    else:
        rows, _ = await question.results(ocean, caller)
        found = _plain(_few(rows))
        ops = [Op("save", route, None, dumps(row)) for row in found]
    if key is not None:
        ops = [Op("save", route, check_key(key), encode(found))]
    return await _done(ocean, caller, ops, dry=args.get("dry", False), affected=len(found))


async def _send(ocean: Ocean, caller: Caller, question: Question, args: dict[str, Any]) -> dict[str, Any]:
    """A message for each result, all queued or none."""
    payloads, names = await _fields(ocean, caller, question)
    messages: list[outbox.Message] = []
    for payload, name in zip(_few(payloads), names, strict=True):
        to = args["to"].get("address") or reach(payload, args["to"]["field"])
        if to is None:
            raise OceanError("INVALID_VALUE", f"{name} has no field {args['to']['field'][:60]!r} to send mail to.")
        try:
            messages.append(outbox.Message(to, args["subject"], args["body"]))
        except OceanError as fault:
            fault.message = f"{name}: {fault.message}"
            raise
    answer: dict[str, Any] = {"affected": len(messages), "queued": "message"}
    if args.get("dry", False):
        return {**answer, "dry": True, "results": []}
    sent, left_out = await sending.send_each(ocean, caller, messages)
    told = {**answer, "affected": len(sent), "results": [{"id": one["id"], "to": one["to"][0]} for one in sent]}
    return {**told, "skipped": left_out} if left_out else told


async def _call(ocean: Ocean, caller: Caller, question: Question, args: dict[str, Any]) -> dict[str, Any]:
    """A call for each result, all queued or none."""
    found, _ = await question.results(ocean, caller)
    payloads = _few(found)
    targets.target(ocean, args["url"])
    answer: dict[str, Any] = {"affected": len(payloads), "queued": "call"}
    if args.get("dry", False):
        return {**answer, "dry": True, "results": []}
    ids = await calls.call(ocean, caller, args["url"], payloads) if payloads else []
    return {**answer, "results": [{"id": id_, "url": args["url"]} for id_ in ids]}


async def _run(ocean: Ocean, caller: Caller, question: Question, args: dict[str, Any]) -> dict[str, Any]:
    """A function, once, with all results: `{results, count}`, as a find gives them."""
    found, _ = await question.results(ocean, caller)
    results = _few(found)
    function, outcome = await ocean.functions.run(caller, args["route"], {"results": results, "count": len(results)})
    return functions.shown(caller, function, outcome)


async def _fields(ocean: Ocean, caller: Caller, question: Question) -> tuple[list[Any], list[str]]:
    """What each result holds, and what it is called."""
    if question.pipeline.records:
        drops, _ = await question.drops(ocean, caller)
        return [loads(drop.body()) for drop in drops], [f"The record {drop.key or drop.drop_id!r} in {drop.route!r}" for drop in drops]
    rows, _ = await question.results(ocean, caller)
    return _plain(rows), [f"Row {number}" for number in range(1, len(rows) + 1)]


def _plain(rows: list[Any]) -> list[Any]:
    """Rows as values, whole numbers exact."""
    return [loads(orjson.dumps(row).decode()) if isinstance(row, orjson.Fragment) else row for row in rows]


def _kept(drop: Drop) -> dict[str, Any]:
    """A record as an operation of a bulk would save it again."""
    own = {"key": drop.key} if drop.key is not None else {}
    return {"route": drop.route, **own, "payload": loads(drop.body())}


async def _done(ocean: Ocean, caller: Caller, ops: list[Op], *, dry: bool, affected: int | None = None) -> dict[str, Any]:
    count = len(ops) if affected is None else affected
    if dry:
        return {"affected": count, "dry": True, "results": []}
    results = await write(ocean, caller, ops) if ops else []
    return {"affected": count, "results": [without(result, "payload") for result in results]}
