"""A site's own rules: `_redirects` and `_headers`, in the form that Netlify made common. Pure.

/old/*   /new/:splat   301
/blog/:year/:name      /posts/:name
/app/*   /app.html     200

/assets/*
  Cache-Control: public, max-age=31536000, immutable
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

THEMES = ("document", "blog", "catalogue")  # that a site's `_config` may name
MAX_RULES = 1000
_STATUSES = ("200", "301", "302", "303", "307", "308", "404", "410")
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
# What a tenant may say, beside names of its own (X-...). The origin is shared with others: nothing that reaches beyond the page.
_ALLOWED = frozenset(
    [
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "access-control-max-age",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-security-policy",
        "content-security-policy-report-only",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "link",
        "permissions-policy",
        "referrer-policy",
        "timing-allow-origin",
        "x-frame-options",
    ]
)
_OURS = ("x-content-type-options", "x-accel-", "x-sendfile", "x-forwarded-", "x-ocean-")
_PLACE = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)")
_SEGMENT = re.compile(r":[A-Za-z_][A-Za-z0-9_]{0,60}")
MAX_TEXT = 100_000  # characters of a record of rules


@dataclass(frozen=True, slots=True)
class Redirect:
    """`force`: even where a page is."""

    pattern: str
    to: str
    status: int
    force: bool


@dataclass(frozen=True, slots=True)
class HeaderRule:
    pattern: str
    headers: tuple[tuple[str, str], ...]


def _sound(pattern: str) -> bool:
    """Whether it is a path with `:name` for a whole segment and `*` at its end for the rest."""
    if not pattern.startswith("/") or len(pattern) > 500 or not pattern.isascii():
        return False
    segments = pattern.removesuffix("/*").split("/")
    names = [segment for segment in segments if segment.startswith(":")]
    sound = all(_SEGMENT.fullmatch(name) and name != ":splat" for name in names)
    return sound and len(set(names)) == len(names) and not any("*" in segment for segment in segments)


def match(pattern: str, path: str) -> dict[str, str] | None:
    """What the places of a pattern stand for in a path that fits it."""
    head, parts = pattern.removesuffix("/*").split("/"), path.split("/")
    rest = parts[len(head) :]
    if len(parts) < len(head) or (rest and not pattern.endswith("/*")):
        return None
    found = {"splat": "/".join(rest)}
    for segment, part in zip(head, parts, strict=False):
        if segment.startswith(":") and part:
            found[segment[1:]] = part
        elif segment != part:
            return None
    return found


@lru_cache(maxsize=128)
def redirects(text: str) -> list[Redirect]:
    """The rules of a `_redirects` record, in order. A line that can't be read is passed over: the rest still holds."""
    found: list[Redirect] = []
    for line in text[:MAX_TEXT].splitlines()[: MAX_RULES * 2]:
        words = line.split("#", 1)[0].split() if line.lstrip().startswith("#") or " #" in line else line.split()
        if len(words) not in (2, 3) or len(found) >= MAX_RULES:
            continue
        status = words[2] if len(words) == 3 else "301"
        number = status.removesuffix("!")
        if not _sound(words[0]) or number not in _STATUSES or not _safe_target(words[1]):
            continue
        found.append(Redirect(words[0], words[1], int(number), status.endswith("!")))
    return found


def _safe_target(to: str) -> bool:
    return len(to) <= 2000 and to.isascii() and to.isprintable() and (to.startswith("/") or re.match(r"https?://[^/]", to) is not None)


def redirect(rules: list[Redirect], path: str, forced: bool) -> tuple[str, int] | None:
    """`(target, status)` of the first rule that fits a path beneath the site (`/about`); with `forced`, of those with `!` alone."""
    for rule in rules:
        if forced and not rule.force:
            continue
        places = match(rule.pattern, path)
        if places is not None:
            to = _fill(rule.to, places)
            if to.isascii() and to.isprintable() and not to.startswith("//"):
                return to, rule.status
    return None


def _fill(to: str, values: dict[str, str]) -> str:
    """The target with the places that the path gave; a host's port is none."""
    scheme, sign, rest = to.rpartition("://")
    return scheme + sign + _PLACE.sub(lambda place: values.get(place[1], place[0]) or "", rest)


@lru_cache(maxsize=128)
def headers(text: str) -> list[HeaderRule]:
    """The rules of a `_headers` record. What a tenant may not set is passed over."""
    found: list[HeaderRule] = []
    pattern: str | None = None
    lines: list[tuple[str, str]] = []
    for line in [*text[:MAX_TEXT].splitlines()[: MAX_RULES * 4], "/"]:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            if pattern is not None and lines:
                found.append(HeaderRule(pattern, tuple(lines)))
            pattern, lines = line.strip() if _sound(line.strip()) else None, []
            continue
        name, colon, value = line.strip().partition(":")
        value = value.strip()
        allowed = colon and _NAME.fullmatch(name) and _allowed(name.lower())
        if allowed and value.isascii() and value.isprintable() and len(value) <= 4000 and len(lines) < 50:
            lines.append((name.lower(), value))
    return found[:MAX_RULES]


def _allowed(name: str) -> bool:
    return name in _ALLOWED or (name.startswith("x-") and not name.startswith(_OURS))


def headers_for(rules: list[HeaderRule], path: str) -> dict[str, str]:
    """The headers of a path beneath the site; of two rules the later wins."""
    found: dict[str, str] = {}
    for rule in rules:
        if match(rule.pattern, path) is not None:
            found.update(rule.headers)
    return found
