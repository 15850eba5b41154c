"""One visit to a site: who looks, what lies on the way, and what may be seen of it. Every page is made through this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import access
from ocean.core.access import ACCESS_KEY, Rules
from ocean.core.addresses import Origin, address_of_folder, address_of_record
from ocean.core.cards import named
from ocean.core.drop import REMOVED, UNPUBLISHED, Drop
from ocean.core.payloads import loads
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.access.reading import gated, stub
from ocean.settings import api_url
from ocean.store.reader import now

PREVIEW = "_preview"  # the folder of a site's previews, beneath it
HIDDEN = frozenset({ACCESS_KEY, "_config", "_headers", "_redirects", "_deploy", PREVIEW})
NOT_FOUND_PAGE = "404.html"
SETTINGS = ("_config", "_headers", "_redirects", NOT_FOUND_PAGE)
MAX_SEGMENTS = 64  # of a path: a route's and a key's together


MAX_PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a page is asked for beside its path: the mode of a view, the number of a list's page."""

    mode: str = "full"
    number: int = 1


PLAINLY = Wanted()
SHARED = Origin()


@dataclass(slots=True)
class Visit:
    """One look at a site: who looks, at which place of the log, and what was met on the way."""

    ocean: Ocean
    caller: Caller
    position: int | None
    wanted: Wanted = PLAINLY
    origin: Origin = SHARED
    gone: bool = False
    withdrawn: bool = False  # a page was here and was unpublished
    public: bool = True
    until: int | None = None  # when the first of all that was met expires
    depends: set[str] = field(default_factory=set)

    def link(self, route: str, key: str) -> str:
        """The address of a record's page, from here."""
        return self.origin.path(address_of_record(route, key))

    def home(self, folder: str) -> str:
        """The address of a folder's page, from here."""
        return self.origin.path(address_of_folder(folder))

    def meet(self, drop: Drop) -> None:
        if drop.expires_at is not None:
            self.until = min(drop.expires_at, self.until or drop.expires_at)


@dataclass(slots=True)
class Path:
    """A path with what lies on its way: the folders whose pages and settings may stand at it, the deepest first.

    A folder counts only if it belongs to whoever owns the deepest one: what lies above another's folder has no say in it.
    """

    segments: list[str]
    slash: bool
    route: str | None  # the whole path as a folder's route, if it can be one
    rules: Rules
    folders: list[str]
    there: set[tuple[str, str]]  # records that exist, of all that the path may need

    def beneath(self, folder: str) -> str:
        """The path as the settings of `folder` see it."""
        rest = self.segments[folder.count("/") + 1 :]
        return "/" + "/".join(rest) + ("/" if self.slash and rest else "")


async def look_along(visit: Visit, segments: list[str], slash: bool) -> Path:
    folders: list[str] = []
    for depth in range(1, len(segments) + 1):
        try:
            given = "/".join(segments[:depth])
            folder = check_route(given)
        except OceanError:
            break
        if folder != given:  # it names a folder by a secret: an address is shown, kept and sent on
            break
        folders.append(folder)
    if not folders:
        raise OceanError("NOT_FOUND", "There is no page at this address.")
    visit.depends.update(folders)
    rules = await visit.ocean.reader.rules(folders[-1])
    if visit.origin.owner and not access.is_admin(visit.origin.site, visit.origin.owner, rules):
        raise OceanError("NOT_FOUND", "Nothing is served here: the folder of this domain is not its owner's any more.")
    owners = access.owners(folders, rules)
    ours = [folder for folder, owner in zip(folders, owners, strict=True) if owner == owners[-1]][::-1]
    pairs = [(folder, key) for folder in ours for key in (*SETTINGS, *names(segments, folder, False), *names(segments, folder, True))]
    there = await visit.ocean.reader.existing(pairs)
    return Path(segments, slash, folders[-1] if len(folders) == len(segments) else None, rules, ours, there)


def names(segments: list[str], folder: str, slash: bool) -> list[str]:
    """The keys in `folder` that the path may mean."""
    rest = "/".join(segments[folder.count("/") + 1 :])
    if slash:
        return [f"{rest}/{name}" if rest else name for name in ("index", "index.html", "index.md")]
    return [rest, rest + ".html", rest + ".md"] if rest else []


async def record(visit: Visit, route: str, key: str) -> Drop | None:
    """The record a page is made of: as it is, as it was, or as it last was before it was removed. Raises for who may not see it."""
    reader = visit.ocean.reader
    drop, owner, rules = await reader.look(route, key)
    if visit.position is not None:
        drop = await reader.entity_at(route, key, visit.position)
    elif drop is not None and drop.kind == REMOVED:
        drop = await reader.last_live(route, key)
    refusal = authorise(visit, route, owner == visit.caller.key, rules)
    if drop is None or not drop.live(now()):
        if drop is not None and refusal is None:
            visit.gone = visit.gone or drop.kind not in (REMOVED, UNPUBLISHED)
            visit.withdrawn = visit.withdrawn or drop.kind == UNPUBLISHED
        return None
    if refusal is not None:
        raise refusal
    if await gated(visit.ocean, visit.caller, drop):
        raise _unpaid(visit, drop)
    visit.public = visit.public and drop.price.free
    visit.meet(drop)
    return drop


def _unpaid(visit: Visit, drop: Drop) -> OceanError:
    """What is said of a page that has a price, to who has not bought it: what it costs, and where it is bought."""
    visit.public = False
    told = stub(drop)
    if drop.price.once is None:
        address = f"{api_url(visit.ocean.settings)}/entity/{drop.route}?key=... with X-Ocean-Budget: {told['price_per_read']}"
        says = f"This page is sold by the reading: {told['price_per_read']} io each time."
        unpaid = OceanError("RATE_LIMITED", says, f"Programs read it there: {address}", status=402)
    else:
        unpaid = OceanError("RATE_LIMITED", f"This page costs {told['price']} io.", status=402)
        unpaid.details["buy"] = f"{api_url(visit.ocean.settings)}/buy?drop={drop.drop_id}"
    unpaid.details["title"] = named(drop.key or "")
    if isinstance(told.get("preview"), str):
        unpaid.details["preview"] = told["preview"]
    return unpaid


def refusal_of(visit: Visit, path: Path) -> OceanError | None:
    """Why the caller is told nothing of a path where nothing was found for it."""
    return authorise(visit, path.folders[0], False, path.rules)


def authorise(visit: Visit, route: str, own: bool, rules: Rules) -> OceanError | None:
    """Why the caller may not see it, or None; notes whether anyone else could."""
    caller = visit.caller
    try:
        if access.decide(route, None, "entity", rules) == "allow":
            return None
        verdict = access.decide(route, caller.key, "entity", rules)
    except OceanError as fault:
        return fault
    visit.public = False
    if verdict == "allow" or (verdict == "own" and own and caller.key is not None):
        return None
    if caller.key is None or access.private_owner(route):
        return OceanError("KEY_REQUIRED", "This page is private.", "Add ?_key= and your key.", status=401)
    return OceanError("FORBIDDEN", "This key may not see this page.")


async def setting(visit: Visit, path: Path, folder: str, key: str) -> Any:
    """What a record of a site's own settings says, to who may read it; one that a mere guest of the folder wrote says nothing."""
    if (folder, key) not in path.there:
        return None
    found = await visit.ocean.reader.look(folder, key)
    drop = found.drop
    if visit.position is not None:
        drop = await visit.ocean.reader.entity_at(folder, key, visit.position)
    if drop is None or not drop.live(now()) or access.decide(folder, drop.source, "drop", found.rules) != "allow":
        return None
    if authorise(visit, folder, found.owner == visit.caller.key, found.rules) is not None or await gated(visit.ocean, visit.caller, drop):
        return None
    visit.meet(drop)
    return loads(drop.body())


async def nearest(visit: Visit, path: Path, key: str) -> tuple[str, str] | None:
    """`(folder, text)` of the nearest record of a site's own rules."""
    for folder in path.folders:
        value = await setting(visit, path, folder, key)
        if isinstance(value, str):
            return folder, value
    return None
