"""Whom mail is taken from: hosts that are listed by others are refused, and new ones are asked to come again (RFC 6647)."""

from __future__ import annotations

import asyncio
import ipaddress

from ocean.context import Ocean
from ocean.egress.dns import DnsError
from ocean.store import passes
from ocean.store.engine import only
from ocean.store.reader import now
from ocean.turns import household

KIND = "grey"
SECONDS = 3.0  # for all lists together
AGAIN = 4 * 3_600_000  # milliseconds in which one that was asked to come again has to
KNOWN = 36 * 86_400_000  # and that it is known for


async def listed(ocean: Ocean, ip: str) -> str:
    """The list that has an address on it, of the operator's OCEAN_SMTP_BLOCKLISTS (RFC 5782); nothing where none has, or none answers."""
    zones = [zone.strip().strip(".") for zone in ocean.settings["OCEAN_SMTP_BLOCKLISTS"].split(",") if zone.strip()]
    if not zones or not ip:
        return ""
    address = ipaddress.ip_address(ip.partition("%")[0])
    reverse = address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")

    async def asks(zone: str) -> str:
        try:
            found = await ocean.dns.answer(f"{reverse}.{zone}", "A")
        except DnsError:
            return ""
        return zone if any(str(record.address).startswith("127.0.0.") for record in found) else ""

    try:
        async with asyncio.timeout(SECONDS):
            return next((zone for zone in await asyncio.gather(*map(asks, zones)) if zone), "")
    except TimeoutError:
        return ""


async def greylisted(ocean: Ocean, ip: str, sender: str, recipient: str) -> int:
    """The seconds that a host has still to wait until its mail for somebody is taken; 0 where it is taken now."""
    wait = int(ocean.settings["OCEAN_SMTP_GREYLIST"]) * 1000
    if not wait:
        return 0
    moment, whom, found = now(), f"{household(ip)} {sender.lower()} {recipient.lower()}", list[int]()
    await ocean.engine.transact(passes.first_seen(KIND, whom, moment, moment + AGAIN, found), small=True, quiet=True)
    waited = moment - found[0]
    if waited < wait:
        return max(1, (wait - waited) // 1000)
    await ocean.engine.transact(only(passes.put_again(KIND, whom, moment + KNOWN)), small=True, quiet=True)
    return 0
