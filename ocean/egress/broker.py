"""The way out: an address is resolved once, must be public, and is the one that is connected to; no redirect is followed.

What decides is asked where a socket is made (`_socket`), so that no spelling of a host, and no answer of a name server, gets by it.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from ocean.errors import OceanError

if TYPE_CHECKING:
    from aiohttp.abc import AbstractResolver

    from ocean.egress.session import Session

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_URL = 2000  # characters
MAX_ANSWER = 64 * 1024  # bytes of an answer that are read
SECONDS = 10.0  # for a whole request
CONNECTIONS = 200  # more than are ever asked for side by side: nobody waits for one in the receiver's time
NAMES = 4  # names that are resolved side by side, in threads of their own: a name server may never answer
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052


class EgressError(Exception):
    """A request that could not be made, or was not answered; the sentence says why, for whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: `body` is cut at MAX_ANSWER bytes, or as many as were asked for; the names of `headers` are in lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str]


# Addresses of a cloud's own services to the machines in it (Azure), and of relays that are no more (RFC 7526).
_HOSTS_OWN = frozenset((ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("192.88.99.1")))


def is_public(address: str) -> bool:
    """Whether an address is one of the public Internet, in whatever form (RFC 6890; IPv6 forms of IPv4 by what is in them)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour is not None or ip.teredo is not None or ip.is_site_local:
            return False
    if ip in _HOSTS_OWN:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local)


class Broker:
    """Makes requests to other hosts. `allowed` are networks that the operator opens though they are not public; `trusts` the certificate
    authorities that count, where they are others than the machine's."""

    def __init__(
        self, allowed: Sequence[Network] = (), resolver: AbstractResolver | None = None, trusts: ssl.SSLContext | None = None
    ) -> None:
        self._allowed = tuple(allowed)
        self._trusts = trusts
        self._resolver = resolver
        self._session: Session | None = None
        self._closed = False

    def check(self, url: str) -> URL:
        """The address, parsed. Raises INVALID_VALUE where nothing may ever be sent to it."""
        try:
            found = URL(url)
            host = found.host
            port = found.port
        except ValueError:
            host = port = None
        if len(url) > MAX_URL or not host or not port or any(not "!" <= c <= "~" for c in url):
            raise OceanError("INVALID_VALUE", f"{url[:80]!r} is no address of a host.", "Such as https://example.com/hook")
        if found.user is not None or found.password is not None or found.fragment:
            raise OceanError(
                "INVALID_VALUE", "The address has a user, a password or a fragment in it.", "Leave them out; sign with a secret."
            )
        literal = _literal(host)
        inside = (host == "localhost" and self._opens("127.0.0.1")) or (literal is not None and self._opens(literal))
        if literal is None and host.replace(".", "").isdigit():
            raise OceanError("INVALID_VALUE", f"{host[:60]!r} is no address of a host.")
        if found.scheme != "https" and not (found.scheme == "http" and inside):
            way = "Such as https://example.com/hook. To one's own network the operator opens a way: OCEAN_EGRESS_ALLOW."
            raise OceanError("INVALID_VALUE", "Nothing is sent but by https.", way)
        if not inside and (host == "localhost" or host.endswith(".localhost") or (literal is not None and not is_public(literal))):
            raise OceanError(
                "INVALID_VALUE", f"{host[:60]!r} is not on the public Internet.", "The operator can open it: OCEAN_EGRESS_ALLOW."
            )
        return found

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = SECONDS) -> Reply:
        """Raises EgressError, and INVALID_VALUE as `check` does."""
        return await self.request("POST", url, body, headers, seconds=seconds)

    async def request(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, *, seconds: float = SECONDS,
        most: int = MAX_ANSWER,
    ) -> Reply:  # fmt: skip
        """The same, by any method; `most` bytes of the answer are read."""
        address = self.check(url)
        if self._session is None:  # its library takes 18 MB of a process, and a tenth of a second: who calls nobody is without it
            library = await asyncio.to_thread(importlib.import_module, "ocean.egress.session")
            if not self._closed:
                self._session = self._session or library.Session(self._socket, self._resolver, self._trusts)
        if self._closed or self._session is None:
            raise EgressError("This server is being stopped.")
        return await self._session.ask(method, address, body, headers, seconds, most)

    def opens(self, address: str) -> bool:
        """Whether an address, not a name, may be connected to by anything."""
        literal = _literal(address)
        return literal is not None and (self._opens(literal) or is_public(literal))

    async def close(self) -> None:
        """From now on nothing is sent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """A socket for an address that may be connected to. Raises where it may not."""
        family, kind, protocol, _, where = info
        address = str(where[0])
        if not self.opens(address):
            raise NotPublicError("Its name leads to an address that is not on the public Internet.")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _opens(self, literal: str) -> bool:
        ip = ipaddress.ip_address(literal.partition("%")[0])
        return any(ip in network for network in self._allowed)


class NotPublicError(OSError):
    """An address that nothing is sent to."""


def _literal(host: str) -> str | None:
    """The host, if it is an address itself."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return host
