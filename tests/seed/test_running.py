"""The seed's statements, run one after another on one store: each does what the seed states, or says that it is not of this version yet."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.commands import planned
from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.money import credits
from tests.seed.shapes import check
from tests.seed.test_corpus import EXAMPLES
from tests.services.searching import afloat
from tests.services.test_find import plain

BEFORE = """
save users @alice name: "Alice" email: "a@example.com" age: 30 status: "active" role: "admin" active: true
save users @bob name: "Bob" age: 20 role: "editor"
save orders @o1 user_id: "alice" category: "a" amount: 10
save orders @o2 user_id: "alice" category: "a" amount: 20
save orders @o3 user_id: "bob" category: "b" amount: 5
save products @sku-42 price: 30 on_sale: true
save pages @home stock: 10
save myapp/orders @1 category: "x" amount: 150
save myapp/logs/deploy message: "deployment error on prod"
save myapp/docs @1 text: "Getting started with it"
save mail/alice/inbound @m1 subject: "Your invoice"
event calendar/team @sprint-42 { title: "Sprint", start: "2026-03-02T10:00:00Z", attendees: ({ email: "bob@example.com" }) }
save customers @c1 email: "c@example.com"
save old/logs message: "old"
save old/logs @k message: "old too"
save fn/process @main "def main(ocean, request): return len(request['data'])"
save myapp/fn/premium @main "def main(ocean, request): return request"
save agency/shop @x 1; save feedback/inbox @x 1; save community/general @x 1; save my/route @x 1
"""
SCHEMA = 'define "users" fields'
EFFECTS: dict[str, Any] = {
    'find my/data where name = "Alice" then pick name, email': lambda a: a["results"] == [{"name": "Alice", "email": "alice@example.com"}],
    "find myapp/orders group category sum amount count": lambda a: a["results"] == [{"category": "x", "sum_amount": 150, "count": 1}],
    "find orders join users on user_id = key then pick *, name": lambda a: [r["name"] for r in a["results"]][:2] == ["Alice", "Alice"],
    'primitives dates { $gte: "2026-03-01", $lt: "2026-04-01" } identifiers { $has: { type: "email", value: "bob@example.com" } }': (
        lambda a: [r["key"] for r in a["results"]] == ["standup-42"]
    ),
    'primitives dates { $gte: "2026-03-01" } locations { $near: { lat: 55.68, lon: 12.57, radius_km: 10 } }': lambda a: a["count"] == 1,
    'search my/data "alice" top 5': lambda a: a["results"][0]["key"] == "user-1" and a["mode"] == "text",
    'search myapp/logs "deployment error" top 10': lambda a: a["results"][0]["route"] == "myapp/logs/deploy" and a["searched"] == 1,
    'search myapp/docs "getting started" top 5': lambda a: "<mark>Getting</mark>" in a["results"][0]["snippet"],
    'search mail/alice/inbound "invoice" top 10': lambda a: a["count"] == 1,
    "find orders group category sum amount count": lambda a: {r["category"]: r["sum_amount"] for r in a["results"]} == {"a": 30, "b": 5},
    "update products @sku-42 on_sale: null": lambda a: "on_sale" not in a["payload"],
    "list users then count": lambda a: a == {"count": 3},
    "list users then first": lambda a: len(a["results"]) == 1,
    "list users then pick name": lambda a: {"name": "Bob"} in a["results"],
    "get pages @home": lambda a: a["payload"] == {"stock": 9, "views": 6},
    "export users as csv": lambda a: a["text"].startswith("_key,_created_at,name"),
    "export users as sql": lambda a: '"users" (\n"_key" TEXT PRIMARY KEY,\n"_created_at" TIMESTAMPTZ,' in a["text"],
    "export users as sql dialect mysql": lambda a: "CREATE TABLE IF NOT EXISTS `users`" in a["text"],
    "export users as mongo": lambda a: 'db.getCollection("users").insertMany([' in a["text"],
    "find users then first 10 then save backups/users @snapshot": lambda a: a["affected"] == 3,
    'find customers then sort created_at desc then first then send email to email subject "Welcome!" body "Thanks for joining."': (
        lambda a: (a["affected"], a["results"][0]["to"]) == (1, "c@example.com")
    ),
    "find old/logs then remove": lambda a: a["affected"] == 2,
    'mail to "bob@example.com" subject "Hello from the ocean" body "Hey Bob!"': (
        lambda a: (a["from"], a["to"]) == ("alice@alice.example.org", ["bob@example.com"])
    ),
    'mail from "hello@alice.example.org" to "bob@example.com" subject "Hello" body "Hey Bob!"': (
        lambda a: a["from"] == "hello@alice.example.org"
    ),
    "find mail/alice/inbound sort created_at desc limit 20": lambda a: a["results"][0]["payload"]["subject"] == "Your invoice",
    "events calendar/team": lambda a: [e["payload"]["title"] for e in a["events"]] == ["Sprint", "Sprint planning"],
    'events calendar/team start "2026-03-01" end "2026-04-01"': lambda a: a["count"] == 2,
    'rsvp calendar/team @sprint-42 "bob@example.com" accepted': lambda a: a["status"] == "accepted",
    "calendar feed calendar/team": lambda a: "/calendar/feed/calendar/team?token=" in a["feed_url"],
    "patterns": lambda a: [p["pattern"] for p in a["results"]] == ["todo"],
    'validate todo title: "Ship v2" status: "pending"': lambda a: a == {"valid": True, "errors": []},
    "get gallery @featured": lambda a: a["payload"]["hero"]["payload"]["url"] == "https://cdn.example.com/sunset.jpg",
    'when orders changes call "https://my-server.com/hook" secret "s3cret"': lambda a: a["signed"] and a["prefix"] == "orders",
    "webhooks": lambda a: [h["url"] for h in a["hooks"]] == ["https://my-server.com/hook"] * 2,
    'webhook delete "hook-id-here"': lambda a: a["deleted"] is True,
    "push subscribe myapp/orders": lambda a: (a["kind"], a["prefix"]) == ("folder", "myapp/orders"),
    "push subscriptions": lambda a: [one["prefix"] for one in a["subscriptions"]] == ["myapp/orders"],
    'push unsubscribe "subscription-id"': lambda a: a["deleted"] is True,
    'run fn/hello { name: "Ocean" }': lambda a: a["result"] == {"hello": "Ocean"},
    'run fn/greet { name: "world" }': lambda a: a["result"] == {"hello": "world"},
    'run fn/process { data: "..." } async': lambda a: a["status"] == "running",
    'status "abc123"': lambda a: a["status"] == "running" and a["route"] == "fn/process",
    "status users": lambda a: a["schema"]["fields"]["name"] == {"type": "text", "required": True},
}  # fmt: skip


async def test_each_statement_of_the_seed_does_what_it_states(ocean: Ocean) -> None:
    async with afloat(ocean):
        await _run_all(ocean)


async def _run_all(ocean: Ocean) -> None:
    ocean.settings = {**ocean.settings, "OCEAN_PUSH_CONTACT": "mailto:ops@example.com", "OCEAN_MAIL_DOMAIN": "example.org"}
    pair = keys.generate()
    owner = Caller(pair.public)
    await credits.grant(ocean, pair.public, 100)
    await execute(ocean, owner, parse('mail claim "alice"'))
    await execute(ocean, owner, parse(BEFORE))
    seen: set[str] = set()
    job = ""
    for text in EXAMPLES:
        statement = text.replace("YOUR_KEY", pair.public).replace("CLIENT_KEY", keys.generate().public)
        if text.startswith("revoke agency/shop from"):
            ((key),) = [
                k for k in plain(await execute(ocean, owner, parse("share agency/shop with @x")))["grants"] if k not in (pair.public, "x")
            ]
            statement = f"revoke agency/shop from {key}"
        if "hook-id-here" in text:
            statement = text.replace("hook-id-here", str((await execute(ocean, owner, parse("webhooks")))["hooks"][0]["id"]))
        if "subscription-id" in text:
            statement = text.replace(
                "subscription-id", str((await execute(ocean, owner, parse("push subscriptions")))["subscriptions"][0]["id"])
            )
        if "abc123" in text:
            statement = text.replace("abc123", job)
        (parsed,) = parse(statement)
        if parsed.command in planned.NAMES:
            await _not_yet(ocean, owner, statement)
            continue
        if parsed.command == "search":
            await ocean.indexing.written()
        answer = plain(await execute(ocean, owner, [parsed]))
        check(parsed, answer)
        job = answer.get("job_id", job)
        if text in ("remove users @alice", "remove users @user-123"):  # it is wanted later
            await execute(ocean, owner, parse(text.replace("remove", "save") + ' name: "Back" email: "back@example.com"'))
        if text in EFFECTS:
            assert EFFECTS[text](answer), (text, answer)
            seen.add(text)
    assert seen == set(EFFECTS)


async def _not_yet(ocean: Ocean, who: Caller, statement: str) -> None:
    with pytest.raises(OceanError) as caught:
        await execute(ocean, who, parse(statement))
    assert caught.value.code == "NOT_AVAILABLE", (statement, caught.value.message)
