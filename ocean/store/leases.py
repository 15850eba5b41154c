"""Leases: what one process does at a time, and how far it is. Whoever holds one has its fencing number, which only grows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import uuid_utils

from ocean.store.engine import Engine, Step, Steps
from ocean.store.reader import now


@dataclass(frozen=True, slots=True)
class Lease:
    """`position` is how far in the log the work is done; `until` in milliseconds."""

    name: str
    fence: int
    position: int
    until: int


class LostLeaseError(Exception):
    """Another process has it by now."""


async def hold(engine: Engine, name: str, holder: str, seconds: float, position: int) -> Lease | None:
    """Takes the lease, or holds it longer; None while another has it, which is only looked at. `position` is how far the holder is, or,
    for a lease that nobody ever had, where the work begins."""
    rows = await engine.rows("SELECT holder, until FROM lease WHERE name = ?", (name,))
    if rows and rows[0][0] != holder and rows[0][1] > now():
        return None
    found: list[Lease] = []
    await engine.transact(_hold(name, holder, int(seconds * 1000), position, found), small=True, quiet=True)
    return found[0] if found else None


def _hold(name: str, holder: str, length: int, position: int, found: list[Lease]) -> Steps:
    moment = now()
    new = (name, "", position)
    yield Step("INSERT INTO lease (name, holder, fence, until, position) VALUES (?,?,0,0,?) ON CONFLICT (name) DO NOTHING", [new])
    ((who, fence, until, at),) = yield Step("SELECT holder, fence, until, position FROM lease WHERE name = ?", [(name,)], reads=True)
    if who != holder and until > moment:
        return
    kept = who == holder and until > moment
    fence, at = (fence, max(at, position)) if kept else (fence + 1, at)  # of one that was lost only what is written down is known
    taken = yield Step(
        "UPDATE lease SET holder = ?, fence = ?, until = ?, position = ? WHERE name = ? AND (holder = ? OR until <= ?) RETURNING position",
        [(holder, fence, moment + length, at, name, holder, moment)], reads=True,
    )  # fmt: skip
    if taken:
        found.append(Lease(name, fence, at, moment + length))


def moves(lease: Lease, position: int) -> Steps:
    """Steps that note how far the work is. Raise LostLeaseError, and so undo what is done in the same transaction."""
    moved = yield Step(
        "UPDATE lease SET position = ? WHERE name = ? AND fence = ? RETURNING position", [(position, lease.name, lease.fence)], reads=True
    )
    if not moved:
        raise LostLeaseError


def holds(lease: Lease) -> Steps:
    """The same for what moves nothing."""
    held = yield Step(
        "UPDATE lease SET fence = fence WHERE name = ? AND fence = ? RETURNING fence", [(lease.name, lease.fence)], reads=True
    )
    if not held:
        raise LostLeaseError


async def release(engine: Engine, lease: Lease) -> None:
    """Lets it go, for another to take at once."""
    await engine.transact(_release(lease), small=True, quiet=True)


def _release(lease: Lease) -> Steps:
    yield Step("UPDATE lease SET until = 0, position = ? WHERE name = ? AND fence = ?", [(lease.position, lease.name, lease.fence)])


class Tenure:
    """A lease as one process has it: taken when it is free, and held for longer when a third of its time is over. For work without a
    position."""

    def __init__(self, engine: Engine, name: str, seconds: float) -> None:
        self._engine = engine
        self._name = name
        self._seconds = seconds
        self._me = str(uuid_utils.uuid7())
        self._lease: Lease | None = None

    async def hold(self) -> Lease | None:
        """None while another process has it."""
        if self._lease is None or self._lease.until <= now() + self._seconds * 1000 * 2 / 3:
            self._lease = await hold(self._engine, self._name, self._me, self._seconds, 0)
        return self._lease

    @property
    def lease(self) -> Lease:
        """What it holds. Raises LostLeaseError."""
        if self._lease is None:
            raise LostLeaseError
        return self._lease

    def moved(self, position: int) -> None:
        """The work is as far as this."""
        if self._lease is not None:
            self._lease = replace(self._lease, position=position)

    async def leave(self) -> None:
        if self._lease is not None:
            await release(self._engine, self._lease)
            self._lease = None
