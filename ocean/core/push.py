"""Notifications: what a message may hold, and what is told of a record. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from ocean.core.keys import identity
from ocean.core.searched import TITLES
from ocean.errors import OceanError

MAX_BYTES = 3000  # of a notification: a push service takes 4,096 bytes, sealed
MAX_TO = 100  # keys that one message goes to
MAX_TITLE, MAX_BODY, MAX_TAG = 200, 2000, 100  # characters
_BODIES = ("body", "message", "text", "summary", "description")
_KNOWN = ("to", "title", "body", "url", "icon", "tag")


def check_message(message: object) -> tuple[list[str], dict[str, str]]:
    """`(keys, notification)` of `{to, title, body?, url?, icon?, tag?}`. Raises INVALID_VALUE, UNKNOWN_FIELD."""
    if not isinstance(message, dict):
        raise OceanError("INVALID_VALUE", "A push is an object.", 'push send { to: ("KEY"), title: "New message" }')
    if unknown := next((name for name in message if name not in _KNOWN), None):
        raise OceanError("UNKNOWN_FIELD", f"A push has no field {unknown[:40]!r}.", f"Known: {', '.join(_KNOWN)}.")
    to = message.get("to")
    keys = [to] if isinstance(to, str) else to
    if not isinstance(keys, list) or not 0 < len(keys) <= MAX_TO:
        raise OceanError("INVALID_VALUE", f"'to' is a key, or a list of 1 to {MAX_TO} keys.")
    keys = list(dict.fromkeys(map(identity, keys)))
    found = {name: _text(name, message[name]) for name in _KNOWN[1:] if message.get(name) is not None}
    if not found.get("title"):
        raise OceanError("INVALID_VALUE", "A push has no 'title'.")
    _check_size(found)
    return keys, found


def _text(name: str, value: object) -> str:
    most = {"title": MAX_TITLE, "tag": MAX_TAG}.get(name, MAX_BODY)
    if not isinstance(value, str) or len(value) > most:
        raise OceanError("INVALID_VALUE", f"{name!r} is text of at most {most} characters.")
    if name in ("url", "icon"):
        _check_address(name, value)
    return value


def _check_address(name: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        sound = (parts.scheme in ("http", "https") and parts.hostname) or (value.startswith("/") and not value.startswith(("//", "/\\")))
    except ValueError:
        sound = False
    if not sound:
        raise OceanError("INVALID_VALUE", f"{name!r} is an address: https://... or /a/path.")


def _check_size(notification: Mapping[str, str]) -> None:
    if len(orjson.dumps(notification)) > MAX_BYTES:
        raise OceanError("PAYLOAD_TOO_LARGE", f"A push has at most {MAX_BYTES} bytes.", "Send what it is about as a record, and its url.")


def told_of(route: str, payload: Any, url: str) -> dict[str, str]:
    """The notification of a record that was saved; `payload` is None where it may not be shown."""
    fields = payload if isinstance(payload, dict) else {"body": payload} if isinstance(payload, str) else {}
    title, body = _first(fields, TITLES), _first(fields, _BODIES)
    found = {"title": (title or route)[:MAX_TITLE], "body": (body or "Something new was saved.")[:300], "url": url, "tag": route[:MAX_TAG]}
    while len(orjson.dumps(found)) > MAX_BYTES:  # characters of several bytes
        longest = max(("title", "body", "url"), key=lambda name: len(found[name]))
        found[longest] = found[longest][: len(found[longest]) // 2]
    return found


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((fields[name] for name in names if isinstance(fields.get(name), str) and fields[name].strip()), None)
