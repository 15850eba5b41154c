"""Mail out (RFC 5321): to the hosts that DNS names for a domain, or to one that carries everything on. TLS where it is offered, and by the
domain's own policy where it has one (MTA-STS, RFC 8461)."""

from __future__ import annotations

import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import aiosmtplib

from ocean.core.mail import head_of
from ocean.core.senders import Transport, sts_id, sts_policy
from ocean.egress.broker import Broker, EgressError
from ocean.egress.dns import Dns, DnsError
from ocean.errors import OceanError

PORT = 25
SECONDS = 60.0  # for one command; the last dot may take ten times as long (RFC 5321, 4.5.3.2)
CONNECT = 15.0
MAX_HOSTS, MAX_ADDRESSES = 5, 3  # that are tried for one message
MOST_POLICIES = 5000


class Outcome(NamedTuple):
    """What a host said to a message: `code` as SMTP has it, 0 where none was reached; `enhanced` such as 5.1.1; `tls` its version."""

    code: int
    text: str
    host: str = ""
    tls: str = ""

    @property
    def taken(self) -> bool:
        return 200 <= self.code < 300

    @property
    def refused(self) -> bool:
        """For good: the same again would be refused again."""
        return 500 <= self.code < 600

    @property
    def enhanced(self) -> str:
        word = self.text.split(" ", 1)[0]
        return word if word.count(".") == 2 and word.replace(".", "").isdigit() else ""


@dataclass(frozen=True, slots=True)
class Smarthost:
    """Who carries everything on: `user` is empty where it asks for none."""

    host: str
    port: int
    user: str = ""
    password: str = ""


class Carrier:
    """Gives messages to other hosts, in the name of `name`; `trusts` are the authorities that count, where others than the machine's."""

    def __init__(
        self, dns: Dns, egress: Broker, name: str, smarthost: Smarthost | None = None, trusts: ssl.SSLContext | None = None
    ) -> None:
        self._dns = dns
        self._egress = egress
        self._name = name
        self._smarthost = smarthost
        self._verified = trusts or ssl.create_default_context()
        self._unverified = ssl.create_default_context()
        self._unverified.check_hostname = False
        self._unverified.verify_mode = ssl.CERT_NONE
        self._policies: OrderedDict[str, tuple[str, float, Transport]] = OrderedDict()

    async def carry(self, host: str, sender: str, recipient: str, raw: bytes) -> Outcome:
        """To the mail host of a domain. Never raises."""
        if self._smarthost is not None:
            return await self._relay(self._smarthost, sender, recipient, raw)
        try:
            hosts = await self._hosts(host)
            policy = await self._policy(host)
        except DnsError as fault:
            return Outcome(0, str(fault))
        if not hosts:
            return Outcome(556, f"5.1.10 {host} takes no mail (RFC 7505)")
        if hosts == [""]:
            return Outcome(550, f"5.1.2 There is no host that takes mail for {host}")
        last = Outcome(0, "No host could be reached")
        for name in hosts[:MAX_HOSTS]:
            if policy is not None and policy.mode == "enforce" and not policy.allows(name):
                last = Outcome(0, f"{name} is no host that the domain's policy names (MTA-STS)", name)
                continue
            last = await self._to(name, sender, recipient, raw, strict=policy is not None and policy.mode == "enforce")
            if last.taken or last.refused:  # else the next may take it
                return last
        return last

    async def _hosts(self, domain: str) -> list[str]:
        """Who takes mail for a domain, in order; none where it says that nobody does, one empty where there is nothing (RFC 5321, 5.1)."""
        exchanges = sorted(await self._dns.exchanges(domain))
        if exchanges:
            return [name for _, name in exchanges if name]
        return [domain] if await self._dns.addresses(domain) else [""]

    async def _to(self, name: str, sender: str, recipient: str, raw: bytes, *, strict: bool) -> Outcome:
        try:
            addresses = await self._dns.addresses(name)
        except DnsError as fault:
            return Outcome(0, str(fault), name)
        last = Outcome(0, f"{name} leads to no address", name)
        for address in addresses[:MAX_ADDRESSES]:
            if not self._egress.opens(address):
                last = Outcome(0, f"{name} leads to {address}, which is not on the public Internet", name)
                continue
            last = await self._say(address, PORT, name, sender, recipient, raw, verified=strict)
            if last.taken or last.refused:
                return last
        return last

    async def _relay(self, to: Smarthost, sender: str, recipient: str, raw: bytes) -> Outcome:
        """The operator's own choice: wherever it is. A password goes by TLS that was verified, or stays on this machine."""
        return await self._say(to.host, to.port, to.host, sender, recipient, raw, verified=bool(to.user), login=to)

    async def _say(
        self, address: str, port: int, name: str, sender: str, recipient: str, raw: bytes, *, verified: bool,
        login: Smarthost | None = None, plain: bool = False,
    ) -> Outcome:  # fmt: skip
        """One conversation. `verified`: only by TLS, with a certificate for the host's name; `plain`: without TLS, which it can't speak.

        What is answered before the message is named (a greeting, a password) says nothing of the message: then none was reached.
        """
        local = address in ("127.0.0.1", "::1", "localhost")
        verified = verified and not (local and login is not None)
        client = aiosmtplib.SMTP(hostname=address, port=port, local_hostname=self._name, timeout=SECONDS, start_tls=False, use_tls=False)
        reached = False
        try:
            await client.connect(timeout=CONNECT, use_tls=port == 465, tls_context=self._verified if port == 465 else None)
            await client.ehlo()
            tls = "" if plain else await self._secured(client, name, verified=verified, done=port == 465)
            if login is not None and login.user:
                await client.login(login.user, login.password)
            reached = True
            return await self._given(client, sender, recipient, raw, name, tls)
        except aiosmtplib.SMTPResponseException as fault:
            said = _line(fault.message)
            return Outcome(fault.code if 400 <= fault.code < 600 else 451, said, name) if reached else Outcome(0, f"{name}: {said}", name)
        except ssl.SSLError as fault:
            if not verified and not plain and not reached and login is None:
                return await self._say(address, port, name, sender, recipient, raw, verified=False, plain=True)
            return Outcome(0, f"{name} could not be spoken to by TLS: {_line(str(fault))}", name)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, EOFError, ValueError) as fault:
            return Outcome(0, f"{name} could not be spoken to: {_line(str(fault)) or type(fault).__name__}", name)
        finally:
            client.close()

    async def _secured(self, client: aiosmtplib.SMTP, name: str, *, verified: bool, done: bool) -> str:
        """The version of TLS, empty where there is none. Raises ssl.SSLError, SMTPException where it is wanted and can't be had."""
        if not done and client.supports_extension("starttls"):
            await client.starttls(server_hostname=name, tls_context=self._verified if verified else self._unverified)
            await client.ehlo()
        elif not done and verified:
            raise aiosmtplib.SMTPException("it offers no TLS, and is to be spoken to by TLS alone")
        found = client.get_transport_info("ssl_object")
        return str(found.version()) if found is not None else ""

    async def _given(self, client: aiosmtplib.SMTP, sender: str, recipient: str, raw: bytes, name: str, tls: str) -> Outcome:
        wide = not (sender + recipient).isascii()
        head = head_of(raw)
        if wide and not client.supports_extension("smtputf8"):
            return Outcome(550, f"5.6.7 {name} takes no addresses beyond ASCII (SMTPUTF8)", name, tls)
        options = [f"SIZE={len(raw)}"] if client.supports_extension("size") else []
        options += ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
        options += ["SMTPUTF8"] if wide or (not head.isascii() and client.supports_extension("smtputf8")) else []
        encoding = "utf-8" if wide else "ascii"
        await client.mail(sender, options=options, encoding=encoding)
        await client.rcpt(recipient, encoding=encoding)
        answer = await client.data(raw, timeout=SECONDS * 10)
        await self._goodbye(client)
        return Outcome(answer.code, _line(answer.message), name, tls)

    @staticmethod
    async def _goodbye(client: aiosmtplib.SMTP) -> None:
        """It has the message: nothing that goes wrong from here on makes it another's."""
        try:
            await client.quit(timeout=5)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            return

    async def _policy(self, domain: str) -> Transport | None:
        """What the domain asks for (MTA-STS), remembered for as long as it says. What can't be had is as if there were none, but where one
        is known already."""
        known = self._policies.get(domain)
        if known is not None and known[1] <= time.monotonic():
            del self._policies[domain]
            known = None
        try:
            id_ = sts_id(await self._dns.texts(f"_mta-sts.{domain}"))
            if id_ is None or (known is not None and known[0] == id_):
                return known[2] if known is not None else None
            reply = await self._egress.request("GET", f"https://mta-sts.{domain}/.well-known/mta-sts.txt")
        except (DnsError, EgressError, OceanError):
            return known[2] if known is not None else None
        plain = reply.headers.get("content-type", "").lower().startswith("text/plain")
        found = sts_policy(reply.body) if reply.status == 200 and plain else None
        if found is None:
            return known[2] if known is not None else None
        self._policies[domain] = (id_, time.monotonic() + found.seconds, found)
        if len(self._policies) > MOST_POLICIES:
            self._policies.popitem(last=False)
        return found


def _line(text: str) -> str:
    """What another host said, as one line that can be shown."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:500]
