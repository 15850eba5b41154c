"""Pages kept ready to send, and kept true: before each answer one look at the log tells whether anything moved."""

from __future__ import annotations

import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus

import brotli
import zstandard

from ocean.context import Ocean
from ocean.core.media import is_text
from ocean.services.pages.drawn import Page
from ocean.store.reader import now

BYTES = 64 * 1024 * 1024
FOLLOWED = 1000  # drops that are looked at one by one; beyond, everything is dropped
SMALLEST = 256  # bytes: what is less is not compressed
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": lambda body: zstandard.compress(body, 6),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
HEADERS = {
    "cache-control": "public, no-cache",
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
}


class Kept:
    """A page with its ETag and headers, its forms (encoded bodies) and the heads of whole answers, each made when first asked for."""

    __slots__ = ("_forms", "_heads", "body", "etag", "headers", "page", "size")

    def __init__(self, page: Page, body: bytes) -> None:
        self.page = page
        self.body = body
        self.etag = hashlib.sha256(body).hexdigest()[:32]
        self.headers = {**HEADERS, "vary": "accept-encoding", **page.headers}
        if not page.public:
            self.headers["cache-control"] = "private, no-store"
        self.size = len(body) + 2048  # bytes it holds, about
        self._forms: dict[str, bytes] = {"": body}
        self._heads: dict[tuple[str, bool, str], bytes] = {}

    def encoding(self, accepted: str) -> str:
        """The best encoding that the reader takes, or none."""
        if not accepted or len(self.body) < SMALLEST or not is_text(self.page.content_type):
            return ""
        offered = {part.split(";")[0].strip() for part in accepted.lower().split(",") if not _refused(part)}
        return next((name for name in ENCODERS if name in offered), "")

    def tag(self, encoding: str) -> str:
        return f'"{self.etag}-{encoding}"' if encoding else f'"{self.etag}"'

    def form(self, encoding: str) -> bytes:
        """The body in an encoding, made once."""
        form = self._forms.get(encoding)
        if form is None:
            form = self._forms[encoding] = ENCODERS[encoding](self.body)
            self.size += len(form)
        return form

    def answer(self, encoding: str, unchanged: bool, more: str) -> bytes | None:
        """The whole answer to a plain GET, with `more` lines in its head; None where its form has still to be made."""
        body = b"" if unchanged else self._forms.get(encoding)
        if body is None:
            return None
        head = self._heads.get((encoding, unchanged, more))
        if head is None:
            head = self._heads[encoding, unchanged, more] = _head(self, encoding, len(body), unchanged, more)
            self.size += len(head)
        return head + body


def _refused(part: str) -> bool:
    weight = part.replace(" ", "").partition(";q=")[2]
    return weight != "" and weight.strip("0.") == ""


class Cache:
    """Public pages by path. Each is dropped when a drop falls into a folder that it depends on, or when its time is over."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._beneath: dict[str, set[str]] = {}
        self._counted: set[str] = set()
        self.seq = self.revision = -1
        self._sizes: dict[str, int] = {}
        self.bytes = 0

    async def get(self, path: str) -> Kept | None:
        """The page kept for a path, if nothing has changed it."""
        await self.follow()
        kept = self.fresh(path)
        if kept is not None:
            self._kept.move_to_end(path)
        return kept

    def fresh(self, path: str) -> Kept | None:
        """The same, where the log is known not to have moved."""
        kept = self._kept.get(path)
        if kept is not None and kept.page.until is not None and kept.page.until <= now():
            self._drop(path)
            return None
        return kept

    def put(self, path: str, kept: Kept, revision: int) -> None:
        """Keeps a page that was made when the log stood at `revision`."""
        if revision != self.revision:
            return
        self._drop(path)
        self._kept[path] = kept
        for folder in kept.page.depends:
            self._beneath.setdefault(folder, set()).add(path)
        if kept.page.counted:
            self._counted.add(path)
        self.weigh(path)

    def weigh(self, path: str) -> None:
        """Takes account of what a page holds by now, and lets go of the ones that were asked for least lately."""
        kept = self._kept.get(path)
        if kept is None:
            return
        self.bytes += kept.size - self._sizes.get(path, 0)
        self._sizes[path] = kept.size
        if kept.size > BYTES // 8:
            self._drop(path)
        while self.bytes > BYTES:
            self._drop(next(iter(self._kept)))

    def answer(self, path: str, accepted: str, known: str | None, more: str = "") -> bytes | None:
        """The whole answer to a plain GET, if it can be had without waiting."""
        kept = self.fresh(path)
        if kept is None or kept.page.status != HTTPStatus.OK:
            return None
        self._kept.move_to_end(path)
        size = kept.size
        answer = kept.answer(kept.encoding(accepted), known is not None and (known == "*" or kept.etag in known), more)
        if kept.size != size:
            self.weigh(path)
        return answer

    async def follow(self) -> None:
        """Drops what the log has moved away from since the last look."""
        seq, revision = await self._ocean.reader.head()
        if revision == self.revision:
            return
        rows = await self._ocean.reader.moved(self.seq, FOLLOWED) if self.seq >= 0 and self._kept else []
        gone = list(self._kept) if len(rows) >= FOLLOWED else list(self._counted)
        for _, route in rows:
            gone.extend(self._beneath.get(route, ()))
        for path in gone:
            self._drop(path)
        self.seq = rows[-1][0] if rows and len(rows) < FOLLOWED else max(seq, self.seq)
        self.revision = revision

    def _drop(self, path: str) -> None:
        kept = self._kept.pop(path, None)
        if kept is None:
            return
        self.bytes -= self._sizes.pop(path, 0)
        self._counted.discard(path)
        for folder in kept.page.depends:
            paths = self._beneath[folder]
            paths.discard(path)
            if not paths:
                del self._beneath[folder]


def _head(kept: Kept, encoding: str, length: int, unchanged: bool, more: str) -> bytes:
    headers = {**kept.headers, "etag": kept.tag(encoding)}
    if not unchanged:
        headers |= {"content-length": str(length), "content-type": kept.page.content_type}
        if encoding:
            headers["content-encoding"] = encoding
    headers["connection"] = "keep-alive"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {'304 Not Modified' if unchanged else '200 OK'}\r\n{lines}{more}\r\n".encode()
