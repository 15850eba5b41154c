"""Accounts, claims and scoped keys, decided purely."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.core import access, accounts, claims, keys
from ocean.core.access import CLAIMED, Claim, Rule, Scoped
from ocean.core.grants import grant, revoke
from ocean.core.routes import check_route
from tests.core.test_money import code

DEVICE, ME, YOU = (keys.generate().public for _ in range(3))
MINE = Claim(ME, "camera", "device", 5)


def test_no_new_key_begins_as_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = iter([(33).to_bytes(32, "big"), (34).to_bytes(32, "big")])  # of the first, the public half begins with a '-'
    monkeypatch.setattr(keys.secrets, "token_bytes", lambda _: next(seeds))  # type: ignore[attr-defined]
    pair = keys.generate()
    assert pair.secret.endswith("AAACI")
    assert not pair.public.startswith("-")


@pytest.mark.parametrize("text", ["alice", "a@b", "@x.org", "a b@x.org", "a@x.org\n", "-a@x.org", None, 5, "a" * 250 + "@x.org"])
def test_what_is_no_address(text: Any) -> None:
    assert code(lambda: accounts.canonical_email(text)) == "INVALID_EMAIL"


def test_an_address_is_known_in_lower_case() -> None:
    assert accounts.canonical_email("Alice@Example.COM") == "alice@example.com"
    assert accounts.canonical_email("a@B\u00fccher.example") == "a@xn--bcher-kva.example"
    assert code(lambda: accounts.canonical_email("\u212a@example.com")) == "INVALID_EMAIL"  # the sign for kelvin, which is a K to some
    assert code(lambda: accounts.canonical_email("a@aa--\u00fc.example")) == "INVALID_EMAIL"


@pytest.mark.parametrize("text", ["@a", "a", "-ab", "ab-", "a b", "ä", "@" + "a" * 33, ""])
def test_what_is_no_handle(text: str) -> None:
    assert code(lambda: accounts.check_handle(text)) == "INVALID_VALUE"


@pytest.mark.parametrize("text", ["@admin", "you", "0123456789ab"])
def test_handles_that_are_not_given_away(text: str) -> None:
    assert code(lambda: accounts.check_handle(text)) == "CONFLICT"


def test_a_handle_is_known_in_lower_case() -> None:
    assert accounts.check_handle("@Alice_1") == "alice_1"
    assert accounts.is_public_id("0123456789ab")
    assert not accounts.is_public_id("alice")


def test_a_profile_has_a_bound() -> None:
    assert accounts.check_profile({"name": "Al"}) == '{"name":"Al"}'
    assert code(lambda: accounts.check_profile({"name": "x" * 5000})) == "INVALID_VALUE"


@pytest.mark.parametrize(
    ("url", "host"), [("https://a.org/x?y=1", "a.org"), ("https://A.org:443/", "a.org"), ("https://a.org:8443/", "a.org:8443")]
)
def test_a_callback_is_known_by_its_host(url: str, host: str) -> None:
    assert accounts.check_callback(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "http://a.org/", "https://", "https://u:p@a.org/", "https://a.org/#x", "https://a.org:99999/", "https://a.org\\@b.org/",
        "javascript:1", "https://a.org/ x", "https://a.org/\n", "https://[/", "",
    ],
)  # fmt: skip
def test_what_is_no_callback(url: str) -> None:
    assert code(lambda: accounts.check_callback(url)) == "INVALID_VALUE"


def test_lines_of_a_mail_are_lines() -> None:
    assert accounts.check_line("My app", 60, "app_name") == "My app"
    for text in ("", " ", "a\nBcc: x@y.org", "x" * 61):
        assert code(lambda text=text: accounts.check_line(text, 60, "app_name")) == "INVALID_VALUE"  # type: ignore[misc]


def test_our_own_pages_lead_on_within_this_server() -> None:
    assert accounts.check_next("/buy?drop=1") == "/buy?drop=1"
    for path in ("//evil.org", "https://evil.org", "/\\evil.org", "/a b", ""):
        assert code(lambda path=path: accounts.check_next(path)) == "INVALID_VALUE"  # type: ignore[misc]


def test_who_has_claimed_a_key_has_what_is_in_its_folder() -> None:
    root = claims.claim(DEVICE, MINE)(None)
    assert root == Rule(DEVICE, CLAIMED, {}, MINE)
    rules: dict[str, Rule | None] = {DEVICE: root, f"{DEVICE}/s": Rule(DEVICE, "shared", {YOU: access.PERMISSIONS})}
    for action in (*access.PERMISSIONS, "remove"):
        assert access.decide(f"{DEVICE}/s", ME, action, rules) == "allow"
        assert access.decide(f"{DEVICE}/t", YOU, action, rules) == "deny"
        assert access.decide(f"{DEVICE}/t", None, action, rules) == "deny"
    assert access.decide(f"{DEVICE}/s", YOU, "entity", rules) == "allow"  # what the key shared goes on
    assert access.is_admin(f"{DEVICE}/s", ME, rules)
    assert not access.is_admin(f"{DEVICE}/s", YOU, rules)
    assert Rule.from_json(root.to_json()) == root  # type: ignore[union-attr]


def test_a_claim_goes_from_hand_to_hand() -> None:
    root = claims.claim(DEVICE, MINE)(None)
    assert code(lambda: claims.claim(DEVICE, Claim(YOU, "", "", 9))(root)) == "CONFLICT"
    again = claims.claim(DEVICE, Claim(ME, "new", "agent", 9))(root)
    assert again is not None
    assert again.claim == Claim(ME, "new", "agent", 5)
    assert claims.relabel(DEVICE, ME, None, "sensor")(root).claim == Claim(ME, "camera", "sensor", 5)  # type: ignore[union-attr]
    assert claims.relabel(DEVICE, ME, "x", None)(root).claim == Claim(ME, "x", "device", 5)  # type: ignore[union-attr]
    shared = grant(DEVICE, ME, YOU, None, None)(root)
    assert shared.mode == "shared"
    assert shared.claim == MINE
    given = claims.transfer(DEVICE, ME, YOU, 8)(shared)
    assert given == Rule(DEVICE, CLAIMED, {}, Claim(YOU, "camera", "device", 8))
    assert code(lambda: claims.transfer(DEVICE, ME, YOU, 8)(given)) == "FORBIDDEN"
    assert code(lambda: claims.transfer(DEVICE, YOU, DEVICE, 8)(given)) == "INVALID_VALUE"
    assert claims.release(DEVICE, YOU)(given) is None
    assert code(lambda: claims.release(DEVICE, ME)(None)) == "FORBIDDEN"


def test_taking_back_all_access_leaves_the_claim() -> None:
    shared = grant(DEVICE, ME, YOU, None, None)(claims.claim(DEVICE, MINE)(None))
    assert revoke(DEVICE, None)(shared) == Rule(DEVICE, CLAIMED, {}, MINE)
    one = revoke(DEVICE, YOU)(shared)
    assert one is not None
    assert one.claim == MINE


def test_who_shares_a_claimed_folder_does_not_come_to_own_it() -> None:
    assert grant(f"{DEVICE}/s", ME, YOU, None, None)(None).owner == DEVICE


def test_a_scoped_key_may_what_it_says_where_it_says_it() -> None:
    scoped = Scoped.of(ME, "id", ["my/app"], ["entity", "drop"], None)
    rules: dict[str, Rule | None] = {"my": Rule(ME, "shared")}
    assert access.decide("my/app/x", scoped, "entity", rules) == "allow"
    assert access.decide("my/app", scoped, "remove", rules) == "allow"
    for route, action in (("my/app", "search"), ("my", "entity"), ("my/apps", "entity"), ("open", "entity")):
        assert access.decide(route, scoped, action, rules) == "deny"
    assert not access.is_admin("my/app", scoped, rules)
    assert "scoped" in access.refusal("my", scoped, "entity").message
    assert "scoped" not in access.refusal("my/app", scoped, "entity").message


def test_a_scoped_credential_in_a_route_has_no_public_half() -> None:
    secret = "osc_" + "A" * 43
    assert keys.holds_secret(secret)
    assert keys.without_secrets(f"a/{secret}") == f"a/{secret}"
    assert code(lambda: check_route(f"a/{secret}")) == "INVALID_ROUTE"
