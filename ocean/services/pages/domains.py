"""Custom domains: claimed for a folder, proven by what DNS says, looked at again and again, and given up."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core import domains as names
from ocean.core.domains import Ours, Seen
from ocean.core.drop import show_time
from ocean.core.routes import ancestors, check_route
from ocean.errors import OceanError
from ocean.settings import domain_url, listener, view_url
from ocean.store import certificates, domains
from ocean.store.certificates import Certificate
from ocean.store.domains import GONE, LIVE, WAITING, ContestedError, Domain, domain_id
from ocean.store.reader import now

MAX_DOMAINS = 100  # of one key
FIRST, SLOWER, SELDOM = 10_000, 1.5, 6 * 3_600_000  # milliseconds until a waiting one is looked at again, times that, and at most
TRIES = 70  # looks after which one that waits is given up: two weeks
EVERY = 6 * 3_600_000  # milliseconds between looks at a live one
FAILING, LET_GO = 3_600_000, 3 * 86_400_000  # between looks at one that leads elsewhere, and until it is served no more
SILENT = 600_000  # until one is looked at again for which DNS did not answer
_LISTED = 5  # waiting ones that are looked at for one list
_KEYED = "Domains belong to a key, and none was given."


async def add(ocean: Ocean, caller: Caller, *, domain: str, route: str) -> dict[str, Any]:
    """Claims a domain for a folder and looks at once whether it is proven; asked again, it looks again, or points it elsewhere.

    Raises INVALID_VALUE, FORBIDDEN, LIMIT_REACHED, and CONFLICT where another key has it live and the caller has not proven more.
    """
    owner = caller.required(_KEYED)
    name = _canonical(ocean, domain)
    route = await _own_folder(ocean, caller, route)
    _spend(ocean, caller)
    claim = _claim(name, owner, route)
    look = await _own_look(ocean, caller, claim)
    await _refuse_held(ocean, look)
    full = OceanError("LIMIT_REACHED", f"One key has at most {MAX_DOMAINS} domains.", "Take one away: domain remove.")
    await ocean.log.transact(domains.claimed(claim, MAX_DOMAINS, full))
    return await _settle(ocean, look)


async def check(ocean: Ocean, caller: Caller, *, domain: str) -> dict[str, Any]:
    """Looks at a domain now. Raises NOT_FOUND."""
    claim = await _own(ocean, caller, domain)
    _spend(ocean, caller)
    look = await _own_look(ocean, caller, claim)
    return await _settle(ocean, look) if claim.state == WAITING else await _shown(ocean, claim, look)


async def list_(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's domains; those that wait with what DNS says of them now."""
    owner = caller.required(_KEYED)
    found = await domains.domains_of(ocean.engine, owner)
    waiting = [one for one in found if one.state == WAITING][:_LISTED]
    if waiting:
        _spend(ocean, caller, len(waiting))
    looks = dict(zip((one.id for one in waiting), await asyncio.gather(*(_own_look(ocean, caller, one) for one in waiting)), strict=True))
    shown = [await _shown(ocean, one, looks.get(one.id)) for one in found]
    return {"domains": shown, "count": len(shown)}


async def remove(ocean: Ocean, caller: Caller, *, domain: str) -> dict[str, Any]:
    """Gives a domain up: it is served no more, and its certificate's key is destroyed. Raises NOT_FOUND."""
    claim = await _own(ocean, caller, domain)
    await ocean.log.transact(domains.ended(claim, GONE, "", whatever=True))
    return {"deleted": True, "domain": claim.name}


async def look_again(ocean: Ocean, claim: Domain) -> None:
    """What a domain is looked at for when it is due: one that waits may be proven, one that is live may lead elsewhere by now."""
    if claim.state == LIVE:
        await _look_after(ocean, claim)
    elif claim.attempts >= TRIES:
        await ocean.log.transact(domains.ended(claim, GONE, "It was not proven in time."))
    else:
        await _settle(ocean, await _look(ocean, claim), claim.attempts + 1, displaces=False)


async def _look_after(ocean: Ocean, claim: Domain) -> None:
    """A live one stays so for days though it leads elsewhere: DNS is edited by people. Its proof may be gone by now, that was read once."""
    seen, ours, moment = await ocean.dns.look(claim.name), await _ours(ocean), now()
    if fault := seen.fault or ours.fault:
        steps = domains.looked(claim, 0, moment + SILENT, fault, claim.failing_at)
    elif names.leads_here(seen, ours):
        steps = domains.looked(claim, 0, moment + EVERY, "")
    else:
        says = names.lacks(claim.name, seen, ours, "", strict=False)
        since = claim.failing_at or moment
        if since + LET_GO < moment:
            steps = domains.ended(claim, WAITING, f"It led elsewhere for days. {says}", moment + FAILING)
        else:
            steps = domains.looked(claim, 0, moment + FAILING, says, since)
    await ocean.log.transact(steps)


class Look:
    """A claim, and what DNS and the store say of it at one moment."""

    def __init__(self, claim: Domain, seen: Seen, ours: Ours, token: str, *, strict: bool) -> None:
        self.claim, self.seen, self.ours, self.token, self.strict = claim, seen, ours, token, strict

    @property
    def lacks(self) -> str:
        return names.lacks(self.claim.name, self.seen, self.ours, self.token, strict=self.strict)

    @property
    def instead(self) -> list[dict[str, Any]]:
        """What to set where the name can have no alias, which DNS has not said yet."""
        if self.seen.apex or self.seen.aliases or self.seen.addresses:
            return []
        records = [one._asdict() for one in names.by_address(self.claim.name, self.seen, self.ours, self.token)]
        return [] if records == self.records else records

    @property
    def records(self) -> list[dict[str, Any]]:
        return [one._asdict() for one in names.wanted(self.claim.name, self.seen, self.ours, self.token, strict=self.strict)]


async def _own_look(ocean: Ocean, caller: Caller, claim: Domain) -> Look:
    """For a caller, who takes turns with themselves: names that don't answer are nobody else's."""
    async with ocean.turns.of(*caller.holders):
        return await _look(ocean, claim)


async def _look(ocean: Ocean, claim: Domain) -> Look:
    ours, seen = await _ours(ocean), await ocean.dns.look(claim.name)
    strict = await domains.contested(ocean.engine, claim.name, claim.owner)
    there = await domains.domain(ocean.engine, claim.name, claim.owner)
    about = f"domain {claim.id} {there.round if there is not None else 0}"
    token = base64.b32encode(ocean.master.derived(about, 20)).decode().lower()
    return Look(claim, seen, ours, token, strict=strict)


async def _ours(ocean: Ocean) -> Ours:
    """Where domains have to lead to."""
    host = urlsplit(view_url(ocean.settings)).hostname or ""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return await ocean.dns.ours(host.lower())
    if address.is_unspecified:
        return Ours("", frozenset(), "This server has no public address that a domain could lead to: its operator sets OCEAN_VIEW_URL.")
    return Ours("", frozenset((str(address),)))


async def _settle(ocean: Ocean, look: Look, attempts: int = 0, *, displaces: bool = True) -> dict[str, Any]:
    """Makes a claim live where nothing is lacking; else notes what is, and looks again the sooner the fewer `attempts` there were.

    Another's live claim gives way to somebody who asks (`displaces`), never to a look that nobody asked for.
    """
    claim, lacks, moment = look.claim, look.lacks, now()
    if not lacks:
        try:
            await ocean.log.transact(domains.proven(claim, moment + EVERY, moment, strict=look.strict, displaces=displaces))
        except ContestedError:
            return await _settle(ocean, await _look(ocean, claim), attempts, displaces=displaces)
    else:
        wait = min(SELDOM, int(FIRST * SLOWER**attempts))
        await ocean.log.transact(domains.looked(claim, attempts, moment + wait, lacks))
    return await _shown(ocean, await domains.domain(ocean.engine, claim.name, claim.owner) or claim, look)


async def _refuse_held(ocean: Ocean, look: Look) -> None:
    """Raises CONFLICT where another key has the name live, and the caller has not proven that it is theirs now."""
    held = await domains.live(ocean.engine, look.claim.name)
    if held is None or held.owner == look.claim.owner or not look.lacks:
        return
    raise OceanError(
        "CONFLICT", f"The domain {look.claim.name} is another key's.",
        "If it is yours now, prove it: set the records in 'dns', and ask again.", dns=look.records,
    )  # fmt: skip


def _claim(name: str, owner: str, route: str) -> Domain:
    moment = now()
    return Domain(domain_id(name, owner), name, owner, route, WAITING, moment, None, None, moment + FIRST, 0, "", 0, 0)


def _canonical(ocean: Ocean, domain: str) -> str:
    """Raises INVALID_VALUE for what is no domain, and for this server's own names."""
    name = names.canonical(domain)
    for setting in ("OCEAN_VIEW_URL", "OCEAN_API_URL"):
        own = (urlsplit(ocean.settings[setting]).hostname or "").lower()
        if own and names.beneath(name, own):
            raise OceanError("INVALID_VALUE", f"{name} is a name of this server's own.", "Add a domain that is yours.")
    return name


async def _own_folder(ocean: Ocean, caller: Caller, route: str) -> str:
    """The checked route of a folder that is the caller's: whoever writes in it publishes on the domain. Raises FORBIDDEN, NOT_FOUND."""
    route = check_route(route)
    rules = await ocean.reader.rules(route)
    if access.is_admin(route, caller.key, rules):
        return route
    if access.owners(ancestors(route), rules)[-1] is not None:
        raise OceanError("FORBIDDEN", f"The folder {route!r} is another key's.", "Its owner can add a domain for it.")
    if any(rule is not None for rule in rules.values()):
        hint = "Publish in a folder of your own."
        raise OceanError("FORBIDDEN", f"The folder {route!r} was left open: whoever writes there would publish on your domain.", hint)
    raise OceanError("NOT_FOUND", f"There is nothing in {route!r} yet, so it is nobody's.", "Save or publish something there first.")


async def _own(ocean: Ocean, caller: Caller, domain: str) -> Domain:
    claim = await domains.domain(ocean.engine, names.canonical(domain), caller.required(_KEYED))
    if claim is None or claim.state == GONE:
        raise OceanError("NOT_FOUND", f"There is no domain {domain[:80]!r} of yours.", "domains lists them.")
    return claim


def _spend(ocean: Ocean, caller: Caller, looks: int = 1) -> None:
    ocean.paces.domains.spend_each(caller.holders, looks)


async def _shown(ocean: Ocean, claim: Domain, look: Look | None) -> dict[str, Any]:
    url = f"{domain_url(ocean.settings, claim.name)}/"
    told: dict[str, Any] = {"domain": claim.name, "route": claim.route, "state": claim.state, "url": url}
    if names.shown(claim.name) != claim.name:
        told["shown"] = names.shown(claim.name)
    if look is not None:
        told["dns"] = look.records
        if claim.state != LIVE and look.instead:
            told["or_dns"] = look.instead
    if claim.error:
        told["error"] = claim.error
    if claim.state == LIVE:
        told["certificate"] = _certificate(ocean, await certificates.certificate(ocean.engine, claim.name))
    return told


def _certificate(ocean: Ocean, found: Certificate | None) -> dict[str, Any]:
    """Its state: `off` where a proxy ends TLS, `waiting` before the first, `valid` or `expired`; with what went wrong last."""
    if listener(ocean.settings) is None:
        return {"state": "off"}
    if found is None:
        return {"state": "waiting"}
    told: dict[str, Any] = {"state": "valid" if found.holds(now()) else "expired" if found.chain else "waiting"}
    if found.ends_at is not None:
        told["until"] = show_time(found.ends_at)
    if found.renew_at is not None:
        told["renews_at"] = show_time(found.renew_at)
    if found.error:
        told |= {"error": found.error, "tried_again_at": show_time(found.due_at or 0)}
    return told
