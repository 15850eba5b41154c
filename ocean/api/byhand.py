"""The addresses that are no twin of a command, since their bodies are bytes or streams: what /openapi.json says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocean.commands.command import Arg

_ROUTE = Arg("route", "text", "path", required=True)
_ID = Arg("drop_id", "text", "path", required=True)
JSON, TEXT, BYTES, EVENTS = "application/json", "text/plain", "application/octet-stream", "text/event-stream"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`takes` and `gives` are media types; `answer` is the shape of a JSON answer."""

    method: str
    path: str
    about: str
    args: tuple[Arg, ...] = ()
    takes: str | None = None
    gives: tuple[str, ...] = (JSON,)
    status: int = 200
    answer: str = "object"
    more: dict[int, str] = field(default_factory=dict)  # other answers that are no errors
    refuses: tuple[int, ...] = ()  # statuses of errors beside those that any address may answer


BY_HAND = (
    Endpoint("POST", "/exec", "A statement of Drops, or several, one a line or with ; between.", takes=TEXT),
    Endpoint(
        "GET", "/stream/<route:path>", "Records as they are saved: server-sent events, each with its id to resume from.",
        (_ROUTE, Arg("last", "integer", "query"), Arg("from", "integer", "query"), Arg("last-event-id", "integer", "header")),
        gives=(EVENTS,),
    ),
    Endpoint("GET", "/broadcast/<route:path>/listen", "Broadcasts as they come: server-sent events.", (_ROUTE,), gives=(EVENTS,)),
    Endpoint(
        "GET", "/export/<route:path>", "A folder and all beneath as a file, streamed.",
        (_ROUTE, Arg("format", "text", "query"), Arg("dialect", "text", "query"), Arg("latest", "flag", "query"),
         Arg("filter", "text", "query"), Arg("from", "text", "query"), Arg("to", "text", "query"), Arg("select", "text", "query"),
         Arg("raw", "flag", "query")),
        gives=("application/x-ndjson", JSON, "text/csv", "application/sql", "text/javascript"), answer="any",
    ),
    Endpoint("POST", "/blob", "A file of up to 100 MB.", (Arg("x-blob-route", "text", "header", required=True),), takes=BYTES, status=201,
             answer="uploaded"),
    Endpoint("GET", "/blob/<drop_id:str>", "A file, whole or in one range.", (_ID, Arg("range", "text", "header")), gives=("*/*",),
             more={206: "the range that was asked for", 304: "the file that is known already"}, refuses=(416,)),
    Endpoint("PUT", "/publish/<route:path>", "The bytes of one file of a site, kept until the site is switched.",
             (_ROUTE, Arg("sha256", "text", "query", required=True)), takes=BYTES, status=201, answer="sha256: text, size: integer"),
    Endpoint("POST", "/webhook/<name>", "What another service sends, kept as an event of _webhooks/NAME.",
             (Arg("name", "text", "path", required=True),), takes="*/*", status=202, answer="drop_id: text",
             more={200: "the answer to a challenge"}),
    Endpoint("GET", "/auth/verify", "The key that a link stands for; a browser (Accept: text/html) is shown a button first.",
             (Arg("token", "text", "query"),), gives=(JSON, "text/html"), answer="key: text, public_id: text, email: text, next?: text"),
    Endpoint("POST", "/auth/resolve", "Whether the address {email} has an account; with a developer's key, its key for them alone.",
             takes=JSON, answer="is_new: flag, public_id?: text, ocean_key?: text", more={201: "the same, where the account is new"}),
    Endpoint("POST", "/stripe/webhook", "What Stripe tells of payments, signed.", (Arg("stripe-signature", "text", "header"),), takes=JSON,
             answer="received: true, already?: true"),
    Endpoint("GET", "/mail/message/<route:path>", "A message of a mailbox byte for byte, by its folder and key.",
             (_ROUTE, Arg("key", "text", "query", required=True)), gives=("message/rfc822",)),
    Endpoint("POST", "/mail/unsubscribe", "Whoever has the link of a message wants no more of them (RFC 8058).",
             (Arg("token", "text", "query", required=True),), takes="*/*", answer="unsubscribed: true, address: text"),
    Endpoint("GET", "/mail/unsubscribe", "The same for a browser: a page with a button.", (Arg("token", "text", "query", required=True),),
             gives=("text/html",)),
    Endpoint("GET", "/.well-known/jmap", "Where mail programs begin (RFC 8620): the key is a bearer token, or a password."),
    Endpoint("GET", "/jmap/events", "What changes in a key's mailboxes, as it does (RFC 8620, 7.3).",
             (Arg("types", "text", "query"), Arg("closeafter", "text", "query"), Arg("ping", "integer", "query")), gives=(EVENTS,)),
    Endpoint("POST", "/jmap/api", "Calls of JMAP (RFC 8620, 8621).", takes=JSON),
    Endpoint("GET", "/jmap/download/<account>/<blob>/<name>", "A message, or a file of one.",
             (Arg("account", "text", "path", required=True), Arg("blob", "text", "path", required=True),
              Arg("name", "text", "path", required=True), Arg("type", "text", "query")), gives=("*/*",)),
    Endpoint("POST", "/jmap/upload/<account>", "A file that a message is to have.", (Arg("account", "text", "path", required=True),),
             takes=BYTES, status=201, answer="accountId: text, blobId: text, type: text, size: integer"),
    Endpoint("GET", "/calendar/feed/<route:path>", "A folder's events as a calendar, by the token of its feed; busy times alone with busy.",
             (_ROUTE, Arg("token", "text", "query", required=True), Arg("busy", "flag", "query")), gives=("text/calendar",),
             more={304: "the calendar that is known already"}),
    Endpoint("GET", "/health", "Whether it runs.", answer="status: text, process: text, seq: integer"),
    Endpoint("GET", "/metrics", "What it counts, in Prometheus's text format.", gives=(TEXT,)),
    Endpoint("GET", "/openapi.json", "This description.", answer="object"),
)  # fmt: skip
