"""The chain, walked from its first drop."""

from __future__ import annotations

from pathlib import Path

from ocean.core import chain
from ocean.store.sqlite import connect


def verify(database: Path) -> tuple[int, str | None]:
    """`(drops seen, what is wrong or None)`."""
    connection = connect(database, read_only=True)
    link, expected, count = chain.GENESIS, 1, 0
    rows = connection.execute("SELECT seq, drop_id, route, key, payload, source, created_at, salt, digest, chain FROM drops ORDER BY seq")
    for seq, drop_id, route, key, payload, source, created_at, salt, digest, stored in rows:
        if seq != expected:
            return count, f"drop {expected} is missing."
        if payload is not None and chain.payload_digest(salt, payload) != digest:
            return count, f"the payload of drop {drop_id} is not the one that was written."
        link = chain.link(link, chain.leaf(drop_id, route, key, created_at, source, digest))
        if link != stored:
            return count, f"drop {drop_id} is not the one that was written."
        expected, count = seq + 1, count + 1
    head_seq, head = connection.execute("SELECT seq, chain FROM head WHERE id = 1").fetchone()
    if head_seq != count or head != link:
        return count, f"the head is at {head_seq}, the log ends at {count}."
    return count, None
