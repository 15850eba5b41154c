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


def packed(topic: str, message: bytes, largest: int) -> bytes | None:
    """Both as one packet for other processes; None where it is larger than may be sent."""
    packet = topic.encode() + b"\x00" + message
    if len(packet) <= largest:
        return packet
    log.warning("a message on %s is too large for other processes: %d bytes", topic[:60], len(packet))
    return None


def unpacked(handler: Handler, packet: bytes) -> None:
    """Tells what another process packed."""
    topic, mark, message = packet.partition(b"\x00")
    if mark:
        told(handler, topic.decode(errors="replace"), message)
