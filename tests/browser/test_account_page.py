"""A new reader's way, in a browser on a phone's width: a page that costs something, a link by mail, the purchase, the page."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ocean.core import keys
from tests.browser.test_browser import browser, on_a_phone  # noqa: F401
from tests.cli.test_cli import ocean
from tests.conftest import Running


@pytest.fixture
def page(browser: Browser, server: Running) -> Any:  # noqa: F811
    with on_a_phone(browser) as page:
        yield page


def link_to(server: Running, email: str) -> str:
    """The link in the newest letter to an address, as the operator's outbox shows it."""
    letters = json.loads(ocean("mail", "outbox", "--data", str(server.data), "--json").stdout)
    found = next(re.search(r"http\S+token=\S+", one["body"]) for one in letters if one["to"] == email)
    assert found is not None
    return found[0]


def sound(page: Page) -> None:
    assert not [v["id"] for v in Axe().run(page).response["violations"]]


def test_a_new_reader_signs_in_by_a_mailed_link_buys_an_article_and_reads_it(page: Page, server: Running) -> None:
    writer, email = keys.generate(), f"reader-{keys.generate().public[:8].lower().replace('_', 'x').replace('-', 'x')}@example.com"
    article = {"title": "Brass lamps", "text": "The whole article.", "_preview": "How lamps are made."}
    route = f"press/{writer.public[:8]}"
    server.post("/drop", {"route": route, "key": "lamps", "payload": article, "price": 5}, writer.secret)
    server.post("/drop", {"route": route, "key": "_config", "payload": {"theme": "blog"}}, writer.secret)
    shown = page.goto(f"{server.view}/{route}/lamps")
    assert shown is not None
    assert shown.status == 402
    expect(page.locator("main")).to_contain_text("This page costs 5 io.")
    expect(page.locator("main")).to_contain_text("How lamps are made.")
    assert "whole article" not in page.content()
    sound(page)
    page.click("text=Buy and read")
    expect(page.locator("#login h1")).to_have_text("Sign in")
    sound(page)
    page.fill("#email", email)
    page.click("text=Send me a link")
    expect(page.locator("#said")).to_contain_text("A link is on its way")
    link = link_to(server, email)
    assert requests.get(link, headers={"accept": "text/html"}, timeout=9).ok  # what looks at links in mail uses none up
    page.goto(link)
    sound(page)
    page.click("#enter")
    expect(page.locator("#offer h1")).to_have_text("lamps")
    expect(page.locator("#terms")).to_have_text(f"It costs 5 io. You have 0 io. That is too little. You are {email}.")
    expect(page.locator("#buy")).to_be_disabled()  # there is no io yet
    sound(page)
    ocean("io", "grant", email, "20", "--data", str(server.data))
    page.reload()
    expect(page.locator("#terms")).to_have_text(f"It costs 5 io. You have 20 io. You are {email}.")
    page.click("#buy")
    expect(page.locator("article, main").first).to_contain_text("The whole article.")
    assert page.url.startswith(server.view)
    page.reload()  # the ticket was for one look: the way back is there
    expect(page.locator(".buy")).to_be_visible()
    page.goto(f"{server.api}/account")
    expect(page.locator("#facts")).to_contain_text(email)
    expect(page.locator("#facts")).to_contain_text("15 io")
    expect(page.locator("#bought")).to_contain_text(f"{route} @lamps")
    expect(page.locator("#lines tr")).to_have_count(2)
    sound(page)
    page.fill("#handle", f"@{route.split('/')[1].lower().strip('-_')}x")
    page.click("text=Take it")
    expect(page.locator("#facts")).to_contain_text("@")
    page.click(f"#bought >> text={route} @lamps")
    expect(page.locator("#buy")).to_have_text("Read it")
    page.click("#buy")
    expect(page.locator("article, main").first).to_contain_text("The whole article.")
    page.goto(link)
    page.click("#enter")
    expect(page.locator("#said")).to_contain_text("was used")
    server.post("/auth/login", {"email": f"other-{email}"})
    page.goto(link_to(server, f"other-{email}"))  # somebody else's link does not take the browser over
    page.click("#enter")
    expect(page.locator("#said")).to_contain_text("signed in to another account")
    expect(page.locator("#enter")).to_have_text(f"Go on as other-{email}")
    page.goto(f"{server.api}/account")
    page.click("#out")
    expect(page.locator("#login h1")).to_have_text("Sign in")
