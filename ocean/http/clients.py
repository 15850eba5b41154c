"""The address a request comes from."""

from __future__ import annotations

import ipaddress
from typing import Any

from ocean.turns import plain_ip


def client_ip(request: Any) -> str:
    """The peer, or what a configured proxy says of it."""
    peer = plain_ip(request.ip or "")
    trusted = request.app.ctx.proxies
    if not trusted:
        return peer
    chain = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
    while chain and within(peer, trusted):
        peer = chain.pop()
    return peer


def within(address: str, trusted: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    """Whether an address is in one of these networks."""
    try:
        return any(ipaddress.ip_address(address) in network for network in trusted)
    except ValueError:
        return False
