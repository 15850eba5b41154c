"""Sign in with an ID token of an OpenID Connect issuer that the operator trusts (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import orjson

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core.accounts import canonical_email
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.access import accounts
from ocean.settings import Issuer
from ocean.store import passes
from ocean.store.accounts import PERSONAL
from ocean.store.engine import Steps
from ocean.store.passes import Pass

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")  # no symmetric one: who checks could make tokens
LEEWAY = 60  # seconds that clocks may differ
KEPT = 3600.0  # seconds that an issuer's keys are kept
AGAIN = 60.0  # seconds before they are asked for once more, for a key that is not among them
MAX_TOKEN = 16 * 1024
MAX_LIFE = 10 * 365 * 86_400  # seconds: an end beyond it is none
_KIND = "oidc"


async def sign_in(ocean: Ocean, caller: Caller, *, id_token: str, nonce: str | None = None) -> dict[str, Any]:
    """The personal key of the address that a token vouches for; each token is good once. Raises INVALID_TOKEN, NOT_AVAILABLE."""
    issuers = settings.issuers(ocean.settings)
    if not issuers:
        raise OceanError("NOT_AVAILABLE", "No issuer of ID tokens is trusted here.", "The operator names some: OCEAN_OIDC.")
    ocean.paces.tokens.spend(caller.holder)
    claims = await _claims(ocean, issuers, id_token)
    if nonce is not None and claims.get("nonce") != nonce:
        raise _refused("it was made for another sign-in (nonce)")
    if claims.get("email_verified") not in (True, "true"):
        raise _refused("it does not vouch for an address")
    address = canonical_email(claims.get("email"))
    await _once(ocean, id_token, min(int(claims["exp"]), int(time.time()) + MAX_LIFE))
    account, new = await accounts.account_for(ocean, address, PERSONAL)
    return {"key": accounts.secret_of(ocean, account), "public_id": account.public_id, "is_new": new}


async def _claims(ocean: Ocean, issuers: list[Issuer], token: str) -> dict[str, Any]:
    import jwt

    try:
        if len(token) > MAX_TOKEN:
            raise _refused("it is too long")
        header, told = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
        known = [one for one in issuers if told.get("iss") in _names(one)]
        if not known:
            raise _refused("its issuer is not trusted here")
        key = await _key(ocean, known[0], str(header.get("kid")))
        found: dict[str, Any] = jwt.decode(
            token, key, algorithms=list(ALGORITHMS), audience=[one.client for one in known], issuer=list(_names(known[0])), leeway=LEEWAY,
            options={"require": ["exp", "iat", "sub", "aud", "iss"]},
        )  # fmt: skip
    except jwt.PyJWTError as fault:
        raise _refused(str(fault)[:200]) from None
    if isinstance(found["aud"], list) and len(found["aud"]) > 1 and found.get("azp") not in [one.client for one in known]:
        raise _refused("it was made for another app")
    return found


def _names(issuer: Issuer) -> tuple[str, ...]:
    """Google names itself in two ways (its own documentation says so)."""
    return (issuer.url, issuer.url.removeprefix("https://")) if issuer.url == "https://accounts.google.com" else (issuer.url,)


def _refused(why: str) -> OceanError:
    return OceanError("INVALID_TOKEN", f"The ID token is not accepted: {why}.", "Sign in with the issuer again.")


async def _once(ocean: Ocean, token: str, until: int) -> None:
    """Raises INVALID_TOKEN where the token was used before."""
    name = hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()  # a signature can be spelt in more than one way
    there: list[bool] = []

    def steps() -> Steps:
        yield from passes.put_once(_KIND, name, Pass("", "", (until + LEEWAY + 1) * 1000), there)

    await ocean.log.transact(steps())
    if there:
        raise _refused("it was used before")


async def _key(ocean: Ocean, issuer: Issuer, kid: str) -> Any:
    """The issuer's public key of that name; asked for anew where it is not known, but not at every call."""
    import jwt

    at, keys = ocean.jwks.get(issuer.url, (-KEPT, {}))
    age = time.monotonic() - at
    if age > KEPT or (kid not in keys and age > AGAIN):
        read = jwt.PyJWKSet.from_dict(await _fetched(ocean, issuer))
        keys = {str(one.key_id): one for one in read.keys}
        ocean.jwks[issuer.url] = (time.monotonic(), keys)
    if kid not in keys:
        raise _refused("its issuer knows no key of that name")
    return keys[kid]


async def _fetched(ocean: Ocean, issuer: Issuer) -> dict[str, Any]:
    address = issuer.jwks
    if not address:
        told = await _json(ocean, f"{issuer.url.rstrip('/')}/.well-known/openid-configuration")
        if told.get("issuer") != issuer.url or not isinstance(told.get("jwks_uri"), str):
            raise OceanError("SERVER_BUSY", f"{issuer.url} does not say where its keys are.", "Name their address in OCEAN_OIDC.")
        address = told["jwks_uri"]
    return await _json(ocean, address)


async def _json(ocean: Ocean, url: str) -> dict[str, Any]:
    try:
        reply = await ocean.egress.request("GET", url)
        found = orjson.loads(reply.body) if reply.status == 200 else None
    except (EgressError, orjson.JSONDecodeError):
        found = None
    if not isinstance(found, dict):
        raise OceanError("SERVER_BUSY", f"{url} does not answer as an issuer does.", "Try again in a moment.")
    return found
