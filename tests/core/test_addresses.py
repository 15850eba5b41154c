"""Addresses of pages: one spelling, which leads back."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core.addresses import Origin, address_of_folder, address_of_record, has_origin, path_of


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


def test_links_between_origins() -> None:
    own = "https://{}.view.example"
    at_home, shared, alone = (
        Origin("blog", "https://view.example", own),
        Origin("", "https://view.example", own),
        Origin("", "https://view.example"),
    )
    assert (at_home.address, shared.address, alone.address) == ("https://blog.view.example", "https://view.example", "https://view.example")
    for there, links in {
        "/blog/a/b": ("/a/b", "https://blog.view.example/a/b", "/blog/a/b"),
        "/blog/": ("/", "https://blog.view.example/", "/blog/"),
        "/blog": ("/", "https://blog.view.example", "/blog"),
        "/shop/x": ("https://shop.view.example/x", "https://shop.view.example/x", "/shop/x"),
        "/Key_1/x": ("https://view.example/Key_1/x", "/Key_1/x", "/Key_1/x"),
    }.items():
        assert tuple(origin.path(there) for origin in (at_home, shared, alone)) == links
    assert [has_origin(name) for name in ("a", "a-1", "-a", "a-", "A", "a_b", "", "x" * 64)] == [True, True, *[False] * 6]


def test_links_from_a_domain() -> None:
    """A domain is a folder's, at whatever depth; what lies outside of it is elsewhere."""
    shop = Origin("agency/shop", "https://view.example", "https://{}.view.example", "https://shop.org")
    assert shop.address == "https://shop.org"
    for there, link in {
        "/agency/shop/": "/", "/agency/shop": "/", "/agency/shop/a/b": "/a/b", "/agency/": "https://agency.view.example/",
        "/agency/shopping/x": "https://agency.view.example/shopping/x", "/Key_1/x": "https://view.example/Key_1/x",
    }.items():  # fmt: skip
        assert shop.path(there) == link
