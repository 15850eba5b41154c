"""The messages of a folder in order of time, as many as a query looks through."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from grammar.conditions import Condition
from ocean.services.mail.jmap.protocol import Turn
from ocean.services.query.find import find
from ocean.services.query.scope import MAX_LIMIT
from ocean.store.query.pipeline import Pick

MOST = 20_000  # messages that a query looks through
_PICKED: list[Pick] = ["key", "created_at", "thread"]


class Row(NamedTuple):
    created_at: str
    route: str
    key: str
    thread: str


def firsts(found: list[Row]) -> list[Row]:
    """The first message of each conversation."""
    by_thread: dict[str, Row] = {}
    for row in found:
        by_thread.setdefault(row.thread, row)
    return list(by_thread.values())


class Walk:
    """The messages of one folder that match."""

    def __init__(self, turn: Turn, route: str, where: Condition | None, *, ascending: bool) -> None:
        self._turn, self._route, self._where = turn, route, where
        self._sort = [{"field": "created_at", "descending": not ascending}]

    async def rows(self, wanted: int, *, collapse: bool) -> list[Row]:
        """So many of them, or messages of so many conversations; one page of `find` after another."""
        found: list[Row] = []
        threads: set[str] = set()
        seen = 0
        while (left := wanted - (len(threads) if collapse else len(found))) > 0 and seen < MOST:
            most = min(MAX_LIMIT, left)
            page = await find(
                self._turn.ocean, self._turn.caller, prefix=self._route, where=self._where, sort=self._sort, limit=most, skip=seen,
                pick=_PICKED,
            )  # fmt: skip
            for one in orjson.loads(orjson.dumps(page["results"])):  # they are written out already
                if one.get("key"):
                    thread = one.get("thread")
                    found.append(Row(one["created_at"], self._route, one["key"], thread if isinstance(thread, str) else one["key"]))
                    threads.add(found[-1].thread)
            seen += page["count"]
            if page["count"] < most:
                break
        return found

    async def count(self) -> int:
        told = await find(self._turn.ocean, self._turn.caller, prefix=self._route, where=self._where, counted=True)
        return int(told["count"])
