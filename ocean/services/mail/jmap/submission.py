"""Sending by JMAP (RFC 8621, 7): a draft goes out by the same way as any message, and is a draft no more."""

from __future__ import annotations

from typing import Any

from ocean.core import mail
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.mail import sending
from ocean.services.mail.jmap import emails
from ocean.services.mail.jmap.protocol import MethodError, Turn
from ocean.store import outbox
from ocean.store.mail import Mailbox

_FAULTS = {"FORBIDDEN": "forbiddenFrom", "LIMIT_REACHED": "overQuota", "CONFLICT": "forbiddenToSend"}


async def set_(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    old = await turn.state()
    created: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    sent: list[str] = []
    for id_, one in (args.get("create") or {}).items():
        try:
            created[id_], draft = await _send(turn, box, one)
            sent.append(draft)
        except MethodError as fault:
            failed[id_] = fault.shown()
        except OceanError as fault:
            failed[id_] = {"type": _FAULTS.get(fault.code, "invalidEmail"), "description": fault.message}
    shape = dict.fromkeys(("created", "updated", "destroyed", "notCreated", "notUpdated", "notDestroyed"))
    whole = {"accountId": box.name, "oldState": old, "newState": await turn.state(), **shape}
    told: dict[str, Any] = {**whole, "created": created or None, "notCreated": failed or None}
    if sent:  # what was sent is in `sent`: the draft is gone, whatever the program asks to be done with it
        told["_more"] = [("Email/set", {**whole, "destroyed": sent})]
    return told


async def _send(turn: Turn, box: Mailbox, one: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The submission, and the id of the draft that went."""
    given = str(one.get("emailId", ""))
    id_ = turn.created.get(given.removeprefix("#"), "") if given.startswith("#") else given
    drop = await emails.look(turn, box, id_)
    said = loads(drop.body()) if drop is not None else None
    if drop is None or drop.key is None or not isinstance(said, dict) or not id_.startswith("d-"):
        raise MethodError("invalidProperties", "emailId is a draft's")
    people: dict[str, Any] = {name: said.get(name) or None for name in ("to", "cc", "bcc")}
    if people["to"] is None:
        raise MethodError("noRecipients")
    html = said.get("html")
    told = await sending.send(
        turn.ocean,
        turn.caller,
        to=people["to"],
        cc=people["cc"],
        bcc=people["bcc"],
        sender=said.get("from") or None,
        subject=str(said.get("subject", "")),
        body=str(said.get("text", "")),
        html=str(html) if html else None,
        attach=[str(part["blob"]) for part in said.get("attachments", [])] or None,
        references=said.get("references"),
    )
    await records.remove(turn.ocean, turn.caller, route=drop.route, key=drop.key)
    return {"id": told["id"], "undoStatus": "final", "sendAt": None, "threadId": told["id"]}, id_


async def get(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    """What waits, was sent, or could not be, of the caller's own."""
    box = await turn.box(args)
    if not await turn.may(box, mail.SENT, "entity"):
        raise MethodError("forbidden")
    found = [
        row
        for row in await outbox.newest(turn.ocean.engine, 100, turn.caller.required("Mail belongs to a key."))
        if row.mailbox == box.name
    ]
    wanted = args.get("ids")
    shown = [_shown(row) for row in found if wanted is None or row.id in wanted]
    return {"accountId": box.name, "state": await turn.state(), "list": shown, "notFound": []}


def _shown(row: outbox.Queued) -> dict[str, Any]:
    status = {"smtpReply": row.error or "250 OK", "delivered": _delivered(row.state), "displayed": "unknown"}
    undo = "pending" if row.state == outbox.QUEUED else "final"
    return {"id": row.id, "emailId": f"s-{row.letter}", "undoStatus": undo, "deliveryStatus": {row.recipient: status}}


def _delivered(state: str) -> str:
    return {outbox.SENT: "unknown", outbox.FAILED: "no", outbox.QUEUED: "queued"}.get(state, "no")
