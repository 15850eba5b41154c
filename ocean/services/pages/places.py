"""Where a folder's pages are, for whoever is told of it: at its domain, at an origin of its own, or on the host that all share."""

from __future__ import annotations

from ocean.context import Ocean
from ocean.core import access
from ocean.core.addresses import Origin, address_of_folder
from ocean.core.routes import ancestors
from ocean.settings import domain_url, listener, page_url
from ocean.store import certificates, domains
from ocean.store.domains import Domain
from ocean.store.reader import now


async def url_of_folder(ocean: Ocean, route: str) -> str:
    """The whole address of a folder's page."""
    return await url_of(ocean, route, address_of_folder(route))


async def url_of(ocean: Ocean, route: str, path: str) -> str:
    """The whole address of a path on the shared host, which lies in `route`: at the domain of the nearest folder that has one."""
    for claim in await domains.of_folders(ocean.engine, ancestors(route)):
        if await _serves(ocean, claim):
            here = Origin(claim.route, domain=domain_url(ocean.settings, claim.name))
            return here.domain + here.path(path)
    return page_url(ocean.settings, path)


async def _serves(ocean: Ocean, claim: Domain) -> bool:
    """Whether pages are to be had there: the folder is still its owner's, and by HTTPS there is something to show."""
    if not access.is_admin(claim.route, claim.owner, await ocean.reader.rules(claim.route)):
        return False
    if listener(ocean.settings) is None:
        return True
    found = await certificates.certificate(ocean.engine, claim.name)
    return found is not None and found.holds(now())
