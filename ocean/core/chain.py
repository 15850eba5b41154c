"""The tamper-evident chain: SHA-256 over leaves, each leaf over a drop and a salted digest of its payload.

Encoding of a leaf: each field as its UTF-8 length in decimal, a colon, and its bytes (a netstring without the comma), so
that no two drops share an encoding. An absent key is the byte `-`.
"""

from __future__ import annotations

import hashlib

GENESIS = hashlib.sha256(b"infinite-ocean log v1").digest()


def payload_digest(salt: bytes, payload: str) -> bytes:
    """What stays when a payload is erased: without the salt the payload can't be guessed back from it."""
    return hashlib.sha256(salt + payload.encode()).digest()


def leaf(drop_id: str, route: str, key: str | None, created_at: int, source: str, digest: bytes) -> bytes:
    """The leaf of one drop; `created_at` in milliseconds since the epoch."""
    id_, folder, name, moment, writer = (
        drop_id.encode(), route.encode(), b"-" if key is None else b"@" + key.encode(), b"%d" % created_at, source.encode(),
    )  # fmt: skip
    return hashlib.sha256(
        b"%d:%b%d:%b%d:%b%d:%b%d:%b%b"
        % (len(id_), id_, len(folder), folder, len(name), name, len(moment), moment, len(writer), writer, digest)
    ).digest()


def link(previous: bytes, leaf_: bytes) -> bytes:
    return hashlib.sha256(previous + leaf_).digest()


def checkpoint_message(seq: int, head: bytes) -> bytes:
    """What the server's key signs."""
    return b"infinite-ocean checkpoint v1\n%d\n%s" % (seq, head.hex().encode())
