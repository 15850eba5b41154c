"""Payloads: JSON read strictly, and kept as the text that will be sent."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import orjson

from ocean.errors import OceanError

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise OceanError("INVALID_PAYLOAD", f"The JSON has the field {twice[:80]!r} twice in one object.")
    return result


def _no_constant(name: str) -> NoReturn:
    raise OceanError("INVALID_PAYLOAD", f"The JSON has {name}, which is not a JSON number.")


def _integer(text: str) -> int:
    if len(text) > 1000:
        raise OceanError("INVALID_PAYLOAD", "The JSON has a number of more than 1000 digits.")
    return int(text)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant, parse_int=_integer)


def decode(body: bytes) -> Any:
    """JSON from a request: UTF-8, no duplicate fields, no NaN, integers exact. Raises INVALID_PAYLOAD."""
    try:
        return _DECODER.decode(body.decode())
    except (UnicodeDecodeError, ValueError) as fault:
        raise OceanError("INVALID_PAYLOAD", f"The body is not JSON: {str(fault)[:200]}.") from None
    except RecursionError:
        raise OceanError("INVALID_PAYLOAD", f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return
    raise OceanError("INVALID_PAYLOAD", f"The payload is nested deeper than {MAX_DEPTH} levels.")


def encode(value: Any) -> str:
    """The text of a payload. Raises INVALID_PAYLOAD or PAYLOAD_TOO_LARGE."""
    if isinstance(value, dict | list):
        _check_depth(value)
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = _encode_slowly(value)
    if "\\u0000" in text and "\x00" in json.dumps(value, ensure_ascii=True).replace("\\\\", "").replace("\\u0000", "\x00"):
        raise OceanError("INVALID_PAYLOAD", "The payload has the character U+0000, which no database keeps in JSON.")
    if len(text) > MAX_BYTES or (len(text) * 4 > MAX_BYTES and len(text.encode()) > MAX_BYTES):
        raise OceanError("PAYLOAD_TOO_LARGE", "The content is over 10 MB.", "Upload large content as a file.")
    return text


def _encode_slowly(value: Any) -> str:
    """Integers beyond 64 bits, which orjson refuses; lone surrogates are refused by both."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (ValueError, UnicodeEncodeError):
        raise OceanError("INVALID_PAYLOAD", "The payload has text or a number that JSON can't carry.") from None
    return text


def structured(text: str) -> str:
    """The payload as it is read: a string that is itself a JSON object or array comes back structured."""
    if not text.startswith(('"{', '"[')):
        return text
    inner = json.loads(text)
    try:
        value = decode(inner.encode())
        return encode(value) if isinstance(value, dict | list) else text
    except OceanError:
        return text
