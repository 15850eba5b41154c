"""The way every write takes to the log."""

from __future__ import annotations

import hashlib
from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.transition import Op, needs_payload
from ocean.store.batch import Once, Write
from ocean.store.reader import now

KEPT = 86_400_000  # milliseconds an idempotency key is remembered


async def write(ocean: Ocean, caller: Caller, ops: list[Op]) -> list[dict[str, Any]]:
    """One result for each op, all or nothing, committed when it answers."""
    who = caller.required("Writing needs a key.")
    for op in ops:
        if needs_payload(op) and op.key is not None:
            op.weight = await ocean.reader.payload_size(op.route, op.key)
    once = None
    if caller.idempotency and caller.made is None:
        digest = hashlib.sha256(f"{who}\n{caller.idempotency}".encode()).hexdigest()
        once = Once(digest, caller.request_digest, now() + KEPT)
    return await ocean.log.append(Write(ops, who, once))
