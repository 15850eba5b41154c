"""Keys of devices, agents and services: claimed by a person's key on proof, handed on, released.

The claim is kept in the rule of the claimed key's own folder, so every read path knows of it, and a change of it is one drop of the log.
"""

from __future__ import annotations

import secrets
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import claims, keys
from ocean.core.access import Claim, private_owner
from ocean.core.accounts import is_address, is_public_id
from ocean.core.changes import Op
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.access import people
from ocean.services.data.writing import write
from ocean.store import passes
from ocean.store.passes import Pass
from ocean.store.reader import now
from ocean.store.rules import claimed_by, rule_of

_KEYED = "Keys are claimed by a key."
MAX_CLAIMED = 10_000  # keys of one owner
_LIVES = 300_000  # milliseconds of a challenge
_CHALLENGE = "claim"


async def challenge(ocean: Ocean, caller: Caller, *, key: str) -> dict[str, Any]:
    """What a key signs to be claimed by the caller, within five minutes: `message`, as UTF-8."""
    owner, device = caller.required(_KEYED), _public(key)
    ocean.paces.claims.spend_each(caller.holders)
    nonce, until = secrets.token_urlsafe(24), now() + _LIVES
    await ocean.log.transact(passes.put(_CHALLENGE, nonce, Pass(device, owner, until)))
    return {"challenge": nonce, "message": _message(owner, device, nonce), "expires_at": show_time(until)}


async def claim(
    ocean: Ocean, caller: Caller, *, key: str, label: str = "", type: str = "device", challenge: str | None = None,
    signature: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Makes a key the caller's, on proof: `key` is its secret, or its public half with a challenge that it has signed.

    Raises FORBIDDEN without proof, CONFLICT where somebody else has claimed it.
    """
    owner, device = caller.required(_KEYED), _public(key)
    if device == owner:
        raise OceanError("INVALID_VALUE", "A key can't be claimed by itself.")
    _check_words(label, type)
    if not key.startswith(keys.SECRET_PREFIX):
        await _check_signed(ocean, owner, device, challenge, signature)
    if len(await claimed_by(ocean.engine, owner, MAX_CLAIMED)) >= MAX_CLAIMED:
        raise OceanError("LIMIT_REACHED", f"A key has claimed at most {MAX_CLAIMED} others.")
    alter = claims.claim(device, Claim(owner, label, type, now()))
    await write(ocean, Caller(device, caller.ip), [Op("access", device, alter=alter)])
    return await _shown(ocean, device)


async def claimed(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The keys that the caller has claimed."""
    rows = await claimed_by(ocean.engine, caller.required(_KEYED), MAX_CLAIMED)
    found = [_told(route, rule.claim) for route, text in rows if (rule := rule_of(text)) is not None and rule.claim is not None]
    return {"keys": found, "count": len(found)}


async def owner(ocean: Ocean, caller: Caller, *, key: str) -> dict[str, Any]:
    """Who has claimed a key."""
    device = _public(key)
    found = await _claim_of(ocean, device)
    return {"key": device, "claimed": found is not None, "owner": found.by if found else None}


async def relabel(ocean: Ocean, caller: Caller, *, key: str, label: str | None = None, type: str | None = None) -> dict[str, Any]:
    """Gives a claimed key another label or type."""
    who, device = caller.required(_KEYED), _public(key)
    if label is None and type is None:
        raise OceanError("INVALID_VALUE", "Nothing is said to change.", "Give a label or a type.")
    _check_words(label or "", type or "device")
    await _change(ocean, caller, device, claims.relabel(device, who, label, type), closes=False)
    return await _shown(ocean, device)


async def transfer(ocean: Ocean, caller: Caller, *, key: str, to: str) -> dict[str, Any]:
    """Hands a claimed key to another: from that moment on the old owner, and whom they let in, have nothing of it."""
    who, device = caller.required(_KEYED), _public(key)
    if is_address(to) or is_public_id(to):
        raise OceanError("INVALID_VALUE", "A key is handed to a @handle or a public key: its owner is told to all.", "Such as @alice.")
    new = await people.find(ocean, to, caller)
    await _change(ocean, caller, device, claims.transfer(device, who, new, now()))
    return await _shown(ocean, device)


async def release(ocean: Ocean, caller: Caller, *, key: str) -> dict[str, Any]:
    """Gives a claimed key up; it has what is its own as before."""
    who, device = caller.required(_KEYED), _public(key)
    await _change(ocean, caller, device, claims.release(device, who))
    return {"key": device, "released": True}


async def _change(ocean: Ocean, caller: Caller, device: str, alter: claims.Alter, *, closes: bool = True) -> None:
    """`closes`: what was granted by who had it is granted no more, from the same moment on."""
    if await _claim_of(ocean, device) is None:
        raise OceanError("NOT_FOUND", f"Nobody has claimed the key {device!r}.")
    closing = await _closing(ocean, device) if closes else []
    try:
        await write(ocean, caller, [*closing, Op("access", device, alter=alter)])
    except OceanError as fault:
        if fault.code == "FORBIDDEN":
            raise claims.not_mine(device) from None
        raise
    if closes and (left := await _closing(ocean, device)):  # what was shared in between
        await write(ocean, Caller(device, caller.ip), left)


async def _closing(ocean: Ocean, device: str) -> list[Op]:
    """What takes back all that was shared of folders in the key's own."""
    _, at = await ocean.reader.rules_now(device)
    return [Op("access", folder, alter=lambda rule: None) for folder, _ in await ocean.reader.closed_beneath(device, None, at)]


async def _claim_of(ocean: Ocean, device: str) -> Claim | None:
    rule = (await ocean.reader.rules(device)).get(device)
    return rule.claim if rule is not None else None


async def _shown(ocean: Ocean, device: str) -> dict[str, Any]:
    found = await _claim_of(ocean, device)
    if found is None:
        raise OceanError("NOT_FOUND", f"Nobody has claimed the key {device!r}.")
    return _told(device, found)


def _told(device: str, claim: Claim) -> dict[str, Any]:
    return {"key": device, "owner": claim.by, "label": claim.label, "type": claim.type, "claimed_at": show_time(claim.at)}


def _public(key: str) -> str:
    device = keys.identity(key)
    if private_owner(device) != device:
        raise OceanError("INVALID_VALUE", f"{key[:60]!r} is no public key (43 characters).")
    return device


def _check_words(label: str, type_: str) -> None:
    for text, most, name in ((label, claims.LABEL_MOST, "label"), (type_, claims.TYPES_MOST, "type")):
        if len(text) > most or not text.isprintable():
            raise OceanError("INVALID_VALUE", f"A {name} is a line of at most {most} characters.")


def _message(owner: str, device: str, nonce: str) -> str:
    return f"infinite-ocean claim\n{device}\n{owner}\n{nonce}"


async def _check_signed(ocean: Ocean, owner: str, device: str, challenge: str | None, signature: str | None) -> None:
    if challenge is None or signature is None:
        hint = "Give the key's secret, or a challenge (POST /key/challenge) that it has signed, with the signature."
        raise OceanError("FORBIDDEN", "A key is claimed on proof, and its public half is none.", hint)
    found: list[Pass] = []
    await ocean.log.transact(passes.taken(_CHALLENGE, challenge, found))
    given = next((one for one in found if (one.of, one.who) == (device, owner)), None)
    if given is None or not keys.verify(device, _message(owner, device, challenge).encode(), signature):
        raise OceanError("FORBIDDEN", "The signature does not prove that the key is yours.", "Ask for a new challenge: each is good once.")
