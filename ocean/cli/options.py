"""Options that several commands share, and how a command fails."""

from __future__ import annotations

import difflib
import sys
from typing import Any, NoReturn

import click

from ocean import settings

data = click.option("--data", "OCEAN_DATA", metavar="DIR", help="the data folder")
store = click.option("--store", "OCEAN_STORE", metavar="URL", help="postgres://... instead of SQLite in the data folder")
as_json = click.option("--json", "as_json", is_flag=True, help="as JSON, for scripts")
names_a_key = {"ignore_unknown_options": True}  # for a command that is given a public key: one in 64 begins with a '-'
_ADDRESSES = [
    data,
    store,
    click.option("--api", "OCEAN_API", metavar="HOST:PORT", help="where the API server listens"),
    click.option("--view", "OCEAN_VIEW", metavar="HOST:PORT", help="where the view host listens"),
    click.option("--tls", "OCEAN_TLS", metavar="HOST:PORT", help="where the view host listens for HTTPS; off where a proxy ends TLS"),
    click.option("--mail", "OCEAN_MAIL", metavar="HOST:PORT", help="where the mail host listens for HTTP"),
    click.option("--smtp", "OCEAN_SMTP", metavar="HOST:PORT", help="where the mail host listens for SMTP"),
]


def addresses(command: Any) -> Any:
    for option in reversed(_ADDRESSES):
        command = option(command)
    return command


def fail(message: str, status: int = 2) -> NoReturn:
    """One sentence on the standard error, and the end."""
    click.echo(message, err=True)
    sys.exit(status)


def load(given: dict[str, str | None]) -> dict[str, str]:
    """All settings, with what the command line gave."""
    for name in settings.unknown():
        near = difflib.get_close_matches(name, list(settings.NAMES), n=1)
        click.echo(f"There is no setting {name}." + (f" Did you mean {near[0]}?" if near else " `ocean settings` lists them."), err=True)
    try:
        return settings.load({name.upper(): value for name, value in given.items()})
    except settings.SettingError as fault:
        fail(str(fault))
