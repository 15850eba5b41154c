"""Which Host names are served."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ocean.errors import OceanError


class Hosts:
    """The view host's own names: its public one, loopback, and bare addresses. Anything else is refused."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        named = urlsplit(settings["OCEAN_VIEW_URL"]).hostname
        self._names = {"localhost", *([named.lower()] if named else [])}

    def ours(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def check(self, host: str) -> None:
        """Raises NOT_FOUND (421)."""
        if not self.ours(host):
            raise OceanError("NOT_FOUND", f"No site is served for {host[:100]!r}.", "Set OCEAN_VIEW_URL to this address.", status=421)
