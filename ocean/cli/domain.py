"""`ocean domain`: claim a domain for a site, see what to set in DNS, and wait until it is there."""

from __future__ import annotations

import json
import time
from typing import Any

import click
from rich.console import Console

from ocean.cli import show
from ocean.cli.client import Client
from ocean.cli.options import as_json

EVERY = 3.0  # seconds between looks
MOST = 600.0  # seconds that are waited; the server goes on by itself


@click.group()
def domain() -> None:
    """Serve a site under a domain of yours, by HTTPS."""


@domain.command()
@click.argument("name")
@click.argument("route")
@click.option("--no-wait", is_flag=True, help="don't wait until it is served")
@as_json
def add(name: str, route: str, no_wait: bool, as_json: bool) -> None:
    """Serve the folder ROUTE under the domain NAME; shows the DNS records to set, and waits until they are seen."""
    client = Client()
    told = client.must("POST", "/domains", json={"domain": name, "route": route})
    if as_json:
        click.echo(json.dumps(told))
        return
    if told["state"] != "live":
        click.echo("Set these where the domain's DNS is kept:\n")
        _records(told)
    if not no_wait:
        told = _wait(client, told)
    _state(told)


@domain.command("list")
@as_json
def list_(as_json: bool) -> None:
    """Your domains, and what each waits for."""
    told = Client().must("GET", "/domains")
    if as_json:
        click.echo(json.dumps(told))
        return
    if not told["domains"]:
        click.echo("No domains yet: ocean domain add NAME ROUTE")
    for one in told["domains"]:
        _state(one)
        if one["state"] != "live":
            _records(one)


@domain.command()
@click.argument("name")
@as_json
def remove(name: str, as_json: bool) -> None:
    """Give the domain NAME up: it is served no more."""
    told = Client().must("DELETE", f"/domains/{name}")
    click.echo(json.dumps(told) if as_json else f"{told['domain']} is served no more.")


def _wait(client: Client, told: dict[str, Any]) -> dict[str, Any]:
    """Until it is served and certified, or the time is over. Ctrl-C ends the waiting, and nothing else."""
    end = time.monotonic() + MOST
    try:
        with Console(stderr=True).status("") as status:
            while not _there(told) and time.monotonic() < end:
                status.update(_waits_for(told) + "  (Ctrl-C: it goes on without you)")
                time.sleep(EVERY)
                told = client.must("POST", f"/domains/{told['domain']}/check")
    except KeyboardInterrupt:
        click.echo(err=True)
    return told


def _there(told: dict[str, Any]) -> bool:
    return told["state"] == "live" and told["certificate"]["state"] in ("valid", "off")


def _waits_for(told: dict[str, Any]) -> str:
    if told["state"] != "live":
        return show.visible(told.get("error", "Waiting for DNS."))
    return show.visible(told["certificate"].get("error", "DNS is right; a certificate is on its way."))


def _records(told: dict[str, Any]) -> None:
    """Each on a line of its own, whole: they are copied."""
    _lines(told["dns"])
    if told.get("or_dns"):
        click.echo("\nor, for a name that can have no CNAME, such as example.com:\n")
        _lines(told["or_dns"])
    click.echo()


def _lines(records: list[dict[str, Any]]) -> None:
    for one in records:
        seen = click.style("seen", fg="green") if one["there"] else click.style("not yet", dim=True)
        click.echo(f"  {one['type']:5}  {one['name']}  {one['value']}  {seen}")


def _state(told: dict[str, Any]) -> None:
    if _there(told):
        until = f", certified until {told['certificate']['until'][:10]}" if "until" in told["certificate"] else ""
        click.echo(f"{click.style('Live', fg='green', bold=True)}  {told['url']}  {told['route']}{until}")
        return
    click.echo(f"{click.style('Waiting', fg='yellow', bold=True)}  {told['domain']}  {told['route']}\n  {_waits_for(told)}")


COMMANDS = (domain,)
