"""Accounts: addresses of mail, handles, profiles, and where a sign-in may lead. Pure."""

from __future__ import annotations

import re
import string
import unicodedata
from typing import Any
from urllib.parse import urlsplit

import idna

from ocean.core.payloads import dumps
from ocean.errors import OceanError

_HANDLE = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
_PUBLIC_ID = re.compile(r"[0-9a-f]{12}")
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LABEL = r"\w(?:[\w-]{0,61}\w)?"
_ADDRESS = re.compile(rf"(?!-){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LABEL}")
RESERVED = frozenset(
    ("abuse", "account", "accounts", "admin", "administrator", "api", "billing", "everyone", "fees", "help", "hostmaster", "info",
     "infinite-ocean", "io", "issue", "me", "moderator", "nobody", "noreply", "ocean", "official", "operator", "payments", "postmaster",
     "root", "security", "staff", "stripe", "support", "system", "team", "webmaster", "you")
)  # fmt: skip
MAX_PROFILE = 4096  # bytes of JSON
MAX_NAME = 60  # characters of an app's name
MAX_TITLE = 150  # of a subject that an app chooses


def is_address(text: Any) -> bool:
    """Whether it is an address of mail: a dot-atom and a host name (RFC 5321, 4.1.2; RFC 6531 for letters beyond ASCII)."""
    return isinstance(text, str) and len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # these alone: other letters that look alike are others


def canonical_email(text: Any) -> str:
    """The address as accounts are known by: lower case, its host in ASCII (IDNA). Raises INVALID_EMAIL."""
    if is_address(text) and unicodedata.is_normalized("NFC", text):  # else it would be another's by what we make of it
        local, _, host = text.translate(_LOWER).rpartition("@")
        try:
            return f"{local}@{host if host.isascii() else idna.encode(host, uts46=True).decode()}"
        except idna.IDNAError:
            pass
    raise OceanError("INVALID_EMAIL", f"{str(text)[:80]!r} is not an address of mail.", "such as alice@example.com")


def handle_of(text: str) -> str | None:
    """A handle without its @, as they are known by; None where it can be none."""
    name = text.removeprefix("@").translate(_LOWER)
    return name if len(name) > 1 and _HANDLE.fullmatch(name) else None


def check_handle(text: str) -> str:
    """A handle that may be taken. Raises INVALID_VALUE, CONFLICT."""
    name = handle_of(text)
    if name is None:
        raise OceanError("INVALID_VALUE", f"{text[:60]!r} is no handle.", "2 to 32 of a-z, 0-9, - and _, such as @alice.")
    if name in RESERVED or _PUBLIC_ID.fullmatch(name):
        raise OceanError("CONFLICT", f"The handle @{name} is not given away.", "Choose another.")
    return name


def is_public_id(text: str) -> bool:
    return _PUBLIC_ID.fullmatch(text) is not None


def check_profile(profile: dict[str, Any]) -> str:
    """A profile as it is kept: JSON of at most 4 KB. Raises INVALID_VALUE."""
    text = dumps(profile)
    if len(text.encode()) > MAX_PROFILE:
        raise OceanError("INVALID_VALUE", f"A profile has at most {MAX_PROFILE} bytes.")
    return text


def check_callback(url: str) -> str:
    """The host of a callback, as accounts of its app are known by. Raises INVALID_VALUE."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = all("!" <= c <= "~" for c in url) and len(url) <= 1000 and "\\" not in url
    if parts.scheme != "https" or not host or parts.username is not None or parts.fragment or not plain:
        raise OceanError("INVALID_VALUE", f"{url[:80]!r} is no callback.", "An https address without a user or a fragment.")
    return host if port in (None, 443) else f"{host}:{port}"


def check_line(text: str, most: int, name: str) -> str:
    """Text that stands in a mail's header or heading. Raises INVALID_VALUE."""
    if not text.strip() or len(text) > most or not text.isprintable():
        raise OceanError("INVALID_VALUE", f"{name!r} is a line of at most {most} characters.")
    return text


def check_next(path: str) -> str:
    """Where our own pages go on after a sign-in: a path of this server. Raises INVALID_VALUE."""
    if not re.fullmatch(r"/[!-\[\]-~]{0,500}", path) or path.startswith("//"):
        raise OceanError("INVALID_VALUE", f"{path[:60]!r} is no path of this server.")
    return path
