"""What the mail host takes: mail for its mailboxes from everybody, and mail to everybody from who has a key for it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any

from aiosmtpd.smtp import AuthResult, LoginPassword

from mailhost.session import Session
from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.errors import OceanError
from ocean.services.access.identity import key_of
from ocean.services.mail import mailboxes, screening, sending
from ocean.services.mail.arrival import HOPS, Arrival
from ocean.services.mail.arriving import arrive
from ocean.services.mail.composing import sender_of
from ocean.services.mail.delivering import bounced_id
from ocean.services.mail.returning import came_back, may_come_back
from ocean.store import outbox
from ocean.store.mail import Mailbox, mailbox
from ocean.turns import household, plain_ip

FRESH = 1.0  # seconds in which what was seen of a mailbox when it was named still holds when the message is there
MAX_SESSIONS, MAX_OF_ONE = 1000, 50  # that are open, and of one address
BUSY = "451 4.3.1 It can't be kept at this moment. Try again later"
log = logging.getLogger("ocean.smtp")


class Door:
    """What both ways in share: how many sessions there are, and what they may still do."""

    def __init__(self, ocean: Ocean, hostname: str) -> None:
        self.ocean = ocean
        self.hostname = hostname
        self.tasks: set[asyncio.Task[Any]] = set()
        self._open: Counter[str] = Counter()

    def enter(self, ip: str) -> str:
        """Why somebody may not come in; nothing where they may."""
        house = household(ip)
        if self._open.total() >= MAX_SESSIONS or self._open[house] >= MAX_OF_ONE:
            return "421 4.7.0 Too many sessions"
        self._open[house] += 1
        return ""

    def leave(self, ip: str) -> None:
        house = household(ip)
        self._open[house] -= 1
        if self._open[house] <= 0:
            del self._open[house]

    async def settled(self, work: Any) -> str:
        """What comes of work that goes on to its end, whether or not who asked for it is still there: nothing is left half done."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return str(await asyncio.shield(task))


class Handler:
    """The hooks of one session."""

    signs_in = False

    def __init__(self, door: Door) -> None:
        self.door = door
        self.ocean = door.ocean
        self.found: dict[str, Mailbox] = {}
        self.looked = 0.0
        self.back: str | None = None  # the message of ours that this one is about
        self.entered = self.house = ""

    async def greet(self, session: Session) -> str:
        ip = _ip(session)
        refused = self.door.enter(ip)
        if refused:
            return refused
        self.entered, self.house = ip, household(ip)
        return f"220 {self.door.hostname} ESMTP Infinite Ocean"

    def over(self) -> None:
        if self.entered:
            self.door.leave(self.entered)
            self.entered = ""

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        self.found, self.back = {}, None
        return "250 2.1.0 OK"


class Inbound(Handler):
    """Mail from other hosts: for mailboxes that are here, and for no others."""

    async def greet(self, session: Session) -> str:
        greeting = await super().greet(session)
        if greeting.startswith("220") and (listed := await screening.listed(self.ocean, _ip(session))):
            self.over()
            return f"554 5.7.1 No mail is taken from {_ip(session)}, which {listed} lists"
        return greeting

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        id_ = bounced_id(self.ocean, address)
        if (id_ is not None and envelope.rcpt_tos) or self.back is not None:
            return "452 4.5.3 What came back is for one alone: send the others by themselves"
        if id_ is not None:
            sent = await outbox.one(self.ocean.engine, id_)
            if sent is None or not may_come_back(sent):
                server.refused()
                return "550 5.1.1 No such address here"
            self.back = id_
        else:
            box = await mailboxes.accepts(self.ocean, address)
            if box is None:
                server.refused()
                return "550 5.1.1 No such mailbox here"
            wait = await screening.greylisted(self.ocean, _ip(server), envelope.mail_from, address)
            if wait:
                return f"451 4.7.1 You were never here: come again in {wait} seconds"
            self.found[address], self.looked = box, time.monotonic()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def take(self, session: Session) -> str:
        envelope = session.envelope
        assert envelope is not None
        sender = "" if envelope.mail_from == "<>" else str(envelope.mail_from)
        raw: bytes = envelope.original_content  # type: ignore[assignment]
        if mail.head_of(raw).lower().count(b"\r\nreceived:") > HOPS:
            return "554 5.4.6 It has come by too many hosts: it goes round in circles"
        try:
            self.ocean.paces.mails.spend(household(_ip(session)))
        except OceanError:
            return "450 4.7.1 Too many messages from this address in a minute"
        by = f"{'UTF8SMTP' if envelope.smtp_utf8 else 'ESMTP'}{'S' if session.secure else ''}"
        helo = str(session.session.host_name) if session.session is not None else ""
        recipients = list(self.found.items())
        if time.monotonic() - self.looked > FRESH:
            recipients = [(address, box._replace(ruled=None)) for address, box in recipients]
        arrival = Arrival(raw, _ip(session), helo, sender, recipients, by)
        return await self.door.settled(self._kept(arrival))

    async def _kept(self, arrival: Arrival) -> str:
        try:
            if self.back is not None:
                await came_back(self.ocean, self.back, arrival)
            else:
                await arrive(self.ocean, arrival)
        except OceanError as fault:
            log.warning("a message is not taken: %s", fault.message)
            return "552 5.3.4 The message is too large" if fault.code == "PAYLOAD_TOO_LARGE" else BUSY
        return "250 2.0.0 Kept"


class Submission(Handler):
    """Mail from programs of who has a mailbox here: with a key, and from an address of theirs alone."""

    signs_in = True

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        self.caller: Caller | None = None

    async def auth_PLAIN(self, server: Session, args: list[str]) -> AuthResult:  # noqa: N802
        return await self._signed_in(server, await type(server).auth_PLAIN(_Asking(server), server, args))  # type: ignore[arg-type]

    async def auth_LOGIN(self, server: Session, args: list[str]) -> AuthResult:  # noqa: N802
        return await self._signed_in(server, await type(server).auth_LOGIN(_Asking(server), server, args))  # type: ignore[arg-type]

    async def _signed_in(self, server: Session, asked: AuthResult) -> AuthResult:
        """The user is a mailbox or an address of one; the password a key that may write in its `sent`: its owner's, or one for that."""
        given = asked.auth_data
        if not asked.success or not isinstance(given, LoginPassword):
            return asked
        ip = _ip(server)
        try:
            self.ocean.paces.logins.spend(household(ip))
            user, secret = given.login.decode(), given.password.decode()
            box = await mailboxes.accepts(self.ocean, user) if "@" in user else await mailbox(self.ocean.engine, user.lower())
            who = await key_of(self.ocean, secret)
            if box is not None and who is not None and await mailboxes.may_send(self.ocean, box, who):
                self.caller = Caller(who, ip)
                return AuthResult(success=True, auth_data=LoginPassword(given.login, b""))
        except (OceanError, UnicodeDecodeError) as fault:
            if isinstance(fault, OceanError) and fault.code == "LIMIT_REACHED":
                return AuthResult(success=False, handled=False, message="454 4.7.0 Too many tries. Come again in a minute")
        server.errors += 5
        return AuthResult(success=False, handled=False)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if self.caller is None:
            return "530 5.7.0 AUTH first"
        if not mail.is_address(address):
            return "553 5.1.3 This is no address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def take(self, session: Session) -> str:
        assert session.envelope is not None
        if self.caller is None:
            return "530 5.7.0 AUTH first"
        raw: bytes = session.envelope.original_content  # type: ignore[assignment]
        return await self.door.settled(self._submitted(self.caller, raw, list(session.envelope.rcpt_tos)))

    async def _submitted(self, caller: Caller, raw: bytes, recipients: list[str]) -> str:
        try:
            box, sender = await mailboxes.sender(self.ocean, caller, sender_of(raw))
            whom = list(dict.fromkeys(map(mail.check_address, recipients)))
            await sending.submit(self.ocean, caller, box, raw, sender.host, whom)
        except OceanError as fault:
            log.info("a message is not sent on: %s", fault.message)
            return _code_of(fault)
        return "250 2.0.0 Queued"


class _Asking:
    """The library's way of reading a user and a password, which it is not to judge."""

    def __init__(self, server: Session) -> None:
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    @staticmethod
    def _authenticate(mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=True, handled=True, auth_data=given)


def _ip(session: Any) -> str:
    peer = session.session.peer if session.session is not None else None
    return plain_ip(str(peer[0])) if isinstance(peer, tuple) else ""


def _code_of(fault: OceanError) -> str:
    line = " ".join(fault.message.split())[:400].encode("ascii", "replace").decode()
    codes = {"LIMIT_REACHED": "452 4.5.3", "SERVER_BUSY": "451 4.3.1", "STORAGE_FULL": "452 4.3.1", "PAYLOAD_TOO_LARGE": "552 5.3.4"}
    return f"{codes.get(fault.code, '550 5.7.1')} {line}"
