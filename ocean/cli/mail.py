"""`ocean mail ...`: the operator's look at the outbox, at what DNS has to say of this server, and at who has which name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ocean.cli import show
from ocean.cli.operator import existing, with_engine, with_ocean
from ocean.cli.options import as_json, data, fail, names_a_key, store
from ocean.errors import OceanError


@click.command()
@as_json
@data
@store
def queue(as_json: bool, **given: str | None) -> None:
    """Show the outbox: what waits to be sent, was, or could not be, newest first."""
    from ocean.services.mail.outbox import waiting

    values = existing(given)
    found = with_engine(values, waiting)
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        show.table(found)
        if not values["OCEAN_MAIL_DOMAIN"] and not values["OCEAN_SMARTHOST"]:
            click.echo("Mail goes no further than this server: set OCEAN_MAIL_DOMAIN, or OCEAN_SMARTHOST.", err=True)
    else:
        click.echo("Nothing waits to be sent.")


@click.command()
@click.argument("id", required=False)
@data
@store
def retry(id: str | None, **given: str | None) -> None:
    """Try to send ID, or all that waits, now."""
    from ocean.services.mail.outbox import retry as hurry

    count = _said(lambda: with_engine(existing(given), lambda engine: hurry(engine, id)))
    click.echo(f"{count} {'is' if count == 1 else 'are'} tried now.")


@click.command()
@click.argument("id")
@data
@store
def drop(id: str, **given: str | None) -> None:
    """Take ID out of the outbox: it is not sent."""
    from ocean.services.mail.outbox import dropped

    _said(lambda: with_engine(existing(given), lambda engine: dropped(engine, id)))
    click.echo(f"{id} is not sent.")


@click.command()
@as_json
@data
@store
def outbox(as_json: bool, **given: str | None) -> None:
    """Show the letters of this server themselves, newest first: where no mail is sent, this is where links are read."""
    from ocean.services.mail.outbox import read
    from ocean.store.secrets import MasterKey

    values = existing(given)
    master = MasterKey(Path(values["OCEAN_DATA"]), values["OCEAN_MASTER_KEY"])
    found = with_engine(values, lambda engine: read(master, engine))
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        body = "\n".join(f"    {show.visible(line)}" for line in one["body"].splitlines())
        click.echo(f"{one['created_at']}  {one['state']}\nTo: {one['to']}\nSubject: {show.visible(one['subject'])}\n\n{body}\n{'-' * 40}")
    if not found:
        click.echo("There is no message.")


@click.command(context_settings=names_a_key)
@click.argument("username")
@click.argument("key")
@data
@store
def give(username: str, key: str, **given: str | None) -> None:
    """Give the mailbox USERNAME to a KEY for nothing, names that are kept back too: `postmaster` gets what is sent to the domain itself."""
    from ocean.services.access import people
    from ocean.services.mail import mailboxes

    async def work(ocean: Any) -> dict[str, Any]:
        return await mailboxes.give(ocean, await people.find(ocean, key), username)

    told = with_ocean(existing(given), work)
    click.echo(f"{told['address']} and every other address at {told['domain']} lead to {told['inbound']}.")


@click.command()
@click.option("--check", is_flag=True, help="look at what DNS has of each")
@click.option("--zone", is_flag=True, help="as lines of a zone file")
@as_json
@data
@store
def dns(check: bool, zone: bool, as_json: bool, **given: str | None) -> None:
    """Show the DNS records that this server's mail wants."""
    from ocean.services.mail import zones

    values = existing(given)
    if not values["OCEAN_MAIL_DOMAIN"]:
        fail("Set OCEAN_MAIL_DOMAIN first: the domain that mailboxes are names beneath.")
    if zone:
        click.echo(with_ocean(values, zones.zone))
        return
    found = with_ocean(values, lambda ocean: zones.records(ocean, look=check))
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        seen = ""
        if check:
            seen = click.style("seen", fg="green") if one["there"] else click.style(one.get("change", "not yet"), fg="yellow")
        click.echo(f"{one['type']:5}  {one['name']}  {one['value']}  {seen}".rstrip())
        click.echo(click.style(f"       {one['what']}", dim=True))


def _said(work: Any) -> Any:
    try:
        return work()
    except OceanError as fault:
        fail(fault.message, 1)


COMMANDS = (queue, retry, drop, outbox, give, dns)
