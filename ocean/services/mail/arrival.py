"""A message as it came, and what is read of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ocean.core.mail import Results
from ocean.services.mail.parsing import Parsed, parse
from ocean.store.mail import Mailbox

_DEAR = (b"text/html", b"text/calendar")  # what takes its time to read
_PARTS = 3  # that have parts: more may lie one in another
_READERS = ThreadPoolExecutor(4, "read")  # what is hard to read holds up no other work in threads
IN_LOOP = 16 * 1024  # bytes of a message that is read on the loop: a thread would take longer to begin
HOPS = 50  # that a message may have come by (RFC 5321, 6.3)


@dataclass(slots=True)
class Arrival:
    """A message and how it came. `raw` is as it was sent; `by` says how it was carried (RFC 3848)."""

    raw: bytes
    ip: str
    helo: str
    sender: str
    recipients: Sequence[tuple[str, Mailbox]]
    by: str = "ESMTP"
    once: str = ""  # what it is known by, where not by what it holds
    trusted: Results | None = None  # where it is one of ours, which was authenticated when it was handed in
    beside: Any = None  # rows that are written with it
    parsed: Parsed = field(default_factory=Parsed)


async def read(arrival: Arrival) -> Parsed:
    """The message, read once."""
    raw = arrival.raw
    arrival.parsed = parse(raw) if _quick(raw) else await asyncio.get_running_loop().run_in_executor(_READERS, parse, raw)
    return arrival.parsed


def _quick(raw: bytes) -> bool:
    if len(raw) > IN_LOOP:
        return False
    lower = raw.lower()
    return not any(kind in lower for kind in _DEAR) and lower.count(b"multipart/") <= _PARTS
