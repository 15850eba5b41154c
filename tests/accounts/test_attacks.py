"""What a hostile caller tries through HTTP on accounts and money."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from ocean.core import keys
from tests.cli.test_cli import ocean
from tests.conftest import Running


def ask(server: Running, method: str, path: str, secret: str | None = None, **more: Any) -> requests.Response:
    headers = {**more.pop("headers", {}), **({"x-ocean-key": secret} if secret else {})}
    return requests.request(method, server.api + path, headers=headers, timeout=20, **more)


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


KEYED = [
    ("POST", "/io/send", {"to": "@x1", "amount": 1}), ("GET", "/ledger", None), ("POST", "/io/topup", {"amount": 1}),
    ("GET", "/io/orders", None),
    ("POST", "/purchase/x", None), ("GET", "/purchases", None), ("GET", "/earnings", None), ("POST", "/earnings/x/refund", None),
    ("GET", "/key/claimed", None), ("POST", "/key/claim", {"key": "x" * 43}), ("POST", "/key/challenge", {"key": "x" * 43}),
    ("POST", "/key/transfer", {"key": "x", "to": "y"}), ("DELETE", "/key/claim/x", None), ("PATCH", "/key/claim/x", {"label": "x"}),
    ("POST", "/key/scoped", {"routes": ["a"]}), ("GET", "/key/scoped", None), ("DELETE", "/key/scoped/x", None), ("GET", "/auth/me", None),
    ("PATCH", "/auth/me", {"handle": "x1"}), ("POST", "/values/create", {"id": "v", "name": "V", "symbol": "V"}),
    ("POST", "/values/mint", {"currency": "v", "amount": 1}), ("POST", "/values/burn", {"currency": "v", "amount": 1}),
    ("POST", "/values/transfer", {"currency": "v", "amount": 1, "to": "x"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), KEYED, ids=[f"{method} {path}" for method, path, _ in KEYED])
def test_a_public_key_opens_nothing_and_neither_does_none(server: Running, method: str, path: str, body: Any) -> None:
    public = keys.generate().public
    assert code(ask(server, method, path, public, json=body)) == (401, "INVALID_CREDENTIAL")
    assert code(ask(server, method, path, "osc_" + "A" * 43, json=body)) == (401, "INVALID_CREDENTIAL")
    assert code(ask(server, method, path, json=body)) == (401, "KEY_REQUIRED")


@pytest.mark.parametrize("amount", [0, -5, 1.5, "1", True, None, 10**400, [], {}, 2**63, 1e308], ids=repr)
def test_bad_amounts_are_refused_and_never_a_fault_of_ours(server: Running, secret: str, amount: Any) -> None:
    to = keys.generate().public
    for path, body in (
        ("/io/send", {"to": to}), ("/values/mint", {"currency": "none"}), ("/values/transfer", {"currency": "none", "to": to}),
        ("/values/burn", {"currency": "none"}), ("/io/topup", {}),
    ):  # fmt: skip
        answer = ask(server, "POST", path, secret, json={**body, "amount": amount})
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"email": 5},
        {"email": None},
        {"email": ["a@x.org"]},
        {"email": "x"},
        {"email": "a@x.org\r\nBcc: b@x.org"},
        {"mail": "a@x.org"},
        [],
        5,
        {},
    ],
    ids=repr,
)
def test_bad_sign_ins_are_refused(server: Running, body: Any) -> None:
    for path in ("/auth/login", "/auth/resolve"):
        assert ask(server, "POST", path, json=body).status_code == 400


def test_a_stranger_s_callback_gets_no_key_of_anybody_s(server: Running) -> None:
    for url in ("http://evil.example/", "https://evil.example@good.example/", "//evil.example", "javascript:alert(1)", "data:text/html,x"):
        assert code(ask(server, "POST", "/auth/login", json={"email": "a@example.com", "callback_url": url})) == (400, "INVALID_VALUE")


def test_the_time_of_an_answer_tells_nothing_of_who_has_an_account(server: Running) -> None:
    known = f"known{time.time_ns()}@example.com"
    took: dict[bool, list[float]] = {True: [], False: []}
    for i in range(5):
        for there in (True, False):
            begun = time.perf_counter()
            answer = ask(server, "POST", "/auth/login", json={"email": known if there else f"n{i}{time.time_ns()}@example.com"})
            took[there].append(time.perf_counter() - begun)
            assert answer.json() == {"sent": True}
    assert 0.2 < statistics.median(took[True]) / statistics.median(took[False]) < 5


def test_a_link_is_shown_a_button_in_a_browser_and_is_not_used_up_by_looking(server: Running) -> None:
    for method in ("GET", "HEAD"):
        shown = ask(server, method, "/auth/verify?token=x", headers={"accept": "text/html,*/*"})
        assert shown.status_code == 200 or method == "HEAD"
    page = ask(server, "GET", "/auth/verify?token=x", headers={"accept": "text/html"})
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert code(ask(server, "GET", "/auth/verify?token=x")) == (400, "INVALID_TOKEN")
    assert code(ask(server, "GET", "/auth/verify")) == (400, "INVALID_TOKEN")
    assert code(ask(server, "GET", "/auth/verify?token=x&token=y")) == (400, "INVALID_VALUE")


def test_ten_requests_at_once_with_one_idempotency_key_have_one_effect_whatever_they_do(server: Running, secret: str) -> None:
    to, id_ = keys.generate().public, f"v{time.time_ns()}"
    with ThreadPoolExecutor(10) as threads:

        def ten(path: str, body: Any) -> list[requests.Response]:
            key = {"idempotency-key": f"{path}{time.time_ns()}"}
            return list(threads.map(lambda _: ask(server, "POST", path, secret, json=body, headers=key), range(10)))

        made = ten("/values/create", {"id": id_, "name": "V", "symbol": f"V{time.time_ns() % 10**8}"})
        assert {answer.status_code for answer in made} == {201}
        for path, body in (
            ("/values/mint", {"currency": id_, "amount": 1000}), ("/values/transfer", {"currency": id_, "amount": 100, "to": to}),
            ("/values/burn", {"currency": id_, "amount": 50}),
        ):  # fmt: skip
            told = ten(path, body)
            assert len({answer.text for answer in told}) == 1, [answer.text for answer in told]
            assert told[0].status_code == 200
    held = ask(server, "GET", f"/values/balance?currency={id_}&holder={keys.public_of(secret)}").json()["balance"]
    assert held == 1000 - 101 - 50


@pytest.mark.parametrize("budget", ["-1", "1e9", "x", "", "0.001", "9" * 30], ids=repr)
def test_a_budget_is_a_number_of_io(server: Running, secret: str, budget: str) -> None:
    assert code(ask(server, "GET", "/whoami", secret, headers={"x-ocean-budget": budget})) == (400, "INVALID_VALUE")


def test_a_scoped_key_in_an_address_reads_a_page_and_a_stream_and_is_not_logged(server: Running, secret: str) -> None:
    public = keys.public_of(secret)
    route = f"papers/{public[:10]}"
    server.post("/drop", {"route": route, "key": "memo", "payload": "<p>for readers</p>"}, secret)
    server.drops(f"share {route} with @{public} mode shared", secret)
    made = ask(server, "POST", "/key/scoped", secret, json={"routes": [route], "permissions": ["entity"]}).json()
    assert requests.get(f"{server.view}/{route}/memo", timeout=9).status_code == 401
    page = requests.get(f"{server.view}/{route}/memo?_key={made['secret']}", timeout=9)
    assert "for readers" in page.text
    assert "no-store" in page.headers["cache-control"]
    assert ask(server, "GET", f"/entity/{route}?key=memo&_key={made['secret']}").json()["payload"] == "<p>for readers</p>"
    assert code(ask(server, "GET", f"/export/{route}", made["secret"])) == (403, "FORBIDDEN")
    ask(server, "DELETE", f"/key/scoped/{made['id']}", secret)
    assert requests.get(f"{server.view}/{route}/memo?_key={made['secret']}", timeout=9).status_code == 401


def test_a_name_in_an_address_is_read_as_it_was_meant(server: Running) -> None:
    for path, wanted in (
        ("/profile/%40nobody1", 404),
        ("/profile/@nobody1", 404),
        ("/profile/%ff", 400),
        ("/profile/%00", 400),
        ("/purchase/%00", 400),
    ):
        assert ask(server, "GET", path).status_code == wanted, path


def test_a_reading_is_paid_once_though_it_is_asked_for_by_the_short_way(server: Running, secret: str) -> None:
    seller = keys.generate().secret
    route = f"feeds/{keys.public_of(seller)[:10]}"
    server.post("/drop", {"route": route, "key": "now", "payload": {"up": 1}, "price_per_read": 2}, seller)
    ocean("io", "grant", keys.public_of(secret), "10", "--data", str(server.data))
    with requests.Session() as line:  # the short way is for a line that is kept
        line.headers["x-ocean-key"] = secret
        url = f"{server.api}/entity/{route}?key=now"
        assert line.get(url, timeout=9).json()["_gated"]
        for left in (8, 6):
            assert line.get(url, headers={"x-ocean-budget": "2"}, timeout=9).json()["payload"] == {"up": 1}
            assert line.get(f"{server.api}/whoami", timeout=9).json()["balance"] == left
