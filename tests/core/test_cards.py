"""What a record is to somebody who reads it."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.core import patterns
from ocean.core.cards import Card, Shown, card_of_html, card_of_object, fields_of, named
from ocean.core.shown import address_of, refers, safe_address, shown

EMBED = {"$embedded": True, "mode": "data", "route": "p", "key": "ann", "payload": {"name": "Ann"}}


def link(route: str, key: str) -> str:
    return f"/{route}/{key}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None), ("", None), ("a", "a"), (True, "true"), (1.5, "1.5"), (2**70, str(2**70)), ([], None), (["a", 1, None], "a, 1"),
        ({"value": 3, "unit": "kg"}, "3 kg"), ({"value": 3}, "3"), ({"value": None, "unit": "kg"}, None), ({"lat": 1, "lon": 2}, "1, 2"),
        ({"lat": 1, "lon": 2, "name": "Home"}, "Home"), ({"start": "2026-01-01", "end": "2026-01-02"}, "2026-01-01 \N{EN DASH} 2026-01-02"),
        ({"start": "2026-01-01"}, "2026-01-01"), ({"title": "T"}, "T"), ({"title": " "}, None), ({}, None), (EMBED, "Ann"),
        ([[1], 2], "2"), ({"$embedded": False, "error": {}}, None),
        ({**EMBED, "payload": 1}, "ann"), ({"$embedded": True, "mode": "view", "summary": "S"}, "S"), (object(), None),
    ],
)  # fmt: skip
def test_values_as_text(value: Any, text: str | None) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("drop://a/b/c", "/a/b/c"), ("drop://a/@b", "/a/b"), ("drop://a", "drop://a"),
        ("https://x.example", "https://x.example"), ("/a", "/a"),
        ("a", None), ("/ or not", None), ("tel: me", None), (3, None), (EMBED, "/p/ann"),
        ({"$embedded": True, "url": "/u"}, "/u"), ({"url": "/u"}, "/u"),
        ({"url": 3}, None),
    ],
)  # fmt: skip
def test_addresses_of_values(value: Any, address: str | None) -> None:
    assert address_of(value, link) == address


def test_what_refers() -> None:
    assert refers("drop://a/b/c") == ("a/b", "c")
    assert refers("drop://a/@") is refers("x") is refers(3) is None
    assert safe_address("a/b?c:d")
    assert safe_address("tel:1")
    assert safe_address("http://[::1]/")
    assert not safe_address("http://[x")
    assert not safe_address("http://a\u2100b/")
    assert not safe_address("blob:x")


@pytest.mark.parametrize(
    ("body", "card"),
    [
        ({}, Card("My key")),
        ({"title": "T", "description": "D"}, Card("T", "D")),
        ({"name": "T", "description": "<p>a  b</p>"}, Card("T", "a b")),
        ({"title": "T", "_texts": ["long " * 100]}, Card("T", "long " * 38 + "long\N{HORIZONTAL ELLIPSIS}")),
        ({"title": "T", "_texts": [3]}, Card("T")),
        (
            {"title": "T", "start": "2026-01-01T10:00:00Z", "end": "2026-01-02"},
            Card("T", published="2026-01-01T10:00:00Z", ends="2026-01-02", kind="Event", dated=True),
        ),
        ({"_dates": [{"start": "2026-01-01"}]}, Card("My key", published="2026-01-01", dated=True)),
        ({"_dates": ["x"]}, Card("My key")),
        ({"date": "no date"}, Card("My key")),
        ({"title": "T", "price": 3}, Card("T", amount="3", kind="Product")),
        ({"title": "T", "price": True, "_amounts": [{"value": 2, "unit": "EUR"}]}, Card("T", amount="2 EUR", kind="Product")),
        ({"title": "T", "image": "a.png"}, Card("T", image="a.png")),
        ({"title": "T", "image": "javascript:1", "photo": {"url": "/p"}}, Card("T", image="/p")),
        ({"title": "T", "_blobs": [3, {"url": "/a.pdf"}, {"url": "/b", "mime": "image/png"}]}, Card("T", image="/b")),
        ({"title": "T", "_blobs": [{"url": "/a.pdf"}]}, Card("T")),
        ({"title": "T", "tags": "x, y,", "draft": True}, Card("T", tags=("x", "y"), draft=True)),
        ({"title": "T", "text": "# H\n\nA **bold** ![alt](x) word"}, Card("T", "A bold word")),
        ({"title": "T", "text": "![](x.png)"}, Card("T")),
        ({"title": "T", "author": "A", "tags": ["x", 3]}, Card("T", author="A", tags=("x",))),
    ],
)  # fmt: skip
def test_cards_of_records(body: dict[str, Any], card: Card) -> None:
    assert card_of_object("my_key", body, link) == card


def test_cards_of_pages() -> None:
    page = (
        '<title>A  b</title><meta name=description content=" D "><meta property="og:image" content="/i"><meta name=date content=2026-01-01>'
    )
    assert card_of_html("k", page) == Card("A b", "D", "/i", "2026-01-01", dated=True)
    assert card_of_html("k", "<h1>H</h1><p>first</p>") == Card("H", "first")
    assert card_of_html("k", "<meta name=description><main><p>m</main>") == Card("K", "m")
    assert card_of_html("k", "") == Card("K")
    assert card_of_html("k", '<meta property="og:image" content="javascript:1">').image is None


def test_keys_as_titles() -> None:
    assert named("posts/my-first_post.md") == "My first post"
    assert named("a.html") == "A"
    assert named("---") == "---"


def test_json_ld() -> None:
    event = Card("T", "S", "/i", "2026-01-01", "2026-01-02", "A", "3", ("x", "y"), "Event").json_ld("/u")
    assert event == {
        "@context": "https://schema.org", "@type": "Event", "name": "T", "url": "/u", "description": "S", "image": "/i",
        "startDate": "2026-01-01",
        "endDate": "2026-01-02", "keywords": "x, y",
    }  # fmt: skip
    article = Card("T", published="2026-01-01", author="A").json_ld("/u")
    assert (article["headline"], article["datePublished"], article["author"]["name"]) == ("T", "2026-01-01", "A")
    assert set(Card("T", kind="Product", published="2026-01-01").json_ld("/u")) == {"@context", "@type", "name", "url"}


def _fields(body: dict[str, Any], rules: dict[str, Any] | None = None) -> list[Shown]:
    schema = patterns.define(rules).fields if rules else {}
    return fields_of(body, schema, link, card_of_object("k", body, link))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (3, Shown("F", "number", "3")), (True, Shown("F", "flag", "yes")), (False, Shown("F", "flag", "no")),
        ("t", Shown("F", "text", "t")),
        ("2026-01-02", Shown("F", "date", "2026-01-02")), ("a@b.example", Shown("F", "link", "a@b.example", "mailto:a@b.example")),
        ("https://x.example/a", Shown("F", "link", "https://x.example/a", "https://x.example/a")),
        ("/a.png", Shown("F", "picture", "", "/a.png")),
        ("drop://a/b", Shown("F", "link", "b", "/a/b")), ("javascript:1", Shown("F", "text", "javascript:1")),
        ({"lat": 1, "lon": 2}, Shown("F", "place", "1, 2", "https://www.openstreetmap.org/?mlat=1&mlon=2#map=15/1/2")),
        ({"lat": "x", "lon": 2}, Shown("F", "place", "x, 2")), ({"value": 2, "unit": "kg"}, Shown("F", "text", "2 kg")),
        (EMBED, Shown("F", "link", "Ann", "/p/ann")), ({"url": "/x.png", "name": "N"}, Shown("F", "picture", "N", "/x.png")),
        ({"url": "javascript:1", "name": "N"}, Shown("F", "text", "N")),
        (["a", None, 2], Shown("F", "list", items=(Shown("", "text", "a"), Shown("", "number", "2")))),
        (
            {"a": 1, "b": {"c": "d"}},
            Shown("F", "table", items=(Shown("a", "number", "1"), Shown("b", "table", items=(Shown("c", "text", "d"),)))),
        ),
        ({"name": "S", "cm": 30}, Shown("F", "table", items=(Shown("name", "text", "S"), Shown("cm", "number", "30")))),
    ],
)  # fmt: skip
def test_fields_by_their_values(value: Any, field: Shown) -> None:
    assert _fields({"f": value}) == [field]


@pytest.mark.parametrize(
    "value",
    [
        {"$embedded": False, "error": {"code": "X"}},
        None,
        "",
        [],
        {},
        [None],
        {"a": None},
        [[[[[1]]]]],
        {"a": {"b": {"c": {"d": {"e": 1}}}}},
    ],
)
def test_what_says_nothing_is_no_field(value: Any) -> None:
    assert _fields({"f": value}) == []


def test_a_patterns_types_and_order() -> None:
    rules = {"when": "date", "where": "location", "file": "blob", "none": "text"}
    body = {
        "file": "a/b.pdf",
        "note": "n",
        "where": "Oslo",
        "when": "2026-01-02",
        "title": "T",
        "pattern": "p",
        "_x": 1,
        "text": "prose",
        "price": 3,
    }
    assert _fields(body, rules) == [
        Shown("When", "date", "2026-01-02"), Shown("Where", "place", "Oslo"), Shown("File", "file", "b.pdf", "a/b.pdf"),
        Shown("Note", "text", "n"),
    ]  # fmt: skip
    assert [f.label for f in _fields({"_dates": [{"start": "2026-01-01"}], "_texts": ["x"], "_mine": 1})] == ["Dates"]
    assert _fields({"price": 3, "amount": 4}) == [Shown("Amount", "number", "4")]


def test_what_costs_too_much_to_read_has_a_card_all_the_same() -> None:
    assert card_of_html("k", "<title>T</title>" + "<b>" * 60 + "<p>x" * 500) == Card("K")
    assert card_of_html("k", "<title>T</title>" + "<p>x" * 2000) == Card("K")


def test_a_page_shows_no_more_of_a_record_than_has_room() -> None:
    assert sum(len(f.items) for f in _fields({f"f{n}": [1] * 195 for n in range(100)})) <= 3000
    assert len(_fields({f"f{n}": "x" * 100_000 for n in range(20)})) == 5
