"""Signed requests: HTTP Message Signatures (RFC 9421) with Ed25519, and Content-Digest (RFC 9530).

    Content-Digest: sha-256=:...:
    Signature-Input: ocean=("@method" "@authority" "@path" "@query" "content-digest");created=1790000000;nonce="...";keyid="PUBLIC KEY"
    Signature: ocean=:...:

Taken of the RFC: one signature over the components of REQUIRED, over content-digest where there is a body, and over each header
of MEANT that is there; `created`, `nonce` and `keyid` are required. Anything else is refused rather than half understood.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ocean.core import keys
from ocean.errors import OceanError

REQUIRED = ("@method", "@authority", "@path", "@query")
MEANT = ("if-match", "if-none-match", "idempotency-key", "x-blob-route")  # headers that change what a request does
COMPONENTS = (*REQUIRED, *MEANT, "content-digest", "content-type")
WINDOW = 300  # seconds that `created` may lie from now
_INPUT = re.compile(
    r"(?P<label>[a-z][a-z0-9_-]*)=(?P<params>\((?P<components>(?:\"[a-z@-]+\" ?)*)\)(?P<rest>(?:;[a-z]+=(?:\"[^\"\\]*\"|\d+))*))"
)
_PARAM = re.compile(r";([a-z]+)=(?:\"([^\"\\]*)\"|(\d+))")


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that holds: whose it is, and the nonce that may not come again until `expires` (seconds since the epoch)."""

    public: str
    nonce: str
    expires: int


def verify(method: str, path: str, query: str, headers: Mapping[str, str], body_sha256: bytes | None, now: float) -> Signed:
    """Checks the signature of a request; `body_sha256` is None without a body. Raises INVALID_CREDENTIAL."""
    match = _INPUT.fullmatch(headers.get("signature-input", ""))
    if match is None:
        raise _refused("Signature-Input can't be read")
    components = re.findall(r'"([^"]+)"', match["components"])
    params = {name: text or number for name, text, number in _PARAM.findall(match["rest"])}
    if len(set(components)) != len(components) or not set(components) <= set(COMPONENTS):
        raise _refused(f"the components must be among {', '.join(COMPONENTS)}")
    wanted = {*REQUIRED, *(name for name in MEANT if name in headers)}
    if not wanted <= set(components):
        raise _refused(f"it must cover {', '.join(sorted(wanted))}")
    if body_sha256 is not None:
        _check_digest(components, headers, body_sha256)
    created, nonce, public = params.get("created", ""), params.get("nonce", ""), params.get("keyid", "")
    if params.get("alg", "ed25519") != "ed25519" or not 8 <= len(nonce) <= 128 or not keys.is_public(public):
        raise _refused("it wants alg ed25519, a nonce of 8 to 128 characters, and a public key as keyid")
    if not created.isdigit() or len(created) > 12 or abs(now - int(created)) > WINDOW:
        raise _refused(f"'created' lies more than {WINDOW} seconds from the server's clock")
    lines = [f'"{name}": {_value(name, method, path, query, headers)}' for name in components]
    base = "\n".join([*lines, f'"@signature-params": {match["params"]}'])
    signature = re.fullmatch(re.escape(match["label"]) + r"=:([A-Za-z0-9+/=]+):", headers.get("signature", ""))
    if signature is None or not keys.verify(public, base.encode(), _urlsafe(signature[1])):
        raise _refused("the signature does not fit the request")
    return Signed(public, nonce, int(created) + WINDOW + 1)


def _refused(why: str) -> OceanError:
    return OceanError("INVALID_CREDENTIAL", f"The request's signature does not hold: {why}.", "RFC 9421, Ed25519.")


def _value(name: str, method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    own = {"@method": method, "@path": path, "@query": "?" + query, "@authority": headers.get("host", "").lower()}
    return own[name] if name in own else headers.get(name, "").strip()


def _check_digest(components: list[str], headers: Mapping[str, str], body_sha256: bytes) -> None:
    wanted = re.fullmatch(r"sha-256=:([A-Za-z0-9+/=]+):", headers.get("content-digest", "").strip())
    try:
        given = base64.b64decode(wanted[1], validate=True) if wanted else b""
    except binascii.Error:
        given = b""
    if "content-digest" not in components or given != body_sha256:
        raise _refused("a body wants a Content-Digest (sha-256) that is signed, and is the body's")


def _urlsafe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_").rstrip("=")


def digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
