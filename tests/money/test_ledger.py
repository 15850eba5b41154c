"""The ledger: exact, whoever asks side by side, and however often; on each engine."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.money import FEES, IO
from ocean.errors import OceanError
from ocean.services.access import people
from ocean.services.money import credits, values
from ocean.store import ledger
from tests.core.test_money import BAD


async def code(work: Any) -> str:
    with pytest.raises(OceanError) as caught:
        await work
    return caught.value.code


async def test_what_is_sent_arrives_less_the_fee(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 950)
    told = await credits.send(ocean, alice, to=str(bob.key), amount=100)
    assert (told["sent"], told["fee"], told["net"], told["remaining"]) == (100, 1, 99, 850)
    assert (await credits.balance(ocean, str(alice.key)), await credits.balance(ocean, str(bob.key))) == (850, 99)
    assert await ledger.balance_of(ocean.engine, IO, FEES) == 100
    mine, theirs = await credits.lines(ocean, alice), await credits.lines(ocean, bob)
    assert [(e["type"], e["from"], e["to"]) for e in mine["entries"]] == [("transfer", "you", bob.key), ("grant", "issue", "you")]
    assert mine["entries"][0]["amount"] == mine["entries"][0]["fee"] + mine["entries"][0]["net"]
    assert mine["entries"][0]["from_bal"] == 850
    assert "to_bal" not in mine["entries"][0]  # what another has is theirs to know
    assert [(e["from"], e["to"], e["to_bal"]) for e in theirs["entries"]] == [(alice.key, "you", 99)]
    assert await ledger.faults(ocean.engine) == []


async def test_fees_go_where_the_operator_says(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    house = keys.generate().public
    ocean.settings = {**ocean.settings, "OCEAN_FEES_TO": house, "OCEAN_IO_FEE": "2.5"}
    await credits.grant(ocean, str(alice.key), 100)
    await credits.send(ocean, alice, to=str(bob.key), amount=100)
    assert (await credits.balance(ocean, house), await credits.balance(ocean, str(bob.key))) == (2.5, 97.5)


async def test_nobody_sends_what_they_have_not_or_to_themselves_or_to_nobody(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 10)
    assert await code(credits.send(ocean, alice, to=str(bob.key), amount=11)) == "RATE_LIMITED"
    assert await code(credits.send(ocean, alice, to=str(alice.key), amount=1)) == "INVALID_VALUE"
    assert await code(credits.send(ocean, alice, to="@nobody1", amount=1)) == "NOT_FOUND"
    assert await code(credits.send(ocean, alice, to="nobody@example.com", amount=1)) == "NOT_FOUND"
    assert await code(credits.send(ocean, alice, to="0123456789ab", amount=1)) == "NOT_FOUND"
    for nobody in ("bobby", "@fees", FEES, "", "osk_" + "x" * 43):
        assert await code(credits.send(ocean, alice, to=nobody, amount=1)) in ("INVALID_VALUE", "INVALID_CREDENTIAL", "NOT_FOUND")
    assert await code(credits.send(ocean, Caller(None), to=str(bob.key), amount=1)) == "KEY_REQUIRED"
    assert await credits.balance(ocean, str(alice.key)) == 10


@pytest.mark.parametrize("amount", BAD, ids=repr)
async def test_bad_amounts_move_nothing(ocean: Ocean, alice: Caller, bob: Caller, amount: Any) -> None:
    await credits.grant(ocean, str(alice.key), 10)
    assert await code(credits.send(ocean, alice, to=str(bob.key), amount=amount)) == "INVALID_VALUE"
    assert await credits.balance(ocean, str(alice.key)) == 10


async def test_ten_thousand_bad_amounts_move_nothing(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 10)
    chance = random.Random(3)
    makers = (
        lambda: -chance.randrange(2**70), lambda: chance.random() * 10 ** chance.randrange(300), lambda: str(chance.randrange(10)),
        lambda: chance.random() < 0.5, lambda: 2**53 // 100 + chance.randrange(2**70), lambda: [chance.randrange(9)], lambda: None,
        lambda: 0,
    )  # fmt: skip
    for _ in range(10_000):
        assert await code(credits.send(ocean, alice, to=str(bob.key), amount=chance.choice(makers)())) == "INVALID_VALUE"
    assert len((await credits.lines(ocean, alice))["entries"]) == 1


async def test_of_two_who_spend_the_same_io_one_does(ocean: Ocean, alice: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 100)
    others = [keys.generate().public for _ in range(20)]
    told = await asyncio.gather(*(credits.send(ocean, alice, to=other, amount=60) for other in others), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == 1
    assert {one.code for one in told if isinstance(one, OceanError)} == {"RATE_LIMITED"}
    assert await credits.balance(ocean, str(alice.key)) == 40
    assert await ledger.faults(ocean.engine) == []


async def test_a_request_sent_ten_times_at_once_has_one_effect(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 1000)
    keyed = replace(alice, idempotency="k", request_digest="d")
    told = await asyncio.gather(*(credits.send(ocean, keyed, to=str(bob.key), amount=10) for _ in range(10)))
    assert all(one == told[0] for one in told)
    assert await credits.send(ocean, keyed, to=str(bob.key), amount=10) == told[0]
    assert await credits.balance(ocean, str(bob.key)) == 9.9
    other = replace(alice, idempotency="k", request_digest="e")
    assert await code(credits.send(ocean, other, to=str(bob.key), amount=11)) == "CONFLICT"


async def test_what_was_refused_is_not_the_answer_for_good(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    keyed = replace(alice, idempotency="k", request_digest="d")
    assert await code(credits.send(ocean, keyed, to=str(bob.key), amount=10)) == "RATE_LIMITED"
    await credits.grant(ocean, str(alice.key), 10)
    assert (await credits.send(ocean, keyed, to=str(bob.key), amount=10))["remaining"] == 0


async def test_a_move_that_fails_late_takes_back_what_it_posted(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 10)

    def course(book: ledger.Book) -> ledger.Course:
        yield from book.post(ledger.Transfer("transfer", IO, str(alice.key), str(bob.key), 500))
        raise ValueError("after it has posted")

    moves = [ledger.Move(course), ledger.Move(lambda book: _sent(book, str(alice.key), str(bob.key)))]
    told = await asyncio.gather(*(ocean.ledger.append(move) for move in moves), return_exceptions=True)
    assert isinstance(told[0], ValueError)
    assert told[1] == {"left": 0}
    assert await credits.balance(ocean, str(bob.key)) == 10
    assert await ledger.faults(ocean.engine) == []


def _sent(book: ledger.Book, payer: str, payee: str) -> ledger.Course:
    posted = yield from book.post(ledger.Transfer("transfer", IO, payer, payee, 1000))
    return {"left": posted.left}


async def _story(ocean: Ocean, seed: int, cast: list[Caller], steps: int) -> list[Any]:
    """Random moves, one after another; what each came to."""
    chance = random.Random(seed)
    came: list[Any] = []
    for _ in range(steps):
        who, other = chance.sample(cast, 2)
        kind, amount = chance.choice(["send", "mint", "transfer", "burn"]), chance.choice([1, 2, 5, 50, 400])
        try:
            told = await _step(ocean, kind, cast[0] if kind == "mint" else who, str(other.key), amount)
            came.append((kind, told.get("remaining"), told.get("balance"), told.get("supply")))
        except OceanError as fault:
            came.append((kind, fault.code))
    return came


async def _step(ocean: Ocean, kind: str, who: Caller, to: str, amount: int) -> dict[str, Any]:
    if kind == "send":
        return await credits.send(ocean, who, to=to, amount=amount)
    if kind == "burn":
        return await values.burn(ocean, who, currency="gold", amount=amount)
    return await (values.mint if kind == "mint" else values.transfer)(ocean, who, currency="gold", amount=amount, to=to)


async def test_the_same_story_makes_the_same_ledger_and_every_sum_is_exact(ocean: Ocean) -> None:
    tales = []
    for _ in range(2):
        cast = [Caller(keys.generate().public) for _ in range(5)]
        await ocean.log.transact(_forgotten())
        await values.create(ocean, cast[0], id="gold", name="Gold", symbol="GLD", max_supply=5000)
        for one in cast:
            await credits.grant(ocean, str(one.key), 500)
        came = await _story(ocean, 7, cast, 250)
        assert await ledger.faults(ocean.engine) == []
        holdings = [await ledger.balance_of(ocean.engine, c, str(one.key)) for one in cast for c in (IO, "gold")]
        tales.append((came, holdings))
        assert all(amount >= 0 for amount in holdings)
    assert tales[0] == tales[1]
    assert {one[0] for one in tales[0][0]} == {"send", "mint", "transfer", "burn"}


def _forgotten() -> Any:
    for table in ("transfer", "posting", "balance", "currency"):
        yield ledger.Step(f"DELETE FROM {table}", [()])


async def test_people_are_called_by_what_others_may_know(ocean: Ocean, alice: Caller) -> None:
    assert await people.named(ocean, [str(alice.key)]) == {alice.key: alice.key}
    assert people.told("k", "@al") == {"handle": "@al"}
    assert people.told("k", "0123456789ab") == {"public_id": "0123456789ab"}


async def test_a_page_of_the_ledger_has_bounds(ocean: Ocean, alice: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 1)
    await credits.grant(ocean, str(alice.key), 2)
    assert [e["amount"] for e in (await credits.lines(ocean, alice, limit=1, offset=1))["entries"]] == [1]
    for limit, offset in ((0, 0), (1001, 0), (1, -1), (1, 10**9)):
        assert await code(credits.lines(ocean, alice, limit=limit, offset=offset)) == "INVALID_VALUE"
