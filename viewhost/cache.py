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
from ocean.core.routes import ancestors
from ocean.services.pages.pages import Page
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
    """A page with its ETag and headers, and its forms (whole answers) once they were asked for."""

    __slots__ = ("_answers", "_forms", "body", "etag", "folders", "headers", "page", "size")

    def __init__(self, page: Page, body: bytes, path: str) -> None:
        self.page = page
        self.body = body
        self.etag = hashlib.sha256(body).hexdigest()[:32]
        self.folders = ancestors(path.strip("/"))
        self.size = len(body) + 1024
        self.headers = {**HEADERS, "vary": "accept-encoding", **page.headers}
        if not page.public:
            self.headers["cache-control"] = "private, no-store"
        self._forms: dict[str, bytes] = {"": body}
        self._answers: dict[tuple[str, bool], bytes] = {}

    @property
    def compresses(self) -> bool:
        return len(self.body) >= SMALLEST and is_text(self.page.content_type)

    def encoding(self, accepted: str) -> str:
        """The best encoding that the reader takes, or none."""
        if not self.compresses or not accepted:
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

    def answer(self, encoding: str, unchanged: bool) -> bytes | None:
        """The whole answer to a plain GET; None where its form has still to be made."""
        answer = self._answers.get((encoding, unchanged))
        if answer is None and (unchanged or encoding in self._forms):
            answer = self._answers[encoding, unchanged] = _answer(self, encoding, unchanged)
        return answer


def _refused(part: str) -> bool:
    weight = part.replace(" ", "").partition(";q=")[2]
    return weight != "" and weight.strip("0.") == ""


class Cache:
    """Public pages by path. Each is dropped when a drop falls into one of the folders on its way, or when its time is over."""

    def __init__(self, ocean: Ocean) -> None:
        self._ocean = ocean
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._beneath: dict[str, set[str]] = {}
        self._counted: set[str] = set()
        self._seq = self.revision = -1
        self._bytes = 0

    async def get(self, path: str) -> Kept | None:
        """The page kept for a path, if nothing has changed it."""
        await self.follow()
        return self.fresh(path)

    def fresh(self, path: str) -> Kept | None:
        """The same, where the log is known not to have moved."""
        kept = self._kept.get(path)
        if kept is not None and kept.page.until is not None and kept.page.until <= now():
            self._drop(path)
            return None
        return kept

    def put(self, path: str, kept: Kept, revision: int) -> None:
        """Keeps a page that was made when the log stood at `revision`."""
        if revision != self.revision or kept.size > BYTES // 8:
            return
        self._drop(path)
        self._kept[path] = kept
        self._bytes += kept.size
        for folder in kept.folders:
            self._beneath.setdefault(folder, set()).add(path)
        if kept.page.counted:
            self._counted.add(path)
        while self._bytes > BYTES:
            self._drop(next(iter(self._kept)))

    def answer(self, path: str, accepted: str, known: str | None) -> bytes | None:
        """The whole answer to a plain GET, if it can be had without waiting."""
        kept = self.fresh(path)
        if kept is None or kept.page.status != HTTPStatus.OK:
            return None
        self._kept.move_to_end(path)
        return kept.answer(kept.encoding(accepted), known is not None and (known == "*" or kept.etag in known))

    async def follow(self) -> None:
        """Drops what the log has moved away from since the last look."""
        seq, revision = await self._ocean.reader.head()
        if revision == self.revision:
            return
        for path in list(self._counted):
            self._drop(path)
        rows = await self._ocean.reader.moved(self._seq, FOLLOWED) if self._seq >= 0 and self._kept else []
        if len(rows) >= FOLLOWED:
            for path in list(self._kept):
                self._drop(path)
        for _, route in rows:
            for path in list(self._beneath.get(route, ())):
                self._drop(path)
        self._seq = rows[-1][0] if rows and len(rows) < FOLLOWED else max(seq, self._seq)
        self.revision = revision

    def _drop(self, path: str) -> None:
        kept = self._kept.pop(path, None)
        if kept is None:
            return
        self._bytes -= kept.size
        self._counted.discard(path)
        for folder in kept.folders:
            paths = self._beneath[folder]
            paths.discard(path)
            if not paths:
                del self._beneath[folder]


def _answer(kept: Kept, encoding: str, unchanged: bool) -> bytes:
    headers = {**kept.headers, "etag": kept.tag(encoding)}
    body = b""
    if not unchanged:
        body = kept.form(encoding)
        headers["content-length"] = str(len(body))
        headers["content-type"] = kept.page.content_type
        if encoding:
            headers["content-encoding"] = encoding
    headers["connection"] = "keep-alive"
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {'304 Not Modified' if unchanged else '200 OK'}\r\n{head}\r\n".encode() + body
