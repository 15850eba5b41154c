"""`ocean ...`: the commands that start processes; the client's and the operator's are beside."""

from __future__ import annotations

import sys

import click

from ocean.cli import client, domain, new, operator, transfer
from ocean.cli import mail as mail_
from ocean.cli.options import addresses, fail, load


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="infinite-ocean", prog_name="ocean")
def main() -> None:
    """Infinite Ocean: save a record and it is stored, versioned, live, and on the web."""


@main.command()
@addresses
def up(**given: str | None) -> None:
    """Start the API server, the view host and the mail host."""
    from ocean.cli.processes import StartError
    from ocean.cli.supervisor import Supervisor

    try:
        sys.exit(Supervisor(load(given)).run())
    except StartError as fault:
        fail(str(fault))


def _serve(name: str, given: dict[str, str | None]) -> None:
    from ocean.cli.processes import StartError, serve

    try:
        serve(name, load(given))
    except StartError as fault:
        fail(str(fault))


@main.command()
@addresses
def api(**given: str | None) -> None:
    """Start the API server alone."""
    _serve("api", given)


@main.command()
@addresses
def view(**given: str | None) -> None:
    """Start the view host alone."""
    _serve("view", given)


@main.group(invoke_without_command=True)
@addresses
@click.pass_context
def mail(context: click.Context, /, **given: str | None) -> None:
    """Start the mail host alone; or look after its mail."""
    if context.invoked_subcommand is None:
        _serve("mail", given)


@main.command("help")
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def help_(context: click.Context, names: tuple[str, ...]) -> None:
    """Show all commands, or one's options. The language's own: ocean exec help"""
    assert context.parent is not None
    around: click.Context = context.parent
    command: click.Command = main
    for name in names:
        found = command.get_command(around, name) if isinstance(command, click.Group) else None
        if found is None:
            fail(f"There is no command {' '.join(names)!r}: ocean help shows all. Of the language: ocean exec 'help {' '.join(names)}'")
        around, command = click.Context(found, info_name=name, parent=around), found
    click.echo(command.get_help(around))


for command in mail_.COMMANDS:
    mail.add_command(command)

for command in (*client.COMMANDS, *domain.COMMANDS, *new.COMMANDS, *transfer.COMMANDS, *operator.COMMANDS):
    main.add_command(command)
