"""TLS: a certificate for each name that is ours, chosen from memory, and none for any other.

The callback that chooses is synchronous and is asked for each connection: a context is made when its name is first asked for.
"""

from __future__ import annotations

import logging
import os
import ssl
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ocean.core import certs
from ocean.core.certs import ACME_TLS
from ocean.core.domains import covers
from ocean.services.pages.hosting import Hosting
from ocean.store.certificates import Challenge
from ocean.store.reader import now

CONTEXTS = 2000  # that are kept: others are made again
_ASKS = bytes([len(ACME_TLS)]) + ACME_TLS.encode()  # as a ClientHello has it (RFC 7301, 3.1)
log = logging.getLogger("ocean.tls")
_REFUSED = ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME


class Tls:
    """`given` is a certificate that the operator keeps in a file; it is read again when it changes."""

    def __init__(self, hosting: Hosting, own: frozenset[str], given: Path | None) -> None:
        self._hosting = hosting
        self._own = own
        self._given = _Given(given) if given is not None else None
        self._contexts: OrderedDict[str, tuple[Any, ssl.SSLContext]] = OrderedDict()  # by name, with what they are made of
        self._asks = False  # whether the handshake that is being looked at is an authority's, for a challenge
        self.listens = _context()
        self.listens.sni_callback = self._choose
        sys.unraisablehook = _unraisable

    def watch(self) -> None:
        """Looks into handshakes while there are challenges, and only then: an authority is known by the protocol that it asks for."""
        self.listens._msg_callback = self._hear if self._hosting.challenges else None  # type: ignore[attr-defined]

    def _hear(self, connection: Any, direction: str, version: Any, content: Any, message: Any, data: bytes) -> None:
        if direction == "read" and getattr(message, "name", "") == "CLIENT_HELLO":
            self._asks = _ASKS in data

    def _choose(self, connection: ssl.SSLObject, server_name: str | None, _: ssl.SSLContext) -> ssl.AlertDescription | None:
        asks, self._asks = self._asks, False
        name = (server_name or "").lower().removesuffix(".")
        context = self._challenge(name) if asks else self.context(name)
        if context is None:
            return _REFUSED
        connection.context = context
        connection.sanic_server_name = name  # type: ignore[attr-defined]  # where Sanic looks for it
        return None

    def context(self, name: str) -> ssl.SSLContext | None:
        """What a connection for a name is made by; None where there is nothing to show for it."""
        found = self._hosting.secured(name)
        if found is not None and (name in self._hosting.live or name in self._own):
            return self._kept(name, found, lambda: _made(found.chain, found.key))
        return self._given.context(name) if self._given is not None else None

    def _challenge(self, name: str) -> ssl.SSLContext | None:
        challenge = self._hosting.challenges.get(name)
        if challenge is None or challenge.until <= now():
            return None
        return self._kept(f"{ACME_TLS} {name}", challenge, lambda: _answering(challenge))

    def _kept(self, key: str, of: Any, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext | None:
        kept = self._contexts.get(key)
        if kept is None or kept[0] is not of:
            try:
                kept = (of, make())
            except (ssl.SSLError, OSError):  # no descriptor is left, or what is there is none: as if there were none
                return None
            self._contexts[key] = kept
            if len(self._contexts) > CONTEXTS:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(key)
        return kept[1]


def _unraisable(fault: Any) -> None:
    """A name that is no text is refused by OpenSSL's own callback, before ours; it is no fault to tell of."""
    if not (isinstance(fault.exc_value, UnicodeDecodeError) and isinstance(fault.object, bytes)):
        sys.__unraisablehook__(fault)


class _Given:
    """A certificate in a file. While it can't be read, the one that was read before stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._names: tuple[str, ...] = ()
        self._context: ssl.SSLContext | None = None

    def context(self, name: str) -> ssl.SSLContext | None:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._read:
                self._read = changed
                names = certs.names_of(self._path.read_text())
                self._names, self._context = names, _context(self._path)
        except (OSError, ValueError) as fault:
            log.error("%s can't be read: %s", self._path, fault)
        return self._context if covers(self._names, name) else None


def _made(chain: str, key: str, protocol: str = "http/1.1") -> ssl.SSLContext:
    """From text: OpenSSL reads it from a file, which is never on a disk where the system has such files."""
    text = f"{chain.rstrip()}\n{key}".encode()
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text)
            return _context(Path(f"/proc/self/fd/{descriptor}"), protocol)
        finally:
            os.close(descriptor)
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        return _context(Path(file.name), protocol)


def _answering(challenge: Challenge) -> ssl.SSLContext:
    return _made(*certs.challenge_certificate(challenge.name, challenge.answer, certs.moment(now())), ACME_TLS)


def _no_password() -> bytes:
    """OpenSSL would ask for one on the terminal, and wait."""
    raise ValueError("the key has a password")


def _context(file: Path | None = None, protocol: str = "http/1.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([protocol])
    if file is not None:
        context.load_cert_chain(file, password=_no_password)
    return context
