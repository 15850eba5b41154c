"""The server's own key pair, kept outside the database in a file that only its user reads."""

from __future__ import annotations

import os
from pathlib import Path

from ocean.core import keys

NAME = "server.key"


class ServerKey:
    """Signs what this server says of itself."""

    def __init__(self, data: Path) -> None:
        path = data / NAME
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w") as file:
                file.write(keys.generate().secret)
                file.flush()
                os.fsync(file.fileno())
        self._secret = path.read_text().strip()
        self.public = keys.public_of(self._secret)

    def sign(self, message: bytes) -> tuple[str, str]:
        """`(public key, signature)`, both base64url."""
        return self.public, keys.sign(self._secret, message)
