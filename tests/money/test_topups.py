"""Top-ups: the whole loop with localstripe (payments, refunds, signed webhooks), and with a stand-in for Checkout, which it has not."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
import stripe

from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.money import credits, topups
from ocean.store import ledger
from tests.conftest import Running, free_port, start, stop
from tests.money.checkout import serve
from tests.money.test_ledger import code

SECRET = "whsec_test"


def signed(event: Any, secret: str = SECRET, at: float | None = None) -> tuple[bytes, str]:
    body = json.dumps(event).encode()
    moment = int(time.time() if at is None else at)
    mark = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={moment},v1={mark}"


def event(id_: str, kind: str, order: str, **thing: Any) -> dict[str, Any]:
    return {"id": id_, "object": "event", "type": kind, "data": {"object": {"currency": "usd", "metadata": {"order": order}, **thing}}}


@pytest.fixture
async def ordered(ocean: Ocean, alice: Caller) -> tuple[Ocean, str]:
    """An order of 100 io for 100 cents that Stripe has been asked for."""
    ocean.settings = {
        **ocean.settings,
        "OCEAN_STRIPE_KEY": "sk_test",
        "OCEAN_STRIPE_WEBHOOK_SECRET": SECRET,
        "OCEAN_STRIPE_API": "http://127.0.0.1:1",
    }
    with pytest.raises(OceanError):  # nobody answers there: the order stands, and is not paid
        await topups.topup(ocean, alice, amount=100)
    return ocean, str((await topups.orders(ocean, alice))["orders"][0]["order"])


async def test_without_stripe_it_is_said_what_is_missing(ocean: Ocean, alice: Caller) -> None:
    assert await code(topups.topup(ocean, alice, amount=100)) == "NOT_AVAILABLE"
    assert await code(topups.told(ocean, *signed({}))) == "NOT_AVAILABLE"


@pytest.mark.parametrize("amount", [0, -1, 1.5, "5", True, None, 10**9])
async def test_what_can_t_be_bought(ordered: tuple[Ocean, str], alice: Caller, amount: Any) -> None:
    assert await code(topups.topup(ordered[0], alice, amount=amount)) == "INVALID_VALUE"
    assert await code(topups.topup(ordered[0], alice, amount=5, next="//evil.org")) == "INVALID_VALUE"


async def test_the_same_order_asked_for_again_is_the_same_order(ordered: tuple[Ocean, str], alice: Caller) -> None:
    keyed = replace(alice, idempotency="k")
    for _ in range(3):
        assert await code(topups.topup(ordered[0], keyed, amount=7)) == "SERVER_BUSY"
    assert await code(topups.topup(ordered[0], keyed, amount=8)) == "CONFLICT"
    assert [one["amount"] for one in (await topups.orders(ordered[0], alice))["orders"]] == [7, 100]


async def test_an_event_counts_once_however_often_and_however_it_is_named(ordered: tuple[Ocean, str], alice: Caller) -> None:
    ocean, order = ordered
    paid = event("evt_1", "payment_intent.succeeded", order, id="pi_1", amount_received=100)
    for _ in range(3):
        await topups.told(ocean, *signed(paid))
    await topups.told(ocean, *signed({**paid, "id": "evt_2"}))
    done = event("evt_3", "checkout.session.completed", order, payment_status="paid", amount_total=100, payment_intent="pi_1")
    await topups.told(ocean, *signed(done))
    assert await credits.balance(ocean, str(alice.key)) == 100
    assert [line["type"] for line in (await credits.lines(ocean, alice))["entries"]] == ["topup"]
    assert await ledger.faults(ocean.engine) == []


async def test_a_refund_takes_back_what_is_there_whichever_comes_first(ordered: tuple[Ocean, str], alice: Caller, bob: Caller) -> None:
    ocean, order = ordered
    await topups.told(ocean, *signed(event("evt_r", "charge.refunded", order, payment_intent="pi_1", amount_refunded=40)))
    assert await credits.balance(ocean, str(alice.key)) == 0
    await topups.told(ocean, *signed(event("evt_p", "payment_intent.succeeded", order, id="pi_1", amount_received=100)))
    assert await credits.balance(ocean, str(alice.key)) == 60
    await credits.send(ocean, alice, to=str(bob.key), amount=50)
    await topups.told(ocean, *signed(event("evt_w", "charge.refunded", "", payment_intent="pi_1", amount_refunded=100)))
    assert await credits.balance(ocean, str(alice.key)) == 0  # what is spent is spent: nobody goes below nothing
    (shown,) = (await topups.orders(ocean, alice))["orders"]
    assert (shown["state"], shown["refunded"], shown["credited"]) == ("refunded", 100, 50)
    await credits.grant(ocean, str(alice.key), 80)
    await topups.told(ocean, *signed(event("evt_x", "charge.refunded", "", payment_intent="pi_1", amount_refunded=100)))
    assert await credits.balance(ocean, str(alice.key)) == 30  # the rest, once there is any
    assert await ledger.faults(ocean.engine) == []


async def test_forged_late_and_strange_events_move_nothing(ordered: tuple[Ocean, str], alice: Caller) -> None:
    ocean, order = ordered
    paid = event("evt_1", "payment_intent.succeeded", order, id="pi_1", amount_received=100)
    body, mark = signed(paid)
    forged = [
        (body, None), (body, ""), (body, "t=1,v1=x"), (body, f"t={int(time.time())},v1=\u00e9"), (body, "v1=" + mark),
        (body + b" ", mark), signed(paid, "whsec_other"),
        signed(paid, at=time.time() - 301), signed(paid, at=time.time() + 400), (b"\xff", mark),
    ]  # fmt: skip
    for one in forged:
        assert await code(topups.told(ocean, *one)) == "FORBIDDEN"
    for strange in (5, [], {"id": 5, "type": "x"}, {"id": "evt", "type": None}):
        assert await code(topups.told(ocean, *signed(strange))) == "INVALID_PAYLOAD"
    for other in (
        event("e1", "payment_intent.succeeded", order, id="pi_1", amount_received=10_000), event("e2", "customer.created", order),
        event("e3", "payment_intent.succeeded", "another", id="pi_2", amount_received=100),
        {**paid, "id": "e4", "data": {"object": {**paid["data"]["object"], "currency": "idr"}}},
        event("e5", "checkout.session.completed", order, payment_status="unpaid", amount_total=100), {"id": "e6", "type": "x", "data": 5},
    ):  # fmt: skip
        assert (await topups.told(ocean, *signed(other)))["received"]
    assert await credits.balance(ocean, str(alice.key)) == 0
    await topups.told(ocean, *signed(paid))
    assert await credits.balance(ocean, str(alice.key)) == 100


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """localstripe on a port of its own."""
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "localstripe", "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            requests.get(f"{url}/v1/customers", auth=("sk_test_12345", ""), timeout=2)
            break
        except requests.RequestException:
            continue
    yield url
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, local: str) -> Iterator[Running]:
    os.environ |= {"OCEAN_STRIPE_KEY": "sk_test_12345", "OCEAN_STRIPE_WEBHOOK_SECRET": SECRET, "OCEAN_STRIPE_API": local}
    running = start(tmp_path_factory.mktemp("shop"))
    for name in ("OCEAN_STRIPE_KEY", "OCEAN_STRIPE_WEBHOOK_SECRET", "OCEAN_STRIPE_API"):
        del os.environ[name]
    hook = {"url": f"{running.api}/stripe/webhook", "secret": SECRET}
    requests.post(f"{local}/_config/webhooks/ocean", data=hook, timeout=10).raise_for_status()
    yield running
    assert stop(running) == 0


def wait_for(running: Running, secret: str, balance: float) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if requests.get(f"{running.api}/whoami", headers={"x-ocean-key": secret}, timeout=10).json()["balance"] == balance:
            return
        time.sleep(0.05)
    raise AssertionError(requests.get(f"{running.api}/io/orders", headers={"x-ocean-key": secret}, timeout=10).text)


def test_an_app_pays_and_is_refunded_through_localstripe(shop: Running, local: str, secret: str) -> None:
    order = shop.post("/io/topup", {"amount": 500, "app": True}, secret).json()
    assert (order["amount"], order["cost"], order["currency"]) == (500, 500, "usd")
    intent = order["client_secret"].split("_secret_")[0]
    ask = stripe.StripeClient("sk_test_12345", base_addresses={"api": local})
    numbers = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    card = ask.v1.payment_methods.create({"type": "card", "card": numbers})  # type: ignore[typeddict-item]
    ask.v1.payment_intents.update(intent, {"payment_method": card.id})
    assert ask.v1.payment_intents.confirm(intent).status == "succeeded"
    wait_for(shop, secret, 500)
    ask.v1.refunds.create({"payment_intent": intent, "amount": 200})
    charge = requests.get(f"{local}/v1/payment_intents/{intent}", auth=("sk_test_12345", ""), timeout=10).json()["charges"]["data"][0]
    assert charge["amount_refunded"] == 200
    body, mark = signed({"id": "evt_refund", "type": "charge.refunded", "data": {"object": charge}})  # localstripe tells of no refunds
    requests.post(f"{shop.api}/stripe/webhook", data=body, headers={"stripe-signature": mark}, timeout=10).raise_for_status()
    wait_for(shop, secret, 300)


def test_the_webhook_refuses_what_stripe_did_not_sign(shop: Running) -> None:
    body, _ = signed(event("evt", "payment_intent.succeeded", "x", id="pi", amount_received=1))
    answer = requests.post(f"{shop.api}/stripe/webhook", data=body, headers={"stripe-signature": "t=1,v1=00"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_a_checkout_is_asked_for_in_the_words_of_stripe_s_own_library(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = set(stripe.params.checkout.SessionCreateParams.__annotations__)
    with serve() as standing:
        for name, value in {"OCEAN_STRIPE_KEY": "sk", "OCEAN_STRIPE_WEBHOOK_SECRET": SECRET, "OCEAN_STRIPE_API": standing.url}.items():
            monkeypatch.setenv(name, value)
        running = start(tmp_path)
        try:
            secret = "osk_" + "A" * 43
            order = running.post("/io/topup", {"amount": 250, "next": "/buy?drop=1"}, secret).json()
            (asked,) = standing.asked
            assert order["url"] == f"{standing.url}/pay/cs_1"
            assert set(asked) <= known
            assert asked["metadata"]["order"] == asked["payment_intent_data"]["metadata"]["order"] == order["order"]
            assert asked["success_url"] == f"{running.api}/buy?drop=1"
            assert asked["line_items"]["0"]["price_data"]["unit_amount"] == "250"
            body, mark = signed(standing.completed())
            for _ in range(2):
                requests.post(f"{running.api}/stripe/webhook", data=body, headers={"stripe-signature": mark}, timeout=10).raise_for_status()
            wait_for(running, secret, 250)
        finally:
            assert stop(running) == 0
