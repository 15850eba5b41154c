"""`ocean publish`: what is in a folder, what of it the server lacks, and the switch."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ocean.cli.client import Client
from ocean.cli.options import fail

_SKIPPED = frozenset({".git", ".hg", ".svn", ".DS_Store", "Thumbs.db", "node_modules", "__pycache__"})


def files_of(folder: Path) -> dict[str, Path]:
    """`path in the site -> file`; hidden files (but .well-known) and links out of the folder are left out."""
    root = folder.resolve()
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") and part != ".well-known" for part in parts)  # .env and its like are nobody's to read
        if hidden or _SKIPPED & set(parts) or not file.is_file() or not file.resolve().is_relative_to(root):
            continue
        found[unicodedata.normalize("NFC", "/".join(parts))] = file
    return found


def publish(client: Client, folder: Path, route: str, *, dry_run: bool, preview: bool, as_json: bool) -> None:
    """Prints what it did; ends the program with status 1 where the server refuses."""
    files = files_of(folder)
    if not files:
        fail(f"There is nothing to publish in {folder}.")
    manifest = {path: {"sha256": _digest(file), "size": file.stat().st_size} for path, file in files.items()}
    plan = client.must("POST", f"/publish/{route}", json={"files": manifest, "plan": True})
    if dry_run:
        _show_plan(plan, as_json)
        return
    wanted = set(plan["upload"])
    uploads = {str(entry["sha256"]): files[path] for path, entry in manifest.items() if entry["sha256"] in wanted}
    _upload(client, route, uploads, quiet=as_json)
    answer = client.must("POST", f"/publish/{route}", json={"files": manifest, "preview": preview})
    if as_json:
        click.echo(json.dumps({**answer, "uploaded": len(uploads)}))
        return
    if preview:
        click.echo(f"{len(uploads)} uploaded, {answer['files']} files.  {answer['url']}")
        click.echo(f"Make it the live site: ocean promote {route} {answer['preview']}")
        return
    if not answer["changed"] and not answer["removed"]:
        click.echo(f"Nothing has changed: {answer['url']} is up to date.")
        return
    click.echo(f"{len(uploads)} uploaded, {answer['changed']} changed, {answer['removed']} removed, {plan['keep']} as before.")
    click.echo(f"{click.style('Live', fg='green', bold=True)}  {answer['url']}")


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _show_plan(plan: dict[str, list[str]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(plan))
        return
    new = set(plan["new"])
    changed = [path for path in plan["change"] if path not in new]
    for sign, colour, paths in (("+", "green", plan["new"]), ("~", "yellow", changed), ("-", "red", plan["remove"])):
        for path in paths:
            click.echo(click.style(f"{sign} {path}", fg=colour))
    click.echo(
        f"{len(plan['change'])} to change, {len(plan['remove'])} to remove, {plan['keep']} as before; {len(plan['upload'])} to upload."
    )


def _upload(client: Client, route: str, uploads: dict[str, Path], *, quiet: bool) -> None:
    if not uploads:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("uploading", total=sum(file.stat().st_size for file in uploads.values()))
        for sha256, file in uploads.items():
            with file.open("rb") as opened:
                client.must("PUT", f"/publish/{route}", params={"sha256": sha256}, data=opened)
            progress.advance(task, file.stat().st_size)
