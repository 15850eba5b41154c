"""Records that were embedded lately: what a process remembers of them."""

from __future__ import annotations

from collections import Counter, OrderedDict

from ocean.core.drop import Drop
from ocean.store.reader import now

KEPT = 300_000  # milliseconds that a source is remembered
_REMEMBERED = 2048


class Sources:
    """Records that were embedded lately, as they were then, and how often each was seen since the last count."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[int, Drop]] = OrderedDict()
        self.views: Counter[tuple[str, str, str]] = Counter()  # (route, key, owner)

    def get(self, route: str, key: str) -> Drop | None:
        found = self._kept.get((route, key))
        return found[1] if found is not None and found[0] > now() else None

    def put(self, drop: Drop) -> None:
        self._kept[drop.route, drop.key or ""] = (now() + KEPT, drop)
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
