"""The mail host: SMTP in, and mail programs' way out, in the loop of its Sanic process; beside it what sends the outbox and invites."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from mailhost import tls
from mailhost.session import Load, Session
from mailhost.smtp import Door, Handler, Inbound, Submission
from ocean.followers import invites, outbox
from ocean.http.answers import as_ocean_error, json_
from ocean.http.app import app, follow
from ocean.settings import address, listener, mail_host

RENEW = 6 * 3600.0  # seconds between looks for a certificate that is newer
ROOM = 256 * 1024 * 1024  # bytes of messages that are being taken
GRACE = 5.0  # seconds that what was taken has to be kept, when the process ends
log = logging.getLogger("ocean.smtp")


def create(settings: dict[str, str]) -> Sanic[Any, Any]:
    server = app("ocean-mail", settings, max_size=1024 * 1024)
    follow(server, outbox.run)
    follow(server, invites.run)

    @server.exception(Exception)
    async def error(request: Request, fault: Exception) -> HTTPResponse:
        answer = as_ocean_error(fault)
        return json_(answer.body(), answer.status)

    @server.after_server_start
    async def listen(server: Sanic[Any, Any]) -> None:
        server.ctx.smtp = Listening(server)
        await server.ctx.smtp.open()

    @server.before_server_stop
    async def stop(server: Sanic[Any, Any]) -> None:
        await server.ctx.smtp.close()

    return server


class Listening:
    """The doors: for other hosts, and where they are wanted those for mail programs."""

    def __init__(self, server: Sanic[Any, Any]) -> None:
        self._settings: dict[str, str] = server.ctx.settings
        self._ocean = server.ctx.ocean
        self._loop = asyncio.get_running_loop()
        self._name = mail_host(self._settings)
        self._door = Door(self._ocean, self._name)
        self._load = Load(ROOM)
        self._servers: list[asyncio.Server] = []
        self._sessions: set[Session] = set()
        self._tls: ssl.SSLContext | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._tls = await tls.context(self._ocean)
        host, port = address(self._settings, "OCEAN_SMTP")
        self._servers.append(await self._loop.create_server(self._made(Inbound), host, port))
        for name, whole in (("OCEAN_SUBMISSION", False), ("OCEAN_SUBMISSIONS", True)):
            where = listener(self._settings, name)
            if where is not None:
                context = self._tls if whole else None
                made = self._made(Submission, auth_required=True)
                self._servers.append(await self._loop.create_server(made, *where, ssl=context))
        self._renewing = self._loop.create_task(self._renew())

    def _made(self, kind: Callable[[Door], Handler], **options: Any) -> Callable[[], Session]:
        name, loop = self._name, self._loop
        pattern = Session(kind(self._door), self._load, hostname=name, tls_context=self._tls, loop=loop, **options)

        def session() -> Session:
            handler = kind(self._door)
            made = Session(handler, self._load, pattern)
            made.tls_context = self._tls
            self._sessions.add(made)
            made.ended = lambda: self._over(handler, made)
            return made

        return session

    def _over(self, handler: Handler, session: Session) -> None:
        handler.over()
        self._sessions.discard(session)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW)
            try:
                self._tls = await tls.context(self._ocean)
            except Exception as fault:  # the one there is goes on
                log.warning("the certificate is not read anew: %r", fault)

    async def close(self) -> None:
        """Nobody comes in any more; what was taken is kept to its end."""
        if self._renewing is not None:
            self._renewing.cancel()
        for one in self._servers:
            one.close()
        if self._door.tasks:
            await asyncio.wait(self._door.tasks, timeout=GRACE)
        for session in list(self._sessions):
            if session.transport is not None:
                session.transport.close()
        for one in self._servers:
            await one.wait_closed()
