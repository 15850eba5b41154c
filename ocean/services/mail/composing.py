"""Messages as they go (RFC 5322, 2045 to 2049): made of checked parts by the library, which folds, encodes and refuses line breaks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address as HeaderAddress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

import uuid_utils

from ocean.core.accounts import is_address
from ocean.core.mail import Address, head_of, host_of
from ocean.errors import OceanError
from ocean.services.mail.parsing import decoded


@dataclass(frozen=True, slots=True)
class Part:
    """A file that goes with a message."""

    name: str
    type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is to be sent, each part checked. `calendar` is `(method, text)` of an invitation (RFC 6047)."""

    sender: Address
    to: Sequence[Address]
    subject: str
    text: str
    cc: Sequence[Address] = ()
    html: str | None = None
    files: Sequence[Part] = ()
    reply_to: Address | None = None
    references: Sequence[str] = ()
    calendar: tuple[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def new_message_id(host: str) -> str:
    return f"<{uuid_utils.uuid4()}@{host}>"


def compose(message: Outgoing, message_id: str, moment: int) -> bytes:
    """The bytes of a message, lines ended by CR LF. Raises INVALID_VALUE for what can stand in none."""
    people = [message.sender, *message.to, *message.cc]
    wide = any(not one.address.isascii() for one in people)  # RFC 6531 asks for more of those who carry it
    made = EmailMessage(policy=SMTPUTF8 if wide else SMTP)
    try:
        made["From"] = _header(message.sender)
        made["To"] = [_header(one) for one in message.to]
        if message.cc:
            made["Cc"] = [_header(one) for one in message.cc]
        if message.reply_to is not None:
            made["Reply-To"] = _header(message.reply_to)
        made["Subject"] = message.subject
        made["Date"] = format_datetime(datetime.fromtimestamp(moment / 1000, UTC))
        made["Message-ID"] = message_id
        if message.references:
            made["In-Reply-To"] = message.references[-1]
            made["References"] = " ".join(message.references)
        _fill(made, message)
        return _lines(message.headers) + made.as_bytes()
    except (ValueError, LookupError) as fault:
        raise OceanError("INVALID_VALUE", f"The message can't be written: {str(fault)[:100]}.") from None


_NOT_ONES_OWN = re.compile(rb"(?im)^(?:bcc|sender|return-path|authentication-results|resent-[a-z-]+):[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")
_LINE = re.compile(rb"[!-9;-~]+:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")
_FROM = re.compile(r'(?:("(?:[^"\\]|\\.)*" ?|[^<>@,;:"()\\]*)<([^<>\s@"]+@[^<>\s@]+)>|([^<>\s,;:"()@]+@[^<>\s,;:"()@]+))')
MAX_FROM = 1000  # bytes


def sender_of(raw: bytes) -> str:
    """The one address that a message handed in says it is from, by a reading that leaves no other. Raises INVALID_VALUE."""
    head = head_of(raw)
    at, found = 0, []
    while at < len(head):
        line = _LINE.match(head, at)
        if line is None:
            raise OceanError("INVALID_VALUE", "The message's head has a line that is no header.", "RFC 5322, 2.2.")
        if line[0][:5].lower() == b"from:":
            found.append(line[0][5:])
        at = line.end()
    short = len(found) == 1 and len(found[0]) <= MAX_FROM
    value = " ".join(found[0].decode("utf-8", "replace").split()) if short else ""
    one = _FROM.fullmatch(value)
    if one is None or "@" in decoded(one[1] or "") or not is_address(one[2] or one[3]):
        raise OceanError("INVALID_VALUE", "The message is not from one address, written plainly.", "From: Name <you@NAME.DOMAIN>")
    return str(one[2] or one[3])


def completed(raw: bytes, host: str) -> bytes:
    """A message that a mail program made, as it may go (RFC 6409, 8): nobody reads to whom it goes blindly, it says nothing of other
    senders, and it has a date and an id."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    lines = _NOT_ONES_OWN.sub(b"", head + b"\r\n")
    lower = b"\r\n" + lines.lower()
    more = b""
    if b"\r\nmessage-id:" not in lower:
        more += f"Message-ID: {new_message_id(host)}\r\n".encode()
    if b"\r\ndate:" not in lower:
        more += f"Date: {format_datetime(datetime.now(UTC))}\r\n".encode()
    return more + lines + (b"\r\n" + body if gap else b"\r\n")


def _lines(headers: Mapping[str, str]) -> bytes:
    """Headers of ours, as they are: the library would break addresses that are longer than a line. Raises ValueError."""
    for value in headers.values():
        if not value.isascii() or not value.isprintable() or len(value) > 900:
            raise ValueError("a header of ours is no line")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def _fill(made: EmailMessage, message: Outgoing) -> None:
    """Text, HTML and an invitation are one thing in several forms, the richest last: what mail programs look for to show their buttons."""
    made.set_content(message.text.replace("\r\n", "\n"), cte=_encoding(message.text))
    if message.html is not None:
        made.add_alternative(message.html.replace("\r\n", "\n"), subtype="html", cte=_encoding(message.html))
    if message.calendar is not None:
        method, text = message.calendar
        made.add_alternative(text.replace("\r\n", "\n"), subtype="calendar", params={"method": method, "charset": "UTF-8"}, cte="base64")
        made.add_attachment(text.encode(), maintype="application", subtype="ics", filename="invite.ics")
    for part in message.files:
        main, _, sub = part.type.partition("/")
        if main in ("message", "multipart"):  # it would be read as what it holds
            main, sub = "application", "octet-stream"
        made.add_attachment(part.body, maintype=main, subtype=sub.split(";")[0].strip() or "octet-stream", filename=part.name)


def _encoding(text: str) -> str:
    """Lines that are short and plain go as they are; all else is written out, so that nobody on the way has to change it and break what it
    is signed with."""
    plain = text.isascii() and all(len(line) < 900 for line in text.split("\n"))
    return "7bit" if plain else "quoted-printable" if sum(not c.isascii() for c in text) * 4 < len(text) else "base64"


def _header(one: Address) -> HeaderAddress:
    local = one.address.rpartition("@")[0]
    return HeaderAddress(one.name, username=local, domain=host_of(one.address))
