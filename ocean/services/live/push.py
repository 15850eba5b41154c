"""Web push: notifications to browsers of a key, sent by others or for folders that it follows.

Messages are sealed for the browser alone (RFC 8291) and signed as this server's (VAPID, RFC 8292). A folder that is followed is a hook
whose address is PUSH; what is sent to a key is a delivery whose address is PUSH and the key.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson
import uuid_utils
from cryptography.hazmat.primitives.asymmetric import ec

from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.core.push import check_message
from ocean.core.routes import check_prefix, check_route
from ocean.errors import OceanError
from ocean.services.access.reading import require_read
from ocean.services.live.calls import queue
from ocean.services.live.vapid import public_key, wrapped
from ocean.store import browsers, hooks
from ocean.store.browsers import Browser
from ocean.store.hooks import PUSH, Hook
from ocean.store.reader import now

MAX_BROWSERS = 20  # of one key
MAX_ELSEWHERE = 3  # of them at one host that is no known push service: nobody's server is called twenty times by one message
_SERVICES = ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com")
MAX_FOLDERS = 100  # that one key follows


async def vapid_key(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """What a browser subscribes with."""
    return {"publicKey": public_key(ocean.master)}


async def subscribe(
    ocean: Ocean, caller: Caller, *, prefix: str | None = None, endpoint: str | None = None, keys: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Follows a folder (`prefix`), or adds a browser (`endpoint`, `keys`). Raises INVALID_VALUE, FORBIDDEN, LIMIT_REACHED."""
    owner = caller.required("Notifications need a key.")
    if (prefix is None) == (endpoint is None):
        raise OceanError("INVALID_VALUE", "Subscribe a browser (endpoint and keys), or to a folder (prefix).")
    if prefix is not None:
        return await _follow(ocean, caller, owner, prefix)
    address = ocean.egress.check(endpoint or "")
    target = wrapped(ocean.master, owner, str(address), _checked(keys))
    new = Browser(str(uuid_utils.uuid7()), owner, hashlib.sha256(str(address).encode()).hexdigest(), target, address.host or "", now())
    full = OceanError("LIMIT_REACHED", f"One key has at most {MAX_BROWSERS} browsers.", "Take one away: push unsubscribe.")
    kept: list[str] = []
    elsewhere = MAX_BROWSERS if any(new.host == host or new.host.endswith("." + host) for host in _SERVICES) else MAX_ELSEWHERE
    await ocean.log.transact(browsers.added(new, MAX_BROWSERS, elsewhere, full, kept))
    return {"id": kept[0], "kind": "browser", "host": new.host}


async def _follow(ocean: Ocean, caller: Caller, owner: str, prefix: str) -> dict[str, Any]:
    route = check_route(check_prefix(prefix)[0])
    await require_read(ocean, caller, route, "stream")
    there = next((hook for hook in await hooks.hooks_of(ocean.engine, owner, PUSH) if hook.prefix == route), None)
    if there is None:
        there = Hook(str(uuid_utils.uuid7()), owner, route, PUSH, "", 1, 0, "", now(), 0)
        full = OceanError("LIMIT_REACHED", f"One key follows at most {MAX_FOLDERS} folders.", "Leave one: push unsubscribe.")
        await ocean.log.transact(hooks.added(there, MAX_FOLDERS, full))
    return _followed(there)


def _checked(keys: dict[str, Any] | None) -> dict[str, str]:
    """What a browser gave to seal messages with: a point of P-256, and 16 bytes. Raises INVALID_VALUE."""
    try:
        found = {name: _decoded((keys or {}).get(name)) for name in ("p256dh", "auth")}
        if len(found["auth"]) != 16 or len(found["p256dh"]) != 65:  # whole, as browsers give it: no short form
            raise ValueError
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), found["p256dh"])
    except ValueError:
        raise OceanError("INVALID_VALUE", "'keys' has no p256dh and auth as a browser gives them.", "Send sub.toJSON().keys.") from None
    return {name: base64.urlsafe_b64encode(raw).rstrip(b"=").decode() for name, raw in found.items()}


def _decoded(text: Any) -> bytes:
    """Raises ValueError on what is not base64url."""
    if not isinstance(text, str):
        raise ValueError
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


async def subscriptions(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's browsers, and the folders that it follows."""
    owner = caller.required("Subscriptions are their owner's.")
    found = [_shown(browser) for browser in await browsers.browsers_of(ocean.engine, owner)]
    found += [_followed(hook) for hook in await hooks.hooks_of(ocean.engine, owner, PUSH)]
    return {"subscriptions": found, "count": len(found)}


async def unsubscribe(ocean: Ocean, caller: Caller, *, id: str) -> dict[str, Any]:
    """Takes a browser away, or leaves a folder. Raises NOT_FOUND."""
    owner = caller.required("Subscriptions are their owner's.")
    if any(browser.id == id for browser in await browsers.browsers_of(ocean.engine, owner)):
        await ocean.log.transact(browsers.removed([id]))
    elif any(hook.id == id for hook in await hooks.hooks_of(ocean.engine, owner, PUSH)):
        await ocean.log.transact(hooks.removed(id))
    else:
        raise OceanError("NOT_FOUND", f"There is no subscription {id[:60]!r} of yours.", "push subscriptions lists them.")
    return {"deleted": True, "id": id}


async def send(ocean: Ocean, caller: Caller, *, message: Any) -> dict[str, Any]:
    """Queues a notification for the browsers of each key in `to`. Raises INVALID_VALUE, LIMIT_REACHED, NOT_AVAILABLE."""
    sender = caller.required("A notification needs a key: whoever gets it is told from whom it is.")
    if not ocean.settings["OCEAN_PUSH_CONTACT"]:
        hint = "The operator sets OCEAN_PUSH_CONTACT=mailto:you@example.com."
        raise OceanError("NOT_AVAILABLE", "Nothing is pushed before the operator has named a contact: push services ask for one.", hint)
    to, notification = check_message(message)
    ocean.paces.notifications.spend_each(caller.holders, len(to))
    body = orjson.dumps({**notification, "from": sender}).decode()
    ids = await queue(ocean, caller, [(f"{sender} {PUSH}{key}", PUSH + key, [body]) for key in to])
    return {"queued": len(ids), "ids": ids}


def _followed(hook: Hook) -> dict[str, Any]:
    return {"id": hook.id, "kind": "folder", "prefix": hook.prefix, "created_at": show_time(hook.created_at)}


def _shown(browser: Browser) -> dict[str, Any]:
    return {"id": browser.id, "kind": "browser", "host": browser.host, "created_at": show_time(browser.created_at)}
