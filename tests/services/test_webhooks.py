"""What other services send: kept for its owner alone, and marked by whether its signature holds."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
import stripe

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import webhooks as core
from ocean.errors import OceanError
from ocean.pace import MAX_KNOWN, Pace
from ocean.services.live import webhooks
from tests.services.test_find import ask, rows

BODY = b'{"id": "evt_1", "type": "charge.succeeded"}'
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


def mac(secret: bytes, message: bytes) -> str:
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def signed(kind: str, body: bytes, secret: str, at: int | None = None) -> dict[str, str]:
    """Headers as such a sender makes them, by their own documents."""
    now = str(at if at is not None else int(time.time()))
    if kind == "stripe":
        return {"Stripe-Signature": f"t={now},v1={mac(b'old', b'x')},v1={mac(secret.encode(), f'{now}.'.encode() + body)},v0=00"}
    if kind == "github":
        return {"X-Hub-Signature-256": f"sha256={mac(secret.encode(), body)}", "X-GitHub-Delivery": "d1"}
    if kind == "slack":
        return {"X-Slack-Signature": f"v0={mac(secret.encode(), f'v0:{now}:'.encode() + body)}", "X-Slack-Request-Timestamp": now}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"m1.{now}.".encode() + body, hashlib.sha256)).decode()
    return {"webhook-id": "m1", "webhook-timestamp": now, "webhook-signature": f"v1,AAAA v1,{signature}"}


async def given(ocean: Ocean, who: Caller, kind: str, name: str = "my-hook", secret: str | None = SECRET) -> None:
    await execute(ocean, who, parse(f'save _integrations @{name} type: "{kind}" active: true'))
    if secret is not None:
        await execute(ocean, who, parse(f'save {who.key}/credentials/{kind} @webhook_secret "{secret}"'))


async def kept(ocean: Ocean, who: Caller, name: str = "my-hook") -> list[dict[str, Any]]:
    return [row["payload"] for row in await rows(ocean, who, f"find _webhooks/{name}")]


@pytest.mark.parametrize("kind", core.TYPES)
async def test_a_signature_that_holds_is_marked(ocean: Ocean, alice: Caller, bob: Caller, kind: str) -> None:
    await given(ocean, alice, kind)
    headers = {**signed(kind, BODY, SECRET), "Authorization": "Bearer secret-token", "Cookie": "a=secret-token", "X-Other": "kept"}
    made = await webhooks.receive(ocean, name="my-hook", headers=headers, body=BODY)
    (event,) = await kept(ocean, alice)
    assert (event["body"], event["verified"], event["type"], event["headers"]["x-other"]) == (BODY.decode(), True, kind, "kept")
    assert "secret-token" not in json.dumps(event)
    assert made["drop_id"]
    assert await kept(ocean, bob) == []
    wrong = {
        "body": (signed(kind, BODY, SECRET), BODY + b" "),
        "secret": (signed(kind, BODY, "whsec_" + base64.b64encode(b"another").decode()), BODY),
        "none": ({}, BODY),
    }
    if kind != "github":
        wrong["age"] = (signed(kind, BODY, SECRET, int(time.time()) - 301), BODY)
        wrong["future"] = (signed(kind, BODY, SECRET, int(time.time()) + 400), BODY)
    for headers, body in wrong.values():
        await webhooks.receive(ocean, name="my-hook", headers=headers, body=body)
    assert [event["verified"] for event in (await kept(ocean, alice))[1:]] == [False] * len(wrong)


def test_stripes_own_library_signs_and_checks_the_same() -> None:
    header = signed("stripe", BODY, SECRET)["Stripe-Signature"]
    assert stripe.WebhookSignature.verify_header(BODY.decode(), header, SECRET, 300)
    assert core.verified("stripe", {"stripe-signature": header}, BODY, SECRET, time.time())


@pytest.mark.parametrize("kind", ["github", "standard"])
async def test_what_is_delivered_twice_is_kept_once(ocean: Ocean, alice: Caller, kind: str) -> None:
    await given(ocean, alice, kind)
    ids = {(await webhooks.receive(ocean, name="my-hook", headers=signed(kind, BODY, SECRET), body=BODY))["drop_id"] for _ in range(3)}
    assert len(ids) == len(await kept(ocean, alice)) == 1


async def test_without_a_secret_or_a_known_kind_nothing_is_said_of_it(ocean: Ocean, alice: Caller) -> None:
    await given(ocean, alice, "stripe", "bare", None)
    await given(ocean, alice, "acme", "own")
    await webhooks.receive(ocean, name="bare", headers={}, body=BODY)
    await webhooks.receive(ocean, name="own", headers={}, body=b"\xff\x00", query="a=1")
    assert "verified" not in (await kept(ocean, alice, "bare"))[0]
    (event,) = await kept(ocean, alice, "own")
    assert (event["body_base64"], event["query"]) == (base64.b64encode(b"\xff\x00").decode(), "a=1")


async def test_slack_is_told_its_challenge_if_it_is_slack(ocean: Ocean, alice: Caller) -> None:
    await given(ocean, alice, "slack")
    body = b'{"type": "url_verification", "challenge": "c1"}'
    assert await webhooks.receive(ocean, name="my-hook", headers=signed("slack", body, SECRET), body=body) == {"challenge": "c1"}
    assert "drop_id" in await webhooks.receive(ocean, name="my-hook", headers={}, body=body)


async def test_nobody_waits_too_large_too_many(ocean: Ocean, alice: Caller) -> None:
    for name in ("nothing", "my-hook"):
        with pytest.raises(OceanError) as caught:
            await webhooks.receive(ocean, name=name, headers={}, body=BODY)
        assert caught.value.code == "NOT_FOUND"
    await given(ocean, alice, "stripe")
    with pytest.raises(OceanError) as caught:
        await webhooks.receive(ocean, name="my-hook", headers={}, body=b"x" * (webhooks.MAX_BODY + 1))
    assert caught.value.code == "PAYLOAD_TOO_LARGE"
    await execute(ocean, alice, parse("update _integrations @my-hook active: false"))
    with pytest.raises(OceanError) as caught:
        await webhooks.receive(ocean, name="my-hook", headers={}, body=BODY)
    assert caught.value.code == "NOT_FOUND"
    pace = Pace(600, "too many")
    for _ in range(600):
        pace.spend("10.0.0.1", "a", at=60)
    pace.spend("10.0.0.2", "a", at=61)
    with pytest.raises(OceanError) as caught:
        pace.spend("10.0.0.1", "a", at=60)
    assert caught.value.code == "LIMIT_REACHED"
    pace.spend("10.0.0.1", "a", at=120)


async def test_names_that_nobody_has_do_not_fill_the_memory(ocean: Ocean) -> None:
    with pytest.raises(OceanError) as caught:
        await webhooks.receive(ocean, name="x" * 7000, headers={}, body=b"", ip="10.0.0.1")
    assert caught.value.code == "INVALID_KEY"
    pace = Pace(10, "too many")
    for number in range(MAX_KNOWN):
        pace.spend("10.0.0.1", str(number), at=60)
    with pytest.raises(OceanError):
        pace.spend("10.0.0.1", "one more", at=60)
    for _ in range(3):
        pace.spend("10.0.0.1", "5", at=60)


async def test_bytes_that_are_no_text_in_a_header_are_no_fault(ocean: Ocean, alice: Caller) -> None:
    await given(ocean, alice, "github")
    odd = b"sha256=\xff\xfe".decode(errors="surrogateescape")
    await webhooks.receive(ocean, name="my-hook", headers={"X-Hub-Signature-256": odd, "X-Odd": odd}, body=BODY)
    (event,) = await kept(ocean, alice)
    assert (event["verified"], event["headers"]["x-odd"]) == (False, "sha256=\ufffd\ufffd")


async def test_a_stranger_takes_no_place_in_it(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await given(ocean, alice, "stripe")
    await execute(ocean, bob, parse('save _webhooks/my-hook verified: true body: "forged"'))
    await webhooks.receive(ocean, name="my-hook", headers={}, body=BODY)
    assert [event["body"] for event in await kept(ocean, alice)] == [BODY.decode()]
    with pytest.raises(OceanError):
        await ask(ocean, bob, 'save _integrations @my-hook type: "stripe"')
