"""Plain GETs of pages that are kept, answered before a task is woken for them."""

from __future__ import annotations

from dataclasses import dataclass

from ocean.store.sqlite import SqliteEngine
from viewhost.cache import Cache
from viewhost.hosts import Hosts, kept_as
from viewhost.visits import HEADERS, Asked, Visits, asked

_REMEMBERED = 4096  # heads
_LONGEST = 2048  # bytes of a head
_HEAD = "SELECT revision FROM head WHERE id = 1"
# A head with one of these is not plain: it goes the long way, where each has its meaning.
_NOT_PLAIN = frozenset(
    (b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"range", b"if-range", b"if-match", b"cookie",
     b"authorization", b"x-ocean-key", b"trailer", b"te", b"service-worker"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Plain:
    path: str
    accepted: str
    known: str | None
    of_domain: bool
    asked: Asked | None


class Ready:
    """Answers for whole requests, or None. Heads it has read before are known by their bytes."""

    def __init__(self, engine: SqliteEngine, cache: Cache, hosts: Hosts, visits: Visits, secured: str) -> None:
        """`secured`: lines of the heads of answers by TLS."""
        self._engine = engine
        self._cache = cache
        self._hosts = hosts
        self._visits = visits
        self._secured = secured
        self._heads: dict[tuple[bytes, str | None], _Plain | None] = {}
        self._version = 0  # of the domains, when the heads were read

    def __call__(self, data: bytes, server_name: str | None, ip: str) -> bytes | None:
        if len(data) > _LONGEST:
            return None
        hosting = self._hosts.hosting
        if hosting.version != self._version:  # what a Host names may be another site by now
            self._version = hosting.version
            self._heads.clear()
        head = (data, server_name)
        if head not in self._heads:
            if len(self._heads) >= _REMEMBERED:
                self._heads.clear()
            self._heads[head] = self._read(data, server_name)
        plain = self._heads[head]
        if plain is None or self._engine.now(_HEAD)[0][0] != self._cache.revision:
            return None
        if plain.of_domain and hosting.revision != self._cache.revision:
            return None
        if plain.asked is not None and not self._of_now(ip, plain.asked):
            return None
        return self._cache.answer(plain.path, plain.accepted, plain.known, self._secured if server_name is not None else "")

    def _of_now(self, ip: str, asked: Asked) -> bool:
        """Whether what is asked for is wanted as it is now, and not as of the page that wants it."""
        if asked.is_part:
            return (self._visits.position(ip, asked) or self._cache.seq) >= self._cache.seq
        self._visits.note(ip, asked, self._cache.seq)
        return True

    def _read(self, data: bytes, server_name: str | None) -> _Plain | None:
        """The request, if it is one GET of HTTP/1.1, of our own host, without a query, a body or anything out of the way."""
        request, *lines = data[:-4].split(b"\r\n")
        words = request.split(b" ")
        if len(words) != 3 or words[2] != b"HTTP/1.1" or b"?" in words[1] or b"#" in words[1] or not words[1].isascii():
            return None
        found: dict[bytes, str] = {}
        for line in lines:
            name, colon, value = line.partition(b":")
            lower = name.lower()
            if not colon or not lower.replace(b"-", b"").isalnum() or lower in found or lower in _NOT_PLAIN or not line.isascii():
                return None
            if any(c < 32 and c != 9 for c in line):
                return None
            found[lower] = value.strip().decode()
        if found.get(b"connection", "keep-alive").lower() != "keep-alive":
            return None
        host = found.get(b"host", "")
        if self._hosts.moved(host, server_name) is not None:
            return None
        origin = self._hosts.of(host, server_name)
        page = kept_as(origin, words[1].decode()) if origin is not None else None
        if page is None:
            return None
        about = asked(words[1].decode(), {name: found[name.encode()] for name in HEADERS if name.encode() in found})
        return _Plain(page, found.get(b"accept-encoding", ""), found.get(b"if-none-match"), bool(origin and origin.domain), about)
