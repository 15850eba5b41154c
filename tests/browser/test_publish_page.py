"""The page /publish, in a browser: a zip and a folder become a site; what is no zip, or leads out of one, is said."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from ocean.core import keys
from tests.browser.test_browser import browser, on_a_phone  # noqa: F401
from tests.conftest import Running


@pytest.fixture
def page(browser: Browser, server: Running) -> Any:  # noqa: F811
    with on_a_phone(browser) as page:
        page.goto(f"{server.api}/publish")
        yield page


def packed(files: dict[str, str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def choose(page: Page, name: str, body: bytes) -> None:
    page.set_input_files("#zip", {"name": name, "mimeType": "application/zip", "buffer": body})


def twice(archive: bytes) -> bytes:
    """The second entry of a directory where the first one is."""
    at = archive.rindex(b"PK\x01\x02")
    return archive[: at + 42] + b"\0\0\0\0" + archive[at + 46 :]


SITE = {"site/index.html": "<h1>Dropped</h1><link rel=stylesheet href=a.css>", "site/a.css": "b{}" * 900, "site/.env": "secret",
        "site/sub/päge.html": "sub", "__MACOSX/site/._a.css": "x"}  # fmt: skip


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_zip_becomes_a_site(page: Page, server: Running, method: int) -> None:
    secret = keys.generate().secret
    route = f"dropped/{keys.public_of(secret)[:9]}"
    page.fill("#key", secret)
    page.fill("#route", route)
    choose(page, "My Site.zip", packed(SITE, method))
    page.wait_for_selector("#plan:not([hidden])")
    assert page.inner_text("#summary") == "3 new, 0 changed, 0 removed, 0 as before."
    assert not [v["id"] for v in Axe().run(page).response["violations"]]
    page.click("#preview")
    page.wait_for_selector("#said a")
    assert "_preview" in page.inner_text("#said")
    assert requests.get(f"{server.view}/{route}/", timeout=9).status_code == 404
    page.click("#go")
    expect(page.locator("#said")).to_contain_text("It is live")
    assert requests.get(f"{server.view}/{route}/", timeout=9).text == SITE["site/index.html"]
    assert requests.get(f"{server.view}/{route}/a.css", timeout=9).text == SITE["site/a.css"]
    assert requests.get(f"{server.view}/{route}/sub/p%C3%A4ge", timeout=9).text == "sub"
    assert requests.get(f"{server.view}/{route}/.env", timeout=9).status_code == 404
    choose(page, "My Site.zip", packed({"index.html": "<h1>Again</h1>"}, method))
    expect(page.locator("#summary")).to_contain_text("0 new, 1 changed, 2 removed")


def test_a_folder_and_a_key_made_in_the_browser(page: Page, server: Running, tmp_path: Path) -> None:
    for name, text in {"index.html": "<h1>Folder</h1>", "deep/er/a.txt": "a", "node_modules/x.js": "x"}.items():
        (tmp_path / "garden" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "garden" / name).write_text(text)
    page.click("#make")
    expect(page.locator("#key")).to_have_value(re.compile("^osk_"))
    secret = page.input_value("#key")
    route = f"folder-{keys.public_of(secret)[:9]}"
    page.fill("#route", route)
    page.set_input_files("#folder", str(tmp_path / "garden"))
    page.wait_for_selector("#plan:not([hidden])")
    page.click("#go")
    page.wait_for_selector("#said a")
    assert requests.get(f"{server.view}/{route}/", timeout=9).text == "<h1>Folder</h1>"
    assert requests.get(f"{server.view}/{route}/deep/er/a.txt", timeout=9).text == "a"
    told = requests.get(f"{server.api}/sites", headers={"x-ocean-key": secret}, timeout=9).json()
    assert [(one["route"], one["files"]) for one in told["results"]] == [(route, 2)]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"no zip at all", "That is no zip."), (packed({"../x.html": "x"}), "a file outside of it"), (packed({}), "nothing to publish"),
        (packed({"a.html": "x" * 999})[:-30] + packed({"b.html": "y"})[-22:], "damaged"), (packed({".env": "x"}), "nothing to publish"),
        (twice(packed({"a.html": "x" * 99, "b.html": "y" * 99}, zipfile.ZIP_STORED)), "a file twice"),
        (packed({"a.html": "x" * 99}, zipfile.ZIP_STORED).replace(b"c\0\0\0" * 2, b"c\0\0\0\0\0\0\0"), "damaged"),
        (packed({"a.html": "x"}, zipfile.ZIP_BZIP2), "in a way that is not known"),
    ],
)  # fmt: skip
def test_what_is_no_site_is_said(page: Page, body: bytes, says: str) -> None:
    page.fill("#key", keys.generate().secret)
    page.fill("#route", "x")
    choose(page, "x.zip", body)
    page.wait_for_selector("#said.bad")
    assert says in page.inner_text("#said")


def test_what_the_server_refuses_is_said(page: Page, server: Running) -> None:
    owner = keys.generate().secret
    server.drops('save taken @index "mine"\nshare taken with @x', owner)
    page.fill("#key", keys.generate().secret)
    page.fill("#route", "taken")
    choose(page, "x.zip", packed(SITE))
    page.wait_for_selector("#said.bad")
    assert "write" in page.inner_text("#said") or "access" in page.inner_text("#said")
