"""Pace: how often something is done in a minute, for each of those who do it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from ocean.errors import OceanError

MAX_KNOWN = 100_000  # that are counted in one period: their names are kept as numbers


class Pace:
    """At most `most` in so many seconds, counted by whatever names who does it."""

    def __init__(self, most: int, says: str, *, seconds: int = 60, code: str = "LIMIT_REACHED") -> None:
        self._most = most
        self._says = says
        self._seconds = seconds
        self._code = code
        self._period = 0
        self._counts: Counter[int] = Counter()

    def spend(self, *who: str, amount: int = 1, at: float | None = None) -> None:
        """Raises LIMIT_REACHED, or the code it was made with. `at` in seconds: now."""
        period = int((time.monotonic() if at is None else at) // self._seconds)
        if period != self._period:
            self._period = period
            self._counts.clear()
        name = hash(who)
        if self._counts[name] + amount > self._most or (name not in self._counts and len(self._counts) >= MAX_KNOWN):
            raise OceanError(self._code, self._says, retry_after=self._seconds)
        self._counts[name] += amount

    def spend_each(self, holders: Iterable[str], amount: int = 1) -> None:
        """The same for each of those whom a limit counts for (`Caller.holders`): keys are made for the asking, so addresses count too."""
        for holder in holders:
            self.spend(holder, amount=amount)


class Paces:
    """Those of a process."""

    def __init__(self) -> None:
        self.events = Pace(3000, "At most 3000 events a minute are taken from one address.")
        self.events_to_one = Pace(600, "At most 600 events a minute are taken from one address.")
        self.notifications = Pace(1000, "At most 1000 notifications a minute are taken from one sender.")
        self.domains = Pace(120, "At most 120 times a minute domains are looked at for one caller.")
        self.addresses = Pace(600, "At most 600 addresses an hour are looked up by one caller.", seconds=3600, code="AUTH_RATE_LIMITED")
        self.made = Pace(200, "At most 200 values and scoped keys an hour are made from one place.", seconds=3600)
        self.claims = Pace(60, "At most 60 challenges a minute are given to one key.")
        self.probes = Pace(120, "At most 120 addresses an hour are looked up from one place.", seconds=3600, code="AUTH_RATE_LIMITED")
        self.resolves = Pace(20, "At most 20 addresses an hour are resolved for one key.", seconds=3600, code="AUTH_RATE_LIMITED")
        self.sends = Pace(200_000, "At most 200000 payments a minute are taken from one key.")
        self.tokens = Pace(60, "At most 60 ID tokens a minute are looked at from one place.")
        self.mails = Pace(6000, "At most 6000 messages a minute are taken from one address.")
        self.logins = Pace(30, "At most 30 sign-ins a minute are tried from one address.")
        self.tickets = Pace(60, "At most 60 tickets a minute are made for one caller.")
        self.kept = Pace(1000, "At most 1000 jobs and runs under a key an hour are kept from one place.", seconds=3600)
        self.fetches = Pace(600, "At most 600 addresses a minute are asked by functions of one key.")
