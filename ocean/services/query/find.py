"""find: conditions, joins, groups and pipes over a folder's live entities and unexpired events."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Sequence
from typing import Any

import orjson

from grammar import Stage
from grammar.conditions import Condition
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.kept import DEAR
from ocean.services.query.question import ask
from ocean.services.query.scope import check_page
from ocean.store.query.pipeline import Pick
from ocean.store.reader import now

Grouping = dict[str, Any]


async def find(
    ocean: Ocean, caller: Caller, *, prefix: str, joins: list[dict[str, Any]] | None = None, where: Condition | None = None,
    group: Grouping | None = None, having: Condition | None = None, sort: list[dict[str, Any]] | None = None, limit: int | None = None,
    skip: int = 0, pick: list[Pick] | None = None, after: str | None = None, counted: bool = False,
    resolve: bool = False, pipe: Sequence[Stage] = (),
) -> dict[str, Any]:  # fmt: skip
    """Records that match, or after join, group or pick flat rows; `counted`, or a last stage `count`, gives their number alone.

    `resolve`: with their embeds, one deep. `truncated`: there are more rows than are shown where nobody says how many.
    """
    started = time.perf_counter()
    stages = clauses(where, group, having, sort, limit, skip, pick)
    if counted:
        stages = [stage for stage in stages if stage.name not in ("limit", "sort")] + [Stage("count", {})]
    stages += pipe
    asked = hashlib.blake2b(repr((caller.key, prefix, joins, stages, after)).encode(), digest_size=32).digest()
    (_, revision), moment = await ocean.reader.head(), now()
    answer = None if resolve else ocean.kept.get(asked, revision, moment)
    if answer is None:
        answer = await _answer(ocean, caller, prefix, joins or [], stages, after, embeds=int(resolve))
        if not resolve and time.perf_counter() - started > DEAR:  # whatever moved meanwhile, this is of then or later: the next look tells
            with contextlib.suppress(TypeError):  # whole numbers beyond 64 bits have no quick measure: then it is asked again
                ocean.kept.put(asked, revision, await ocean.reader.next_expiry(moment), len(orjson.dumps(answer)), answer)
    if "results" in answer:
        answer = {**answer, "time_ms": round((time.perf_counter() - started) * 1000, 2)}
    return answer


async def _answer(
    ocean: Ocean, caller: Caller, prefix: str, joins: list[dict[str, Any]], stages: list[Stage], after: str | None, *, embeds: int
) -> dict[str, Any]:  # fmt: skip
    question = await ask(ocean, caller, prefix, joins, stages, after)
    if question.counts:
        ((total,),) = await question.run(ocean, caller)
        return {"count": int(total)}
    results, cursor = await question.results(ocean, caller, embeds=embeds)
    answer = {"results": results, "count": len(results), "time_ms": 0.0}
    if question.truncated:
        answer["truncated"] = True  # nobody said how many rows, and there are more
    return {**answer, "next_cursor": cursor} if cursor else answer


def stages_of(args: dict[str, Any]) -> list[Stage]:
    """The clauses of a find, given by name, as stages."""
    named = {name: args.get(name) for name in ("where", "group", "having", "sort", "limit", "pick")}
    return clauses(**named, skip=args.get("skip") or 0)


def clauses(
    where: Condition | None, group: Grouping | None, having: Condition | None, sort: list[dict[str, Any]] | None, limit: int | None,
    skip: int, pick: list[Pick] | None,
) -> list[Stage]:  # fmt: skip
    """The clauses of a find as stages, in the order that they have whatever order they are written in."""
    if having is not None and group is None:
        raise OceanError("INVALID_VALUE", "'having' is a condition on groups.", "Say by what: group category having count > 1.")
    if limit is not None:
        check_page(limit, skip)
    found: list[tuple[str, dict[str, Any]]] = [
        ("where", {"where": where}), ("group", {"group": group}), ("where", {"where": having}), ("sort", {"sort": sort}),
        ("skip", {"n": skip or None}), ("limit", {"n": limit}), ("pick", {"pick": pick}),
    ]  # fmt: skip
    return [Stage(name, args) for name, args in found if next(iter(args.values())) is not None]
