"""Commands of what is of the moment."""

from __future__ import annotations

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.services.live import broadcasts

COMMANDS = (
    Command("broadcast", (), "Tell all who listen to a folder; nothing is kept.", "", broadcasts.publish,
            (Twin("POST", "/broadcast/<route:path>", (ROUTE,), whole_body="payload"),), writes=True),
    Command("presence", ("presence ROUTE",), "Who listens to a folder's broadcasts now.", "presence myapp/now-playing", broadcasts.presence,
            (Twin("GET", "/presence/<route:path>", (ROUTE,)),)),
    Command("record start", ("record start ROUTE @KEY",), "Keep what is broadcast in a stream from now on, in ROUTE/recordings/KEY.",
            "record start myapp/now-playing @ep-42", broadcasts.record_start,
            (Twin("POST", "/record/start", (Arg("route", "text", required=True), Arg("key", "text", required=True))),), writes=True),
    Command("record stop", ("record stop ROUTE",), "Keep nothing of a stream any more.", "record stop myapp/now-playing",
            broadcasts.record_stop, (Twin("POST", "/record/stop", (Arg("route", "text", required=True),)),), writes=True),
)  # fmt: skip
