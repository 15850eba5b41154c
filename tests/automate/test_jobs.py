"""Jobs, and functions that hooks call: what nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from ocean.context import Budget, Caller, Ocean
from ocean.core.money import HELD, IO
from ocean.errors import OceanError
from ocean.services.automate import jobs, keeping
from ocean.services.automate.keeping import Outcome
from ocean.services.data import records
from ocean.services.live import webhooks
from ocean.services.money import credits
from ocean.store import ledger, runs
from ocean.store.engine import Step, only
from ocean.store.reader import now
from ocean.store.runs import JOB, KEPT, RUNNING, Run
from tests.automate.running import do, function, run, until
from tests.automate.running import following as following_
from tests.services.searching import afloat


@pytest.fixture
async def following(ocean: Ocean) -> AsyncIterator[Ocean]:
    async with following_(ocean):
        yield ocean


async def over(ocean: Ocean, who: Caller, job: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        told = await do(ocean, who, f'status "{job}"')
        return told if told["status"] != "running" else None

    return dict(await until(look))


async def test_a_job_is_run_and_asked_about(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/long", "return {'got': request, 'big': 2 ** 70}")
    begun = await do(following, alice, 'run fn/long { data: "..." } async')
    assert begun["status"] == "running"
    told = await over(following, alice, begun["job_id"])
    assert (told["status"], told["result"]) == ("done", {"got": {"data": "..."}, "big": 2**70})
    for who, says in ((bob, "NOT_FOUND"), (Caller(None), "KEY_REQUIRED")):
        with pytest.raises(OceanError) as caught:
            await do(following, who, f'status "{begun["job_id"]}"')
        assert caught.value.code == says
    in_body = await do(following, alice, "run fn/long { async: true, data: 1 }")
    assert (await over(following, alice, in_body["job_id"]))["result"]["got"] == {"data": 1}


async def test_a_job_that_fails_says_why_and_costs_nothing(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/sold", "return 1 / request['by']", execute="public", price=10)
    await credits.grant(following, str(bob.key), 20)
    failed = await do(following, bob, "run fn/sold { by: 0 } async")
    told = await over(following, bob, failed["job_id"])
    assert (told["status"], told["error"]["code"]) == ("failed", "FUNCTION_ERROR")
    assert await credits.balance(following, str(bob.key)) == 20
    done = await do(following, bob, "run fn/sold { by: 4 } async")
    assert (await over(following, bob, done["job_id"]))["result"] == 0.25
    assert await credits.balance(following, str(bob.key)) == 10
    assert await ledger.balance_of(following.engine, IO, HELD) == 0


async def test_jobs_that_take_too_long_or_answer_too_much(following: Ocean, alice: Caller) -> None:
    following.settings = {**following.settings, "OCEAN_JOB_SECONDS": "1"}
    await function(following, alice, "fn/spin", "while True: pass")
    await function(following, alice, "fn/much", "return 'x' * (2 << 20)")
    found = [await over(following, alice, (await do(following, alice, f"run {name} async"))["job_id"]) for name in ("fn/spin", "fn/much")]
    assert [one["error"]["code"] for one in found] == ["FUNCTION_TIMEOUT", "FUNCTION_ERROR"]


async def test_one_caller_has_so_many_jobs_and_anyone_waits_for_none_of_them(following: Ocean, alice: Caller, monkeypatch: Any) -> None:
    monkeypatch.setattr(jobs, "MAX_OF_ONE", 3)
    following.settings = {**following.settings, "OCEAN_JOB_SECONDS": "1"}
    await function(following, alice, "fn/spin", "while True: pass")
    ids = [(await do(following, alice, "run fn/spin async"))["job_id"] for _ in range(3)]
    with pytest.raises(OceanError, match="wait or run"):
        await do(following, alice, "run fn/spin async")
    await asyncio.gather(*(over(following, alice, job) for job in ids))
    await do(following, alice, "run fn/spin async")


def kept(kind: str, id_: str, author: Caller, caller: Caller, due_at: int) -> Run:
    return Run(
        id_, "fn/x", str(author.key), str(caller.key), str(caller.key), kind, "{}", "", RUNNING, "", "", "", 500, None, 0, None,
        now() - 1000, due_at, None,
    )  # fmt: skip


async def test_what_ran_when_a_process_died_has_failed_and_is_paid_back(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 20)
    job = kept(JOB, "j1", alice, bob, 0)
    lost, just_now = kept(KEPT, "p1", alice, bob, now() - 60_000), kept(KEPT, "p2", alice, bob, now() + 60_000)
    for row in (job, lost, just_now):
        await keeping.begin(ocean, row)
    assert await credits.balance(ocean, str(bob.key)) == 5
    async with following_(ocean):
        told = await over(ocean, bob, "j1")
        assert (told["status"], "stopped" in told["error"]["message"]) == ("failed", True)

        async def paid_back() -> bool:
            return await credits.balance(ocean, str(bob.key)) == 15  # what runs in another process is its own affair

        assert await until(paid_back)
    row = await runs.run(ocean.engine, "p2")
    assert row is not None
    assert row.state == RUNNING
    for _ in range(2):  # once is enough
        await keeping.end(ocean, row, Outcome("1", 1))
    assert await credits.balance(ocean, str(alice.key)) == 4.95
    assert await ledger.faults(ocean.engine) == []


async def test_a_job_whose_end_could_not_be_written_is_ended_later(following: Ocean, alice: Caller, monkeypatch: Any) -> None:
    await function(following, alice, "fn/x", "return 1")
    right, failed = keeping.end, []

    async def end(*args: Any) -> None:
        if not failed:
            failed.append(1)
            raise OSError("disk is full")
        await right(*args)

    monkeypatch.setattr(keeping, "end", end)
    job = (await do(following, alice, "run fn/x async"))["job_id"]
    assert (await over(following, alice, job))["status"] == "failed"


async def test_a_process_that_lost_the_lease_runs_no_jobs(ocean: Ocean, alice: Caller) -> None:
    async with afloat(ocean):
        await function(ocean, alice, "fn/long", "import time\nocean.write('began', 1)\ntime.sleep(60)")
        one, other = jobs.Jobs(ocean), jobs.Jobs(ocean)
        job = (await do(ocean, alice, "run fn/long async"))["job_id"]
        await one.step()

        async def began() -> bool:
            return bool((await do(ocean, alice, "find began"))["count"])

        await until(began)
        await ocean.engine.transact(only(Step("UPDATE lease SET holder = 'other', until = ? WHERE name = 'jobs'", [(2**60,)])))
        one._tenure._lease = None  # it looks anew
        await one.step()

        async def ended() -> bool:
            await one.step()
            return not one._running

        await until(ended)
        assert (await over(ocean, alice, job))["status"] == "failed"
        await one.close()
        await other.close()


async def test_a_paid_function_that_a_job_calls_is_paid(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/sold", "return 'goods'", execute="public", price=10)
    await function(following, bob, "fn-of-bob", "return ocean.run('fn/sold')")
    await credits.grant(following, str(bob.key), 20)
    job = (await do(following, bob, "run fn-of-bob async"))["job_id"]
    assert (await over(following, bob, job))["result"] == "goods"
    assert await credits.balance(following, str(bob.key)) == 10


async def test_a_job_whose_function_came_to_be_anothers_is_not_run(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    async with afloat(ocean):
        await do(ocean, alice, f"save team/x @seed 1; share team with @{bob.key}")
        await function(ocean, alice, "team/fn", "return 1", execute="public")
        job = (await do(ocean, alice, "run team/fn async"))["job_id"]
        await function(ocean, bob, "team/fn", "return 2", execute="public")
        await records.remove(ocean, alice, route="team/fn", key="_config")
        await records.save(ocean, bob, route="team/fn", key="_config", payload={"execute": "public"})
    async with following_(ocean):
        assert "another author" in (await over(ocean, alice, job))["error"]["message"]


async def test_what_fails_in_anothers_job_is_told_to_the_author(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/x", "print('here')\nreturn 1 / 0", execute="public")
    job = (await do(following, bob, "run fn/x async"))["job_id"]
    assert "division" not in str(await over(following, bob, job))
    (told,) = (await do(following, alice, "status fn/x"))["function"]["failures"]
    assert (told["message"], told["printed"]) == ("ZeroDivisionError: division by zero", "here\n")


async def test_jobs_that_wait_survive_a_restart(ocean: Ocean, alice: Caller) -> None:
    async with afloat(ocean):
        await function(ocean, alice, "fn/x", "return request['n']")
        ids = [(await do(ocean, alice, f"run fn/x {{ n: {n} }} async"))["job_id"] for n in range(5)]
    async with following_(ocean):
        assert [(await over(ocean, alice, job))["result"] for job in ids] == [0, 1, 2, 3, 4]


async def test_a_hook_calls_a_function_here_without_leaving_the_process(following: Ocean, alice: Caller, bob: Caller) -> None:
    """The seed's connection: what Stripe sends is kept, and a handler is called with it."""
    await do(following, alice, 'save _integrations @my-stripe type: "stripe" active: true')
    code = "def main(ocean, request):\n    event = json.loads(request['body'])\n    ocean.write('stripe/charges', event['id'], event)"
    await records.save(following, alice, route="my-app/stripe-handler", key="main", payload=code)
    api = "http://127.0.0.1:8000"
    hook = await do(following, alice, f'when _webhooks/my-stripe changes call "{api}/run/my-app/stripe-handler"')
    assert hook["url"] == "/run/my-app/stripe-handler"
    await webhooks.receive(following, name="my-stripe", headers={}, body=b'{"id": "evt_1", "amount": 5}')

    async def charged() -> Any:
        found = await do(following, alice, "find stripe/charges")
        return found["results"]

    assert [(r["key"], r["payload"]["amount"]) for r in await until(charged)] == [("evt_1", 5)]

    async def told() -> Any:
        found = (await do(following, alice, f'webhook deliveries "{hook["id"]}"'))["deliveries"]
        return [one["status"] for one in found if one["state"] == "done"]

    assert await until(told) == [200]
    with pytest.raises(OceanError):
        await do(following, bob, 'when my-app changes call "/run/my-app/../x"')


async def test_a_hook_of_another_runs_no_function_as_its_author(following: Ocean, alice: Caller, bob: Caller) -> None:
    await do(following, alice, "save open/x @seed 1")
    await do(following, alice, f"share open/x with @{bob.key}")
    await function(following, alice, "fn/mine", "return 1")
    hook = await do(following, bob, 'when open/x changes call "/run/fn/mine"')
    await do(following, alice, "save open/x @a 1")

    async def told() -> Any:
        found = (await do(following, bob, f'webhook deliveries "{hook["id"]}"'))["deliveries"]
        return [one for one in found if one["state"] == "failed"]

    (one,) = await until(told)
    assert one["status"] in (403, 404)


async def test_a_function_that_calls_itself_by_what_it_writes_is_ended(following: Ocean, alice: Caller) -> None:
    await function(following, alice, "fn/again", "ocean.write('looped', {'n': request.get('n', 0) + 1})")
    await do(following, alice, "save looped n: 0")
    hook = await do(following, alice, 'when looped changes call "/run/fn/again"')
    await do(following, alice, "save looped n: 1")

    async def ended() -> Any:
        found = (await do(following, alice, f'webhook deliveries "{hook["id"]}"'))["deliveries"]
        return [one for one in found if one["state"] == "failed"]

    (one,) = await until(ended)
    assert "loop" in one["error"]
    assert (await do(following, alice, "find looped then count"))["count"] == 11


async def test_then_call_reaches_a_function_too(following: Ocean, alice: Caller) -> None:
    await do(following, alice, "save users @a age: 1; save users @b age: 2")
    await function(following, alice, "fn/each", "ocean.write('aged', {'age': request['age']}, request['_event']['data']['key'])")
    await do(following, alice, 'find users then call "/run/fn/each"')

    async def both() -> Any:
        found = await do(following, alice, "find aged")
        return found["count"] == 2

    assert await until(both)


@pytest.mark.parametrize("again", ["run fn/again async", "find seed then call '/run/fn/again'"])
async def test_a_function_that_queues_itself_is_ended(following: Ocean, alice: Caller, again: str) -> None:
    await do(following, alice, "save seed @x 1")
    await function(following, alice, "fn/again", f"ocean.write('seen', 1)\nocean.exec({again!r})")
    await run(following, alice, "fn/again")

    async def ended() -> Any:
        return (await do(following, alice, "status fn/again"))["function"]["failures"]

    (told,) = await until(ended)
    assert "loop" in told["message"]
    assert (await do(following, alice, "find seen then count"))["count"] == 9


async def test_hooks_pay_for_nothing_and_what_they_call_tells_its_author(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/sold", "return 1", execute="public", price=10)
    await credits.grant(following, str(bob.key), 20)
    await do(following, bob, "save mine @seed 1")
    hook = await do(following, bob, 'when mine changes call "/run/fn/sold"')
    await do(following, bob, "save mine @x 1")

    async def told() -> Any:
        found = (await do(following, bob, f'webhook deliveries "{hook["id"]}"'))["deliveries"]
        return [one for one in found if one["state"] == "failed"]

    (one,) = await until(told)
    assert "spend nothing" in one["error"] or "may spend 0" in one["error"]
    assert await credits.balance(following, str(bob.key)) == 20
    for url in ("fn/sold", "run fn/sold", "/rn/fn/sold"):
        with pytest.raises(OceanError) as caught:
            await do(following, bob, f'when mine changes call "{url}"')
        assert "/run/fn/hello" in str(caught.value.hint)
    with pytest.raises(OceanError, match="signature"):
        await do(following, bob, 'when mine changes call "/run/fn/sold" secret "x"')


async def test_a_job_spends_no_more_than_its_request_may(following: Ocean, alice: Caller, bob: Caller) -> None:
    await function(following, alice, "fn/sold", "return 1", execute="public", price=2)
    await function(following, bob, "mine/fn", "return ocean.run('fn/sold')")
    await credits.grant(following, str(bob.key), 20)
    none = replace(bob, budget=Budget(0))
    told = await over(following, bob, (await do(following, none, "run mine/fn async"))["job_id"])
    assert told["error"]["code"] in ("FUNCTION_ERROR", "RATE_LIMITED")
    assert await credits.balance(following, str(bob.key)) == 20
