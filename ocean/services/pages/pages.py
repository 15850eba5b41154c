"""Paths to pages: which record a path names, and what of it is shown."""

from __future__ import annotations

import mimetypes
import time
from dataclasses import dataclass
from typing import Any

import orjson

from ocean.context import Caller, Ocean
from ocean.core.access import ACCESS_KEY, decide, private_owner
from ocean.core.drop import REMOVED, Drop, read_time
from ocean.core.routes import check_key, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import gated

HIDDEN = frozenset({ACCESS_KEY, "_config", "_headers", "_redirects"})
_TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/xml")
_TYPES = mimetypes.MimeTypes()
_TYPES.add_type("text/javascript", ".js")
_TYPES.add_type("text/javascript", ".mjs")
_TYPES.add_type("font/woff2", ".woff2")
_TYPES.add_type("application/manifest+json", ".webmanifest")
_TYPES.add_type("text/markdown", ".md")


@dataclass(frozen=True, slots=True)
class Page:
    """What a path shows. `public`: anyone may see it, so a cache may keep it."""

    status: int
    content_type: str
    body: bytes
    public: bool = True
    csp: str | None = None
    location: str | None = None
    until: int | None = None  # when it expires, milliseconds


def resolve(ocean: Ocean, caller: Caller, segments: list[str], slash: bool, at: str | None = None) -> Page:
    """The page of a path. Raises NOT_FOUND, FORBIDDEN, KEY_REQUIRED."""
    moment = read_time(at) if at else None
    found = _find(ocean, caller, segments, slash, moment)
    if found is not None:
        return _page(ocean, *found)
    if not slash and _find(ocean, caller, segments, True, moment) is not None:
        return Page(301, "text/plain", b"", location=segments[-1] + "/")
    for depth in range(len(segments), 0, -1):
        missing = _lookup(ocean, caller, segments[:depth], ["404.html"], moment)
        if missing is not None:
            page = _page(ocean, *missing)
            return Page(404, page.content_type, page.body, page.public, page.csp, until=page.until)
    raise OceanError("NOT_FOUND", f"There is no page at /{'/'.join(segments)}.")


def _find(ocean: Ocean, caller: Caller, segments: list[str], slash: bool, moment: int | None) -> tuple[Drop, bool] | None:
    """The deepest folder that has the key wins; a folder's page is its index, then index.html."""
    for split in range(len(segments), 0, -1):
        rest = "/".join(segments[split:])
        if slash:
            names = [f"{rest}/{n}" if rest else n for n in ("index", "index.html")]
        elif rest:
            names = [rest, rest + ".html"]
        else:
            continue
        found = _lookup(ocean, caller, segments[:split], names, moment)
        if found is not None:
            return found
    return None


def _lookup(ocean: Ocean, caller: Caller, folder: list[str], keys: list[str], moment: int | None) -> tuple[Drop, bool] | None:
    try:
        route = check_route("/".join(folder))
        keys = [check_key(key) for key in keys]
    except OceanError:
        return None
    for key in keys:
        if key in HIDDEN:
            continue
        drop = ocean.reader.entity_at(route, key, moment) if moment else ocean.reader.entity(route, key)
        if drop is not None and drop.kind == REMOVED:
            drop = ocean.reader.last_live(route, key) if moment is None else None
        if drop is None or drop.kind != 0 or drop.payload is None:
            continue
        if drop.expires_at is not None and drop.expires_at <= time.time() * 1000:
            continue
        public = _authorise(ocean, caller, drop)
        if gated(caller, drop):
            raise OceanError("FORBIDDEN", "This page has a price.", "Its writer sees it with ?_key=.", status=402)
        return drop, public and drop.price is None
    return None


def _authorise(ocean: Ocean, caller: Caller, drop: Drop) -> bool:
    """Whether anyone may see it. Raises for a caller who may not."""
    rules = ocean.reader.rules(drop.route)
    if decide(drop.route, None, "entity", rules) == "allow":
        return True
    verdict = decide(drop.route, caller.key, "entity", rules)
    if verdict == "allow" or (verdict == "own" and caller.key == drop.source):
        return False
    if caller.key is None or private_owner(drop.route):
        raise OceanError("KEY_REQUIRED", "This page is private.", "Add ?_key= and your key.", status=401)
    raise OceanError("FORBIDDEN", "This key may not see this page.")


def _page(ocean: Ocean, drop: Drop, public: bool) -> Page:
    assert drop.key is not None
    assert drop.payload is not None
    value: Any = orjson.loads(drop.payload)
    name = drop.key.rsplit("/", 1)[-1]
    guessed = _TYPES.guess_type(name)[0] if "." in name else None
    if isinstance(value, str):
        body, content_type = value.encode(), guessed or "text/html"
    else:
        body, content_type = drop.body().encode(), guessed or "application/json"
    if content_type.startswith(_TEXT):
        content_type += "; charset=utf-8"
    return Page(200, content_type, body, public, csp=_csp(ocean, drop.route), until=drop.expires_at)


def _csp(ocean: Ocean, route: str) -> str | None:
    """The csp of the nearest `_config` up the path."""
    folders = route.split("/")
    for depth in range(len(folders), 0, -1):
        config = ocean.reader.entity("/".join(folders[:depth]), "_config")
        if config is not None and config.kind == 0 and config.payload:
            value = orjson.loads(config.body())
            csp = value.get("csp") if isinstance(value, dict) else None
            if isinstance(csp, str) and csp.isprintable() and csp.isascii():
                return csp
    return None
