"""What runs inside what: a function that a function calls, and a function that is called by what a function wrote."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

MAX_HOPS = 8  # writes in a row that functions make of each other's writes
MAX_KNOWN = 20_000  # drops of which it is known


@dataclass(frozen=True, slots=True)
class Within:
    """`until` in seconds of the loop's clock; `depth` counts functions that wait for each other, `hops` writes behind each other."""

    until: float
    depth: int = 0
    hops: int = 0


WITHIN: ContextVar[Within | None] = ContextVar("within", default=None)  # of what a function asks for, while it is answered


class Causes:
    """How many functions' writes stand behind a drop, of the newest; in the memory of the process that runs them."""

    def __init__(self) -> None:
        self._hops: OrderedDict[str, int] = OrderedDict()

    def wrote(self, drops: Iterable[str]) -> None:
        """Notes what is written now, where it is by a function that a write has called."""
        inside = WITHIN.get()
        if inside is None or not inside.hops:
            return
        for drop in drops:
            self._hops[drop] = inside.hops
        while len(self._hops) > MAX_KNOWN:
            self._hops.popitem(last=False)

    def behind(self, drop: str) -> int:
        return self._hops.get(drop, 0)
