"""Payloads: JSON read strictly, and kept as the text that will be sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from math import isinf
from typing import Any, NoReturn

import orjson

from grammar.names import way
from ocean.errors import OceanError

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
MAX_STRUCTURED = 256 * 1024  # characters of a string that is looked into on each read


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise OceanError("INVALID_PAYLOAD", f"The JSON has the field {twice[:80]!r} twice in one object.")
    return result


def _no_constant(name: str) -> NoReturn:
    raise OceanError("INVALID_PAYLOAD", f"The JSON has {name}, which is not a JSON number.")


def _integer(text: str) -> int:
    if len(text) > 1000:
        raise OceanError("INVALID_PAYLOAD", "The JSON has a number of more than 1000 digits.")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise OceanError("INVALID_PAYLOAD", f"The JSON has the number {text[:40]}, which is too large.")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant, parse_int=_integer, parse_float=_float)
_EXACT = json.JSONDecoder(parse_int=int)
_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 18  # digits in a row, each taken for a 0: an expression that looks for them takes ten times as long
_SPACED = re.compile(rb'":\s')  # JSON for people


def decode(body: bytes) -> Any:
    """JSON from a request: UTF-8, whole characters, no duplicate fields, no NaN, integers exact. Raises INVALID_PAYLOAD."""
    if _SPACED.search(body, 0, 500) is None:
        try:
            quick = orjson.loads(body)
            if orjson.dumps(quick) == body:  # nothing was lost, so it has nothing that is refused below: as most clients write it
                return quick
        except (ValueError, TypeError):
            pass
    return _decode_slowly(body)


def _decode_slowly(body: bytes) -> Any:
    try:
        value = _DECODER.decode(body.decode())
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise OceanError("INVALID_PAYLOAD", "The JSON has half of a character (a lone surrogate).") from None
    except (UnicodeDecodeError, ValueError) as fault:
        raise OceanError("INVALID_PAYLOAD", f"The body is not JSON: {str(fault)[:200]}.") from None
    except RecursionError:
        raise OceanError("INVALID_PAYLOAD", f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    return value


def loads(text: str | bytes) -> Any:
    """A payload that the log keeps, its integers exact."""
    data = text.encode() if isinstance(text, str) else text
    return _EXACT.decode(data.decode()) if _LONG in data.translate(_ALIKE) else orjson.loads(data)


def dumps(value: Any) -> str:
    """JSON text of what `loads` gave, or was made of such."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def dump(value: Any) -> bytes:
    """JSON of an answer, in which parts may be JSON already (orjson.Fragment)."""
    try:
        return orjson.dumps(value)
    except TypeError:  # integers beyond 64 bits, which stay exact
        return dumps(_plain(value)).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        return loads(orjson.dumps(value).decode())
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _check_depth(value: dict[str, Any] | list[Any]) -> None:
    level: list[dict[str, Any] | list[Any]] = [value]
    for _ in range(MAX_DEPTH):
        level = [c for item in level for c in (item.values() if isinstance(item, dict) else item) if isinstance(c, dict | list)]
        if not level:
            return
    raise OceanError("INVALID_PAYLOAD", f"The payload is nested deeper than {MAX_DEPTH} levels.")


def encode(value: Any) -> str:
    """The text of a payload. Raises INVALID_PAYLOAD or PAYLOAD_TOO_LARGE."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        if isinstance(value, dict | list):
            _check_depth(value)
        text = _encode_slowly(value)
    else:
        if text.count("{") + text.count("[") > MAX_DEPTH:  # with fewer it can't be that deep
            _check_depth(value)
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
    """The payload as it is read: a string that is itself a JSON object or array, and not long, comes back structured."""
    if not text.startswith(('"{', '"[')) or len(text) > MAX_STRUCTURED:
        return text
    inner = json.loads(text)
    try:
        value = decode(inner.encode())
        return encode(value) if isinstance(value, dict | list) else text
    except OceanError:
        return text


def body_of(payload: str, counters: dict[str, int] | None = None) -> str | None:
    """What conditions look into: the structured payload with its counters, or None where it is not structured."""
    text = structured(payload)
    if text[0] not in "{[":
        return None
    if counters and text[0] == "{":
        return dumps({**loads(text), **counters})
    return text


def weight(value: Any) -> int:
    """About how many bytes an answer's value comes to."""
    size, stack = 0, [value]
    while stack:
        item = stack.pop()
        if isinstance(item, orjson.Fragment):
            size += len(orjson.dumps(item))
        elif isinstance(item, str):
            size += len(item)
        elif isinstance(item, dict):
            size += 8 * len(item)
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            size += 8 * len(item)
            stack.extend(item)
    return size


def reach(body: Any, name: str) -> Any:
    """What a field's name leads to, a dot in it reaching inside; None where there is nothing."""
    for part in way(name):
        body = body.get(part) if isinstance(body, dict) else None
    return body
