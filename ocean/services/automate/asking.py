"""What a function asks for that is no command: files as bytes, whole folders, other hosts."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from ocean.context import Caller, Ocean
from ocean.core.filters import condition_of, sorts_of
from ocean.core.payloads import loads
from ocean.core.routes import check_route
from ocean.egress.broker import EgressError
from ocean.errors import OceanError
from ocean.services.automate import functions
from ocean.services.files import blobs
from ocean.services.query import find
from ocean.services.query.export import Export
from ocean.services.query.scope import MAX_LIMIT

MAX_FETCHED = 4 * 1024 * 1024  # bytes of another host's answer
MAX_ANSWERED = 12 * 1024 * 1024  # characters of records
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_OURS = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect", "proxy-authorization")
)
Given = Mapping[str, Any]


def text_of(given: Given, name: str) -> str:
    """Raises INVALID_VALUE."""
    value = given.get(name)
    if not isinstance(value, str):
        raise OceanError("INVALID_VALUE", f"{name!r} is text.")
    return value


def _bytes_of(given: Given, name: str) -> bytes:
    try:
        return base64.b64decode(text_of(given, name), validate=True)
    except (binascii.Error, ValueError):
        raise OceanError("INVALID_VALUE", f"{name!r} is bytes.") from None


def _too_much() -> OceanError:
    says = f"All of it is over {MAX_ANSWERED // 2**20} MB."
    return OceanError("LIMIT_REACHED", says, "Ask by parts: limit and skip; or let ocean.sql do the sum.")


async def query(ocean: Ocean, caller: Caller, given: Given) -> list[dict[str, Any]]:
    """Records by a filter: as many as were asked for, or all, in pages that nobody sees."""
    wanted, skip = given.get("limit"), given.get("skip") or 0
    if any(not isinstance(number, int) or isinstance(number, bool) or number < 0 for number in (wanted or 0, skip)):
        raise OceanError("INVALID_VALUE", "'limit' and 'skip' are whole numbers.")
    prefix, filter_ = text_of(given, "prefix"), given.get("filter")
    where, sort = condition_of(filter_) if filter_ else None, sorts_of(given.get("sort"))
    found: list[dict[str, Any]] = []
    after: str | None = None
    size = 0
    while wanted is None or len(found) < wanted:
        most = MAX_LIMIT if wanted is None else min(MAX_LIMIT, wanted - len(found))
        prefix_ = prefix if prefix.endswith("/*") else f"{prefix}/*"
        page = await find.find(
            ocean, caller, prefix=prefix_, where=where, sort=sort, limit=most, skip=0 if after else skip, after=after
        )  # fmt: skip
        found += page["results"]
        size += len(orjson.dumps(page["results"]))
        after = page.get("next_cursor")
        if after is None:
            break
        if size > MAX_ANSWERED:
            raise _too_much()
    return found


async def run(ocean: Ocean, caller: Caller, given: Given) -> Any:
    """What another function gives."""
    _, outcome = await ocean.functions.run(caller, text_of(given, "route"), functions.request_of(given.get("request")))
    return loads(outcome.result)


async def upload(ocean: Ocean, caller: Caller, given: Given) -> dict[str, Any]:
    name, kind = given.get("filename"), given.get("content_type")
    guessed = mimetypes.guess_type(name)[0] if isinstance(name, str) else None
    received = blobs.Received()
    try:
        await received.take(_bytes_of(given, "data"))
        type_ = kind if isinstance(kind, str) else guessed or "application/octet-stream"
        return await blobs.upload(ocean, caller, check_route(text_of(given, "route")), type_, received)
    finally:
        received.close()


async def export_entities(ocean: Ocean, caller: Caller, given: Given) -> list[dict[str, Any]]:
    """All records of a folder and all beneath. Raises LIMIT_REACHED where they are too large together."""
    found: list[dict[str, Any]] = []
    size = 0
    async for page in Export(ocean, caller, route=text_of(given, "route"), format="json").pages():
        size += sum(len(drop.payload or "") + 300 for drop in page)
        if size > MAX_ANSWERED:
            raise _too_much()
        found += [drop.to_json() for drop in page]
    return found


async def fetch(ocean: Ocean, caller: Caller, given: Given) -> dict[str, Any]:
    """Another host's answer, through the one way out."""
    method, headers, url = given.get("method", "GET"), given.get("headers") or {}, text_of(given, "url")
    if method not in METHODS:
        raise OceanError("INVALID_VALUE", f"{str(method)[:20]!r} is no method of HTTP.", f"Methods: {', '.join(METHODS)}.")
    if not isinstance(headers, dict) or not all(isinstance(one, str) for pair in headers.items() for one in pair):
        raise OceanError("INVALID_VALUE", "'headers' are texts by their names.")
    ocean.paces.fetches.spend_each(caller.holders)
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    body = _bytes_of(given, "body") if given.get("body") is not None else None
    try:
        reply = await ocean.egress.request(str(method), url, body, sent, most=MAX_FETCHED)
    except EgressError as fault:
        raise OceanError("NOT_AVAILABLE", f"{url[:80]!r} could not be asked: {fault}", status=502) from None
    return {"status": reply.status, "headers": dict(reply.headers), "body": base64.b64encode(reply.body).decode()}


ASKED: dict[str, Callable[[Ocean, Caller, Given], Awaitable[Any]]] = {
    "query": query, "run": run, "upload": upload, "export_entities": export_entities, "fetch": fetch,
}  # fmt: skip
