"""Themes in a real browser: nothing missing, nothing that a screen reader would miss, no wider than a phone; feeds in a reader."""

from __future__ import annotations

from pathlib import Path

import feedparser
import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from ocean.core import keys
from ocean.core.site import THEMES
from tests.browser.test_browser import Visitor, browser  # noqa: F401 - a fixture
from tests.cli.test_cli import ocean, told
from tests.conftest import Running

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"><rect width="4" height="3" fill="teal"/></svg>'


@pytest.fixture(scope="module", params=THEMES)
def site(request: pytest.FixtureRequest, server: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A starter site of each theme, published, with records beside its pages; its folder."""
    theme, secret = str(request.param), keys.generate().secret
    folder = tmp_path_factory.mktemp("new") / theme
    assert ocean("new", "site", str(folder), "--theme", theme).returncode == 0
    route = f"themes/{theme}"
    assert told(ocean("publish", str(folder), route, "--json", url=server.api, key=secret))["changed"] == 3
    thing = {
        "title": "Oak tiller", "description": "Made by hand.", "image": "pic.svg", "price": {"value": 75, "unit": "EUR"},
        "made": "2026-05-02",
        "in_stock": True, "place": {"lat": 59.9, "lon": 10.7}, "contact": "a@b.example",
        "tags": ["sea"], "sizes": [{"name": "S", "cm": 30}],
        "text": "A **tiller**.\n\n```python\nx = 1  # one\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |",
    }  # fmt: skip
    ops = [{"route": route, "key": "tiller", "payload": thing}, {"route": route, "key": "pic.svg", "payload": PICTURE}]
    ops += [{"route": route, "key": f"note-{n:02}", "payload": {"title": f"Note {n}", "date": f"2025-01-{n + 1:02}"}} for n in range(30)]
    assert server.post("/bulk", {"ops": ops}, secret).ok
    return route


PAGES = ("", "?page=2", "about", "posts/", "posts/hello", "tiller", "tiller?mode=preview")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_pages_are_whole_accessible_and_no_wider_than_the_screen(
    server: Running, browser: Browser, site: str, width: int, scheme: str, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light")
    visitor = Visitor(context.new_page())
    for path in PAGES:
        visitor.page.goto(f"{server.view}/{site}/{path}")
        visitor.page.screenshot(path=str(tmp_path / f"{path.strip('/').replace('/', '-')}.png"), full_page=True)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width, path
        found = Axe().run(visitor.page)
        assert found.violations_count == 0, (path, found.generate_report())
    assert visitor.faults == []
    context.close()


def test_all_that_a_site_links_to_is_there(server: Running, browser: Browser, site: str) -> None:  # noqa: F811
    visitor = Visitor(browser.new_page())
    assert visitor.walk(f"{server.view}/{site}/", 60) > 30
    assert visitor.faults == []


def test_styles_are_small_and_kept(server: Running, site: str) -> None:
    page = requests.get(f"{server.view}/{site}/", timeout=9).text
    (path,) = {part.split('"')[0] for part in page.split('rel="stylesheet" href="')[1:]}
    style = requests.get(server.view + path, timeout=9)
    assert (style.status_code, len(style.content) < 15_000) == (200, True)
    assert "immutable" in style.headers["cache-control"]
    assert "<script" not in page.replace('<script type="application/ld+json"', "")


def test_feeds_are_read_by_a_reader(server: Running, site: str) -> None:
    feed = feedparser.parse(requests.get(f"{server.view}/{site}/feed.xml", timeout=9).content)
    assert (feed.bozo, feed.version, feed.feed.title) == (False, "atom10", "A new site")
    entries = {entry.title: entry for entry in feed.entries}
    hello = entries["Hello, ocean"]
    assert (hello.link, hello.published[:10], hello.tags[0].term) == (f"{server.view}/{site}/posts/hello", "2026-01-15", "first")
    assert requests.get(hello.link, timeout=9).ok
    as_json = requests.get(f"{server.view}/{site}/feed.json", timeout=9).json()
    assert as_json["version"] == "https://jsonfeed.org/version/1.1"
    assert {item["title"] for item in as_json["items"]} == set(entries)
    listed = requests.get(f"{server.view}/{site}/sitemap.xml", timeout=9).text
    assert listed.count("<url>") == len(entries) + 3  # the folder itself, and two pages without a date


def test_a_page_is_new_as_soon_as_anything_that_it_shows_is(server: Running) -> None:
    secret = keys.generate().secret
    server.drops('define card fields title: "text"\nsave views @"card/full" \'<h1>{{title}}</h1><a data-ref=who>{{name}}</a>\'', secret)
    server.drops('save cards/people @ann name: "Ann"\nsave cards @a pattern: "card" title: "One" who: "drop://cards/people/ann"', secret)
    address = f"{server.view}/cards/a"

    def shown() -> str:
        requests.get(address, timeout=9)
        return requests.get(address, timeout=9).text  # kept by now

    assert "<h1>One</h1>" in shown()
    for statement, there in (
        ('update cards/people @ann name: "Anna"', ">Anna<"),
        ("save views @\"card/full\" '<h2>{{title}}</h2><i data-ref=who>{{name}}</i>'", "<h2>One</h2>"),
        ('define card fields title: "text" views { full: "drop://views/card2" }\nsave views @card2 "<h3>{{title}}</h3>"', "<h3>One</h3>"),
        ('save cards @_config title: "Cards of <all>"', "Cards of &lt;all&gt;"),
        ('update cards @a title: "Two"', "<h3>Two</h3>"),
    ):
        assert server.drops(statement, secret).ok, statement
        assert there in shown(), statement
    server.drops('save cards @_config theme: "blog"', secret)
    assert "Two" in requests.get(f"{server.view}/cards/", timeout=9).text
    server.drops('save cards @b title: "Three"', secret)
    assert "Three" in requests.get(f"{server.view}/cards/", timeout=9).text
    assert "<h1>Three</h1>" in requests.get(f"{server.view}/cards/b?theme=x&mode=odd", timeout=9).text


def test_nothing_that_a_record_holds_gets_out_of_its_place(server: Running) -> None:
    secret = keys.generate().secret
    evil = "\x01</script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    server.post(
        "/drop",
        {"route": "evil", "key": "_config", "payload": {"theme": "blog", "title": evil, "nav": {evil: "x"}, "footer": evil}},
        secret,
    )
    server.post(
        "/drop",
        {"route": "evil", "key": "a", "payload": {"title": evil, "description": evil, evil: evil, "image": evil, "tags": [evil]}},
        secret,
    )
    server.post(
        "/drop",
        {"route": "evil", "key": "b", "payload": {"title": "b", "image": "javascript:alert(1)", "u": "javascript:alert(1)"}},
        secret,
    )
    for path in ("evil/", "evil/a", "evil/b", "evil/a?mode=preview", "evil/feed.xml", "evil/sitemap.xml"):
        page = requests.get(f"{server.view}/{path}", timeout=9).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert '"javascript:' not in page
    assert not feedparser.parse(requests.get(f"{server.view}/evil/feed.xml", timeout=9).content).bozo
