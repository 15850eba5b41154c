"""Who sent a message: SPF (RFC 7208), DKIM, ARC and DMARC, by one resolver."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ocean.core import mail, senders
from ocean.core.mail import Results
from ocean.egress.dns import Dns, DnsError
from ocean.turns import household

SECONDS = 20.0  # for all of one message
OF_ONE = 3  # messages from one place that wait for name servers at a time
_THREADS = ThreadPoolExecutor(32, "authenticate")  # waits for name servers are not to hold what else is done in threads
_asked: contextvars.ContextVar[Callable[[str, str], list[Any]]] = contextvars.ContextVar("asked")


_waiting: Counter[str] = Counter()


async def authenticate(dns: Dns, raw: bytes, ip: str, helo: str, sender: str, shown: str) -> Results:
    """`sender` is the envelope's, empty for a bounce; `shown` the domain of the only From, empty where there is no such. Never raises:
    what DNS does not answer is temperror."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _authenticate(dns, raw, ip, helo, sender, shown)
    except TimeoutError:
        return Results("temperror", "temperror", "temperror")


async def _authenticate(dns: Dns, raw: bytes, ip: str, helo: str, sender: str, shown: str) -> Results:
    said_by = mail.host_of(sender) or helo.lower().rstrip(".")
    head = mail.head_of(raw).lower()
    signed = head.startswith((b"dkim-signature:", b"arc-seal:")) or b"\r\ndkim-signature:" in head or b"\r\narc-seal:" in head
    policy, beneath = await _policy(dns, shown)
    if signed:
        spf, (found, arc) = await asyncio.gather(_spf(dns, ip, helo, sender, said_by), _signatures(dns, raw, ip))
    else:
        spf, found, arc = await _spf(dns, ip, helo, sender, said_by), [], "none"
    dkim = next((one for one in ("pass", "policy", "temperror", "fail", "permerror") if any(f.result == one for f in found)), "none")
    signers = tuple(dict.fromkeys(one.domain for one in found if one.result == "pass"))
    if isinstance(policy, str):
        return Results(spf, dkim, policy, arc, "", shown, signers)
    proven = (spf == "pass" and senders.aligned(said_by, shown, strict=policy.strict_spf)) or any(
        senders.aligned(one, shown, strict=policy.strict_dkim) for one in signers
    )
    unknown = [one.domain for one in found if one.result == "temperror"] + ([said_by] if spf == "temperror" else [])
    waits = not proven and any(senders.aligned(one, shown, strict=False) for one in unknown)  # others could not prove it anyway
    return Results(spf, dkim, "pass" if proven else "temperror" if waits else "fail", arc, policy.action, beneath or shown, signers)


async def _policy(dns: Dns, shown: str) -> tuple[senders.Policy | str, str]:
    """The policy of a domain, or of the organisation above it, which is named then; or a word that says why there is none."""
    if not shown:
        return "none", ""
    try:
        own = senders.policy_of(await dns.texts(f"_dmarc.{shown}"), beneath=False)
        above = senders.organisation(shown)
        if own is not None or above == shown:
            return own or "none", ""
        return senders.policy_of(await dns.texts(f"_dmarc.{above}"), beneath=True) or "none", above
    except DnsError:
        return "temperror", ""


async def _spf(dns: Dns, ip: str, helo: str, sender: str, said_by: str) -> str:
    """In a thread only where the domain has a record at all."""
    try:
        if not ip or not said_by or not any(text.lower().startswith(b"v=spf1") for text in await dns.texts(said_by)):
            return "none"
    except DnsError:
        return "temperror"
    return str(await _apart(dns, ip, _spf_of, ip.partition("%")[0], helo, sender or f"postmaster@{helo}") or "temperror")


def _spf_of(ip: str, helo: str, sender: str) -> str:
    import spf

    spf.DNSLookup = _spf_lookup
    try:
        found = spf.query(i=ip, s=sender, h=helo, timeout=5, querytime=10).check()[0]
    except Exception:  # it raises on some that is hostile
        return "permerror"
    return str(found)


def _spf_lookup(name: str, kind: str, strict: bool = True, timeout: int = 20) -> list[Any]:
    import spf

    if kind == "SPF":  # RFC 7208, 3.1
        return []
    try:
        return [((name, kind), _plain(record, kind)) for record in _asked.get()(name, kind)]
    except DnsError as fault:
        raise spf.TempError(str(fault)) from None


def _plain(record: Any, kind: str) -> Any:
    if kind == "TXT":
        return tuple(record.strings)
    if kind == "MX":
        return record.preference, str(record.exchange).rstrip(".")
    return str(record.address) if kind in ("A", "AAAA") else str(record.target).rstrip(".")


async def _signatures(dns: Dns, raw: bytes, ip: str) -> tuple[list[Any], str]:
    found: tuple[list[Any], str] = await _apart(dns, ip, _verified, raw) or ([], "temperror")
    return found


def _verified(raw: bytes) -> tuple[list[Any], str]:
    from ocean.services.mail import signatures  # dkimpy: where something is signed

    def text(name: str) -> bytes | None:
        try:
            records = _asked.get()(name, "TXT")
        except DnsError:
            raise signatures.UnansweredError from None
        return b"".join(records[0].strings) if records else None

    return signatures.verify(raw, text)


async def _apart(dns: Dns, ip: str, work: Callable[..., Any], *args: Any) -> Any:
    """In a thread that asks for DNS here, on the loop; None where too much of one place waits already."""
    loop, house = asyncio.get_running_loop(), household(ip)
    if _waiting[house] >= OF_ONE:
        return None

    def ask(name: str, kind: str) -> list[Any]:
        try:
            return asyncio.run_coroutine_threadsafe(dns.answer(name, kind), loop).result(6)
        except TimeoutError:
            raise DnsError(name) from None

    context = contextvars.copy_context()
    context.run(_asked.set, ask)
    _waiting[house] += 1
    done = loop.run_in_executor(_THREADS, context.run, work, *args)
    done.add_done_callback(lambda _: _left(house))  # when the thread is free again, which may be later than we wait
    return await done


def _left(house: str) -> None:
    _waiting[house] -= 1
    if _waiting[house] <= 0:
        del _waiting[house]
