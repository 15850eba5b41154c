"""Commands that run people's own code."""

from __future__ import annotations

from typing import Any

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.services.automate import functions, jobs


async def _run(ocean: Ocean, caller: Caller, *, route: str, request: Any = None, queued: bool = False) -> dict[str, Any]:
    """`async: true` in the request means the same as `async` behind it."""
    asked = functions.request_of(request)
    if asked.get("async") is True:
        queued, asked = True, {name: value for name, value in asked.items() if name != "async"}
    if queued:
        return {"job_id": await jobs.queue(ocean, caller, route, asked), "status": "running"}
    function, outcome = await ocean.functions.run(caller, route, asked)
    return functions.shown(caller, function, outcome)


COMMANDS = (
    Command(
        "run", ("run ROUTE [REQUEST:object] [async QUEUED:flag]", "run ROUTE REQUEST:changes [async QUEUED:flag]"),
        "Run a function: the code of the folder's record @main. Async: answered at once, and asked about by its job_id.",
        'run fn/greet { name: "world" }', _run,
        (Twin("POST", "/run/<route:path>", (ROUTE, Arg("queued", "flag", "query", called="async")), whole_body="request",
              may_be_empty=True, refuses=(422, 504)),),
        answer="result: any, ms: integer, paid?: number, printed?: text | job_id: text, status: text",
    ),
    Command("job", (), "What came of a function that nobody waited for.", "", jobs.status,
            (Twin("GET", "/run/status/<job>", (Arg("job", "text", "path", required=True),)),), answer="job"),
)  # fmt: skip
