"""`then send email`: a message for each result waits in the store, all or none."""

from __future__ import annotations

import asyncio

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.mail import check_address
from ocean.errors import OceanError
from ocean.services.mail import outbox
from ocean.services.mail.mailboxes import give
from tests.services.test_find import ask

PEOPLE = 'save people @a email: "a@example.com" n: 1; save people @b email: "b@example.com" n: 2; save people @c n: 3'
SEND = 'send email to email subject "Hello" body "Hi there"'


@pytest.fixture
async def alice(ocean: Ocean) -> Caller:
    return await _with_mailbox(ocean, "alice")


@pytest.fixture
async def bob(ocean: Ocean) -> Caller:
    return await _with_mailbox(ocean, "bob")


async def _with_mailbox(ocean: Ocean, name: str) -> Caller:
    caller = Caller(keys.generate().public)
    await give(ocean, str(caller.key), name)
    return caller


async def test_a_message_for_each_result_is_queued(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse(PEOPLE))
    answer = await ask(ocean, alice, f"find people where email exists then sort n then {SEND}")
    assert (answer["affected"], [r["to"] for r in answer["results"]]) == (2, ["a@example.com", "b@example.com"])
    queued = await outbox.waiting(ocean.engine)
    assert [(m["letter"], m["to"], m["subject"], m["state"], m["owner"]) for m in reversed(queued)] == [
        (r["id"], r["to"], "Hello", "queued", alice.key) for r in answer["results"]
    ]


async def test_to_an_address_and_from_rows(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse(PEOPLE))
    answer = await ask(ocean, alice, 'find people then first then send email to "z@example.com" subject "S" body "B"')
    assert answer["results"][0]["to"] == "z@example.com"
    answer = await ask(ocean, alice, f"find people where n < 3 group email count then {SEND}")
    assert answer["affected"] == 2


async def test_dry_says_how_many_and_sends_none(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse(PEOPLE))
    assert await ask(ocean, alice, f"find people where n < 3 then {SEND} dry") == {
        "affected": 2,
        "queued": "message",
        "dry": True,
        "results": [],
    }
    assert await outbox.waiting(ocean.engine) == []


async def test_one_bad_address_and_none_is_queued(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse(PEOPLE))
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, f"find people then {SEND}")
    assert caught.value.code == "INVALID_VALUE"
    assert "'c' in 'people'" in caught.value.message
    assert await outbox.waiting(ocean.engine) == []


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "a@b", "a@example.com\r\nBcc: x@example.com", "a@example.com\n", "a b@example.com", "a@example.com,b@example.com",
        "<a@example.com>", "@x.example", "a@-x.example", "a..b@x.example", "a@x..example", None, 7,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: object) -> None:
    with pytest.raises(OceanError):
        check_address(address)


@pytest.mark.parametrize("address", ["a@example.com", "a.b+c@sub.example.org", "jörg@example.com", "o'hara@example.com"])
def test_what_is_an_address_is_taken(address: str) -> None:
    assert check_address(address) == address


def test_a_subject_can_not_become_headers() -> None:
    for subject in ("a\r\nBcc: b@example.com", "a\nb", "x" * 1000, "a\x00b", "a\u2028b"):
        with pytest.raises(OceanError):
            outbox.Message("a@example.com", subject, "b")


async def test_a_key_has_its_share_of_a_day(ocean: Ocean, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_PER_DAY", 3)
    await execute(ocean, alice, parse(PEOPLE))
    await ask(ocean, alice, f"find people where n < 3 then {SEND}")
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, f"find people where n < 3 then {SEND}")
    assert caught.value.code == "LIMIT_REACHED"
    await ask(ocean, bob, f"find people where n < 3 then {SEND}")
    with pytest.raises(OceanError) as caught:
        await ask(ocean, Caller(None), f"find people where n < 3 then {SEND}")
    assert caught.value.code == "KEY_REQUIRED"


async def test_what_is_sent_side_by_side_counts_together(ocean: Ocean, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The count was once read before, and outside of, what it limits; and a key costs nothing."""
    monkeypatch.setattr(outbox, "MAX_PER_DAY", 3)
    await execute(ocean, alice, parse(PEOPLE))
    sent = await asyncio.gather(*(ask(ocean, alice, f"find people where n < 3 then {SEND}") for _ in range(6)), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in sent) == 1
    assert len(await outbox.waiting(ocean.engine)) == 2
    one, other = Caller(alice.key, "192.0.2.1"), Caller(bob.key, "192.0.2.1")
    monkeypatch.setattr(outbox, "MAX_PER_DAY", 4)
    await ask(ocean, one, f"find people where n < 3 then {SEND}")
    await ask(ocean, other, f"find people where n < 3 then {SEND}")
    with pytest.raises(OceanError) as caught:
        await ask(ocean, other, f"find people where n < 3 then {SEND}")
    assert caught.value.code == "LIMIT_REACHED"
