"""What runs inside what: a function that a function calls, and a function that is called by what a function did.

`hops` go with what is kept on disk, a delivery or a job. Of what functions write only the newest drops are known, in the memory of the
process that delivers: a loop through a folder is ended wherever it is quick enough to harm.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ocean.errors import OceanError

MAX_DEPTH = 8  # functions that wait for each other
MAX_HOPS = 8  # functions that were called by what another did
MAX_KNOWN = 20_000  # drops of which it is known
EARLIER = 0.1  # seconds by which a function that another waits for has to end before that


@dataclass(frozen=True, slots=True)
class Within:
    """`until` by `time.monotonic`; `depth` counts functions that wait for each other, `hops` those that were called by what one did."""

    until: float
    depth: int = 0
    hops: int = 0

    @classmethod
    def lasting(cls, seconds: float, hops: int = 0) -> Within:
        return cls(time.monotonic() + seconds, 0, hops)

    @property
    def inner(self) -> Within:
        """For what is asked by the function that runs within this."""
        return replace(self, until=self.until - EARLIER, depth=self.depth + 1)

    @property
    def left(self) -> float:
        return max(self.until - time.monotonic(), 0.0)


WITHIN: ContextVar[Within | None] = ContextVar("within", default=None)  # of what a function asks for, while it is answered


def hops() -> int:
    """Of what is queued now, a call or a job. Raises LIMIT_REACHED where functions go on calling each other so."""
    inside = WITHIN.get()
    if inside is None:
        return 0
    if inside.hops >= MAX_HOPS:
        raise loop()
    return inside.hops + 1


def loop() -> OceanError:
    says = f"{MAX_HOPS} functions stand behind this call, each called by what the one before it did: a loop ends here."
    return OceanError("LIMIT_REACHED", says, "Let the function write where no hook on it looks, and queue no run of its own.")


class Causes:
    """How many functions stand behind a drop, of the newest drops that functions wrote."""

    def __init__(self) -> None:
        self._hops: OrderedDict[str, int] = OrderedDict()

    def wrote(self, drops: Iterable[str]) -> None:
        """Notes what is written now, where it is by a function."""
        inside = WITHIN.get()
        if inside is None:
            return
        for drop in drops:
            self._hops[drop] = inside.hops + 1
        while len(self._hops) > MAX_KNOWN:
            self._hops.popitem(last=False)

    def behind(self, drop: str) -> int:
        return self._hops.get(drop, 0)
