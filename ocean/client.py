"""Infinite Ocean for Python programs: `Ocean` waits for its answers, `AsyncOcean` is for asyncio. Both have the same methods.

    from ocean.client import Ocean

    ocean = Ocean("http://127.0.0.1:8000", key="osk_...")
    ocean.save("my/data", {"name": "Alice"}, key="user-1")
    for record in ocean.stream("my/data", last=10):
        print(record["payload"])

Answers are the JSON that `/openapi.json` describes. An answer that is an error raises OceanError.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Generic, TypeVar
from urllib.parse import quote

import aiohttp
import requests

Json = dict[str, Any]
Told = Callable[[str, Any], None]  # an event's name and data: caught-up, gap, lagged, closed, join, leave
R = TypeVar("R")
SECONDS = 60.0  # that an answer may take
_RETRY_FIRST, _RETRY_MOST = 0.5, 15.0  # seconds before a stream is opened again
_ENDS = "closed"  # the server's last word: opening it again would not help


class OceanError(Exception):
    """An answer that is an error: `code` is one of the error table, `hint` the way out."""

    def __init__(self, status: int, body: object) -> None:
        fault = body.get("error") if isinstance(body, dict) else None
        fault = fault if isinstance(fault, dict) else {}
        super().__init__(str(fault.get("message", f"The server answered {status}.")))
        self.status = status
        self.code = str(fault.get("code", "ERROR"))
        self.hint: str | None = fault.get("hint")
        self.details = {name: value for name, value in fault.items() if name not in ("code", "message", "hint")}


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent: `content` is bytes, or what they are read from."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    content: bytes | IO[bytes] | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)

    def parameters(self) -> dict[str, str]:
        return {name: _text(value) for name, value in self.query.items() if value is not None}

    def headers_with(self, key: str | None) -> dict[str, str]:
        given = {"x-ocean-key": key, **self.headers}
        return {name: str(value) for name, value in given.items() if value is not None}


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _json(method: str, path: str, body: Any, query: Mapping[str, Any] | None = None, headers: Mapping[str, Any] | None = None) -> Request:
    return Request(method, path, query or {}, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})


def _given(**fields: Any) -> Json:
    """What was given of them."""
    return {name: value for name, value in fields.items() if value is not None}


def _at(first: str, route: str) -> str:
    return f"/{first}/" + "/".join(part if part == "*" else quote(part, safe="") for part in route.split("/"))


class _Calls(ABC, Generic[R]):
    """The methods: each makes a request, and `_ask` gives its answer, now or later."""

    def __init__(self, url: str = "http://127.0.0.1:8000", key: str | None = None) -> None:
        self.url = url.rstrip("/")
        self.key = key  # where there is none, the pair that the server makes for the first write

    @abstractmethod
    def _ask(self, request: Request) -> R: ...

    def exec(self, statement: str) -> R:
        """Statements of Drops."""
        return self._ask(Request("POST", "/exec", content=statement.encode(), headers={"content-type": "text/plain; charset=utf-8"}))

    def save(
        self, route: str, payload: Any, *, key: str | None = None, ttl: int | None = None, price: float | None = None,
        price_per_read: float | None = None, public: bool | None = None, if_match: str | None = None, if_none_match: str | None = None,
        wait: bool | None = None, idempotency_key: str | None = None,
    ) -> R:  # fmt: skip
        given = _given(route=route, key=key, ttl=ttl, price=price, price_per_read=price_per_read, public=public)
        body = {**given, "payload": payload}
        headers = {"if-match": if_match, "if-none-match": if_none_match, "idempotency-key": idempotency_key}
        return self._ask(_json("POST", "/drop", body, {"wait": wait}, headers))

    def get(
        self, route: str, key: str, *, at: str | None = None, history: bool | None = None, embed_depth: int | None = None,
        resolve: bool | None = None,
    ) -> R:  # fmt: skip
        query = {"key": key, "at": at, "history": history, "embed_depth": embed_depth, "resolve": resolve}
        return self._ask(Request("GET", _at("entity", route), query))

    def send(self, to: str, amount: int, *, idempotency_key: str | None = None) -> R:
        """Sends io to a @handle, an address of mail, a public_id or a key."""
        return self._ask(_json("POST", "/io/send", {"to": to, "amount": amount}, headers={"idempotency-key": idempotency_key}))

    def purchase(self, drop_id: str) -> R:
        """Buys a priced record; its stub has the drop_id."""
        return self._ask(Request("POST", _at("purchase", drop_id)))

    def list(self, route: str, *, limit: int | None = None, cursor: str | None = None) -> R:
        return self._ask(Request("GET", _at("entities", route), {"limit": limit, "cursor": cursor}))

    def update(self, route: str, key: str, changes: Mapping[str, Any], *, if_match: str | None = None) -> R:
        """Merges fields; None removes one."""
        return self._ask(_json("PATCH", _at("entity", route), dict(changes), {"key": key}, {"if-match": if_match}))

    def remove(self, route: str, key: str, *, if_match: str | None = None) -> R:
        return self._ask(Request("DELETE", _at("entity", route), {"key": key}, headers={"if-match": if_match}))

    def bulk(self, ops: Sequence[Mapping[str, Any]], *, brief: bool = False) -> R:
        """Several changes, all or none: a result for each, or with `brief` their number."""
        return self._ask(_json("POST", "/bulk", {"ops": list(ops), **({"brief": True} if brief else {})}))

    def find(self, prefix: str, filter: Mapping[str, Any] | None = None, **question: Any) -> R:
        """Records of a folder and all beneath: sort, limit, skip, select, group, aggregate, having, join, cursor, deep."""
        return self._ask(_json("POST", "/query", _given(prefix=prefix, filter=filter, **question)))

    def search(self, prefix: str, text: str | None = None, **question: Any) -> R:
        """By words, by meaning, or both: vector, mode, fusion, top_k, min_score, filter, facets, language, wait."""
        return self._ask(_json("POST", "/search", _given(prefix=prefix, text=text, **question)))

    def sql(self, query: str) -> R:
        return self._ask(_json("POST", "/sql", {"query": query}))

    def add(self, route: str, key: str, name: str, by: int = 1) -> R:
        """Moves a counter; `by` may be negative."""
        return self._ask(_json("POST", _at("counter", route), {"field": name, "by": by}, {"key": key}))

    def run(self, route: str, request: Mapping[str, Any] | None = None, *, queued: bool = False) -> R:
        """What a function gives; `queued`: at once, a `job_id` to ask `job` about."""
        return self._ask(_json("POST", _at("run", route), dict(request or {}), {"async": True if queued else None}))

    def job(self, id: str) -> R:
        """What came of a function that nobody waited for: its `status` is running, done or failed."""
        return self._ask(Request("GET", f"/run/status/{quote(id, safe='')}"))

    def whoami(self) -> R:
        return self._ask(Request("GET", "/whoami"))

    def broadcast(self, route: str, payload: Any) -> R:
        """Tells all who listen now; nothing is kept."""
        return self._ask(_json("POST", _at("broadcast", route), payload))

    def presence(self, route: str) -> R:
        return self._ask(Request("GET", _at("presence", route)))

    def upload(self, route: str, content: bytes | IO[bytes], *, type: str = "application/octet-stream") -> R:
        """A file into a folder."""
        return self._ask(Request("POST", "/blob", content=content, headers={"content-type": type, "x-blob-route": route}))

    def push_send(self, to: str | Sequence[str], title: str, **message: Any) -> R:
        """Notifies the browsers of keys: body, url, icon, tag."""
        return self._ask(_json("POST", "/push/send", _given(to=to if isinstance(to, str) else [*to], title=title, **message)))

    def push_follow(self, prefix: str) -> R:
        return self._ask(_json("POST", "/push/subscribe", {"prefix": prefix}))

    def push_subscriptions(self) -> R:
        return self._ask(Request("GET", "/push/subscriptions"))

    def push_unsubscribe(self, id: str) -> R:
        return self._ask(Request("DELETE", f"/push/subscriptions/{quote(id, safe='')}"))

    def request(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> R:
        """Any other address of the API."""
        return self._ask(_json(method, path, body, query) if body is not None else Request(method, path, query or {}))

    def _answer(self, status: int, text: str) -> Json:
        """Raises OceanError. A pair that was made for a caller without a key is theirs from now on."""
        try:
            body = json.loads(text)
        except ValueError:
            body = None
        if status >= 300 or not isinstance(body, dict):
            raise OceanError(status, body)
        if self.key is None and isinstance(body.get("keypair"), dict):
            self.key = body["keypair"]["private"]
        return body


class _Events:
    """Server-sent events out of pieces of text (WHATWG HTML, 9.2.6), and where a stream goes on from."""

    def __init__(self, first: Mapping[str, Any]) -> None:
        self._first = first
        self._rest = b""
        self.position: str | None = None
        self.wait = _RETRY_FIRST
        self.ended = False

    def asked(self, path: str) -> Request:
        query = self._first if self.position is None else {}
        return Request("GET", path, query, headers={"last-event-id": self.position, "accept": "text/event-stream"})

    def broken(self) -> float:
        """Seconds to wait before it is opened again."""
        self._rest = b""
        wait, self.wait = self.wait, min(self.wait * 2, _RETRY_MOST)
        return wait

    def feed(self, piece: bytes, on: Told | None) -> list[Json]:
        """The records in it; other events are told to `on`."""
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        found: list[Json] = []
        for block in blocks:
            fields: dict[str, str] = {}
            for line in block.decode().split("\n"):
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            if "data" not in fields:
                continue
            self.wait = _RETRY_FIRST
            self.position = fields.get("id", self.position)
            data = json.loads(fields["data"])
            if "event" not in fields:
                found.append(data)
                continue
            if on is not None:
                on(fields["event"], data)
            self.ended = self.ended or fields["event"] == _ENDS
        return found


def _again(status: int) -> bool:
    """Whether a stream that was answered so may be opened later."""
    return status >= 500 or status == 429


class Ocean(_Calls[Json]):
    """A client that waits for its answers."""

    def __init__(self, url: str = "http://127.0.0.1:8000", key: str | None = None) -> None:
        super().__init__(url, key)
        self._session = requests.Session()

    def _ask(self, request: Request) -> Json:
        answer = self._session.request(
            request.method, self.url + request.path, params=request.parameters(), data=request.content,
            headers=request.headers_with(self.key), timeout=SECONDS,
        )  # fmt: skip
        return self._answer(answer.status_code, answer.text)

    def stream(self, route: str, *, last: int | None = None, after: int | str | None = None, on: Told | None = None) -> Iterator[Json]:
        """Records as they are saved. It goes on where it was when the line breaks; other events are told to `on`."""
        return self._follow(_at("stream", route), _Events({"last": last, "from": after}), on)

    def listen(self, route: str, *, on: Told | None = None) -> Iterator[Json]:
        """Broadcasts as they come; `on` is told of join and leave."""
        return self._follow(_at("broadcast", route) + "/listen", _Events({}), on)

    def _follow(self, path: str, events: _Events, on: Told | None) -> Iterator[Json]:
        while not events.ended:
            asked = events.asked(path)
            with contextlib.suppress(requests.RequestException):
                headers = asked.headers_with(self.key)
                with self._session.get(
                    self.url + path, params=asked.parameters(), headers=headers, stream=True, timeout=SECONDS
                ) as answer:  # fmt: skip
                    if not answer.ok and not _again(answer.status_code):
                        self._answer(answer.status_code, answer.text)
                    if answer.ok:
                        for piece in answer.iter_content(None):
                            yield from events.feed(piece, on)
            if not events.ended:
                time.sleep(events.broken())

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Ocean:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncOcean(_Calls[Awaitable[Json]]):
    """A client for asyncio: the same methods, awaited."""

    def __init__(self, url: str = "http://127.0.0.1:8000", key: str | None = None) -> None:
        super().__init__(url, key)
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_read=SECONDS))
        return self._session

    async def _ask(self, request: Request) -> Json:
        async with self._open().request(
            request.method,
            self.url + request.path,
            params=request.parameters(),
            data=request.content,
            headers=request.headers_with(self.key),
        ) as answer:
            return self._answer(answer.status, await answer.text())

    def stream(self, route: str, *, last: int | None = None, after: int | str | None = None, on: Told | None = None) -> AsyncIterator[Json]:
        """As `Ocean.stream`."""
        return self._follow(_at("stream", route), _Events({"last": last, "from": after}), on)

    def listen(self, route: str, *, on: Told | None = None) -> AsyncIterator[Json]:
        """As `Ocean.listen`."""
        return self._follow(_at("broadcast", route) + "/listen", _Events({}), on)

    async def _follow(self, path: str, events: _Events, on: Told | None) -> AsyncIterator[Json]:
        while not events.ended:
            asked = events.asked(path)
            with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
                headers = asked.headers_with(self.key)
                async with self._open().get(self.url + path, params=asked.parameters(), headers=headers) as answer:
                    if not answer.ok and not _again(answer.status):
                        self._answer(answer.status, await answer.text())
                    if answer.ok:
                        async for piece in answer.content.iter_any():
                            for record in events.feed(piece, on):
                                yield record
            if not events.ended:
                await asyncio.sleep(events.broken())

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> AsyncOcean:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


__all__ = ["AsyncOcean", "Ocean", "OceanError"]
