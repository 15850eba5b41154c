"""The system calls that a function's process may make: what Python needs to compute, and no more.

No sockets, no processes, no tracing, no mounts, no keys of the kernel: what is not named here fails with EPERM, so that the function is
told so by an exception. No threads either: nothing bounds their number where the server runs as root (RLIMIT_NPROC does not count then),
and what a function asks for is answered one after another anyway.
"""

from __future__ import annotations

import errno
import functools
import os
import tempfile

_IOCTLS = (0x5421, 0x5450, 0x5451)  # FIONBIO, FIONCLEX, FIOCLEX: what Python sets on files that it opens
_FCNTLS = (0, 1, 2, 3, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: none that has signals sent, which would wake it
_O_ASYNC = 0x2000
_ALLOWED = (
    # memory, files and time
    "access", "arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "close", "dup", "dup2", "dup3", "faccessat",
    "faccessat2", "fstat", "fstatfs", "getcwd", "getdents64", "gettimeofday", "lseek", "lstat", "madvise",
    "mmap", "mprotect", "mremap", "munmap", "nanosleep", "newfstatat", "open", "openat", "pread64", "pwrite64", "read",
    "readlink", "readlinkat", "readv", "stat", "statx", "time", "write",
    "writev",
    # the process itself
    "exit", "exit_group", "futex", "get_robust_list", "getegid", "geteuid", "getgid", "getpid", "getppid", "getpriority", "getrandom",
    "getrlimit", "getrusage", "gettid", "getuid", "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "setpriority", "setrlimit", "sigaltstack", "sysinfo", "times",
    "umask", "uname", "wait4",
    # the one socket it has, and what waits for it
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "getpeername", "getsockname", "getsockopt", "pipe2", "poll",
    "ppoll", "pselect6", "recvfrom", "select", "socketpair",
    # the start of the interpreter, once: what it would start has no more rights than it has
    "execve",
)  # fmt: skip


@functools.cache
def program() -> bytes:
    """The filter as the kernel takes it (BPF). Raises ImportError or OSError where the library is missing (libseccomp2)."""
    import pyseccomp

    made = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for name in _ALLOWED:
        try:
            made.add_rule(pyseccomp.ALLOW, name)
        except (OSError, ValueError, TypeError):  # another machine's: there is no such call on this one
            continue
    made.add_rule(pyseccomp.ALLOW, "prlimit64", pyseccomp.Arg(0, pyseccomp.EQ, 0))  # its own limits
    made.add_rule(pyseccomp.ALLOW, "sendto", pyseccomp.Arg(4, pyseccomp.EQ, 0))  # to whom the socket leads, and to no address
    for number in _FCNTLS:
        made.add_rule(pyseccomp.ALLOW, "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, number))
    made.add_rule(pyseccomp.ALLOW, "fcntl", pyseccomp.Arg(1, pyseccomp.EQ, 4), pyseccomp.Arg(2, pyseccomp.MASKED_EQ, _O_ASYNC, 0))
    for number in _IOCTLS:
        made.add_rule(pyseccomp.ALLOW, "ioctl", pyseccomp.Arg(1, pyseccomp.EQ, number))
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def as_file() -> int:
    """A descriptor that the filter can be read from."""
    number = os.memfd_create("filter", 0)
    os.write(number, program())
    os.lseek(number, 0, os.SEEK_SET)
    return number
