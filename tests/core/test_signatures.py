"""Signed requests, by a third party's client, and every way to bend one."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any
from urllib.parse import urlsplit

import http_message_signatures as sigs
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ocean.core import keys, signatures
from ocean.errors import OceanError


class Resolver(sigs.HTTPSignatureKeyResolver):
    def __init__(self, secret: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(secret.removeprefix("osk_") + "="))

    def resolve_private_key(self, key_id: str) -> Any:
        return self._key

    def resolve_public_key(self, key_id: str) -> Any:
        return self._key.public_key()


def signed(secret: str, method: str, url: str, body: bytes = b"", **named: Any) -> requests.PreparedRequest:
    """A request as the library http-message-signatures signs it."""
    request = requests.Request(method, url, data=body or None).prepare()
    covered = ["@method", "@authority", "@path", "@query"]
    if body:
        request.headers["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        named = {"use_existing_digest": True, **named}
        covered.append("content-digest")
    signer = sigs.HTTPMessageSigner(signature_algorithm=sigs.algorithms.ED25519, key_resolver=Resolver(secret))
    options = {"nonce": "a-nonce-of-some-length", "include_alg": True, "covered_component_ids": covered, **named}
    signer.sign(request, key_id=keys.public_of(secret), **options)
    return request


def check(request: requests.PreparedRequest, now: float | None = None, **changed: Any) -> signatures.Signed:
    body = request.body if isinstance(request.body, bytes) else b""
    path, _, query = request.path_url.partition("?")
    asked = {
        "method": request.method,
        "path": path,
        "query": query,
        "headers": {"host": urlsplit(request.url).netloc, **{k.lower(): v for k, v in request.headers.items()}},
    }
    asked["body_sha256"] = hashlib.sha256(body).digest() if body else None
    return signatures.verify(**{**asked, "now": now or time.time(), **changed})


URL = "http://127.0.0.1:8000/drop?x=1"


def test_a_third_partys_signature_holds() -> None:
    pair = keys.generate()
    assert check(signed(pair.secret, "POST", URL, b'{"a":1}')).public == pair.public
    assert check(signed(pair.secret, "GET", "http://127.0.0.1/entity/a?key=b")).nonce == "a-nonce-of-some-length"


@pytest.mark.parametrize(
    "bent",
    [
        {"method": "PUT"},
        {"path": "/drop2"},
        {"query": "x=2"},
        {"body_sha256": hashlib.sha256(b"other").digest()},
        {"now": time.time() + 1000},
        {"now": time.time() - 1000},
        {"headers": {}},
    ],
)
def test_a_bent_request_is_refused(bent: dict[str, Any]) -> None:
    request = signed(keys.generate().secret, "POST", URL, b'{"a":1}')
    with pytest.raises(OceanError) as caught:
        check(request, **bent)
    assert caught.value.code == "INVALID_CREDENTIAL"


@pytest.mark.parametrize(
    "named",
    [
        {"nonce": "short"},
        {"nonce": None},
        {"covered_component_ids": ["@method", "@path"]},
        {"covered_component_ids": ["@method", "@authority", "@path", "@query"]},
    ],
)
def test_a_signature_that_covers_too_little_is_refused(named: dict[str, Any]) -> None:
    request = signed(keys.generate().secret, "POST", URL, b'{"a":1}', **named)
    with pytest.raises(OceanError):
        check(request)


def test_anothers_signature_is_not_mine() -> None:
    mine, theirs = keys.generate(), keys.generate()
    request = signed(theirs.secret, "POST", URL, b"{}")
    request.headers["Signature-Input"] = request.headers["Signature-Input"].replace(theirs.public, mine.public)
    with pytest.raises(OceanError):
        check(request)


@pytest.mark.parametrize("digest", ["sha-256=:A:", "sha-256=:AAAA:", "md5=:AAAA:", ""])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    request = signed(keys.generate().secret, "POST", URL, b"{}")
    request.headers["Content-Digest"] = digest
    with pytest.raises(OceanError):
        check(request)
    assert signatures.digest(b"{}") == hashlib.sha256(b"{}").digest()


def test_a_header_that_changes_what_a_request_does_is_covered_or_refused() -> None:
    request = signed(keys.generate().secret, "POST", URL, b"{}")
    for name in signatures.MEANT:
        bent = request.copy()
        bent.headers[name] = "x"
        with pytest.raises(OceanError):
            check(bent)


def test_a_point_of_small_order_signs_nothing() -> None:
    point = base64.urlsafe_b64encode(b"\x01" + bytes(31)).rstrip(b"=").decode()
    assert keys.is_public(point)
    assert not keys.verify(point, b"anything", base64.urlsafe_b64encode(b"\x01" + bytes(63)).decode())


def test_a_component_that_is_not_understood_is_refused() -> None:
    request = signed(keys.generate().secret, "POST", URL, b"{}")
    request.headers["Signature-Input"] = request.headers["Signature-Input"].replace('"@query"', '"@query" "accept"')
    with pytest.raises(OceanError):
        check(request)
