"""Accounts without passwords: a link by mail makes, or finds, the key of an address; an app's own key where the link leads to that app."""

from __future__ import annotations

import logging
import secrets
from typing import Any
from urllib.parse import quote

import orjson

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import accounts as names
from ocean.core import keys
from ocean.core.payloads import dumps, loads
from ocean.errors import OceanError
from ocean.services.access import people
from ocean.services.mail import outbox
from ocean.services.mail.outbox import Message
from ocean.store import accounts, passes
from ocean.store.accounts import PERSONAL, Account
from ocean.store.engine import Steps, locked
from ocean.store.passes import Pass
from ocean.store.reader import now

LIVES = 900_000  # milliseconds of a link
_LINGERS = 86_400_000  # and how long it is known to have been one
_KIND = "sign-in"
MAX_HANDLES = 5  # of one account, those of old among them
log = logging.getLogger("ocean.accounts")


async def login(
    ocean: Ocean, caller: Caller, *, email: str, callback_url: str | None = None, app_name: str | None = None, subject: str | None = None,
    next: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Sends a link that signs in whoever reads mail at that address. The same answer, and the same work, whether or not it has an account.

    Raises INVALID_EMAIL, AUTH_RATE_LIMITED.
    """
    address = names.canonical_email(email)
    host = names.check_callback(callback_url) if callback_url is not None else None
    app = names.check_line(app_name, names.MAX_NAME, "app_name") if app_name is not None else None
    titled = names.check_line(subject, names.MAX_TITLE, "subject") if subject is not None else f"Sign in to {app or 'Infinite Ocean'}"
    onward = names.check_next(next) if next is not None else None
    secret = secrets.token_urlsafe(32)
    link = _link(ocean, secret, callback_url)
    told = {"email": address, "audience": _audience(ocean, host), "next": onward, "until": now() + LIVES}
    given = Pass(dumps(told), "", now() + LIVES + _LINGERS)
    message = Message(address, titled, _letter(link, app, host))
    await outbox.queue_own(ocean, caller, _KIND, message, passes.put(_KIND, secret, given))
    if host is None and _in_development(ocean):
        log.warning("sign-in link for %s: %s", address, link)
    return {"sent": True}


def _in_development(ocean: Ocean) -> bool:
    """A server without a public name, which only its own machine reaches: whoever reads its log is who signs in."""
    return not ocean.settings["OCEAN_API_URL"] and settings.is_loopback(ocean.settings, "OCEAN_API")


def _link(ocean: Ocean, secret: str, callback: str | None) -> str:
    base = callback if callback is not None else f"{settings.api_url(ocean.settings)}/auth/verify"
    return f"{base}{'&' if '?' in base else '?'}token={quote(secret)}"


def _letter(link: str, app: str | None, host: str | None) -> str:
    name = app or "Infinite Ocean"
    where = f"The link leads to {host}, which gets a key that is good for {host} alone.\n\n" if host else ""
    return (
        f"Sign in to {name}\n\nOpen this link within 15 minutes. It can be used once.\n\n{link}\n\n{where}"
        f"If you did not ask to sign in, you need do nothing: without the link nobody gets in.\n\nAuthenticated by Infinite Ocean\n"
    )


def _audience(ocean: Ocean, host: str | None) -> str:
    trusted = {one.strip().lower() for one in ocean.settings["OCEAN_AUTH_HOSTS"].split(",") if one.strip()}
    return PERSONAL if host is None or host in trusted else f"host {host}"


async def verify(ocean: Ocean, caller: Caller, *, token: str) -> dict[str, Any]:
    """The key that a link stands for; it is used up. The account is made here, where it is new. Raises INVALID_TOKEN, TOKEN_EXPIRED."""
    found: list[Pass] = []
    made: list[Account] = []
    fresh = _fresh(ocean)
    await ocean.log.transact(locked(_verified(token, found, fresh, made)))
    if not found:
        raise OceanError("INVALID_TOKEN", "This link is none, or was used.", "Ask for a new one: POST /auth/login.")
    if not made:
        raise OceanError("TOKEN_EXPIRED", "This link is older than 15 minutes.", "Ask for a new one: POST /auth/login.")
    onward = orjson.loads(found[0].of)["next"]
    told = {"key": secret_of(ocean, made[0]), "public_id": made[0].public_id, "email": made[0].email}
    return {**told, **({"next": onward} if onward else {})}


def _verified(token: str, found: list[Pass], fresh: Account, made: list[Account]) -> Steps:
    """Of many who have the link one gets the key."""
    yield from passes.taken(_KIND, token, found)
    if not found:
        return
    told = orjson.loads(found[0].of)
    if told["until"] > now():
        yield from accounts.there_or_added(fresh._replace(email=told["email"], audience=told["audience"]), made)


async def account_for(ocean: Ocean, email: str, audience: str) -> tuple[Account, bool]:
    """The account of an address for an audience, and whether it is new. Whoever asks has proven the address, or answers for it."""
    found: list[Account] = []
    fresh = _fresh(ocean)._replace(email=email, audience=audience)
    await ocean.log.transact(locked(accounts.there_or_added(fresh, found)))
    return found[0], found[0].key == fresh.key


def _fresh(ocean: Ocean) -> Account:
    pair = keys.generate()
    wrapped = ocean.master.wrap(pair.secret, f"account {pair.public}")
    return Account(pair.public, "", "", wrapped, secrets.token_hex(6), "{}", now())


def secret_of(ocean: Ocean, account: Account) -> str:
    """The secret key of an account, which is for its holder alone."""
    return ocean.master.unwrap(account.secret, f"account {account.key}")


async def resolve(ocean: Ocean, caller: Caller, *, email: str) -> dict[str, Any]:
    """Without a key: whether an account is there, `{is_new, public_id?}`. With a developer's: the key that the address has for them alone,
    `{ocean_key, public_id, is_new}`. Raises INVALID_EMAIL, AUTH_RATE_LIMITED."""
    address = names.canonical_email(email)
    if caller.key is None:
        ocean.paces.probes.spend(caller.holder)
        there = await accounts.by_email(ocean.engine, address, PERSONAL)
        return {"is_new": there is None, **({"public_id": there.public_id} if there else {})}
    developer = caller.required("Resolving needs a developer's key.")
    ocean.paces.resolves.spend_each(caller.holders)
    account, new = await account_for(ocean, address, f"key {developer}")
    return {"ocean_key": secret_of(ocean, account), "public_id": account.public_id, "is_new": new}


async def me(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The account that the caller's key came by."""
    return await _shown(ocean, await _own(ocean, caller))


async def change(ocean: Ocean, caller: Caller, *, handle: str | None = None, profile: dict[str, Any] | None = None) -> dict[str, Any]:
    """Takes a handle, and says what others may know of its holder. Raises CONFLICT where the handle is another's."""
    account = await _own(ocean, caller)
    if handle is None and profile is None:
        raise OceanError("INVALID_VALUE", "Nothing is said to change.", "Give a handle or a profile.")
    text = names.check_profile(profile) if profile is not None else None
    if handle is not None:
        await _take(ocean, account, names.check_handle(handle))
    if text is not None:
        await ocean.log.put(accounts.PUT_PROFILE, [(text, account.key)])
    return await _shown(ocean, account._replace(profile=text or account.profile))


async def _take(ocean: Ocean, account: Account, name: str) -> None:
    if account.audience != PERSONAL:
        raise OceanError("FORBIDDEN", "This key is of one app alone: it has no handle.", "Sign in without a callback.")
    refused: list[str] = []
    await ocean.log.transact(locked(accounts.handle_taken(name, account.key, now(), MAX_HANDLES, refused)))
    if refused == ["taken"]:
        raise OceanError("CONFLICT", f"The handle @{name} is another's.", "Choose another.")
    if refused:
        raise OceanError("LIMIT_REACHED", f"An account has had at most {MAX_HANDLES} handles; it can go back to one of them.")


async def _own(ocean: Ocean, caller: Caller) -> Account:
    key = caller.required("An account belongs to a key.")
    account = await accounts.by_key(ocean.engine, key)
    if account is None:
        raise OceanError("NOT_FOUND", "This key came by no sign-in: it has no account.", "Sign in: POST /auth/login.")
    return account


async def _shown(ocean: Ocean, account: Account) -> dict[str, Any]:
    return {
        "email": account.email, "key": account.key, "tier": "authenticated", "public_id": account.public_id,
        **await people.handle(ocean, account.key), "profile": loads(account.profile),
        **({"audience": account.audience.partition(" ")[2]} if account.audience else {}),
    }  # fmt: skip
