"""What of mail and calendars is no twin: a message byte for byte, a link in one that ends them, and feeds."""

from __future__ import annotations

import hashlib
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from ocean.api.callers import ANY_ORIGIN, IN_ADDRESS, caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.errors import OceanError
from ocean.http import assets
from ocean.http.answers import Answer, json_
from ocean.services.calendar import feeds
from ocean.services.mail import messages, sending

_PAGE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def mount(server: Sanic[Any, Any]) -> None:
    button, ended = (assets.handler(assets.Asset(f"mail/{name}.html", _PAGE)) for name in ("unsubscribe", "unsubscribed"))

    @server.get("/mail/message/<route:path>")
    async def message(request: Request, route: str) -> HTTPResponse:
        only_parameters(request, {"key"} | IN_ADDRESS)
        caller = await caller_of(request, make=False, parameters=IN_ADDRESS - {"key"})
        key = request.args.get("key")
        if not key:
            raise OceanError("KEY_REQUIRED", "The request has no 'key', the message's.")
        raw = await messages.original(request.app.ctx.ocean, caller, path_route(request, 3), key)
        headers = {**ANY_ORIGIN, "content-disposition": 'attachment; filename="message.eml"', "x-content-type-options": "nosniff"}
        return HTTPResponse(raw, 200, {**headers, "cache-control": "private, no-store"}, "message/rfc822")

    @server.get("/mail/unsubscribe")
    async def ask(request: Request) -> HTTPResponse:
        """Whatever looks at links in mail opens them too, and presses no button."""
        only_parameters(request, {"token"})
        return await button(request)  # type: ignore[no-any-return]

    @server.post("/mail/unsubscribe")
    async def end(request: Request) -> HTTPResponse | Answer:
        only_parameters(request, {"token"})
        answer = await sending.unsubscribe(request.app.ctx.ocean, request.args.get("token") or "")
        if "text/html" in request.headers.get("accept", ""):
            return await ended(request)  # type: ignore[no-any-return]
        return json_(answer, 200, any_origin=True)

    @server.route("/calendar/feed/<route:path>", methods=["GET", "HEAD"])
    async def feed(request: Request, route: str) -> HTTPResponse:
        only_parameters(request, {"token", "busy"})
        busy = request.args.get("busy") or "false"
        if busy not in ("true", "false"):
            raise OceanError("INVALID_VALUE", "'busy' is true or false.")
        ocean = request.app.ctx.ocean
        body = await feeds.text(ocean, path_route(request, 3), request.args.get("token") or "", only_busy=busy == "true")
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {**ANY_ORIGIN, "etag": tag, "cache-control": "private, max-age=60", "x-content-type-options": "nosniff"}
        given = request.headers.get("if-none-match", "")
        if tag in (one.strip().removeprefix("W/") for one in given.split(",")):
            return HTTPResponse(b"", 304, headers)
        return HTTPResponse(body, 200, headers, "text/calendar; charset=utf-8")
