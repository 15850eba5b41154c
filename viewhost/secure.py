"""HTTPS mounted on the view host: what an authority looks for, the listener beside Sanic's own, and what both go by, kept true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request, Sanic

from ocean.context import Ocean
from ocean.errors import OceanError
from ocean.http.answers import Answer
from ocean.services.pages.hosting import answer_to
from ocean.settings import listener, own_names
from viewhost.hosts import name_of
from viewhost.listening import Listener

if TYPE_CHECKING:
    from viewhost.tls import Tls

log = logging.getLogger("ocean.tls")
_HSTS = "strict-transport-security"


def _hsts(settings: Mapping[str, str]) -> dict[str, str]:
    """What is added to answers by TLS (RFC 6797, 7.1)."""
    return {_HSTS: f"max-age={settings['OCEAN_HSTS']}"} if int(settings["OCEAN_HSTS"]) else {}


def lines(settings: Mapping[str, str]) -> str:
    """The same as lines of a head."""
    return "".join(f"{name}: {value}\r\n" for name, value in _hsts(settings).items())


def mount(server: Sanic[Any, Any]) -> None:
    settings = server.ctx.settings

    @server.get("/.well-known/acme-challenge/<token>", ignore_body=True)
    async def challenge(request: Request, token: str) -> HTTPResponse:
        """RFC 8555, 8.3: whoever asks is the authority, at the name that it is to prove."""
        answer = await answer_to(request.app.ctx.ocean, token, name_of(request.headers.get("host", "")) or "")
        if answer is None:
            raise OceanError("NOT_FOUND", "There is no such challenge.")
        return HTTPResponse(answer, 200, {"cache-control": "no-store"}, "application/octet-stream")

    if listener(settings) is None:
        return

    if lines(settings):

        @server.on_response  # type: ignore[untyped-decorator]
        async def keep_to_https(request: Request, response: HTTPResponse) -> None:
            if request.conn_info is None or not request.conn_info.ssl:
                return
            if isinstance(response, Answer):
                response.head += lines(settings).encode()
            else:
                response.headers.update(_hsts(settings))

    @server.after_server_start
    async def listen(server: Sanic[Any, Any]) -> None:
        from viewhost.tls import Tls  # where HTTPS is spoken at all

        ocean: Ocean = server.ctx.ocean
        given = settings["OCEAN_TLS_CERTIFICATE"]
        tls = Tls(server.ctx.hosts.hosting, frozenset(own_names(settings)), Path(given) if given else None)
        server.ctx.secure = Listener(server, listener(settings) or ("", 0), tls.listens)
        server.ctx.keeping = asyncio.get_running_loop().create_task(_keep_true(ocean, tls, server))

    @server.before_server_stop
    async def close(server: Sanic[Any, Any]) -> None:
        server.ctx.keeping.cancel()
        await server.ctx.secure.close()


async def _keep_true(ocean: Ocean, tls: Tls, server: Sanic[Any, Any]) -> None:
    """A handshake can't wait for a look at the store: what it goes by is looked at whenever the log moves."""
    while True:
        moved = ocean.log.moved
        try:
            await server.ctx.hosts.hosting.follow()
            tls.watch()
        except Exception as fault:  # a database away: what is known stands
            log.warning("certificates are not looked at: %r", fault)
        try:
            async with asyncio.timeout(ocean.engine.poll):
                await moved.wait()
        except TimeoutError:
            pass
