"""The bus: a message that one process publishes reaches the handlers of all, its own too. Nothing is kept; what nobody hears is gone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

Handler = Callable[[str, bytes], None]  # topic, message
log = logging.getLogger("ocean.bus")


class Bus(Protocol):
    async def open(self, handler: Handler) -> None: ...
    def publish(self, topic: str, message: bytes) -> None:
        """Hands a message to every process. Never waits."""

    async def close(self) -> None: ...


def told(handler: Handler, topic: str, message: bytes) -> None:
    """A handler that fails harms no other message."""
    try:
        handler(topic, message)
    except Exception:
        log.exception("a message on %s could not be handled", topic)
