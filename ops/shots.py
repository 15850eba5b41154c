"""Pictures of the themes: three pages of each, at the width of a phone and of a desk. `python -m ops.shots FOLDER`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.progress import track

from ocean.core import keys
from ocean.core.site import THEMES
from tests.cli.test_cli import ocean
from tests.conftest import start, stop

WIDTHS = {"phone": 360, "desk": 1200}
PAGES = {"home": "", "text": "posts/hello", "record": "lamp"}
LAMP = (
    'save shots/{} @lamp title: "Brass lamp" price: {{ value: 40, unit: "EUR" }} text: "Made by **hand**, of brass and linen." '
    'tags: ("brass", "light") _dates: ({{ start: "2026-03-10", role: "made" }}) _locations: ({{ name: "Aarhus", lat: 56.15, lon: 10.2 }})'
)


def main(target: Path) -> None:
    """Writes THEME-PAGE-WIDTH.png for each."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ocean-shots-") as folder:
        running = start(Path(folder) / "data")
        try:
            _take(running.api, running.view, Path(folder), target)
        finally:
            stop(running)


def _take(api: str, view: str, folder: Path, target: Path) -> None:
    secret = keys.generate().secret
    chromium = shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for theme in track(THEMES, "drawing"):
            for command in (
                ("new", "site", str(folder / theme), "--theme", theme), ("publish", str(folder / theme), f"shots/{theme}"),
                ("exec", LAMP.format(theme)),
            ):  # fmt: skip
                told = ocean(*command, url=api, key=secret)
                assert told.returncode == 0, told.stderr
            for page, path in PAGES.items():
                for width, pixels in WIDTHS.items():
                    seen = browser.new_page(viewport={"width": pixels, "height": 800}, color_scheme="light")
                    seen.goto(f"{view}/shots/{theme}/{path}")
                    seen.screenshot(path=str(target / f"{theme}-{page}-{width}.png"), full_page=True)
                    seen.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("shots"))
