"""Files over HTTP: uploads as raw bodies, downloads whole or in ranges; and the files of a site before it is switched."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from sanic import Request, Sanic

from ocean.api.callers import ANY_ORIGIN, IN_ADDRESS, answered, caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.context import Caller
from ocean.core.media import is_document
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.http.answers import Answer, json_
from ocean.http.clients import client_ip
from ocean.http.ranges import send_file
from ocean.services.access.reading import require_write
from ocean.services.files import blobs
from ocean.services.pages import deploys
from ocean.turns import household

AT_ONCE = 256  # uploads that come in side by side, and
OF_ONE = 16  # of one address
SILENCE = 15.0  # seconds that an upload may stand still, and
PATIENCE = 30.0  # seconds that it may take, beside
SLOWEST = 20_000  # bytes a second
_KEPT = "no-cache"  # a file never changes, but who may see it does: each time the tag is asked for, and no more is sent


class Incoming:
    """Uploads that are coming in, counted by address."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @contextmanager
    def one(self, ip: str, keyed: bool) -> Iterator[None]:
        """Raises SERVER_BUSY or LIMIT_REACHED. Those without a key have half of the places."""
        if self._held.total() >= (AT_ONCE if keyed else AT_ONCE // 2):
            raise OceanError("SERVER_BUSY", "Too many uploads come in.", "Try again in a moment.")
        if self._held[ip] >= OF_ONE:
            raise OceanError("LIMIT_REACHED", f"{OF_ONE} uploads of this address come in already.", "Let one of them end first.")
        self._held[ip] += 1
        try:
            yield
        finally:
            self._held[ip] -= 1
            self._held = +self._held


def mount(server: Sanic[Any, Any]) -> None:
    incoming = Incoming()

    @server.post("/blob", stream=True)
    async def upload(request: Request) -> Answer:
        only_parameters(request, {"generate_keypair"})
        route = request.headers.get("x-blob-route")
        if not route:
            raise OceanError("ROUTE_REQUIRED", "The upload names no folder.", "Send X-Blob-Route: my/files.")
        kind = request.headers.get("content-type", "application/octet-stream")
        async with _received(request, incoming, check_route(route), make=True) as (caller, received):
            answer = await answered(request, caller, blobs.upload(request.app.ctx.ocean, caller, route, kind, received))
        return json_(answer, 201, any_origin=True)

    @server.put("/publish/<route:path>", stream=True)
    async def stage(request: Request, route: str) -> Answer:
        only_parameters(request, {"sha256"})
        path = check_route(path_route(request))
        async with _received(request, incoming, path, make=False) as (caller, received):
            answer = await deploys.stage(request.app.ctx.ocean, caller, path, request.args.get("sha256") or "", received)
        return json_(answer, 201, any_origin=True)

    @server.route("/blob/<drop_id:str>", methods=["GET", "HEAD"])
    async def download(request: Request, drop_id: str) -> Any:
        only_parameters(request, IN_ADDRESS)
        caller = await caller_of(request, make=False, parameters=IN_ADDRESS)
        file = await blobs.find(request.app.ctx.ocean, caller, drop_id)
        public = caller.key is None
        headers = {**ANY_ORIGIN, "cache-control": f"{'public' if public else 'private'}, {_KEPT}", "etag": f'"{file.sha256}"'}
        # A file is never a page here: the API's origin runs nobody's scripts.
        headers |= {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
        if is_document(file.type):
            headers["content-disposition"] = "attachment"
        return send_file(request, request.app.ctx.ocean.blobs, file.key, file.size, file.type, headers)


@asynccontextmanager
async def _received(request: Request, incoming: Incoming, route: str, *, make: bool) -> AsyncIterator[tuple[Caller, blobs.Received]]:
    """The caller and the body, once it is whole. Who may not write to `route` is refused before it is read.

    Only a signed request's caller is known after its body, whose digest is signed.
    """
    signed = "x-ocean-key" not in request.headers and "signature-input" in request.headers
    caller = None
    if not signed:
        caller = await caller_of(request, make=make, digest=b"")
        await require_write(request.app.ctx.ocean, caller, route)
    length = int(request.headers.get("content-length", "0"))
    if length > blobs.MAX_BYTES:
        raise OceanError("BLOB_TOO_LARGE", f"The file is over {blobs.MAX_BYTES // 1024 // 1024} MB.", "Upload it in parts.")
    received = blobs.Received()
    try:
        with incoming.one(household(client_ip(request)), caller is not None and caller.made is None):
            await _read(request.stream, received, PATIENCE + (length or blobs.MAX_BYTES) / SLOWEST)
        digest = bytes.fromhex(received.sha256)
        if caller is None or caller.made is None:  # a signature, or an idempotency key, is about the body too
            caller = await caller_of(request, make=False, digest=digest)
        yield caller, received
    finally:
        received.close()


async def _read(stream: Any, received: blobs.Received, seconds: float) -> None:
    stream.request_max_size = blobs.MAX_BYTES + 1
    try:
        async with asyncio.timeout(seconds):
            while (piece := await asyncio.wait_for(stream.read(), SILENCE)) is not None:
                await received.take(piece)
    except TimeoutError:
        raise OceanError("BAD_REQUEST", "The upload stood still, or came too slowly.", "Send it again.", status=408) from None
