"""Functions: who may run what, as whom it acts, what it costs, and what is told of what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocean import settings
from ocean.causes import Within
from ocean.context import Budget, Caller, Ocean
from ocean.core import keys
from ocean.core.access import Scoped
from ocean.core.money import HELD, IO
from ocean.egress.broker import Broker
from ocean.errors import OceanError
from ocean.runner import pool as pool_
from ocean.services.automate import functions
from ocean.services.data import records
from ocean.services.money import credits
from ocean.services.query import find as finding_
from ocean.store import ledger
from tests.automate.running import do, fault, function, run, until
from tests.services.searching import afloat
from tests.services.test_hooks import LOOPBACK, Rebinding

NOBODY = Caller(None, "192.0.2.1")


@pytest.fixture
async def afloat_(ocean: Ocean) -> AsyncIterator[Ocean]:
    async with afloat(ocean):
        yield ocean


@pytest.fixture
async def on_sqlite(tmp_path: Path, tables: Path) -> AsyncIterator[Ocean]:
    """What has nothing to do with the store is looked at on one."""
    shutil.copy(tables, tmp_path / "ocean.db")
    opened = await Ocean.open(settings.load({"OCEAN_DATA": str(tmp_path)}))
    async with afloat(opened):
        yield opened
    await opened.close()


async def test_a_function_runs_for_its_author_alone(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/hello", "return {'hello': request.get('name', 'world')}")
    assert await do(afloat_, alice, 'run fn/hello { name: "Ocean" }') == {"result": {"hello": "Ocean"}, "ms": pytest.approx(0, abs=5000)}
    assert (await fault(afloat_, bob, "fn/hello")).code == "FORBIDDEN"
    assert (await fault(afloat_, NOBODY, "fn/hello")).status == 401
    await function(afloat_, alice, f"{alice.key}/fn", "return 1")
    missing = await fault(afloat_, bob, "no/such")
    hidden = await fault(afloat_, bob, f"{alice.key}/fn")
    assert hidden.code == missing.code == "NOT_FOUND"
    assert hidden.message.replace(f"{alice.key}/fn", "no/such") == missing.message


async def test_a_public_function_acts_for_its_author_and_its_code_stays_private(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    route = f"{alice.key}/greet"
    await do(afloat_, alice, f'save {alice.key}/secrets @x word: "open sesame"')
    body = f"return [ocean.read('{alice.key}/secrets', 'x')['payload']['word'], ocean.user is None]"
    await function(afloat_, alice, route, body, execute="public")
    assert await run(afloat_, NOBODY, route) == ["open sesame", True]
    assert await run(afloat_, bob, route) == ["open sesame", False]
    with pytest.raises(OceanError):
        await do(afloat_, bob, f"get {route} @main")


async def test_nobody_slips_code_under_anothers_config_or_a_config_under_anothers_code(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await do(afloat_, alice, "save team/x @seed 1")
    await do(afloat_, alice, f"share team with @{bob.key}")
    await function(afloat_, alice, "team/fn", "return ocean.exec('whoami')['key']", execute="public")
    assert await run(afloat_, NOBODY, "team/fn") == alice.key
    await function(afloat_, bob, "team/fn", "return ocean.exec('whoami')['key']")  # bob may write there, and so becomes its author
    assert (await fault(afloat_, alice, "team/fn")).code == "FORBIDDEN"
    assert (await fault(afloat_, NOBODY, "team/fn")).code in ("KEY_REQUIRED", "NOT_FOUND")
    assert await run(afloat_, bob, "team/fn") == bob.key
    await function(afloat_, alice, "team/other", "return 1")
    await records.save(afloat_, bob, route="team/other", key="_config", payload={"execute": "public"})
    assert (await fault(afloat_, NOBODY, "team/other")).code in ("KEY_REQUIRED", "NOT_FOUND")


async def test_what_is_lent_is_the_callers_access_in_declared_folders(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await do(afloat_, alice, "save app/users @seed 1")
    await do(afloat_, alice, f"share app/users with @{bob.key}")
    await do(afloat_, bob, "save bobs @x 1")
    await do(afloat_, bob, f'save {bob.key}/diary @x text: "dear diary"')
    body = "return ocean.user.exec(request['say'])"
    await function(afloat_, alice, "app/fn", body, execute="public", scopes=["app/users", "bobs", f"{bob.key}/diary"])
    saved = await run(afloat_, bob, "app/fn", say='save app/users @me name: "Bob"')
    assert saved["source"] == bob.key
    for say in ("get bobs @x", "save bobs @x 2", f"get {bob.key}/diary @x", "io send 1 to @x"):
        assert (await fault(afloat_, bob, "app/fn", say=say)).code == "FUNCTION_ERROR", say
    assert (await fault(afloat_, NOBODY, "app/fn", say="get app/users @me")).code == "FUNCTION_ERROR"


async def test_a_scoped_key_gets_no_more_by_a_function(afloat_: Ocean, alice: Caller) -> None:
    await do(afloat_, alice, "save mine/a @x 1; save fn/seed @x 1")
    await function(afloat_, alice, "fn/read", "return ocean.read('mine/a', 'x')['payload']")
    scoped = replace(alice, key=Scoped.of(str(alice.key), "s1", ["fn"], ["entity", "drop"], None))
    assert await run(afloat_, alice, "fn/read") == 1
    assert (await fault(afloat_, scoped, "fn/read")).code == "FUNCTION_ERROR"
    for key, payload in (("main", "def main(ocean, request): return 1"), ("_config", {"execute": "public"})):
        with pytest.raises(OceanError, match="scoped"):
            await records.save(afloat_, scoped, route="fn/read", key=key, payload=payload)
        with pytest.raises(OceanError, match="scoped"):
            await records.bulk(afloat_, scoped, ops=[{"op": "save", "route": "fn/new", "key": key, "payload": payload}])


async def test_what_goes_wrong_is_told_to_the_author_and_what_it_says_itself_to_all(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    body = "if request.get('say'):\n    raise OceanError('There is no such order.')\nprint('looking')\nreturn {}['order']"
    await function(afloat_, alice, "shop/fn", body, execute="public")
    mine = await fault(afloat_, alice, "shop/fn")
    assert mine.message == "shop/fn: KeyError: 'order'"
    assert mine.details["trace"] == ["line 5, in main: return {}['order']"]
    assert mine.details["printed"] == "looking\n"
    theirs = await fault(afloat_, bob, "shop/fn")
    assert theirs.message == "The function 'shop/fn' failed."
    assert theirs.details == {}
    said = await fault(afloat_, bob, "shop/fn", say=True)
    assert said.message == "There is no such order."
    told = (await do(afloat_, alice, "status shop/fn"))["function"]
    assert [one["message"] for one in told["failures"]] == ["There is no such order.", "KeyError: 'order'"]
    assert "function" not in await do(afloat_, bob, "status shop/fn")


async def test_what_an_error_of_ours_says_stays_with_the_author(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "shop/fn", f"return ocean.read('{alice.key}/hidden', 'name')", execute="public")
    assert "hidden" not in (await fault(afloat_, bob, "shop/fn")).message
    assert "hidden" in (await fault(afloat_, alice, "shop/fn")).message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return float('inf')", "JSON"),
        ("return {1}", "set is not JSON serializable: answer with"),
        ("return 'x' * (400 << 20)", "OCEAN_FUNCTION_MEMORY"),
        ("x = []\nfor _ in range(70): x = [x]\nreturn x", "nested deeper"),
        ("return '\\ud800'", "surrogates"),
        ("print('\\ud800')\nraise ValueError('\\ud800')", "ValueError"),
        ("import os\nos._exit(3)", "ended before it answered"),
        ("return (", "line"),
        ("return ocean.nonsense()", "nonsense"),
        ("return ocean._ask('nonsense')", "nonsense"),
        ("return ocean._ask('read', route='a', key='b', more=1)", "more"),
        ("return ocean._ask('read', route=5, key='b')", "text"),
        ("return ocean.run('fn/x', [1])", "object"),
        ("return ocean.fetch('http://127.0.0.1:1/')", "https"),
        ("return ocean.fetch('https://169.254.169.254/latest')", "public Internet"),
        ("return ocean.fetch('https://example.com', headers={'a': 1})", "headers"),
        ("return ocean.fetch('https://example.com', method='TRACE')", "method"),
        ("return ocean.exec('nonsense')", "expected a command"),
    ],
)
async def test_each_way_to_fail_is_told(on_sqlite: Ocean, alice: Caller, body: str, says: str) -> None:
    await function(on_sqlite, alice, "fn/x", body)
    found = await fault(on_sqlite, alice, "fn/x")
    assert found.code == "FUNCTION_ERROR"
    assert says in found.message


async def test_all_that_the_client_can_ask(afloat_: Ocean, alice: Caller) -> None:
    await do(afloat_, alice, "save app/seed @x 1")
    await function(afloat_, alice, "fn/inner", "return {'got': request}")
    body = """
ocean.write('app/things', {'n': 1, 'text': 'whales sing'}, 'a')
ocean.write('app/things', 'b', {'n': 2 ** 70})
ocean.update('app/things', 'a', {'more': True})
found = {'read': ocean.read('app/things', 'b')['payload'], 'query': [r['key'] for r in ocean.query('app/things', filter={'n': {'$lt': 5}})]}
found['sql'] = ocean.sql('SELECT n FROM "app/things" WHERE n < 5')
found['file'] = ocean.upload('app/files', b'hello', 'x.css')['blob']['type']
found['all'] = sorted(r['key'] for r in ocean.export_entities('app/things'))
found['inner'] = ocean.run('fn/inner', {'a': [1]})
ocean.exec('search app/things "whales" wait')
found['search'] = [r['key'] for r in ocean.search('app/things', 'whales')]
found['exec'] = ocean.exec('find app/things then count')
ocean.remove('app/things', 'a')
try:
    ocean.read('app/things', 'a')
except OceanError as error:
    found['gone'] = error.code
return found
"""
    await function(afloat_, alice, "fn/all", body)
    assert await run(afloat_, alice, "fn/all") == {
        "read": {"n": 2**70}, "query": ["a"], "sql": [{"n": 1}], "file": "text/css", "all": ["a", "b"], "inner": {"got": {"a": [1]}},
        "search": ["a"], "exec": {"count": 2}, "gone": "DELETED",
    }  # fmt: skip


async def test_a_find_runs_a_function_with_all_it_found(afloat_: Ocean, alice: Caller) -> None:
    await do(afloat_, alice, "save users @a age: 1; save users @b age: 2")
    await function(afloat_, alice, "fn/sum", "return sum(r['payload']['age'] for r in request['results'])")
    assert (await do(afloat_, alice, "find users then run fn/sum"))["result"] == 3
    await function(afloat_, alice, "fn/rows", "return request")
    assert (await do(afloat_, alice, "find users group age count then run fn/rows"))["result"]["count"] == 2


async def test_functions_in_functions_end(on_sqlite: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    await function(on_sqlite, alice, "fn/deep", "return ocean.run('fn/deep')")
    assert "wait for each other" in (await fault(on_sqlite, alice, "fn/deep")).message
    await function(on_sqlite, alice, "fn/exec", "return ocean.exec('run fn/exec')")
    assert "wait for each other" in (await fault(on_sqlite, alice, "fn/exec")).message
    monkeypatch.setattr(functions, "SECONDS", 1.0)
    await function(on_sqlite, alice, "fn/spin", "while True: pass")
    await function(on_sqlite, alice, "fn/outer", "try:\n    ocean.run('fn/spin')\nexcept OceanError: pass\nreturn 1")
    assert await run(on_sqlite, alice, "fn/outer") == 1  # it is told in time to say something itself
    await function(on_sqlite, alice, "fn/outer", "try:\n    ocean.run('fn/spin')\nexcept OceanError: pass\nwhile True: pass")
    assert (await fault(on_sqlite, alice, "fn/outer")).code == "FUNCTION_TIMEOUT"


async def test_a_process_serves_one_function_and_keeps_what_it_made(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    code = "seen = []\ndef main(ocean, request):\n    seen.append(1)\n    return len(seen)"
    for route, who in (("fn/a", alice), ("bobs/a", bob)):
        await records.save(afloat_, who, route=route, key="main", payload=code)
    assert [await run(afloat_, alice, "fn/a") for _ in range(3)] == [1, 2, 3]
    assert await run(afloat_, bob, "bobs/a") == 1
    await records.save(afloat_, alice, route="fn/a", key="main", payload=code)  # a new version is another function
    assert await run(afloat_, alice, "fn/a") == 1


async def test_one_callers_functions_leave_places_for_others(on_sqlite: Ocean, alice: Caller, bob: Caller, monkeypatch: Any) -> None:
    monkeypatch.setattr(functions, "SECONDS", 3.0)
    await function(on_sqlite, alice, "fn/spin", "while True: pass", execute="public")
    await function(on_sqlite, bob, "bobs/quick", "return 1")
    spinning = [asyncio.get_running_loop().create_task(fault(on_sqlite, replace(NOBODY, ip=f"192.0.2.{i}"), "fn/spin")) for i in range(20)]
    await asyncio.sleep(0)
    assert await run(on_sqlite, bob, "bobs/quick") == 1
    assert {found.code for found in await asyncio.gather(*spinning)} == {"FUNCTION_TIMEOUT", "SERVER_BUSY"}


async def test_a_price_is_paid_when_it_has_answered_and_only_then(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/sold", "return 1 / request.get('by', 1)", execute="public", price=10)
    assert (await fault(afloat_, bob, "fn/sold")).code == "RATE_LIMITED"
    assert (await fault(afloat_, NOBODY, "fn/sold")).code == "KEY_REQUIRED"
    assert await run(afloat_, alice, "fn/sold") == 1  # nobody pays for their own
    await credits.grant(afloat_, str(bob.key), 25)
    assert await run(afloat_, bob, "fn/sold") == 1
    assert (await fault(afloat_, bob, "fn/sold", by=0)).code == "FUNCTION_ERROR"
    assert await credits.balance(afloat_, str(bob.key)) == 15
    assert await credits.balance(afloat_, str(alice.key)) == 9.9
    assert await ledger.balance_of(afloat_.engine, IO, HELD) == 0
    assert await ledger.faults(afloat_.engine) == []
    entries = (await credits.lines(afloat_, bob))["entries"]
    assert [(one["type"], one["amount"]) for one in entries] == [("refund", 10), ("hold", 10), ("hold", 10), ("grant", 25)]
    scoped = replace(bob, key=Scoped.of(str(bob.key), "s1", ["fn"], ["entity"], None))
    assert (await fault(afloat_, scoped, "fn/sold")).code == "FORBIDDEN"


async def test_a_server_that_runs_none_says_so(on_sqlite: Ocean, alice: Caller) -> None:
    await function(on_sqlite, alice, "fn/x", "return 1")
    on_sqlite.settings = {**on_sqlite.settings, "OCEAN_FUNCTIONS": "false"}
    found = await fault(on_sqlite, alice, "fn/x")
    assert (found.code, found.status) == ("NOT_AVAILABLE", 503)


async def test_who_breaks_off_has_not_been_given_it_for_nothing(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    """Neither by going away, nor by leaving it less time than it may take."""
    await function(afloat_, alice, "fn/slow", "import time\nocean.write('began', 1)\ntime.sleep(1.5)", execute="public", price=5)
    await function(afloat_, bob, "bobs/fn", "return ocean.run('fn/slow')")
    await credits.grant(afloat_, str(bob.key), 10)
    waiting = asyncio.get_running_loop().create_task(run(afloat_, bob, "fn/slow"))

    async def began() -> bool:
        return bool((await do(afloat_, alice, "find began"))["count"])

    async def paid() -> bool:
        return await credits.balance(afloat_, str(alice.key)) == 4.95

    await until(began)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await credits.balance(afloat_, str(bob.key)) == 5
    assert await until(paid)
    token = functions.WITHIN.set(Within(time.monotonic() + 1.0))
    with contextlib.suppress(OceanError):
        await run(afloat_, bob, "bobs/fn")
    functions.WITHIN.reset(token)

    async def paid_twice() -> bool:
        return await credits.balance(afloat_, str(alice.key)) == 9.9

    assert await until(paid_twice)
    assert await ledger.faults(afloat_.engine) == []


async def test_what_a_server_that_stops_breaks_off_is_paid_back(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    async with afloat(ocean):
        await function(ocean, alice, "fn/slow", "import time\nocean.write('began', 1)\ntime.sleep(60)", execute="public", price=5)
        await credits.grant(ocean, str(bob.key), 5)
        waiting = asyncio.get_running_loop().create_task(run(ocean, bob, "fn/slow"))

        async def began() -> bool:
            return bool((await do(ocean, alice, "find began"))["count"])

        await until(began)
    await asyncio.wait([waiting])
    assert await credits.balance(ocean, str(bob.key)) == 5


async def test_the_same_request_again_is_one_run(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/sold", "ocean.write('sold', 1)\nreturn 1 / request['by']", execute="public", price=5)
    await credits.grant(afloat_, str(bob.key), 20)
    keyed = replace(bob, idempotency="order-1", request_digest="a")
    assert [await run(afloat_, keyed, "fn/sold", by=2) for _ in range(3)] == [0.5] * 3
    assert await credits.balance(afloat_, str(bob.key)) == 15
    assert (await do(afloat_, alice, "find sold then count"))["count"] == 1
    assert (await fault(afloat_, replace(keyed, request_digest="b"), "fn/sold", by=2)).code == "CONFLICT"
    failing = replace(bob, idempotency="order-2", request_digest="c")
    assert {(await fault(afloat_, failing, "fn/sold", by=0)).code for _ in range(2)} == {"FUNCTION_ERROR"}
    assert (await do(afloat_, alice, "find sold then count"))["count"] == 2
    mine = replace(alice, idempotency="order-1", request_digest="a")
    assert await run(afloat_, mine, "fn/sold", by=1) == 1
    assert (await do(afloat_, mine, "run fn/sold { by: 1 } async"))["job_id"] == (await do(afloat_, mine, "run fn/sold { by: 1 } async"))[
        "job_id"
    ]


async def test_a_request_spends_no_more_than_it_may(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/sold", "return 1", execute="public", price=5)
    await credits.grant(afloat_, str(bob.key), 20)
    budget = replace(bob, budget=Budget(800))
    told = functions.shown(budget, *(await afloat_.functions.run(budget, "fn/sold", {})))
    assert told["paid"] == 5
    assert (await fault(afloat_, budget, "fn/sold")).code == "RATE_LIMITED"
    assert await credits.balance(afloat_, str(bob.key)) == 15


async def test_a_broken_config_tells_strangers_nothing(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    route = f"{alice.key}/fn"
    await function(afloat_, alice, route, "return 1")
    with pytest.raises(OceanError, match="execute"):
        await records.save(afloat_, alice, route=route, key="_config", payload={"execute": "everyone"})
    await records.save(afloat_, alice, route=route, key="_config", payload={"csp": "x"})
    text = '{"execute": "everyone"}'  # as it may have been kept before it was looked at
    await afloat_.log.put("UPDATE drops SET payload = ? WHERE key = '_config'", [(text,)])
    assert (await fault(afloat_, bob, route)).code == "NOT_FOUND"
    assert "'execute' is one of" in (await fault(afloat_, alice, route)).message
    told = await do(afloat_, alice, f"status {route}")
    assert "'execute' is one of" in told["function"]["fault"]


async def test_counters_open_and_price_nothing(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await do(afloat_, alice, f"save team/x @seed 1; share team with @{bob.key}")
    await function(afloat_, alice, "team/fn", "return 1", execute="public")
    await do(afloat_, bob, "add 5 to team/fn @_config price")
    assert await run(afloat_, bob, "team/fn") == 1


async def test_a_query_gives_all_there_is(afloat_: Ocean, alice: Caller) -> None:
    await records.bulk(afloat_, alice, ops=[{"op": "save", "route": "many/rows", "key": f"k{n}", "payload": {"n": n}} for n in range(2500)])
    await function(afloat_, alice, "fn/total", "return [sum(r['payload']['n'] for r in ocean.query('many/rows', **request))]")
    assert await run(afloat_, alice, "fn/total") == [sum(range(2500))]
    assert await run(afloat_, alice, "fn/total", limit=1500, sort="n", skip=10) == [sum(range(10, 1510))]
    assert await run(afloat_, alice, "fn/total", limit=0) == [0]
    assert "whole numbers" in (await fault(afloat_, alice, "fn/total", limit=-1)).message


async def test_a_function_may_be_async(on_sqlite: Ocean, alice: Caller) -> None:
    code = "import asyncio\nasync def main(ocean, request):\n    await asyncio.sleep(0)\n    return 5"
    await records.save(on_sqlite, alice, route="fn/a", key="main", payload=code)
    assert await run(on_sqlite, alice, "fn/a") == 5


async def test_what_is_declared_and_not_lent_is_told(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await do(afloat_, bob, "save bobs @x 1")
    await function(afloat_, alice, "fn/x", "return ocean.user.read('bobs', 'x')", execute="public", scopes=["bobs", "nowhere"])
    assert (await do(afloat_, alice, "status fn/x"))["function"]["not_lent"] == ["bobs", "nowhere"]
    assert "Nothing of the caller's is lent" in (await fault(afloat_, alice, "fn/x")).message


async def test_a_process_that_has_ended_meanwhile_is_not_given(on_sqlite: Ocean, alice: Caller) -> None:
    await function(on_sqlite, alice, "fn/x", "return 1")
    await run(on_sqlite, alice, "fn/x")
    pool = on_sqlite.functions.pool
    for _, process, _ in pool._kept.values():
        process.kill()
        await asyncio.to_thread(process._process.wait)
    for process, _ in pool._spare:
        process.kill()
        await asyncio.to_thread(process._process.wait)
    assert await run(on_sqlite, alice, "fn/x") == 1


async def test_what_is_kept_of_a_question_is_none_of_another_functions(
    afloat_: Ocean, alice: Caller, bob: Caller, monkeypatch: Any
) -> None:
    """A lent key that may not look there was once answered from memory by what another, that may, had asked a moment before."""
    carol = Caller(str(keys.generate().public))
    monkeypatch.setattr(finding_, "DEAR", 0.0)
    for who, top in ((alice, "ka"), (carol, "kb")):
        await do(afloat_, who, f"save {top}/one @x 1; share {top} with @{bob.key}")
        await function(afloat_, who, f"{top}/fn", "return ocean.user.exec('find ka/one')['count']", execute="public", scopes=[f"{top}/one"])
    await function(afloat_, alice, "ka/other", "return ocean.user.exec('find ka/one')['count']", execute="public", scopes=["ka/two"])
    scoped = replace(bob, key=Scoped.of(str(bob.key), "s1", ["ka", "kb"], ["entity", "query"], None))
    for who in (bob, scoped):
        assert await run(afloat_, who, "ka/fn") == 1
        for other in ("kb/fn", "ka/other"):
            assert (await fault(afloat_, who, other)).code == "FUNCTION_ERROR"


async def test_a_scoped_key_opens_nothing_by_a_text_that_is_an_object(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/x", "return 1")
    scoped = replace(alice, key=Scoped.of(str(alice.key), "s1", ["fn"], ["entity", "drop"], None))
    with pytest.raises(OceanError, match="scoped"):
        await records.save(afloat_, scoped, route="fn/x", key="_config", payload='{"execute": "public"}')
    assert (await fault(afloat_, bob, "fn/x")).code in ("NOT_FOUND", "FORBIDDEN")


async def test_whole_numbers_of_any_size_go_in_and_out(afloat_: Ocean, alice: Caller) -> None:
    await function(
        afloat_, alice, "fn/echo", "ocean.write('big', request, 'k')\nreturn [request['n'] + 1, ocean.read('big', 'k')['payload']]"
    )
    assert await run(afloat_, alice, "fn/echo", n=10**30) == [10**30 + 1, {"n": 10**30}]


async def test_what_a_call_left_behind_is_no_answer_to_the_next(on_sqlite: Ocean, alice: Caller, bob: Caller) -> None:
    forging = """
wire = ocean._wire
if request.get('forge'):
    wire.write({'result': '"mine"', 'call': wire.call})
return request.get('say')
"""
    await function(on_sqlite, alice, "fn/forge", forging, execute="public")
    assert await run(on_sqlite, bob, "fn/forge", forge=True) == "mine"
    assert [await run(on_sqlite, alice, "fn/forge", say=n) for n in range(3)] == [0, 1, 2]
    over = "global kept\nif request.get('keep'):\n    kept = ocean\nreturn kept.read('fn/over', 'main')['key']"
    await function(on_sqlite, alice, "fn/over", over)
    assert await run(on_sqlite, alice, "fn/over", keep=True) == "main"
    assert "is over" in (await fault(on_sqlite, alice, "fn/over")).message
    late = "ocean._wire.write({'ask': 'read', 'side': 'ocean', 'given': {}, 'call': 7})\nreturn request.get('say')"
    await function(on_sqlite, alice, "fn/late", late)
    assert "ended before" in (await fault(on_sqlite, alice, "fn/late")).message


async def test_keyed_runs_that_nobody_waits_for_have_places_like_any(
    on_sqlite: Ocean, alice: Caller, bob: Caller, monkeypatch: Any
) -> None:
    monkeypatch.setattr(functions, "SECONDS", 3.0)
    await function(on_sqlite, alice, "fn/sleep", "import time\ntime.sleep(2)", execute="public")
    await function(on_sqlite, alice, "fn/quick", "return 1", execute="public")
    loop = asyncio.get_running_loop()
    gone = [loop.create_task(run(on_sqlite, replace(bob, idempotency=f"k{n}", ip="192.0.2.7"), "fn/sleep")) for n in range(30)]
    for _ in range(10):
        await asyncio.sleep(0.01)
    for task in gone:
        task.cancel()
    await asyncio.wait(gone)
    assert on_sqlite.functions.running <= functions.AT_ONCE_OF_ONE
    assert await run(on_sqlite, alice, "fn/quick") == 1


async def test_what_failed_for_the_moment_may_come_again_under_its_key(
    afloat_: Ocean, alice: Caller, bob: Caller, monkeypatch: Any
) -> None:
    await function(afloat_, alice, "fn/sold", "return 1", execute="public", price=5)
    await credits.grant(afloat_, str(bob.key), 20)
    keyed = replace(bob, idempotency="once", request_digest="a", budget=Budget(700))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_, "MOST", 0)
        assert (await fault(afloat_, keyed, "fn/sold")).code == "SERVER_BUSY"
    assert await credits.balance(afloat_, str(bob.key)) == 20
    assert await run(afloat_, keyed, "fn/sold") == 1
    assert keyed.budget is not None
    assert keyed.budget.left == 200
    assert await run(afloat_, keyed, "fn/sold") == 1
    assert await credits.balance(afloat_, str(bob.key)) == 15


async def test_a_budget_is_spent_when_a_run_begins(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await function(afloat_, alice, "fn/slow", "import time\ntime.sleep(1)", execute="public", price=5)
    await credits.grant(afloat_, str(bob.key), 20)
    caller = replace(bob, budget=Budget(700))
    first = asyncio.get_running_loop().create_task(run(afloat_, caller, "fn/slow"))

    async def begun() -> bool:
        return await credits.balance(afloat_, str(bob.key)) == 15

    await until(begun)
    assert (await fault(afloat_, caller, "fn/slow")).code == "RATE_LIMITED"
    await first


async def test_what_an_author_before_printed_is_not_shown_to_the_next(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    await do(afloat_, alice, f"save team/x @seed 1; share team with @{bob.key}")
    await function(afloat_, alice, "team/fn", "print('of alice')\nreturn 1", execute="public")
    keyed = replace(bob, idempotency="once")
    await run(afloat_, keyed, "team/fn")
    await function(afloat_, bob, "team/fn", "return 2")
    told = functions.shown(keyed, *(await afloat_.functions.run(keyed, "team/fn", {})))
    assert "printed" not in told


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return ocean.query('a', filter={'a': {'$in': ['x' * 100] * 5000}})", "256 KB"),
        ("return ocean.write('a', 'x' * (7 << 20))", "6 MB"),
        ("return 'x' * (7 << 20)", "6 MB"),
        ("ocean._wire.write({'fault': {'message': [[['x']] * 1000] * 10, 'trace': {'a': 1}}, 'call': 1})\nreturn 1", "without an answer"),
        ("return ocean._ask('write')", "wants payload, route"),
        ("return ocean._ask('remove', route='a')", "wants key"),
    ],
)
async def test_what_a_function_says_is_bounded_and_believed_in_nothing(on_sqlite: Ocean, alice: Caller, body: str, says: str) -> None:
    await function(on_sqlite, alice, "fn/x", body)
    assert says in (await fault(on_sqlite, alice, "fn/x")).message


@contextlib.asynccontextmanager
async def host() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Another host: its address, and what it was sent. It answers with JSON, and sends whoever asks for /away away."""
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")), 0)
        got.append(head + await reader.readexactly(length))
        status = b"302 Found\r\nlocation: http://127.0.0.1:1/" if b" /away " in head else b"200 OK"
        body = b'{"rate": 7.46}'
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    finally:
        server.close()


async def test_a_function_asks_another_host_by_the_one_way_out(on_sqlite: Ocean, alice: Caller) -> None:
    await function(
        on_sqlite,
        alice,
        "fn/rate",
        """
found = ocean.fetch(request['url'], method='POST', json={'of': 'EUR'}, headers={'x-mine': 'yes', 'Host': 'evil.example'})
return [found.status, found.ok, found.json()['rate'], found.text, found.headers.get('location')]
""",
    )
    async with host() as (address, got):
        await on_sqlite.egress.close()
        on_sqlite.egress = Broker(LOOPBACK)
        assert await run(on_sqlite, alice, "fn/rate", url=address) == [200, True, 7.46, '{"rate": 7.46}', None]
        assert b"evil.example" not in got[0]
        assert b"x-mine: yes" in got[0].lower()
        assert got[0].endswith(b'{"of": "EUR"}')
        assert (await run(on_sqlite, alice, "fn/rate", url=f"{address}/away"))[0] == 302  # and it is not gone after
        assert len(got) == 2
        await on_sqlite.egress.close()
        on_sqlite.egress = Broker(resolver=Rebinding(["127.0.0.1"]))
        port = address.rsplit(":", 1)[1]
        assert "not on the public Internet" in (await fault(on_sqlite, alice, "fn/rate", url=f"https://rebind.example.com:{port}/")).message
        assert len(got) == 2
