"""Which Host names are served, and what each is the origin of."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ocean.core.addresses import Origin, has_origin
from ocean.errors import OceanError
from ocean.settings import flag, origin


class Hosts:
    """The view host's names: its public one, loopback and bare addresses; with OCEAN_ORIGINS also FOLDER.NAME. Others are refused."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        named = urlsplit(settings["OCEAN_VIEW_URL"]).hostname
        self._public = named.lower() if named else ""
        self._names = {"localhost", *([self._public] if named else [])}
        self._shared = origin(settings)
        self._looked = self._shared._replace(own="")  # from this machine, where nobody else's name leads: all on one host
        self._parts = bool(named) and flag(settings, "OCEAN_ORIGINS")

    def of(self, host: str) -> Origin | None:
        """The origin that a Host names; None where it is none of ours."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return None
        if self._parts and name == self._public:
            return self._shared
        if self._parts and name.endswith("." + self._public):
            site = name.removesuffix("." + self._public)
            return self._shared._replace(site=site) if has_origin(site) else None
        if name in self._names:
            return self._looked
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return None
        return self._looked

    def check(self, host: str) -> Origin:
        """Raises NOT_FOUND (421)."""
        found = self.of(host)
        if found is None:
            raise OceanError("NOT_FOUND", f"No site is served for {host[:100]!r}.", "Set OCEAN_VIEW_URL to this address.", status=421)
        return found


def kept_as(origin: Origin, path: str) -> str | None:
    """What a page is kept by: its path, and where it is looked at; None where it is not looked at, but another origin's."""
    if origin.site:
        return f"//{origin.site}{path}"
    if leads(origin, path) is not None:
        return None
    return f"//{path}" if origin.own else path  # its links are others than those of a look from this machine


def leads(origin: Origin, path: str) -> str | None:
    """The address, on an origin of its own, of a path on the shared host."""
    if not origin.own or origin.site:
        return None
    there = origin.path(path)
    return there if there != path else None
