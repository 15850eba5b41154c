"""Mailboxes and identities as JMAP has them: the folders of a mailbox, and the addresses that are sent from (RFC 8621, 2 and 6)."""

from __future__ import annotations

from typing import Any

from ocean.core import mail
from ocean.core.filters import condition_of
from ocean.services.mail import mailboxes
from ocean.services.mail.jmap.protocol import MethodError, Turn, chosen
from ocean.services.query.find import find
from ocean.store import mail as rows
from ocean.store.mail import Mailbox

DRAFTS = "drafts"
FOLDERS = {mail.INBOUND: ("Inbox", "inbox"), DRAFTS: ("Drafts", "drafts"), mail.SENT: ("Sent", "sent"), mail.BOUNCES: ("Bounces", None)}
_WRITES = ("mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "maySubmit")
_COUNTS = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")


async def get(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    wanted = args.get("ids")
    names = [name for name in FOLDERS if wanted is None or name in wanted]
    shown = [chosen(await _shown(turn, box, name), args) for name in names]
    missing = [one for one in wanted or [] if one not in FOLDERS]
    return {"accountId": box.name, "state": await turn.state(), "list": shown, "notFound": missing}


async def _shown(turn: Turn, box: Mailbox, name: str) -> dict[str, Any]:
    title, role = FOLDERS[name]
    route = mail.folder(box.name, name)
    total = (await find(turn.ocean, turn.caller, prefix=route, counted=True))["count"]
    unseen = condition_of({"seen": {"$ne": True}})
    unread = (await find(turn.ocean, turn.caller, prefix=route, where=unseen, counted=True))["count"] if name == mail.INBOUND else 0
    writes = await turn.may(box, name, "drop")
    rights = dict.fromkeys(_WRITES, writes) | {"mayReadItems": True, "mayCreateChild": False, "mayRename": False, "mayDelete": False}
    return {
        "id": name,
        "name": title,
        "parentId": None,
        "role": role,
        "sortOrder": list(FOLDERS).index(name),
        "totalEmails": total,
        "unreadEmails": unread,
        "totalThreads": total,
        "unreadThreads": unread,
        "myRights": rights,
        "isSubscribed": True,
    }


async def query(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    filter_ = args.get("filter") or {}
    if unknown := set(filter_) - {"role", "name", "parentId", "hasAnyRole", "isSubscribed"}:
        raise MethodError("unsupportedFilter", min(unknown))
    ids = [
        name
        for name, (title, role) in FOLDERS.items()
        if filter_.get("role", role) == role
        and str(filter_.get("name", "")).lower() in title.lower()
        and filter_.get("parentId") is None
        and filter_.get("hasAnyRole", role is not None) == (role is not None)
    ]
    return {
        "accountId": box.name,
        "queryState": "1",
        "canCalculateChanges": False,
        "position": 0,
        "ids": ids,
        "total": len(ids),
    }


async def changes(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    """The folders are always the same; what they hold may be other."""
    box = await turn.box(args)
    state = await turn.state()
    moved = list(FOLDERS) if args.get("sinceState") != state else []
    return {
        "accountId": box.name,
        "oldState": str(args.get("sinceState")),
        "newState": state,
        "hasMoreChanges": False,
        "created": [],
        "updated": moved,
        "destroyed": [],
        "updatedProperties": list(_COUNTS) if moved else None,
    }


async def identities(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    own = [mailboxes.address_of(turn.ocean, box.name)]
    own += [f"{box.name}@{one.name}" for one in await rows.domains_into(turn.ocean.engine, box.name)]
    shown = [
        {
            "id": str(place),
            "name": "",
            "email": address,
            "replyTo": None,
            "bcc": None,
            "textSignature": "",
            "htmlSignature": "",
            "mayDelete": False,
        }
        for place, address in enumerate(own)
    ]
    wanted = args.get("ids")
    found = [one for one in shown if wanted is None or one["id"] in wanted]
    missing = [one for one in wanted or [] if one not in {found_["id"] for found_ in found}]
    return {"accountId": box.name, "state": "1", "list": [chosen(one, args) for one in found], "notFound": missing}
