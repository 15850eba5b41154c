"""The server's own secrets, kept outside the database in files that only its user reads: its key pair, and the key that wraps others'."""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ocean.core import keys

NAME = "server.key"
MASTER = "master.key"


class ServerKey:
    """Signs what this server says of itself."""

    def __init__(self, data: Path) -> None:
        path = data / NAME
        if not path.exists():
            _create(path, keys.generate().secret)
        self._secret = path.read_text().strip()
        self.public = keys.public_of(self._secret)

    def sign(self, message: bytes) -> tuple[str, str]:
        """`(public key, signature)`, both base64url."""
        return self.public, keys.sign(self._secret, message)


class MasterKey:
    """Wraps secrets that must come back (AES-256-GCM); in OCEAN_MASTER_KEY, or in a file that only its user reads."""

    def __init__(self, data: Path, given: str = "") -> None:
        """Raises ValueError where what was given is no key."""
        if not given:
            path = data / MASTER
            if not path.exists():
                _create(path, base64.urlsafe_b64encode(os.urandom(32)).decode())
            given = path.read_text().strip()
        self._key = keys.master_of(given)
        self._cipher = AESGCM(self._key)

    def derived(self, purpose: str, size: int) -> bytes:
        """Bytes of a purpose, the same wherever the master key is the same (HKDF-SHA256, RFC 5869)."""
        return HKDF(hashes.SHA256(), size, salt=None, info=b"infinite-ocean " + purpose.encode()).derive(self._key)

    def wrap(self, text: str, about: str) -> str:
        """`about` says whose it is: what is wrapped can't be taken for another's."""
        nonce = os.urandom(12)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())).decode()

    def unwrap(self, wrapped: str, about: str) -> str:
        """Raises ValueError where it was wrapped by another key, or for another."""
        raw = base64.urlsafe_b64decode(wrapped)
        try:
            return self._cipher.decrypt(raw[:12], raw[12:], about.encode()).decode()
        except InvalidTag:
            raise ValueError("the master key is another than the one that wrapped this") from None


def _create(path: Path, text: str) -> None:
    """Whole or not at all; of several processes that start together, the first one's stays."""
    descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # readable by its user alone
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(part)
