"""What our mail is signed with: one key of each kind for the whole server, made when it is first needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ocean.context import Ocean
from ocean.store import signing as rows
from ocean.store.engine import Row, locked
from ocean.store.reader import now

if TYPE_CHECKING:
    from ocean.services.mail.signatures import Key

SELECTORS = {"ocean1": "rsa", "ocean2": "ed25519"}


async def keys(ocean: Ocean) -> list[Key]:
    """The keys, RSA first, which everybody can check."""
    from ocean.services.mail import signatures

    there = await rows.keys(ocean.engine)
    if not there:
        made = [await asyncio.to_thread(signatures.make, selector, kind) for selector, kind in SELECTORS.items()]
        wrapped = [(key.selector, key.kind, ocean.master.wrap(key.secret, f"dkim {key.selector}"), now()) for key in made]
        found: list[Row] = []
        await ocean.log.transact(locked(rows.first(wrapped, found)))
        there = found
    return [signatures.Key(selector, kind, ocean.master.unwrap(secret, f"dkim {selector}")) for selector, kind, secret in there]


async def records(ocean: Ocean) -> dict[str, str]:
    """What stands in DNS at SELECTOR._domainkey of the mail domain, by selector."""
    from ocean.services.mail import signatures

    return {key.selector: signatures.record_of(key) for key in await keys(ocean)}
