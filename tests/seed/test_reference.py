"""The reference's examples, one for each command, run: what a reader pastes from it works."""

from __future__ import annotations

import contextlib

import pytest

from ocean.commands import planned
from ocean.commands.dispatch import execute, parse
from ocean.commands.table import COMMANDS
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.access import accounts
from ocean.services.money import credits
from ocean.store import hooks
from ocean.store.hooks import Delivery
from tests.seed.shapes import check
from tests.services.searching import afloat
from tests.services.test_find import plain

# What an example speaks of must be there first.
BEFORE = """
save users @alice name: "Alice" age: 30 role: "admin"
save my/data @user-1 name: "Alice"
save products @sku-42 price: 30
save fn/greet @main "def main(ocean, request): return {'hello': request.get('name')}"
save pages @home stock: 10
save agency/shop @x 1
save my/route @x 1
save mysite @about "about"
save _config/myapp/now-playing @stream { type: "stream" }
define todo fields title: "text" status: "text"
define "users" fields name: "text"
share agency/shop with @CLIENT_KEY
value create "gold" name "Gold" symbol "GLD"
value mint "gold" 1000
"""
HOOK = 'when my/data changes call "https://example.com/hook"'
EXAMPLES = [c.example for c in COMMANDS.values() if c.forms and c.name not in (*planned.NAMES, "rollback", "promote")]


@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_of_the_reference_runs(ocean: Ocean, example: str) -> None:
    owner = Caller(keys.generate().public)
    client = keys.generate().public

    def named(text: str) -> str:
        return text.replace("CLIENT_KEY", client).replace("YOUR_KEY", client)

    ocean.settings = {**ocean.settings, "OCEAN_PUSH_CONTACT": "mailto:ops@example.com", "OCEAN_MAIL_DOMAIN": "example.org"}
    async with afloat(ocean):
        await execute(ocean, owner, parse(named(BEFORE)))
        await ocean.indexing.written()
        hook = str((await execute(ocean, owner, parse(HOOK)))["id"])
        sent = Delivery("msg_1", hook, 1, str(owner.key), "r", "", "", hooks.DONE, 1, 200, "", 5, 1, 1, 1)
        await ocean.log.transact(hooks.queued([sent], 10, 1))
        followed = str((await execute(ocean, owner, parse("push subscribe users")))["id"])
        sale, drop = await _sales(ocean, owner)
        account, _ = await accounts.account_for(ocean, "alice@example.com", accounts.PERSONAL)
        await accounts.change(ocean, Caller(account.key), handle="alice")
        text = named(example).replace("sale-id-here", sale).replace("drop-id-here", drop)
        text = text.replace("hook-id-here", hook).replace("msg_id-here", sent.id).replace("subscription-id", followed)
        if text.startswith("domain "):
            await execute(ocean, owner, parse("domain add mycoolsite.com to mysite"))
        await credits.grant(ocean, str(owner.key), 1000)
        queued = await _mailed(ocean, owner) if text.startswith(("mail", "event", "rsvp", "busy", "calendar")) else ""
        statements = parse(text.replace("id-here", queued))
        check(statements[0], plain(await execute(ocean, owner, statements)))


async def _mailed(ocean: Ocean, owner: Caller) -> str:
    """A mailbox, a domain, an event and a feed of theirs; the id of a message that waits."""
    for text in (
        'mail claim "alicia"', 'mail domain "mycoolsite.com"', 'mail to "bob@example.com" subject "Hi" body "Hi"',
        'event calendar/team @sprint-42 { title: "Sprint", start: "2026-03-02T10:00:00Z", attendees: ({ email: "bob@example.com" }) }',
    ):  # fmt: skip
        with contextlib.suppress(OceanError):  # a folder that is not there yet has no feed
            await execute(ocean, owner, parse(text))
    await execute(ocean, owner, parse("calendar feed calendar/team"))
    return str((await execute(ocean, owner, parse("mail queue")))["messages"][0]["id"])


async def _sales(ocean: Ocean, owner: Caller) -> tuple[str, str]:
    """The id of a sale of theirs, and a drop that another sells."""
    other = Caller(keys.generate().public)
    for who in (owner, other):
        await credits.grant(ocean, str(who.key), 1000)
    mine = await execute(ocean, owner, parse("save sold @mine 1 price 5"))
    theirs = await execute(ocean, other, parse("save others @theirs 1 price 5"))
    sale = await execute(ocean, other, parse(f'purchase "{mine["drop_id"]}"'))
    return str(sale["txn_id"]), str(theirs["drop_id"])


def test_every_command_that_can_be_written_has_an_example() -> None:
    assert [c.name for c in COMMANDS.values() if c.forms and not c.example] == []
