"""A field's name as questions write it: a dot reaches inside; `\\.` is a dot of the name's own, `\\\\` a backslash."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_PART = re.compile(r"((?:[^\\.]|\\.|\\$)*)(\.|$)", re.DOTALL)
_ESCAPED = re.compile(r"\\([\\.])")


@lru_cache(maxsize=4096)
def way(name: str) -> tuple[str, ...]:
    """The fields that a name leads through: `a.b` is `b` inside `a`, `a\\.b` the one field `a.b`."""
    if "\\" not in name:
        return tuple(name.split("."))
    parts, at = [], 0
    while True:
        found = _PART.match(name, at)
        assert found is not None
        parts.append(_ESCAPED.sub(r"\1", found[1]))
        if not found[2]:
            return tuple(parts)
        at = found.end()


def spelled(parts: Sequence[str]) -> str:
    """The name that leads through just these fields."""
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") if "." in part or "\\" in part else part for part in parts)


def title(name: str) -> str:
    """What a field is called where it is shown, as in a row that has it."""
    return ".".join(way(name)) if "\\" in name else name


def parted(name: str) -> tuple[str, str]:
    """The first field of a name's way, and the name of the rest (empty where there is none)."""
    first, *rest = way(name)
    return first, spelled(rest)
