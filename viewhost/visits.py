"""One visit, one deploy: what a page is made of is served as of the page, though a deploy came in between.

A browser asks for a page, and within a moment for its styles, scripts and images. It is told again by its address and its browser, and a
part by what it is wanted for (Sec-Fetch-Dest) and by the page that wants it (Referer): nothing is kept in the browser.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

WINDOW = 1.0  # seconds that a visit lasts
MOST = 10_000  # pages that are remembered
_PAGES = frozenset({"document", "iframe", "frame"})
_PARTS = frozenset({"style", "script", "image", "font", "audio", "video", "track", "manifest", "object", "embed"})
HEADERS = ("sec-fetch-dest", "referer", "user-agent", "x-forwarded-for", "host")


class Asked(NamedTuple):
    """By which browser, at which address, and for which page's sake: empty where it is wanted for itself."""

    browser: tuple[str, str]
    address: str
    of: str

    @property
    def is_part(self) -> bool:
        return bool(self.of)


def asked(path: str, headers: Mapping[str, str]) -> Asked | None:
    """What a request is of a visit; None where the browser does not say."""
    wanted = headers.get("sec-fetch-dest", "")
    if wanted not in _PAGES and wanted not in _PARTS:
        return None
    host = headers.get("host", "")
    of = ""
    if wanted in _PARTS:
        there = headers.get("referer", "").partition("://")[2].partition("?")[0]
        if not there.startswith(f"{host}/"):
            return None
        of = there
    return Asked((headers.get("user-agent", ""), headers.get("x-forwarded-for", "")), f"{host}{path}", of)


class Visits:
    """Pages that were served in the last moment, and where the log stood."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, tuple[float, int]] = OrderedDict()  # by the hash of who and what: they may be long

    def note(self, ip: str, page: Asked, position: int) -> None:
        moment = time.monotonic()
        key = hash((ip, page.browser, page.address))
        self._seen[key] = (moment, position)
        self._seen.move_to_end(key)
        while len(self._seen) > MOST or next(iter(self._seen.values()))[0] < moment - WINDOW:
            self._seen.popitem(last=False)

    def position(self, ip: str, part: Asked) -> int | None:
        """Where the log stood when the page was served that wants this part; None where that is longer ago than a visit lasts."""
        at, position = self._seen.get(hash((ip, part.browser, part.of)), (0.0, 0))
        return position if time.monotonic() - at <= WINDOW else None
