"""Commands of what is of the moment."""

from __future__ import annotations

from ocean.commands.command import ROUTE, Arg, Command, Twin
from ocean.services.live import broadcasts, hooks, push

_ID = Arg("id", "text", "path", required=True)

COMMANDS = (
    Command("broadcast", (), "Tell all who listen to a folder; nothing is kept.", "", broadcasts.publish,
            (Twin("POST", "/broadcast/<route:path>", (ROUTE,), whole_body="payload"),), writes=True, answer="told"),
    Command("presence", ("presence ROUTE",), "Who listens to a folder's broadcasts now.", "presence myapp/now-playing", broadcasts.presence,
            (Twin("GET", "/presence/<route:path>", (ROUTE,)),), answer="route: text, count: integer, listeners: listener[]"),
    Command("record start", ("record start ROUTE @KEY",), "Keep what is broadcast in a stream from now on, in ROUTE/recordings/KEY.",
            "record start myapp/now-playing @ep-42", broadcasts.record_start,
            (Twin("POST", "/record/start", (Arg("route", "text", required=True), Arg("key", "text", required=True))),), writes=True,
            answer="route: text, recording: true, to: text, keypair?: keypair"),
    Command("record stop", ("record stop ROUTE",), "Keep nothing of a stream any more.", "record stop myapp/now-playing",
            broadcasts.record_stop, (Twin("POST", "/record/stop", (Arg("route", "text", required=True),)),), writes=True,
            answer="route: text, recording: flag, keypair?: keypair"),
    Command(
        "when", ("when PREFIX [where WHERE:condition] changes call URL:text [secret SECRET:text] [retries RETRIES:integer]",),
        "Call an address of another host when what lies in a folder changes.", 'when orders changes call "https://my-server.com/hook"',
        hooks.create,
        (Twin("POST", "/hooks", (
            Arg("url", "text", required=True), Arg("prefix", "text", required=True), Arg("secret", "text"), Arg("filter", "object"),
            Arg("active", "flag"), Arg("retries", "integer")), 201),), writes=True, answer="hook"
    ),
    Command("webhooks", ("webhooks",), "Your hooks.", "webhooks", hooks.list_, (Twin("GET", "/hooks"),),
            answer="hooks: hook[], count: integer"),
    Command("webhook change", (), "Give a hook another address, secret, filter, or stop it.", "", hooks.change,
            (Twin("PATCH", "/hooks/<id>", (_ID, Arg("url", "text"), Arg("secret", "text"), Arg("filter", "object"), Arg("active", "flag"),
                                           Arg("retries", "integer"))),), answer="hook"),
    Command("webhook delete", ("webhook delete ID:text",), "Take a hook away.", 'webhook delete "hook-id-here"', hooks.delete,
            (Twin("DELETE", "/hooks/<id>", (_ID,)),), answer="deleted: true, id: text"),
    Command("webhook deliveries", ("webhook deliveries ID:text",), "What was sent to a hook, and what came of it.",
            'webhook deliveries "hook-id-here"', hooks.deliveries,
            (Twin("GET", "/hooks/<id>/deliveries", (_ID, Arg("limit", "integer", "query"), Arg("before", "text", "query"))),),
            answer="deliveries: delivery[], next_before?: text"),
    Command("webhook replay", ("webhook replay ID:text",), "Send a delivery once more.", 'webhook replay "msg_id-here"', hooks.replay,
            (Twin("POST", "/deliveries/<id>/replay", (_ID,)),), answer="id: text, state: text"),
    Command("push vapid key", (), "What a browser subscribes to notifications with.", "", push.vapid_key,
            (Twin("GET", "/push/vapid-key"),), answer="publicKey: text"),
    Command("push send", ("push send MESSAGE:object",), "Notify the browsers of other keys.",
            'push send { to: ("target-ocean-key"), title: "New message" }', push.send,
            (Twin("POST", "/push/send", whole_body="message"),), writes=True, answer="queued: integer, ids: text[], keypair?: keypair"),
    Command(
        "push subscribe", ("push subscribe PREFIX",), "Be notified in your browsers of what is saved in a folder.",
        "push subscribe myapp/orders", push.subscribe,
        (Twin("POST", "/push/subscribe", (Arg("prefix", "text"), Arg("endpoint", "text"), Arg("keys", "object")), 201),), writes=True,
            answer="subscription"
    ),
    Command("push subscriptions", ("push subscriptions",), "Your browsers, and the folders that you are notified of.", "push subscriptions",
            push.subscriptions, (Twin("GET", "/push/subscriptions"),), answer="subscriptions: subscription[], count: integer"),
    Command("push unsubscribe", ("push unsubscribe ID:text",), "Take a browser away, or leave a folder.",
            'push unsubscribe "subscription-id"', push.unsubscribe, (Twin("DELETE", "/push/subscriptions/<id>", (_ID,)),),
            answer="deleted: true, id: text"),
)  # fmt: skip
