"""What one caller may put on a process: each of these once held it up, or filled its memory, for everybody."""

from __future__ import annotations

import asyncio
import mmap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.commands.query import _translate
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.http import burden
from ocean.http.burden import Burden
from ocean.kept import BYTES, Kept
from ocean.services.data import records
from ocean.services.query.primitives import primitives
from ocean.services.query.schemas import list_patterns, validate
from ocean.services.query.sql import sql
from ocean.store import scans
from ocean.store.scans import SCANNERS
from ocean.turns import SIDE_BY_SIDE, Turns
from tests.services.test_find import ask

MB = 1024 * 1024


async def refused(ocean: Ocean, who: Caller, text: str) -> str:
    with pytest.raises(OceanError) as caught:
        await execute(ocean, who, parse(text))
    return caught.value.code


async def test_a_star_over_a_record_of_many_fields_is_refused_at_once(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="wide", key="k", payload={f"f{i}": i for i in range(20_000)})
    begun = time.perf_counter()
    for columns in ("*", "*, *, *, *, *"):
        with pytest.raises(OceanError) as caught:
            await sql(ocean, alice, query=f"SELECT {columns} FROM wide")
        assert (caught.value.code, "more than 1000 columns" in caught.value.message) == ("SQL_ERROR", True)
    assert (await sql(ocean, alice, query="SELECT f5, f19999 + 1 AS n FROM wide"))["rows"] == [[5, 20_000]]
    assert time.perf_counter() - begun < 10


async def test_whole_rows_with_many_copies_beside_are_weighed(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="big", key="k", payload={"a": "x" * (9 * MB)})
    copies = ", ".join(f"a as b{i}" for i in range(97))
    assert await refused(ocean, alice, f"find big pick *, {copies}") == "LIMIT_REACHED"
    assert await refused(ocean, alice, f"find big pick *, {copies} then pick b0") == "LIMIT_REACHED"


async def test_a_group_over_a_join_is_weighed_with_what_is_beside(ocean: Ocean, alice: Caller) -> None:
    ops = [{"route": "small", "key": f"k{i}", "payload": {"g": 1}} for i in range(3)]
    await records.bulk(ocean, alice, ops=ops)
    for i in range(8):
        await records.save(ocean, alice, route="heavy", key=f"k{i}", payload={"g": 1, "a": f"{i}" * (9 * MB)})
    assert await refused(ocean, alice, "find small join heavy on g = g group g distinct a") == "LIMIT_REACHED"


async def test_a_row_of_many_made_texts_has_no_more_in_it_than_one_of_few(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="em", key="k", payload={"a": "😀" * 8000})
    many = ", ".join(f"y||'{i}'" for i in range(300))
    fifteen, ten = "||".join(["a"] * 15), "||".join(["y"] * 10)
    made = f"WITH a AS (SELECT {fifteen} AS y FROM em), b AS (SELECT {ten} AS y FROM a) SELECT {many} FROM b"
    (row,) = (await sql(ocean, alice, query=made))["rows"]
    assert sum(map(len, row)) <= 20_000_000


async def test_answers_of_several_statements_have_one_bound(ocean: Ocean, alice: Caller) -> None:
    await records.save(ocean, alice, route="big", key="k", payload={"a": "x" * (9 * MB)})
    with pytest.raises(OceanError) as caught:
        await execute(ocean, alice, parse("get big @k\n" * 20))
    assert (caught.value.code, len(caught.value.details["results"]) < 8) == ("LIMIT_REACHED", True)


async def test_long_translations_are_refused(ocean: Ocean, alice: Caller) -> None:
    with pytest.raises(OceanError) as caught:
        await _translate(ocean, alice, query="find t where a = 1\n" * 5000, to="sql")
    assert caught.value.code == "PAYLOAD_TOO_LARGE"


async def test_too_many_joins_and_sorts_are_refused_before_they_are_made(ocean: Ocean, alice: Caller) -> None:
    begun = time.perf_counter()
    assert await refused(ocean, alice, "find s " + "join s on a = a " * 5000) == "INVALID_VALUE"
    assert await refused(ocean, alice, "find s sort " + ", ".join(["a"] * 5000)) == "INVALID_VALUE"
    assert time.perf_counter() - begun < 5


def test_what_is_kept_of_many_small_answers_is_counted() -> None:
    kept = Kept()
    for i in range(100_000):
        kept.put(i, 1, 2**62, 0, None)
    assert len(kept._answers) <= BYTES // 500


async def test_one_key_from_several_addresses_has_no_more_turns_than_from_one(alice: Caller) -> None:
    turns = Turns()
    entered: list[str] = []
    over = asyncio.Event()

    async def hold(ip: str) -> None:
        async with turns.of(*replace(alice, ip=ip).holders):
            entered.append(ip)
            await over.wait()

    assert SIDE_BY_SIDE < SCANNERS, "there is a thread left for others"
    tasks = [asyncio.create_task(hold(f"127.0.0.{i}")) for i in range(SIDE_BY_SIDE + 2)]
    while len(entered) < SIDE_BY_SIDE:
        await asyncio.sleep(0)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(entered) == SIDE_BY_SIDE
    over.set()
    await asyncio.gather(*tasks)
    assert len(entered) == SIDE_BY_SIDE + 2


async def test_many_closed_folders_beneath_are_sought_by_index(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await records.bulk(ocean, alice, ops=[{"route": "zone/a", "key": f"k{i}", "payload": {"n": i}} for i in range(200)])
    for i in range(60):
        await execute(ocean, bob, parse(f"save zone/y{i} @a n: 100; share zone/y{i} with @{bob.key} mode shared"))
    assert len((await ask(ocean, alice, "find zone/* where n = 100"))["results"]) == 1
    if ocean.engine.dialect.name == "sqlite":
        plan = (await ask(ocean, alice, "explain find zone/* where n = 100"))["plan"]
        assert not any(line.startswith("SCAN x") for line in plan), plan


async def test_a_priced_patterns_content_is_its_buyers(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    payload = {"fields": {"kind": {"type": "text", "enum": ["secretvalue1"]}}}
    await records.save(ocean, alice, route="patterns", key="pp", payload=payload, price=5)
    assert "secretvalue1" in str(await list_patterns(ocean, alice))
    assert "secretvalue1" not in str(await list_patterns(ocean, bob))
    with pytest.raises(OceanError) as caught:
        await validate(ocean, bob, pattern="pp", payload={"kind": "x"})
    assert (caught.value.code, "secretvalue1" in str(caught.value)) == ("FORBIDDEN", False)


async def test_a_filter_of_primitives_is_tested_on_readable_records_alone(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    from grammar.conditions import Test

    where = Test("secret", "starts with", "tiger")
    for route in (f"{alice.key}/diary", "open/diary"):
        await records.save(ocean, alice, route=route, key="k", payload={"secret": "tiger-1", "_dates": [{"start": "2031-01-01"}]})
    found = [len((await primitives(ocean, who, where=where, dates={"$gte": "2030-01-01"}))["results"]) for who in (alice, bob)]
    assert found == [2, 1]


def test_connections_and_bodies_of_one_address_have_bounds() -> None:
    held = Burden(2, room=4)
    assert [held.come("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert held.come("10.0.0.1", proxy=True)
    assert held.come("10.0.0.2")
    assert not held.come("10.0.0.3")  # there is no room at all
    held.gone("10.0.0.1")
    held.gone("10.0.0.1")
    assert held.come("10.0.0.1")
    held.take("10.0.0.1", burden.BODIES_OF_ONE)
    with pytest.raises(OceanError):
        held.take("10.0.0.1", 1)
    held.take("10.0.0.2", burden.BODIES_OF_ONE)
    with pytest.raises(OceanError):
        held.take("10.0.0.3", burden.BODIES - 2 * burden.BODIES_OF_ONE + 1)
    held.give("10.0.0.1", burden.BODIES_OF_ONE)
    held.take("10.0.0.1", 1)


def test_a_connection_is_counted_once_though_its_transport_is_gone_before() -> None:
    """A closing connection whose peer reads nothing is aborted by the server, which forgets the transport first."""
    from types import SimpleNamespace
    from unittest import mock

    from ocean.http.protocol import HttpProtocol, Protocol

    held = Burden(2, room=4)
    with mock.patch.object(HttpProtocol, "connection_made"), mock.patch.object(HttpProtocol, "connection_lost"):
        for _ in range(5):
            wire = Protocol.__new__(Protocol)
            wire.app = SimpleNamespace(ctx=SimpleNamespace(burden=held, proxies=[]))
            wire._counted, wire.transport, wire._unsent, wire._stall = None, None, 0, None
            wire.connection_made(SimpleNamespace(get_extra_info=lambda name: ("10.0.0.1", 1)))
            wire.connection_lost(None)
            wire.connection_lost(None)
    assert held.come("10.0.0.1")
    assert held.come("10.0.0.1")
    assert not held.come("10.0.0.1")


@pytest.mark.skipif(not scans.uncounted, reason="this build counts its memory itself")
def test_the_pages_of_a_file_are_not_what_a_process_holds(tmp_path: Path) -> None:
    """Three counts over a file of 2.8 GB were refused, each for memory that the system could take back at any time."""
    size = 64 * MB
    (tmp_path / "file").write_bytes(b"x" * size)
    before = scans.held()
    with (tmp_path / "file").open("rb") as file, mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[at] for at in range(0, size, 4096)) == ord("x") * size // 4096
        assert scans.held() - before < size // 4
    kept = bytearray(b"x") * size
    assert scans.held() - before > size // 2
    del kept
