"""What a search may find, as the index is told it. The index narrows; whoever asks it still looks at each record by the one predicate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_SEQS = 50_000  # records that one question can be narrowed to


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as it is searched. `id` stays the same over its versions, `seq` is its newest place in the log."""

    id: str
    seq: int
    route: str
    owner: str
    priced: bool
    expires_at: int | None  # milliseconds
    title: str
    text: str
    language: str
    vector: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """A folder and all beneath but for `closed` ones, as `who` may see it; `own`: of theirs alone. `seqs`: those records alone;
    `bought`: of priced records, those that are to be found beside theirs."""

    route: str
    closed: tuple[str, ...]
    who: str | None
    own: bool
    now: int
    seqs: Sequence[int] | None = None
    bought: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    seq: int
    score: float


class DamagedError(Exception):
    """The index can't be read: it is made anew from the log."""
