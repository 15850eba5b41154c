"""All commands. The parser's forms, /exec, the HTTP twins and the reference follow from this table."""

from __future__ import annotations

from typing import Any

from grammar import Language
from ocean.commands import access, automate, calendar, data, domains, live, mail, money, pages, planned, query
from ocean.commands.command import Command
from ocean.context import Caller, Ocean
from ocean.errors import OceanError


async def help_(ocean: Ocean, caller: Caller, *, word: str | None = None, more: str | None = None) -> dict[str, Any]:
    """The commands that run, or those that begin with a word or two, with their forms."""
    word = f"{word} {more}" if more is not None else word
    shown = [
        c for c in COMMANDS.values() if c.forms and c.name not in planned.NAMES and (word is None or f"{c.name} ".startswith(f"{word} "))
    ]
    if not shown:
        raise OceanError("NOT_FOUND", f"There is no command {word!r}.", "help lists them all.")
    return {"commands": [{"name": c.name, "forms": list(c.forms), "about": c.about, "example": c.example} for c in shown]}


_ALL = (
    *data.COMMANDS, *query.COMMANDS, *access.COMMANDS, *live.COMMANDS, *pages.COMMANDS, *domains.COMMANDS, *money.COMMANDS, *mail.COMMANDS,
    *calendar.COMMANDS, *automate.COMMANDS,
    Command("help", ("help", "help WORD:word [MORE:word]"), "The commands.", "help find", help_, answer="commands: help[]"),
    *planned.COMMANDS,
)  # fmt: skip

COMMANDS: dict[str, Command] = {command.name: command for command in _ALL}

STAGES = {
    "count": "count", "first": "first [N:count]", "last": "last [N:count]", "limit": "limit N:integer", "skip": "skip N:integer",
    "sort": "sort SORT:sorts", "pick": "pick PICK:picks", "where": "where WHERE:condition", "group": "group GROUP:grouping",
    "save": "save ROUTE [@KEY] [dry DRY:flag]", "update": "update CHANGES [dry DRY:flag]", "remove": "remove [dry DRY:flag]",
    "send email": "send email to TO:recipient subject SUBJECT:text body BODY:text [dry DRY:flag]",
    "run": "run ROUTE", "call": "call URL:text [dry DRY:flag]",
}  # fmt: skip

# What people of other languages try first.
KNOWN_AS = {
    "delete": "remove", "del": "remove", "rm": "remove", "drop": "remove", "insert": "save", "put": "save", "set": "save", "create": "save",
    "upsert": "save", "select": "find", "query": "find", "count": "find ... then count", "read": "get", "show": "get", "history": "get",
    "ls": "list", "patch": "update", "increment": "add", "incr": "add", "decrement": "subtract",
}  # fmt: skip

CLAUSES_KNOWN_AS = {
    "order": ("sort", "sort name, or sort name desc"), "orderby": ("sort", "sort name, or sort name desc"),
    "offset": ("skip", "skip and a number"), "select": ("pick", "pick name, age"), "fields": ("pick", "pick name, age"),
}  # fmt: skip

LANGUAGE = Language({c.name: c.forms for c in _ALL if c.forms}, STAGES, bare="get", known_as=KNOWN_AS, clauses_known_as=CLAUSES_KNOWN_AS)
