"""Drops, records, and the times on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from ocean.core.payloads import dumps, loads, structured
from ocean.errors import OceanError

SAVED, REMOVED, UNPUBLISHED, ACCESS, ERASED, SCHEMA = range(6)  # what a drop is


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def show_time(milliseconds: int) -> str:
    """RFC 3339, UTC, milliseconds."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def show_io(hundredths: int) -> float | int:
    """An amount as JSON shows it: a whole number, or at most two decimals."""
    return hundredths / 100 if hundredths % 100 else hundredths // 100


def read_time(text: object) -> int:
    """Milliseconds since the epoch of an ISO 8601 time. Raises INVALID_VALUE."""
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type]
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND
    except (TypeError, ValueError, OverflowError):
        raise OceanError("INVALID_VALUE", f"{str(text)[:60]!r} is not a time.", "Write 2026-03-10T10:00:00Z.") from None


class Price(NamedTuple):
    """What a record costs who has not written it, in hundredths of an io: `once` for good, `read` at each look."""

    once: int | None = None
    read: int | None = None

    @property
    def free(self) -> bool:
        return self.once is None and self.read is None

    def shown(self) -> dict[str, float | int]:
        """As answers have it: the fields `price` and `price_per_read`, in io."""
        named = (("price", self.once), ("price_per_read", self.read))
        return {name: show_io(hundredths) for name, hundredths in named if hundredths is not None}


FREE = Price()


@dataclass(slots=True)
class Drop:
    """A line of the log as it is read back; `payload` is JSON text, or None once erased; `owner` first wrote the record."""

    seq: int
    drop_id: str
    route: str
    key: str | None
    payload: str | None
    source: str
    owner: str
    created_at: int
    kind: int = SAVED
    version: int | None = None
    expires_at: int | None = None
    once_price: int | None = None
    read_price: int | None = None
    counters: str | None = None

    def expired(self, now: int) -> bool:
        """Whether its time to live is over at `now` (milliseconds)."""
        return self.expires_at is not None and self.expires_at <= now

    @property
    def removal(self) -> bool:
        """Whether it takes a record away: removed, or taken off the web."""
        return self.kind in (REMOVED, UNPUBLISHED)

    def live(self, now: int) -> bool:
        """Whether a reader may find it there: saved, not removed, not erased, not expired."""
        return self.kind == SAVED and self.payload is not None and not self.expired(now)

    def news(self, now: int) -> bool:
        """Whether a stream may tell of it: a saved or removed record that is still there, not a folder's own records."""
        return self.kind not in (ACCESS, SCHEMA) and self.payload is not None and not self.expired(now)

    def body(self) -> str:
        """The payload's text, structured, with counters merged in."""
        text = structured(self.payload or "null")
        if not self.counters:
            return text
        merged = loads(text)
        if not isinstance(merged, dict):
            return text
        return dumps(merged | orjson.loads(self.counters))

    def to_json(self) -> dict[str, Any]:
        """The record's shape in answers; the payload is an encoded fragment."""
        record: dict[str, Any] = {"drop_id": self.drop_id, "route": self.route}
        if self.key is not None:
            record["key"] = self.key
        record["payload"] = orjson.Fragment(self.body().encode())
        record["source"] = self.source
        record["created_at"] = show_time(self.created_at)
        if self.version is not None:
            record["version"] = self.version
        if self.expires_at is not None:
            record["expires_at"] = show_time(self.expires_at)
        return record if self.price.free else record | self.price.shown()

    @property
    def price(self) -> Price:
        return Price(self.once_price, self.read_price)

    @property
    def item(self) -> str:
        """What is bought with it: the record in all its versions, or the event."""
        return item_of(self.route, self.key, self.drop_id)


def item_of(route: str, key: str | None, drop_id: str) -> str:
    return drop_id if key is None else f"{route} {key}"  # a route has no space
