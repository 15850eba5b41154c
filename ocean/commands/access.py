"""Commands about who may do what, and who asks."""

from __future__ import annotations

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.services.access import access
from ocean.services.access.identity import whoami

COMMANDS = (
    Command("share", ("share ROUTE with @KEY [mode MODE:word]",), "Give a key access to a folder.",
            "share agency/shop with @CLIENT_KEY", access.share,
            (Twin("POST", "/access/<route:path>", (
                ROUTE, Arg("key", "text", required=True), Arg("mode", "text"), Arg("permissions", "list"))),), answer="access"),
    Command("grant", ("grant ROUTE to KEY:identity [MODE:mode]",), "Give a key access to a folder.",
            "grant my/route to YOUR_KEY protected", access.share, answer="access"),
    Command("revoke", ("revoke ROUTE [from KEY:identity]",), "Take access back, or the whole access record.",
            "revoke agency/shop from CLIENT_KEY", access.revoke,
            (Twin("DELETE", "/access/<route:path>", (ROUTE, Arg("key", "text", "query"))),), answer="access"),
    Command("access", (), "A folder's access record.", "", access.show, (Twin("GET", "/access/<route:path>", (ROUTE,)),), answer="access"),
    Command("whoami", ("whoami",), "Which key this is.", "whoami", whoami, (Twin("GET", "/whoami"),),
            answer="tier: text, key?: text, balance?: number, ip?: text"),
)  # fmt: skip
