"""Files over HTTP: uploads as raw bodies, downloads whole or in ranges; and the files of a site before it is switched."""

from __future__ import annotations

import asyncio
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from ocean.api.callers import ANY_ORIGIN, caller_of
from ocean.api.twins import only_parameters, path_route
from ocean.errors import OceanError
from ocean.http.answers import json_
from ocean.http.ranges import send_file
from ocean.services.files import blobs
from ocean.services.pages import deploys

AT_ONCE = 32  # uploads that come in side by side
_KEPT = "public, max-age=31536000, immutable"


def mount(server: Sanic[Any, Any]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    @server.post("/blob", stream=True)
    async def upload(request: Request) -> HTTPResponse:
        only_parameters(request, {"generate_keypair"})
        route = request.headers.get("x-blob-route")
        if not route:
            raise OceanError("ROUTE_REQUIRED", "The upload names no folder.", "Send X-Blob-Route: my/files.")
        async with gate:
            received = await _receive(request)
            try:
                caller = await caller_of(request, make=True, digest=bytes.fromhex(received.sha256))
                kind = request.headers.get("content-type", "application/octet-stream")
                answer = await blobs.upload(request.app.ctx.ocean, caller, route, kind, received)
            finally:
                received.close()
        if caller.made is not None:
            answer["keypair"] = {"public": caller.made.public, "private": caller.made.secret}
        return json_(answer, 201, any_origin=True)

    @server.put("/publish/<route:path>", stream=True)
    async def stage(request: Request, route: str) -> HTTPResponse:
        only_parameters(request, {"sha256"})
        async with gate:
            received = await _receive(request)
            try:
                caller = await caller_of(request, make=False, digest=bytes.fromhex(received.sha256))
                wanted = request.args.get("sha256") or ""
                answer = await deploys.stage(request.app.ctx.ocean, caller, path_route(request), wanted, received)
            finally:
                received.close()
        return json_(answer, 201, any_origin=True)

    @server.route("/blob/<drop_id:str>", methods=["GET", "HEAD"])
    async def download(request: Request, drop_id: str) -> Any:
        only_parameters(request, {"key"})
        caller = await caller_of(request, make=False, parameter="key")
        file = await blobs.find(request.app.ctx.ocean, caller, drop_id)
        public = caller.key is None
        headers = {**ANY_ORIGIN, "cache-control": _KEPT if public else "private, max-age=31536000, immutable", "etag": f'"{file.sha256}"'}
        # A file is never a page here: the API's origin runs nobody's scripts.
        headers |= {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
        return send_file(request, request.app.ctx.ocean.blobs, file.key, file.size, file.type, headers)


async def _receive(request: Request) -> blobs.Received:
    stream: Any = request.stream
    stream.request_max_size = blobs.MAX_BYTES + 1
    length = request.headers.get("content-length", "0")
    received = blobs.Received()
    try:
        if int(length) > blobs.MAX_BYTES:
            raise OceanError("BLOB_TOO_LARGE", f"The file is over {blobs.MAX_BYTES // 1024 // 1024} MB.", "Upload it in parts.")
        while (piece := await stream.read()) is not None:
            await received.take(piece)
    except BaseException:
        received.close()
        raise
    return received
