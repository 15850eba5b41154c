"""Notifications: what may be sent, and what is told of a record."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ocean.core import keys
from ocean.core.push import MAX_BYTES, check_message, told_of
from ocean.errors import OceanError

KEY = keys.generate().public


def test_a_message_to_one_key_and_to_several() -> None:
    pair = keys.generate()
    assert check_message({"to": KEY, "title": "Hi"}) == ([KEY], {"title": "Hi"})
    to, notification = check_message(
        {"to": [KEY, pair.secret, KEY], "title": "Hi", "body": None, "url": "/a", "icon": "https://x.org/i.png"}
    )
    assert to == [KEY, pair.public]
    assert notification == {"title": "Hi", "url": "/a", "icon": "https://x.org/i.png"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("text", "INVALID_VALUE"),
        ({"to": [], "title": "x"}, "INVALID_VALUE"),
        ({"to": [KEY] * 101, "title": "x"}, "INVALID_VALUE"),
        ({"to": [5], "title": "x"}, "INVALID_VALUE"),
        ({"title": "x"}, "INVALID_VALUE"),
        ({"to": KEY}, "INVALID_VALUE"),
        ({"to": KEY, "title": ""}, "INVALID_VALUE"),
        ({"to": KEY, "title": 5}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x" * 201}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x", "badge": 1}, "UNKNOWN_FIELD"),
        ({"to": KEY, "title": "x", "url": "javascript:alert(1)"}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x", "url": "//evil.example"}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x", "url": "/\\evil.example"}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x", "icon": "http://[bad"}, "INVALID_VALUE"),
        ({"to": KEY, "title": "x", "body": "🌊" * 1000}, "PAYLOAD_TOO_LARGE"),
    ],
)
def test_what_is_no_message(message: Any, code: str) -> None:
    with pytest.raises(OceanError) as raised:
        check_message(message)
    assert raised.value.code == code


def test_what_is_told_of_a_record() -> None:
    told = told_of("shop/orders", {"name": " ", "subject": "Tea", "text": "Two tins"}, "https://x.org/shop/orders/1")
    assert told == {"title": "Tea", "body": "Two tins", "url": "https://x.org/shop/orders/1", "tag": "shop/orders"}
    assert told_of("a", "plain words", "u")["body"] == "plain words"
    assert told_of("a", None, "u") == {"title": "a", "body": "Something new was saved.", "url": "u", "tag": "a"}


def test_what_is_told_always_fits() -> None:
    told = told_of("r" * 400, {"title": "🌊" * 500, "body": "\x01" * 5000}, "https://x.org/" + "%F0%9F" * 700)
    assert len(orjson.dumps(told)) <= MAX_BYTES
