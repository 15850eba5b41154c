"""Answers as people read them: tables, colour, one line for an error."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_HIDDEN = ("drop_id", "source")  # shown by --json


def answer(body: dict[str, Any]) -> None:
    """A statement's answer."""
    if isinstance(body.get("results"), list) and body["results"] and all(_is_answer(r) for r in body["results"]):
        for each in body["results"]:  # of several statements
            answer(each)
        return
    rows = next((body[name] for name in ("results", "entities", "versions", "commands") if isinstance(body.get(name), list)), [body])
    table([flat(row) for row in rows])
    if isinstance(body.get("keypair"), dict):
        click.echo(f"A key was made, and is shown this once: export OCEAN_KEY={body['keypair']['private']}", err=True)


def _is_answer(row: Any) -> bool:
    return isinstance(row, dict) and any(isinstance(row.get(name), list) for name in ("results", "entities", "versions", "commands"))


def flat(record: Any) -> dict[str, Any]:
    """A record as one row: its own fields, then its payload's."""
    if not isinstance(record, dict):
        return {"value": record}
    payload = record.get("payload")
    rest = {k: v for k, v in record.items() if k not in ("payload", "keypair")}
    return {**rest, **(payload if isinstance(payload, dict) else {"payload": payload} if "payload" in record else {})}


def error(body: dict[str, Any]) -> str:
    """An error's code, sentence and way out."""
    fault = body.get("error", {})
    hint = f"\n  {fault['hint']}" if fault.get("hint") else ""
    return f"{click.style(fault.get('code', 'ERROR'), fg='red', bold=True)}  {fault.get('message', body)}{hint}"


def table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("nothing")
        return
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in _HIDDEN))
    shown = Table(*columns, header_style="bold cyan", border_style="dim")
    for row in rows:
        shown.add_row(*(cell(row.get(name)) for name in columns))
    Console().print(shown)


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return escape("\n".join(value))
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
