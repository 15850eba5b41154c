"""Writes the reference pages from the tables of commands, errors and settings; with --check, says whether they are true."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ocean.api.byhand import BY_HAND
from ocean.commands.command import PLACE, Arg
from ocean.commands.table import COMMANDS, STAGES
from ocean.core.access import MODES, PERMISSIONS
from ocean.errors import CODES
from ocean.settings import SETTINGS
from ops.reference.functions import functions
from ops.reference.grammar import published, textmate

HERE = Path(__file__).parent
_MADE = "<!-- Made from the tables by `make docs`; `make check` holds it to them. -->\n"


def commands() -> str:
    lines = [
        "# Commands",
        _MADE,
        "What conditions, joins, groups and the rest look like is in [language.md](language.md).",
        "",
        "Send your key as `X-Ocean-Key: osk_...`, or sign the request (RFC 9421).",
        "",
        'Statements go to `POST /exec`, as text or as `{"query": "..."}`; each has an HTTP twin where one is named.',
        "",
    ]
    for command in COMMANDS.values():
        lines += [f"## {command.name}", command.about, ""]
        if command.forms:
            lines += ["```", *command.forms, "```", f"For example: `{command.example}`", ""]
        for twin in command.twins:
            lines.append(
                f"`{twin.method} {PLACE.sub(lambda place: place[1].upper(), twin.path)}` (answers {twin.status}: {command.answer})"
            )
            lines.append("")
            if twin.whole_body:
                lines += [f"The body is the `{twin.whole_body}`.", ""]
            lines += _table(twin.args)
    lines += ["## then: the stages of a pipe", "", "```", *(f"then {form}" for form in STAGES.values()), "```", ""]
    lines += ["## By hand, since their bodies are bytes or streams", ""]
    for endpoint in BY_HAND:
        lines += [f"`{endpoint.method} {PLACE.sub(lambda place: place[1].upper(), endpoint.path)}` ({', '.join(endpoint.gives)})", ""]
        lines += [endpoint.about, ""]
        lines += _table(endpoint.args)
    lines += [f"- {line}" for line in STREAMS]
    lines += ["", f"Modes of a folder: {', '.join(MODES)}. Permissions of a grant: {', '.join(PERMISSIONS)}.", ""]
    return "\n".join(lines)


def _table(args: Sequence[Arg]) -> list[str]:
    shown = [f"| `{a.called or a.name}` | {a.where} | {a.kind} | {'yes' if a.required else ''} |" for a in args if a.where != "path"]
    return ["| name | in | kind | wanted |", "|---|---|---|---|", *shown, ""] if shown else []


STREAMS = (
    "A stream sends each record with its `id`; beside them `caught-up`, `gap` (what was written between two places is gone), `lagged` (too "
    "slow: resume), `closed` (access was taken away). `last` or `from` says where it begins, a `Last-Event-ID` header where it goes on; "
    "`key` stands in the address where no header can be set.",
    "An export's `format` is ndjson, json, csv, sql or mongo; `dialect` postgres or mysql; `latest=true` gives each record's newest "
    "version alone; `filter` is as in /query; `raw=true` leaves the cells of a CSV as they are.",
    "`GET /health` and `GET /metrics` are on each of the three processes. `/docs` shows all of this to try out, `/ocean.js` is a client.",
)


def errors() -> str:
    lines = ["# Errors", _MADE, 'Every error is `{"error": {"code", "message", "hint"?}}`; the message names the thing at fault.', ""]
    lines += ["| code | status | |", "|---|---|---|"]
    lines += [f"| `{code}` | {status} | {about} |" for code, (status, about) in CODES.items()]
    return "\n".join([*lines, ""])


def settings() -> str:
    lines = [
        "# Settings",
        _MADE,
        "From the command line, the environment, or `ocean.toml` in the data folder (`OCEAN_API` is `api` there), in this order.",
        "",
    ]
    lines += ["| name | default | |", "|---|---|---|"]
    lines += [f"| `{s.name}` | {f'`{s.default}`' if s.default else ''} | {s.about} |" for s in SETTINGS]
    return "\n".join([*lines, ""])


GRAMMAR = HERE.parent.parent / "grammar"
PAGES = {
    HERE / "commands.md": commands, HERE / "errors.md": errors, HERE / "settings.md": settings,
    HERE / "functions.md": lambda: functions(_MADE),
    GRAMMAR / "drops.lark": published, GRAMMAR / "drops.tmLanguage.json": textmate,
}  # fmt: skip


def main() -> None:
    stale = [path for path, page in PAGES.items() if not path.exists() or path.read_text() != page()]
    if "--check" in sys.argv:
        if stale:
            raise SystemExit(f"Not true any more: {', '.join(path.name for path in stale)}. Run: make docs")
        return
    for path in stale:
        path.write_text(PAGES[path]())


if __name__ == "__main__":
    main()
