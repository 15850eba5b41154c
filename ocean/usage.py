"""Which fields are asked for: what a process remembers, to make indexes by."""

from __future__ import annotations

from collections import Counter


class Usage:
    """Questions by folder and field since the last look, and the indexes that answered."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.used: set[int] = set()

    def note(self, route: str, field: str) -> None:
        if len(self.asked) < 10_000:
            self.asked[route, field] += 1
