"""One process in a sandbox: bubblewrap's namespaces, a bare file tree, no network, few system calls (`syscalls`), bounded memory.

It is stopped (SIGSTOP) whenever nothing is asked of it, so that what a function leaves running behind its answer gets no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ocean.core.payloads import decode, dump
from ocean.errors import OceanError
from ocean.runner import syscalls

BWRAP = "bwrap"
INSIDE = Path(__file__).with_name("inside.py")
MAX_FRAME = 16 * 1024 * 1024  # bytes that it is told at once,
MAX_SAID = 6 * 1024 * 1024  # and that it says (`inside` has the same): the loop stands still while they are read
STARTS = 10.0  # seconds that a process may take to start
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")


class EndedError(Exception):
    """The process is gone, or does not speak as it should."""


class Sandbox:
    """A process that is ready for one user's function; of that user from its first call on."""

    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter | None = None

    def __init__(self, process: subprocess.Popen[bytes], ours: socket.socket) -> None:
        self._process, self._socket = process, ours
        self._ended = False
        self.said = 0  # bytes of the last frame
        self.calls = 0  # so far

    @classmethod
    async def start(cls, memory: int, hidden: Iterable[Path]) -> Sandbox:
        """`memory` in bytes; `hidden` are folders that are never seen in it, wherever they lie. Raises NOT_AVAILABLE."""
        if not sys.platform.startswith("linux"):
            raise unavailable("they want Linux", "Run the API server in a container or a virtual machine of it.")
        with contextlib.ExitStack() as stack:
            ours, its = socket.socketpair()
            stack.callback(its.close)
            unused = stack.enter_context(contextlib.ExitStack())
            unused.callback(ours.close)
            try:
                filter_ = syscalls.as_file()
                stack.callback(os.close, filter_)
                said = os.memfd_create("said", 0)
                stack.callback(os.close, said)
                # Started by this very thread: the kernel ends the process with the thread that started it (PR_SET_PDEATHSIG).
                process = subprocess.Popen(  # noqa: ASYNC220 - two milliseconds, and see above
                    [*_command(filter_, hidden), str(its.fileno()), str(memory)], pass_fds=(its.fileno(), filter_),
                    start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                    env={"PATH": os.environ.get("PATH", os.defpath)},
                )  # fmt: skip
            except ImportError as fault:
                raise unavailable(f"libseccomp is missing ({fault})", "apt install libseccomp2") from None
            except FileNotFoundError:
                raise unavailable("bubblewrap is missing", "apt install bubblewrap") from None
            except OSError as fault:  # of the moment: no descriptors, no memory
                raise OceanError("SERVER_BUSY", f"No process can be started for a function ({fault.strerror}).") from None
            unused.pop_all()
            made = cls(process, ours)
            await made._begin(said)
            return made

    async def _begin(self, said: int) -> None:
        """Until it is ready. Raises NOT_AVAILABLE with the last line of what it said."""
        try:
            async with asyncio.timeout(STARTS):
                self._reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=1 << 20)
                await self.receive()
        except (EndedError, TimeoutError):
            await self.end()
            lines = os.pread(said, 4096, 0).decode(errors="replace").strip().splitlines()
            raise unavailable(lines[-1][:200] if lines else "its process ends at once", "bubblewrap must be let make namespaces.") from None
        except BaseException:
            await self.end()
            raise
        self.stop()

    async def send(self, frame: dict[str, Any]) -> None:
        """Raises EndedError; LIMIT_REACHED where it is too much at once."""
        body = dump(frame)
        if len(body) > MAX_FRAME:
            raise OceanError("LIMIT_REACHED", f"What a function is told at once has at most {MAX_FRAME // 2**20} MB.", "Ask for less.")
        assert self._writer is not None
        try:
            self._writer.write(len(body).to_bytes(4, "big"))
            self._writer.write(body)
            await self._writer.drain()
        except OSError:
            raise EndedError from None

    async def receive(self) -> dict[str, Any]:
        """The next frame: an object, of which nothing else is sure. Raises EndedError."""
        try:
            length = int.from_bytes(await self._reader.readexactly(4), "big")
            if length > MAX_SAID:
                raise EndedError
            self.said = length
            body = await self._reader.readexactly(length)
            frame = decode(body) if length < 1 << 16 else await asyncio.to_thread(decode, body)
        except (asyncio.IncompleteReadError, OSError, OceanError):
            raise EndedError from None
        if not isinstance(frame, dict):
            raise EndedError
        return frame

    def stop(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    def kill(self) -> None:
        """At once, with all that it started; `end` is still to be waited for."""
        self._signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kills it, and returns when it is gone."""
        if self._ended:
            return
        self._ended = True
        self.kill()
        if self._writer is None:
            self._socket.close()
        else:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        await asyncio.to_thread(self._process.wait)


def unavailable(says: str, hint: str) -> OceanError:
    return OceanError("NOT_AVAILABLE", f"This server runs no functions: {says}.", hint, status=503)


def _command(filter_: int, hidden: Iterable[Path]) -> list[str]:
    """bubblewrap's, up to the arguments of `inside`."""
    program = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    seen: list[str] = []
    for path in (*_LIBRARIES, sysconfig.get_path("stdlib"), sys.base_prefix if sys.base_prefix != "/usr" else "", program):
        if path and os.path.exists(path):
            seen += ["--symlink", os.readlink(path), path] if os.path.islink(path) and path in _LIBRARIES else ["--ro-bind", path, path]
    for folder in hidden:
        seen += ["--tmpfs", str(folder.resolve()), "--remount-ro", str(folder.resolve())] if _within(folder.resolve(), seen) else []
    devices = [part for name in ("null", "zero", "random", "urandom") for part in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")]
    return [
        BWRAP, "--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534", "--hostname", "function", "--die-with-parent",
        "--cap-drop", "ALL", "--clearenv", "--setenv", "HOME", "/", "--setenv", "LANG", "C.UTF-8", *seen, *devices,
        "--ro-bind", str(INSIDE), "/inside.py",
        "--remount-ro", "/", "--seccomp", str(filter_), "--", program, "-I", "-S", "-B", "/inside.py",
    ]  # fmt: skip


def _within(folder: Path, seen: list[str]) -> bool:
    return any(folder.is_relative_to(path) for path in seen if path.startswith("/"))
