"""How this server says to a push service who it is (VAPID, RFC 8292), seals what it sends (RFC 8291), and keeps what it needs for that."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from ocean.store.secrets import MasterKey

TTL = 86_400  # seconds that a push service keeps a message for a browser that is away
LIVES = 12 * 3600  # seconds that a signature holds; at most 24 hours
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def _private(master: MasterKey) -> ec.EllipticCurvePrivateKey:
    """Made of the master key, so that all machines of an ocean have the same (FIPS 186-5, A.2.1: 64 bits more than the order has)."""
    number = int.from_bytes(master.derived("vapid", 40), "big") % (_ORDER - 1) + 1
    return ec.derive_private_key(number, ec.SECP256R1())


def public_key(master: MasterKey) -> str:
    """The point, uncompressed, in base64url: a browser's `applicationServerKey`."""
    point = _private(master).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def wrapped(master: MasterKey, owner: str, endpoint: str, keys: dict[str, str]) -> str:
    """Where a browser of `owner` is and how to seal for it, as the store keeps it."""
    return master.wrap(orjson.dumps({"endpoint": endpoint, **keys}).decode(), f"browser {owner}")


def unwrapped(master: MasterKey, owner: str, kept: str) -> dict[str, str]:
    """`{endpoint, p256dh, auth}`. Raises ValueError where the master key is another."""
    found: dict[str, str] = orjson.loads(master.unwrap(kept, f"browser {owner}"))
    return found


def sealed(master: MasterKey, contact: str, target: dict[str, str], text: str, now: float) -> tuple[bytes, dict[str, str]]:
    """`(body, headers)` of a message for a browser; `now` in seconds."""
    from py_vapid import Vapid02  # where they are used: they take long to import
    from pywebpush import WebPusher

    url = URL(target["endpoint"])
    keys = {name: target[name] for name in ("p256dh", "auth")}
    made: Any = WebPusher({"endpoint": target["endpoint"], "keys": keys}).encode(text.encode(), content_encoding="aes128gcm")
    claims = {"aud": str(url.origin()), "sub": contact, "exp": int(now) + LIVES}
    headers = {
        **Vapid02(private_key=_private(master)).sign(claims),
        "content-encoding": "aes128gcm", "content-type": "application/octet-stream", "ttl": str(TTL), "urgency": "normal",
    }  # fmt: skip
    return made["body"], headers
