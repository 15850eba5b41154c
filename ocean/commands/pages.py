"""Commands of sites."""

from __future__ import annotations

from typing import Any

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.context import Caller, Ocean
from ocean.services.pages import deploys, previews, tickets


async def _publish(
    ocean: Ocean, caller: Caller, *, route: str, files: dict[str, Any], plan: bool = False, preview: bool = False
) -> dict[str, Any]:
    if plan:
        return await deploys.plan(ocean, caller, route=route, files=files)
    return await (previews.preview if preview else deploys.publish)(ocean, caller, route=route, files=files)


COMMANDS = (
    Command("unpublish", ("unpublish ROUTE [@KEY]",), "Take a page, or all of a folder, off the web.", "unpublish mysite @about",
            deploys.unpublish, (Twin("POST", "/unpublish/<route:path>", (ROUTE, Arg("key", "text"))),), writes=True, answer="unpublished"),
    Command("publish", (), "Switch a site to a set of uploaded files, in one commit; with `plan`, what that would change; with `preview`, "
            "an address to look at it before.", "", _publish,
            (Twin("POST", "/publish/<route:path>", (ROUTE, Arg("files", "object", required=True), Arg("plan", "flag"),
                                                    Arg("preview", "flag"))),), answer="deployed | plan | previewed"),
    Command("deploys", ("deploys ROUTE",), "The deploys of a site, newest first, and its previews.", "deploys mysite", previews.list_,
            (Twin("GET", "/deploys/<route:path>", (ROUTE,)),), answer="route: text, deploys: deploy[], previews: preview[]"),
    Command("promote", ("promote ROUTE PREVIEW:text",), "Make a preview the live site, in one commit.", 'promote mysite "4f1c09ab"',
            previews.promote, (Twin("POST", "/promote/<route:path>", (ROUTE, Arg("preview", "text", required=True))),), answer="deployed"),
    Command("rollback", ("rollback ROUTE [to TO:text]",), "Take a site back to before its last deploy, to a time, or to a deploy.",
            'rollback mysite to "2026-03-10T10:00:00Z"', deploys.rollback,
            (Twin("POST", "/rollback/<route:path>", (ROUTE, Arg("to", "text"))),),
            answer="route: text, changed: integer, removed: integer, to: integer, url: text"),
    Command("ticket", ("ticket ROUTE [@KEY]",), "An address that shows a private page once, within a minute, without a key in it.",
            "ticket mysite @about", tickets.ticket,
            (Twin("POST", "/tickets/<route:path>", (ROUTE, Arg("key", "text")), 201),), answer="url: text, expires_at: text"),
    Command("sites", ("sites",), "The sites that this key published.", "sites", deploys.sites, (Twin("GET", "/sites"),),
            answer="results: site[], count: integer"),
)  # fmt: skip
