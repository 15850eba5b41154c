"""The predicate, the canonicaliser and the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import keys
from ocean.core.access import PERMISSIONS, READS, Rule, decide
from ocean.core.payloads import decode, encode
from ocean.core.routes import check_key, check_route, covers
from ocean.errors import OceanError

OWNER, FRIEND, STRANGER = "owner", "friend", "stranger"


@pytest.mark.parametrize(
    ("mode", "reads", "writes", "removes"),
    [
        ("shared", "deny", "deny", "deny"),
        ("protected", "allow", "deny", "deny"),
        ("writeonly", "deny", "own", "own"),
        ("moderated", "allow", "own", "deny"),
    ],
)
def test_the_four_modes_for_a_stranger(mode: str, reads: str, writes: str, removes: str) -> None:
    rules = {"a": Rule(OWNER, mode, {FRIEND: PERMISSIONS}), "a/b": None}
    assert {decide("a/b", STRANGER, p, rules) for p in READS} == {reads}
    assert decide("a/b", STRANGER, "drop", rules) == writes
    assert decide("a/b", STRANGER, "remove", rules) == removes
    assert {decide("a/b", who, p, rules) for who in (OWNER, FRIEND) for p in (*PERMISSIONS, "remove")} == {"allow"}


@given(st.sampled_from(PERMISSIONS), st.sets(st.sampled_from(PERMISSIONS)), st.sampled_from(["shared", "protected", "writeonly"]))
def test_a_child_never_widens(action: str, child: set[str], mode: str) -> None:
    parent = {"a": Rule(OWNER, mode), "a/b": None}
    both = {"a": Rule(OWNER, mode), "a/b": Rule(OWNER, "shared", {FRIEND: tuple(child)})}
    order = ("allow", "own", "deny")
    assert order.index(decide("a/b", FRIEND, action, both)) >= order.index(decide("a/b", FRIEND, action, parent))


def test_private_and_trust_folders() -> None:
    me, other = keys.generate().public, keys.generate().public
    assert decide(f"{me}/x", me, "entity", {}) == "allow"
    assert decide(f"{me}/x", other, "entity", {}) == "deny"
    assert decide("trust/x", me, "entity", {}) == "deny"
    with pytest.raises(OceanError, match="no trust record"):
        decide("shared/x/y", me, "entity", {})


@pytest.mark.parametrize("route", ["../a", "a//b", "a/./b", "a/..", "a%2fb", "a\x00", "é", "a b", "/a", "a/", "a" * 513, "a/" * 32 + "a"])
def test_a_bad_route_is_refused(route: str) -> None:
    with pytest.raises(OceanError) as caught:
        check_route(route)
    assert caught.value.code == "INVALID_ROUTE"


@pytest.mark.parametrize("key", ["a//b", "../x", "a\n", "e\u0301", "k" * 513, "\x7f", "a/."])
def test_a_bad_key_is_refused(key: str) -> None:
    with pytest.raises(OceanError) as caught:
        check_key(key)
    assert caught.value.code == "INVALID_KEY"


def test_prefixes_match_whole_segments() -> None:
    assert covers("agency/shop", "agency/shop/products")
    assert not covers("agency/shop", "agency/shopping")


@pytest.mark.parametrize("body", [b'{"a":1,"a":2}', b"NaN", b'{"a":Infinity}', b"[" * 100_000, b"\xff", b"", b"{"])
def test_bad_json_is_refused(body: bytes) -> None:
    with pytest.raises(OceanError) as caught:
        encode(decode(body))
    assert caught.value.code == "INVALID_PAYLOAD"


def test_integers_stay_exact_and_nul_is_refused() -> None:
    assert encode(decode(b"123456789012345678901234567890")) == "123456789012345678901234567890"
    with pytest.raises(OceanError):
        encode({"a": "x\x00"})
    assert encode({"a": "\\u0000"}) == '{"a":"\\\\u0000"}'


def test_a_public_key_is_no_credential() -> None:
    pair = keys.generate()
    assert keys.public_of(pair.secret) == pair.public
    with pytest.raises(OceanError) as caught:
        keys.public_of(pair.public)
    assert caught.value.code == "INVALID_CREDENTIAL"
