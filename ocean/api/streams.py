"""GET /stream/...: server-sent events (WHATWG HTML, 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from sanic import Request, Sanic
from sanic.response import ResponseStream

from ocean.api.callers import ANY_ORIGIN, IN_ADDRESS, caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.live.broadcasts import listen
from ocean.services.live.hub import Ended, Event, Subscriber
from ocean.services.live.streams import CaughtUp, Gap, Item, follow
from ocean.store.reader import now

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no", **ANY_ORIGIN}


def mount(server: Sanic[Any, Any]) -> None:
    @server.get("/stream/<route:path>")
    async def stream(request: Request, route: str) -> ResponseStream:
        only_parameters(request, {"last", "from", *IN_ADDRESS})
        caller = await caller_of(request, make=False, parameters=IN_ADDRESS)
        last = _number(request.args.get("last"), "last")
        after = _number(request.headers.get("last-event-id") or request.args.get("from"), "from")
        items = follow(request.app.ctx.ocean, request.app.ctx.hub, caller, path_route(request), last=last, after=after, live=_live(request))
        return await _sent(items)

    @server.get("/broadcast/<route:path>")
    async def listen_(request: Request, route: str) -> ResponseStream:
        only_parameters(request, IN_ADDRESS)
        caller = await caller_of(request, make=False, parameters=IN_ADDRESS)
        folder, slash, last = path_route(request).rpartition("/")
        if not slash or last != "listen":
            raise OceanError("NOT_FOUND", "There is nothing at this address.", "Listen at /broadcast/FOLDER/listen.")
        return await _sent(listen(request.app.ctx.ocean, caller, folder, _live(request)))


async def _sent(items: AsyncIterator[Item]) -> ResponseStream:
    first = await anext(items)  # what is refused is refused before the head is sent

    async def send(response: Any) -> None:
        try:
            await response.write(_show(first))
            async for item in items:
                await response.write(_show(item))
        finally:
            await items.aclose()  # type: ignore[attr-defined]

    return ResponseStream(send, headers=_HEADERS, content_type="text/event-stream")


def _live(request: Request) -> Callable[[Subscriber], None]:
    """Has a subscriber's events written at once, from when all before is written."""

    def begin(subscriber: Subscriber) -> None:
        subscriber.straight = _straight(request.stream)

    return begin


def _straight(http: Any) -> Callable[[Event], bool] | None:
    """Writes an event as a chunk (RFC 9112, 7.1) to a line that takes it at once; None where the answer is not in chunks."""
    if http.response_func != http.http1_response_chunked:
        return None
    protocol = http.protocol

    def write(event: Event) -> bool:
        transport = protocol.transport
        if transport is None or transport.is_closing() or not protocol._can_write.is_set():
            return False
        transport.write(_chunk(event))
        return True

    return write


class _Last:
    """The event that was shown last: the same one goes to all who listen, one after another."""

    event: Event | None = None
    chunk = b""


def _chunk(event: Event) -> bytes:
    if _Last.event is not event:
        shown = _show(event)
        _Last.event, _Last.chunk = event, b"%x\r\n%b\r\n" % (len(shown), shown)
    return _Last.chunk


def _show(item: Item) -> bytes:
    if isinstance(item, Event) and item.kind:
        return b"event: %b\ndata: %b\n\n" % (item.kind.encode(), item.data)
    if isinstance(item, Event) and not item.seq:  # of the moment: nothing to go on from
        return b"data: %b\n\n" % item.data
    if isinstance(item, Event):
        return b"id: %d\ndata: %b\n\n" % (item.seq, item.data)
    if isinstance(item, CaughtUp):
        return b"event: caught-up\ndata: %b\n\n" % orjson.dumps({"timestamp": show_time(now()), "replayed": item.replayed})
    if isinstance(item, Gap):
        return b"event: gap\ndata: %b\n\n" % orjson.dumps({"after": str(item.after), "until": str(item.until)})
    if isinstance(item, Ended):
        return b"event: %b\ndata: %b\n\n" % (b"lagged" if item.code == "LAGGED" else b"closed", orjson.dumps({"code": item.code}))
    return b": beat\n\n"


def _number(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not text.isascii() or len(text) > 18:
        raise OceanError("INVALID_VALUE", f"{name!r} is not a position or a number: {text[:40]!r}.")
    return int(text)
