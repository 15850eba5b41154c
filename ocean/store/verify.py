"""The chain, walked from its first drop, and the checkpoints that were signed along it."""

from __future__ import annotations

from collections.abc import Callable

from ocean.core import chain, keys
from ocean.store.engine import Engine, Row

PAGE = 2000
_LINKS = "SELECT seq, drop_id, route, key, payload, source, created_at, salt, digest, chain FROM drops WHERE seq > ? ORDER BY seq LIMIT ?"


async def verify(engine: Engine, seen: Callable[[int, int], None] = lambda done, of: None) -> tuple[int, str | None]:
    """`(drops seen, what is wrong or None)`; `seen` is told how far it has come."""
    ((head_seq, head),) = await engine.rows("SELECT seq, chain FROM head WHERE id = 1")
    signed = {row[0]: row[1:] for row in await engine.rows("SELECT seq, chain, public_key, signature FROM checkpoint")}
    link, count = chain.GENESIS, 0
    while count < head_seq:
        rows = await engine.scan(_LINKS, (count, PAGE), cut=True)
        for seq, drop_id, route, key, payload, source, created_at, salt, digest, stored in rows:
            if seq > head_seq:
                break
            if seq != count + 1:
                return count, f"drop {count + 1} is missing."
            if payload is not None and chain.payload_digest(salt, payload) != digest:
                return count, f"the payload of drop {drop_id} is not the one that was written."
            link = chain.link(link, chain.leaf(drop_id, route, key, created_at, source, digest))
            if link != stored:
                return count, f"drop {drop_id} is not the one that was written."
            count = seq
            fault = _checkpoint_fault(seq, link, signed.pop(seq, None))
            if fault:
                return count, fault
        if not rows:
            return count, f"drop {count + 1} is missing."
        seen(count, head_seq)
    if head != link:
        return count, f"the head at {head_seq} is not where the chain ends."
    if any(seq <= head_seq for seq in signed):
        return count, "a checkpoint names a drop that is not there."
    return count, None


def _checkpoint_fault(seq: int, link: bytes, signed: Row | None) -> str | None:
    if signed is None:
        return None
    stored, public, signature = signed
    if bytes(stored) != link:
        return f"the checkpoint at {seq} was signed over another chain."
    if not keys.verify(public, chain.checkpoint_message(seq, link), signature):
        return f"the signature of the checkpoint at {seq} does not hold."
    return None
