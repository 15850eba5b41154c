"""Values: made, minted, sent, burnt, looked at; on each engine."""

from __future__ import annotations

import asyncio

import pytest

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.money import values
from ocean.store import ledger
from tests.core.test_money import BAD
from tests.money.test_ledger import code


@pytest.fixture
async def gold(ocean: Ocean, alice: Caller) -> Ocean:
    await values.create(ocean, alice, id="gold", name="Gold", symbol="GLD", max_supply=1000)
    await values.mint(ocean, alice, currency="gold", amount=500)
    return ocean


async def test_the_sender_pays_the_fee_on_top(gold: Ocean, alice: Caller, bob: Caller) -> None:
    told = await values.transfer(gold, alice, currency="gold", amount=100, to=str(bob.key))
    assert (told["transferred"], told["fee"], told["paid"], told["balance"]) == (100, 1, 101, 399)
    assert (await values.balance(gold, bob, currency="gold"))["balance"] == 100
    assert (await values.burn(gold, bob, currency="gold", amount=40))["supply"] == 460
    assert await values.supply(gold, bob, currency="gold") == {"currency": "gold", "supply": 460, "max_supply": 1000}
    held = (await values.holders(gold, bob, currency="gold"))["holders"]
    assert [one["balance"] for one in held] == [399, 60, 1]
    lines = (await values.lines(gold, bob, id="gold"))["entries"]
    assert [(line["type"], line["amount"], line["fee"]) for line in lines] == [("burn", 40, 0), ("transfer", 100, 1), ("mint", 500, 0)]
    assert "to" not in lines[0]
    assert "from" not in lines[2]
    assert await ledger.faults(gold.engine) == []


async def test_nobody_mints_over_the_cap_though_many_try_at_once(gold: Ocean, alice: Caller) -> None:
    told = await asyncio.gather(*(values.mint(gold, alice, currency="gold", amount=200) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == 2
    assert {one.code for one in told if isinstance(one, OceanError)} == {"LIMIT_REACHED"}
    assert (await values.currency(gold, alice, id="gold"))["supply"] == 900


async def test_who_may_not(gold: Ocean, alice: Caller, bob: Caller) -> None:
    assert await code(values.mint(gold, bob, currency="gold", amount=1)) == "FORBIDDEN"
    assert await code(values.burn(gold, bob, currency="gold", amount=1)) == "INSUFFICIENT_BALANCE"
    assert await code(values.transfer(gold, alice, currency="gold", amount=500, to=str(bob.key))) == "INSUFFICIENT_BALANCE"  # and the fee
    assert await code(values.transfer(gold, alice, currency="gold", amount=5, to=str(alice.key))) == "INVALID_VALUE"
    assert await code(values.supply(gold, alice, currency="silver")) == "NOT_FOUND"
    assert await code(values.transfer(gold, alice, currency="gold", amount=5, to="@fees")) == "NOT_FOUND"
    for amount in BAD:
        for work in (values.mint, values.burn):
            assert await code(work(gold, alice, currency="gold", amount=amount)) == "INVALID_VALUE"  # type: ignore[operator]
        assert await code(values.transfer(gold, alice, currency="gold", amount=amount, to=str(bob.key))) == "INVALID_VALUE"


async def test_ids_and_symbols_are_one_key_s_alone(gold: Ocean, alice: Caller, bob: Caller) -> None:
    for who, id_, symbol in ((bob, "gold", "X"), (bob, "x", "GLD"), (alice, "gold", "GLD")):  # what was minted is not made anew
        assert await code(values.create(gold, who, id=id_, name="X", symbol=symbol)) == "CONFLICT"
    await values.create(gold, bob, id="tin", name="Tin", symbol="TIN")
    assert (await values.create(gold, bob, id="tin", name="Tin", symbol="TIN", decimals=2))["decimals"] == 2
    made = await asyncio.gather(
        *(values.create(gold, Caller(keys.generate().public), id="race", name="R", symbol="R") for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, dict) for one in made) == 1
    assert {one["id"] for one in (await values.currencies(gold, alice))["currencies"]} == {"gold", "tin", "race"}
    assert [one["id"] for one in (await values.currencies(gold, alice, creator=str(bob.key)))["currencies"]] == ["tin"]


async def test_a_private_value_goes_to_who_holds_it(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await values.create(ocean, alice, id="club", name="Club", symbol="CLB", scope="private")
    await values.mint(ocean, alice, currency="club", amount=100)
    assert await code(values.transfer(ocean, alice, currency="club", amount=5, to=str(bob.key))) == "FORBIDDEN"
    await values.mint(ocean, alice, currency="club", amount=5, to=str(bob.key))
    assert (await values.transfer(ocean, alice, currency="club", amount=5, to=str(bob.key)))["ok"]
    assert (await values.transfer(ocean, bob, currency="club", amount=5, to=str(alice.key)))["ok"]


async def test_a_name_that_is_no_key_is_said_to_be_none(gold: Ocean, alice: Caller) -> None:
    assert "no public key" in (await values.mint(gold, alice, currency="gold", amount=5, to="recipientKey"))["warning"]
    assert (await values.balance(gold, alice, currency="gold", holder="recipientKey"))["balance"] == 5
    for typo in (str(alice.key)[:-1], "a b", "osk_x", "alice@nowhere.example"):
        assert await code(values.transfer(gold, alice, currency="gold", amount=1, to=typo)) in (
            "INVALID_VALUE", "NOT_FOUND", "INVALID_CREDENTIAL",
        )  # fmt: skip
