"""Commands of sites."""

from __future__ import annotations

from typing import Any

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.services.pages import deploys


async def _publish(ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any], plan: bool = False) -> dict[str, Any]:
    return await (deploys.plan if plan else deploys.publish)(ocean, caller, route=route, files=files)


COMMANDS = (
    Command("unpublish", ("unpublish ROUTE [@KEY]",), "Take a page, or all of a folder, off the web.", "unpublish mysite @about",
            deploys.unpublish, (Twin("POST", "/unpublish/<route:path>", (ROUTE, Arg("key", "text"))),), writes=True, answer="unpublished"),
    Command("publish", (), "Switch a site to a set of uploaded files, in one commit; with `plan`, what that would change.", "", _publish,
            (Twin("POST", "/publish/<route:path>", (ROUTE, Arg("files", "object", required=True), Arg("plan", "flag"))),),
            answer="deployed | plan"),
    Command("rollback", ("rollback ROUTE [to TO:text]",), "Take a site back to before its last deploy, or to a time.",
            'rollback mysite to "2026-03-10T10:00:00Z"', deploys.rollback,
            (Twin("POST", "/rollback/<route:path>", (ROUTE, Arg("to", "text"))),),
            answer="route: text, changed: integer, removed: integer, to: integer, url: text"),
    Command("sites", ("sites",), "The sites that this key published.", "sites", deploys.sites, (Twin("GET", "/sites"),),
            answer="results: site[], count: integer"),
)  # fmt: skip
