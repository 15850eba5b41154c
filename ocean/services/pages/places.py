"""Where a folder's pages are, for whoever is told of it: at its domain, at an origin of its own, or on the host that all share."""

from __future__ import annotations

from collections.abc import Sequence

from ocean.context import Ocean
from ocean.core import access
from ocean.core.addresses import Origin, address_of_folder
from ocean.core.routes import ancestors, covers
from ocean.settings import domain_url, listener, page_url
from ocean.store import certificates, domains
from ocean.store.domains import Domain
from ocean.store.reader import now


async def url_of_folder(ocean: Ocean, route: str) -> str:
    """The whole address of a folder's page."""
    return await url_of(ocean, route, address_of_folder(route))


async def urls_of_folders(ocean: Ocean, routes: Sequence[str]) -> list[str]:
    """The same of many: their domains are asked for once."""
    claims = await _serving(ocean, routes)
    return [_at(ocean, claims, route, address_of_folder(route)) for route in routes]


async def url_of(ocean: Ocean, route: str, path: str) -> str:
    """The whole address of a path on the shared host, which lies in `route`: at the domain of the nearest folder that has one."""
    return _at(ocean, await _serving(ocean, [route]), route, path)


def _at(ocean: Ocean, claims: list[Domain], route: str, path: str) -> str:
    claim = next((claim for claim in claims if covers(claim.route, route)), None)
    if claim is None:
        return page_url(ocean.settings, path)
    here = Origin(claim.route, domain=domain_url(ocean.settings, claim.name))
    return here.domain + here.path(path)


async def _serving(ocean: Ocean, routes: Sequence[str]) -> list[Domain]:
    """The domains of folders and of what they lie in, at which there are pages: the deepest folder's first."""
    folders = sorted({folder for route in routes for folder in ancestors(route)})
    return [claim for claim in await domains.of_folders(ocean.engine, folders) if await _serves(ocean, claim)] if folders else []


async def _serves(ocean: Ocean, claim: Domain) -> bool:
    """Whether pages are to be had there: the folder is still its owner's, and by HTTPS there is something to show."""
    if not access.is_admin(claim.route, claim.owner, await ocean.reader.rules(claim.route)):
        return False
    if listener(ocean.settings) is None:
        return True
    found = await certificates.certificate(ocean.engine, claim.name)
    return found is not None and found.holds(now())
