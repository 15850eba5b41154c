"""The API server: CORS, callers, /exec and the twins."""

from __future__ import annotations

import asyncio
from typing import Any

from sanic import HTTPResponse, Request, Sanic

from ocean.api import accounts, blobs, exports, jmap, mail, openapi, streams, twins, webhooks
from ocean.api.callers import ANY_ORIGIN, KeyBudget, answered, caller_of
from ocean.api.quick import QuickProtocol, Table
from ocean.bus import bus_of
from ocean.commands import offered
from ocean.commands.dispatch import LONG, execute, parse_aside, writes
from ocean.core.payloads import decode
from ocean.errors import OceanError
from ocean.followers import hooks, indexer, indexes, jobs, reaper
from ocean.http.answers import NOTHING_HERE, Answer, as_ocean_error, json_
from ocean.http.app import app, follow
from ocean.services.automate.functions import Functions
from ocean.services.data.embeds import keep_counting
from ocean.services.live.broadcasts import Broadcasts
from ocean.services.live.hub import Hub
from ocean.services.query.indexing import Indexing

CORS = {
    **ANY_ORIGIN,
    "access-control-allow-headers": "authorization, content-type, x-ocean-key, x-ocean-budget, x-blob-route, idempotency-key, if-match, "
    "if-none-match, last-event-id, range, content-digest, signature, signature-input",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS",
    "access-control-max-age": "86400",
}


MAX_STATEMENTS = 4 * 1024 * 1024  # characters


def create(settings: dict[str, str]) -> Sanic[Any, Any]:
    server = app("ocean-api", settings, max_size=32 * 1024 * 1024)
    server.ctx.budget = KeyBudget(int(settings["OCEAN_KEYS_PER_HOUR"]))

    @server.exception(Exception)
    async def error(request: Request, fault: Exception) -> HTTPResponse:
        if request.method == "OPTIONS":  # no route has it: every address answers a browser's preflight alike
            return HTTPResponse(b"", 204, CORS)
        return answer_error(fault)

    @server.post("/exec")
    async def exec_(request: twins.Asked) -> Answer:
        twins.only_parameters(request, set())
        if len(request.body) > MAX_STATEMENTS * 4:
            raise OceanError("PAYLOAD_TOO_LARGE", "The statements are over 4 MB.", "Send large content by POST /drop or POST /blob.")
        text = _statement(request) if len(request.body) < LONG else await asyncio.to_thread(_statement, request)
        if len(text) > MAX_STATEMENTS:
            raise OceanError("PAYLOAD_TOO_LARGE", "The statements are over 4 MB.", "Send large content by POST /drop or POST /blob.")
        statements = await parse_aside(text)
        caller = await caller_of(request, make=writes(statements))
        return json_(await answered(request, caller, execute(request.app.ctx.ocean, caller, statements)), 200, any_origin=True)

    @server.before_server_start
    async def listen(server: Sanic[Any, Any]) -> None:
        ocean = server.ctx.ocean
        server.ctx.hub = Hub(ocean)
        ocean.searching = Indexing(ocean.data, ocean.engine, ocean.reader)
        await ocean.searching.open()
        ocean.live = Broadcasts(ocean, bus_of(ocean.settings, ocean.data))
        await ocean.live.open()
        ocean.running = Functions(ocean, offered.ask)
        server.ctx.meter.gauge("ocean_listeners", "Listeners to broadcasts.", lambda: ocean.live.count if ocean.live else 0)
        server.ctx.meter.gauge("ocean_functions", "Functions that run.", lambda: ocean.running.running if ocean.running else 0)
        server.ctx.meter.gauge(
            "ocean_function_processes", "Processes of functions, running or kept.", lambda: ocean.running.pool.count if ocean.running else 0
        )
        server.ctx.meter.gauge("ocean_streams", "Streams that are open.", lambda: server.ctx.hub.count)

    @server.before_server_stop
    async def hush(server: Sanic[Any, Any]) -> None:
        await server.ctx.hub.close()
        await server.ctx.ocean.broadcasting.close()

    follow(server, reaper.run)
    follow(server, indexes.run)
    follow(server, indexer.run)
    follow(server, hooks.run)
    follow(server, jobs.run)
    follow(server, keep_counting)
    server.ctx.protocol, server.ctx.quick = QuickProtocol, Table()
    server.ctx.answer_error, server.ctx.quick_inline = answer_error, not settings["OCEAN_STORE"]
    server.ctx.quick.add("POST", "/exec", exec_)
    twins.mount(server, server.ctx.quick)
    streams.mount(server)
    exports.mount(server)
    blobs.mount(server)
    webhooks.mount(server)
    accounts.mount(server)
    mail.mount(server)
    jmap.mount(server)
    openapi.mount(server)
    return server


def answer_error(fault: Exception) -> Answer:
    error = as_ocean_error(fault)
    if error.message == NOTHING_HERE:
        error.hint = "POST /exec takes Drops; /docs lists the addresses. Pages are on the view host."
    answer = json_(error.body(), error.status, any_origin=True)
    if error.retry_after is not None:
        answer.head += b"retry-after: %d\r\n" % error.retry_after
    return answer


def _statement(request: twins.Asked) -> str:
    kind = request.headers.get("content-type", "text/plain").split(";")[0].strip().lower()
    if kind != "application/json" and not request.body.lstrip().startswith(b"{"):  # no statement begins so: it is JSON without its type
        try:
            return request.body.decode()
        except UnicodeDecodeError:
            raise OceanError("SYNTAX_ERROR", "The statement is not UTF-8 text.") from None
    body = decode(request.body)
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        raise OceanError("SYNTAX_ERROR", "The body has no 'query', the statement.", 'Send {"query": "..."}.')
    if len(body) > 1:
        raise OceanError("UNKNOWN_FIELD", f"/exec knows no field {next(k for k in body if k != 'query')[:40]!r}.")
    return str(body["query"])
