"""What of accounts and money is no twin: a link that a browser opens, an answer of two statuses, what Stripe tells."""

from __future__ import annotations

from typing import Any

from sanic import HTTPResponse, Request, Sanic

from ocean.api.callers import caller_of
from ocean.api.twins import only_parameters
from ocean.context import Caller
from ocean.core.payloads import decode
from ocean.errors import OceanError
from ocean.http import assets
from ocean.http.answers import Answer, json_
from ocean.http.clients import client_ip
from ocean.services.access import accounts
from ocean.services.money import topups

MAX_EVENT = 1024 * 1024  # bytes
_PAGE = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def mount(server: Sanic[Any, Any]) -> None:
    page = assets.Asset("account/index.html", _PAGE)
    script, style = assets.Asset("account/account.js"), assets.Asset("account/account.css")
    assets.mount(server, {"/account": page, "/buy": page, "/account.js": script, "/account.css": style})
    button = assets.handler(page)

    @server.get("/auth/verify")
    async def verify(request: Request) -> HTTPResponse | Answer:
        """A browser is shown a button: whatever looks at links in mail opens them too, and presses none."""
        only_parameters(request, {"token"})
        if "text/html" in request.headers.get("accept", ""):
            return await button(request)  # type: ignore[no-any-return]
        token = request.args.get("token")
        if not token:
            raise OceanError("INVALID_TOKEN", "The request has no 'token'.")
        return json_(await accounts.verify(request.app.ctx.ocean, Caller(None, client_ip(request)), token=token), 200, any_origin=True)

    @server.post("/auth/resolve")
    async def resolve(request: Request) -> Answer:
        only_parameters(request, set())
        caller = await caller_of(request, make=False)
        body = decode(request.body)
        if not isinstance(body, dict) or body.keys() - {"email"}:
            raise OceanError("UNKNOWN_FIELD" if isinstance(body, dict) else "INVALID_PAYLOAD", 'The body is {"email": "..."}.')
        answer = await accounts.resolve(request.app.ctx.ocean, caller, email=body.get("email", ""))
        return json_(answer, 201 if caller.key is not None and answer["is_new"] else 200, any_origin=True)

    @server.post("/stripe/webhook")
    async def told(request: Request) -> Answer:
        if len(request.body) > MAX_EVENT:
            raise OceanError("PAYLOAD_TOO_LARGE", "The event is too large.")
        return json_(await topups.told(request.app.ctx.ocean, request.body, request.headers.get("stripe-signature")))
