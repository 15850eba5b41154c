"""Mailboxes: claimed for io, found by the address that a message is for, and who may send as one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import access, mail
from ocean.core.access import Rule
from ocean.core.changes import Op
from ocean.core.drop import show_time
from ocean.core.mail import Address
from ocean.core.money import IO, Transfer, whole_io
from ocean.errors import OceanError
from ocean.services.data.writing import write
from ocean.services.money.credits import fees_of
from ocean.store import mail as rows
from ocean.store.engine import Row, Step
from ocean.store.ledger import Book, Course, Move
from ocean.store.mail import Mailbox
from ocean.store.reader import now

MAX_MAILBOXES = 20  # of one key
OPERATORS = "postmaster"  # the mailbox that gets what is sent to addresses at the mail domain itself
_KEYED = "A mailbox belongs to a key."


def domain(ocean: Ocean) -> str:
    return settings.mail_domain(ocean.settings)


def address_of(ocean: Ocean, name: str) -> str:
    """The address that a mailbox sends from where none is said."""
    return f"{name}@{name}.{domain(ocean)}"


async def claim(ocean: Ocean, caller: Caller, *, username: str) -> dict[str, Any]:
    """Claims a name that receives mail from now on, for OCEAN_MAIL_CLAIM_COST io. Claimed again by its owner, it costs nothing.

    Raises INVALID_VALUE, CONFLICT where it is taken, LIMIT_REACHED, RATE_LIMITED where there is too little io.
    """
    owner = caller.required(_KEYED)
    name = mail.check_name(username)
    ocean.paces.claims.spend(owner)
    there = await rows.mailbox(ocean.engine, name)
    if there is not None and there.owner == owner:
        await opened(ocean, there)
        return {**_told(ocean, there), "already": True}
    if there is not None:
        raise _taken(name)
    cost = int(ocean.settings["OCEAN_MAIL_CLAIM_COST"])
    try:
        return {**_told(ocean, await _made(ocean, name, owner, cost)), "cost": cost}
    except OceanError as fault:
        there = await rows.mailbox(ocean.engine, name) if fault.code == "CONFLICT" else None
        if there is None or there.owner != owner:
            raise
        return {**_told(ocean, there), "already": True}  # by another request of theirs, at the same moment


async def give(ocean: Ocean, owner: str, username: str) -> dict[str, Any]:
    """The operator's: gives a name to a key, those that are kept back too, for nothing."""
    there = await rows.mailbox(ocean.engine, username.lower())
    if there is not None and there.owner == owner:
        return _told(ocean, there)
    return _told(ocean, await _made(ocean, mail.check_name(username, reserved=True), owner, 0))


async def _made(ocean: Ocean, name: str, owner: str, cost: int) -> Mailbox:
    """Paid and added in one; then its folder is opened."""
    root = f"{mail.TOP}/{name}"
    rule = (await ocean.reader.rules(root)).get(root)
    if rule is not None and rule.owner != owner:  # somebody's since before there were mailboxes
        raise _taken(name)
    box = Mailbox(name, owner, now())

    def course(book: Book) -> Course:
        refused = yield from rows.mailbox_refusal(box, MAX_MAILBOXES)
        if refused == "taken":
            raise _taken(name)
        if refused:
            raise OceanError("LIMIT_REACHED", f"One key has at most {MAX_MAILBOXES} mailboxes.")
        yield from paid(ocean, book, owner, cost, f"mailbox {name}")
        yield rows.mailbox_added(box)
        return {}

    await ocean.ledger.append(Move(course))
    await opened(ocean, box)
    return box


async def opened(ocean: Ocean, box: Mailbox) -> None:
    """Its folder is its owner's alone. Done again it changes nothing: whatever ended a claim halfway, the next that needs it goes on."""
    root = f"{mail.TOP}/{box.name}"
    if (await ocean.reader.rules(root)).get(root) is None:
        await write(ocean, Caller(box.owner), [Op("access", root, alter=lambda rule: rule or Rule(box.owner, "shared"), given=True)])


def _taken(name: str) -> OceanError:
    return OceanError("CONFLICT", f"The mailbox {name!r} is another's.", "Choose another name.")


def paid(ocean: Ocean, book: Book, owner: str, cost: int, what: str) -> Generator[Step, list[Row], None]:
    """Takes whole io for something of mail. Raises RATE_LIMITED where there is too little."""
    if cost:
        yield from book.post(Transfer("mail", IO, owner, fees_of(ocean)[1], whole_io(cost), about={"for": what}))


async def claimed(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's mailboxes."""
    found = [_told(ocean, box) for box in await rows.mailboxes_of(ocean.engine, caller.required(_KEYED))]
    return {"mailboxes": found, "count": len(found)}


def _told(ocean: Ocean, box: Mailbox) -> dict[str, Any]:
    return {
        "username": box.name, "address": address_of(ocean, box.name), "domain": f"{box.name}.{domain(ocean)}",
        "inbound": mail.folder(box.name, mail.INBOUND), "created_at": show_time(box.created_at),
    }  # fmt: skip


async def accepts(ocean: Ocean, address: str) -> Mailbox | None:
    """The mailbox that an address leads to, or None: mail for it is refused."""
    host, base = mail.host_of(address), domain(ocean)
    if not host:
        return None
    if host == base:
        return await rows.mailbox(ocean.engine, OPERATORS)
    name, _, above = host.partition(".")
    if above == base:
        return await rows.mailbox(ocean.engine, name)
    found = await rows.live_domain(ocean.engine, host)
    return await rows.mailbox(ocean.engine, found.mailbox) if found is not None else None


async def local(ocean: Ocean, host: str) -> bool:
    """Whether mail for a host comes here, whether or not there is somebody for it."""
    base = domain(ocean)
    return host == base or host.endswith(f".{base}") or await rows.live_domain(ocean.engine, host) is not None


async def sender(ocean: Ocean, caller: Caller, given: str | None = None) -> tuple[Mailbox, Address]:
    """The mailbox that the caller sends from, and as which address: of a mailbox whose folder `sent` they may write to, which the one
    predicate says. Without an address it is that of their first mailbox. Raises FORBIDDEN, INVALID_VALUE, KEY_REQUIRED."""
    who = caller.writer("Sending mail needs a key.")
    if given is None:
        own = await rows.mailboxes_of(ocean.engine, str(who))
        if not own:
            raise OceanError("FORBIDDEN", "This key has no mailbox to send from.", 'Claim one: POST /mail/claim {"username": "alice"}.')
        box, chosen = own[0], Address("", address_of(ocean, own[0].name))
    else:
        (chosen,) = mail.read_addresses(given, "from")[:1]
        found = await accepts(ocean, chosen.address)
        if found is None:
            raise _not_yours(chosen.address)
        box = found
    if not await may_send(ocean, box, who):
        raise _not_yours(chosen.address)
    return box, chosen


async def may_send(ocean: Ocean, box: Mailbox, who: str) -> bool:
    """Whether somebody sends as a mailbox: who may write to its folder `sent`."""
    folder = mail.folder(box.name, mail.SENT)
    return access.decide(folder, who, "drop", await ocean.reader.rules(folder)) == "allow"


def _not_yours(address: str) -> OceanError:
    return OceanError("FORBIDDEN", f"This key may not send as {address[:80]}.", "Send from a mailbox of yours: GET /mail/my-domains.")
