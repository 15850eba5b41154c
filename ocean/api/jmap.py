"""JMAP's addresses: the session, the calls, and bytes. The key is a bearer token, or the password of Basic."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import Counter
from typing import Any
from urllib.parse import unquote

from sanic import HTTPResponse, Request, Sanic
from sanic.response import ResponseStream

from ocean.api.callers import ANY_ORIGIN
from ocean.api.twins import only_parameters
from ocean.context import Caller, Ocean
from ocean.core.files import media_type
from ocean.core.payloads import decode, dumps
from ocean.errors import OceanError
from ocean.http.answers import Answer, json_
from ocean.http.clients import client_ip
from ocean.services.access.identity import key_of
from ocean.services.mail.jmap import methods
from ocean.services.mail.jmap.protocol import LIMITS, session

MAX_LISTENING = 10  # streams of one key
EVERY, LEAST = 0.5, 0.2  # seconds between looks, at most and at least
MAX_REQUEST = int(str(LIMITS["maxSizeRequest"]))


def mount(server: Sanic[Any, Any]) -> None:
    @server.get("/.well-known/jmap")
    async def begin(request: Request) -> Answer:
        ocean: Ocean = request.app.ctx.ocean
        return json_(await session(ocean, await _caller(request)), 200, any_origin=True)

    @server.post("/jmap/api", name="jmap_api")
    async def api(request: Request) -> Answer:
        if len(request.body) > MAX_REQUEST:
            raise OceanError("PAYLOAD_TOO_LARGE", f"A request of JMAP has at most {MAX_REQUEST // 1024} KB.")
        return json_(await methods.ask(request.app.ctx.ocean, await _caller(request), decode(request.body)), 200, any_origin=True)

    @server.get("/jmap/download/<account>/<blob>/<name>", name="jmap_download")
    async def download(request: Request, account: str, blob: str, name: str) -> HTTPResponse:
        body, kind = await methods.download(request.app.ctx.ocean, await _caller(request), unquote(account), unquote(blob))
        headers = {**ANY_ORIGIN, "content-disposition": "attachment", "x-content-type-options": "nosniff", "cache-control": "private"}
        return HTTPResponse(body, 200, headers, kind)

    listening: Counter[str] = Counter()

    @server.get("/jmap/events", name="jmap_events")
    async def events(request: Request) -> ResponseStream:
        only_parameters(request, {"types", "closeafter", "ping"})
        ocean, caller = request.app.ctx.ocean, await _caller(request)
        key, ping = str(caller.key), request.args.get("ping") or "0"
        if listening[key] >= MAX_LISTENING:
            raise OceanError("LIMIT_REACHED", f"One key has at most {MAX_LISTENING} of these open.", "Close one.")
        pause = max(30.0, float(ping)) if ping.isascii() and ping.isdigit() and len(ping) < 6 and int(ping) else 300.0

        async def send(response: Any) -> None:
            listening[key] += 1
            try:
                await _changes(ocean, caller, response, pause, once=request.args.get("closeafter") == "state")
            finally:
                listening[key] -= 1

        return ResponseStream(send, headers={**ANY_ORIGIN, "cache-control": "no-store"}, content_type="text/event-stream")

    @server.post("/jmap/upload/<account>", name="jmap_upload")
    async def upload(request: Request, account: str) -> Answer:
        kind = media_type(request.headers.get("content-type", ""))
        told = await methods.upload(request.app.ctx.ocean, await _caller(request), unquote(account), kind, request.body)
        return json_(told, 201, any_origin=True)


async def _changes(ocean: Ocean, caller: Caller, response: Any, ping: float, *, once: bool) -> None:
    """Tells the states of a key's mailboxes whenever one has moved. The log is looked at a few times a second at most."""
    await response.write(b": here\n\n")  # the head goes with the first bytes
    known: dict[str, str] = {}
    quiet, seen = 0.0, -1
    while True:
        head, _ = await ocean.reader.head()
        states = await methods.states(ocean, caller) if head != seen else known
        seen = head
        moved = {account: state for account, state in states.items() if known.get(account, state) != state}
        known = states
        if moved:
            types = {account: {"Email": state, "Mailbox": state, "Thread": state} for account, state in moved.items()}
            await response.write(f"event: state\ndata: {dumps({'@type': 'StateChange', 'changed': types})}\n\n".encode())
            quiet = 0.0
            if once:
                return
        waiting = ocean.log.moved
        try:
            async with asyncio.timeout(EVERY):
                await waiting.wait()
            await asyncio.sleep(LEAST)
        except TimeoutError:
            quiet += EVERY
        if quiet >= ping:
            await response.write(b'event: ping\ndata: {"interval": %d}\n\n' % ping)
            quiet = 0.0


async def _caller(request: Request) -> Caller:
    """Raises INVALID_CREDENTIAL, KEY_REQUIRED."""
    given = request.headers.get("authorization", "")
    scheme, _, rest = given.partition(" ")
    secret = request.headers.get("x-ocean-key") or ""
    if scheme.lower() == "bearer":
        secret = rest.strip()
    elif scheme.lower() == "basic":
        try:
            secret = base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            secret = ""
    if not secret:
        raise OceanError("KEY_REQUIRED", "Mail is read with a key.", "Send it as a bearer token, or as the password.", status=401)
    return Caller(await key_of(request.app.ctx.ocean, secret), client_ip(request))
