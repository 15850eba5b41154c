"""The outbox: messages that wait in the store for the mail host to send them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import uuid_utils

from ocean.context import Caller, Ocean
from ocean.core.accounts import is_address
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.data.writing import change
from ocean.store.engine import LOCK, Engine, Row, Step, Steps
from ocean.store.reader import now
from ocean.store.secrets import MasterKey

MAX_PER_DAY = 500  # messages of one key
MAX_SUBJECT = 998 - len("Subject: ")  # characters of a line (RFC 5322, 2.1.1)
MAX_BODY = 1024 * 1024  # characters
MAX_TOGETHER = 16 * 1024 * 1024  # characters of the bodies of one request
PER_ADDRESS = 5  # of ours to one address in an hour, asked for from one place;
FROM_ALL = 20  # from all places together: who asks for another's shall not lock them out at once
PER_PLACE = 50  # that were asked for from one place in an hour
_HOUR, _DAY = 3_600_000, 86_400_000  # milliseconds
_ADD = "INSERT INTO outbox (id, owner, holder, recipient, subject, body, state, attempts, created_at, due_at) VALUES (?,?,?,?,?,?,?,?,?,?)"
_TOLD = "SELECT count(*), min(created_at) FROM outbox WHERE owner = ? AND created_at > ?"
_ASKED = "SELECT count(*), min(created_at) FROM outbox WHERE holder = ? AND created_at > ? AND owner LIKE '@%'"
_SENT = "SELECT count(*) FROM outbox WHERE {} = ? AND created_at > ?"


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient, checked: nothing in it can become a header of its own."""

    recipient: str
    subject: str
    body: str

    def __post_init__(self) -> None:
        """Raises INVALID_VALUE."""
        check_address(self.recipient)
        if len(self.subject) > MAX_SUBJECT or any(not c.isprintable() for c in self.subject):
            raise OceanError("INVALID_VALUE", f"A subject is one line of at most {MAX_SUBJECT} characters.")
        if len(self.body) > MAX_BODY or "\x00" in self.body:
            raise OceanError("INVALID_VALUE", f"A message's body has at most {MAX_BODY} characters, none of them U+0000.")


def check_address(text: Any) -> str:
    """An address of mail. Raises INVALID_VALUE."""
    if not is_address(text):
        raise OceanError("INVALID_VALUE", f"{str(text)[:80]!r} is not an address to send mail to.", "such as bob@example.com")
    return str(text)


async def queue(ocean: Ocean, caller: Caller, messages: list[Message]) -> list[str]:
    """Puts messages into the outbox, all or none; their ids. Raises KEY_REQUIRED, LIMIT_REACHED."""
    owner = caller.required("Sending mail needs a key.")
    holder = _digest(caller.holder)  # keys are made for the asking: addresses count too
    if sum(len(message.body) for message in messages) > MAX_TOGETHER:
        raise OceanError("LIMIT_REACHED", f"Messages sent together have at most {MAX_TOGETHER // 2**20} MB.", "Send them in parts.")
    moment = now()
    rows = [
        (str(uuid_utils.uuid7()), owner, holder, message.recipient, message.subject, message.body, "queued", 0, moment, moment)
        for message in messages
    ]
    ids = [row[0] for row in rows]
    return list((await change(ocean, caller, _queue(rows, owner, holder, moment), lambda: {"ids": ids}))["ids"])


async def queue_own(ocean: Ocean, caller: Caller, kind: str, message: Message, beside: Steps) -> None:
    """Puts a message of ours into the outbox, with what is written beside it. What it says is for its reader alone: it is kept wrapped.

    Raises AUTH_RATE_LIMITED beyond PER_ADDRESS, FROM_ALL and PER_PLACE an hour.
    """
    id_, moment = str(uuid_utils.uuid7()), now()
    owner, holder = f"@{kind} {_digest(message.recipient)}", _digest(caller.holder)
    body = ocean.master.wrap(message.body, f"outbox {id_}")
    row = (id_, owner, holder, message.recipient, message.subject, body, "queued", 0, moment, moment)

    def steps() -> Steps:
        yield Step(LOCK, [()])
        hour = moment - _HOUR
        both = (_TOLD + " AND holder = ?", (owner, hour, holder), PER_ADDRESS)
        for sql, args, most in (both, (_TOLD, (owner, hour), FROM_ALL), (_ASKED, (holder, hour), PER_PLACE)):
            ((count, first),) = yield Step(sql, [args], reads=True)
            if count >= most:
                wait = max(1, (first + _HOUR - moment) // 1000 + 1)
                says = "Too many sign-ins were asked for this address, or from this one."
                raise OceanError("AUTH_RATE_LIMITED", says, "Use the newest link that came.", retry_after=wait)
        yield Step(_ADD, [row])
        yield from beside

    await ocean.log.transact(steps())
    ocean.log.wake()


async def read(master: MasterKey, engine: Engine, limit: int = 100) -> list[dict[str, Any]]:
    """What is in the outbox, newest first, as it will be read: `waiting` with `body`."""
    rows = await _newest(engine, limit)
    return [{**_told(row), "body": text_of(master, row[0], row[1], row[7])} for row in rows]


def text_of(master: MasterKey, id_: str, owner: str, body: str) -> str:
    """A message's text: those of ours are wrapped. Raises ValueError where the master key is another."""
    return master.unwrap(body, f"outbox {id_}") if owner.startswith("@") else body


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _queue(rows: list[tuple[Any, ...]], owner: str, holder: str, moment: int) -> Steps:
    """Counted and added under one lock: what is queued side by side counts together."""
    yield Step(LOCK, [()])
    for column, who in (("owner", owner), ("holder", holder)):
        ((sent,),) = yield Step(_SENT.format(column), [(who, moment - _DAY)], reads=True)
        if sent + len(rows) > MAX_PER_DAY:
            hint = f"{sent} are sent or wait already."
            raise OceanError("LIMIT_REACHED", f"At most {MAX_PER_DAY} messages a day are sent for one key, and for one address.", hint)
    yield Step(_ADD, rows)


async def waiting(engine: Engine, limit: int = 1000) -> list[dict[str, Any]]:
    """What is in the outbox, newest first: `{id, owner, to, subject, state, attempts, created_at}`."""
    return [_told(row) for row in await _newest(engine, limit)]


async def _newest(engine: Engine, limit: int) -> list[Row]:
    query = "SELECT id, owner, recipient, subject, state, attempts, created_at, body FROM outbox ORDER BY id DESC LIMIT ?"
    return await engine.rows(query, (limit,))


def _told(row: Row) -> dict[str, Any]:
    names = ("id", "owner", "to", "subject", "state", "attempts")
    return {**dict(zip(names, row[:6], strict=True)), "created_at": show_time(row[6])}
