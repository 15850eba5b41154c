"""Sign-in by mail: one link, one use, one winner; nobody is told who has an account; on each engine."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import orjson
import pytest

from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.pace import Paces
from ocean.services.access import accounts, people
from ocean.services.access.identity import whoami
from ocean.services.mail import outbox
from ocean.services.money import credits
from ocean.store import passes
from ocean.store.passes import Pass
from ocean.store.reader import now
from tests.money.test_ledger import code

NOBODY = Caller(None, "192.0.2.1")


async def letters(ocean: Ocean) -> list[dict[str, Any]]:
    return await outbox.read(ocean.master, ocean.engine)


async def token_for(ocean: Ocean, email: str = "alice@example.com", **more: str) -> str:
    await accounts.login(ocean, NOBODY, email=email, **more)
    found = re.search(r"token=(\S+)", (await letters(ocean))[0]["body"])
    assert found is not None
    return found[1]


async def signed_in(ocean: Ocean, email: str = "alice@example.com", **more: str) -> Caller:
    told = await accounts.verify(ocean, NOBODY, token=await token_for(ocean, email, **more))
    return Caller(keys.public_of(told["key"]))


async def test_a_link_gives_the_key_of_its_address_whenever_it_is_asked_for(ocean: Ocean) -> None:
    first, again = await signed_in(ocean, "Alice@Example.com"), await signed_in(ocean)
    assert first.key == again.key
    me = await accounts.me(ocean, first)
    assert (me["email"], me["key"], me["tier"]) == ("alice@example.com", first.key, "authenticated")
    assert re.fullmatch(r"[0-9a-f]{12}", me["public_id"])
    assert (await signed_in(ocean, "bob@example.com")).key != first.key


async def test_of_fifty_who_race_for_a_link_one_wins(ocean: Ocean) -> None:
    token = await token_for(ocean)
    told = await asyncio.gather(*(accounts.verify(ocean, NOBODY, token=token) for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == 1
    assert {one.code for one in told if isinstance(one, OceanError)} == {"INVALID_TOKEN"}


async def test_a_link_that_is_too_old_says_so_and_makes_no_account(ocean: Ocean, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await token_for(ocean)
    later = now() + accounts.LIVES + 1
    monkeypatch.setattr(accounts, "now", lambda: later)
    assert await code(accounts.verify(ocean, NOBODY, token=token)) == "TOKEN_EXPIRED"
    assert await code(accounts.verify(ocean, NOBODY, token=token)) == "INVALID_TOKEN"
    assert (await accounts.resolve(ocean, NOBODY, email="alice@example.com"))["is_new"]


@pytest.mark.parametrize("token", ["", "x", "\ud800", "a" * 5000])
async def test_what_is_no_token(ocean: Ocean, token: str) -> None:
    assert await code(accounts.verify(ocean, NOBODY, token=token)) == "INVALID_TOKEN"


async def test_neither_the_token_nor_the_letter_nor_the_key_lies_in_the_store(ocean: Ocean) -> None:
    token = await token_for(ocean)
    told = await accounts.verify(ocean, NOBODY, token=token)
    rows = [row for table in ("once", "outbox", "account") for row in await ocean.engine.rows(f"SELECT * FROM {table}")]
    kept = orjson.dumps([[str(cell) for cell in row] for row in rows]).decode()
    assert "alice@example.com" in kept
    assert token not in kept
    assert told["key"] not in kept
    assert "Open this link" not in kept


async def test_asking_for_a_link_is_answered_alike_whether_or_not_there_is_an_account(ocean: Ocean) -> None:
    await signed_in(ocean)
    before = await ocean.engine.rows("SELECT count(*) FROM outbox")
    for email in ("alice@example.com", "nobody@example.com"):
        assert await accounts.login(ocean, NOBODY, email=email) == {"sent": True}
    assert (await ocean.engine.rows("SELECT count(*) FROM outbox"))[0][0] == before[0][0] + 2
    told = [letter["body"].replace(letter["to"], "") for letter in (await letters(ocean))[:2]]
    assert re.sub("token=.*", "", told[0]) == re.sub("token=.*", "", told[1])


async def test_an_address_is_sent_five_letters_an_hour_and_told_when_the_next(ocean: Ocean) -> None:
    for _ in range(outbox.PER_ADDRESS):
        await accounts.login(ocean, NOBODY, email="alice@example.com")
    with pytest.raises(OceanError) as caught:
        await accounts.login(ocean, NOBODY, email="ALICE@example.com")
    assert caught.value.code == "AUTH_RATE_LIMITED"
    assert 0 < (caught.value.retry_after or 0) <= 3601
    assert await accounts.login(ocean, NOBODY, email="bob@example.com") == {"sent": True}
    places = [Caller(None, f"203.0.113.{i}") for i in range(outbox.FROM_ALL)]
    told = await asyncio.gather(*(accounts.login(ocean, place, email="alice@example.com") for place in places), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == outbox.FROM_ALL - outbox.PER_ADDRESS


async def test_one_place_can_t_ask_for_letters_without_end(ocean: Ocean) -> None:
    told = await asyncio.gather(
        *(accounts.login(ocean, NOBODY, email=f"a{i}@example.com") for i in range(outbox.PER_PLACE + 5)), return_exceptions=True
    )
    assert sum(isinstance(one, OceanError) for one in told) == 5


async def test_a_callback_gets_a_key_that_is_good_for_its_host_alone(ocean: Ocean) -> None:
    mine = await signed_in(ocean)
    letter_at = await token_for(ocean, callback_url="https://evil.example/cb?x=1", app_name="Nice", subject="Hello")
    letter = (await letters(ocean))[0]
    assert letter["subject"] == "Hello"
    assert "https://evil.example/cb?x=1&token=" in letter["body"]
    assert "leads to evil.example" in letter["body"]
    told = await accounts.verify(ocean, NOBODY, token=letter_at)
    theirs = keys.public_of(told["key"])
    assert theirs != mine.key
    assert (await accounts.me(ocean, Caller(theirs)))["audience"] == "evil.example"
    other = await signed_in(ocean, callback_url="https://other.example/")
    assert len({mine.key, theirs, other.key}) == 3
    ocean.settings = {**ocean.settings, "OCEAN_AUTH_HOSTS": "own.example"}
    assert (await signed_in(ocean, "bob@example.com", callback_url="https://own.example/")).key == (
        await signed_in(ocean, "bob@example.com")
    ).key


@pytest.mark.parametrize(
    "more",
    [
        {"callback_url": "http://a.org/"}, {"callback_url": "javascript:alert(1)"}, {"app_name": "a\r\nBcc: x@y.org"}, {"subject": "a\nb"},
        {"subject": ""}, {"next": "//evil.org"}, {"app_name": "x" * 100},
    ],
)  # fmt: skip
async def test_what_a_letter_can_t_be_made_of(ocean: Ocean, more: dict[str, str]) -> None:
    assert await code(accounts.login(ocean, NOBODY, email="alice@example.com", **more)) == "INVALID_VALUE"
    assert await letters(ocean) == []


async def test_resolving_without_a_key_makes_nothing_and_with_one_gives_a_key_for_that_developer(
    ocean: Ocean, alice: Caller, bob: Caller
) -> None:
    assert await accounts.resolve(ocean, NOBODY, email="zed@example.com") == {"is_new": True}
    first = await accounts.resolve(ocean, alice, email="zed@example.com")
    again = await accounts.resolve(ocean, alice, email="Zed@example.com")
    other = await accounts.resolve(ocean, bob, email="zed@example.com")
    assert (first["is_new"], again["is_new"], first["ocean_key"] == again["ocean_key"]) == (True, False, True)
    personal = await signed_in(ocean, "zed@example.com")
    assert len({keys.public_of(one["ocean_key"]) for one in (first, other)} | {personal.key}) == 3
    assert await accounts.resolve(ocean, NOBODY, email="zed@example.com") == {
        "is_new": False, "public_id": (await accounts.me(ocean, personal))["public_id"],
    }  # fmt: skip


async def test_a_developer_resolves_twenty_addresses_an_hour(ocean: Ocean, alice: Caller) -> None:
    ocean.paces = Paces()
    for i in range(20):
        await accounts.resolve(ocean, alice, email=f"u{i}@example.com")
    assert await code(accounts.resolve(ocean, alice, email="u21@example.com")) == "AUTH_RATE_LIMITED"


async def test_handles_are_one_account_s_and_lead_to_it_though_it_has_another_by_now(ocean: Ocean) -> None:
    alice, bob = await signed_in(ocean), await signed_in(ocean, "bob@example.com")
    assert (await accounts.change(ocean, alice, handle="@Alice"))["handle"] == "@alice"
    assert await code(accounts.change(ocean, bob, handle="alice")) == "CONFLICT"
    assert (await accounts.change(ocean, alice, handle="alice2", profile={"name": "A"}))["handle"] == "@alice2"
    assert await code(accounts.change(ocean, bob, handle="@alice")) == "CONFLICT"
    await credits.grant(ocean, "@alice", 10)
    assert await whoami(ocean, alice) == {
        "tier": "balance", "key": alice.key, "balance": 10, "handle": "@alice2", "email": "alice@example.com",
        "public_id": (await accounts.me(ocean, alice))["public_id"],
    }  # fmt: skip
    assert (await credits.send(ocean, alice, to="bob@example.com", amount=1))["to"] == {
        "public_id": (await accounts.me(ocean, bob))["public_id"]
    }
    assert (await accounts.change(ocean, alice, handle="alice"))["handle"] == "@alice"  # one of old
    for name in ("alice3", "alice4", "alice5"):
        await accounts.change(ocean, alice, handle=name)
    assert await code(accounts.change(ocean, alice, handle="alice6")) == "LIMIT_REACHED"


async def test_a_profile_is_for_all_and_is_not_found_by_the_address(ocean: Ocean, alice: Caller) -> None:
    one = await signed_in(ocean)
    await accounts.change(ocean, one, handle="al", profile={"name": "Al"})
    me = await accounts.me(ocean, one)
    for who in ("@al", me["public_id"], str(one.key)):
        told = await people.profile(ocean, NOBODY, who=who)
        assert told == {"public_id": me["public_id"], "handle": "@al", "profile": {"name": "Al"}}
    assert await code(people.profile(ocean, NOBODY, who="alice@example.com")) == "INVALID_VALUE"
    assert await code(people.profile(ocean, NOBODY, who=str(alice.key))) == "NOT_FOUND"


async def test_of_many_who_want_a_handle_at_once_one_has_it(ocean: Ocean) -> None:
    people = [await signed_in(ocean, f"p{i}@example.com") for i in range(6)]
    told = await asyncio.gather(*(accounts.change(ocean, one, handle="prize") for one in people), return_exceptions=True)
    assert sum(isinstance(one, dict) for one in told) == 1


async def test_who_has_no_account_or_one_of_an_app_takes_no_handle(ocean: Ocean, alice: Caller) -> None:
    assert await code(accounts.me(ocean, alice)) == "NOT_FOUND"
    assert await code(accounts.change(ocean, alice, handle="al")) == "NOT_FOUND"
    app = await signed_in(ocean, callback_url="https://a.example/")
    assert await code(accounts.change(ocean, app, handle="al")) == "FORBIDDEN"
    assert await code(accounts.change(ocean, await signed_in(ocean))) == "INVALID_VALUE"


async def test_a_pass_can_be_put_once(ocean: Ocean) -> None:
    there: list[bool] = []
    for _ in range(2):
        await ocean.log.transact(passes.put_once("k", "s", Pass("a", "b", now() + 9999), there))
    assert there == [True]
