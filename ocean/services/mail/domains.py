"""Domains of one's own for mail: claimed for io, proven by what DNS says, and the records that make mail arrive, each looked at live."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ocean import settings
from ocean.context import Caller, Ocean
from ocean.core import domains as names
from ocean.core import mail
from ocean.core.drop import show_time
from ocean.core.senders import policy_of, tags_of
from ocean.egress.dns import DnsError
from ocean.errors import OceanError
from ocean.services.mail import mailboxes, signing
from ocean.services.mail.mailboxes import paid
from ocean.store import mail as rows
from ocean.store.engine import locked
from ocean.store.ledger import Book, Course, Move
from ocean.store.mail import LIVE, WAITING, MailDomain, domain_id
from ocean.store.reader import now

MAX_DOMAINS = 50  # of one key
PROOF_AT = "_ocean-mail"
_KEYED = "A domain for mail belongs to a key."


class Wanted(NamedTuple):
    """A record to set: `needed` where no mail comes, or is believed, without it."""

    type: str
    name: str
    value: str
    what: str
    needed: bool


async def add(ocean: Ocean, caller: Caller, *, domain: str, mailbox: str | None = None) -> dict[str, Any]:
    """Registers a domain whose mail is to come into a mailbox of the caller's, for OCEAN_MAIL_DOMAIN_COST io; with the records to set.

    Asked again it costs nothing, and leads it to another mailbox. Raises INVALID_VALUE, NOT_FOUND, LIMIT_REACHED, RATE_LIMITED.
    """
    owner, name = caller.required(_KEYED), _canonical(ocean, domain)
    if not ocean.settings["OCEAN_MAIL_DOMAIN"]:
        raise OceanError("NOT_AVAILABLE", "This server has no mail domain yet.", "Its operator sets OCEAN_MAIL_DOMAIN.")
    ocean.paces.domains.spend_each(caller.holders)
    chosen = await _box(ocean, owner, mailbox) if mailbox is not None else None
    first = chosen or await _box(ocean, owner, None)
    full = int(ocean.settings["OCEAN_MAIL_DOMAIN_COST"])
    claim = MailDomain(domain_id(name, owner), name, owner, first, WAITING, now(), None)

    def course(book: Book) -> Course:
        there = yield rows.domain_there(claim.id)
        if there:
            if chosen is not None:
                yield rows.domain_led(claim.id, chosen)
            return {"cost": 0}
        ((count,),) = yield rows.domains_count(owner)
        if count >= MAX_DOMAINS:
            raise OceanError("LIMIT_REACHED", f"One key has at most {MAX_DOMAINS} domains for mail.")
        yield from paid(ocean, book, owner, full, f"domain {name}")
        yield from rows.domain_put(claim)
        return {"cost": full}

    told = await ocean.ledger.append(Move(course))
    return await _shown(ocean, await rows.domain_of(ocean.engine, name, owner) or claim, cost=int(told["cost"]))


async def verify(ocean: Ocean, caller: Caller, *, domain: str) -> dict[str, Any]:
    """Looks at DNS now: with the proof there the domain is live for the caller, and for nobody else from then on. Raises NOT_FOUND."""
    claim = await _own(ocean, caller, domain)
    ocean.paces.domains.spend_each(caller.holders)
    told = await _shown(ocean, claim)
    if told["proven"] and claim.state != LIVE:
        await ocean.log.transact(locked(rows.domain_proven(claim)))
        claim = await rows.domain_of(ocean.engine, claim.name, claim.owner) or claim
        told |= {"state": claim.state, "verified": claim.state == LIVE}
    return told


async def remove(ocean: Ocean, caller: Caller, *, domain: str) -> dict[str, Any]:
    """Gives a domain up: no mail for it is taken any more. Raises NOT_FOUND."""
    claim = await _own(ocean, caller, domain)
    await ocean.log.transact(rows.domain_removed(claim))
    return {"deleted": True, "domain": claim.name}


async def mine(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The caller's domains and mailboxes."""
    owner = caller.required(_KEYED)
    found = await rows.domains_of(ocean.engine, owner)
    shown = [
        {
            "domain": one.name,
            "state": one.state,
            "verified": one.state == LIVE,
            "mailbox": one.mailbox,
            "created_at": show_time(one.created_at),
        }
        for one in found
    ]
    return {"domains": shown, **await mailboxes.claimed(ocean, caller), "count": len(shown)}


async def _own(ocean: Ocean, caller: Caller, domain: str) -> MailDomain:
    claim = await rows.domain_of(ocean.engine, names.canonical(domain), caller.required(_KEYED))
    if claim is None:
        raise OceanError("NOT_FOUND", f"There is no domain {domain[:80]!r} of yours for mail.", "POST /mail/domain adds one.")
    return claim


def _canonical(ocean: Ocean, domain: str) -> str:
    """Raises INVALID_VALUE for what is no domain, and for this server's own names."""
    name, own = names.canonical(domain), mailboxes.domain(ocean)
    if name == own or name.endswith(f".{own}"):
        raise OceanError("INVALID_VALUE", f"{name} is a name of this server's own.", "A name beneath it is claimed: POST /mail/claim.")
    return name


async def _box(ocean: Ocean, owner: str, given: str | None) -> str:
    """The mailbox that a domain's mail is to come into: the one that is named, else the owner's first. Raises NOT_FOUND, FORBIDDEN."""
    if given is None:
        own = await rows.mailboxes_of(ocean.engine, owner)
        if not own:
            raise OceanError("FORBIDDEN", "This key has no mailbox for the domain's mail to come into.", "Claim one: POST /mail/claim.")
        return own[0].name
    found = await rows.mailbox(ocean.engine, mail.check_name(given, reserved=True))
    if found is None or found.owner != owner:
        raise OceanError("NOT_FOUND", f"There is no mailbox {given[:60]!r} of yours.", "GET /mail/my-domains lists them.")
    return found.name


def _proof(ocean: Ocean, claim: MailDomain) -> str:
    return f"ocean-mail={base64.b32encode(ocean.master.derived(f'mail domain {claim.id}', 20)).decode().lower()}"


async def _shown(ocean: Ocean, claim: MailDomain, cost: int | None = None) -> dict[str, Any]:
    """A domain with its records, each as DNS has it now."""
    host = settings.mail_host(ocean.settings)
    proof = Wanted("TXT", f"{PROOF_AT}.{claim.name}", _proof(ocean, claim), "proves that the domain is yours", True)
    checked = await asyncio.gather(*(check(ocean, one) for one in (proof, *await wanted(ocean, claim.name, host))))
    told: dict[str, Any] = {"domain": claim.name, "mailbox": claim.mailbox, "state": claim.state, "verified": claim.state == LIVE}
    told |= {"proven": checked[0]["there"], "dns": list(checked)}
    return told if cost is None else {**told, "cost": cost}


async def wanted(ocean: Ocean, domain: str, host: str) -> list[Wanted]:
    """What makes mail of a domain come here, and go out believed."""
    base = mailboxes.domain(ocean)
    records = [
        Wanted("MX", domain, f"10 {host}.", "mail for the domain comes here", True),
        Wanted(
            "TXT",
            domain,
            f"v=spf1 include:{base} ~all" if domain != base else "v=spf1 mx a ~all",
            "this server may send for it (SPF)",
            True,
        ),
        Wanted(
            "TXT", f"_dmarc.{domain}", f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{base}", "what fails is not from you (DMARC)", True
        ),
    ]
    for selector, value in (await signing.records(ocean)).items():
        name = f"{selector}._domainkey"
        own = domain == base
        records.append(
            Wanted(
                "TXT" if own else "CNAME", f"{name}.{domain}", value if own else f"{name}.{base}.", "what is sent is signed (DKIM)", True
            )
        )
    reports = f"v=TLSRPTv1; rua=mailto:postmaster@{base}"
    records.append(Wanted("TXT", f"_smtp._tls.{domain}", reports, "reports of mail that came by no TLS", False))
    where = settings.listener(ocean.settings, "OCEAN_SUBMISSIONS")
    if where is not None:
        service = f"0 1 {where[1]} {host}."
        records.append(Wanted("SRV", f"_submissions._tcp.{domain}", service, "mail programs find where to send (RFC 8314)", False))
    api = urlsplit(settings.api_url(ocean.settings))
    if api.scheme == "https" and api.hostname:
        service = f"0 1 {api.port or 443} {api.hostname}."
        records.append(Wanted("SRV", f"_jmap._tcp.{domain}", service, "mail programs find where to read (RFC 8620)", False))
    return records


async def check(ocean: Ocean, record: Wanted) -> dict[str, Any]:
    """A record with what DNS says of it: whether it is there, and where it is not what is to be changed."""
    told: dict[str, Any] = {"type": record.type, "name": record.name, "value": record.value, "what": record.what, "needed": record.needed}
    try:
        found = await _FINDERS[record.type](ocean, record.name)
        there, says = _judge(record, found)
    except DnsError as fault:
        there, says = False, str(fault)
    return {**told, "there": there, **({"change": says} if says else {})}


async def _texts(ocean: Ocean, name: str) -> list[str]:
    return [text.decode("ascii", "replace") for text in await ocean.dns.texts(name)]


async def _exchanges(ocean: Ocean, name: str) -> list[str]:
    return [host for _, host in sorted(await ocean.dns.exchanges(name))]


async def _targets(ocean: Ocean, name: str, kind: str) -> list[str]:
    return [str(record.target).rstrip(".").lower() for record in await ocean.dns.answer(name, kind)]


async def _services(ocean: Ocean, name: str) -> list[str]:
    return [f"{record.port} {str(record.target).rstrip('.').lower()}" for record in await ocean.dns.answer(name, "SRV")]


_FINDERS: dict[str, Callable[[Ocean, str], Awaitable[list[str]]]] = {
    "TXT": _texts, "MX": _exchanges, "SRV": _services, "CNAME": partial(_targets, kind="CNAME"), "PTR": partial(_targets, kind="PTR"),
}  # fmt: skip


def _judge(record: Wanted, found: list[str]) -> tuple[bool, str]:
    """Whether a record does what it is for, however it is written, and what to change where it does not."""
    value = record.value.rstrip(".")
    if not found:
        return False, "It is not there: add it."
    if record.type == "MX":
        host = value.partition(" ")[2]
        others = [one for one in found if one != host]
        if host not in found:
            return False, f"Mail goes to {', '.join(others)[:200]}: point it here."
        return (
            (True, "")
            if found[0] == host
            else (False, f"Mail goes to {found[0]} first: take that record away, or give it a higher number.")
        )
    if record.type == "SRV":
        port, host = value.split(" ")[2:]
        return (True, "") if f"{port} {host}" in found else (False, f"It says {found[0][:200]}.")
    if record.type in ("CNAME", "PTR") or record.value.startswith("ocean-mail="):
        return (True, "") if value in found else (False, f"It says {found[0][:200]}: replace it.")
    return _judge_text(value, found)


def _judge_text(value: str, found: list[str]) -> tuple[bool, str]:
    kind = value.split(";")[0].split(" ")[0]
    same = [text for text in found if text.lower().startswith(kind.lower())]
    if not same:
        return False, "There are other TXT records, and not this one: add it."
    if len(same) > 1 and kind != "v=DKIM1":
        return False, f"There are {len(same)} of its kind, and then none counts: leave one."
    if kind == "v=spf1":
        parts = value.split(" ")[1:-1]
        missing = [part for part in parts if part not in same[0].lower().split()]
        return (True, "") if not missing else (False, f"It is {same[0][:200]!r}: put {' '.join(missing)} in front of its end.")
    if kind == "v=DMARC1":
        return (True, "") if policy_of([same[0].encode()], beneath=False) is not None else (False, "It can't be read.")
    if kind == "v=DKIM1":
        keys = [tags_of(text).get("p", "") for text in same]
        return (True, "") if tags_of(value)["p"] in keys else (False, "It has another key: replace it.")
    return True, ""
