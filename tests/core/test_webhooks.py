"""Signatures and master keys that can't be used."""

from __future__ import annotations

import base64

import pytest

from ocean.core import keys, webhooks
from ocean.settings import SettingError, load

BYTES = bytes(range(32))


@pytest.mark.parametrize("wrong", ["", "short", base64.b64encode(BYTES[:31]).decode(), "not base64 at all!" * 3])
def test_what_is_no_master_key_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        keys.master_of(wrong)
    if wrong:
        with pytest.raises(SettingError, match="OCEAN_MASTER_KEY"):
            load({"OCEAN_MASTER_KEY": wrong})


def test_a_master_key_may_be_in_either_alphabet() -> None:
    raw = b"\xfb\xff" * 16
    assert keys.master_of(base64.b64encode(raw).decode()) == keys.master_of(base64.urlsafe_b64encode(raw).decode().rstrip("=")) == raw


def test_a_secret_that_is_no_base64_and_a_kind_that_is_not_known_verify_nothing() -> None:
    headers = {"webhook-id": "m", "webhook-timestamp": "1000", "webhook-signature": "v1,x"}
    assert not webhooks.verified("standard", headers, b"{}", "whsec_?", 1000)
    assert not webhooks.verified("acme", headers, b"{}", "secret", 1000)
    assert not webhooks.verified("slack", {"x-slack-request-timestamp": "soon"}, b"{}", "secret", 1000)
    assert webhooks.secret_bytes("plain") == b"plain"
    with pytest.raises(ValueError, match="base64"):
        webhooks.secret_bytes("whsec_?")
