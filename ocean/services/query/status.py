"""What a folder holds."""

from __future__ import annotations

from typing import Any

from ocean.context import Caller, Ocean
from ocean.core.routes import check_route
from ocean.services.automate import jobs
from ocean.services.query.folders import count


async def status(ocean: Ocean, caller: Caller, *, route: str | None = None, job: str | None = None) -> dict[str, Any]:
    """Schema, indexes and counts of one folder, and of its function what its author is told; or a job, where one is named instead."""
    if job is not None:
        return await jobs.status(ocean, caller, job=job)
    route = check_route(route)
    records = await count(ocean, caller, route)
    schema = await ocean.reader.schema(route)
    made = sorted((await ocean.reader.indexed(route)).items())
    indexes = [{"field": "key", "ready": True}, *({"field": field, "ready": index > 0} for field, index in made)]
    told = {"route": route, "schema": schema.to_json() if schema else None, "indexes": indexes, "counts": {"records": records}}
    return {**told, **await jobs.told_of(ocean, caller, route)}
