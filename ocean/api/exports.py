"""GET /export/...: a folder as a file, streamed."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sanic import Request, Sanic
from sanic.response import ResponseStream

from ocean.api.callers import ANY_ORIGIN, IN_ADDRESS, caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.core.filters import condition_of
from ocean.core.payloads import decode
from ocean.errors import OceanError
from ocean.services.query.export import Export

_PARAMETERS = frozenset({"format", "dialect", "latest", "filter", "from", "to", "select", "raw", *IN_ADDRESS})
_ENDINGS = {"ndjson": "ndjson", "json": "json", "csv": "csv", "sql": "sql", "mongo": "js"}


def mount(server: Sanic[Any, Any]) -> None:
    @server.get("/export/<route:path>")
    async def export(request: Request, route: str) -> ResponseStream:
        only_parameters(request, _PARAMETERS)
        caller = await caller_of(request, make=False, parameters=IN_ADDRESS)
        get = request.args.get
        chosen = get("select")
        made = Export(
            request.app.ctx.ocean, caller, route=path_route(request), format=get("format") or "ndjson",
            dialect=get("dialect") or "postgres", latest=_flag("latest", get("latest"), False),
            where=condition_of(decode(get("filter").encode())) if get("filter") else None, since=get("from"), until=get("to"),
            select=chosen.split(",") if chosen else None, raw=_flag("raw", get("raw"), False),
        )  # fmt: skip
        await made.check()  # what is refused is refused before the head is sent

        async def send(response: Any) -> None:
            async for piece in made.text():
                await response.write(piece.encode())

        name = quote(made.route.rsplit("/", 1)[-1]) + "." + _ENDINGS[made.format]
        headers = {**ANY_ORIGIN, "content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
        return ResponseStream(send, headers=headers, content_type=made.content_type)


def _flag(name: str, text: str | None, otherwise: bool) -> bool:
    if text is None:
        return otherwise
    if text not in ("true", "false"):
        raise OceanError("INVALID_VALUE", f"{name!r} is true or false.")
    return text == "true"
