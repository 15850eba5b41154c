"""Sign in with an ID token, against an issuer on this machine; on each engine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.egress.broker import Broker
from ocean.errors import OceanError
from ocean.services.access import accounts, oidc
from tests.accounts.test_accounts import NOBODY, signed_in
from tests.money.test_ledger import code


@dataclass
class Issuer:
    url: str
    keys: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def jwks(self) -> dict[str, Any]:
        shown = []
        for name, key in self.keys.items():
            maker = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
            shown.append({**json.loads(maker.to_jwk(key.public_key())), "kid": name, "use": "sig"})
        return {"keys": shown}

    def token(self, kid: str = "rsa", algorithm: str = "RS256", key: Any = None, **claims: Any) -> str:
        told = {
            "iss": self.url, "aud": "app", "sub": "1", "iat": int(time.time()), "exp": int(time.time()) + 300, "email": "Alice@example.com",
            "email_verified": True, **claims,
        }  # fmt: skip
        return jwt.encode(
            {k: v for k, v in told.items() if v is not None}, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid}
        )


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            known = {"/.well-known/openid-configuration": {"issuer": made.url, "jwks_uri": f"{made.url}/keys"}, "/keys": made.jwks()}
            body = json.dumps(known.get(self.path, {})).encode()
            self.send_response(200 if self.path in known else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
    made.keys = {"rsa": rsa.generate_private_key(65537, 2048), "ec": ec.generate_private_key(ec.SECP256R1())}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def trusting(ocean: Ocean, issuer: Issuer) -> Ocean:
    ocean.egress = Broker([ip_network("127.0.0.0/8")])
    ocean.settings = {**ocean.settings, "OCEAN_OIDC": f"{issuer.url}|app"}
    return ocean


async def test_a_token_gives_the_personal_key_of_its_address(trusting: Ocean, issuer: Issuer) -> None:
    told = await oidc.sign_in(trusting, NOBODY, id_token=issuer.token())
    assert told["is_new"]
    assert keys.public_of(told["key"]) == (await signed_in(trusting, "alice@example.com")).key
    again = await oidc.sign_in(trusting, NOBODY, id_token=issuer.token("ec", "ES256", nonce="n"), nonce="n")
    assert (again["key"], again["is_new"]) == (told["key"], False)


async def test_a_token_is_good_once(trusting: Ocean, issuer: Issuer) -> None:
    for token in (issuer.token(jti="1"), issuer.token("ec", "ES256", jti="2"), issuer.token(jti="3", exp=10**17)):
        await oidc.sign_in(trusting, NOBODY, id_token=token)
        for again in (token, token + "=", token + "=="):
            assert await code(oidc.sign_in(trusting, NOBODY, id_token=again)) == "INVALID_TOKEN"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "other"}, {"aud": ["app", "other"]}, {"iss": "https://evil.example"}, {"exp": 1}, {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"sub": None}, {"email_verified": False}, {"email_verified": None}, {"iss": None}, {"aud": None},
    ],
)  # fmt: skip
async def test_a_token_that_does_not_hold_opens_nothing(trusting: Ocean, issuer: Issuer, claims: dict[str, Any]) -> None:
    assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token(**claims))) == "INVALID_TOKEN"


async def test_forged_tokens_open_nothing(trusting: Ocean, issuer: Issuer) -> None:
    stranger = rsa.generate_private_key(65537, 2048)
    public = (
        issuer.keys["rsa"].public_key().public_bytes_raw() if hasattr(issuer.keys["rsa"].public_key(), "public_bytes_raw") else b"x" * 32
    )
    forged = [
        issuer.token(key=stranger), issuer.token("unknown", key=stranger), issuer.token(key=None, kid="rsa")[:-4] + "AAAA",
        issuer.token(key=public, algorithm="HS256"), jwt.encode({"iss": issuer.url, "aud": "app"}, "", algorithm="none"), "", "a.b.c",
        "x" * 20_000,
    ]  # fmt: skip
    for token in forged:
        assert await code(oidc.sign_in(trusting, NOBODY, id_token=token)) == "INVALID_TOKEN"
    assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token(nonce="a"), nonce="b")) == "INVALID_TOKEN"
    assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token(email="nobody"))) == "INVALID_EMAIL"


async def test_the_issuer_is_asked_for_its_keys_once_and_not_again_for_each_unknown_one(trusting: Ocean, issuer: Issuer) -> None:
    issuer.asked.clear()
    for _ in range(3):
        await oidc.sign_in(trusting, NOBODY, id_token=issuer.token(jti=str(time.monotonic_ns())))
    stranger = rsa.generate_private_key(65537, 2048)
    for kid in ("a", "b", "c"):
        assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token(kid, key=stranger))) == "INVALID_TOKEN"
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_an_issuer_that_is_away_is_not_the_token_s_fault(trusting: Ocean, issuer: Issuer) -> None:
    trusting.settings = {**trusting.settings, "OCEAN_OIDC": f"{issuer.url}|app|{issuer.url}/nothing"}
    assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token())) == "SERVER_BUSY"
    trusting.settings = {**trusting.settings, "OCEAN_OIDC": f"{issuer.url}|app|http://127.0.0.1:1/keys"}
    assert await code(oidc.sign_in(trusting, NOBODY, id_token=issuer.token())) == "SERVER_BUSY"


async def test_without_issuers_there_is_no_such_sign_in(ocean: Ocean, issuer: Issuer) -> None:
    with pytest.raises(OceanError) as caught:
        await oidc.sign_in(ocean, Caller(None), id_token=issuer.token())
    assert caught.value.code == "NOT_AVAILABLE"
    assert (await accounts.resolve(ocean, NOBODY, email="alice@example.com"))["is_new"]
