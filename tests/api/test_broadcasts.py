"""Broadcasts: to who listens now, on whatever process; nothing on disk unless it is recorded; nobody hears what they may not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests

from ocean.bus.local import LocalBus
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.live.broadcasts import Broadcasts, listen, presence, publish
from ocean.services.live.hub import Ended, Event
from tests.conftest import Running, free_port

MARK = 'save _config/radio @stream { type: "stream" }'


@pytest.fixture
async def live(ocean: Ocean) -> AsyncIterator[Ocean]:
    ocean.live = Broadcasts(ocean, LocalBus(ocean.data))
    await ocean.live.open()
    yield ocean
    await ocean.live.close()


async def say(ocean: Ocean, who: Caller, text: str) -> Any:
    return await execute(ocean, who, parse(text))


async def following(ocean: Ocean, who: Caller, route: str) -> AsyncIterator[Any]:
    """Attached when this returns."""
    items = listen(ocean, who, route)
    assert await anext(items) is None
    return items


async def heard(items: AsyncIterator[Any], kind: str = "") -> Any:
    """The next message of a kind."""
    async with asyncio.timeout(10):
        while True:
            item = await anext(items)
            if isinstance(item, Ended) or (isinstance(item, Event) and item.kind == kind):
                return item if isinstance(item, Ended) else orjson.loads(item.data)


async def test_a_save_in_a_stream_is_told_and_not_kept(live: Ocean, alice: Caller, bob: Caller) -> None:
    await say(live, alice, MARK)
    items = await following(live, bob, "radio")
    before = await live.reader.head()
    assert await say(live, alice, 'save radio @now track: "Whatever"') == {"ok": True, "stream": True, "recording": False}
    event = await heard(items)
    assert (event["payload"], event["key"], event["source"], event["route"]) == ({"track": "Whatever"}, "now", alice.key, "radio")
    assert await live.reader.head() == before
    assert (await say(live, alice, "find radio"))["results"] == []


async def test_a_recording_keeps_what_comes_until_it_ends(live: Ocean, alice: Caller) -> None:
    await say(live, alice, MARK)
    assert (await say(live, alice, "record start radio @ep-42"))["to"] == "radio/recordings/ep-42"
    assert (await say(live, alice, 'save radio track: "kept"'))["recording"] is True
    await say(live, alice, "record stop radio")
    await say(live, alice, 'save radio track: "not kept"')
    kept = (await say(live, alice, "find radio/recordings/ep-42"))["results"]
    assert [orjson.loads(orjson.dumps(record))["payload"] for record in kept] == [{"track": "kept"}]
    await say(live, alice, "remove _config/radio @stream")
    assert "drop_id" in await say(live, alice, 'save radio track: "a record again"')


async def test_who_comes_and_goes_is_told(live: Ocean, alice: Caller, bob: Caller) -> None:
    first = await following(live, alice, "room")
    assert (await heard(first, "join"))["count"] == 1
    second = await following(live, bob, "room")
    assert await heard(first, "join") == {"event": "join", "key": bob.key, "count": 2}
    there = await presence(live, alice, route="room")
    assert (there["count"], {one["key"] for one in there["listeners"]}) == (2, {alice.key, bob.key})
    await second.aclose()  # type: ignore[attr-defined]
    assert await heard(first, "leave") == {"event": "leave", "key": bob.key, "count": 1}
    assert (await presence(live, alice, route="room"))["count"] == 1


async def test_another_process_hears_it_too(live: Ocean, alice: Caller, bob: Caller) -> None:
    other = Broadcasts(live, LocalBus(live.data))
    await other.open()
    mine = live.live
    live.live = other
    items = await following(live, bob, "room")
    live.live = mine
    await publish(live, alice, route="room", payload={"n": 1})
    assert (await heard(items))["payload"] == {"n": 1}
    async with asyncio.timeout(10):
        while (await presence(live, alice, route="room"))["count"] != 1:
            await asyncio.sleep(0.01)
    await other.close()
    async with asyncio.timeout(10):
        while (await presence(live, alice, route="room"))["count"]:
            await asyncio.sleep(0.01)


async def test_a_folder_is_made_a_stream_by_its_owner_alone(live: Ocean, alice: Caller, bob: Caller) -> None:
    await say(live, alice, 'save hers @a "kept"')
    for text in ('save _config/hers @stream { type: "stream" }', 'save _config/_webhooks/x @stream { type: "stream" }'):
        with pytest.raises(OceanError) as caught:
            await say(live, bob, text)
        assert caught.value.code == "FORBIDDEN"
    await say(live, bob, MARK)  # nobody had it: now it is bob's
    with pytest.raises(OceanError) as caught:
        await say(live, alice, 'save radio track: "hers"')
    assert caught.value.code == "FORBIDDEN"
    for text in (
        'save _config/hers @stream { type: "magic" }',
        'save _config/hers @stream { type: "stream" } keep 5',
        'save _config/hers @stream "x"',
    ):
        with pytest.raises(OceanError) as caught:
            await say(live, alice, text)
        assert caught.value.code in ("INVALID_PAYLOAD", "INVALID_VALUE")
    with pytest.raises(OceanError) as caught:
        await say(live, alice, "record start hers @x")
    assert caught.value.code == "NOT_FOUND"
    with pytest.raises(OceanError) as caught:
        await say(live, bob, "bulk (save radio @a 1, save radio @b 2)")
    assert caught.value.code == "CONFLICT"


async def test_who_may_not_hear_does_not(live: Ocean, alice: Caller, bob: Caller) -> None:
    await say(live, alice, 'save secret @a "x"')
    items = await following(live, bob, "secret")
    await say(live, alice, f"share secret with @{alice.key} mode shared")
    ended = await heard(items)
    assert isinstance(ended, Ended)
    assert ended.code == "FORBIDDEN"
    for asked in (following(live, bob, "secret"), presence(live, bob, route="secret"), publish(live, bob, route="secret", payload=1)):
        with pytest.raises(OceanError) as caught:
            await asked
        assert caught.value.code == "FORBIDDEN"
    with pytest.raises(OceanError) as caught:
        await publish(live, alice, route="secret", payload="x" * 200_000)
    assert caught.value.code == "PAYLOAD_TOO_LARGE"


async def test_a_listener_that_never_reads_is_cut_and_harms_nobody(live: Ocean, alice: Caller, bob: Caller) -> None:
    slow, quick = await following(live, bob, "flood"), await following(live, alice, "flood")
    for i in range(2000):
        await publish(live, alice, route="flood", payload=i)
        assert (await heard(quick))["payload"] == i
    assert isinstance(await heard(slow), Ended)


async def test_a_message_takes_no_price_and_no_condition(live: Ocean, alice: Caller) -> None:
    """They were once dropped without a word, and what had a price was handed to all."""
    await say(live, alice, MARK)
    for text in ('save radio track: "x" price 5', 'save radio track: "x" keep 5', 'write public radio track: "x"'):
        with pytest.raises(OceanError) as caught:
            await say(live, alice, text)
        assert caught.value.code == "INVALID_VALUE"


async def test_a_message_is_for_those_who_may_hear_it_at_that_moment(live: Ocean, alice: Caller, bob: Caller) -> None:
    await say(live, alice, 'save room2 @a "x"')
    items = await following(live, bob, "room2")
    await say(live, alice, f"share room2 with @{alice.key} mode shared")
    await publish(live, alice, route="room2", payload="for alice alone")
    assert isinstance(await heard(items), Ended)


class Heard:
    """Server-sent events as a client reads them."""

    def __init__(self, url: str) -> None:
        self.answer = requests.get(url, stream=True, timeout=20)
        assert self.answer.status_code == 200, self.answer.text
        self.lines: Iterator[str] = self.answer.iter_lines(decode_unicode=True)

    def next(self) -> Any:
        for line in self.lines:
            if line.startswith("data: "):
                found = json.loads(line.removeprefix("data: "))
                if "payload" in found:
                    return found
        raise AssertionError("the stream ended")


def test_over_http_and_to_a_second_process_and_nothing_on_disk(server: Running, secret: str) -> None:
    port = free_port()
    command = [sys.executable, "-m", "ocean.cli", "api", "--data", str(server.data), "--api", f"127.0.0.1:{port}"]
    second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(requests.ConnectionError):
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    break
        marked = server.post("/drop", {"route": "_config/http/live", "key": "stream", "payload": {"type": "stream"}}, secret)
        assert marked.status_code == 201, marked.text
        near, far = Heard(f"{server.api}/broadcast/http/live/listen"), Heard(f"http://127.0.0.1:{port}/broadcast/http/live/listen")
        token = "moment-9f27c1"
        sent = server.post("/drop", {"route": "http/live", "payload": {"track": token}}, secret)
        assert sent.json() == {"ok": True, "stream": True, "recording": False}
        assert near.next()["payload"] == far.next()["payload"] == {"track": token}
        assert requests.post(f"{server.api}/broadcast/http/live", json={"n": 2}, headers={"x-ocean-key": secret}, timeout=9).json()["ok"]
        assert near.next()["payload"] == far.next()["payload"] == {"n": 2}
        there = requests.get(f"{server.api}/presence/http/live", timeout=9).json()
        assert there["count"] == 2
        for path in Path(server.data).rglob("*"):
            assert not path.is_file() or token.encode() not in path.read_bytes(), path
        for one in (near, far):
            one.answer.close()
    finally:
        second.terminate()
        second.wait(20)
