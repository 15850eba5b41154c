"""A site before it goes live: all of it in a folder of its own, and from there in one commit to its place."""

from __future__ import annotations

import secrets
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.changes import Op
from ocean.core.drop import FREE, show_time
from ocean.core.payloads import loads
from ocean.errors import OceanError
from ocean.services.access.reading import gated_among, require_read, require_write
from ocean.services.data.writing import write
from ocean.services.pages import deploys
from ocean.services.pages.deploys import DEPLOY_KEY, KEYED
from ocean.services.pages.places import url_of_folder, urls_of_folders
from ocean.services.pages.visit import PREVIEW
from ocean.store.reader import beneath, now

MOST = 100  # that are listed


async def preview(ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any]) -> dict[str, Any]:
    """Puts the site that `files` says beside the live one: what changed is staged before, the rest is the live site's."""
    route = await require_write(ocean, caller, route)
    manifest = deploys.manifest_of(files)
    who = caller.writer(*KEYED)
    target = f"{route}/{PREVIEW}/{secrets.token_hex(4)}"
    await require_read(ocean, caller, route, "entity")
    live = {path: drop async for path, drop in deploys.standing(ocean, route)}
    kept_back = await gated_among(ocean, caller, list(live.values()))  # a copy of one's own is no way around its price
    staged = dict(await deploys.staged_by(ocean, who))
    contents = deploys.Contents(ocean, who, target)
    ops = [deploys.note_of(target, None, {"files": len(manifest), "preview_of": route})]
    for path, (sha256, size) in sorted(manifest.items()):
        there = live.get(path)
        if there is not None and there.seq not in kept_back and deploys.digest_of(there) == sha256:
            payload = there.payload or "null"
        elif staged.get(sha256) == size:
            payload = await contents.payload(path, sha256, size)
        else:
            raise OceanError("CONFLICT", f"The file {path!r} was not uploaded.", "Plan the publish again.")
        price, ttl = (there.price, deploys.left(there)) if there is not None else (FREE, None)  # what costs something does so here too
        ops.append(Op("save", target, path, payload, price=price, ttl=ttl))
    await write(ocean, caller, ops)
    return {"route": route, "preview": target.rsplit("/", 1)[1], "files": len(manifest), "url": await url_of_folder(ocean, target)}


async def promote(ocean: Ocean, caller: Caller, *, route: str, preview: str) -> dict[str, Any]:
    """Makes a preview the live site, in one commit; its folder is empty then."""
    route = await require_write(ocean, caller, route)
    target = await require_write(ocean, caller, f"{route}/{PREVIEW}/{preview}")
    note = await ocean.reader.entity(target, DEPLOY_KEY)
    await require_read(ocean, caller, target, "entity")
    wanted = {path: drop async for path, drop in deploys.standing(ocean, target)}
    if note is None or not note.live(now()) or not wanted:
        raise OceanError("NOT_FOUND", f"The site {route!r} has no preview {preview[:40]!r}.", f"deploys {route} lists them.")
    changed_since = next((path for path, drop in wanted.items() if (drop.created_at, drop.source) != (note.created_at, note.source)), None)
    if changed_since is not None:  # by whoever may write there: nobody has looked at that
        hint = "Publish a preview again."
        raise OceanError("CONFLICT", f"The preview's {changed_since[:60]!r} is another than the one that was published.", hint)
    before = await deploys.newest_deploy(ocean, route)
    live = await deploys.files_of(ocean, caller, route)
    changed = [path for path, drop in wanted.items() if path not in live or live[path].digest != deploys.digest_of(drop)]
    removed = deploys.taken_away(live, wanted)
    told = {"files": len(wanted), "changed": len(changed), "removed": len(removed)}
    ops = [deploys.note_of(route, before, {**told, "promotes": preview})]
    for path in changed:
        ttl = live[path].ttl if path in live else None
        ops.append(Op("save", route, path, wanted[path].payload or "null", keeps_price=True, ttl=ttl))
    ops += [Op("unpublish", route, path) for path in removed]
    ops += [Op("unpublish", target, path) for path in (DEPLOY_KEY, *wanted)]
    results = await write(ocean, caller, ops)
    return {"route": route, **told, "deploy": results[0]["drop_id"], "url": await url_of_folder(ocean, route)}


async def list_(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """The deploys of a site, newest first, and the previews beside it."""
    route = await require_write(ocean, caller, route)
    await require_read(ocean, caller, route, "entity")
    moment = now()
    found: list[dict[str, Any]] = []
    for drop in await ocean.reader.history(route, DEPLOY_KEY, 1000):
        note = loads(drop.payload or "null")
        if isinstance(note, dict) and drop.live(moment):
            found.append({"deploy": drop.drop_id, "at": show_time(drop.created_at), "live": not found, **_told(note)})
    return {"route": route, "deploys": found, "previews": await _previews(ocean, route)}


def _told(note: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: note[name] for name in ("files", "changed", "removed", "promotes") if name in note}
    return {**shown, "rollback": True} if "restores" in note else shown


async def _previews(ocean: Ocean, route: str) -> list[dict[str, Any]]:
    low, high = beneath(f"{route}/{PREVIEW}")
    rows = await ocean.engine.scan(
        "SELECT route, created_at FROM record WHERE key = ? AND removed = 0 AND route > ? AND route < ? ORDER BY seq DESC LIMIT ?",
        (DEPLOY_KEY, low, high, MOST),
    )
    urls = await urls_of_folders(ocean, [row[0] for row in rows])
    return [{"preview": row[0].rsplit("/", 1)[1], "at": show_time(row[1]), "url": url} for row, url in zip(rows, urls, strict=True)]
