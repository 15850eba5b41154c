"""A real browser on a real site: every page opens, nothing is missing, the console stays quiet. OCEAN_SITE names a larger site."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ocean.core import keys
from tests.cli.test_cli import ocean, told
from tests.conftest import Running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "Chromium is needed: sudo apt-get install -y chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def on_a_phone(browser: Browser) -> Iterator[Page]:
    """A page of a phone's width, in which no script fails."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    yield page
    assert faults == []
    context.close()


class Visitor:
    """A page in the browser, and all that went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        page.on("console", lambda message: self.faults.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        page.on("response", lambda answer: self.faults.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
        page.on("requestfailed", self._failed)

    def _failed(self, request: Any) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):  # a fetch that the next click cut short
            self.faults.append(f"failed: {request.url}")

    def walk(self, start: str, most: int) -> int:
        """Opens `start` and what it links to within the site, breadth first; how many pages it saw."""
        seen, waiting = {start}, [start]
        count = 0
        while waiting and count < most:
            self.page.goto(waiting.pop(0), wait_until="load")
            count += 1
            for link in self.page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
                address = urldefrag(link).url
                if address.startswith(start) and address not in seen and re.search(r"(/|\.html|/[^./]+)$", address):
                    seen.add(address)
                    waiting.append(address)
        return count


def small_site(folder: Path) -> Path:
    pages = {f"page-{i}.html": f'<p>{i}</p><a href="page-{i + 1}.html">on</a>' for i in range(12)}
    pages["page-12.html"] = '<p>last</p><a href="sub/">sub</a>'
    pages["sub/index.html"] = '<a href="../">home</a>'
    pages["index.html"] = '<h1>home</h1><a href="page-0">first</a><img src="dot.svg" alt="">'
    for path, body in pages.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shell = (
            '<!doctype html><meta charset="utf-8"><link rel="icon" href="{0}dot.svg"><link rel="stylesheet" href="{0}style.css">'
            '<script src="{0}app.js"></script>'
        )
        (folder / path).write_text(shell.format("../" if "/" in path else "./") + body)
    (folder / "style.css").write_text("h1 { color: rgb(0, 128, 128) }")
    (folder / "app.js").write_text("window.loaded = true")
    (folder / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="5" cy="5" r="4"/></svg>')
    return folder


def test_a_site_is_published_walked_republished_and_rolled_back(server: Running, browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(os.environ["OCEAN_SITE"], folder) if "OCEAN_SITE" in os.environ else small_site(folder)
    secret = keys.generate().secret
    answer = told(ocean("publish", str(folder), "browsed", "--json", url=server.api, key=secret))
    print(answer)
    visitor = Visitor(browser.new_page())
    home = f"{server.view}/browsed/"
    count = visitor.walk(home, int(os.environ.get("OCEAN_SITE_PAGES", "40")))
    print(count, "pages")
    assert count >= 14
    assert visitor.faults == []
    index = folder / "index.html"
    index.write_text(index.read_text() + "<p id=new>changed</p>")
    again = told(ocean("publish", str(folder), "browsed", "--json", url=server.api, key=secret))
    assert (again["uploaded"], again["changed"], again["removed"]) == (1, 1, 0)
    visitor.page.goto(home)
    assert visitor.page.text_content("#new") == "changed"
    assert ocean("rollback", "browsed", url=server.api, key=secret).returncode == 0
    visitor.page.goto(home)
    assert visitor.page.query_selector("#new") is None
    assert visitor.faults == []


@pytest.mark.parametrize("width", [360, 1200])
def test_error_pages_and_listings_fit_a_phone(server: Running, browser: Browser, width: int, tmp_path: Path) -> None:
    secret = keys.generate().secret
    server.drops(f'save shelf{width} @{"long-name-" * 12} 1\nsave shelf{width} @a "x" price 5\nsave shelf{width}/deep @x 1', secret)
    page = browser.new_page(viewport={"width": width, "height": 700})
    for path in (f"/shelf{width}/", "/nothing/" + "here-" * 40):
        page.goto(server.view + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=str(tmp_path / f"{width}-{path.strip('/')[:8].replace('/', '-')}.png"))
    page.goto(f"{server.view}/shelf{width}/")
    page.click("text=deep/")
    assert page.url == f"{server.view}/shelf{width}/deep/"


def test_a_browser_anywhere_may_call_the_api_and_listen(server: Running, browser: Browser) -> None:
    secret = keys.generate().secret
    page = browser.new_page()
    server.drops('save here @index "<h1>here</h1>"', secret)
    page.goto(server.view + "/here/")
    script = """async ([api, key]) => {
        const events = new EventSource(api + '/stream/called/*?last=1');
        const first = new Promise(done => { events.onmessage = e => { events.close(); done(JSON.parse(e.data).payload.name) } });
        await new Promise(done => events.addEventListener('caught-up', done));
        const answer = await fetch(api + '/exec', { method: 'POST', headers: { 'Content-Type': 'text/plain', 'X-Ocean-Key': key },
                                                    body: 'save called/data @user-1 name: "Alice"' });
        return [answer.status, await first];
    }"""
    assert page.evaluate(script, [server.api, secret]) == [200, "Alice"]
