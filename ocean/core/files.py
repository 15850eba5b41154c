"""Files as records name them: `{"blob": {"key": "blobs/ID", "size", "type", "sha256"}}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_KEY = re.compile(r"blobs/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


@dataclass(frozen=True, slots=True)
class Reference:
    """A file's name in the object store, its bytes' number and digest, and its type."""

    key: str
    size: int
    type: str
    sha256: str

    @property
    def id(self) -> str:
        return self.key.removeprefix("blobs/")

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "size": self.size, "type": self.type, "sha256": self.sha256}


def reference_in(payload: Any) -> Reference | None:
    """The file that a payload names, if it does. Whether it may is decided when it is written (`core.transition`)."""
    blob = payload.get("blob") if isinstance(payload, dict) else None
    if not isinstance(blob, dict):
        return None
    key, size, type_, sha256 = (blob.get(name) for name in ("key", "size", "type", "sha256"))
    if not isinstance(key, str) or not isinstance(type_, str) or not isinstance(sha256, str) or not _KEY.fullmatch(key):
        return None
    if not isinstance(size, int) or isinstance(size, bool):
        return None
    return Reference(key, size, media_type(type_), sha256)


def ids_in(text: str) -> set[str]:
    """The ids of all files that a text may name."""
    return set(_KEY.findall(text)) if "blobs/" in text else set()


def media_type(text: str) -> str:
    """A Content-Type as it may be sent back: printable, of one line, or the type that says nothing."""
    return text if 0 < len(text) <= 200 and text.isascii() and text.isprintable() and "/" in text else "application/octet-stream"
