"""What a folder holds."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.routes import check_route
from ocean.errors import OceanError
from ocean.services.query.folders import count


async def status(ocean: Ocean, caller: Caller, *, route: str | None = None, job: str | None = None) -> dict[str, Any]:
    """Schema, indexes and counts of one folder; a job is named instead, of which there is none before functions run."""
    if job is not None:
        raise OceanError("NOT_FOUND", f"There is no job {job[:60]!r}.", "A folder is named without quotes: status users")
    route = check_route(route)
    records = await count(ocean, caller, route)
    schema = await ocean.reader.schema(route)
    made = sorted((await ocean.reader.indexed(route)).items())
    indexes = [{"field": "key", "ready": True}, *({"field": field, "ready": index > 0} for field, index in made)]
    return {"route": route, "schema": schema.to_json() if schema else None, "indexes": indexes, "counts": {"records": records}}
