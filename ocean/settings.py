"""Every setting once: its name, default, and what it means. From the environment, or `ocean.toml` in the data folder."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class SettingError(Exception):
    """A setting that can't be used; the sentence names it."""


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    about: str


SETTINGS = (
    Setting("OCEAN_DATA", "./ocean-data", "the data folder"),
    Setting("OCEAN_API", "127.0.0.1:8000", "where the API server listens"),
    Setting("OCEAN_VIEW", "127.0.0.1:8001", "where the view host listens"),
    Setting("OCEAN_MAIL", "127.0.0.1:8002", "where the mail host listens for HTTP"),
    Setting("OCEAN_SMTP", "127.0.0.1:8025", "where the mail host listens for SMTP"),
    Setting("OCEAN_VIEW_URL", "", "the view host's public address; its Host is the one served beside loopback"),
    Setting("OCEAN_TRUSTED_PROXIES", "", "addresses or networks whose X-Forwarded-For counts, comma-separated"),
    Setting("OCEAN_KEYS_PER_HOUR", "60", "key pairs made for one address in an hour"),
)
NAMES = {s.name: s for s in SETTINGS}


def load(overrides: dict[str, str | None]) -> dict[str, str]:
    """All settings: `overrides` (the command line), then the environment, then ocean.toml, then the default."""
    given = {k: v for k, v in overrides.items() if v is not None}
    data = given.get("OCEAN_DATA") or os.environ.get("OCEAN_DATA") or NAMES["OCEAN_DATA"].default
    values = {s.name: s.default for s in SETTINGS} | _file(Path(data) / "ocean.toml")
    values |= {name: os.environ[name] for name in NAMES if os.environ.get(name)}
    values |= given
    _check(values)
    return values


def _file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise SettingError(f"{path} can't be read: {fault}.") from None
    found = {f"OCEAN_{name.upper()}": str(value) for name, value in table.items()}
    for name in found:
        if name not in NAMES:
            raise SettingError(f"{path} has a setting that is not known: {name.removeprefix('OCEAN_').lower()}.")
    return found


def _check(values: dict[str, str]) -> None:
    for name in ("OCEAN_API", "OCEAN_VIEW", "OCEAN_MAIL", "OCEAN_SMTP"):
        address(values, name)
    if not values["OCEAN_KEYS_PER_HOUR"].isdigit():
        raise SettingError(f"OCEAN_KEYS_PER_HOUR is {values['OCEAN_KEYS_PER_HOUR']!r}, not a whole number.")
    if values["OCEAN_VIEW_URL"] and urlsplit(values["OCEAN_VIEW_URL"]).scheme not in ("http", "https"):
        raise SettingError(f"OCEAN_VIEW_URL is {values['OCEAN_VIEW_URL']!r}, not an http or https address.")
    networks(values)


def address(values: dict[str, str], name: str) -> tuple[str, int]:
    """`(host, port)` of a HOST:PORT setting."""
    host, _, port = values[name].rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError(f"{name} is {values[name]!r}, not HOST:PORT.")
    return host.strip("[]"), int(port)


def networks(values: dict[str, str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(n.strip()) for n in values["OCEAN_TRUSTED_PROXIES"].split(",") if n.strip()]
    except ValueError as fault:
        raise SettingError(f"OCEAN_TRUSTED_PROXIES: {fault}.") from None
