"""The way out of the outbox: each message is signed, carried to its host, tried again while that makes sense, and its end is kept."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.core.changes import Op
from ocean.core.mail import Address, Results
from ocean.core.payloads import encode
from ocean.egress.smtp import Carrier, Outcome, Smarthost
from ocean.errors import OceanError
from ocean.services.data.writing import write
from ocean.services.mail import composing, mailboxes, messages, outbox, sending, signing
from ocean.services.mail.arrival import Arrival
from ocean.services.mail.arriving import arrive
from ocean.services.mail.composing import Outgoing
from ocean.services.mail.returning import NOBODY
from ocean.services.mail.rules import FORWARD, passed_mark
from ocean.store import mail as letters
from ocean.store import outbox as rows
from ocean.store.engine import Row, Step, Steps, only
from ocean.store.leases import LostLeaseError, Tenure, holds
from ocean.store.outbox import Queued
from ocean.store.reader import now

if TYPE_CHECKING:
    from ocean.services.mail.signatures import Key

LEASE = 30.0  # seconds
TOGETHER, FOR_ONE_HOST, FOR_ONE_OWNER = 32, 4, 8  # conversations at a time, with the host of one domain, and for one sender
LOOK = 200  # messages that are looked at for one that may go
PAUSES = (1, 5, 15, 30, 60, 120, 240, 480)  # minutes between tries, the last again and again
GIVEN_UP = 5 * 86_400_000  # milliseconds after which one is not tried any more (RFC 5321, 4.5.4.1)
WITHIN = 900.0  # seconds for one try
GONE = 1  # the outcome of a message that is not there any more
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
        self._owners: Counter[str] = Counter()
        self._keys: list[Key] = []
        self._mine = False  # whether it held the lease at the last look
        self.ended = asyncio.Event()  # when a conversation has ended: there is room for another

    async def step(self) -> bool:
        """Begins what is due and has room; whether it began any."""
        lease = await self._tenure.hold()
        if lease is None:
            await self._stop()  # another has it: what is begun here would be sent twice
            self._mine = False
            return False
        if not self._mine:
            await self._put(rows.waits_again())
            self._mine = True
        self.ended.clear()
        engine, moment = self._ocean.engine, now()
        began = False
        for row in await rows.due_here(engine, moment, mailboxes.domain(self._ocean), TOGETHER):
            began |= self._begin(row, "", TOGETHER)
        if len(self._going) >= TOGETHER * 2:
            return began
        hosts = [host for host, count in self._hosts.items() if count >= FOR_ONE_HOST and host]
        owners = [owner for owner, count in self._owners.items() if count >= FOR_ONE_OWNER]
        for row in await rows.due(engine, moment, hosts, owners, LOOK):
            if self._owners[row.owner] < FOR_ONE_OWNER:
                began |= self._begin(row, mail.host_of(row.recipient), FOR_ONE_HOST)
        return began

    def _begin(self, row: Queued, lane: str, most: int) -> bool:
        """Begins one, where its lane (the host, or nothing for here) has room; whether it did."""
        if row.id in self._going or self._hosts[lane] >= most or len(self._going) >= TOGETHER * 2:
            return False
        self._hosts[lane] += 1
        self._owners[row.owner] += 1
        self._going[row.id] = asyncio.get_running_loop().create_task(self._try(row, lane))
        return True

    async def pause(self) -> float:
        """Seconds until there may be something to begin: what is due and has no room waits for the end of something."""
        due = await rows.next_due(self._ocean.engine)
        if due is None:
            return 60.0
        return min(60.0, max(1.0 if self._going else 0.05, (due - now()) / 1000))

    async def close(self) -> None:
        """Conversations that go on are ended: their messages wait."""
        await self._stop()
        if self._mine:
            with suppress(Exception):  # whoever holds the lease next does it
                await self._put(rows.waits_again())
        await self._tenure.leave()

    async def _stop(self) -> None:
        for task in list(self._going.values()):
            task.cancel()
        await asyncio.gather(*self._going.values(), return_exceptions=True)

    async def _try(self, row: Queued, lane: str) -> None:
        try:
            if await self._begun(row):
                await self._note(row, await self._outcome(row, mail.host_of(row.recipient)))
        except LostLeaseError:
            log.warning("another process sends by now")
        except Exception as fault:
            log.warning("a message waits: %r", fault)
        finally:
            for counts, name in ((self._hosts, lane), (self._owners, row.owner)):
                counts[name] -= 1
                if counts[name] <= 0:
                    del counts[name]
            self._going.pop(row.id, None)
            self.ended.set()

    async def _begun(self, row: Queued) -> bool:
        """Whether it still waits, and is taken to be sent by who holds the lease."""
        found: list[Row] = []
        await self._ocean.log.transact(self._held(rows.begun(row.id), found))
        return bool(found)

    async def _outcome(self, row: Queued, host: str) -> Outcome | None:
        """What became of it; None where that is written already. A fault of our own counts as none that its host made."""
        try:
            async with asyncio.timeout(WITHIN):
                return await self._one(row, host)
        except TimeoutError:
            return Outcome(0, f"It took longer than {WITHIN:.0f} s")
        except Exception as fault:  # a full disk, a master key that is another
            log.warning("a message waits: %r", fault)
            return Outcome(0, f"This server could not send it: {type(fault).__name__}")

    async def _note(self, row: Queued, outcome: Outcome | None) -> None:
        """Writes what became of a message, however long that takes: until it is written it is not begun again."""
        pause = 1.0
        while outcome is not None:
            try:
                await self._settle(row, outcome)
                return
            except LostLeaseError:
                raise
            except Exception as fault:
                log.warning("what became of a message can't be written: %r", fault)
                await asyncio.sleep(pause)
                pause = min(60.0, pause * 2)

    async def _one(self, row: Queued, host: str) -> Outcome | None:
        raw = await self._raw(row)
        if raw is None:
            return Outcome(GONE, "The message was removed.")
        if passed_on(row):
            raw = f"X-Passed-On-By: {passed_mark(self._ocean, row.mailbox)}\r\n".encode() + _without_path(raw)
        if await mailboxes.local(self._ocean, host):
            return await self._local(row, raw)
        if not may_leave(self._ocean):
            return Outcome(0, "Mail goes no further than this server: its operator sets OCEAN_MAIL_DOMAIN.")
        signed = await self._signed(row, raw)
        return await self._carrier.carry(host, envelope_sender(self._ocean, row), row.recipient, signed)

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

    async def _local(self, row: Queued, raw: bytes) -> Outcome | None:
        """To a mailbox here, in one commit with the note that it arrived."""
        box = await mailboxes.accepts(self._ocean, row.recipient)
        here = settings.mail_host(self._ocean.settings)
        if box is None:
            return Outcome(550, "5.1.1 No such mailbox here", here)
        host = mail.host_of(row.sender) or mailboxes.domain(self._ocean)
        # What is passed on is somebody else's: it says who it is from by its own signatures alone.
        trusted = None if passed_on(row) else Results("pass", "pass", "pass", "none", "none", host, (host,))
        sender = row.sender if mail.is_address(row.sender) else ""
        settled = rows.settled(row.id, rows.SENT, "", now())
        arrival = Arrival(raw, "", here, sender, [(row.recipient, box)], "LMTP", f"out {row.id}", trusted, lambda: settled)
        await arrive(self._ocean, arrival)
        await self._put(settled)  # where it was there already
        return None

    async def _settle(self, row: Queued, outcome: Outcome) -> None:
        said = f"{outcome.code} {outcome.text}" if outcome.code > GONE else outcome.text
        if outcome.taken:
            log.info("sent %s by %s %s", row.id, outcome.host, outcome.tls or "without TLS")
            await self._put(rows.settled(row.id, rows.SENT, said, now()))
        elif outcome.code == GONE:
            await self._put(rows.settled(row.id, rows.DROPPED, said, now()))
        elif outcome.refused or now() - row.created_at > GIVEN_UP:
            await self._failed(row, outcome, said)
        else:
            pause = PAUSES[min(row.attempts, len(PAUSES) - 1)] * 60_000
            await self._put(rows.postponed(row.id, now() + pause, said))

    async def _failed(self, row: Queued, outcome: Outcome, said: str) -> None:
        """Its sender reads why in `bounces`, and an address that none reaches is written to no more: in one commit with its end."""
        settled = rows.settled(row.id, rows.FAILED, said, now())
        box = await letters.mailbox(self._ocean.engine, row.mailbox) if row.mailbox and row.sender else None
        if box is None:
            await self._put(settled)
            return
        payload: dict[str, Any] = {
            "message": row.letter, "recipient": row.recipient, "subject": row.subject, "action": "failed", "status": outcome.enhanced,
            "diagnostic": said, "host": outcome.host,
        }  # fmt: skip
        told = {name: value for name, value in payload.items() if value}
        told["_identifiers"] = [{"type": "email", "value": row.recipient.lower(), "role": "recipient"}]
        ops = [Op("save", mail.folder(box.name, mail.BOUNCES), row.id, encode(told))]
        if outcome.enhanced.startswith(NOBODY):
            ops.append(sending.suppression(box, row.recipient, f"bounced: {said[:100]}"))

        try:
            await write(self._ocean, Caller(box.owner), ops, lambda: self._held(settled))
        except OceanError as fault:
            if fault.temporary:
                raise
            log.warning("what came back is not told: %s", fault.message)
            await self._put(settled)

    async def _put(self, step: Step) -> None:
        await self._ocean.log.transact(self._held(step))

    def _held(self, step: Step, found: list[Row] | None = None) -> Steps:
        """A step while it holds the lease. Raises LostLeaseError."""
        yield from holds(self._tenure.lease)
        yield from only(step, found)


def _without_path(raw: bytes) -> bytes:
    """Without the Return-Path that we wrote: whoever delivers it at last writes one."""
    return raw.partition(b"\r\n")[2] if raw[:12].lower() == b"return-path:" else raw


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
