"""The mail host: an SMTP server in the loop of its Sanic process. Until mailboxes can be claimed, every recipient is refused."""

from __future__ import annotations

from typing import Any

from aiosmtpd.smtp import SMTP
from sanic import HTTPResponse, Request, Sanic

from ocean.http.answers import as_ocean_error, json_
from ocean.http.app import app
from ocean.settings import address


class Recipients:
    """RCPT is refused for a name that has no mailbox, so nothing is ever accepted that could not be kept."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, options: Any) -> str:  # noqa: N802
        return "550 5.1.1 No such mailbox here"


def create(settings: dict[str, str]) -> Sanic[Any, Any]:
    server = app("ocean-mail", settings, max_size=1024 * 1024)
    host, port = address(settings, "OCEAN_SMTP")

    @server.exception(Exception)
    async def error(request: Request, fault: Exception) -> HTTPResponse:
        answer = as_ocean_error(fault)
        return json_(answer.body(), answer.status)

    @server.after_server_start
    async def listen(server: Sanic[Any, Any]) -> None:
        server.ctx.smtp = await server.loop.create_server(
            lambda: SMTP(Recipients(), hostname="infinite-ocean", ident="Infinite Ocean"), host, port
        )

    @server.before_server_stop
    async def stop(server: Sanic[Any, Any]) -> None:
        server.ctx.smtp.close()
        await server.ctx.smtp.wait_closed()

    return server
