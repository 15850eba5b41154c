"""The client's commands: they speak to a running server at OCEAN_URL, with the key in OCEAN_KEY."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import requests

from ocean.cli import show
from ocean.cli.options import as_json, fail
from ocean.core.payloads import loads


class Unreachable(click.ClickException):
    """Nobody answers at OCEAN_URL, or somebody else does."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True)


class Client:
    """A running server, spoken to over HTTP."""

    def __init__(self) -> None:
        self.url = os.environ.get("OCEAN_URL", "http://127.0.0.1:8000").strip().rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            fail(f"OCEAN_URL is {self.url!r}; an address begins with http:// or https://.")
        self._session = requests.Session()
        self.key = os.environ.get("OCEAN_KEY", "").strip()
        if self.key:
            self._session.headers["x-ocean-key"] = self.key

    def ask(self, method: str, path: str, **named: Any) -> tuple[dict[str, Any], bool]:
        """`(answer, whether it is one and not an error)`. Raises Unreachable, which ends a program with its sentence and status 2."""
        try:
            answer = self._session.request(method, self.url + path, timeout=120, **named)
        except (requests.RequestException, UnicodeError) as fault:
            raise Unreachable(f"{self.url} does not answer ({type(fault).__name__}). Is it running? Start it with: make up") from None
        try:
            told = loads(answer.content.decode())
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Unreachable(f"{self.url} is not an Infinite Ocean API (it answered {answer.status_code}, not JSON). Check OCEAN_URL.")
        return told, answer.ok

    @contextmanager
    def stream(self, method: str, path: str, **named: Any) -> Iterator[Iterator[bytes]]:
        """The pieces of an answer that may be large; an error ends the program with status 1."""
        try:
            with self._session.request(method, self.url + path, timeout=120, stream=True, **named) as answer:
                if not answer.ok:
                    fail(show.error(answer.json()), 1)
                yield answer.iter_content(64 * 1024)
        except requests.exceptions.JSONDecodeError:
            raise Unreachable(f"{self.url} is not an Infinite Ocean API. Check OCEAN_URL.") from None
        except requests.RequestException as fault:
            raise Unreachable(f"{self.url} does not answer, or broke off ({type(fault).__name__}).") from None

    def run(self, statement: str) -> tuple[dict[str, Any], bool]:
        """A Drops text."""
        return self.ask("POST", "/exec", data=statement.encode(), headers={"content-type": "text/plain; charset=utf-8"})

    def must(self, method: str, path: str, **named: Any) -> dict[str, Any]:
        """The answer; an error ends the program with status 1."""
        answer, ok = self.ask(method, path, **named)
        if not ok:
            fail(show.error(answer), 1)
        return answer


@click.command("exec")
@click.argument("statement")
@as_json
def exec_(statement: str, as_json: bool) -> None:
    """Run a Drops statement: ocean exec 'find my/data where name = "Alice"'. With -, it is read from the standard input."""
    text = sys.stdin.read() if statement == "-" else statement
    answer, ok = Client().run(text)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        sys.exit(0 if ok else 1)
    if not ok:
        show.failed(answer)
        sys.exit(1)
    show.answer(answer)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("route")
@click.argument("key", required=False)
@as_json
def put(file: Path, route: str, key: str | None, as_json: bool) -> None:
    """Save a FILE's text as a record of ROUTE: a function's code as `main`, other files by their names, or by KEY."""
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        fail(f"{file} is no text. ocean publish uploads files.", 1)
    body = {"route": route, "key": key or ("main" if file.suffix == ".py" else file.name), "payload": text}
    saved = Client().must("POST", "/drop", json=body)
    click.echo(json.dumps(saved, ensure_ascii=False) if as_json else f"{saved['route']} @{saved['key']} has version {saved['version']}.")


@click.command()
def shell() -> None:
    """A prompt for Drops, with history, completion and colour."""
    from ocean.cli.shell import Shell

    Shell(Client()).run()


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("route")
@click.option("--dry-run", is_flag=True, help="show what would change, and change nothing")
@as_json
@click.option("--preview", is_flag=True, help="put it beside the live site, at an address of its own")
def publish(folder: Path, route: str, dry_run: bool, preview: bool, as_json: bool) -> None:
    """Publish FOLDER as the site ROUTE: only what changed is uploaded, and all of it is switched at once."""
    from ocean.cli.publish import publish as run

    run(Client(), folder, route, dry_run=dry_run, preview=preview, as_json=as_json)


@click.command()
@click.argument("route")
@click.option(
    "--to", metavar="TIME|DEPLOY", help="2026-03-10T10:00:00Z (UTC unless it names a zone), or a deploy's id; else before the last deploy"
)
@as_json
def rollback(route: str, to: str | None, as_json: bool) -> None:
    """Take the site ROUTE back."""
    answer = Client().must("POST", f"/rollback/{route}", json={"to": to} if to else {})
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"{route} is back: {show.files(answer['changed'])} as before, {answer['removed']} gone.  {answer['url']}")


@click.command()
@as_json
def sites(as_json: bool) -> None:
    """The sites that this key published."""
    answer = Client().must("GET", "/sites")
    if as_json:
        click.echo(json.dumps(answer))
        return
    show.table(answer["results"])


@click.command()
@click.argument("route")
@as_json
def deploys(route: str, as_json: bool) -> None:
    """The deploys of the site ROUTE, and the previews beside it."""
    answer = Client().must("GET", f"/deploys/{route}")
    if as_json:
        click.echo(json.dumps(answer))
        return
    if not answer["deploys"] and not answer["previews"]:
        click.echo(f"{route} has no deploys: ocean publish FOLDER {route}")
    for one in answer["deploys"]:
        about = ", ".join(f"{one[name]} {name}" for name in ("files", "changed", "removed") if name in one)
        why = " a rollback" if one.get("rollback") else f" preview {one['promotes']}" if "promotes" in one else ""
        live = click.style("  live", fg="green", bold=True) if one["live"] else ""
        click.echo(f"{one['deploy']}  {one['at'][:19].replace('T', ' ')}  {about}{why}{live}")
    for one in answer["previews"]:
        click.echo(f"preview {one['preview']}  {one['at'][:19].replace('T', ' ')}  {one['url']}")


@click.command()
@click.argument("route")
@click.argument("preview")
@as_json
def promote(route: str, preview: str, as_json: bool) -> None:
    """Make PREVIEW the live site ROUTE, all of it at once."""
    answer = Client().must("POST", f"/promote/{route}", json={"preview": preview})
    if as_json:
        click.echo(json.dumps(answer))
        return
    click.echo(f"{answer['changed']} changed, {answer['removed']} removed.")
    click.echo(f"{click.style('Live', fg='green', bold=True)}  {answer['url']}")


COMMANDS = (exec_, put, shell, publish, deploys, promote, rollback, sites)
