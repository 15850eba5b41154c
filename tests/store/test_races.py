"""What an architect found: races that show where every read may wait, as PostgreSQL's do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from ocean import settings
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import grants, keys
from ocean.core.changes import Op
from ocean.errors import OceanError
from ocean.services.live.hub import Event, Hub
from ocean.services.live.streams import CaughtUp, follow
from ocean.store import rules
from ocean.store.batch import Write
from ocean.store.engine import Row
from ocean.store.reader import Reader
from ocean.store.sqlite import SqliteEngine


class Waiting(SqliteEngine):
    """SQLite, each of whose reads lets others go first."""

    async def rows(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        await asyncio.sleep(0)
        found = await super().rows(sql, args)
        await asyncio.sleep(0)
        return found


@pytest.fixture
async def waiting(tmp_path: Path, tables: Path) -> AsyncIterator[Ocean]:
    values = settings.load({"OCEAN_DATA": str(tmp_path)})
    shutil.copy(tables, tmp_path / "ocean.db")
    ocean = await Ocean.open(values)
    await ocean.engine.close()
    ocean.engine = Waiting(tmp_path / "ocean.db")
    ocean.reader = Reader(ocean.engine)
    ocean.log.engine = ocean.engine
    yield ocean
    await ocean.close()


async def say(ocean: Ocean, who: Caller, text: str) -> Any:
    return await execute(ocean, who, parse(text))


async def test_a_closed_folder_stays_closed_while_the_memory_of_rules_is_trimmed(
    waiting: Ocean, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_RULES", 3)
    for i in range(4):
        await say(waiting, alice, f"save closed{i}/deep @a 1\nshare closed{i} with @{alice.key} mode shared")

    async def read(i: int) -> str:
        try:
            await say(waiting, bob, f"get closed{i % 4}/deep @a" if i % 2 else f"get nothing{i}/a/b/c @a")
        except OceanError as fault:
            return fault.code
        return "read"

    for _ in range(5):
        found = await asyncio.gather(*(read(i) for i in range(40)))
        assert found == ["FORBIDDEN" if i % 2 else "NOT_FOUND" for i in range(40)]


async def test_whoever_comes_while_rules_are_read_misses_nothing(waiting: Ocean, alice: Caller) -> None:
    hub = Hub(waiting)
    await say(waiting, alice, "save s 0")
    ended = asyncio.Event()

    async def writer() -> None:
        i = 0
        while not ended.is_set():
            i += 1
            await say(waiting, alice, f"save s {i}")

    async def joiner() -> list[int]:
        seen: list[int] = []
        live = 0  # how many came after history ended
        caught_up = False
        async for item in follow(waiting, hub, alice, "s", after=0):
            caught_up = caught_up or isinstance(item, CaughtUp)
            if isinstance(item, Event):
                seen.append(orjson.loads(item.data)["payload"])
                live += caught_up
            if live >= 20:
                break
        return seen

    writing = asyncio.create_task(writer())
    for _ in range(6):
        joined = await asyncio.wait_for(asyncio.gather(*(joiner() for _ in range(5))), 30)
        for seen in joined:
            assert seen == list(range(len(seen)))
    ended.set()
    await writing
    await hub.close()


async def test_the_hub_survives_a_store_that_is_away(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = Hub(ocean)
    items = follow(ocean, hub, alice, "away")
    assert isinstance(await anext(items), CaughtUp)
    read = ocean.reader.follow
    failed = asyncio.Event()

    async def broken(after: int, limit: int) -> Any:
        failed.set()
        raise OSError("away")

    monkeypatch.setattr(ocean.reader, "follow", broken)
    await say(ocean, alice, "save away 1")
    await asyncio.wait_for(failed.wait(), 10)
    monkeypatch.setattr(ocean.reader, "follow", read)
    assert isinstance(await asyncio.wait_for(anext(items), 10), Event)
    await hub.close()
    assert [type(item).__name__ async for item in items] == ["Ended"]


async def test_a_folder_is_not_taken_above_anothers_in_the_batch_that_frees_it(ocean: Ocean, alice: Caller) -> None:
    carol = Caller(keys.generate().public)
    await say(ocean, alice, f"save c/d @k 1\nshare c with @{alice.key} mode protected")
    revoke = Write([Op("access", "c", alter=grants.revoke("c", None))], alice.key or "")
    take = Write([Op("save", "c", "mine", "1")], carol.key or "")
    await asyncio.gather(ocean.log.append(revoke), ocean.log.append(take))
    await say(ocean, alice, "save c/d @other 1")
    with pytest.raises(OceanError):
        await say(ocean, carol, f"share c/d with @{carol.key} mode shared")
    assert (await ocean.reader.rules("c"))["c"] is None


async def test_a_request_that_goes_away_leaves_its_transaction_whole(ocean: Ocean, alice: Caller) -> None:
    for i in range(20):
        sql = "INSERT INTO once (id, request, answer, expires_at) VALUES (?,?,?,?)"
        task = asyncio.create_task(ocean.log.put(sql, [(f"gone-{i}", "", "", 2**50)]))
        for _ in range(i % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await say(ocean, alice, f"save after @{i} 1")
    assert (await say(ocean, alice, "find after then count")) == {"count": 20}


async def test_a_write_over_the_queues_size_is_refused(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocean.store.sharing import Bounds

    monkeypatch.setattr(ocean.log, "bounds", Bounds(queue_bytes=5000))
    with pytest.raises(OceanError) as caught:
        await say(ocean, alice, f'save big @a "{"x" * 6000}"')
    assert caught.value.code == "PAYLOAD_TOO_LARGE"


async def test_a_record_has_at_most_a_hundred_counters(ocean: Ocean, alice: Caller) -> None:
    for i in range(100):
        await say(ocean, alice, f"add 1 to counted @k c{i}")
    await say(ocean, alice, "add 1 to counted @k c5")
    with pytest.raises(OceanError) as caught:
        await say(ocean, alice, "add 1 to counted @k c100")
    assert caught.value.code == "LIMIT_REACHED"


@pytest.mark.parametrize("pattern", ["(?P<n>b)", "(?i:B)", "a(?i)B", "(?s)a"])
async def test_what_only_one_engine_reads_is_refused_by_both(ocean: Ocean, alice: Caller, pattern: str) -> None:
    await say(ocean, alice, 'save re @a v: "b"')
    with pytest.raises(OceanError) as caught:
        await say(ocean, alice, f'find re where v matches "{pattern}"')
    assert caught.value.code == "INVALID_VALUE"
