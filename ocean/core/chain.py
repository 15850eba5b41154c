"""The tamper-evident chain: SHA-256 over leaves, each leaf over a drop and a salted digest of its payload.

Encoding of a leaf: each field as its UTF-8 length in decimal, a colon, and its bytes (a netstring without the comma), so
that no two drops share an encoding. A key stands behind an `@`; where there is none, `-` stands. The payload's digest comes
last, its 32 bytes as they are.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

GENESIS = hashlib.sha256(b"infinite-ocean log v1").digest()


def payload_digest(salt: bytes, payload: str) -> bytes:
    """What stays when a payload is erased: without the salt the payload can't be guessed back from it."""
    return hashlib.sha256(salt + payload.encode()).digest()


def leaf(drop_id: str, route: str, key: str | None, created_at: int, source: str, digest: bytes) -> bytes:
    """The leaf of one drop; `created_at` in milliseconds since the epoch."""
    id_, name = drop_id.encode(), b"-" if key is None else b"@" + key.encode()
    return hashlib.sha256(
        b"%d:%b%b%d:%b%b%b" % (len(id_), id_, _field(route), len(name), name, _moment_and_writer(created_at, source), digest)
    ).digest()


@lru_cache(maxsize=1024)
def _field(text: str) -> bytes:
    field = text.encode()
    return b"%d:%b" % (len(field), field)


@lru_cache(maxsize=64)
def _moment_and_writer(created_at: int, source: str) -> bytes:  # of all that a batch writes
    return _field(str(created_at)) + _field(str(source))


def link(previous: bytes, leaf_: bytes) -> bytes:
    return hashlib.sha256(previous + leaf_).digest()


def checkpoint_message(seq: int, head: bytes) -> bytes:
    """What the server's key signs."""
    return b"infinite-ocean checkpoint v1\n%d\n%s" % (seq, head.hex().encode())
