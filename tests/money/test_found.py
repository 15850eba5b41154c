"""What fresh eyes found in accounts and money, each named after what broke; on each engine."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Budget, Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.access import accounts, claims, people, scoped
from ocean.services.access.identity import key_of
from ocean.services.live.hub import Hub
from ocean.services.live.streams import Ended, Event, follow
from ocean.services.money import credits, purchases, values
from ocean.services.pages import deploys, previews
from ocean.store import ledger
from tests.accounts.test_accounts import NOBODY, signed_in, token_for
from tests.accounts.test_keys import say, scoped_of
from tests.money.test_ledger import code


async def test_a_preview_with_a_number_of_any_size_stops_no_stream(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    hub, heard = Hub(ocean), asyncio.Event()

    async def listen(route: str, wanted: int) -> list[str]:
        found: list[str] = []
        async for item in follow(ocean, hub, bob, route):
            if isinstance(item, Event):
                found.append(item.data.decode())
                if len(found) == wanted:
                    break
            else:
                heard.set()
        return found

    listening = asyncio.create_task(listen("r", 2))
    await heard.wait()
    await execute(ocean, alice, parse(f'save r @p {{ "_preview": {"9" * 30} }} price 1'))
    await say(ocean, alice, "save r @q 2")
    priced, plain = await asyncio.wait_for(listening, 10)
    await hub.close()
    assert "9" * 30 in priced
    assert '"payload":2' in plain
    stub = await say(ocean, bob, "get r @p")
    assert stub["_gated"]


async def test_who_may_not_read_a_record_learns_nothing_of_it_by_a_pattern(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, 'save r @o { pin: 7351, name: "Zed" } price 5')
    await ocean.log.append(_granted(alice, bob))
    await say(ocean, bob, 'define probe fields { pin: "text required", never: "text required" }')
    assert await code(say(ocean, bob, 'update r @o pattern: "probe"')) == "FORBIDDEN"
    await say(ocean, alice, 'define "r" fields { pin: "number", name: "text" }')
    with pytest.raises(OceanError) as caught:
        await say(ocean, bob, "update r @o name: 5")
    assert caught.value.code == "SCHEMA_VIOLATION"
    assert "name" not in str(caught.value.body())
    drops = await scoped_of(ocean, alice, routes=["r"], permissions=["drop"])
    await say(ocean, alice, "save r @own { pin: 1 }")
    with pytest.raises(OceanError) as caught:
        await say(ocean, drops, 'update r @own pin: "x"')
    assert caught.value.code == "SCHEMA_VIOLATION"


def _granted(owner: Caller, other: Caller) -> Any:
    from ocean.core.changes import Op
    from ocean.core.grants import grant
    from ocean.store.batch import Write

    return Write([Op("access", "r", alter=grant("r", str(owner.key), str(other.key), "shared", ("drop",)))], str(owner.key))


async def test_a_cap_holds_though_the_value_is_made_anew_beside_a_mint(ocean: Ocean, alice: Caller) -> None:
    for i in range(10):
        id_ = f"v{i}"
        await values.create(ocean, alice, id=id_, name="V", symbol=f"V{i}")
        again = values.create(ocean, alice, id=id_, name="V", symbol=f"V{i}", max_supply=10)
        mints = [values.mint(ocean, alice, currency=id_, amount=1000) for _ in range(2)]
        await asyncio.gather(*((again, *mints) if i % 2 else (*mints, again)), return_exceptions=True)
        told = await values.supply(ocean, alice, currency=id_)
        assert told["max_supply"] is None or told["supply"] <= told["max_supply"], told


async def test_a_preview_of_a_site_is_no_way_around_a_price(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    text = "<p>what costs something</p>"
    await say(ocean, alice, f'save site @p "{text}" price 5; share site with @{bob.key} mode protected')
    known = {"p": {"sha256": hashlib.sha256(text.encode()).hexdigest(), "size": len(text)}}
    assert await code(previews.preview(ocean, bob, route="site", files=known)) == "CONFLICT"
    assert (await deploys.plan(ocean, bob, route="site", files=known))["keep"] == 0
    assert (await deploys.plan(ocean, alice, route="site", files=known))["keep"] == 1


async def test_a_profile_is_read_as_it_was_said_whatever_its_numbers(ocean: Ocean) -> None:
    one = await signed_in(ocean)
    large = {"a": int("9" * 400), "b": 10**20}
    assert (await accounts.change(ocean, one, profile=large))["profile"] == large
    assert (await accounts.me(ocean, one))["profile"] == large


async def test_two_links_of_one_new_address_used_at_once_give_one_key(ocean: Ocean) -> None:
    for i in range(5):
        tokens = [await token_for(ocean, f"new{i}@example.com") for _ in range(2)]
        told = await asyncio.gather(*(accounts.verify(ocean, NOBODY, token=token) for token in tokens))
        assert told[0]["key"] == told[1]["key"]


async def test_nobody_is_locked_out_by_who_asks_for_their_links_from_elsewhere(ocean: Ocean) -> None:
    for _ in range(5):
        await accounts.login(ocean, Caller(None, "198.51.100.1"), email="a@example.com")
    assert await code(accounts.login(ocean, Caller(None, "198.51.100.1"), email="a@example.com")) == "AUTH_RATE_LIMITED"
    assert await accounts.login(ocean, NOBODY, email="a@example.com") == {"sent": True}


async def test_a_scoped_key_leaves_no_folder_open_for_good_and_makes_no_trust(ocean: Ocean, alice: Caller) -> None:
    drops = await scoped_of(ocean, alice, routes=["fresh", "trust"], permissions=["drop", "entity"])
    assert await code(say(ocean, drops, "write public fresh @a 1")) == "FORBIDDEN"
    assert await code(say(ocean, drops, "save trust/fresh keys: ()")) == "FORBIDDEN"
    await say(ocean, drops, "save fresh @a 1")


async def test_a_scoped_key_is_not_answered_with_what_its_owner_was(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save mine @a 1; share mine with @x mode shared")
    narrow = await scoped_of(ocean, alice, routes=["other"], permissions=["drop"])
    once = {"idempotency": "k", "request_digest": "d"}
    await say(ocean, replace(alice, **once), "save mine @b 2")
    assert await code(say(ocean, replace(narrow, **once), "save mine @b 2")) == "FORBIDDEN"


async def test_a_scoped_key_spends_no_io(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 10)
    await say(ocean, bob, "save feed @now 1 price_per_read 1")
    reads = await scoped_of(ocean, alice, routes=["feed"])
    assert (await say(ocean, replace(reads, budget=Budget(500)), "get feed @now"))["_gated"]
    assert await credits.balance(ocean, str(alice.key)) == 10


async def test_a_stream_of_a_scoped_key_ends_soon_though_nothing_comes(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save mine @a 1")
    made, hub = await scoped.make(ocean, alice, routes=["mine"]), Hub(ocean)
    who = Caller(await key_of(ocean, made["secret"]))

    async def end() -> str:
        async for item in follow(ocean, hub, who, "mine"):
            if isinstance(item, Ended):
                return item.code
        return ""

    listening = asyncio.create_task(end())
    while not hub.count:
        await asyncio.sleep(0)
    await scoped.revoke(ocean, alice, id=made["id"])
    assert await asyncio.wait_for(listening, 5) == "FORBIDDEN"
    await hub.close()


async def test_no_answer_to_an_address_has_a_key_in_it(ocean: Ocean, alice: Caller) -> None:
    one = await signed_in(ocean, "zoe@example.com")
    await credits.grant(ocean, str(alice.key), 100)
    await values.create(ocean, alice, id="gold", name="Gold", symbol="GLD")
    told = [
        await values.mint(ocean, alice, currency="gold", amount=100, to="zoe@example.com"),
        await values.mint(ocean, alice, currency="gold", amount=100),
        await values.transfer(ocean, alice, currency="gold", amount=10, to="zoe@example.com"),
        await credits.send(ocean, alice, to="zoe@example.com", amount=10),
        await values.holders(ocean, alice, currency="gold"), await values.lines(ocean, alice, id="gold"),
        await credits.lines(ocean, alice), await people.profile(ocean, NOBODY, who=(await accounts.me(ocean, one))["public_id"]),
    ]  # fmt: skip
    assert str(one.key) not in str(told)
    assert await code(values.balance(ocean, NOBODY, currency="gold", holder="zoe@example.com")) == "INVALID_VALUE"
    assert await code(values.currencies(ocean, NOBODY, creator="zoe@example.com")) == "INVALID_VALUE"
    device = keys.generate()
    await claims.claim(ocean, alice, key=device.secret)
    assert await code(claims.transfer(ocean, alice, key=device.public, to="zoe@example.com")) == "INVALID_VALUE"


@pytest.mark.parametrize("name", ["@support", "@admin", "@nobody", "@!", "@0123456789ab"])
async def test_who_looks_for_a_name_that_nobody_has_is_told_so(ocean: Ocean, alice: Caller, name: str) -> None:
    assert await code(credits.send(ocean, alice, to=name, amount=1)) == "NOT_FOUND"


async def test_a_refund_takes_the_fee_from_where_it_went(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    house, next_house = keys.generate().public, keys.generate().public
    ocean.settings = {**ocean.settings, "OCEAN_FEES_TO": house}
    await credits.grant(ocean, str(bob.key), 100)
    drop = await say(ocean, alice, "save shop @a 1 price 10")
    sale = (await purchases.purchase(ocean, bob, drop_id=drop["drop_id"]))["txn_id"]
    ocean.settings = {**ocean.settings, "OCEAN_FEES_TO": next_house}
    told = await credits.lines(ocean, Caller(house))
    assert [(line["type"], line["amount"], line["to_bal"], "about" in line) for line in told["entries"]] == [("fee", 0.1, 0.1, False)]
    await credits.send(ocean, alice, to=str(bob.key), amount=1)
    await credits.grant(ocean, str(alice.key), 10)
    assert (await purchases.refund(ocean, alice, id=sale))["refunded"] == 10
    assert (await credits.balance(ocean, house), await credits.balance(ocean, next_house)) == (0, 0.01)
    assert await ledger.faults(ocean.engine) == []


async def test_a_reading_sent_twice_with_one_idempotency_key_is_paid_once(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 10)
    await say(ocean, alice, "save feed @now 1 price_per_read 2; save feed @dear 1 price_per_read 9; save feed @cheap 1 price_per_read 1")
    keyed = replace(bob, idempotency="k", request_digest="d")
    for _ in range(3):
        assert (await say(ocean, replace(keyed, budget=Budget(500)), "get feed @now"))["payload"] == 1
    assert await credits.balance(ocean, str(bob.key)) == 8
    one = replace(bob, budget=Budget(1000))
    told = (await say(ocean, one, "get feed @dear; get feed @cheap"))["results"]
    assert ["_gated" in record for record in told] == [True, False]  # what could not be paid leaves the budget as it was


async def test_who_holds_a_record_is_told_so_though_it_costs_something_else_by_now(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 10)
    drop = (await say(ocean, alice, "save shop @a 1 price 2"))["drop_id"]
    await purchases.purchase(ocean, bob, drop_id=drop)
    await say(ocean, alice, "save shop @a 2 price 9")
    assert (await purchases.purchase(ocean, bob, drop_id=drop))["already"]
    await say(ocean, alice, "remove shop @a")
    assert await code(purchases.offer(ocean, bob, drop_id=drop)) == "NOT_FOUND"


async def test_a_letter_that_looks_like_another_is_no_way_into_its_account(ocean: Ocean) -> None:
    assert await code(accounts.login(ocean, NOBODY, email="\u212a@example.com")) == "INVALID_EMAIL"
    assert (await signed_in(ocean, "a@B\u00fccher.example")).key == (await signed_in(ocean, "a@xn--bcher-kva.example")).key


async def test_who_takes_a_price_away_by_saving_is_told_so(ocean: Ocean, alice: Caller) -> None:
    assert "warning" not in await say(ocean, alice, "save shop @a 1 price 2")
    assert "warning" not in await say(ocean, alice, "save shop @a 2 price 3")
    assert "costs nothing" in (await say(ocean, alice, "save shop @a 3"))["warning"]
    assert "warning" not in await say(ocean, alice, "save shop @a 4")


async def test_a_price_is_its_owner_s_to_say(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, f'save sh @it text: "whole" price 50; share sh with @{bob.key} mode shared')
    for price in ("price 0.01", "price_per_read 1", "price 51"):
        assert await code(say(ocean, bob, f"save sh @it x: 1 {price}")) == "FORBIDDEN"
    assert (await say(ocean, bob, "save sh @it x: 1"))["price"] == 50
    assert (await say(ocean, bob, "save sh @it x: 2 price 50"))["price"] == 50
    assert "_gated" in await say(ocean, bob, "get sh @it")
    await say(ocean, alice, "remove sh @it")
    assert await code(say(ocean, bob, "save sh @it x: 3 price 1")) == "FORBIDDEN"
    assert "price" not in await say(ocean, bob, "save sh @it x: 3")
    await say(ocean, alice, "write public sq @z 1")
    await say(ocean, bob, 'save sq @article "x"')
    assert await code(say(ocean, alice, 'save sq @article text: "mine" price 50')) == "FORBIDDEN"  # what it earned would be another's


async def test_a_rollback_by_a_guest_changes_no_price(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    first = await say(ocean, alice, 'save site @p "old" price 1')
    await asyncio.sleep(0.002)  # the next moment
    await say(ocean, alice, f'save site @p "new" price 50; share site with @{bob.key} mode protected')
    await deploys.rollback(ocean, bob, route="site", to=first["created_at"])
    assert (await say(ocean, alice, "get site @p")) | {"drop_id": "", "created_at": "", "source": ""} == {
        "drop_id": "", "route": "site", "key": "p", "payload": "old", "source": "", "created_at": "", "version": 3, "price": 50,
    }  # fmt: skip


async def test_an_idempotency_key_pays_for_one_version_and_no_other(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(bob.key), 10)
    keyed = replace(bob, idempotency="z", request_digest="d")
    for i in range(3):
        await say(ocean, alice, f"save feed @t {i} price_per_read 2")
        for _ in range(2):
            assert (await say(ocean, replace(keyed, budget=Budget(200)), "get feed @t"))["payload"] == i
    assert await credits.balance(ocean, str(bob.key)) == 4


async def test_one_idempotency_key_at_the_log_and_at_the_ledger_is_no_fault_of_ours(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await credits.grant(ocean, str(alice.key), 1000)
    drops = [(await say(ocean, bob, f"save shop @k{i} 1 price 1"))["drop_id"] for i in range(40)]
    work: list[Any] = []
    for i, drop in enumerate(drops):
        keyed = replace(alice, idempotency=f"k{i}", request_digest="d")
        work += [credits.send(ocean, keyed, to=str(bob.key), amount=1), execute(ocean, keyed, parse(f"save mine @k{i} 1"))]
        work.append(purchases.purchase(ocean, alice, drop_id=drop))
    told = await asyncio.gather(*work, return_exceptions=True)
    assert [one for one in told if not isinstance(one, dict)] == []


async def test_who_may_not_read_a_record_is_not_told_what_it_is(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, 'save r @o "a text" price 5')
    await ocean.log.append(_granted(alice, bob))
    with pytest.raises(OceanError) as caught:
        await say(ocean, bob, "update r @o a: 1")
    assert "object" not in str(caught.value.body())
