"""Payloads, keys, times and links of the chain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import chain, keys, media, payloads
from ocean.core.drop import Drop, read_time, show_io, show_time
from ocean.core.routes import check_key, check_route
from ocean.errors import CODES, OceanError
from ocean.http.ranges import range_of

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=15,
)


def has_nul(value: Any) -> bool:
    return "\\u0000" in json.dumps(value).replace("\\\\", "")


@given(JSON)
def test_a_payload_comes_back_as_it_went_in(value: Any) -> None:
    if has_nul(value):
        with pytest.raises(OceanError):
            payloads.encode(value)
    else:
        assert payloads.decode(payloads.encode(value).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":2}',
        b"NaN",
        b"[Infinity]",
        b"\xff",
        b"",
        b"{",
        b'{"a":}',
        b"[" * 100_000,
        b'"\\ud800"',
        b"1" * 1001,
        b"-" + b"9" * 2000,
        b'"\\u0000"',
    ],
)
def test_a_bomb_is_a_named_error(text: bytes) -> None:
    with pytest.raises(OceanError) as caught:
        payloads.encode(payloads.decode(text))
    assert caught.value.code == "INVALID_PAYLOAD"


def test_depth_64_is_taken_and_65_is_not() -> None:
    for innermost in (1, [], {}):
        deep: Any = innermost
        for _ in range(64 if innermost == 1 else 63):
            deep = [deep]
        assert payloads.encode(deep)
        with pytest.raises(OceanError):
            payloads.encode([deep])


def test_integers_are_exact_and_a_string_of_json_comes_back_structured() -> None:
    big = 12345678901234567890123
    assert payloads.decode(payloads.encode({"n": big}).encode()) == {"n": big}
    assert payloads.loads(payloads.dumps({"n": big})) == {"n": big}
    for broken in ("1e999", '{"a": [1e999]}'):
        with pytest.raises(OceanError):
            payloads.decode(broken.encode())
    with pytest.raises(OceanError):
        payloads.encode({"a": "\ud800"})
    assert payloads.structured('"{\\"a\\": 1}"') == '{"a":1}'
    for text in ('"{not json}"', '"plain"', '"5"', '"[1"', "5"):
        assert payloads.structured(text) == text


def test_a_drop_shows_what_it_has() -> None:
    drop = Drop(1, "id", "r", None, '{"a":1}', "s", "o", 0, once_price=250, expires_at=1000, counters='{"n":2}')
    record = drop.to_json()
    assert (record["price"], record["expires_at"], "key" in record) == (2.5, "1970-01-01T00:00:01.000Z", False)
    assert json.loads(drop.body()) == {"a": 1, "n": 2}
    assert Drop(1, "id", "r", "k", '"text"', "s", "o", 0, counters='{"n":2}').body() == '"text"'
    assert drop.live(999)
    assert not drop.live(1000)
    assert (show_io(500), show_io(5)) == (5, 0.05)


@given(st.integers(0, 4_000_000_000_000))
def test_times_come_back(moment: int) -> None:
    assert read_time(show_time(moment)) == moment


@pytest.mark.parametrize("text", ["yesterday", "", None, 5, "2026-13-01", "99999999999999999999"])
def test_what_is_no_time_is_named(text: Any) -> None:
    with pytest.raises(OceanError):
        read_time(text)


def test_a_time_without_a_zone_is_utc() -> None:
    assert read_time("2026-03-10") == read_time("2026-03-10T00:00:00Z") == read_time("2026-03-10T01:00:00+01:00")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.none() | st.text(st.characters(exclude_categories=["Cs"])))
def test_no_two_drops_share_a_leaf(route: str, key: str | None) -> None:
    def leaf(r: str, k: str | None) -> bytes:
        return chain.leaf("id", r, k, 1, "s", b"d" * 32)

    assert leaf(route, key) != leaf(route + "x", key)
    assert leaf(route, key) != leaf(route, (key or "") + "x")
    assert leaf(route, None) != leaf(route, "-")


def test_keys() -> None:
    pair = keys.generate()
    assert keys.public_of(pair.secret) == pair.public
    assert keys.identity(pair.secret) == pair.public
    assert keys.identity("YOUR_KEY") == "YOUR_KEY"
    assert keys.verify(pair.public, b"m", keys.sign(pair.secret, b"m"))
    assert not keys.verify(pair.public, b"n", keys.sign(pair.secret, b"m"))
    assert not keys.verify(pair.public, b"m", "not a signature!")
    assert not keys.verify("short", b"m", keys.sign(pair.secret, b"m"))
    for wrong in (pair.public, "osk_short", "", "osk_" + "!" * 43, "osk_" + "_" * 43):
        with pytest.raises(OceanError):
            keys.public_of(wrong)
    for wrong in (None, 5, "", "x" * 200, "a\nb"):
        with pytest.raises(OceanError):
            keys.identity(wrong)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.CSS", "text/css"),
        ("x.js", "text/javascript"),
        ("x.woff2", "font/woff2"),
        ("noending", None),
        ("a.b/c", None),
        ("x.unknown", None),
    ],
)
def test_media_types(name: str, expected: str | None) -> None:
    assert media.type_of(name) == expected


def test_text_is_told_from_bytes() -> None:
    assert media.is_text("text/html; charset=utf-8")
    assert media.is_text("application/ld+json")
    assert not media.is_text("image/png")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=5-", (5, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes= 1-2", None),
    ],
)
def test_ranges(header: str | None, expected: tuple[int, int] | None) -> None:
    assert range_of(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_outside_is_refused(header: str) -> None:
    with pytest.raises(OceanError) as caught:
        range_of(header, 10)
    assert caught.value.status == 416


def test_every_code_has_a_status_and_a_sentence() -> None:
    for code, (status, about) in CODES.items():
        assert code.isupper()
        assert 400 <= status <= 599
        assert about.endswith(".")


def test_more_keys_than_are_remembered() -> None:
    first = keys.generate()
    for _ in range(4200):
        keys.generate()
    assert keys.public_of(first.secret) == first.public


def test_more_than_10_mb_is_too_large_whatever_its_letters() -> None:
    for text in ("x" * (10 * 2**20), "é" * (6 * 2**20)):
        with pytest.raises(OceanError) as caught:
            payloads.encode(text)
        assert caught.value.code == "PAYLOAD_TOO_LARGE"
    assert payloads.encode("é" * 2**20)


def test_a_secret_in_a_route_or_a_key_becomes_its_public_half() -> None:
    pair = keys.generate()
    assert check_route(f"a/{pair.secret}/b") == f"a/{pair.public}/b"
    assert check_key(pair.secret) == pair.public
    for refused, check in ((f"a/x{pair.secret}", check_route), (f"x.{pair.secret}", check_key)):
        with pytest.raises(OceanError) as caught:
            check(refused)
        assert pair.secret not in str(caught.value.body())
