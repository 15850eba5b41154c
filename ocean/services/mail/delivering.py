"""The way out of the outbox: each message is signed, carried to its host, tried again while that makes sense, and its end is kept."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.core.mail import Address, Results
from ocean.egress.smtp import Carrier, Outcome, Smarthost
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.mail import composing, mailboxes, messages, outbox, sending, signing
from ocean.services.mail.arriving import FORWARD, NOBODY, Arrival, arrive
from ocean.services.mail.composing import Outgoing
from ocean.store import mail as letters
from ocean.store import outbox as rows
from ocean.store.engine import Step, Steps
from ocean.store.leases import Tenure
from ocean.store.outbox import Queued
from ocean.store.reader import now

if TYPE_CHECKING:
    from ocean.services.mail.signatures import Key

LEASE = 30.0  # seconds
TOGETHER, FOR_ONE_HOST = 32, 4  # conversations at a time, and with the host of one domain
LOOK = 200  # messages that are looked at for one that may go
PAUSES = (1, 5, 15, 30, 60, 120, 240, 480)  # minutes between tries, the last again and again
GIVEN_UP = 5 * 86_400_000  # milliseconds after which one is not tried any more (RFC 5321, 4.5.4.1)
WITHIN = 900.0  # seconds for one try
log = logging.getLogger("ocean.mail")


class Delivering:
    """One process sends, by a lease, and another goes on where it ended."""

    def __init__(self, ocean: Ocean, carrier: Carrier | None = None) -> None:
        self._ocean = ocean
        relay = settings.smarthost(ocean.settings)
        smarthost = Smarthost(*relay) if relay is not None else None
        self._carrier = carrier or Carrier(ocean.dns, ocean.egress, settings.mail_host(ocean.settings), smarthost)
        self._tenure = Tenure(ocean.engine, "mail", LEASE)
        self._going: dict[str, asyncio.Task[None]] = {}
        self._hosts: Counter[str] = Counter()
        self._keys: list[Key] = []
        self.ended = asyncio.Event()  # when a conversation has ended: there is room for another

    async def step(self) -> bool:
        """Begins what is due and has room; whether it began any."""
        if await self._tenure.hold() is None:
            return False
        self.ended.clear()
        if len(self._going) >= TOGETHER:
            return False
        began = False
        for row in await rows.due(self._ocean.engine, now(), LOOK):
            host = mail.host_of(row.recipient)
            if row.id in self._going or self._hosts[host] >= FOR_ONE_HOST or len(self._going) >= TOGETHER:
                continue
            self._hosts[host] += 1
            self._going[row.id] = asyncio.get_running_loop().create_task(self._try(row, host))
            began = True
        return began

    async def pause(self) -> float:
        """Seconds until the next is due, at most a minute."""
        due = await rows.next_due(self._ocean.engine)
        return min(60.0, max(0.05, (due - now()) / 1000)) if due is not None else 60.0

    async def close(self) -> None:
        """Conversations that go on are ended: their messages wait."""
        for task in list(self._going.values()):
            task.cancel()
        await asyncio.gather(*self._going.values(), return_exceptions=True)
        await self._tenure.leave()

    async def _try(self, row: Queued, host: str) -> None:
        try:
            async with asyncio.timeout(WITHIN):
                await self._one(row, host)
        except Exception as fault:  # a full disk, a master key that is another: the message waits
            log.warning("a message waits: %r", fault)
            await self._later(row, f"This server could not send it: {type(fault).__name__}")
        finally:
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]
            self._going.pop(row.id, None)
            self.ended.set()

    async def _one(self, row: Queued, host: str) -> None:
        raw = await self._raw(row)
        if raw is None:
            await self._done(rows.settled(row.id, rows.DROPPED, "The message was removed.", now()))
        elif await mailboxes.local(self._ocean, host):
            await self._local(row, raw)
        elif not may_leave(self._ocean):
            await self._later(row, "Mail goes no further than this server: its operator sets OCEAN_MAIL_DOMAIN.")
        else:
            signed = await self._signed(row, raw)
            await self._settle(row, await self._carrier.carry(host, envelope_sender(self._ocean, row), row.recipient, signed))

    async def _raw(self, row: Queued) -> bytes | None:
        if not row.letter:
            return _own(self._ocean, row)
        found = await letters.letter(self._ocean.engine, row.letter)
        return await messages.source(self._ocean, found) if found is not None else None

    async def _signed(self, row: Queued, raw: bytes) -> bytes:
        """In the name of the domain that the message is from, where that is ours to sign for."""
        from ocean.services.mail import signatures

        self._keys = self._keys or await signing.keys(self._ocean)
        domain = await signing_domain(self._ocean, row)
        if domain is None:
            return raw
        return await asyncio.to_thread(signatures.sign, raw, domain, self._keys)

    async def _local(self, row: Queued, raw: bytes) -> None:
        """To a mailbox here, in one commit with the note that it arrived."""
        box = await mailboxes.accepts(self._ocean, row.recipient)
        if box is None:
            await self._settle(row, Outcome(550, "5.1.1 No such mailbox here", settings.mail_host(self._ocean.settings)))
            return
        host, here = mail.host_of(row.sender) or mailboxes.domain(self._ocean), settings.mail_host(self._ocean.settings)
        trusted = Results() if passed_on(row) else Results("pass", "pass", "pass", "none", "none", host, (host,))
        sender = row.sender if mail.is_address(row.sender) else ""
        settled = rows.settled(row.id, rows.SENT, "", now())
        arrival = Arrival(raw, "", here, sender, [(row.recipient, box)], "LMTP", f"out {row.id}", trusted, lambda: settled)
        await arrive(self._ocean, arrival)
        await self._done(rows.settled(row.id, rows.SENT, "", now()))  # where it was there already

    async def _settle(self, row: Queued, outcome: Outcome) -> None:
        said = f"{outcome.code} {outcome.text}" if outcome.code else outcome.text
        if outcome.taken:
            log.info("sent %s by %s %s", row.id, outcome.host, outcome.tls or "without TLS")
            await self._done(rows.settled(row.id, rows.SENT, said, now()))
        elif outcome.refused or now() - row.created_at > GIVEN_UP:
            await self._failed(row, outcome, said)
        else:
            await self._later(row, said)

    async def _failed(self, row: Queued, outcome: Outcome, said: str) -> None:
        """Its sender reads why in `bounces`; an address that none reaches is written to no more."""
        await self._done(rows.settled(row.id, rows.FAILED, said, now()))
        box = await letters.mailbox(self._ocean.engine, row.mailbox) if row.mailbox else None
        if box is None or not row.sender:
            return
        payload: dict[str, Any] = {
            "message": row.letter, "recipient": row.recipient, "subject": row.subject, "action": "failed", "status": outcome.enhanced,
            "diagnostic": said, "host": outcome.host,
        }  # fmt: skip
        told = {name: value for name, value in payload.items() if value}
        told["_identifiers"] = [{"type": "email", "value": row.recipient.lower(), "role": "recipient"}]
        try:
            await records.save(self._ocean, Caller(box.owner), route=mail.folder(box.name, mail.BOUNCES), key=row.id, payload=told)
            if outcome.enhanced.startswith(NOBODY):
                await sending.suppress(self._ocean, box, row.recipient, f"bounced: {said[:100]}")
        except OceanError as fault:
            log.warning("what came back is not told: %s", fault.message)

    async def _later(self, row: Queued, said: str) -> None:
        pause = PAUSES[min(row.attempts, len(PAUSES) - 1)] * 60_000
        await self._done(rows.postponed(row.id, now() + pause, said))

    async def _done(self, step: Step) -> None:
        def steps() -> Steps:
            yield step

        await self._ocean.log.transact(steps())


def may_leave(ocean: Ocean) -> bool:
    """Whether mail goes to other hosts at all: a server that nobody gave a domain would be believed by none."""
    return bool(ocean.settings["OCEAN_MAIL_DOMAIN"] or ocean.settings["OCEAN_SMARTHOST"])


def envelope_sender(ocean: Ocean, row: Queued) -> str:
    """Where what comes back of this one message goes to; nowhere, for what answers by itself."""
    if row.mailbox and not row.sender:
        return ""
    return f"bounce+{row.id}@{mailboxes.domain(ocean)}"


def bounced_id(ocean: Ocean, address: str) -> str | None:
    """The message that such an address is of."""
    local, host = mail.local_of(address).lower(), mail.host_of(address)
    return local.removeprefix("bounce+") if host == mailboxes.domain(ocean) and local.startswith("bounce+") else None


def passed_on(row: Queued) -> bool:
    """Whether it is somebody else's message, which a rule sends on: nothing of ours says that it is from whom it says."""
    return row.holder.startswith(FORWARD)


async def signing_domain(ocean: Ocean, row: Queued) -> str | None:
    """The domain that stands by a message: the mail domain for names beneath it, a domain of its sender's own; none for what is only
    passed on."""
    host, base = mail.host_of(row.sender), mailboxes.domain(ocean)
    if passed_on(row):
        return None
    if not row.mailbox or host == base or host.endswith(f".{base}") or not row.sender:
        return base
    found = await letters.live_domain(ocean.engine, host)
    return host if found is not None and found.mailbox == row.mailbox else None


def _own(ocean: Ocean, row: Queued) -> bytes:
    """A letter of ours: a link, which is for its reader alone."""
    sender = Address("Infinite Ocean", f"noreply@{mailboxes.domain(ocean)}")
    message = Outgoing(
        sender, [Address("", row.recipient)], row.subject, outbox.text_of(ocean.master, row), headers={"Auto-Submitted": "auto-generated"}
    )
    return composing.compose(message, f"<{row.id}@{mailboxes.domain(ocean)}>", row.created_at)
