"""The operator's own zone: what DNS has to say of the mail domain and of all the names beneath it."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import Any

from ocean import settings
from ocean.context import Ocean
from ocean.egress.dns import DnsError
from ocean.services.mail import domains, mailboxes
from ocean.services.mail.domains import Wanted

STRING = 250  # characters of one string of a TXT record (255 octets, RFC 1035, 3.3)


async def wanted(ocean: Ocean) -> list[Wanted]:
    """The mail domain's records, and the same for `*` beneath it: a name that is claimed works at once."""
    base, host = mailboxes.domain(ocean), settings.mail_host(ocean.settings)
    own = await domains.wanted(ocean, base, host)
    beneath = [
        Wanted("MX", f"*.{base}", f"10 {host}.", "mail for every mailbox comes here", True),
        Wanted("TXT", f"*.{base}", "v=spf1 mx ~all", "this server may send for every mailbox (SPF)", True),
        Wanted("TXT", f"*.{base}", "v=DMARC1; p=quarantine", "what fails is from no mailbox here (DMARC)", True),
    ]
    reports = Wanted("TXT", f"*._report._dmarc.{base}", "v=DMARC1", "others' domains may send their reports here (RFC 7489, 7.1)", False)
    return [*own, *beneath, reports, *await _reverse(ocean, host)]


async def _reverse(ocean: Ocean, host: str) -> list[Wanted]:
    """What the addresses that we send from are called: many hosts take no mail from one whose name does not lead back to it."""
    try:
        addresses = await ocean.dns.addresses(host)
    except DnsError:
        return []
    says = "the address that mail goes from has its name (set where the address was rented)"
    return [Wanted("PTR", ip_address(one).reverse_pointer, f"{host}.", says, True) for one in addresses]


async def records(ocean: Ocean, *, look: bool) -> list[dict[str, Any]]:
    """Each as it is to be set; with `look` as DNS has it now too."""
    found = await wanted(ocean)
    if look:
        asked = [one._replace(name=one.name.replace("*", "any-name")) for one in found]
        seen = await asyncio.gather(*(domains.check(ocean, one) for one in asked))
        return [{**told, "name": one.name} for told, one in zip(seen, found, strict=True)]
    return [one._asdict() for one in found]


async def zone(ocean: Ocean) -> str:
    """The records as lines of a zone file (RFC 1035, 5)."""
    return "\n".join(f"{one.name}.\t3600\tIN\t{one.type}\t{_value(one)}" for one in await wanted(ocean))


def _value(record: Wanted) -> str:
    if record.type != "TXT":
        return record.value
    parts = [record.value[at : at + STRING] for at in range(0, len(record.value), STRING)]
    return " ".join('"{}"'.format(part.replace("\\", "\\\\").replace('"', '\\"')) for part in parts)
