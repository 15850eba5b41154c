"""What a folder holds."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.routes import check_route
from ocean.services.query.find import count


async def status(ocean: Ocean, caller: Caller, *, route: str) -> dict[str, Any]:
    """Schema, indexes and counts of one folder."""
    route = check_route(route)
    records = await count(ocean, caller, route, False, None)
    indexes = {"columns": ["table", "field"], "rows": [[route, "key"]]}
    return {"route": route, "schema": None, "indexes": indexes, "counts": {"records": records}}
