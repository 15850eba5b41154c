"""The log's head, and a record's proof against it."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core import chain
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.access.reading import may_see
from ocean.store.reader import now

_LINKS = "SELECT drop_id, route, key, created_at, source, digest, chain FROM drops WHERE seq >= ? AND seq <= ? ORDER BY seq"


async def head(ocean: Ocean, caller: Caller) -> dict[str, Any]:
    """The newest link of the chain, signed by this server."""
    ((seq, link),) = await ocean.engine.rows("SELECT seq, chain FROM head WHERE id = 1")
    return _signed(ocean, seq, bytes(link))


def _signed(ocean: Ocean, seq: int, link: bytes) -> dict[str, Any]:
    public, signature = ocean.server.sign(chain.checkpoint_message(seq, link))
    return {"seq": seq, "chain": link.hex(), "at": show_time(now()), "public_key": public, "signature": signature}


async def proof(ocean: Ocean, caller: Caller, *, drop_id: str) -> dict[str, Any]:
    """A drop's leaf, the link before it, and the leaves from it to the next signed place.

    `sha256(previous + leaf)` is the drop's link; each of `following` is added in the same way; the last is `checkpoint.chain`.
    """
    drop = await ocean.reader.drop(drop_id)
    if drop is None:
        raise OceanError("NOT_FOUND", f"There is no drop {drop_id[:60]!r}.")
    if not may_see(caller, drop, "entity", await ocean.reader.rules(drop.route)):
        raise OceanError("NOT_FOUND", f"There is no drop {drop_id[:60]!r}.")  # nor is it told where it would be
    rows = await ocean.engine.rows(
        "SELECT seq, chain, public_key, signature FROM checkpoint WHERE seq >= ? ORDER BY seq LIMIT 1", (drop.seq,)
    )
    if rows:
        seq, link, public, signature = rows[0]
        checkpoint = {"seq": seq, "chain": bytes(link).hex(), "public_key": public, "signature": signature}
    else:
        checkpoint = await head(ocean, caller)
    links = await ocean.engine.rows(_LINKS, (drop.seq - 1, checkpoint["seq"]))
    previous = bytes(links[0][6]) if drop.seq > 1 else chain.GENESIS
    own, *after = links[1:] if drop.seq > 1 else links
    return {
        "drop_id": drop.drop_id, "seq": drop.seq, "route": drop.route, "key": drop.key, "created_at": show_time(drop.created_at),
        "source": drop.source, "digest": bytes(own[5]).hex(), "previous": previous.hex(), "leaf": _leaf(own).hex(),
        "following": [_leaf(row).hex() for row in after], "checkpoint": checkpoint,
    }  # fmt: skip


def _leaf(row: Any) -> bytes:
    drop_id, route, key, created_at, source, digest, _ = row
    return chain.leaf(drop_id, route, key, created_at, source, bytes(digest))
