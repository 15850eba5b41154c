"""Sites published whole: what changed is staged, then all of it is switched in one commit; and back."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Container, Mapping
from typing import Any, NamedTuple

import orjson

from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.core.drop import REMOVED, Drop, Price, read_time, show_time
from ocean.core.files import reference_in
from ocean.core.media import is_text, type_of
from ocean.core.payloads import MAX_BYTES, decode, encode, loads
from ocean.core.routes import check_key
from ocean.core.site import THEMES
from ocean.errors import OceanError
from ocean.services.access.reading import gated_among, require_read, require_write
from ocean.services.data.writing import write
from ocean.services.files import blobs
from ocean.services.pages.places import url_of_folder, urls_of_folders
from ocean.store.reader import now

DEPLOY_KEY = "_deploy"
CONFIG_KEY = "_config"
MAX_FILES = 20_000
MAX_TEXT = MAX_BYTES // 4  # what is larger is kept as a file, whatever its type

MAX_TEXTS = 100 * 1024 * 1024  # bytes of text that one deploy keeps as records

KEYED = ("Sites belong to a key, and none was given.", "Send your key as X-Ocean-Key, or set OCEAN_KEY.")
Manifest = dict[str, tuple[str, int]]  # path -> (SHA-256 in hex, bytes)


async def plan(ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any]) -> dict[str, Any]:
    """What publishing `files` would change: `{upload, change, new, remove, keep}`; `upload` lists the digests to send first, `new` is
    what of `change` was not there."""
    route = await require_write(ocean, caller, route)
    manifest = manifest_of(files)
    there = await files_of(ocean, caller, route)
    changed = [path for path, (sha256, _) in manifest.items() if path not in there or there[path].digest != sha256]
    staged = {sha for sha, _ in await staged_by(ocean, caller.writer(*KEYED))}
    upload = sorted({manifest[path][0] for path in changed} - staged)
    removed = taken_away(there, manifest)
    new = sorted(path for path in changed if path not in there)
    return {"upload": upload, "change": sorted(changed), "new": new, "remove": removed, "keep": len(manifest) - len(changed)}


async def stage(ocean: Ocean, caller: Caller, route: str, sha256: str, received: blobs.Received) -> dict[str, Any]:
    """Keeps the bytes of one file until the site is switched; the address says what they must be."""
    route = await require_write(ocean, caller, route)
    if received.sha256 != sha256:
        raise OceanError("INVALID_VALUE", "The file's bytes are not the ones that its digest says.", "Send it again.")
    name = stage_name(caller.writer(*KEYED), sha256)
    try:
        await ocean.blobs.put(name, received.pieces())
    except OSError as fault:
        raise OceanError("STORAGE_FULL", "The file can't be kept: the disk may be full.", "Free space; reads go on.") from fault
    return {"sha256": sha256, "size": received.size}


async def publish(ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any]) -> dict[str, Any]:
    """Makes the site what `files` says, in one commit: what changed is saved, and unpublished what an earlier deploy had and this has not.

    Raises PRECONDITION_FAILED where another deploy came between: each begins with what it saw.
    """
    route = await require_write(ocean, caller, route)
    manifest = manifest_of(files)
    before = await newest_deploy(ocean, route)
    there = await files_of(ocean, caller, route)
    who = caller.writer(*KEYED)
    changed = [path for path, (sha256, _) in manifest.items() if path not in there or there[path].digest != sha256]
    removed = taken_away(there, manifest)
    if not changed and not removed:
        return {"route": route, "changed": 0, "removed": 0, "files": len(manifest), "url": await url_of_folder(ocean, route)}
    staged = dict(await staged_by(ocean, who))
    ops = [note_of(route, before, {"files": len(manifest), "changed": len(changed), "removed": len(removed)})]
    contents = Contents(ocean, who, route)
    for path in sorted(changed):
        sha256, size = manifest[path]
        if staged.get(sha256) != size:
            raise OceanError("CONFLICT", f"The file {path!r} was not uploaded.", "Plan the publish again.")
        ttl = there[path].ttl if path in there else None
        ops.append(Op("save", route, path, await contents.payload(path, sha256, size), keeps_price=True, ttl=ttl))
    ops += [Op("unpublish", route, path) for path in removed]
    results = await write(ocean, caller, ops)
    for sha256 in {manifest[path][0] for path in changed}:
        await ocean.blobs.remove(stage_name(who, sha256))
    told = {"route": route, "changed": len(changed), "removed": len(removed), "files": len(manifest)}
    return {**told, "deploy": results[0]["drop_id"], "url": await url_of_folder(ocean, route)}


async def unpublish(ocean: Ocean, caller: Caller, *, route: str, key: str | None = None) -> dict[str, Any]:
    """Takes a page off the web, or with no key all that a folder holds; what was there stays in its history."""
    route = await require_write(ocean, caller, route)
    if key is not None:
        (result,) = await write(ocean, caller, [Op("unpublish", route, check_key(key))])
        return result
    await require_read(ocean, caller, route, "entity")
    head, _ = await ocean.reader.head()
    moment = now()
    ops = [Op("unpublish", route, d.key) async for d in ocean.reader.folder_at(route, head) if d.kind == REMOVED or d.live(moment)]
    if not ops:
        raise OceanError("NOT_FOUND", f"There is nothing published in {route!r}.")
    return {"deleted": True, "count": len(await write(ocean, caller, ops))}


async def rollback(ocean: Ocean, caller: Caller, *, route: str, to: str | None = None) -> dict[str, Any]:
    """Makes the site what it was at a time, what a deploy of this id left, or before its last deploy; again, before the one before."""
    route = await require_write(ocean, caller, route)
    await require_read(ocean, caller, route, "entity")
    before = await newest_deploy(ocean, route)
    place = await _place(ocean, route, to) if to is not None else await _before_last(ocean, route)
    head, _ = await ocean.reader.head()
    then, today = await _outline(ocean, route, place), await _outline(ocean, route, head)
    if not then:
        raise (
            _no_deploy(route)
            if to is None
            else OceanError("NOT_FOUND", f"The site {route!r} was not there at {to}.", "unpublish takes it down.")
        )
    ops = [Op("unpublish", route, key) for key in today if key not in then]
    back = [seq for key, seq in then.items() if today.get(key) != seq]
    async for drop in ocean.reader.at(back):
        ops.append(Op("save", route, drop.key, drop.payload or "null", price=drop.price, restoring=True))
    answer = {"route": route, "changed": len(back), "removed": len(ops) - len(back), "to": place, "url": await url_of_folder(ocean, route)}
    if ops:
        note = {"files": len(then), "changed": len(back), "removed": len(ops) - len(back), "restores": place}
        await write(ocean, caller, [note_of(route, before, note), *ops])
    return answer


async def _place(ocean: Ocean, route: str, to: str) -> int:
    """The place of a time, or behind the last drop of a deploy: all that one commit writes has one time."""
    notes = await ocean.reader.history(route, DEPLOY_KEY, 1000) if len(to) >= 8 and "T" not in to else []
    meant = [note.created_at for note in notes if note.drop_id.startswith(to)]
    if len(meant) == 1:
        return await ocean.reader.position_at(meant[0])
    try:
        return await ocean.reader.position_at(_past(to))
    except OceanError as fault:
        if "T" in to or to[:4].isdigit():
            raise
        hint = f"deploys {route} lists them; a time looks like 2026-03-10T10:00:00Z."
        raise OceanError("INVALID_VALUE", f"{to[:60]!r} is neither the id of one deploy of {route!r} nor a time.", hint) from fault


def _past(to: str) -> int:
    """The moment (milliseconds) of a time that has come."""
    moment = read_time(to)
    if moment > now():
        raise OceanError("INVALID_VALUE", f"{to} has not come yet.", "Times without a zone are UTC.")
    return moment


async def _outline(ocean: Ocean, route: str, place: int) -> dict[str, int]:
    """What a site showed at a place of the log: the key of each file, and the place of the drop that holds it."""
    return {path: drop.seq async for path, drop in standing(ocean, route, place)}


async def sites(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The sites that this key published last, newest first."""
    query = (
        "SELECT d.route, d.payload, d.created_at, d.version FROM record r JOIN drops d ON d.seq = r.seq "
        "WHERE r.key = ? AND r.source = ? AND r.removed = 0 AND r.route NOT LIKE '%/_preview/%' ORDER BY r.seq DESC LIMIT 1000"
    )
    async with ocean.turns.of(*caller.holders):  # a walk along an index of all keys
        rows = await ocean.engine.scan(query, (DEPLOY_KEY, caller.required(*KEYED)))
    shown = []
    urls = await urls_of_folders(ocean, [row[0] for row in rows])
    for (route, payload, created_at, version), url in zip(rows, urls, strict=True):
        note = loads(payload)
        files = note.get("files") if isinstance(note, dict) else None
        shown.append({"route": route, "files": files, "deploys": version, "published_at": show_time(created_at), "url": url})
    return {"results": shown, "count": len(shown)}


async def sweep(ocean: Ocean, older_than: float) -> int:
    """Removes what was staged before a time (seconds since the epoch) and never published."""
    old = [name for name, changed, _ in await ocean.blobs.names("staged") if changed < older_than]
    for name in old:
        await ocean.blobs.remove(name)
    return len(old)


def manifest_of(files: dict[str, Any]) -> Manifest:
    if not files or len(files) > MAX_FILES:
        raise OceanError("INVALID_VALUE", f"A site has 1 to {MAX_FILES} files.")
    manifest: Manifest = {}
    for path, entry in files.items():
        check_key(path)
        sha256, size = (entry.get("sha256"), entry.get("size")) if isinstance(entry, dict) and len(entry) == 2 else (None, None)
        digest = isinstance(sha256, str) and len(sha256) == 64 and set(sha256) <= set("0123456789abcdef")
        if not digest or not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= blobs.MAX_BYTES:
            raise OceanError("INVALID_VALUE", f"The file {path[:80]!r} wants `sha256` in hex and `size` in bytes, at most 100 MB.")
        manifest[path] = (str(sha256), size)
    if DEPLOY_KEY in manifest or "_access" in manifest:
        raise OceanError("INVALID_KEY", f"A site's file can't be called {DEPLOY_KEY!r} or '_access'.")
    return manifest


class File(NamedTuple):
    """What a site has at a path: `ttl` in seconds, `published` where it is as a deploy left it."""

    digest: str
    price: Price
    ttl: int | None
    published: bool


async def files_of(ocean: Ocean, caller: Caller, route: str) -> dict[str, File]:
    """What the site has now. Raises FORBIDDEN.

    What was saved by hand in the folder is no deploy's to take away.
    """
    await require_read(ocean, caller, route, "entity")
    times = {note.created_at for note in await ocean.reader.history(route, DEPLOY_KEY, 1000)}  # all that one commit writes has one time
    drops = {path: drop async for path, drop in standing(ocean, route)}
    kept_back = await gated_among(ocean, caller, list(drops.values()))  # whether a guess is right is not told of what has a price
    return {
        path: File("" if drop.seq in kept_back else digest_of(drop), drop.price, left(drop), drop.created_at in times)
        for path, drop in drops.items()
    }


async def standing(ocean: Ocean, route: str, place: int | None = None) -> AsyncIterator[tuple[str, Drop]]:
    """The path and the drop of each file of a site, as it stands at a place of the log, or now."""
    head, _ = await ocean.reader.head()
    moment = now()
    async for drop in ocean.reader.folder_at(route, head if place is None else place):
        if drop.key is not None and drop.key != DEPLOY_KEY and drop.live(moment):
            yield drop.key, drop


def left(drop: Drop) -> int | None:
    """Seconds until a drop expires, one at least."""
    return None if drop.expires_at is None else max(1, (drop.expires_at - now()) // 1000)


def taken_away(there: Mapping[str, File], wanted: Container[str]) -> list[str]:
    """The paths that an earlier deploy put there, and this one has not."""
    return sorted(path for path, file in there.items() if file.published and path not in wanted)


def digest_of(drop: Drop) -> str:
    value = loads(drop.payload or "null")
    if isinstance(value, str):
        return hashlib.sha256(value.encode()).hexdigest()
    file = reference_in(value)
    return file.sha256 if file is not None else ""


def stage_name(who: str, sha256: str) -> str:
    return f"staged/{who}/{sha256}"


async def staged_by(ocean: Ocean, who: str) -> list[tuple[str, int]]:
    return [(name.rsplit("/", 1)[-1], size) for name, _, size in await ocean.blobs.names(f"staged/{who}")]


def check_config(path: str, text: str) -> None:
    """Raises INVALID_VALUE where the settings of a site are none: all of them would be passed over without a word."""
    try:
        said = decode(text.encode())
    except OceanError as fault:
        raise OceanError("INVALID_VALUE", f"The file {path!r} has the site's settings, and is not JSON. {fault.message}") from None
    if not isinstance(said, dict):
        raise OceanError(
            "INVALID_VALUE", f"The file {path!r} has the site's settings, and is no object.", '{"theme": "blog", "title": "..."}'
        )
    if "theme" in said and said["theme"] not in THEMES:
        raise OceanError("INVALID_VALUE", f"The file {path!r} names a theme that there is not.", f"Themes: {', '.join(THEMES)}.")


class Contents:
    """The payloads of staged files: their text, while there is room for it in one commit, or the names of their bytes."""

    def __init__(self, ocean: Ocean, who: str, route: str) -> None:
        self._ocean = ocean
        self._who = who
        self._route = route
        self._room = MAX_TEXTS
        self._files: dict[tuple[str, str], str] = {}  # one file for all paths with the same bytes and type

    async def payload(self, path: str, sha256: str, size: int) -> str:
        media = type_of(path) or "application/octet-stream"
        wants_text = is_text(media) or path.startswith("_") or "." not in path.rsplit("/", 1)[-1]
        if wants_text and size <= min(MAX_TEXT, self._room):
            try:
                text = (await self._ocean.blobs.get(stage_name(self._who, sha256))).decode()
                if path.rsplit("/", 1)[-1] == CONFIG_KEY:
                    check_config(path, text)
                if "\x00" not in text:
                    self._room -= size
                    return encode(text)
            except UnicodeDecodeError:
                pass  # not text after all
        if (sha256, media) not in self._files:
            file = await blobs.adopt(self._ocean, self._who, self._route, media, stage_name(self._who, sha256), size, sha256)
            self._files[sha256, media] = orjson.dumps({"blob": file.to_json()}).decode()
        return self._files[sha256, media]


async def newest_deploy(ocean: Ocean, route: str) -> str | None:
    """The id of the site's newest deploy, if it has one."""
    drop = await ocean.reader.entity(route, DEPLOY_KEY)
    return drop.drop_id if drop is not None and drop.live(now()) else None


def note_of(route: str, before: str | None, payload: dict[str, Any]) -> Op:
    """The record of a deploy, which stands only if `before` is still the newest one."""
    op = Op("save", route, DEPLOY_KEY, orjson.dumps(payload).decode(), if_match=before)
    op.if_none_match = before is None
    return op


async def _before_last(ocean: Ocean, route: str) -> int:
    """The place just before the deploy that the site now shows. Raises NOT_FOUND."""
    notes = [d for d in await ocean.reader.history(route, DEPLOY_KEY, 1000) if d.payload not in (None, "null")]
    shows = None
    for drop in notes:
        note = loads(drop.payload or "null")
        restores = note.get("restores") if isinstance(note, dict) else None
        if shows is not None and drop.seq > shows:
            continue
        if not isinstance(restores, int):
            return drop.seq - 1
        shows = restores
    raise _no_deploy(route)


def _no_deploy(route: str) -> OceanError:
    hint = f"deploys {route} lists them: go to one by its id, or to a time such as 2026-03-10T10:00:00Z."
    return OceanError("NOT_FOUND", f"The site {route!r} has no deploy before the one it shows.", hint)
