"""Universal fields: the six names that are looked for across all folders, and what of them can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

TEXT, DATE, IDENTIFIER, LOCATION, AMOUNT, BLOB = range(6)
FIELDS = {"_texts": TEXT, "_dates": DATE, "_identifiers": IDENTIFIER, "_locations": LOCATION, "_amounts": AMOUNT, "_blobs": BLOB}
MOST = 1000  # marks of a record
LONGEST = 1000  # characters of a text that is kept to compare with


class Mark(NamedTuple):
    """One thing that a record can be found by: see `store.models.Mark`."""

    kind: int
    name: str | None = None
    text: str | None = None
    role: str | None = None
    low: float | None = None
    high: float | None = None


def may_be_in(body: str) -> bool:
    """Whether a structured payload's text may have a universal field, so that it is worth reading."""
    return '"_' in body and any(f'"{name}"' in body for name in FIELDS)


def marks_of(body: Any) -> list[Mark]:
    """What a payload can be found by. What has another form than the field's is passed over: it is still part of the record."""
    if not isinstance(body, dict):
        return []
    found: list[Mark] = []
    for name, kind in FIELDS.items():
        items = body.get(name)
        for item in items if isinstance(items, list) else []:
            found.extend(_MAKERS[kind](item))
            if len(found) >= MOST:
                return found[:MOST]
    return found


_FORMS = {
    "_texts": "texts", "_dates": "{start, end?}", "_identifiers": "{type, value}", "_locations": "{lat, lon}", "_amounts": "{value, unit?}",
    "_blobs": "{url, mime}",
}  # fmt: skip


def unread(body: Any) -> str | None:
    """What is to be said of a payload of which some universal field has another form, so that the record is not found by it; None of
    others."""
    if not isinstance(body, dict):
        return None
    for name, kind in FIELDS.items():
        items = body.get(name)
        if items is not None and (not isinstance(items, list) or not all(any(True for _ in _MAKERS[kind](item)) for item in items)):
            return f"Not all of {name!r} can be found by: it is a list of {_FORMS[name]}."
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value) if abs(value) < 1e300 else None
    return number if number is not None and isfinite(number) else None


def moment(value: Any) -> float | None:
    """Milliseconds since the epoch of a date or a time, or None. Without a zone it is UTC."""
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000
    except (TypeError, ValueError, OverflowError):
        return None


def _of_text(item: Any) -> Iterator[Mark]:
    if isinstance(item, str):
        yield Mark(TEXT, text=item[:LONGEST])


def _of_date(item: Any) -> Iterator[Mark]:
    start, end = (moment(item.get(name)) for name in ("start", "end")) if isinstance(item, dict) else (None, None)
    if start is not None:
        yield Mark(DATE, low=start, high=end if end is not None and end >= start else start)


def _of_identifier(item: Any) -> Iterator[Mark]:
    if isinstance(item, dict) and (value := _text(item.get("value"))) is not None:
        yield Mark(IDENTIFIER, _text(item.get("type")), value, _text(item.get("role")))


def _of_location(item: Any) -> Iterator[Mark]:
    lat, lon = (_number(item.get(name)) for name in ("lat", "lon")) if isinstance(item, dict) else (None, None)
    if lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180:
        yield Mark(LOCATION, low=lat, high=lon)


def _of_amount(item: Any) -> Iterator[Mark]:
    if isinstance(item, dict) and (value := _number(item.get("value"))) is not None:
        yield Mark(AMOUNT, _text(item.get("unit")), low=value)


def _of_blob(item: Any) -> Iterator[Mark]:
    if isinstance(item, dict) and (address := _text(item.get("url"))) is not None:
        yield Mark(BLOB, _text(item.get("mime")), address)


_MAKERS = {TEXT: _of_text, DATE: _of_date, IDENTIFIER: _of_identifier, LOCATION: _of_location, AMOUNT: _of_amount, BLOB: _of_blob}
