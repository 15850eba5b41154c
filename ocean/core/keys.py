"""Keys: Ed25519 pairs (RFC 8032). The secret half is the credential, the public half the identity."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ocean.errors import OceanError

SECRET_PREFIX = "osk_"  # noqa: S105 - the mark of a secret, not one


SCOPED_PREFIX = "osc_"  # of keys that may do a part of what their owner may
_SECRET = re.compile(r"os[kc]_[A-Za-z0-9_-]{43}")


def holds_secret(text: str) -> bool:
    """Whether a secret key stands anywhere in a text."""
    return ("osk_" in text or "osc_" in text) and _SECRET.search(text) is not None


def without_secrets(path: str) -> str:
    """The path with each segment that is a secret key in its public half; one inside a segment stays, and one that has no such half."""
    whole = (part.startswith(SECRET_PREFIX) and _SECRET.fullmatch(part) for part in path.split("/"))
    return "/".join(public_of(part) if secret else part for part, secret in zip(path.split("/"), whole, strict=True))


class Pair(NamedTuple):
    public: str
    secret: str


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """32 bytes from canonical base64url, or None."""
    if len(text) != 43:
        return None
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == 32 and _encode(raw) == text else None


def generate() -> Pair:
    """A new pair. Its public half begins with no '-', which a shell's command would read as an option."""
    while True:
        secret = SECRET_PREFIX + _encode(secrets.token_bytes(32))
        public = public_of(secret)
        if not public.startswith("-"):
            return Pair(public, secret)


def is_public(text: str) -> bool:
    """Whether `text` has the form of a public key: 43 characters that are 32 bytes."""
    return _decode(text) is not None


_PUBLIC: dict[bytes, str] = {}  # digest of a seed -> its public half; the seed itself is not kept


def public_of(secret: str) -> str:
    """The public half of a secret. Raises INVALID_CREDENTIAL."""
    seed = _decode(secret[len(SECRET_PREFIX) :]) if secret.startswith(SECRET_PREFIX) else None
    if seed is None:
        raise OceanError("INVALID_CREDENTIAL", "The credential is not a secret key.", _no_secret(secret))
    digest = hashlib.blake2b(seed, digest_size=16).digest()
    public = _PUBLIC.get(digest)
    if public is None:
        if len(_PUBLIC) >= 4096:
            _PUBLIC.clear()
        public = _PUBLIC[digest] = _encode(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
    return public


def _no_secret(text: str) -> str:
    """What is wrong with a credential, without saying it back."""
    if is_public(text):
        return "Send the secret half (osk_...), not the public one."
    if text.startswith(SECRET_PREFIX):
        return f"A secret is osk_ and 43 characters; this one has {len(text) - len(SECRET_PREFIX)}, or ones that no key has."
    return "Secrets begin with osk_."


def identity(text: object) -> str:
    """The public half of either half. Placeholders that are no key at all are kept as names: they simply own nothing."""
    if not isinstance(text, str) or not text or len(text) > 128 or not text.isprintable():
        raise OceanError("INVALID_VALUE", "The key to grant to is not a key.", "Give a public key (43 characters).")
    return public_of(text) if text.startswith(SECRET_PREFIX) else text


def sign(secret: str, message: bytes) -> str:
    seed = _decode(secret.removeprefix(SECRET_PREFIX))
    assert seed is not None
    return _encode(Ed25519PrivateKey.from_private_bytes(seed).sign(message))


# Points of small order, the sign bit left out: a signature under one of them proves nothing (RFC 8032, 5.1.7; libsodium has the same list).
_SMALL = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)  # fmt: skip


def verify(public: str, message: bytes, signature: str) -> bool:
    raw = _decode(public)
    if raw is None or raw[:31] + bytes([raw[31] & 0x7F]) in _SMALL:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)), message)
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def master_of(text: str) -> bytes:
    """The 32 bytes of a master key in base64, of either alphabet. Raises ValueError."""
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise ValueError("it is not 32 bytes in base64")
    return raw
