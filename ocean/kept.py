"""Answers to questions that were dear to find, kept for as long as nothing at all has moved."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

BYTES = 32 * 1024 * 1024
LARGEST = 256 * 1024  # bytes of one answer
_BESIDE = 500  # bytes that an answer takes beside its own
DEAR = 0.002  # seconds: what took less is asked again


class Kept:
    """Answers by question and asker. One stands while the log's revision is the same, and nothing has expired since."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, tuple[int, int, int, Any]] = OrderedDict()  # revision, until when, bytes, answer
        self._size = 0

    def get(self, question: Hashable, revision: int, now: int) -> Any | None:
        found = self._answers.get(question)
        if found is None or found[0] != revision or found[1] <= now:
            return None
        self._answers.move_to_end(question)
        return found[3]

    def put(self, question: Hashable, revision: int, until: int, size: int, answer: Any) -> None:
        if size > LARGEST:
            return
        size += _BESIDE
        before = self._answers.pop(question, None)
        self._size += size - (before[2] if before else 0)
        self._answers[question] = (revision, until, size, answer)
        while self._size > BYTES:
            _, (_, _, dropped, _) = self._answers.popitem(last=False)
            self._size -= dropped
