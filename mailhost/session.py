"""An SMTP session (RFC 5321), over aiosmtpd's: its commands, TLS and AUTH are the library's; how lines and messages are read is ours.

The library takes commands that end in a bare LF and messages with bare CR and LF in them, which is how mail is smuggled; and it reads a
message line by line, and looks its hooks up anew for each connection.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiosmtpd.smtp import SMTP, TLSSetupException

from ocean.core.mail import MAX_RECIPIENTS, MAX_SIZE

MAX_COMMAND = 2048  # octets of a line: addresses may be long, and have parameters (RFC 5321, 4.5.3.1.4; RFC 6531)
MAX_ERRORS = 20  # of a session
MAX_STRANGERS = 10  # recipients that are not here, of a session
MAX_COMMANDS = 100_000  # of a session
IDLE = 300.0  # seconds between commands (RFC 5321, 4.5.3.2.7)
FOR_DATA = 900.0  # seconds for one message
PIECE = 64 * 1024
_LOCAL = r'"(?:[^"\\\r\n]|\\.){0,62}"|[^\s<>()@",;:\\\[\]]{1,64}'
_PATH = re.compile(rf'\s*<(?:@[^:<>\s]+:)?((?:{_LOCAL})@[^\s<>()@",;:\\\[\]]{{1,255}})>(.*)\Z', re.S)
_NO_MAIL = re.compile(r"\s*<>(.*)\Z", re.S)
log = logging.getLogger("ocean.smtp")
warnings.filterwarnings("ignore", message="Session.login_data", category=DeprecationWarning)  # the library sets it itself


class Load:
    """How many bytes of messages are being taken, in all sessions of the process: beyond `most` who sends is asked to come again, and
    beyond a quarter of it whoever sends from one place."""

    def __init__(self, most: int) -> None:
        self._room = most
        self._share = most // 4
        self._taken: Counter[str] = Counter()

    def take(self, who: str, size: int) -> bool:
        if size > self._room or self._taken[who] + size > self._share:
            return False
        self._room -= size
        self._taken[who] += size
        return True

    def give(self, who: str, size: int) -> None:
        self._room += size
        self._taken[who] -= size
        if self._taken[who] <= 0:
            del self._taken[who]


class Session(SMTP):
    """One connection. `handler` decides what is taken (`mailhost.smtp`)."""

    line_length_limit = PIECE

    def __init__(self, handler: Any, load: Load, pattern: Session | None = None, **options: Any) -> None:
        """A session as a `pattern` is, or with options of its own: the library looks at all that it and the handler can do, each time."""
        if pattern is None:
            super().__init__(handler, data_size_limit=MAX_SIZE, enable_SMTPUTF8=True, timeout=IDLE, **options)
        else:
            self.__dict__.update(pattern.__dict__)
            reader = asyncio.StreamReader(limit=self.line_length_limit, loop=self.loop)
            asyncio.StreamReaderProtocol.__init__(self, reader, client_connected_cb=self._cb_client_connected, loop=self.loop)
            self.event_handler = handler
            self._handle_hooks = {name: getattr(handler, f"handle_{name}") for name in pattern._handle_hooks}
            self._auth_methods = {
                name: way._replace(method=getattr(self if way.is_builtin else handler, way.method.__name__))
                for name, way in pattern._auth_methods.items()
            }
        self.errors = self.strangers = 0
        self._load = load
        self.ended: Callable[[], object] = lambda: None

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.ended()

    @property
    def _left(self) -> bytearray:
        """What was sent and is not read yet."""
        return self._reader._buffer  # type: ignore[attr-defined,no-any-return]

    def refused(self) -> None:
        """A recipient that is not here: who tries many is looking for those who are."""
        self.strangers += 1

    async def push(self, status: Any) -> None:
        text = status if isinstance(status, bytes) else status.encode()
        if text[:1] in b"45":
            self.errors += 1
        self._writer.write(text + b"\r\n")
        await self._writer.drain()

    async def _handle_client(self) -> None:
        try:
            await self._serve()
        except (ConnectionError, asyncio.IncompleteReadError, TLSSetupException):
            pass
        finally:
            if self.transport is not None:
                self.transport.close()

    async def _serve(self) -> None:
        greeting = await self.event_handler.greet(self)
        await self.push(greeting)
        if not greeting.startswith("220"):
            return
        for _ in range(MAX_COMMANDS):
            line = await self._line()
            if line is None or self.transport is None:
                return
            self._reset_timeout()
            await self._command(line)
            if self.transport is None or self.transport.is_closing():
                return
            if self.errors > MAX_ERRORS or self.strangers > MAX_STRANGERS:
                break
        await self.push("421 4.7.0 Too many errors, or commands, in one session")

    async def _line(self) -> bytes | None:
        """The next command, without its end; None where the session is over."""
        try:
            line: bytes = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            await self.push("500 5.5.2 The line is too long")
            return None
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\x00" in line:
            await self.push("521 5.5.2 A command ends with CR LF, and has no other in it")
            return None
        return line[:-2]

    async def _command(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        name = word.decode("ascii", "replace").upper()
        method = getattr(self, f"smtp_{name}", None) if name.isalpha() and name.isascii() else None
        if len(line) > MAX_COMMAND:
            await self.push("500 5.5.2 The line is too long")
        elif method is None:
            await self.push("500 5.5.1 There is no such command")
        else:
            await self._run(name, method, rest)

    async def _run(self, name: str, method: Any, rest: bytes) -> None:
        try:
            argument = rest.strip().decode() or None
        except UnicodeDecodeError:
            await self.push("501 5.5.2 The line is not UTF-8")
            return
        if name == "STARTTLS" and self._left:  # what comes before TLS is not to be taken for what comes in it (CVE-2011-0411)
            await self.push("521 5.5.1 STARTTLS is the last command of a line of them")
            self._writer.close()
            return
        try:
            await method(argument)
        except (ConnectionError, TLSSetupException, asyncio.IncompleteReadError):
            raise
        except Exception:
            log.exception("a session failed at %s", name)
            await self.push("451 4.3.0 This server made an error. Try again later")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """`(address, parameters)` of a path; `<>` for nobody, None for what is none."""
        nobody = _NO_MAIL.match(arg)
        if nobody:
            return "<>", nobody[1]
        found = _PATH.match(arg)
        return (found[1], found[2]) if found and found[1] else (None, None)

    async def smtp_EHLO(self, hostname: str | None) -> None:  # noqa: N802
        if not _is_host(hostname):
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]
        assert self.session is not None
        self.session.extended_smtp, self.session.host_name = True, hostname
        offers = [self.hostname, f"SIZE {MAX_SIZE}", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        if self.tls_context is not None and not self.secure:
            offers.append("STARTTLS")
        if self.secure and self.event_handler.signs_in:
            offers.append("AUTH PLAIN LOGIN")
        await self.push("\r\n".join([f"250-{one}" for one in offers[:-1]] + [f"250 {offers[-1]}"]))

    async def smtp_HELO(self, hostname: str | None) -> None:  # noqa: N802
        if not _is_host(hostname):
            await self.push("501 5.5.4 Syntax: HELO hostname")
            return
        await super().smtp_HELO(hostname)

    @property
    def secure(self) -> bool:
        """Whether it is spoken by TLS."""
        return self._tls_protocol is not None or bool(self.transport is not None and self.transport.get_extra_info("ssl_object"))

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802
        if not self.event_handler.signs_in:
            await self.push("502 5.5.1 Mail is handed in elsewhere")
        elif not self.secure:
            await self.push("538 5.7.11 STARTTLS first")
        else:
            self._auth_require_tls = False  # it is by TLS, which the library only sees where STARTTLS was said
            await super().smtp_AUTH(arg)

    async def smtp_VRFY(self, arg: str | None) -> None:  # noqa: N802
        await self.push("252 2.1.5 Send it and see")

    async def smtp_EXPN(self, arg: str | None) -> None:  # noqa: N802
        await self.push("502 5.5.1 There are no lists to tell of")

    async def smtp_HELP(self, arg: str | None) -> None:  # noqa: N802
        await self.push("214 2.0.0 RFC 5321")

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        assert self.envelope is not None
        if len(self.envelope.rcpt_tos) >= MAX_RECIPIENTS:
            await self.push("452 4.5.3 Too many recipients for one message")
            return
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        assert self.envelope is not None
        if arg or not self.envelope.rcpt_tos:
            await self.push("501 5.5.4 Syntax: DATA" if arg else "503 5.5.1 RCPT first")
            return
        await self.push("354 End with CR LF . CR LF")
        self._reset_timeout(FOR_DATA)
        held = Held(self._load, self.event_handler.house)
        try:
            body, status = await self._message(held)
            if not status:
                self.envelope.content = self.envelope.original_content = bytes(body)
                body = bytearray()
                status = await self.event_handler.take(self)
        finally:
            held.give()
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        self._reset_timeout()
        await self.push(status)
        if status.startswith("521"):
            self._writer.close()

    async def _message(self, held: Held) -> tuple[bytearray, str]:
        """What is sent up to the line with the dot: the message, or why it is not taken.

        It is read in pieces; only CR LF . CR LF ends it (RFC 5321, 4.1.1.4), and what was sent behind that is left to be read.
        """
        body, status = bytearray(b"\r\n"), ""  # the line with the dot may be the first
        deadline = time.monotonic() + FOR_DATA
        while True:
            piece = await self._reader.read(PIECE)
            if not piece or time.monotonic() > deadline:
                raise ConnectionResetError
            begin = max(0, len(body) - 4)
            body += piece
            end = body.find(b"\r\n.\r\n", begin)
            if end >= 0:
                self._left[:0] = body[end + 5 :]
                del body[end + 2 :]
            if not status and len(body) > MAX_SIZE + 2:
                status = "552 5.3.4 The message is too large"
            elif not status and not held.take(len(piece)):
                status = "452 4.3.1 Too much is being taken at this moment"
            if status:
                held.give()
                del body[:-4]
            if end >= 0:
                break
        if status:
            return bytearray(), status
        if body.count(b"\n") != (lines := body.count(b"\r\n")) or body.count(b"\r") != lines or b"\x00" in body:
            return bytearray(), "521 5.6.11 The message has a CR or LF by itself, or a NUL, in it"
        return body.replace(b"\r\n.", b"\r\n")[2:], ""


class Held:
    """What one message holds of the room."""

    def __init__(self, load: Load, who: str) -> None:
        self._load, self._who, self._size = load, who, 0

    def take(self, size: int) -> bool:
        if not self._load.take(self._who, size):
            return False
        self._size += size
        return True

    def give(self) -> None:
        self._load.give(self._who, self._size)
        self._size = 0


def _is_host(name: str | None) -> bool:
    return bool(name) and len(str(name)) <= 255 and re.fullmatch(r"[\w.:\[\]\-]+", str(name)) is not None
