"""Writes the reference pages from the tables of commands, errors and settings; with --check, says whether they are true."""

from __future__ import annotations

import sys
from pathlib import Path

from ocean.commands.table import COMMANDS, STAGES
from ocean.core.access import MODES, PERMISSIONS
from ocean.errors import CODES
from ocean.settings import SETTINGS
from ops.reference.grammar import published, textmate

HERE = Path(__file__).parent
_MADE = "<!-- Made from the tables by `make docs`; `make check` holds it to them. -->\n"


def commands() -> str:
    lines = [
        "# Commands",
        _MADE,
        'Statements go to `POST /exec`, as text or as `{"query": "..."}`; each has an HTTP twin where one is named.',
        "",
    ]
    for command in COMMANDS.values():
        lines += [f"## {command.name}", command.about, ""]
        if command.forms:
            lines += ["```", *command.forms, "```", f"For example: `{command.example}`", ""]
        for twin in command.twins:
            lines.append(
                f"`{twin.method} {twin.path.replace('<route:path>', 'ROUTE').replace('<drop_id:str>', 'DROP_ID')}` (answers {twin.status})"
            )
            lines.append("")
            if twin.whole_body:
                lines += [f"The body is the `{twin.whole_body}`, an object.", ""]
            args = [a for a in twin.args if a.where != "path"]
            if args:
                lines += ["| name | in | kind | wanted |", "|---|---|---|---|"]
                lines += [f"| `{a.called or a.name}` | {a.where} | {a.kind} | {'yes' if a.required else ''} |" for a in args]
                lines.append("")
    lines += ["## then: the stages of a pipe", "", "```", *(f"then {form}" for form in STAGES.values()), "```", ""]
    lines += ["## By hand, since their bodies are bytes or streams", ""]
    lines += [f"- {line}" for line in BY_HAND]
    lines += ["", f"Modes of a folder: {', '.join(MODES)}. Permissions of a grant: {', '.join(PERMISSIONS)}.", ""]
    return "\n".join(lines)


BY_HAND = (
    "`POST /exec`: a statement, or several, one a line or with `;` between.",
    "`GET /stream/ROUTE` or `/stream/ROUTE/*` with `last`, `from` or a `Last-Event-ID` header: server-sent events; "
    "`key` where no header can be set.",
    "Beside a stream's data: `caught-up`, `gap` (what was written between two places is gone), `lagged` (too slow: resume), "
    "`closed` (access was taken away).",
    "`GET /export/ROUTE`: a folder and all beneath as a stream. `format` is ndjson, json, csv, sql or mongo; `dialect` postgres or mysql; "
    "`latest=true` gives each record's newest version alone; `filter` as in /query; `from`, `to`, `select=a,b`; `raw=true` leaves the "
    "cells of a CSV as they are.",
    "`POST /blob`: a file of up to 100 MB as the body, its folder in `X-Blob-Route`. `GET`, `HEAD /blob/ID`: whole, or one range.",
    "`PUT /publish/ROUTE?sha256=HEX`: the bytes of one file of a site, kept until `POST /publish/ROUTE` switches it.",
    "`GET /health` and `GET /metrics` (Prometheus) on each of the three processes.",
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
