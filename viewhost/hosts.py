"""Which Host names are served, and what each is the origin of."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from ocean.core.addresses import Origin, has_origin
from ocean.errors import OceanError
from ocean.services.pages.hosting import Hosting
from ocean.settings import domain_url, flag, listener, origin


class Hosts:
    """The view host's names: its public one, loopback and bare addresses, and live domains; with OCEAN_ORIGINS also FOLDER.NAME. Others are
    refused.

    `server_name` is, of a connection by TLS, the name that it was opened for: its Host can be no other. In the clear it is None.
    """

    def __init__(self, settings: Mapping[str, str], hosting: Hosting) -> None:
        named = urlsplit(settings["OCEAN_VIEW_URL"]).hostname
        self._settings = settings
        self._public = named.lower() if named else ""
        self._names = {"localhost", *([self._public] if named else [])}
        self._shared = origin(settings)
        self._looked = self._shared._replace(own="")  # from this machine, where nobody else's name leads: all on one host
        self._parts = bool(named) and flag(settings, "OCEAN_ORIGINS")
        self._secured = listener(settings) is not None
        self._given = bool(settings["OCEAN_TLS_CERTIFICATE"])
        self.hosting = hosting

    def of(self, host: str, server_name: str | None) -> Origin | None:
        """The origin that a Host names; None where it is none of ours."""
        name = name_of(host)
        if name is None or (server_name is not None and name != server_name):
            return None
        if self._parts and name == self._public:
            return self._shared
        if self._parts and name.endswith("." + self._public):
            site = name.removesuffix("." + self._public)
            return self._shared._replace(site=site) if has_origin(site) else None
        if name in self._names:
            return self._shared if server_name is not None else self._looked
        if (claim := self.hosting.live.get(name)) is not None:
            return self._shared._replace(site=claim.route, domain=domain_url(self._settings, name), owner=claim.owner)
        return self._looked if _is_address(name) else None

    def moved(self, host: str, server_name: str | None) -> str | None:
        """The address that a Host's site is at, where it is another: by HTTPS, with `www.` or without."""
        name = name_of(host)
        if name is None:
            return None
        claim = self.hosting.live.get(name)
        main = self.hosting.main(claim) if claim is not None else name
        certified = self._secured and self._has_certificate(main)
        if main != name and (certified or not self._secured):  # not to where nothing could be shown for it
            return domain_url(self._settings, main)
        return domain_url(self._settings, name) if server_name is None and self._secured and self._has_certificate(name) else None

    async def check(self, host: str, server_name: str | None) -> Origin:
        """Raises NOT_FOUND (421)."""
        name = name_of(host)
        if name not in self._names:
            await self.hosting.follow()
        found = self.of(host, server_name)
        if found is None:
            hint = "If it is yours: domain add, and the DNS records it names. If this is your server: OCEAN_VIEW_URL."
            raise OceanError("NOT_FOUND", f"No site is served for {host[:100]!r}.", hint, status=421)
        return found

    def tells(self, host: str, path: str, peer: str) -> bool:
        """Whether a peer is told at a Host how this server is; what it counts only from beside it, where it is known by its address."""
        name = name_of(host) or ""
        if name in self._names or _is_address(name):
            return path != "/metrics" or (name != self._public and _is_address(peer) and not ipaddress.ip_address(peer).is_global)
        return False

    def is_shared(self, host: str) -> bool:
        """Whether sites share the origin that a Host names; on this machine it is their developer's."""
        name = name_of(host) or ""
        if not self._public:
            return False
        return name == self._public or (_is_address(name) and not ipaddress.ip_address(name).is_loopback)

    def _has_certificate(self, name: str) -> bool:
        own = name == self._public or (self._parts and name.endswith("." + self._public))
        return (self._given and own) or self.hosting.secured(name) is not None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def name_of(host: str) -> str | None:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower().removesuffix(".")
    except ValueError:
        return None


def kept_as(origin: Origin, path: str) -> str | None:
    """What a page is kept by: its path, and where it is looked at; None where it is not looked at, but another origin's."""
    if origin.domain:
        return f"{origin.domain} {origin.site} {path}"
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
