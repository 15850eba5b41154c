"""Messages as JMAP has them (RFC 8621, 3 and 4): read from records, looked for by find, and their keywords written on the record."""

from __future__ import annotations

from typing import Any

import uuid_utils

from ocean.core import mail
from ocean.core.drop import Drop, show_time
from ocean.core.filters import condition_of
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.access.reading import may_see
from ocean.services.data import records
from ocean.services.mail.jmap import walking
from ocean.services.mail.jmap.folders import DRAFTS, FOLDERS
from ocean.services.mail.jmap.protocol import MethodError, Turn, chosen, ids_of
from ocean.services.mail.jmap.walking import Row, Walk, firsts
from ocean.store import mail as rows
from ocean.store.mail import Mailbox
from ocean.store.reader import now

MAX_QUERY = 500  # of one answer
PREVIEW = 256
_HEADERS = {"from": "from", "to": "to", "cc": "cc", "subject": "subject", "body": "text"}
_PART: dict[str, Any] = {
    "partId": None, "blobId": None, "size": 0, "name": None, "type": None, "charset": None, "disposition": None, "cid": None,
    "language": None, "location": None,
}  # fmt: skip
_SPECIAL = {"$seen": "seen", "$flagged": "flagged", "$answered": "answered", "$draft": "draft"}


async def get(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    found, missing = [], []
    for id_ in ids_of(args):
        drop = await look(turn, box, id_)
        if drop is None:
            missing.append(id_)
        else:
            turn.spend(len(drop.payload or ""))  # what is read for it, though not all of it is shown
            found.append(chosen(_shown(drop, args), args))
    return {"accountId": box.name, "state": await turn.state(), "list": found, "notFound": missing}


async def look(turn: Turn, box: Mailbox, id_: str) -> Drop | None:
    """The record of a message, if the caller may read it."""
    folder, key = place_of(id_)
    if not folder or not key:
        return None
    found = await turn.ocean.reader.look(mail.folder(box.name, folder), key)
    if found.drop is None or not found.drop.live(now()) or not may_see(turn.caller, found.drop, "entity", found.rules):
        return None
    return found.drop


def id_of(route: str, key: str) -> str:
    return f"{route.rsplit('/', 1)[1][0]}-{key}"


def place_of(id_: str) -> tuple[str, str]:
    """The folder, which may be none, and the key that such an id is of."""
    letter, _, key = id_.partition("-")
    return next((name for name in FOLDERS if name[0] == letter), ""), key


def _shown(drop: Drop, args: dict[str, Any]) -> dict[str, Any]:
    payload = loads(drop.body())
    said: dict[str, Any] = payload if isinstance(payload, dict) else {}
    folder, id_ = drop.route.rsplit("/", 1)[1], id_of(drop.route, drop.key or "")
    shown: dict[str, Any] = {
        "id": id_,
        "blobId": f"m-{id_}",
        "threadId": str(said.get("thread", drop.key)),
        "mailboxIds": {folder: True},
        "keywords": _keywords(said, folder),
        "size": said.get("size", 0),
        "receivedAt": show_time(drop.created_at)[:19] + "Z",
        "messageId": _ids([said.get("message_id", "")]),
        "inReplyTo": _ids(said.get("references", [])[-1:]),
        "references": _ids(said.get("references", [])),
        "sender": None,
        "from": _people([said.get("from", "")], said.get("from_name")),
        "to": _people(said.get("to")),
        "cc": _people(said.get("cc")),
        "bcc": _people(said.get("bcc")),
        "replyTo": _people(said.get("reply_to")),
        "subject": said.get("subject", ""),
        "sentAt": said.get("date") or None,
        "hasAttachment": bool(said.get("attachments")),
        "preview": str(said.get("text", ""))[:PREVIEW],
    }
    return {**shown, **_bodies(drop, said, args)}


def _bodies(drop: Drop, said: dict[str, Any], args: dict[str, Any]) -> dict[str, Any]:
    """The bodies as parts: a text, and where there is one HTML; files behind them."""
    text, html = str(said.get("text", "")), str(said.get("html", ""))
    parts = {"1": ("text/plain", text)} | ({"2": ("text/html", html)} if html else {})
    own = [
        _PART | {"partId": number, "size": len(body.encode()), "type": kind, "charset": "utf-8"} for number, (kind, body) in parts.items()
    ]
    attached = [
        _PART
        | {
            "blobId": f"b-{one.get('blob')}",
            "size": one.get("size", 0),
            "name": one.get("name"),
            "type": one.get("type"),
            "disposition": "inline" if one.get("inline") else "attachment",
            "cid": one.get("content_id"),
        }
        for one in said.get("attachments", [])
        if isinstance(one, dict)
    ]
    everything = args.get("fetchAllBodyValues")
    wanted = {"1"} if args.get("fetchTextBodyValues") or everything else set()
    wanted |= {"2"} if args.get("fetchHTMLBodyValues") or everything else set()
    if args.get("fetchHTMLBodyValues") and not html:
        wanted.add("1")
    most = args.get("maxBodyValueBytes") or 0
    values = {
        number: {"value": body[:most] if most else body, "isEncodingProblem": False, "isTruncated": bool(most and len(body) > most)}
        for number, (_, body) in parts.items()
        if number in wanted
    }
    whole = {"partId": None, "type": "multipart/mixed", "subParts": [*own, *attached]} if attached or len(own) > 1 else own[0]
    headers = [{"name": one.get("name"), "value": one.get("value")} for one in said.get("headers", []) if isinstance(one, dict)]
    return {
        "bodyValues": values,
        "textBody": own[:1],
        "htmlBody": own[1:] or own[:1],
        "attachments": attached,
        "bodyStructure": whole,
        "headers": headers,
    }


def _ids(found: Any) -> list[str] | None:
    ids = [str(one).strip("<>") for one in found if one] if isinstance(found, list) else []
    return ids or None


def _people(found: Any, name: Any = None) -> list[dict[str, Any]] | None:
    people = [{"name": name or None, "email": str(one)} for one in found if one] if isinstance(found, list) else []
    return people or None


def _keywords(said: dict[str, Any], folder: str) -> dict[str, bool]:
    found = {name: True for name, field in _SPECIAL.items() if said.get(field) is True}
    own = said.get("keywords")
    found |= {str(name): True for name, on in own.items() if on is True} if isinstance(own, dict) else {}
    if isinstance(said.get("spam"), dict) and said["spam"].get("flag") is True:
        found["$junk"] = True
    return found | ({"$seen": True} if folder != mail.INBOUND else {}) | ({"$draft": True} if folder == DRAFTS else {})


async def query(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    """The messages of one folder, or of the inbox and what was sent, newest first."""
    box = await turn.box(args)
    filter_ = dict(args.get("filter") or {})
    folders = [filter_.pop("inMailbox")] if "inMailbox" in filter_ else [mail.INBOUND, mail.SENT]
    others = filter_.pop("inMailboxOtherThan", [])
    folders = [one for one in folders if one in FOLDERS and one not in others]
    ascending = False
    for one in args.get("sort") or []:
        if one.get("property") not in ("receivedAt", "sentAt"):
            raise MethodError("unsupportedSort")
        ascending = one.get("isAscending", True) is True
    position, limit = int(args.get("position") or 0), args.get("limit")
    limit = MAX_QUERY if limit is None else min(int(limit), MAX_QUERY)
    if position < 0 or limit < 0:
        raise MethodError("invalidArguments")
    where = condition_of(asked) if (asked := _condition(filter_)) else None
    collapse, counts = bool(args.get("collapseThreads")), args.get("calculateTotal") is True
    wanted = walking.MOST if collapse and counts else position + limit
    if position + limit > walking.MOST:
        raise MethodError("invalidArguments")
    total = 0
    found: list[Row] = []
    for folder in folders:
        walk = Walk(turn, mail.folder(box.name, folder), where, ascending=ascending)
        found += await walk.rows(wanted, collapse=collapse)
        total += await walk.count() if counts and not collapse else 0
    found.sort(key=lambda row: row.created_at, reverse=not ascending)  # those of one moment as they were found
    if collapse:
        found = firsts(found)
        total = len(found)
    ids = [id_of(row.route, row.key) for row in found[position : position + limit]]
    answer = {"accountId": box.name, "queryState": await turn.state(), "canCalculateChanges": False, "position": position, "ids": ids}
    return {**answer, "total": total} if counts else answer


def _condition(filter_: dict[str, Any]) -> dict[str, Any]:
    """A filter of JMAP as one of ours. Raises MethodError."""
    if "operator" in filter_:
        inner = [found for one in filter_["conditions"] if (found := _condition(one))]
        if not inner:
            return {}
        whole: dict[str, dict[str, Any]] = {"AND": {"$and": inner}, "OR": {"$or": inner}, "NOT": {"$not": {"$or": inner}}}
        return whole[filter_["operator"]]
    parts: list[dict[str, Any]] = []
    for name, value in filter_.items():
        if name in _HEADERS:
            parts.append({_HEADERS[name]: {"$contains": value}})
        elif name == "text":
            parts.append({"$or": [{field: {"$contains": value}} for field in ("subject", "text", "from", "from_name")]})
        elif name in ("before", "after"):
            parts.append({"received_at": {"$lt" if name == "before" else "$gte": value}})
        elif name in ("hasKeyword", "notKeyword"):
            field = _SPECIAL.get(value, f"keywords.{value}")
            parts.append({field: True} if name == "hasKeyword" else {field: {"$ne": True}})
        elif name == "hasAttachment":
            parts.append({"attachments": {"$exists": bool(value)}})
        elif name in ("minSize", "maxSize"):
            parts.append({"size": {"$gte" if name == "minSize" else "$lt": value}})
        else:
            raise MethodError("unsupportedFilter", name)
    return {"$and": parts} if parts else {}


async def changes(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    """What became of messages since a state. Raises MethodError where that is too long ago to tell."""
    box, since = await turn.box(args), args.get("sinceState")
    if not isinstance(since, str) or not since.isascii() or not since.isdigit() or len(since) > 18:
        raise MethodError("cannotCalculateChanges")
    routes = [mail.folder(box.name, name) for name in FOLDERS if await turn.may(box, name, "entity")]
    found = await rows.changed_since(turn.ocean.engine, routes, int(since), MAX_QUERY + 1)
    if len(found) > MAX_QUERY:
        raise MethodError("cannotCalculateChanges")
    told: dict[str, list[str]] = {"created": [], "updated": [], "destroyed": []}
    for route, key, version, removed in found:
        told["destroyed" if removed else "created" if version == 1 else "updated"].append(id_of(route, key))
    return {"accountId": box.name, "oldState": since, "newState": await turn.state(), "hasMoreChanges": False, **told}


async def threads(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    box = await turn.box(args)
    found, missing = [], []
    for id_ in ids_of(args):
        keys = await rows.in_thread(turn.ocean.engine, box.name, id_, MAX_QUERY)
        ids = [id_of(f"/{folder}", key) for folder, key in keys if await look(turn, box, id_of(f"/{folder}", key)) is not None]
        if ids:
            found.append({"id": id_, "emailIds": ids})
        else:
            missing.append(id_)
    return {"accountId": box.name, "state": await turn.state(), "list": found, "notFound": missing}


async def set_(turn: Turn, args: dict[str, Any]) -> dict[str, Any]:
    """Makes drafts, writes keywords, and removes (RFC 8621, 4.6)."""
    box = await turn.box(args)
    old = await turn.state()
    if args.get("ifInState") not in (None, old):
        raise MethodError("stateMismatch")
    created, not_created = await _each(args.get("create") or {}, lambda id_, one: _create(turn, box, id_, one))
    updated, not_updated = await _each(args.get("update") or {}, lambda id_, one: _update(turn, box, id_, one))
    destroyed, not_destroyed = await _each(dict.fromkeys(args.get("destroy") or ()), lambda id_, _: _destroy(turn, box, id_))
    return {
        "accountId": box.name,
        "oldState": old,
        "newState": await turn.state(),
        "created": created or None,
        "updated": updated or None,
        "destroyed": list(destroyed) or None,
        "notCreated": not_created or None,
        "notUpdated": not_updated or None,
        "notDestroyed": not_destroyed or None,
    }


async def _each(given: dict[str, Any], work: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(given) > 500:
        raise MethodError("requestTooLarge")
    done: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    for id_, one in given.items():
        try:
            done[id_] = await work(id_, one)
        except MethodError as fault:
            failed[id_] = fault.shown()
        except OceanError as fault:
            kind = {"FORBIDDEN": "forbidden", "NOT_FOUND": "notFound", "DELETED": "notFound"}.get(fault.code, "invalidProperties")
            failed[id_] = {"type": kind, "description": fault.message}
    return done, failed


async def _there(turn: Turn, box: Mailbox, id_: str) -> Drop:
    drop = await look(turn, box, turn.created.get(id_.removeprefix("#"), id_) if id_.startswith("#") else id_)
    if drop is None or drop.key is None:
        raise MethodError("notFound")
    return drop


async def _create(turn: Turn, box: Mailbox, id_: str, one: dict[str, Any]) -> dict[str, Any]:
    """A draft: a record that a submission sends."""
    if set(one.get("mailboxIds") or {DRAFTS: True}) != {DRAFTS}:
        raise MethodError("invalidProperties", "a message is made among the drafts")
    values = one.get("bodyValues") or {}

    def body(name: str) -> str | None:
        parts = one.get(name) or []
        if len(parts) > 1:
            raise MethodError("invalidProperties", f"{name} has one part")
        return str(values[parts[0]["partId"]]["value"]) if parts else None

    def people(name: str) -> list[str]:
        return [mail.check_address(person["email"]) for person in one.get(name) or []]

    text, html = mail.check_body(body("textBody") or ""), mail.check_body(body("htmlBody") or "")
    payload = {
        "from": next(iter(people("from")), ""),
        "to": people("to"),
        "cc": people("cc"),
        "bcc": people("bcc"),
        "subject": mail.check_subject(one.get("subject") or ""),
        "text": text,
        "html": html,
        "references": [f"<{ref}>" for ref in one.get("references") or []],
        "attachments": [
            {"blob": part["blobId"].removeprefix("b-"), "name": part.get("name") or "file", "type": part.get("type") or ""}
            for part in one.get("attachments") or []
        ],
    }
    key = str(uuid_utils.uuid7())
    payload["thread"] = key
    plain = {name: value for name, value in payload.items() if value not in ("", [])}
    await records.save(turn.ocean, turn.caller, route=mail.folder(box.name, DRAFTS), key=key, payload=plain)
    made = id_of(f"/{DRAFTS}", key)
    turn.created[id_] = made
    return {"id": made, "blobId": f"m-{made}", "threadId": key, "size": 0}


async def _update(turn: Turn, box: Mailbox, id_: str, patch: dict[str, Any]) -> None:
    drop = await _there(turn, box, id_)
    said = loads(drop.body())
    before = said.get("keywords") if isinstance(said, dict) and isinstance(said.get("keywords"), dict) else {}
    fields: dict[str, Any] = {}
    own: dict[str, Any] = dict(before) if isinstance(before, dict) else {}
    for path, value in patch.items():
        if path == "keywords":
            fields |= {field: True if value.get(name) else None for name, field in _SPECIAL.items()}
            own = {name: True for name in value if name not in _SPECIAL}
        elif path.startswith("keywords/"):
            name = path.partition("/")[2].replace("~1", "/").replace("~0", "~")
            if name in _SPECIAL:
                fields[_SPECIAL[name]] = True if value else None
            elif value:
                own[name] = True
            else:
                own.pop(name, None)
        elif not (path.startswith("mailboxIds") and (value is None or value is True or value == {drop.route.rsplit("/", 1)[1]: True})):
            raise MethodError("invalidProperties", path[:60])
    if own != before:
        fields["keywords"] = own or None
    if fields:
        await records.update(turn.ocean, turn.caller, route=drop.route, key=str(drop.key), changes=fields)


async def _destroy(turn: Turn, box: Mailbox, id_: str) -> None:
    drop = await _there(turn, box, id_)
    await records.remove(turn.ocean, turn.caller, route=drop.route, key=str(drop.key))
