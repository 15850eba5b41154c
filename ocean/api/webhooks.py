"""`POST /webhook/NAME`: whatever other services send."""

from __future__ import annotations

from typing import Any

from sanic import Request, Sanic

from ocean.http.answers import Answer, json_
from ocean.http.clients import client_ip
from ocean.services.live import webhooks


def mount(server: Sanic[Any, Any]) -> None:
    @server.post("/webhook/<name>")
    async def receive(request: Request, name: str) -> Answer:
        made = await webhooks.receive(
            request.app.ctx.ocean,
            name=name,
            ip=client_ip(request),
            headers=dict(request.headers),
            body=request.body,
            query=request.query_string,
        )
        return json_(made, 200 if "challenge" in made else 202)
