"""What DNS says of a domain: asked of one name server, the operator's or the machine's."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ocean.core.domains import PROOF_AT, Ours, Seen

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

SECONDS = 3.0  # for one question, all its repetitions together
KNOWN = 30.0
SIDE_BY_SIDE = 64  # questions: those of one look go out together
MOST_KNOWN = 10_000  # answers about mail that are remembered
REMEMBERED = 60.0  # seconds: what is changed counts soon, and a flood asks once


class DnsError(Exception):
    """DNS did not answer: whoever asks may ask again."""


class Dns:
    """`server` is `(address, port)` of a name server that resolves for us; None for the machine's own."""

    def __init__(self, server: tuple[str, int] | None = None) -> None:
        self._server = server
        self._resolver: Resolver | None = None
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)
        self._known: dict[str, tuple[float, Ours]] = {}
        self._answers: OrderedDict[tuple[str, str], tuple[float, list[Any]]] = OrderedDict()

    async def look(self, name: str) -> Seen:
        """What there is of a domain. Never raises: what could not be had is said in `fault`."""
        from dns.exception import DNSException

        kinds = ((name, "A"), (name, "AAAA"), (f"{PROOF_AT}.{name}", "TXT"), (name, "SOA"))
        try:
            async with asyncio.timeout(SECONDS * 2):  # its turn among other looks included
                four, six, texts, zone = await asyncio.gather(*(self._ask(*kind) for kind in kinds))
        except TimeoutError:
            return Seen(fault=f"DNS did not answer for {name}: it took too long.")
        except DNSException as fault:
            return Seen(fault=f"DNS did not answer for {name}: {_why(fault)}.")
        aliases = tuple(dict.fromkeys(_name(record.target) for answer in (four, six) for record in answer if _is(record, "CNAME")))
        addresses = frozenset(str(record.address) for answer in (four, six) for record in answer if _is(record, "A", "AAAA"))
        proofs = frozenset(b"".join(record.strings).decode(errors="replace") for record in texts if _is(record, "TXT"))
        apex = any(_is(record, "SOA") for record in zone) and not any(_is(record, "CNAME") for record in zone)
        return Seen(aliases, addresses, proofs, apex)

    async def ours(self, host: str) -> Ours:
        """Where a host of ours leads: what domains have to lead to. Looked at again after KNOWN seconds; what was known stands until there
        is a better answer."""
        until, known = self._known.get(host, (0.0, Ours(host, frozenset())))
        if until < time.monotonic():
            seen = await self.look(host)
            if seen.addresses:
                known = Ours(host, seen.addresses)
                self._known[host] = (time.monotonic() + KNOWN, known)
            elif not known.addresses:
                return Ours(host, frozenset(), seen.fault or f"This server's own name, {host}, does not lead anywhere.")
        return known

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records of a name, each in one piece. Raises DnsError, as all that follow."""
        return [b"".join(record.strings) for record in await self.answer(name, "TXT")]

    async def exchanges(self, name: str) -> list[tuple[int, str]]:
        """`(preference, host)` of who takes mail for a name, the host empty where nobody does (RFC 7505)."""
        return [(int(record.preference), _name(record.exchange)) for record in await self.answer(name, "MX")]

    async def addresses(self, name: str) -> list[str]:
        four, six = await asyncio.gather(self.answer(name, "A"), self.answer(name, "AAAA"))
        return [str(record.address) for record in (*four, *six)]

    async def answer(self, name: str, kind: str) -> list[Any]:
        """The records of a kind, remembered for a minute; none where there are none."""
        asked = (name.lower().rstrip("."), kind)
        known = self._answers.get(asked)
        if known is not None and known[0] > time.monotonic():
            self._answers.move_to_end(asked)
            return known[1]
        from dns.exception import DNSException
        from dns.name import LabelTooLong, NameTooLong

        try:
            found = [record for record in await self._ask(asked[0], kind) if _is(record, kind)]
        except (LabelTooLong, NameTooLong, UnicodeError):
            return []
        except DNSException as fault:
            raise DnsError(f"DNS did not answer for {name}: {_why(fault)}.") from None
        self._answers[asked] = (time.monotonic() + REMEMBERED, found)
        if len(self._answers) > MOST_KNOWN:
            self._answers.popitem(last=False)
        return found

    async def _ask(self, name: str, kind: str) -> list[Any]:
        """The records of an answer, with the aliases on the way; none where there is no such name."""
        from dns.resolver import NXDOMAIN

        async with self._room:
            try:
                answer = await self._open().resolve(name, kind, lifetime=SECONDS, search=False, raise_on_no_answer=False)
            except NXDOMAIN:
                return []
        return [record for group in answer.response.answer for record in group]

    def _open(self) -> Resolver:
        if self._resolver is None:
            from dns.asyncresolver import Resolver  # where it is used: most never have a domain

            self._resolver = Resolver(configure=self._server is None)
            if self._server is not None:
                self._resolver.nameservers = [self._server[0]]
                self._resolver.port = self._server[1]
        return self._resolver


def _is(record: Any, *kinds: str) -> bool:
    from dns.rdatatype import to_text

    return to_text(record.rdtype) in kinds


def _name(name: Any) -> str:
    return str(name).rstrip(".").lower()


def _why(fault: Exception) -> str:
    from dns.exception import Timeout

    return "it took too long" if isinstance(fault, Timeout) else type(fault).__name__
