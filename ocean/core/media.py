"""Which type a file is, by its name; and which types are text that is worth compressing."""

from __future__ import annotations

import mimetypes

_TYPES = mimetypes.MimeTypes()
for _type, _ending in (
    ("text/javascript", ".js"), ("text/javascript", ".mjs"), ("font/woff2", ".woff2"), ("font/woff", ".woff"),
    ("application/manifest+json", ".webmanifest"), ("text/markdown", ".md"), ("image/avif", ".avif"), ("image/webp", ".webp"),
    ("application/wasm", ".wasm"), ("application/json", ".map"), ("text/plain", ".txt"), ("application/xml", ".xml"),
):  # fmt: skip
    _TYPES.add_type(_type, _ending)
_TEXT = ("text/", "application/javascript", "application/json", "application/manifest+json", "application/xml", "image/svg+xml")


def type_of(name: str) -> str | None:
    """The media type of a file's name, or None where its ending says nothing."""
    last = name.rsplit("/", 1)[-1]
    return _TYPES.guess_type(last)[0] if "." in last else None


def is_text(media_type: str) -> bool:
    return media_type.startswith(_TEXT) or media_type.split(";")[0].endswith(("+xml", "+json"))


def is_document(media_type: str) -> bool:
    """Whether a browser would open it as a page that can run scripts."""
    kind = media_type.split(";")[0].strip().lower()
    return kind in ("text/html", "text/xml", "application/xml", "text/xsl") or kind.endswith("+xml")
