"""The log and its projections, through the commands, on a real store."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import orjson
import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.core.keys import generate
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.store.batch import Once, Write
from ocean.store.verify import verify


async def say(ocean: Ocean, who: Caller, text: str) -> dict[str, Any]:
    return await execute(ocean, who, parse(text))


async def run(ocean: Ocean, who: Caller, text: str) -> Any:
    return orjson.loads(orjson.dumps(await say(ocean, who, text)))


async def code(ocean: Ocean, who: Caller, text: str) -> str:
    with pytest.raises(OceanError) as caught:
        await say(ocean, who, text)
    return caught.value.code


async def test_save_get_update_remove_and_history(ocean: Ocean, alice: Caller) -> None:
    assert (await run(ocean, alice, 'save u @a name: "A" n: 1'))["version"] == 1
    assert (await run(ocean, alice, "update u @a n: null m: 2"))["payload"] == {"name": "A", "m": 2}
    assert (await run(ocean, alice, "remove u @a"))["deleted"] is True
    assert await code(ocean, alice, "get u @a") == "DELETED"
    assert await code(ocean, alice, "update u @a m: 3") == "DELETED"
    assert await code(ocean, alice, "get u @b") == "NOT_FOUND"
    assert (await run(ocean, alice, "save u @a 5"))["version"] == 4
    assert (await run(ocean, alice, "u @a"))["payload"] == 5


async def test_a_thousand_racing_writers_get_one_total_order(ocean: Ocean, alice: Caller) -> None:
    await asyncio.gather(*(say(ocean, alice, f"save race @{i % 7} n: {i}") for i in range(1000)))
    drops = await ocean.reader.follow(0, 5000)
    assert [d.seq for d in drops] == list(range(1, 1002))  # the folder's access record and a thousand
    assert sorted(d.created_at for d in drops) == [d.created_at for d in drops]
    assert await verify(ocean.engine) == (1001, None)


async def test_two_racing_first_writers_leave_one_owner(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    results = await asyncio.gather(*(say(ocean, who, "save taken @x 1") for who in (alice, bob)), return_exceptions=True)
    refused = [r for r in results if isinstance(r, OceanError)]
    assert [r.code for r in refused] == ["FORBIDDEN"]


async def test_an_altered_payload_is_found(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save a @1 n: 1")
    await ocean.log.put("UPDATE drops SET payload = ? WHERE key = ?", [('{"n":2}', "1")])
    _, fault = await verify(ocean.engine)
    assert fault is not None
    assert "payload" in fault


async def test_a_brief_bulk_says_how_many_it_was_and_the_same_again(ocean: Ocean, alice: Caller) -> None:
    once = replace(alice, idempotency="import-1", request_digest="d")
    ops = [{"route": "many", "key": f"k{number % 150}", "payload": {"n": number}} for number in range(200)]
    for _ in range(2):  # the second time nothing is written
        assert await records.bulk(ocean, once, ops=ops, brief=True) == {"count": 200}
    assert (await ocean.reader.head())[0] == 201  # and the folder, taken
    found = await run(ocean, alice, "list many limit 1000")
    # Rows go to the store many at a time: those that stand twice among them are the last of each.
    assert {r["key"]: r["payload"]["n"] for r in found["entities"]} == {f"k{n % 150}": n for n in range(200)}
    refused = [*ops, {"route": "trust/x", "key": "_access", "payload": 1}]
    with pytest.raises(OceanError) as fault:
        await records.bulk(ocean, alice, ops=refused, brief=True)
    assert fault.value.details["index"] == 200


async def test_bulk_is_all_or_nothing(ocean: Ocean, alice: Caller) -> None:
    before = await ocean.reader.head()
    with pytest.raises(OceanError) as caught:
        await say(ocean, alice, "bulk (save l @1 a: 1, remove l @never)")
    assert caught.value.details["index"] == 1
    assert await ocean.reader.head() == before
    assert len((await run(ocean, alice, "bulk (save l @1 a: 1, save l @2 a: -1)"))["results"]) == 2


async def test_counters_lose_nothing_and_merge_into_reads(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save pages @home title: "Home"')
    await asyncio.gather(*(say(ocean, alice, "add 2 to pages @home views") for _ in range(100)))
    assert (await run(ocean, alice, "get pages @home"))["payload"] == {"title": "Home", "views": 200}
    assert (await run(ocean, alice, "find pages where views > 199 then count")) == {"count": 1}
    await say(ocean, alice, "save pages @home views: 5")
    assert (await run(ocean, alice, "subtract 1 from pages @home views"))["value"] == 4


async def test_a_record_with_a_ttl_is_gone_at_that_moment(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save s @1 x: 1 keep 1")
    assert (await run(ocean, alice, "find s"))["count"] == 1
    for table in ("drops", "record"):
        await ocean.log.put(f"UPDATE {table} SET expires_at = ?", [(int(time.time() * 1000) - 1,)])
    await ocean.log.put("UPDATE head SET revision = revision + 1", [()])  # which no record's time does by itself
    assert (await run(ocean, alice, "find s"))["count"] == 0
    assert await code(ocean, alice, "get s @1") == "NOT_FOUND"


async def test_idempotency_one_effect_and_conflict(ocean: Ocean, alice: Caller) -> None:
    op = lambda: Op("add", "c", "x", counter="n", by=1)  # noqa: E731 - a fresh one each time
    first, again = await asyncio.gather(*(ocean.log.append(Write([op()], alice.key or "", Once("k", "same", 2**50))) for _ in range(2)))
    assert first == again
    with pytest.raises(OceanError) as caught:
        await ocean.log.append(Write([op()], alice.key or "", Once("k", "other", 2**50)))
    assert caught.value.code == "CONFLICT"
    assert (await run(ocean, alice, "get c @x"))["payload"] == {"n": 1}


async def test_a_client_that_has_gone_does_not_stop_the_writer(ocean: Ocean, alice: Caller) -> None:
    tasks = [asyncio.create_task(say(ocean, alice, f"save gone @{i} 1")) for i in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (await run(ocean, alice, "save gone @last 1"))["version"] == 1


async def test_what_may_not_be_read_is_neither_found_nor_counted(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, f"save team/open @1 x: 1\nsave team/closed @1 x: 1\nshare team/closed with @{alice.key} mode shared")
    assert (await run(ocean, bob, "find team/* then count"))["count"] == 1
    assert (await run(ocean, alice, "find team/* then count"))["count"] == 2
    assert await code(ocean, bob, "get team/closed @1") == "FORBIDDEN"
    await say(ocean, alice, f"share team/closed with @{bob.key}")
    assert (await run(ocean, bob, "get team/closed @1"))["payload"] == {"x": 1}
    await say(ocean, alice, f"revoke team/closed from {bob.key}")
    assert await code(ocean, bob, "find team/closed") == "FORBIDDEN"


async def test_writeonly_and_moderated(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, f"share inbox with @{alice.key} mode writeonly\nshare talk with @{alice.key} mode moderated")
    await say(ocean, bob, "save inbox @b 1\nsave talk @b 1")
    assert await code(ocean, bob, "get inbox @b") == "FORBIDDEN"
    assert await code(ocean, bob, "remove talk @b") == "FORBIDDEN"
    await say(ocean, alice, "save talk @a 1\nremove talk @b")
    assert await code(ocean, bob, "save talk @a 2") == "FORBIDDEN"


async def test_an_ancestor_of_others_folders_cannot_be_taken(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, "save top/mine @1 1")
    assert await code(ocean, bob, f"share top with @{bob.key}") == "FORBIDDEN"
    await say(ocean, bob, "save topping @1 1")


async def test_types_are_not_mixed_and_negation_matches_what_lacks_the_field(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save t @n v: 5\nsave t @s v: "5"\nsave t @b v: true\nsave t @l v: ("a", "b")\nsave t @x w: 1')
    expected = {"v = 5": "n", 'v = "5"': "s", "v = true": "b", 'v contains "a"': "l", "v missing": "x", "v > 4": "n"}
    for condition, keys in expected.items():
        found = await run(ocean, alice, f"find t where {condition}")
        assert [r["key"] for r in found["results"]] == list(keys), condition
    assert (await run(ocean, alice, "find t where v != 5 then count"))["count"] == 4
    assert (await run(ocean, alice, "find t where not (v = 5) then count"))["count"] == 4


async def test_a_priced_record_is_a_stub_to_others_and_cant_be_probed(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, 'save shop @a secret: "x" price 5\nsave shop @b open: 1')
    stub = await run(ocean, bob, "get shop @a")
    assert (stub["price"], stub["_gated"], "payload" in stub) == (5, True, False)
    assert "payload" not in (await run(ocean, bob, "list shop"))["entities"][0]
    assert (await run(ocean, bob, 'find shop where secret = "x" then count'))["count"] == 0
    assert [r["key"] for r in (await run(ocean, bob, "find shop sort secret"))["results"]] == ["b"]
    assert (await run(ocean, alice, 'find shop where secret = "x"'))["results"][0]["payload"] == {"secret": "x"}


async def test_an_update_keeps_the_price_and_the_ttl(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, "save shop @a x: 1 keep 3600 price 5")
    before = await run(ocean, alice, "get shop @a")
    await say(ocean, alice, "update shop @a x: 2")
    after = await run(ocean, alice, "get shop @a")
    assert (after["price"], after["expires_at"]) == (5, before["expires_at"])
    assert "payload" not in await run(ocean, bob, "get shop @a")


async def test_a_secret_is_not_saved_where_anyone_reads(ocean: Ocean, alice: Caller) -> None:
    secret = generate().secret
    assert await code(ocean, alice, f'save _mcp/servers @s app_key: "{secret}"') == "INVALID_PAYLOAD"
    await say(ocean, alice, 'save _mcp/servers @s app_key: "YOUR_OCEAN_KEY"')
    assert await code(ocean, alice, f'update _mcp/servers @s app_key: "{secret}"') == "INVALID_PAYLOAD"


async def test_a_trust_record_opens_a_shared_folder(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    assert await code(ocean, alice, "save shared/app/x @1 1") == "NO_TRUST"
    await say(ocean, alice, f'save trust/app @config keys: ("{bob.key}")')
    await say(ocean, bob, "save shared/app/x @1 1")
    assert await code(ocean, alice, "get trust/app @config") == "FORBIDDEN"
    assert await code(ocean, bob, "save trust/app @config keys: ()") == "FORBIDDEN"
