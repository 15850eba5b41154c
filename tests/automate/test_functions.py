"""Functions: who may run what, as whom it acts, what it costs, and what is told of what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from ocean.context import Caller, Ocean
from ocean.core.access import Scoped
from ocean.core.money import HELD, IO
from ocean.errors import OceanError
from ocean.services.automate import functions
from ocean.services.data import records
from ocean.services.money import credits
from ocean.store import ledger
from tests.automate.running import do, fault, function, run
from tests.services.searching import afloat

NOBODY = Caller(None, "192.0.2.1")


@pytest.fixture
async def afloat_(ocean: Ocean) -> AsyncIterator[Ocean]:
    async with afloat(ocean):
        yield ocean


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
    assert await run(afloat_, bob, route) == ["open sesame", True]  # nothing of bob's is lent
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
        ("return {1}", "set is not JSON"),
        ("x = []\nfor _ in range(70): x = [x]\nreturn x", "nested deeper"),
        ("return '\\ud800'", "surrogates"),
        ("print('\\ud800')\nraise ValueError('\\ud800')", "ValueError"),
        ("import os\nos._exit(3)", "ended before it answered"),
        ("return 'x' * (11 << 20)", "10 MB"),
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
async def test_each_way_to_fail_is_told(afloat_: Ocean, alice: Caller, body: str, says: str) -> None:
    await function(afloat_, alice, "fn/x", body)
    found = await fault(afloat_, alice, "fn/x")
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


async def test_functions_in_functions_end(afloat_: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    await function(afloat_, alice, "fn/deep", "return ocean.run('fn/deep')")
    assert "wait for each other" in (await fault(afloat_, alice, "fn/deep")).message
    await function(afloat_, alice, "fn/exec", "return ocean.exec('run fn/exec')")
    assert "wait for each other" in (await fault(afloat_, alice, "fn/exec")).message
    monkeypatch.setattr(functions, "SECONDS", 1.0)
    await function(afloat_, alice, "fn/spin", "while True: pass")
    await function(afloat_, alice, "fn/outer", "try:\n    ocean.run('fn/spin')\nexcept OceanError: pass\nreturn 1")
    assert (await fault(afloat_, alice, "fn/outer")).code == "FUNCTION_TIMEOUT"


async def test_a_process_serves_one_function_and_keeps_what_it_made(afloat_: Ocean, alice: Caller, bob: Caller) -> None:
    code = "seen = []\ndef main(ocean, request):\n    seen.append(1)\n    return len(seen)"
    for route, who in (("fn/a", alice), ("bobs/a", bob)):
        await records.save(afloat_, who, route=route, key="main", payload=code)
    assert [await run(afloat_, alice, "fn/a") for _ in range(3)] == [1, 2, 3]
    assert await run(afloat_, bob, "bobs/a") == 1
    await records.save(afloat_, alice, route="fn/a", key="main", payload=code)  # a new version is another function
    assert await run(afloat_, alice, "fn/a") == 1


async def test_one_callers_functions_leave_places_for_others(afloat_: Ocean, alice: Caller, bob: Caller, monkeypatch: Any) -> None:
    monkeypatch.setattr(functions, "SECONDS", 3.0)
    await function(afloat_, alice, "fn/spin", "while True: pass", execute="public")
    await function(afloat_, bob, "bobs/quick", "return 1")
    spinning = [asyncio.get_running_loop().create_task(fault(afloat_, replace(NOBODY, ip=f"192.0.2.{i}"), "fn/spin")) for i in range(20)]
    await asyncio.sleep(0)
    assert await run(afloat_, bob, "bobs/quick") == 1
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


async def test_a_server_that_runs_none_says_so(afloat_: Ocean, alice: Caller) -> None:
    await function(afloat_, alice, "fn/x", "return 1")
    afloat_.settings = {**afloat_.settings, "OCEAN_FUNCTIONS": "false"}
    found = await fault(afloat_, alice, "fn/x")
    assert (found.code, found.status) == ("NOT_AVAILABLE", 503)
