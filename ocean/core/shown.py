"""How a value of a record is shown to people, and which address it leads to. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ocean.core.payloads import dumps
from ocean.core.searched import TITLES

Link = Callable[[str, str], str]  # a record's route and key -> the address of its page
DROP = "drop://"
SUMMARY = 200  # characters
ITEMS = 200  # of a list that is shown as one text
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*:|/)\S+$", re.IGNORECASE)  # no sentence that begins so
_SCHEMES = frozenset(("http", "https", "mailto", "tel", "sms"))
_PASSED_OVER = re.compile(r"[\x00-\x20\x7f-\x9f]")  # by browsers, before and within a scheme


def shown(value: Any) -> str | None:
    """A value as text; None where it says nothing: it is not there, empty, or an object with no form of its own."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return dumps(value)
    if isinstance(value, list):
        return ", ".join(text for item in value[:ITEMS] if not isinstance(item, list) and (text := shown(item)) is not None) or None
    if not isinstance(value, dict):
        return None
    return _shown_object(value)


def _shown_object(value: dict[str, Any]) -> str | None:
    if value.get("$embedded") is False:  # there is nothing there, or nothing for this reader
        return None
    if value.get("$embedded") is True:
        return shown(value.get("summary")) if value.get("mode") == "view" else title_of(value.get("payload")) or shown(value.get("key"))
    if "value" in value:  # an amount, an identifier
        number, unit = shown(value["value"]), value.get("unit")
        return f"{number} {unit}" if number is not None and isinstance(unit, str) and unit else number
    if "lat" in value and "lon" in value:
        named = next((value[name] for name in ("name", "address") if isinstance(value.get(name), str)), None)
        return named or f"{shown(value['lat'])}, {shown(value['lon'])}"
    if "start" in value:
        start, end = shown(value["start"]), shown(value.get("end"))
        return f"{start} \N{EN DASH} {end}" if start is not None and end is not None else start
    return title_of(value)


def title_of(body: Any) -> str | None:
    """What a record calls itself."""
    if isinstance(body, dict):
        return next((body[name] for name in TITLES if isinstance(body.get(name), str) and body[name].strip()), None)
    return None


def shortened(text: str) -> str:
    """At most SUMMARY characters of a text, whole words."""
    words = " ".join(text[: SUMMARY * 50].split())
    return words if len(words) <= SUMMARY else words[: SUMMARY - 1].rsplit(" ", 1)[0] + "\N{HORIZONTAL ELLIPSIS}"


def refers(text: Any) -> tuple[str, str] | None:
    """`(route, key)` of `drop://route/key`: the last segment is the key."""
    if not isinstance(text, str) or not text.startswith(DROP):
        return None
    route, _, key = text.removeprefix(DROP).rpartition("/")
    return (route, key.removeprefix("@")) if route and key.removeprefix("@") else None


def address_of(value: Any, link: Link) -> str | None:
    """Where a value leads: to a record's page, to a file, to what it says itself; None where it is no reference."""
    if isinstance(value, dict):
        if value.get("$embedded") is True:
            route, key = value.get("route"), value.get("key")
            return link(route, key) if isinstance(route, str) and isinstance(key, str) else shown(value.get("url"))
        return shown(value.get("url")) if isinstance(value.get("url"), str) else None
    referred = refers(value)
    if referred is not None:
        return link(*referred)
    return value if isinstance(value, str) and _ADDRESS.match(value) else None


def safe_address(address: str) -> bool:
    """Whether a browser that follows it runs nothing: relative, or of a scheme that only goes somewhere (WHATWG URL)."""
    if not address.isascii() or "[" in address or "]" in address:
        try:
            urlsplit(address)
        except ValueError:  # no address at all
            return False
    scheme = _SCHEME.match(_PASSED_OVER.sub("", address))
    return scheme is None or scheme[1].lower() in _SCHEMES
