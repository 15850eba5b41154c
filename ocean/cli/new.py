"""`ocean new site`: a folder to begin a site with."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ocean.cli.options import fail
from ocean.core.site import THEMES


@click.group()
def new() -> None:
    """Make something to begin with."""


@new.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--theme", type=click.Choice(THEMES), default=THEMES[1], show_default=True)
def site(folder: Path, theme: str) -> None:
    """Make FOLDER with a few pages in Markdown, ready to be published."""
    from ocean.http.assets import THEMES as THEIRS  # with all of the server behind it

    if folder.exists() and any(folder.iterdir()):
        fail(f"{folder} is there already, and is not empty.")
    shutil.copytree(THEIRS / "starter", folder, dirs_exist_ok=True)
    config = folder / "_config"
    config.write_text(config.read_text().replace("THEME", theme))
    click.echo(f"{folder} has a site with the theme {theme}. Write in it, then: ocean publish {folder} my/{folder.resolve().name}")


COMMANDS = (new,)
