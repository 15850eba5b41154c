"""`ocean ...`: the operator's and the client's commands."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import requests
from rich.console import Console
from rich.table import Table

from ocean import settings
from ocean.core import keys

_ADDRESSES = [
    click.option("--data", "OCEAN_DATA", metavar="DIR", help="the data folder"),
    click.option("--api", "OCEAN_API", metavar="HOST:PORT"),
    click.option("--view", "OCEAN_VIEW", metavar="HOST:PORT"),
    click.option("--mail", "OCEAN_MAIL", metavar="HOST:PORT"),
    click.option("--smtp", "OCEAN_SMTP", metavar="HOST:PORT"),
]


def _fail(message: str) -> None:
    click.echo(message, err=True)
    sys.exit(2)


def _settings(**given: str | None) -> dict[str, str]:
    try:
        return settings.load({name.upper(): value for name, value in given.items()})
    except settings.SettingError as fault:
        _fail(str(fault))
        raise AssertionError from fault


def _addresses(command: Any) -> Any:
    for option in reversed(_ADDRESSES):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Infinite Ocean: save a record and it is stored, versioned, live, and on the web."""


@main.command()
@_addresses
def up(**given: str | None) -> None:
    """Start the API server, the view host and the mail host."""
    from ocean.cli.supervisor import StartError, Supervisor

    try:
        sys.exit(Supervisor(_settings(**given)).run())
    except StartError as fault:
        _fail(str(fault))


def _serve(name: str, given: dict[str, str | None]) -> None:
    from ocean.cli.processes import serve

    serve(name, _settings(**given))


@main.command()
@_addresses
def api(**given: str | None) -> None:
    """Start the API server alone."""
    _serve("api", given)


@main.command()
@_addresses
def view(**given: str | None) -> None:
    """Start the view host alone."""
    _serve("view", given)


@main.command()
@_addresses
def mail(**given: str | None) -> None:
    """Start the mail host alone."""
    _serve("mail", given)


@main.command("settings")
@click.option("--json", "as_json", is_flag=True)
def settings_(as_json: bool) -> None:
    """List every setting, its value and what it means."""
    values = _settings()
    rows = [{"name": s.name, "value": values[s.name], "default": s.default, "about": s.about} for s in settings.SETTINGS]
    if as_json:
        click.echo(json.dumps(rows))
        return
    _table(rows)


@main.command("keys")
@click.option("--json", "as_json", is_flag=True)
def keys_(as_json: bool) -> None:
    """Make a key pair. It is shown once and kept nowhere."""
    pair = keys.generate()
    if as_json:
        click.echo(json.dumps({"public": pair.public, "secret": pair.secret}))
        return
    click.echo(f"public  {pair.public}\nsecret  {pair.secret}\n\nKeep the secret; then: export OCEAN_KEY={pair.secret}")


@main.command("exec")
@click.argument("statement")
@click.option("--json", "as_json", is_flag=True, help="the answer as it came")
def exec_(statement: str, as_json: bool) -> None:
    """Run a Drops statement: ocean exec 'find my/data where name = "Alice"'."""
    answer, ok = _ask(statement)
    if as_json or not ok:
        click.echo(json.dumps(answer, ensure_ascii=False, indent=None if as_json else 2), err=not ok and not as_json)
        sys.exit(0 if ok else 1)
    rows = next((answer[name] for name in ("results", "entities", "versions") if isinstance(answer.get(name), list)), None)
    if rows is None:
        rows = [answer]
    _table([{**{k: v for k, v in r.items() if k != "payload"}, **_payload(r)} for r in rows])


@main.command()
@click.option("--data", "OCEAN_DATA", metavar="DIR", help="the data folder")
def verify(**given: str | None) -> None:
    """Check the log's chain from its first drop to its head."""
    from ocean.store.verify import verify as check

    database = Path(_settings(**given)["OCEAN_DATA"]) / "ocean.db"
    if not database.exists():
        _fail(f"There is no store at {database}.")
    count, fault = check(database)
    if fault:
        click.echo(f"The chain does not hold: {fault}", err=True)
        sys.exit(1)
    click.echo(f"{count} drops, and the chain holds.")


def _payload(record: dict[str, Any]) -> dict[str, Any]:
    payload = record.get("payload")
    return payload if isinstance(payload, dict) else {"payload": payload} if "payload" in record else {}


def _ask(statement: str) -> tuple[dict[str, Any], bool]:
    url = os.environ.get("OCEAN_URL", "http://127.0.0.1:8000").rstrip("/")
    headers = {"content-type": "text/plain; charset=utf-8"}
    if os.environ.get("OCEAN_KEY"):
        headers["x-ocean-key"] = os.environ["OCEAN_KEY"]
    try:
        answer = requests.post(f"{url}/exec", data=statement.encode(), headers=headers, timeout=60)
        return answer.json(), answer.ok
    except requests.RequestException as fault:
        _fail(f"{url} does not answer ({type(fault).__name__}). Is it running? Start it with: make up")
        raise AssertionError from fault


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("nothing")
        return
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("drop_id", "source")))
    table = Table(*columns, header_style="bold cyan", border_style="dim")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    Console().print(table)


def _cell(value: Any) -> str:
    from rich.markup import escape

    if value is None:
        return ""
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
