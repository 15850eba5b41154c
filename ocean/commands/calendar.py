"""Commands of calendars: events of a folder, answers to invitations, and feeds."""

from __future__ import annotations

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.services.calendar import events, feeds

_FROM, _TO = Arg("start", "text", "query"), Arg("end", "text", "query")

COMMANDS = (
    Command("event", ("event ROUTE [@KEY] EVENT:object",),
            "Make an event, or change it: title, start, end, timezone, location, description, organizer, attendees, rrule, exdates, "
            "exceptions, status; with send_invites: true who is invited gets it by mail.",
            'event calendar/team { title: "Sprint planning", start: "2026-03-10T10:00:00Z" }', events.save,
            (Twin("POST", "/calendar/event/<route:path>", (ROUTE, Arg("key", "text", "query")), 201, whole_body="event"),),
            writes=True,
            answer="drop_id: text, route: text, key: text, source: text, created_at: text, version?: integer, uid: text, "
                   "sequence: integer, invites?: integer, warning?: text, keypair?: keypair"),
    Command("events", ("events ROUTE [start START:text] [end END:text]",),
            "The events of a folder; in a range, recurring ones once for each time.",
            'events calendar/team start "2026-03-01" end "2026-04-01"', events.listed,
            (Twin("GET", "/calendar/events/<route:path>", (ROUTE, _FROM, _TO)),), answer="events: record[], count: integer"),
    Command("busy", ("busy ROUTE start START:text end END:text",), "When the events of a folder take time, those that touch as one.",
            'busy calendar/team start "2026-03-01" end "2026-04-01"', events.busy,
            (Twin("GET", "/calendar/busy/<route:path>", (
                ROUTE, Arg("start", "text", "query", required=True), Arg("end", "text", "query", required=True))),),
            answer="busy: span[], count: integer"),
    Command("rsvp", ("rsvp ROUTE @KEY EMAIL:text ANSWER:name",), "Answer an invitation: accepted, declined, tentative.",
            'rsvp calendar/team @sprint-42 "bob@example.com" accepted', events.rsvp,
            (Twin("POST", "/calendar/rsvp/<route:path>", (
                ROUTE, Arg("key", "text", required=True), Arg("email", "text", required=True),
                Arg("answer", "text", required=True, called="status"))),),
            answer="route: text, key: text, email: text, status: text, message?: text"),
    Command("calendar feed", ("calendar feed ROUTE",), "The address that calendar programs subscribe to a folder by.",
            "calendar feed calendar/team", feeds.feed,
            (Twin("POST", "/calendar/feed/<route:path>", (ROUTE,)),), answer="feed_url: text"),
    Command("calendar revoke", ("calendar revoke ROUTE",), "End your feed of a folder: its address is good no more.",
            "calendar revoke calendar/team", feeds.revoke,
            (Twin("DELETE", "/calendar/feed/<route:path>", (ROUTE,)),), answer="revoked: true, route: text"),
)  # fmt: skip
