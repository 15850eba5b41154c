"""The one canonicaliser of routes and keys: it accepts or refuses, and never repairs."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from ocean.core.keys import holds_secret, without_secrets
from ocean.errors import OceanError

MAX_BYTES = 512
MAX_SEGMENTS = 32
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")


@lru_cache(maxsize=16384)
def _route_fault(route: str) -> str | None:
    segments = route.split("/")
    if len(segments) > MAX_SEGMENTS:
        return f"has more than {MAX_SEGMENTS} segments"
    for segment in segments:
        if segment in (".", ".."):
            return "has a dot segment"
        if not _SEGMENT.fullmatch(segment):
            return "has an empty segment" if not segment else "has a character other than A-Z a-z 0-9 . _ ~ -"
    return None


def check_route(route: object) -> str:
    """The route as it is kept: itself, or with the public half of a secret key that is one of its segments.

    Raises ROUTE_REQUIRED or INVALID_ROUTE.
    """
    if route is None or route == "":
        raise OceanError("ROUTE_REQUIRED", "The request names no folder.", "Give a route such as my/data.")
    if not isinstance(route, str):
        raise OceanError("INVALID_ROUTE", "The route is not text.")
    if holds_secret(route):  # before the cache below, and never said back
        route = without_secrets(route)
        if holds_secret(route):
            raise OceanError("INVALID_ROUTE", "The route has a secret key in it.", "Name the folder by the public half of the key.")
    fault = _route_fault(route) if len(route) <= MAX_BYTES else f"is longer than {MAX_BYTES} bytes"
    if fault:
        raise OceanError("INVALID_ROUTE", f"The route {route[:80]!r} {fault}.", "A route looks like my/data.")
    return route


def check_prefix(prefix: object) -> tuple[str, bool]:
    """`(route, deep)` of `my/data` (that folder) or `my/data/*` (it and all beneath)."""
    if isinstance(prefix, str) and prefix.endswith("/*"):
        return check_route(prefix[:-2]), True
    return check_route(prefix), False


_PLAIN_KEY = re.compile(rf"[A-Za-z0-9_~-][A-Za-z0-9._~-]{{0,{MAX_BYTES - 1}}}")  # most are: no dot first, no slash


@lru_cache(maxsize=16384)
def _key_fault(key: str) -> str | None:
    if not (key.isascii() and key.isprintable()):
        if any(c < " " or c == "\x7f" or unicodedata.category(c) in ("Cc", "Cs") for c in key):
            return "has a control character"
        if len(key.encode()) > MAX_BYTES:
            return f"is longer than {MAX_BYTES} bytes"
        if not unicodedata.is_normalized("NFC", key):
            return "is not in Unicode normal form C"
    if any(segment in ("", ".", "..") for segment in key.split("/")):
        return "has an empty or a dot segment"
    return None


def check_key(key: object) -> str:
    """The key as it is kept, in the same way. Raises KEY_REQUIRED or INVALID_KEY."""
    if key is None or key == "":
        raise OceanError("KEY_REQUIRED", "The request names no record.", "Give a key, such as @user-1.")
    if not isinstance(key, str):
        raise OceanError("INVALID_KEY", "The key is not text.")
    if holds_secret(key):
        key = without_secrets(key)
        if holds_secret(key):
            raise OceanError("INVALID_KEY", "The record's key has a secret key in it.", "Give the public half.")
    if _PLAIN_KEY.fullmatch(key):
        return key
    fault = _key_fault(key) if len(key) <= MAX_BYTES else f"is longer than {MAX_BYTES} bytes"
    if fault:
        raise OceanError("INVALID_KEY", f"The key {key[:80]!r} {fault}.")
    return key


@lru_cache(maxsize=16384)
def ancestors(route: str) -> tuple[str, ...]:
    """The folders on the way to `route`, the top one first, `route` itself last."""
    segments = route.split("/")
    return tuple("/".join(segments[: i + 1]) for i in range(len(segments)))


def covers(folder: str, route: str) -> bool:
    """Whether `route` is `folder` or beneath it; whole segments only."""
    return route == folder or route.startswith(folder + "/")
