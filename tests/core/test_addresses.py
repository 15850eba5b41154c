"""Addresses of pages: one spelling, which leads back."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core.addresses import address_of_folder, address_of_record, path_of


@pytest.mark.parametrize(
    ("route", "key", "address"),
    [
        ("a/b", "c", "/a/b/c"), ("a", "c.md", "/a/c"), ("a", "c.html", "/a/c"), ("a", "c.html.md", "/a/c.html"), ("a", "index", "/a/"),
        ("a", "x/index.html", "/a/x/"), ("a", ".md", "/a/.md"), ("a", "b c?d#e", "/a/b%20c%3Fd%23e"), ("a", "m@n", "/a/m@n"),
        ("a", "logo.png", "/a/logo.png"),
    ],
)  # fmt: skip
def test_addresses(route: str, key: str, address: str) -> None:
    assert address_of_record(route, key) == address


@given(st.text(min_size=1, max_size=30))
def test_an_address_leads_back(text: str) -> None:
    assert unquote(path_of(text.encode(errors="replace").decode())) == text.encode(errors="replace").decode()
    assert address_of_folder("m@n") == "/m@n/"
