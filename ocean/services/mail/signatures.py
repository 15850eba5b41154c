"""DKIM and ARC (RFC 6376, 8301, 8463, 8617) by dkimpy, with two of its parts replaced: what strips white space took seconds for a body of
spaces, and its RSA is written in Python."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import dkim
import dkim.canonicalization
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa, utils

from ocean.core.senders import tags_of

MAX_SIGNATURES = 5  # of a message that are looked at
RSA, ED25519 = "rsa", "ed25519"
Text = Callable[[str], bytes | None]  # the TXT record of a name; raises UnansweredError
_PADDING, _DIGEST = padding.PKCS1v15(), utils.Prehashed(hashes.SHA256())
_SIGNED = (
    "from", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "reply-to", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post", "auto-submitted",
)  # fmt: skip
_ONCE_MORE = ("from", "to", "cc", "subject", "date", "reply-to", "message-id")  # nobody on the way can add another


class UnansweredError(Exception):
    """DNS did not answer."""


class Found(NamedTuple):
    """One signature: whose, by which key, and whether it holds (RFC 8601: pass, fail, temperror, permerror, policy)."""

    domain: str
    selector: str
    result: str


def _stripped(body: bytes) -> bytes:
    lines = body.split(b"\r\n")
    return b"\r\n".join([line.rstrip(b"\t ") for line in lines[:-1]] + lines[-1:])


@lru_cache(512)
def _public(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _rsa_verify(digest: Any, signature: bytes, key: dict[str, int]) -> bool:
    if digest.name != "sha256":  # RFC 8301, 3.1
        return False
    try:
        _public(key["modulus"], key["publicExponent"]).verify(signature, digest.digest(), _PADDING, _DIGEST)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(8)
def _private(*numbers: int) -> rsa.RSAPrivateKey:
    n, e, d, p, q, first, second, coefficient = numbers
    return rsa.RSAPrivateNumbers(p, q, d, first, second, coefficient, rsa.RSAPublicNumbers(e, n)).private_key()


_NUMBERS = ("modulus", "publicExponent", "privateExponent", "prime1", "prime2", "exponent1", "exponent2", "coefficient")


def _rsa_sign(digest: Any, key: dict[str, int]) -> bytes:
    return _private(*(key[name] for name in _NUMBERS)).sign(digest.digest(), _PADDING, _DIGEST)


dkim.canonicalization.strip_trailing_whitespace = _stripped
dkim.RSASSA_PKCS1_v1_5_verify = _rsa_verify
dkim.RSASSA_PKCS1_v1_5_sign = _rsa_sign


def _answers(text: Text) -> Callable[..., bytes | None]:
    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        try:
            return text(name.decode("ascii").rstrip(".").lower())
        except UnicodeDecodeError:
            return None

    return ask


def verify(raw: bytes, text: Text) -> tuple[list[Found], str]:
    """The signatures of a message, and what its ARC chain comes to."""
    try:
        message = dkim.DKIM(raw, timeout=5)
    except Exception:  # heads that are none
        return [], "none"
    given = [value for name, value in message.headers if name.lower() == b"dkim-signature"]
    found = [_verified(message, place, value, text) for place, value in enumerate(given[:MAX_SIGNATURES])]
    sealed = any(name.lower() == b"arc-seal" for name, _ in message.headers)
    return found, _chain(raw, text) if sealed else "none"


def _verified(message: Any, place: int, value: bytes, text: Text) -> Found:
    tags = tags_of(value.decode("ascii", "replace"))
    try:
        result = "pass" if message.verify(idx=place, dnsfunc=_answers(text)) else "fail"
    except UnansweredError:
        result = "temperror"
    except dkim.ValidationError as fault:
        result = "fail" if "body hash" in str(fault) else "permerror"
    except Exception:  # the library raises many kinds on what is hostile
        result = "permerror"
    if result == "pass" and "l" in tags:  # more may have been written beneath what was signed
        result = "policy"
    return Found(tags.get("d", "").lower()[:253], tags.get("s", "")[:100], result)


def _chain(raw: bytes, text: Text) -> str:
    try:
        return str(dkim.arc_verify(raw, dnsfunc=_answers(text), timeout=5)[0].decode())
    except UnansweredError:
        return "temperror"
    except Exception:
        return "fail"


class Key(NamedTuple):
    """What mail is signed with: `secret` is a PEM for RSA, a seed in base64 for Ed25519."""

    selector: str
    kind: str
    secret: str


def make(selector: str, kind: str) -> Key:
    if kind == ED25519:
        return Key(selector, kind, base64.b64encode(ed25519.Ed25519PrivateKey.generate().private_bytes_raw()).decode())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return Key(selector, kind, rsa.generate_private_key(65537, 2048).private_bytes(*form).decode())


def record_of(key: Key) -> str:
    """What stands in DNS at SELECTOR._domainkey.DOMAIN."""
    if key.kind == ED25519:
        public = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.secret)).public_key().public_bytes_raw()
    else:
        held = serialization.load_pem_private_key(key.secret.encode(), None).public_key()
        public = held.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={key.kind}; p={base64.b64encode(public).decode()}"


def sign(raw: bytes, domain: str, keys: list[Key]) -> bytes:
    """The message with a signature by each key in front of it, in the name of a domain."""
    there = [name.lower().decode("ascii", "replace") for name, _ in dkim.DKIM(raw).headers]
    names = [name.encode() for name in _SIGNED for _ in range(there.count(name))] + [name.encode() for name in _ONCE_MORE]
    heads = b""
    for key in keys:
        by = dkim.DKIM(raw, signature_algorithm=f"{key.kind}-sha256".encode(), linesep=b"\r\n")
        heads += by.sign(
            key.selector.encode(), domain.encode(), key.secret.encode(), canonicalize=(b"relaxed", b"relaxed"), include_headers=names
        )
    return heads + raw
