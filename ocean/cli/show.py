"""Answers as people read them: tables, colour, one line for an error."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

# What a terminal would obey, or turn around: shown as what it is. Whoever saved a record may have written it for the one who reads it.
_UNSEEN = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for code in (*range(9), *range(11, 32), *range(127, 160), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_HIDDEN = ("drop_id", "source")  # shown by --json
_OF_MAIL = ("headers", "envelope", "html", "references", "message_id", "thread", "size", "received_at", "reply_to")  # of a message, too
UNIVERSAL = ("_texts", "_dates", "_identifiers", "_locations", "_amounts", "_blobs")


def visible(text: str) -> str:
    """A text of others' as a terminal may have it."""
    return text.replace("\r\n", "\n").translate(_UNSEEN)


def answer(body: dict[str, Any]) -> None:
    """An answer; of several statements, one after another."""
    if set(body) <= {"results", "keypair"} and isinstance(body.get("results"), list):
        for each in body["results"]:
            answer(each)
        _pair(body)
        return
    if isinstance(body.get("affected"), int):
        _affected(body)
        return
    if isinstance(body.get("columns"), list) and isinstance(body.get("rows"), list):
        grid(body["columns"], body["rows"])
        _more(body)
        return
    if isinstance(body.get("text"), str) and set(body) <= {"text", "to", "format"}:
        click.echo(visible(body["text"].rstrip("\r\n")))
        return
    if isinstance(body.get("plan"), list):
        click.echo(visible("\n".join([body["sql"], "", *map(str, body["plan"]), "", f"index: {body.get('index') or 'none'}"])))
        return
    if isinstance(body.get("commands"), list):
        _commands(body["commands"])
        return
    if set(body) >= {"result", "ms"}:
        _ran(body)
        return
    rows = _rows(body)
    table([flat(row) for row in rows])
    _beside(body, rows)
    _more(body)
    _pair(body)


def _ran(body: dict[str, Any]) -> None:
    """What a function gave, as it can be copied; what it printed, and what it took, beside it."""
    if body.get("printed"):
        click.echo(click.style(visible(str(body["printed"]).rstrip("\n")), dim=True), err=True)
    result = body["result"]
    click.echo(visible(result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, indent=2)))
    cost = f", {body['paid']} io" if "paid" in body else ""
    click.echo(click.style(f"{body['ms']} ms{cost}", dim=True), err=True)


def _more(body: dict[str, Any]) -> None:
    """Says where an answer is not all that there is."""
    if body.get("next_cursor") or body.get("truncated"):
        click.echo(click.style("There is more: ask with limit, skip, after, or group it; export writes all.", dim=True), err=True)


def _rows(body: dict[str, Any]) -> list[Any]:
    """What an answer lists, if it lists one thing; or the answer as the one row."""
    lists = [value for value in body.values() if isinstance(value, list) and all(isinstance(item, dict) for item in value)]
    for name in ("results", "entities", "versions"):
        if isinstance(body.get(name), list):
            return list(body[name])
    alone = len(lists) == 1 and (lists[0] or len(set(body) - _ABOUT) == 1)  # a list that is empty, and nothing else to tell
    return lists[0] if alone else [body]


_ABOUT = {"count", "time_ms", "searched", "mode", "next_cursor", "truncated", "keypair", "facets_of"}  # of the answer, not of what is asked


def _beside(body: dict[str, Any], rows: list[Any]) -> None:
    """What an answer tells beside its list: totals, and how many of what was found have each value of a field."""
    if rows and rows[0] is body:
        return
    facets = body.get("facets")
    told: dict[str, Any] = {}
    for name, values in facets.items() if isinstance(facets, dict) else ():
        each = ((one.get("value"), one.get("count")) for one in values if isinstance(one, dict))
        told[name] = ", ".join(f"{'nothing' if found is None else _plain(found)} {count}" for found, count in each)
    told |= {name: value for name, value in body.items() if name not in _ABOUT and name != "facets" and value != rows}
    lines(list(told), list(told.values()), first=True)


def _affected(body: dict[str, Any]) -> None:
    """What a pipe did: records that it changed, or what it queued."""
    queued = body.get("queued")
    what = f"{body['affected']} {queued or 'record'}{'' if body['affected'] == 1 else 's'}"
    if body.get("dry"):
        click.echo(f"{what} would be queued; nothing was." if queued else f"{what} would change; nothing was changed.")
        if "most" in body:
            click.echo(f"That is more than the {body['most']} that one statement changes: narrow it with where, or do it in parts.")
        return
    if queued and body.get("results"):
        table(body["results"])
    click.echo(f"{what} {'queued' if queued else 'changed'}.")


def _pair(body: dict[str, Any]) -> None:
    if isinstance(body.get("keypair"), dict):
        click.echo(f"A key was made, and is shown this once: export OCEAN_KEY={body['keypair']['private']}", err=True)


def failed(body: dict[str, Any]) -> None:
    """An error; where several statements ran, what those before it gave, and which one failed."""
    fault = body.get("error", {})
    if isinstance(fault, dict) and isinstance(fault.get("statement"), int):
        for each in fault.get("results", ()):
            answer(each)
        click.echo(f"Statement {fault['statement'] + 1} failed; those before it stand, those behind it did not run.", err=True)
    click.echo(error(body), err=True)


def _commands(commands: list[dict[str, Any]]) -> None:
    """The language's commands, or one with all its forms."""
    one, *others = commands
    if not others or all(other["name"].startswith(f"{one['name']} ") for other in others):  # it, and those that begin as it does
        click.echo("\n".join([one["about"], "", *(f"  {form}" for form in one["forms"]), "", f"For example:  {one['example']}"]))
        if others:
            click.echo(f"\nBeside it: {', '.join(other['name'] for other in others)} (help {others[0]['name']}).")
        return
    table([{"command": c["name"], "what it does": c["about"], "for example": c["example"]} for c in commands])
    click.echo("help NAME shows a command's forms.")


def files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"


def flat(record: Any) -> dict[str, Any]:
    """A record as one row: its own fields, then its payload's."""
    if not isinstance(record, dict):
        return {"value": record}
    payload = record.get("payload")
    rest = {k: v for k, v in record.items() if k not in ("payload", "keypair")}
    if not isinstance(payload, dict):
        return rest | ({"payload": payload} if "payload" in record else {})
    return rest | {f"payload.{name}" if name in rest else name: value for name, value in payload.items()}


def error(body: dict[str, Any]) -> str:
    """An error's code, sentence and way out."""
    fault = body.get("error", {})
    fault = fault if isinstance(fault, dict) else {"message": fault}
    told = "In a terminal: export OCEAN_KEY=... (ocean keys makes one)." if fault.get("code") == "KEY_REQUIRED" else fault.get("hint")
    hint = f"\n  {told}" if told else ""
    place = f" (line {fault['line']}, column {fault['column']})" if "line" in fault and "line " not in str(fault.get("message")) else ""
    trace = "".join(f"\n  {line}" for line in fault.get("trace") or ())
    printed = "".join(f"\n  | {line}" for line in str(fault.get("printed") or "").splitlines())
    said = visible(f"{fault.get('message', body)}{place}{trace}{printed}{hint}")
    return f"{click.style(visible(str(fault.get('code', 'ERROR'))), fg='red', bold=True)}  {said}"


def table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("no results")
        return
    hidden = _HIDDEN + (_OF_MAIL if any("message_id" in row and "thread" in row for row in rows) else ())
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in hidden and name not in UNIVERSAL))
    cells = [[row.get(name) for name in columns] for row in rows]
    if _fits(columns, cells):
        grid(columns, cells)
    else:
        for place, row in enumerate(cells):
            lines(columns, row, first=place == 0)


def _fits(columns: list[str], rows: list[list[Any]]) -> bool:
    """Whether they can be read side by side: one row whole, of many each cell in some lines."""
    longest = [max(len(name), *(max(map(len, cell(row[place]).split("\n"))) for row in rows)) for place, name in enumerate(columns)]
    width = Console().width
    return (
        sum(longest) + 3 * len(columns) < width if len(rows) == 1 else sum(min(one, 30) for one in longest) + 3 * len(columns) < width * 1.5
    )


def lines(columns: list[str], row: list[Any], *, first: bool) -> None:
    """A row as lines, each value whole: what is to be copied can be."""
    if not first:
        click.echo()
    for name, value in zip(columns, row, strict=True):
        if value is not None:
            text = visible(_plain(value))
            said = text if "\n" not in text.strip() else "\n" + "\n".join(f"    {line}" for line in text.rstrip().split("\n"))
            click.echo(f"{click.style(visible(name), fg='cyan')}: {said}")


def grid(columns: list[str], rows: list[list[Any]]) -> None:
    """Rows under their columns, of which several may have one name."""
    if not rows:
        click.echo("no results")
        return
    shown = Table(*(Column(escape(visible(name)), overflow="fold") for name in columns), header_style="bold cyan", border_style="dim")
    for row in rows:
        shown.add_row(*map(cell, row))
    Console().print(shown)


def cell(value: Any) -> str:
    return visible(_cell(value))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return escape("\n".join(value))
    if isinstance(value, dict) and value and all(isinstance(item, list) for item in value.values()):  # grants: who may what
        return escape("\n".join(f"{name}: {', '.join(map(str, item))}" for name, item in value.items()))
    return escape(_plain(value))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
