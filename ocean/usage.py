"""Which fields are asked for, and how the values of indexes are spread: what a process remembers, to make indexes and to choose by."""

from __future__ import annotations

import time
from collections import Counter

from ocean.store.entries import Spread

MOST = 10_000  # fields that are counted at once
MIXED = 600.0  # seconds in which groups for which cells did not do are not made of them
FRESH = 60.0  # seconds that a spread is taken for true, at least
_SHARE = 100  # of its age that a spread may cost


class Usage:
    """Questions by folder and field since the last look, the indexes that answered, and what is known of indexes."""

    def __init__(self) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.used: set[int] = set()
        self.read: Counter[tuple[str, str]] = Counter()  # fields that questions look at, in whatever way
        self.cells: set[tuple[str, str]] = set()  # those of them that have a cell
        self.spreads: dict[int, Spread] = {}
        self.weights: dict[tuple[str, bool], tuple[int, int, int]] = {}  # of folders: as of which place, the largest record, all large ones
        self._mixed: dict[tuple[str, str], float] = {}  # folders and cells that did not do for groups, and when that was
        self.wanted: set[int] = set()  # indexes whose spread is to be looked at

    def note(self, asked: Counter[tuple[str, str]], route: str, field: str) -> None:
        if len(asked) < MOST:
            asked[route, field] += 1

    def note_mixed(self, cells: tuple[str, str]) -> None:
        if len(self._mixed) >= MOST:
            self._mixed.clear()
        self._mixed[cells] = time.monotonic()

    def is_mixed(self, cells: tuple[str, str]) -> bool:
        """Whether a folder's cells did not do for groups a while ago; what is not plain may be gone by now."""
        return time.monotonic() - self._mixed.get(cells, -MIXED) < MIXED

    def look(self, indexes: list[int]) -> dict[int, Spread]:
        """What is known of some indexes; what is not known, or old, is wanted from now on."""
        known = {index: self.spreads[index] for index in indexes if index in self.spreads}
        now = time.monotonic()
        for index in indexes:
            spread = known.get(index)
            if spread is None or now - spread.at > max(FRESH, _SHARE * spread.seconds):
                self.wanted.add(index)
        return known
