"""JMAP's core (RFC 8620): the session, requests of several calls, references to earlier answers, and errors as it has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import access, mail
from ocean.errors import OceanError
from ocean.services.mail import mailboxes
from ocean.store import mail as rows
from ocean.store.mail import Mailbox

CORE, MAIL, SUBMISSION = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:submission"
LIMITS = {
    "maxSizeUpload": 25 * 1024 * 1024,
    "maxConcurrentUpload": 4,
    "maxSizeRequest": 2 * 1024 * 1024,
    "maxConcurrentRequests": 8,
    "maxCallsInRequest": 32,
    "maxObjectsInGet": 500,
    "maxObjectsInSet": 500,
    "collationAlgorithms": [],
}
MAX_ANSWER = 10 * 1024 * 1024  # bytes
_MAIL = {
    "maxMailboxesPerEmail": 1,
    "maxMailboxDepth": 1,
    "maxSizeMailboxName": 100,
    "maxSizeAttachmentsPerEmail": mail.MAX_SIZE,
    "emailQuerySortOptions": ["receivedAt"],
    "mayCreateTopLevelMailbox": False,
}


class MethodError(Exception):
    """A call that fails as a whole (RFC 8620, 3.6.2)."""

    def __init__(self, kind: str, says: str = "") -> None:
        super().__init__(says)
        self.kind = kind
        self.says = says

    def shown(self) -> dict[str, str]:
        return {"type": self.kind, **({"description": self.says} if self.says else {})}


@dataclass(slots=True)
class Turn:
    """One request: who asks, what was created in it (`#id`), and the mailbox that a call is about."""

    ocean: Ocean
    caller: Caller
    created: dict[str, str]
    spent: int = 0  # bytes that its answers, and what they took from one another, have so far

    def spend(self, size: int) -> None:
        """Raises MethodError where a request asks for more than is answered at once."""
        self.spent += size
        if self.spent > MAX_ANSWER:
            raise MethodError("requestTooLarge", f"A request is answered with at most {MAX_ANSWER // 2**20} MB.")

    async def box(self, args: dict[str, Any]) -> Mailbox:
        """The account of a call: a mailbox whose mail the caller may read. Raises MethodError."""
        name = args.get("accountId")
        found = await rows.mailbox(self.ocean.engine, name) if isinstance(name, str) else None
        if found is None or not await self.may(found, mail.INBOUND, "entity"):
            raise MethodError("accountNotFound")
        return found

    async def may(self, box: Mailbox, folder: str, action: str) -> bool:
        route = mail.folder(box.name, folder)
        return access.decide(route, self.caller.key, action, await self.ocean.reader.rules(route)) == "allow"

    async def state(self) -> str:
        """How far the log is: what is of then is known by it."""
        return str((await self.ocean.reader.head())[0])


Method = Callable[[Turn, dict[str, Any]], Awaitable[dict[str, Any]]]


async def session(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """What a program is told first (RFC 8620, 2)."""
    key = caller.writer("Mail is read with a key.")
    turn = Turn(ocean, caller, {})
    boxes = [box for box in await rows.mailboxes_of(ocean.engine, str(key)) if await turn.may(box, mail.INBOUND, "entity")]
    own = {MAIL: _MAIL, SUBMISSION: {"maxDelayedSend": 0, "submissionExtensions": {}}}
    accounts = {
        box.name: {
            "name": mailboxes.address_of(ocean, box.name),
            "isPersonal": True,
            "isReadOnly": False,
            "accountCapabilities": {CORE: {}, **own},
        }
        for box in boxes
    }
    first = boxes[0].name if boxes else None
    here = settings.api_url(ocean.settings)
    return {
        "capabilities": {CORE: LIMITS, MAIL: {}, SUBMISSION: {}},
        "accounts": accounts,
        "primaryAccounts": dict.fromkeys((CORE, MAIL, SUBMISSION), first) if first else {},
        "username": mailboxes.address_of(ocean, first) if first else str(key),
        "apiUrl": f"{here}/jmap/api",
        "downloadUrl": f"{here}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
        "uploadUrl": f"{here}/jmap/upload/{{accountId}}",
        "eventSourceUrl": f"{here}/jmap/events?types={{types}}&closeafter={{closeafter}}&ping={{ping}}",
        "state": "1",
    }


async def request(ocean: Ocean, caller: Caller, body: Any, methods: dict[str, Method]) -> dict[str, Any]:
    """The answers of a request's calls, in order (RFC 8620, 3). Raises INVALID_VALUE for what is no request."""
    caller.writer("Mail is read with a key.")
    calls = body.get("methodCalls") if isinstance(body, dict) else None
    if not isinstance(calls, list) or not isinstance(body.get("using"), list) or len(calls) > LIMITS["maxCallsInRequest"]:  # type: ignore[operator]
        raise OceanError("INVALID_VALUE", "A JMAP request has 'using' and 'methodCalls', 32 of these at most.", "RFC 8620, 3.3.")
    unknown = [one for one in body["using"] if one not in (CORE, MAIL, SUBMISSION)]
    if unknown:
        raise OceanError("INVALID_VALUE", f"There is no capability {str(unknown[0])[:80]!r}.", f"{CORE}, {MAIL}, {SUBMISSION}.")
    turn = Turn(ocean, caller, {})
    answers: list[list[Any]] = []
    for call in calls:
        if not _is_call(call):
            raise OceanError("INVALID_VALUE", "A call of JMAP is [name, arguments, id].", "RFC 8620, 3.2.")
        answers += await _call(turn, call[0], call[1], call[2], answers, methods)
    return {"methodResponses": answers, "sessionState": "1", **({"createdIds": turn.created} if "createdIds" in body else {})}


def _is_call(call: Any) -> bool:
    return isinstance(call, list) and len(call) == 3 and [type(part) for part in call] == [str, dict, str]


async def _call(
    turn: Turn, name: str, args: dict[str, Any], id_: str, answers: list[list[Any]], methods: dict[str, Method]
) -> list[list[Any]]:
    method = methods.get(name)
    try:
        if method is None:
            raise MethodError("unknownMethod")
        told = await method(turn, _resolved(turn, args, answers))
        more = told.pop("_more", [])
        turn.spend(len(orjson.dumps(told, default=str)))
        return [[name, told, id_], *([also, said, id_] for also, said in more)]
    except MethodError as fault:
        return [["error", fault.shown(), id_]]
    except OceanError as fault:
        kinds = {"FORBIDDEN": "forbidden", "LIMIT_REACHED": "requestTooLarge", "SERVER_BUSY": "serverUnavailable"}
        return [["error", {"type": kinds.get(fault.code, "invalidArguments"), "description": fault.message}, id_]]
    except (TypeError, KeyError, AttributeError, ValueError):  # arguments of another form than the method's
        return [["error", {"type": "invalidArguments"}, id_]]


def _resolved(turn: Turn, args: dict[str, Any], answers: list[list[Any]]) -> dict[str, Any]:
    """The arguments with what they take from earlier answers (RFC 8620, 3.7). Raises MethodError."""
    found: dict[str, Any] = {}
    for name, value in args.items():
        if not name.startswith("#"):
            found[name] = value
            continue
        if name[1:] in args:
            raise MethodError("invalidArguments", f"{name[1:]} is given twice")
        source = next((a for a in answers if a[2] == value["resultOf"] and a[0] == value["name"]), None)
        if source is None:
            raise MethodError("invalidResultReference")
        path = str(value["path"])
        if not path.startswith("/") or path.count("/") > 10:
            raise MethodError("invalidResultReference")
        found[name[1:]] = _walk(source[1], path.split("/")[1:])
        turn.spend(len(orjson.dumps(found[name[1:]], default=str)))
    return found


def _walk(value: Any, path: list[str]) -> Any:
    for place, step in enumerate(path):
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and name == "*":
            many = [_walk(one, path[place + 1 :]) for one in value]
            return [item for one in many for item in (one if isinstance(one, list) else [one])]
        try:
            value = value[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise MethodError("invalidResultReference") from None
    return value


def chosen(shown: dict[str, Any], args: dict[str, Any]) -> dict[str, Any]:
    """The properties that are asked for, and the id."""
    wanted = args.get("properties")
    return shown if wanted is None else {name: value for name, value in shown.items() if name == "id" or name in wanted}


def ids_of(args: dict[str, Any], name: str = "ids") -> list[str]:
    """Raises MethodError for too many."""
    ids = args.get(name) or []
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise MethodError("invalidArguments", f"{name} is a list of ids")
    if len(ids) > 500:
        raise MethodError("requestTooLarge")
    return list(dict.fromkeys(ids))
