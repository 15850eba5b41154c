"""Signatures of what others send us: Stripe's, GitHub's, Slack's, and Standard Webhooks'. Pure: headers and bytes in, a verdict out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

AGE = 300  # seconds that a signature is good for, where it says when it was made
TYPES = ("stripe", "github", "slack", "standard")
_NOT_KEPT = frozenset({
    "authorization", "cookie", "proxy-authorization", "x-ocean-key", "host", "connection", "content-length", "accept-encoding", "te",
    "transfer-encoding", "upgrade", "expect", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
})  # fmt: skip


def secret_bytes(text: str) -> bytes:
    """The key that a Standard Webhooks secret is: base64 behind `whsec_`, else its own characters. Raises ValueError."""
    if not text.startswith("whsec_"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("what stands behind whsec_ is not base64") from None


def signature(secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, hashlib.sha256)


def verified(kind: str, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether a request was signed with the secret, the way senders of its kind sign, and not too long ago. `now` in seconds."""
    if kind == "stripe":  # docs.stripe.com/webhooks: t=...,v1=...[,v1=...]; the secret is taken as it stands
        parts = [part.strip().partition("=") for part in headers.get("stripe-signature", "").split(",")]
        made = next((value for name, _, value in parts if name == "t"), "")
        wanted = signature(secret.encode(), _raw(made) + b"." + body).hex()
        return _fresh(made, now) and any(_same(value, wanted) for name, _, value in parts if name == "v1")
    if kind == "github":  # docs.github.com: X-Hub-Signature-256
        return _same(headers.get("x-hub-signature-256", ""), "sha256=" + signature(secret.encode(), body).hex())
    if kind == "slack":  # api.slack.com/authentication/verifying-requests-from-slack
        made = headers.get("x-slack-request-timestamp", "")
        wanted = "v0=" + signature(secret.encode(), b"v0:" + _raw(made) + b":" + body).hex()
        return _fresh(made, now) and _same(headers.get("x-slack-signature", ""), wanted)
    if kind == "standard":
        made = headers.get("webhook-timestamp", "")
        try:
            key = secret_bytes(secret)
        except ValueError:
            return False
        message = _raw(headers.get("webhook-id", "")) + b"." + _raw(made) + b"." + body
        wanted = "v1," + base64.b64encode(signature(key, message)).decode()
        return _fresh(made, now) and any(_same(one, wanted) for one in headers.get("webhook-signature", "").split(" "))
    return False


def delivery_of(kind: str, headers: Mapping[str, str]) -> str | None:
    """What tells a delivery that is sent once more from another, where its sender says so in a header that is signed or unique."""
    return {"github": headers.get("x-github-delivery"), "standard": headers.get("webhook-id")}.get(kind)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What is kept of a request's headers: neither credentials nor what is of its way here."""
    return {
        name.lower(): value.encode(errors="surrogateescape").decode(errors="replace")  # a header's bytes may be no text
        for name, value in headers.items()
        if name.lower() not in _NOT_KEPT
    }


def _fresh(made: str, now: float) -> bool:
    return made.isascii() and made.isdigit() and len(made) < 16 and abs(now - int(made)) <= AGE


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())
