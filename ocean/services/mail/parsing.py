"""Messages as they come (RFC 5322, 2045 to 2049, 2231, 6532), read so that nothing in one can do more than be wrong.

The oldest of the library's policies reads the most and raises the least; what it does raise is caught, and said in `faults`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import TYPE_CHECKING

from ocean.core import mail
from ocean.core.accounts import is_address
from ocean.core.mail import Address
from ocean.services.mail import markup

if TYPE_CHECKING:
    from ocean.services.calendar.ics import Received

MAX_PARTS = 200
MAX_DEPTH = 20  # of parts in parts
MAX_HEADERS = 500
MAX_VALUE = 10_000  # characters of a header that are kept
MAX_TEXT = 256 * 1024  # characters of a body that are kept beside the message itself
MAX_ADDRESSES = 500
_READ = frozenset(("message-id", "references", "in-reply-to", "from", "to", "cc", "reply-to"))  # headers whose words have a meaning each
_ONE = r"[^\s<>,;:\"()\\\[\]]+@[^\s<>,;:\"()\\\[\]]+"
_SIMPLE = re.compile(rf"([A-Za-z0-9 ._-]*)<({_ONE})>|({_ONE})")  # one address, with a plain name or none
MAX_BOUNDARIES = 2000  # lines that may begin a part
MAX_LOOKS = 5_000_000  # the library looks at each line for the end of each part that is open
MAX_PARAMETERS = 1000  # bytes of a header with parameters
MAX_DECODED, MAX_WORDS = 120, 100  # headers whose words are decoded, and words of one
_PARAMETERS = re.compile(rb"(?im)^(content-(?:type|disposition|transfer-encoding|id))[ \t]*:[^\r\n]*(?:\r\n[ \t][^\r\n]*)*")
_FROMS = re.compile(rb"(?im)^from[ \t]*:")
_FOLD = re.compile(r"\r?\n[ \t]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_BROKEN = (MessageError, LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError)  # of a message's own making


@dataclass(frozen=True, slots=True)
class Attached:
    """A part that is kept as a file."""

    name: str
    type: str
    content_id: str
    inline: bool
    body: bytes


@dataclass(slots=True)
class Parsed:
    """A message, read. `date` in milliseconds; `html` is safe to show; `method` and `calendar` are of an invitation or an answer to one."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    message_id: str = ""
    references: list[str] = field(default_factory=list)
    sender: Address = field(default_factory=lambda: Address("", ""))
    to: list[Address] = field(default_factory=list)
    cc: list[Address] = field(default_factory=list)
    reply_to: list[Address] = field(default_factory=list)
    subject: str = ""
    date: int | None = None
    text: str = ""
    html: str = ""
    cut: bool = False
    attachments: list[Attached] = field(default_factory=list)
    invitations: list[Received] = field(default_factory=list)
    reports: list[tuple[str, bytes]] = field(default_factory=list)  # (type, body) of parts that programs write: message/delivery-status
    faults: list[str] = field(default_factory=list)
    froms: int = 0  # how often the whole head says who it is from
    plain_from: bool = False  # whether it says so once, and names one domain
    shown: bool = False  # whether its HTML was looked at

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name]

    def one(self, name: str) -> str:
        """The first of a header, or nothing."""
        return next((value for given, value in self.headers if given.lower() == name), "")

    @property
    def automatic(self) -> bool:
        """Whether a program sent it, which no answer is wanted by (RFC 3834, 2)."""
        sent_by = self.one("auto-submitted").split(";")[0].strip().lower()
        bulk = self.one("precedence").strip().lower() in ("bulk", "list", "junk")
        listed = any(self.one(name) for name in ("list-id", "list-unsubscribe", "x-auto-response-suppress", "x-autoreply"))
        return sent_by not in ("", "no") or bulk or listed


def parse(raw: bytes) -> Parsed:
    """Never raises: what can't be read is kept as text, and said."""
    found = Parsed(froms=len(_FROMS.findall(mail.head_of(raw))))
    try:
        message = _message(_tamed(raw, found))
        _heads(message, found)
        _bodies(message, found)
    except _BROKEN as fault:
        found.faults.append(f"the message can't be read whole: {type(fault).__name__}")
        if not found.text:
            _, _, body = raw.partition(b"\r\n\r\n")
            found.text = _plain(body[:MAX_TEXT].decode(errors="replace"))
    _shorten(found)
    return found


def _tamed(raw: bytes, found: Parsed) -> bytes:
    """Without what the library would read for ages: it takes the square of a header with parameters, and reads all parts before any."""
    lower = raw.lower()
    if raw.count(b"\n--") > MAX_BOUNDARIES or raw.count(b"\n") * lower.count(b"multipart/") > MAX_LOOKS:
        found.faults.append("it has too many parts to be read")
        head = mail.head_of(raw)
        return _PARAMETERS.sub(b"", head) + raw[len(head) :]

    def shorter(header: re.Match[bytes]) -> bytes:
        if len(header[0]) <= MAX_PARAMETERS:
            return header[0]
        found.faults.append("it has a header that is too long to be read")
        return header[1] + b": application/octet-stream"

    if b"content-" not in lower:
        return raw
    return _PARAMETERS.sub(shorter, raw)


def _message(raw: bytes) -> Message:
    """The library's own reading; what has no parts is not read line by line for them."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    message: Message = message_from_bytes(head + gap, policy=compat32)
    if message.get_content_maintype() in ("multipart", "message") or message.defects or message.get_payload():
        return message_from_bytes(raw, policy=compat32)
    message.set_payload(body.decode("ascii", "surrogateescape"))
    return message


def decoded(value: object) -> str:
    """A header's value as people read it: unfolded, its words decoded (RFC 2047), without control characters."""
    text = _unfolded(value)[: MAX_VALUE * 4]
    if "=?" in text and text.count("=?") <= MAX_WORDS:
        with suppress(*_BROKEN):  # it stands as it is
            text = "".join(_word(piece, charset) for piece, charset in decode_header(text))
    return _clean(text).strip()[:MAX_VALUE]


def _unfolded(value: object) -> str:
    text = _eight_bit(str(value))
    return _FOLD.sub(" ", text) if "\n" in text else text


def _clean(text: str) -> str:
    """Without control characters; nearly all text has none."""
    return text if text.isprintable() else re.sub(r"[\t\n]+", " ", _CONTROL.sub("", text))


def _word(piece: str | bytes, charset: str | None) -> str:
    return piece if isinstance(piece, str) else _text(piece, charset or "")


def _eight_bit(value: str) -> str:
    """What stood there beyond ASCII, which the library has put aside: UTF-8 (RFC 6532), or what old programs send."""
    if value.isascii():
        return value
    raw = value.encode("ascii", "surrogateescape") if not any(0x80 <= ord(c) < 0xD800 for c in value) else value.encode(errors="replace")
    return _text(raw, "")


def _text(raw: bytes, charset: str) -> str:
    for name in (charset, "utf-8", "cp1252"):
        try:
            if name:
                return raw.decode(name)
        except (UnicodeError, LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _plain(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.replace("\n", "").replace("\t", "").isprintable() else _CONTROL.sub("", text)


def _heads(message: Message, found: Parsed) -> None:
    plain: dict[str, str] = {}
    for name, value in message.raw_items():
        if len(found.headers) >= MAX_HEADERS:
            found.faults.append(f"it has more than {MAX_HEADERS} headers")
            break
        if (shown := _clean(name).strip()) and shown.isascii():
            wanted = len(found.headers) < MAX_DECODED or shown.lower() in ("subject", "date")
            found.headers.append((shown, decoded(value) if wanted else _clean(_unfolded(value)[:MAX_VALUE])))
            if (lower := shown.lower()) in _READ:
                plain.setdefault(lower, _unfolded(value))
    for name in ("from", "date"):
        if len(found.all(name)) != 1:
            found.faults.append(f"it has {'no' if not found.all(name) else 'more than one'} {name.capitalize()}")
    found.message_id = next(iter(mail.message_ids(plain.get("message-id", ""), 1)), "")
    ids = mail.message_ids(plain.get("references", "")[:MAX_VALUE]) + mail.message_ids(plain.get("in-reply-to", "")[:MAX_VALUE], 5)
    found.references = list(dict.fromkeys(ids))
    senders = _addresses(plain.get("from", ""))
    found.sender = next(iter(senders), Address("", ""))
    found.plain_from = found.froms == 1 and len({one.host for one in senders}) == 1 and found.sender.host != ""
    found.to, found.cc, found.reply_to = (_addresses(plain.get(name, "")) for name in ("to", "cc", "reply-to"))
    found.subject = found.one("subject")
    found.date = _date(found.one("date"))


def _addresses(value: str) -> list[Address]:
    plain = value.strip()
    simple = _SIMPLE.fullmatch(plain)
    if not plain or simple is not None:
        found = (simple[2] or simple[3]) if simple is not None else ""
        return [Address((simple[1] or "").strip(), found)] if simple is not None and is_address(found) else []
    try:
        pairs = getaddresses([value[: MAX_VALUE * 4]])
    except _BROKEN:
        return []
    return [Address(decoded(name)[:200], _CONTROL.sub("", address)[:320]) for name, address in pairs[:MAX_ADDRESSES] if is_address(address)]


def _date(value: str) -> int | None:
    try:
        return int(parsedate_to_datetime(value).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _bodies(message: Message, found: Parsed) -> None:
    texts: list[str] = []
    for count, part in enumerate(_leaves(message, found)):
        if count >= MAX_PARTS:
            found.faults.append(f"it has more than {MAX_PARTS} parts")
            break
        kind = part.get_content_type()
        name, shown = _name(part), part.get_content_disposition()
        if kind == "text/calendar" and shown != "attachment":
            found.invitations += _invitations(_body(part)) if not found.invitations else []
        if kind in (
            "message/delivery-status",
            "message/feedback-report",
            "message/disposition-notification",
            "message/global-delivery-status",
        ):
            found.reports.append((kind, _body(part)))
        elif kind == "text/plain" and shown != "attachment" and not name:
            texts.append(_plain(_text(_body(part), _charset(part))))
        elif kind == "text/html" and shown != "attachment" and not name and not found.shown:
            found.shown = True
            found.html = markup.safe(_text(_body(part)[: MAX_TEXT + 1], _charset(part)))
        else:
            content_id = decoded(part.get("content-id", "")).strip("<>")[:300]
            found.attachments.append(Attached(name or f"part-{count + 1}", kind, content_id, shown != "attachment", _body(part)))
    found.text = "\n".join(texts) if texts else markup.text_of(found.html) if found.html else ""


def _invitations(raw: bytes) -> list[Received]:
    from ocean.services.calendar import ics  # most messages bring none

    try:
        return ics.parse(raw)[:10]
    except ValueError:
        return []


def _leaves(message: Message, found: Parsed, depth: int = 0) -> Iterator[Message]:
    """The parts that hold something themselves; a message in a message is one of them."""
    inside = message.get_payload()
    if not isinstance(inside, list) or message.get_content_maintype() == "message":
        yield message
        return
    if depth >= MAX_DEPTH:
        found.faults.append(f"its parts are nested deeper than {MAX_DEPTH}")
        return
    for part in inside:
        if isinstance(part, Message):
            yield from _leaves(part, found, depth + 1)


def _body(part: Message) -> bytes:
    inside = part.get_payload()
    if isinstance(inside, list):
        return b"\n".join(one.as_bytes() for one in inside if isinstance(one, Message))
    body = part.get_payload(decode=True)
    return body if isinstance(body, bytes) else str(inside).encode(errors="replace")


def _charset(part: Message) -> str:
    try:
        return part.get_content_charset() or ""
    except _BROKEN:
        return ""


def _name(part: Message) -> str:
    """The file's name, without a way to anywhere."""
    try:
        given = decoded(part.get_filename() or "")
    except _BROKEN:
        return ""
    return re.split(r"[/\\]", given)[-1].strip(" .")[:200]


def _shorten(found: Parsed) -> None:
    found.cut = len(found.text) > MAX_TEXT or len(found.html) > MAX_TEXT
    found.text, found.html = found.text[:MAX_TEXT], found.html[:MAX_TEXT] if len(found.html) <= MAX_TEXT else ""
