"""The sandbox, by code that means harm: what it can't see, reach, start, keep or use up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ocean.runner.pool import Pool
from ocean.runner.sandbox import EndedError, Sandbox

MEMORY = 256 << 20


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = await Sandbox.start(MEMORY, [tmp_path])
    yield made
    await made.end()


async def called(process: Sandbox, body: str, request: dict[str, Any] | None = None) -> dict[str, Any]:
    code = "import os, sys\ndef main(ocean, request):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    process.go_on()
    await process.send({"code": code, "name": "fn/x", "request": request or {}, "user": False, "call": 1})
    async with asyncio.timeout(20):
        told = await process.receive()
    process.stop()
    return told


@pytest.mark.parametrize(
    "body",
    [
        "return open('/etc/passwd').read()",
        "return os.listdir('/home')",
        "return os.listdir('/proc')",
        f"return open({str(Path(__file__).resolve())!r}).read()",
        "import socket\nreturn socket.socket()",
        "import socket\nreturn socket.create_connection(('127.0.0.1', 80))",
        "return os.fork()",
        "import subprocess\nreturn subprocess.run(['true']).returncode",
        "return 1 / (os.system('true') == 0)",
        "return os.kill(1, 9)",
        "return os.kill(os.getppid(), 19)",
        "return os.setuid(0)",
        "return os.setsid()",
        "return os.setpgid(0, 0)",
        "import resource\nreturn resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
        "return open('/usr/lib/x', 'w')",
        "return open('/inside.py', 'w')",
        "return os.mknod('/tmp/x')",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.unshare(0x10000000) == 0",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.ptrace(0, 0, 0, 0) == 0",
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.syscall(425, 1, 0) >= 0",  # io_uring_setup
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nassert libc.syscall(250, 0, 0) >= 0",  # keyctl
        "return 'x' * (400 << 20)",
        "return [bytearray(1 << 20) for _ in range(1000)] and 1",
        "os.mkdir('/dev/x')",
        "return os.open('/dev/ptmx', 2)",
        "import fcntl\nfd = os.open('/usr/lib', 0)\nfcntl.fcntl(fd, 1026, 0x7fffffff)",  # F_NOTIFY
        "import fcntl\nfd = os.open('/usr/lib', 0)\nfcntl.fcntl(fd, 10, 18)",  # F_SETSIG
        "import fcntl\nfcntl.fcntl(0, 4, 0x2000)",  # O_ASYNC
        "import threading\nthreading.Thread(target=print).start()",
        "return open('/tmp/x', 'w')",
        "return open('/x', 'w')",
        "return os.mkdir('/tmp')",
        "import resource\nresource.prlimit(1, resource.RLIMIT_CPU, (1, 1))",
        "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\na.sendto(b'x', '/tmp/none')",
        "open('/dev/x', 'wb')",
        "open('/dev/shm/x', 'wb')",
        "open('/tmp/x', 'wb').write(b'x' * (64 << 20))",
        "return [open('/dev/zero') for _ in range(1000)] and 1",
        "return main(ocean, request)",
        "return float('nan')",
        "return {1, 2}",
        "return chr(0xd800).encode('utf-8')",
        "sys.exit(0)",
        "raise KeyboardInterrupt",
        "raise BaseException",
    ],
)
async def test_what_means_harm_fails_and_the_process_goes_on(process: Sandbox, body: str) -> None:
    told = await called(process, body)
    assert "fault" in told, told
    assert (await called(process, "return 1"))["result"] == "1"


async def test_nothing_of_the_host_is_seen(process: Sandbox) -> None:
    told = await called(process, "return [dict(os.environ), os.getpid(), os.getuid(), os.uname().nodename]")
    environment, pid, uid, host = json.loads(told["result"])
    assert set(environment) <= {"HOME", "LANG", "PWD", "LC_CTYPE"}
    assert (pid, uid, host) == (2, 65534, "function")


async def test_the_data_folder_is_not_seen_wherever_it_lies() -> None:
    beneath = Path(os.path.realpath(os.__file__)).parent  # the standard library, which the sandbox does see
    process = await Sandbox.start(MEMORY, [beneath / "idlelib"])
    try:
        assert (await called(process, f"return os.listdir({str(beneath / 'idlelib')!r})"))["result"] == "[]"
    finally:
        await process.end()


@pytest.mark.parametrize(
    "body", ["os._exit(0)", "os.close(int(sys.argv[1]))\nreturn 1", "os.write(int(sys.argv[1]), b'\\xff' * 100)\nreturn 1",
             "os.write(int(sys.argv[1]), b'\\x00\\x00\\x00\\x02[]')\nreturn 1", "import ctypes\nctypes.string_at(0)"],
)  # fmt: skip
async def test_a_process_that_ends_or_speaks_nonsense(process: Sandbox, body: str) -> None:
    with pytest.raises(EndedError):
        await called(process, body)


async def test_a_process_that_nothing_is_asked_of_gets_no_time(process: Sandbox) -> None:
    process.go_on()
    code = "def main(ocean, request):\n    while True: pass"
    await process.send({"code": code, "name": "fn/x", "request": {}, "user": False, "call": 1})
    while _cpu(process) < 0.1:
        await asyncio.sleep(0.01)
    process.stop()
    before = _cpu(process)
    for _ in range(20):  # whatever it would use: the loop's own turns are the clock
        await asyncio.sleep(0.01)
    assert _cpu(process) - before < 0.05


def _cpu(process: Sandbox) -> float:
    """Seconds of the processor that the process's group has used."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == process._process.pid:
                total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


async def test_a_pool_gives_no_process_of_one_function_to_another(tmp_path: Path) -> None:
    before = _sandboxes()
    pool = Pool(MEMORY, [tmp_path])
    try:
        first, ready = await pool.take("one")
        assert not ready
        await called(first, "global seen\nseen = 1\nreturn 1")
        pool.give("one", first)
        other, ready = await pool.take("two")
        assert (other is not first, ready) == (True, False)
        again, ready = await pool.take("one")
        assert (again is first, ready) == (True, True)
        for process in (other, again):
            await process.end()
    finally:
        await pool.close()
    assert _sandboxes() == before


STARTS = """
import asyncio, sys
from ocean.runner.sandbox import Sandbox
async def main():
    process = await Sandbox.start(256 << 20, [])
    process.go_on()
    print(process._process.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_process_ends_with_the_one_that_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout
        started = Path("/proc") / host.stdout.readline().strip()
        assert _name(started) == "bwrap"
        host.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    while _name(started) == "bwrap":
        assert time.monotonic() - begun < 20


def _sandboxes() -> set[str]:
    """This process's."""
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return {entry.name for entry in entries if _parent(entry) == os.getpid() and _name(entry) == "bwrap"}


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _name(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return ""
