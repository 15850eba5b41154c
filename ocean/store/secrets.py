"""The server's own key pair, kept outside the database in a file that only its user reads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ocean.core import keys

NAME = "server.key"


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
