"""The reference's examples, one for each command, run: what a reader pastes from it works."""

from __future__ import annotations

import pytest

from ocean.commands import planned
from ocean.commands.dispatch import execute, parse
from ocean.commands.table import COMMANDS
from ocean.context import Caller, Ocean
from ocean.core import keys
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
save pages @home stock: 10
save agency/shop @x 1
save my/route @x 1
save mysite @about "about"
save _config/myapp/now-playing @stream { type: "stream" }
define todo fields title: "text" status: "text"
define "users" fields name: "text"
share agency/shop with @CLIENT_KEY
"""
HOOK = 'when my/data changes call "https://example.com/hook"'
EXAMPLES = [c.example for c in COMMANDS.values() if c.forms and c.name not in (*planned.NAMES, "rollback", "promote")]


@pytest.mark.parametrize("example", EXAMPLES)
async def test_an_example_of_the_reference_runs(ocean: Ocean, example: str) -> None:
    owner = Caller(keys.generate().public)
    client = keys.generate().public

    def named(text: str) -> str:
        return text.replace("CLIENT_KEY", client).replace("YOUR_KEY", client)

    ocean.settings = {**ocean.settings, "OCEAN_PUSH_CONTACT": "mailto:ops@example.com"}
    async with afloat(ocean):
        await execute(ocean, owner, parse(named(BEFORE)))
        await ocean.indexing.written()
        hook = str((await execute(ocean, owner, parse(HOOK)))["id"])
        sent = Delivery("msg_1", hook, 1, str(owner.key), "r", "", "", hooks.DONE, 1, 200, "", 5, 1, 1, 1)
        await ocean.log.transact(hooks.queued([sent], 10, 1))
        followed = str((await execute(ocean, owner, parse("push subscribe users")))["id"])
        text = named(example).replace("hook-id-here", hook).replace("msg_id-here", sent.id).replace("subscription-id", followed)
        if text.startswith("domain "):
            await execute(ocean, owner, parse("domain add mycoolsite.com to mysite"))
        statements = parse(text)
        check(statements[0], plain(await execute(ocean, owner, statements)))


def test_every_command_that_can_be_written_has_an_example() -> None:
    assert [c.name for c in COMMANDS.values() if c.forms and not c.example] == []
