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

MAX_RULES = 1000
_STATUSES = (200, 301, 302, 303, 307, 308, 404, 410)
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
# What a tenant may not say: the connection's own headers, what the host computes, and cookies, of which this origin has none.
_OURS = frozenset(
    [
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "host",
        "keep-alive",
        "location",
        "set-cookie",
        "server",
        "strict-transport-security",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "vary",
        "x-content-type-options",
    ]
)
_PLACE = re.compile(r":([A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Redirect:
    """`force`: even where a page is."""

    pattern: re.Pattern[str]
    to: str
    status: int
    force: bool


@dataclass(frozen=True, slots=True)
class HeaderRule:
    pattern: re.Pattern[str]
    headers: tuple[tuple[str, str], ...]


def _compile(path: str) -> re.Pattern[str] | None:
    """A path with `:name` for a segment and `*` at its end for the rest."""
    if not path.startswith("/") or len(path) > 500 or "*" in path[:-1]:
        return None
    names: set[str] = set()
    pattern = ""
    for piece in re.split(r"(:[A-Za-z_]\w*|\*$)", path):
        if piece == "*":
            pattern = pattern.removesuffix("/") + r"(?:/(?P<splat>.*))?" if pattern.endswith("/") else pattern + r"(?P<splat>.*)"
        elif piece.startswith(":") and len(piece) > 1:
            if piece[1:] in names or piece == ":splat":
                return None
            names.add(piece[1:])
            pattern += f"(?P<{piece[1:]}>[^/]+)"
        else:
            pattern += re.escape(piece)
    return re.compile(pattern)


def redirects(text: str) -> list[Redirect]:
    """The rules of a `_redirects` record, in order. A line that can't be read is passed over: the rest still holds."""
    found: list[Redirect] = []
    for line in text.splitlines()[: MAX_RULES * 2]:
        words = line.split("#", 1)[0].split() if line.lstrip().startswith("#") or " #" in line else line.split()
        if len(words) not in (2, 3) or len(found) >= MAX_RULES:
            continue
        status = words[2] if len(words) == 3 else "301"
        number = status.removesuffix("!")
        pattern = _compile(words[0])
        if pattern is None or not number.isdigit() or int(number) not in _STATUSES or not _safe_target(words[1]):
            continue
        found.append(Redirect(pattern, words[1], int(number), status.endswith("!")))
    return found


def _safe_target(to: str) -> bool:
    return len(to) <= 2000 and to.isascii() and to.isprintable() and (to.startswith("/") or re.match(r"https?://[^/]", to) is not None)


def redirect(rules: list[Redirect], path: str, forced: bool) -> tuple[str, int] | None:
    """`(target, status)` of the first rule that fits a path beneath the site (`/about`); with `forced`, of those with `!` alone."""
    for rule in rules:
        if forced and not rule.force:
            continue
        match = rule.pattern.fullmatch(path)
        if match:
            to = _fill(rule.to, match.groupdict())
            if to.isascii() and to.isprintable() and not to.startswith("//"):
                return to, rule.status
    return None


def _fill(to: str, values: dict[str, str]) -> str:
    """The target with the places that the path gave; a host's port is none."""
    scheme, sign, rest = to.rpartition("://")
    return scheme + sign + _PLACE.sub(lambda place: values.get(place[1], place[0]) or "", rest)


def headers(text: str) -> list[HeaderRule]:
    """The rules of a `_headers` record. What a tenant may not set is passed over."""
    found: list[HeaderRule] = []
    pattern: re.Pattern[str] | None = None
    lines: list[tuple[str, str]] = []
    for line in [*text.splitlines()[: MAX_RULES * 4], "/"]:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not line[0].isspace():
            if pattern is not None and lines:
                found.append(HeaderRule(pattern, tuple(lines)))
            pattern, lines = _compile(line.strip()), []
            continue
        name, colon, value = line.strip().partition(":")
        value = value.strip()
        allowed = colon and _NAME.fullmatch(name) and name.lower() not in _OURS
        if allowed and value.isascii() and value.isprintable() and len(value) <= 4000 and len(lines) < 50:
            lines.append((name.lower(), value))
    return found[:MAX_RULES]


def headers_for(rules: list[HeaderRule], path: str) -> dict[str, str]:
    """The headers of a path beneath the site; of two rules the later wins."""
    found: dict[str, str] = {}
    for rule in rules:
        if rule.pattern.fullmatch(path):
            found.update(rule.headers)
    return found
