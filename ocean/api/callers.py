"""Who a request comes from: a secret key, a signature, or nobody."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Awaitable, Collection
from typing import Any

from sanic import Request

from ocean.api.quick import Plain
from ocean.context import Budget, Caller, Ocean
from ocean.core import keys, signatures
from ocean.core.money import read_io
from ocean.errors import OceanError
from ocean.http.clients import client_ip
from ocean.services.access.identity import key_of
from ocean.store.batch import Once, Write
from ocean.turns import household

ANY_ORIGIN = {"access-control-allow-origin": "*"}  # never with credentials: the key travels in its own header


class KeyBudget:
    """Pairs made for one address within the hour."""

    def __init__(self, per_hour: int) -> None:
        self.per_hour = per_hour
        self._made: dict[str, list[float]] = {}

    def spend(self, ip: str) -> None:
        """Raises KEYGEN_LIMITED."""
        now = time.monotonic()
        ip = household(ip)
        if len(self._made) > 10_000:
            self._made = {k: v for k, v in self._made.items() if v[-1] > now - 3600}  # none of them is empty
        recent = [t for t in self._made.get(ip, ()) if t > now - 3600]
        if len(recent) >= self.per_hour:
            raise OceanError(
                "KEYGEN_LIMITED", "Too many keys were made from this address.", "Send one that you have as X-Ocean-Key.",
                retry_after=int(recent[0] + 3600 - now) + 1,
            )  # fmt: skip
        self._made[ip] = [*recent, now]

    def refund(self, ip: str) -> None:
        """The last pair came to nothing."""
        made = self._made.get(household(ip), [])
        if len(made) > 1:
            made.pop()
        else:
            self._made.pop(household(ip), None)


IN_ADDRESS = frozenset({"_key", "key"})  # parameters that carry a credential where a browser can't set headers


async def caller_of(
    request: Request | Plain, *, make: bool, parameters: Collection[str] = (), digest: bytes | None = None
) -> Caller:  # fmt: skip
    """The caller; with `make`, one without a key gets a pair made. `parameters` may carry the key, where the header does not;
    `digest` is the body's SHA-256 where the body was streamed.

    Raises INVALID_CREDENTIAL, KEY_REQUIRED, KEYGEN_LIMITED.
    """
    secret = request.headers.get("x-ocean-key")
    if secret is None and parameters and request.query_string:
        secret = next((found for name in parameters if (found := request.args.get(name))), None)
    ip = client_ip(request)
    idempotency = request.headers.get("idempotency-key")
    if idempotency is not None and not (0 < len(idempotency) <= 200 and idempotency.isascii() and idempotency.isprintable()):
        raise OceanError("INVALID_VALUE", "The Idempotency-Key has 1 to 200 printable ASCII characters.")
    asked = ""
    if idempotency:
        body = digest if digest is not None else signatures.digest(request.body)
        asked = hashlib.sha256(f"{request.method} {request.path}?{request.query_string}\n".encode() + body).hexdigest()
    if secret:
        key = await key_of(request.app.ctx.ocean, secret)
        return Caller(key, ip, None, idempotency, asked, _budget(request))
    if "signature-input" in request.headers:
        return Caller(await _signer(request, digest), ip, None, idempotency, asked, _budget(request))
    if not make:
        return Caller(None, ip)
    if request.args.get("generate_keypair") == "false":
        raise OceanError("KEY_REQUIRED", "Writing needs a key.", "Send your key as X-Ocean-Key.", status=401)
    request.app.ctx.budget.spend(ip)
    pair = keys.generate()
    return Caller(pair.public, ip, pair)


def _budget(request: Request | Plain) -> Budget | None:
    """What the request may spend on what is sold by the reading. Raises INVALID_VALUE."""
    text = request.headers.get("x-ocean-budget")
    if text is None:
        return None
    return Budget(read_io(text))


async def _signer(request: Request | Plain, digest: bytes | None) -> str:
    """The public key that signed the request; its nonce can't come again."""
    ocean: Ocean = request.app.ctx.ocean
    body = digest if digest is not None else signatures.digest(request.body) if request.body else None
    path = request.raw_url.split(b"?", 1)[0].decode("ascii")
    signed = signatures.verify(request.method, path, request.query_string, request.headers, body, time.time())
    nonce = hashlib.sha256(f"nonce\n{signed.public}\n{signed.nonce}".encode()).hexdigest()
    try:
        await ocean.log.append(Write([], signed.public, Once(nonce, secrets.token_hex(16), signed.expires * 1000)))
    except OceanError as fault:
        if fault.code != "CONFLICT":
            raise
        raise OceanError("INVALID_CREDENTIAL", "The request's signature was used before.", "Sign with a new nonce.") from None
    return signed.public


async def answered(request: Request | Plain, caller: Caller, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """What `work` gives, with the pair that was made for the request, which is shown this once; one that came to nothing is not counted."""
    if caller.made is None:
        return await work
    try:
        answer = await work
    except OceanError as fault:
        request.app.ctx.budget.refund(caller.ip)
        if fault.code == "FORBIDDEN":
            fault.message = "The request came without a key, and what it asks for is not open to everyone."
            fault.hint = "Send the key that owns it as X-Ocean-Key (OCEAN_KEY for `ocean`), or choose another folder."
        raise
    return {**answer, "keypair": {"public": caller.made.public, "private": caller.made.secret}}
