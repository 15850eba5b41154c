"""Mail: the names of mailboxes and folders, addresses, what may stand in a message, and what belongs together. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from email.utils import getaddresses
from typing import Any, NamedTuple

import idna

from ocean.core.accounts import is_address as is_address
from ocean.core.drop import read_time
from ocean.errors import OceanError

TOP = "mail"
INBOUND, SENT, BOUNCES, SUPPRESSED, RULES, ATTACHMENTS = "inbound", "sent", "bounces", "suppressed", "_rules", "attachments"
MAX_RECIPIENTS = 100  # of one message
MAX_SUBJECT = 998 - len("Subject: ")  # characters of a line (RFC 5322, 2.1.1)
MAX_BODY = 1024 * 1024  # characters
MAX_SIZE = 25 * 1024 * 1024  # bytes of a message, in and out
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])")
_MESSAGE_ID = re.compile(r"<[^<>\s\x00-\x1f\x7f]{1,900}>")
_PREFIX = re.compile(r"\s*(?:re|aw|wg|fwd?|sv|vs|antw?)\s*(?:\[\d+\])?\s*:\s*", re.IGNORECASE)
_RESERVED = frozenset((
    "abuse", "admin", "administrator", "api", "autoconfig", "autodiscover", "bounce", "bounces", "ftp", "host", "hostmaster", "imap",
    "localhost", "mail", "mailer-daemon", "mta-sts", "mx", "mx1", "mx2", "no-reply", "noreply", "ns", "ns1", "ns2", "ocean", "pop",
    "pop3", "postmaster", "relay", "root", "security", "smtp", "ssl", "submission", "unsubscribe", "usenet", "uucp", "webmail",
    "webmaster", "www"
))  # fmt: skip


def folder(mailbox: str, name: str) -> str:
    return f"{TOP}/{mailbox}/{name}"


def mailbox_of(route: str) -> str | None:
    """The mailbox that a folder belongs to."""
    top, _, rest = route.partition("/")
    return rest.partition("/")[0] or None if top == TOP else None


def of_rules(mailbox: str) -> str:
    """Whose what the rules of a mailbox send is, in the outbox: what strangers make it send counts for no key."""
    return f"@rule {mailbox}"


def is_mailbox(route: str) -> bool:
    """Whether a folder is that of a whole mailbox."""
    return route.count("/") == 1 and route.startswith(f"{TOP}/")


def check_name(text: str, *, reserved: bool = False) -> str:
    """A name that a mailbox may have. Raises INVALID_VALUE, and CONFLICT for those that are kept back, unless they are `reserved` for who
    asks."""
    name = text.lower() if text.isascii() else text
    if not _NAME.fullmatch(name) or name.startswith("xn--"):
        raise OceanError("INVALID_VALUE", f"{text[:60]!r} is no name of a mailbox.", "2 to 32 of a-z, 0-9 and -, such as alice.")
    if name in _RESERVED and not reserved:
        raise OceanError("CONFLICT", f"The name {name!r} is not given away.", "Choose another.")
    return name


class Address(NamedTuple):
    """An address as it stands in a head: who, in words, and where."""

    name: str
    address: str

    @property
    def host(self) -> str:
        return host_of(self.address)


def host_of(address: str) -> str:
    """The host of an address, in lower case and in ASCII; empty where it can be none."""
    host = address.rpartition("@")[2].rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return ""


def local_of(address: str) -> str:
    return address.rpartition("@")[0]


def head_of(raw: bytes) -> bytes:
    """The headers of a message, each with its line's end; all of a message that has no empty line."""
    at = raw.find(b"\r\n\r\n")
    return raw if at < 0 else raw[: at + 2]


def read_addresses(given: Any, field: str) -> list[Address]:
    """The addresses of a field that somebody fills in: a text with one or several, or a list of such. Raises INVALID_VALUE."""
    texts = given if isinstance(given, list) else [given]
    found: list[Address] = []
    for text in texts:
        if not isinstance(text, str) or not text.isprintable() or len(text) > 10_000:
            raise OceanError("INVALID_VALUE", f"{str(text)[:80]!r} in {field!r} is no address to send mail to.", "such as bob@example.com")
        for name, address in getaddresses([text]):
            found.append(Address(name, check_address(address, text)))
    if not found or len(found) > MAX_RECIPIENTS:
        raise OceanError("INVALID_VALUE", f"{field!r} has 1 to {MAX_RECIPIENTS} addresses.")
    return found


def check_address(text: Any, whole: Any = None) -> str:
    """An address of mail, its host as DNS knows it. Raises INVALID_VALUE."""
    if not is_address(text) or not host_of(text):
        shown = text if whole is None else whole
        raise OceanError("INVALID_VALUE", f"{str(shown)[:80]!r} is not an address to send mail to.", "such as bob@example.com")
    return f"{local_of(str(text))}@{host_of(str(text))}"


def check_subject(text: str) -> str:
    """Nothing in it can become a header of its own. Raises INVALID_VALUE."""
    if len(text) > MAX_SUBJECT or any(not c.isprintable() for c in text):
        raise OceanError("INVALID_VALUE", f"A subject is one line of at most {MAX_SUBJECT} characters.")
    return text


def check_body(text: str) -> str:
    """Raises INVALID_VALUE."""
    if len(text) > MAX_BODY or "\x00" in text:
        raise OceanError("INVALID_VALUE", f"A message's body has at most {MAX_BODY} characters, none of them U+0000.")
    return text


def message_ids(text: str, most: int = 100) -> list[str]:
    """The ids that a Message-ID, In-Reply-To or References names, in order: the first, and the last ones."""
    found = list(dict.fromkeys(_MESSAGE_ID.findall(text)))
    return found if len(found) <= most else [found[0], *found[-(most - 1) :]]


def thread_of(ids: Sequence[str]) -> str:
    """What a conversation is known by: its first message, as far as the ids of one in it tell."""
    return hashlib.sha256(ids[0].encode(errors="replace")).hexdigest()[:24]


def plain_subject(text: str) -> str:
    """A subject without what answers put in front of it."""
    before = None
    while before != text:
        before, text = text, _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    return text.strip()


def subject_of(text: str) -> str:
    """A subject made of what somebody wrote: one line, and short."""
    return "".join(c for c in text if c.isprintable())[:200]


def reply_subject(text: str) -> str:
    return f"Re: {plain_subject(text)}"[:MAX_SUBJECT]


def check_rule(payload: Any) -> None:
    """What a rule of a mailbox may be. Raises INVALID_VALUE, which says how one is written."""
    way = '{ type: "forward", to: "bob@example.com" }, or { type: "vacation", body: "Back on Monday.", end: "2027-01-04" }'
    kind = payload.get("type") if isinstance(payload, dict) else None
    if kind not in ("forward", "vacation"):
        raise OceanError("INVALID_VALUE", "A rule has a 'type': forward or vacation.", way)
    if kind == "forward":
        check_address(payload.get("to"))
    elif not isinstance(payload.get("body"), str) or not payload["body"].strip():
        raise OceanError("INVALID_VALUE", "A vacation has a 'body', which is what is answered.", way)
    for name in ("start", "end"):
        if payload.get(name) is not None:
            read_time(payload[name])
    for name in ("from", "subject_has", "reply_subject", "html"):
        if not isinstance(payload.get(name, ""), str):
            raise OceanError("INVALID_VALUE", f"{name!r} of a rule is a text.", way)


class Results(NamedTuple):
    """What was found of who sent a message (RFC 8601): each a word such as `pass`, `fail`, `none`, `temperror`."""

    spf: str = "none"
    dkim: str = "none"
    dmarc: str = "none"
    arc: str = "none"
    policy: str = ""  # what the domain asks to be done with what fails: none, quarantine, reject
    domain: str = ""  # whose policy it is
    signers: tuple[str, ...] = ()  # the domains whose signatures hold

    def to_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"spf": self.spf, "dkim": self.dkim, "dmarc": self.dmarc, "arc": self.arc}
        if self.policy:
            told["policy"] = self.policy
        return {**told, "signers": list(self.signers)} if self.signers else told

    @property
    def authentic(self) -> bool:
        """Whether the address that a message says it is from is proven."""
        return self.dmarc == "pass"


SPAM = 5.0  # from this score on a message is taken for one that nobody asked for


def spam_of(results: Results, faults: Iterable[str]) -> tuple[float, list[str]]:
    """`(score, reasons)`, by who sent a message and how it is made. A filter that reads what it says adds its own."""
    score, reasons = 0.0, []
    for holds, points, says in (
        (results.dmarc == "fail" and results.policy == "reject", 6.0, "dmarc fails, and the domain asks to reject what does"),
        (results.dmarc == "fail" and results.policy != "reject", 3.0, "dmarc fails"),
        (results.dmarc == "temperror", 2.0, "dns did not say who may send for the domain"),
        (results.spf == "fail", 2.0, "spf fails"),
        (results.spf == "softfail", 1.0, "spf fails softly"),
        (results.dkim == "fail", 1.0, "a signature does not hold"),
        (results.spf in ("none", "permerror") and results.dkim == "none", 1.0, "nothing says that the sender may use this domain"),
    ):
        if holds:
            score += points
            reasons.append(says)
    for fault in faults:
        score += 0.5
        reasons.append(fault)
    return score, reasons
