"""What peers put on a process before anything of theirs is answered: connections, and bodies on their way."""

from __future__ import annotations

import resource
from collections import Counter

from ocean.errors import OceanError
from ocean.turns import household

BODIES = 256 * 1024 * 1024  # bytes of bodies at a time, of all
BODIES_OF_ONE = 96 * 1024 * 1024  # and of one address: three of the largest
_OWN_FILES = 200  # descriptors that the process keeps for its own


def room_for_files() -> int:
    """Raises the process's limit of open files to what it may be; how many connections that leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 65536)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(100, wanted - _OWN_FILES)


UNSENT = 512 * 1024 * 1024  # bytes of answers that wait for those who asked, of all
UNSENT_OF_ONE = 64 * 1024 * 1024  # and of one address: six of the largest
STALL = 30.0  # seconds in which a peer takes less of its answer than
LEAST = 64 * 1024  # bytes end its connection


class Unsent:
    """Answers that their peers have not taken yet, by address: who asks and never reads shall not fill the memory."""

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._all = 0

    def change(self, ip: str, more: int) -> None:
        """So many bytes more (less, below 0) wait for an address."""
        who = household(ip)
        self._all += more
        self._of[who] += more
        if self._of[who] <= 0:
            del self._of[who]

    def too_much(self, ip: str, *, proxy: bool) -> bool:
        return self._all > UNSENT or (self._of[household(ip)] > UNSENT_OF_ONE and not proxy)


class Burden:
    """Counts by address (an IPv6 household's /64). `most` connections of one; proxies that are trusted have no limit of their own."""

    def __init__(self, most: int, room: int) -> None:
        self._most = most
        self._room = room
        self._connections: Counter[str] = Counter()
        self._count = 0
        self.unsent = Unsent()
        self._bodies: Counter[str] = Counter()
        self._bytes = 0

    def come(self, ip: str, *, proxy: bool = False) -> bool:
        """Whether there is room for one more connection; it is counted then."""
        who = household(ip)
        if self._count >= self._room or (self._connections[who] >= self._most and not proxy):
            return False
        self._connections[who] += 1
        self._count += 1
        return True

    def gone(self, ip: str) -> None:
        who = household(ip)
        self._count -= 1
        self._connections[who] -= 1
        if self._connections[who] <= 0:
            del self._connections[who]

    def take(self, ip: str, size: int) -> None:
        """More of a body came. Raises SERVER_BUSY where too much is under way."""
        who = household(ip)
        if self._bytes + size > BODIES or self._bodies[who] + size > BODIES_OF_ONE:
            raise OceanError("SERVER_BUSY", "Too much content is on its way to the server at once.", "Send it again, a little later.")
        self._bodies[who] += size
        self._bytes += size

    def give(self, ip: str, size: int) -> None:
        """A request that had a body of `size` is over."""
        who = household(ip)
        self._bytes -= size
        self._bodies[who] -= size
        if self._bodies[who] <= 0:
            del self._bodies[who]
