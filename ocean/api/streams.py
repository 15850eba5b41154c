"""GET /stream/...: server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

import time
from typing import Any

import orjson
from sanic import Request, Sanic
from sanic.response import ResponseStream

from ocean.api.callers import caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.access.reading import require_read, shown
from ocean.services.live.streams import CaughtUp, follow

HEARTBEAT = 15.0


def mount(server: Sanic[Any, Any]) -> None:
    @server.get("/stream/<route:path>")
    async def stream(request: Request, route: str) -> ResponseStream:
        only_parameters(request, {"last", "from", "key"})
        caller = caller_of(request, make=False, parameter="key")
        ocean = request.app.ctx.ocean
        prefix = path_route(request)
        last = _number(request.args.get("last"), "last")
        after = _number(request.headers.get("last-event-id") or request.args.get("from"), "from")
        require_read(ocean, caller, prefix.removesuffix("/*"), "stream")

        async def send(response: Any) -> None:
            beat = time.monotonic()
            async for item in follow(ocean, caller, prefix, last=last, after=after):
                if item is None:
                    if time.monotonic() - beat > HEARTBEAT:
                        beat = time.monotonic()
                        await response.write(b": beat\n\n")
                elif isinstance(item, CaughtUp):
                    told = orjson.dumps({"timestamp": show_time(int(time.time() * 1000)), "replayed": int(item)})
                    await response.write(b"event: caught-up\ndata: %b\n\n" % told)
                else:
                    await response.write(b"id: %d\ndata: %b\n\n" % (item.seq, orjson.dumps(shown(caller, item))))
            await response.write(b'event: closed\ndata: {"code":"FORBIDDEN"}\n\n')

        headers = {"cache-control": "no-store", "x-accel-buffering": "no", "access-control-allow-origin": "*"}
        return ResponseStream(send, headers=headers, content_type="text/event-stream")


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not text.isascii() or len(text) > 18:
        raise OceanError("INVALID_VALUE", f"{name!r} is not a position or a number.")
    return int(text)
