"""Folders whose records are of the moment: what marks one as a stream, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

from ocean.core.payloads import loads, structured
from ocean.core.routes import check_key
from ocean.errors import OceanError

CONFIG = "_config/"  # `_config/FOLDER @stream` says what FOLDER is
STREAM_KEY = "stream"
MAX_BYTES = 128 * 1024  # of one message


@dataclass(frozen=True, slots=True)
class Stream:
    """A folder that keeps nothing; while `recording`, what comes is also kept, in `FOLDER/recordings/KEY`."""

    recording: str | None = None


def marked(route: str, key: str | None) -> str | None:
    """The folder that a record marks, if it is such a record."""
    return route.removeprefix(CONFIG) if key == STREAM_KEY and route.startswith(CONFIG) else None


def read(payload: str) -> Stream | None:
    """What a marking record says; None where it marks nothing. Raises INVALID_PAYLOAD."""
    value = loads(structured(payload))
    if not isinstance(value, dict) or value.get("type") != "stream":
        raise OceanError(
            "INVALID_PAYLOAD", 'A folder\'s mark is { type: "stream" }.', "Remove the record to have the folder keep things again."
        )
    recording = value.get("recording")
    if set(value) - {"type", "recording"}:
        raise OceanError("INVALID_PAYLOAD", "A stream's mark has `type` and, while it records, `recording`.")
    return Stream(check_key(recording) if recording is not None else None)


def recordings(route: str, key: str) -> str:
    """The folder that a recording is kept in."""
    return f"{route}/recordings/{key}"
