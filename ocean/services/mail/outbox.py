"""The outbox: messages that wait in the store for the mail host to send them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core import mail
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.money.credits import check_page
from ocean.store import outbox as rows
from ocean.store.engine import LOCK, Engine, Row, Step, Steps, only
from ocean.store.mail import mailboxes_of
from ocean.store.outbox import Queued
from ocean.store.reader import now
from ocean.store.secrets import MasterKey

MAX_PER_DAY = 500  # messages of one key
PER_ADDRESS = 5  # of ours to one address in an hour, asked for from one place;
FROM_ALL = 20  # from all places together: who asks for another's shall not lock them out at once
PER_PLACE = 50  # that were asked for from one place in an hour
_HOUR, _DAY = 3_600_000, 86_400_000  # milliseconds


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, checked: nothing in it can become a header of its own."""

    recipient: str
    subject: str
    body: str

    def __post_init__(self) -> None:
        """Raises INVALID_VALUE."""
        mail.check_address(self.recipient)
        mail.check_subject(self.subject)
        mail.check_body(self.body)


def within_quota(owner: str, holder: str, count: int) -> Steps:
    """Steps that refuse what is over a day's share of a key or of an address. Raises LIMIT_REACHED."""
    since = now() - _DAY
    for column, who in (("owner", owner), ("holder", holder)):
        ((sent,),) = yield rows.count_since(column, who, since)
        if sent + count > MAX_PER_DAY:
            hint = f"{sent} are sent or wait already."
            raise OceanError("LIMIT_REACHED", f"At most {MAX_PER_DAY} messages a day are sent for one key, and for one address.", hint)


async def full(ocean: Ocean, owner: str, count: int) -> bool:
    """Whether so many more would be over a day's share of an owner."""
    return await rows.sent_since(ocean.engine, owner, now() - _DAY) + count > MAX_PER_DAY


def holder_of(caller: Caller) -> str:
    """Whom the quota counts for beside the key: keys are made for the asking."""
    return _digest(caller.holder)


async def queue_own(ocean: Ocean, caller: Caller, kind: str, message: Message, beside: Steps) -> None:
    """Puts a message of ours into the outbox, with what is written beside it. What it says is for its reader alone: it is kept wrapped.

    Raises AUTH_RATE_LIMITED beyond PER_ADDRESS, FROM_ALL and PER_PLACE an hour.
    """
    id_, moment = str(uuid_utils.uuid7()), now()
    owner, holder = f"@{kind} {_digest(message.recipient)}", holder_of(caller)
    body = ocean.master.wrap(message.body, f"outbox {id_}")
    row = Queued(
        id_, owner, holder, message.recipient, message.subject, body, rows.QUEUED, 0, moment, moment, host=mail.host_of(message.recipient)
    )

    def steps() -> Steps:
        yield Step(LOCK, [()])
        hour = moment - _HOUR
        both = (rows.told_since(owner, holder, hour), PER_ADDRESS)
        for counting, most in (both, (rows.told_since(owner, None, hour), FROM_ALL), (rows.asked_since(holder, hour), PER_PLACE)):
            ((count, first),) = yield counting
            if count >= most:
                wait = max(1, (first + _HOUR - moment) // 1000 + 1)
                says = "Too many sign-ins were asked for this address, or from this one."
                raise OceanError("AUTH_RATE_LIMITED", says, "Use the newest link that came.", retry_after=wait)
        yield rows.added([row])
        yield from beside

    await ocean.log.transact(steps())
    ocean.log.wake()


async def queued(ocean: Ocean, caller: Caller, *, limit: int = 100) -> dict[str, Any]:
    """What of the caller's waits to be sent, was, or could not be, newest first; what rules of their mailboxes sent, too."""
    check_page(limit, 0)
    found = [_told(row) for row in await rows.newest(ocean.engine, limit, *await _owners(ocean, caller))]
    return {"messages": found, "count": len(found)}


async def drop(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """Takes back one that was not sent yet. Raises NOT_FOUND."""
    await dropped(ocean.engine, id, *await _owners(ocean, caller))
    return {"deleted": True, "id": id}


async def _owners(ocean: Ocean, caller: Caller) -> list[str]:
    key = str(caller.required("Mail belongs to a key."))
    return [key, *(mail.of_rules(box.name) for box in await mailboxes_of(ocean.engine, key))]


async def dropped(engine: Engine, id_: str, *owners: str) -> None:
    """The same, for some owners or the operator. Raises NOT_FOUND."""
    await _one(engine, rows.dropped(id_, owners, now()), id_)


async def retry(engine: Engine, id_: str | None) -> int:
    """The operator's: one that waits, or all, are tried now; how many. Raises NOT_FOUND."""
    return await _one(engine, rows.hurried(id_, now()), id_)


async def _one(engine: Engine, step: Step, id_: str | None) -> int:
    found: list[Row] = []
    await engine.transact(only(step, found))
    if id_ is not None and not found:
        raise OceanError("NOT_FOUND", f"No message {id_[:60]!r} waits to be sent.")
    return len(found)


async def read(master: MasterKey, engine: Engine, limit: int = 100) -> list[dict[str, Any]]:
    """The letters of ours, newest first, with `body` as long as they wait. What people write is theirs."""
    found = [row for row in await rows.newest(engine, limit * 10) if row.owner.startswith("@") and not row.letter]
    return [{**_told(row), "body": text_of(master, row)} for row in found[:limit]]


def text_of(master: MasterKey, row: Queued) -> str:
    """A message's own text: those of ours are wrapped. Raises ValueError where the master key is another."""
    return master.unwrap(row.body, f"outbox {row.id}") if row.owner.startswith("@") and row.body else row.body


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


async def waiting(engine: Engine, limit: int = 1000) -> list[dict[str, Any]]:
    """What is in the outbox, newest first."""
    return [_told(row) for row in await rows.newest(engine, limit)]


def _told(row: Queued) -> dict[str, Any]:
    told: dict[str, Any] = {"id": row.id, "owner": row.owner, "to": row.recipient, "subject": row.subject, "state": row.state}
    told |= {"attempts": row.attempts, "created_at": show_time(row.created_at)}
    for name, value in (("from", row.sender), ("letter", row.letter), ("error", row.error)):
        if value:
            told[name] = value
    if row.state == rows.QUEUED and row.attempts:
        told["due_at"] = show_time(row.due_at)
    return told if row.done_at is None else {**told, "done_at": show_time(row.done_at)}
