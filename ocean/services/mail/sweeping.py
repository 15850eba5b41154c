"""What is done once an hour: letters whose records were removed are destroyed, and what was sent long ago is forgotten."""

from __future__ import annotations

from ocean.context import Ocean
from ocean.core.files import Reference
from ocean.services.files import blobs
from ocean.store import mail as letters
from ocean.store import outbox
from ocean.store.engine import only
from ocean.store.reader import now

PAGE = 500
YOUNG = 3_600_000  # milliseconds in which a letter's record may still be on its way
LONG = 30 * 86_400_000  # that the outbox tells of what is over


async def sweep(ocean: Ocean) -> None:
    moment = now()
    while True:
        found = await letters.orphans(ocean.engine, moment - YOUNG, PAGE)
        for _, file in found:  # the files first: whatever ends this halfway, the letter is found again
            if file:
                await blobs.forget(ocean, Reference(str(file), 0, "message/rfc822", ""))
        if found:
            await ocean.log.transact(letters.letters_gone([str(row[0]) for row in found]))
        if len(found) < PAGE:
            break
    await ocean.log.transact(only(outbox.forgotten(moment - LONG)))
