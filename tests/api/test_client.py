"""ocean.client, as a program would use it: the same walk with both, and streams over a line that breaks."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import pytest

from ocean.client import AsyncOcean, Ocean, OceanError
from tests.conftest import Running
from tests.cut import Cut


def test_a_walk_with_the_one_that_waits(server: Running) -> None:
    with Ocean(server.api) as ocean:
        saved = ocean.save("client/sync", {"name": "Alice", "age": 31}, key="user-1")
        assert saved["version"] == 1
        assert ocean.key is not None  # the pair that the server made
        assert ocean.whoami()["key"] == saved["keypair"]["public"]
        assert ocean.get("client/sync", "user-1")["payload"] == {"name": "Alice", "age": 31}
        assert ocean.update("client/sync", "user-1", {"age": None, "city": "Aarhus"})["payload"] == {"name": "Alice", "city": "Aarhus"}
        assert ocean.add("client/sync", "user-1", "views", 3)["value"] == 3
        assert ocean.find("client/sync", {"name": {"$startsWith": "a"}}, limit=5)["count"] == 1
        assert ocean.search("client/sync", "alise", wait=True)["results"][0]["key"] == "user-1"
        assert ocean.sql('SELECT city FROM "client/sync"')["rows"] == [["Aarhus"]]
        assert ocean.exec("find client/sync then count") == {"count": 1}
        assert len(ocean.bulk([{"op": "save", "route": "client/sync", "payload": n} for n in range(3)])["results"]) == 3
        assert len(ocean.list("client/sync")["entities"]) == 1
        assert len(ocean.get("client/sync", "user-1", history=True)["versions"]) == 2
        blob = ocean.upload("client/files", io.BytesIO(b"bytes of a file"), type="text/plain")
        assert ocean.request("GET", "/entities/client/files", query={"limit": 5}) is not None
        assert blob["blob"]["size"] == 15
        assert ocean.push_follow("client/sync")["kind"] == "folder"
        followed = ocean.push_subscriptions()["subscriptions"]
        assert ocean.push_unsubscribe(followed[0]["id"])["deleted"]
        ocean.save("client/fn", "def main(ocean, request): return request", key="main")
        assert ocean.run("client/fn", {"a": 1})["result"] == {"a": 1}
        job = ocean.run("client/fn", queued=True)["job_id"]
        begun = time.monotonic()
        while (told := ocean.job(job))["status"] == "running":
            assert time.monotonic() - begun < 20
        assert (told["status"], told["result"]) == ("done", {})
        assert ocean.remove("client/sync", "user-1")["deleted"]
        with pytest.raises(OceanError) as raised:
            ocean.get("client/sync", "user-1")
        assert (raised.value.status, raised.value.code) == (404, "DELETED")


async def test_the_same_with_the_one_that_is_awaited(server: Running) -> None:
    async with AsyncOcean(server.api) as ocean:
        await ocean.save("client/async", {"n": 1}, key="k")
        assert ocean.key is not None
        assert (await ocean.get("client/async", "k"))["payload"] == {"n": 1}
        assert (await ocean.find("client/async", {"n": 1}))["count"] == 1
        with pytest.raises(OceanError) as raised:
            await ocean.save("not a route", 1)
        assert raised.value.code == "INVALID_ROUTE"
        heard: list[Any] = []
        listening = asyncio.create_task(_first(ocean.listen("client/radio", on=lambda event, data: heard.append((event, data)))))
        async with asyncio.timeout(20):
            while not listening.done():
                await ocean.broadcast("client/radio", {"song": 1})
                await asyncio.wait([listening], timeout=0.05)
        assert (await listening)["payload"] == {"song": 1}


async def _first(items: Any) -> Any:
    return await anext(items)


def test_a_stream_goes_on_where_the_line_broke(server: Running, secret: str) -> None:
    writer = Ocean(server.api, secret)
    for number in range(40):
        writer.save("client/line", {"n": number})
    with Cut(urlsplit(server.api).port or 0, 3000, 3) as line:
        reader = Ocean(line.url, secret)
        told: list[str] = []
        found: list[int] = []
        for record in reader.stream("client/line", after=0, on=lambda event, data: told.append(event)):
            found.append(record["payload"]["n"])
            if len(found) == 40:
                threading.Thread(target=lambda: writer.save("client/line", {"n": 40})).start()
            if len(found) == 41:
                break
        assert found == list(range(41))
        assert line.lines == 4
        assert "caught-up" in told
    writer.close()
    reader.close()


async def test_a_stream_that_is_awaited_does_too(server: Running, secret: str) -> None:
    async with AsyncOcean(server.api, secret) as writer:
        for number in range(40):
            await writer.save("client/line2", {"n": number})
    with Cut(urlsplit(server.api).port or 0, 3000, 3) as line:
        async with AsyncOcean(line.url, secret) as reader:
            found: list[int] = []
            async for record in reader.stream("client/line2", after=0):
                found.append(record["payload"]["n"])
                if len(found) == 40:
                    break
        assert found == list(range(40))


def test_a_stream_that_may_not_be_read_is_an_error(server: Running, secret: str) -> None:
    owner = Ocean(server.api, secret)
    owner.save("client/closed", 1)
    owner.exec(f"share client/closed with @{owner.whoami()['key']} mode shared")
    with pytest.raises(OceanError) as raised:
        next(Ocean(server.api).stream("client/closed"))
    assert raised.value.code in ("FORBIDDEN", "NO_TRUST")
    owner.close()
