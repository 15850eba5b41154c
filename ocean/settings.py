"""Every setting once: its name, default, what it means. From the command line, the environment, or `ocean.toml` in the data folder."""

from __future__ import annotations

import ipaddress
import os
import ssl
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ocean.core import domains, keys
from ocean.core.addresses import Origin
from ocean.errors import OceanError


class SettingError(Exception):
    """A setting that can't be used; the sentence names it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`kind` says how it is checked: text, address (HOST:PORT), listener (the same, or off), server (the same, or empty), file, binding,
    number, url, store, bus, blobs, networks, contact, master, percent, issuers, key, domain, smarthost or flag."""

    name: str
    default: str
    about: str
    kind: str = "text"
    secret: bool = False


SETTINGS = (
    Setting("OCEAN_DATA", "./ocean-data", "the data folder"),
    Setting("OCEAN_STORE", "", "the store: empty for SQLite in the data folder, or postgres://USER:PASSWORD@HOST/DATABASE", "store", True),
    Setting("OCEAN_BLOBS", "", "where files' bytes are kept: empty for the data folder, or s3://BUCKET/PREFIX", "blobs"),
    Setting(
        "OCEAN_BUS",
        "",
        "how broadcasts reach other machines: empty for this machine alone, or nats://USER:PASSWORD@HOST:PORT/SUBJECT",
        "bus",
        True,
    ),
    Setting("OCEAN_API", "127.0.0.1:8000", "where the API server listens", "address"),
    Setting("OCEAN_VIEW", "127.0.0.1:8001", "where the view host listens", "address"),
    Setting("OCEAN_MAIL", "127.0.0.1:8002", "where the mail host listens for HTTP", "address"),
    Setting("OCEAN_SMTP", "127.0.0.1:8025", "where the mail host listens for SMTP", "address"),
    Setting("OCEAN_API_URL", "", "the API's public address, where it differs from where it listens", "url"),
    Setting("OCEAN_VIEW_URL", "", "the view host's public address; its Host is the one served beside loopback", "url"),
    Setting(
        "OCEAN_ORIGINS", "false", "whether DNS has a wildcard for FOLDER.HOST of OCEAN_VIEW_URL: each top folder has an origin then", "flag"
    ),
    Setting(
        "OCEAN_TLS",
        "off",
        "where the view host listens for HTTPS, HOST:PORT; off where a proxy ends TLS. Domains get their certificates by themselves",
        "listener",
    ),
    Setting(
        "OCEAN_TLS_CERTIFICATE",
        "",
        "a PEM file with a certificate's chain and its key, for OCEAN_VIEW_URL's host and *.HOST; empty: one by ACME, for the host alone",
        "file",
    ),
    Setting(
        "OCEAN_HSTS", "0", "seconds that browsers are to ask by HTTPS alone (Strict-Transport-Security); 0: they are not told", "number"
    ),
    Setting("OCEAN_DNS", "", "the name server that is asked about domains, ADDRESS:PORT; empty for the machine's own", "server"),
    Setting(
        "OCEAN_ACME_DIRECTORY",
        "https://acme-v02.api.letsencrypt.org/directory",
        "the certificate authority; its terms are agreed to with OCEAN_TLS",
        "url",
    ),
    Setting("OCEAN_ACME_CA", "", "a PEM file with the authorities that the certificate authority's own certificate is checked by", "file"),
    Setting("OCEAN_ACME_CONTACT", "", "whom the certificate authority may write to, mailto:you@example.com", "contact"),
    Setting("OCEAN_ACME_EAB", "", "KEYID:KEY of an account that the certificate authority knows already (EAB)", "binding", True),
    Setting(
        "OCEAN_MASTER_KEY",
        "",
        "wraps secrets: 32 bytes in base64; empty for master.key in the data folder",
        "master",
        True,
    ),
    Setting(
        "OCEAN_EGRESS_ALLOW",
        "",
        "networks that hooks, and the certificate authority, may be in though they are not public, comma-separated",
        "networks",
    ),
    Setting(
        "OCEAN_AUTH_HOSTS",
        "",
        "hosts of callbacks that get a person's own key when they sign in there, comma-separated; every other gets a key for itself alone",
    ),
    Setting(
        "OCEAN_OIDC",
        "",
        "issuers whose ID tokens sign in: ISSUER|CLIENT_ID or ISSUER|CLIENT_ID|JWKS_URL, comma-separated",
        "issuers",
    ),
    Setting("OCEAN_IO_FEE", "1", "what the house takes of io that is sent or paid, in percent", "percent"),
    Setting("OCEAN_VALUE_FEE", "1", "what a sender of a value pays on top, in thousandths", "number"),
    Setting("OCEAN_FEES_TO", "", "the public key that fees go to; empty: an account of the ledger's own", "key"),
    Setting("OCEAN_IO_PRICE", "1", "what one io costs, in the smallest unit of OCEAN_IO_CURRENCY", "number"),
    Setting("OCEAN_IO_CURRENCY", "usd", "the money that io is bought with"),
    Setting("OCEAN_STRIPE_KEY", "", "the secret key of the Stripe account that top-ups are paid to", "text", True),
    Setting("OCEAN_STRIPE_WEBHOOK_SECRET", "", "what Stripe signs its events to /stripe/webhook with", "text", True),
    Setting("OCEAN_STRIPE_API", "https://api.stripe.com", "where Stripe is asked", "url"),
    Setting(
        "OCEAN_PUSH_CONTACT",
        "",
        "whom a push service may write to, mailto:you@example.com or https://...; without it nothing is pushed",
        "contact",
    ),
    Setting(
        "OCEAN_MAIL_DOMAIN",
        "",
        "the domain that mailboxes are names beneath, NAME.DOMAIN; empty: mail goes no further than this server, and NAME.localhost",
        "domain",
    ),
    Setting("OCEAN_MAIL_HOST", "", "the mail host's name in DNS, which MX records lead to; empty for OCEAN_MAIL_DOMAIN", "domain"),
    Setting("OCEAN_MAIL_CLAIM_COST", "100", "what a mailbox costs, in io", "number"),
    Setting("OCEAN_MAIL_DOMAIN_COST", "500", "what a domain of one's own for mail costs, in io", "number"),
    Setting(
        "OCEAN_SMARTHOST",
        "",
        "who carries mail on, HOST:PORT or USER:PASSWORD@HOST:PORT; empty: it goes to its hosts by itself",
        "smarthost",
        True,
    ),
    Setting("OCEAN_SUBMISSION", "off", "where mail programs hand in mail with a key, by STARTTLS, HOST:PORT (587)", "listener"),
    Setting("OCEAN_SUBMISSIONS", "off", "the same, by TLS from the first byte, HOST:PORT (465)", "listener"),
    Setting(
        "OCEAN_SMTP_CERTIFICATE",
        "",
        "a PEM file with a certificate's chain and its key, for the mail host's name; empty: one that it makes for itself",
        "file",
    ),
    Setting("OCEAN_SMTP_GREYLIST", "0", "seconds that a host that was never here waits until its mail is taken; 0: none waits", "number"),
    Setting("OCEAN_SMTP_BLOCKLISTS", "", "DNS zones that list hosts no mail is taken from, such as zen.spamhaus.org, comma-separated"),
    Setting("OCEAN_SPAM_FILTER", "", "the address of an rspamd that scores what comes in, http://HOST:11333", "url"),
    Setting("OCEAN_FUNCTIONS", "true", "whether people's functions are run; it wants bubblewrap", "flag"),
    Setting("OCEAN_FUNCTION_MEMORY", "256", "megabytes of memory that one function's process may have", "number"),
    Setting("OCEAN_JOB_SECONDS", "900", "seconds that a function may take that nobody waits for (async)", "number"),
    Setting("OCEAN_TRUSTED_PROXIES", "", "addresses or networks whose X-Forwarded-For counts, comma-separated", "networks"),
    Setting("OCEAN_KEYS_PER_HOUR", "60", "key pairs made for one address in an hour", "number"),
    Setting(
        "OCEAN_CONNECTIONS_PER_ADDRESS",
        "1000",
        "connections that one address, no trusted proxy, may hold open",
        "number",
    ),
    Setting("OCEAN_STREAMS_PER_CALLER", "100", "streams that one key, and that one address, may hold open", "number"),
    Setting("OCEAN_LOG_REQUESTS", "false", "whether each request is logged: method, path, status, time, request id", "flag"),
)
NAMES = {s.name: s for s in SETTINGS}


def load(overrides: Mapping[str, str | None]) -> dict[str, str]:
    """All settings: `overrides` (the command line), then the environment, then ocean.toml, then the default. Raises SettingError."""
    given = {k: v for k, v in overrides.items() if v is not None}
    data = given.get("OCEAN_DATA") or os.environ.get("OCEAN_DATA") or NAMES["OCEAN_DATA"].default
    values = {s.name: s.default for s in SETTINGS} | _file(Path(data) / "ocean.toml")
    values |= {name: os.environ[name] for name in NAMES if os.environ.get(name)}
    values |= given
    for setting in SETTINGS:
        if setting.kind in _CHECKS:
            _CHECKS[setting.kind](values, setting.name)
    if listener(values) is not None and urlsplit(values["OCEAN_VIEW_URL"]).scheme != "https":
        raise SettingError("OCEAN_TLS wants OCEAN_VIEW_URL to be the view host's https address.")
    return values


CLIENT = ("OCEAN_URL", "OCEAN_KEY", "OCEAN_SUPERVISOR")  # variables of the environment that are no settings of a server


def unknown() -> list[str]:
    """The OCEAN_ variables of the environment that mean nothing."""
    return [name for name in os.environ if name.startswith("OCEAN_") and name not in NAMES and name not in CLIENT]


def shown(values: Mapping[str, str], name: str) -> str:
    """A setting's value as it may be shown."""
    return "(secret)" if NAMES[name].secret and values[name] else values[name]


def _file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as fault:
        raise SettingError(f"{path} can't be read: {fault}.") from None
    found: dict[str, str] = {}
    for key, value in table.items():
        name = f"OCEAN_{key.upper()}"
        if name not in NAMES:
            raise SettingError(f"{path} has a setting that is not known: {key}.")
        found[name] = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return found


def address(values: Mapping[str, str], name: str) -> tuple[str, int]:
    """`(host, port)` of a HOST:PORT setting."""
    host, _, port = values[name].rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise SettingError(f"{name} is {values[name]!r}, not HOST:PORT with a port from 1 to 65535.")
    return host.strip("[]"), int(port)


def listener(values: Mapping[str, str], name: str = "OCEAN_TLS") -> tuple[str, int] | None:
    """`(host, port)`, or None where it is off."""
    return None if values[name] == "off" else address(values, name)


def is_loopback(values: Mapping[str, str], name: str) -> bool:
    """Whether a HOST:PORT setting is reached from this machine alone."""
    host, _ = address(values, name)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def server(values: Mapping[str, str], name: str = "OCEAN_DNS") -> tuple[str, int] | None:
    """`(address, port)`, or None where there is none."""
    if not values[name]:
        return None
    host, port = address(values, name)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise SettingError(f"{name} is {values[name]!r}, not ADDRESS:PORT.") from None
    return host, port


def networks(values: Mapping[str, str], name: str = "OCEAN_TRUSTED_PROXIES") -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    try:
        return [ipaddress.ip_network(n.strip()) for n in values[name].split(",") if n.strip()]
    except ValueError as fault:
        raise SettingError(f"{name}: {fault}.") from None


def check_files(values: Mapping[str, str]) -> None:
    """Whether the files that settings name can be read, by the process that needs them. Raises SettingError."""
    for setting in SETTINGS:
        if setting.kind == "file" and values[setting.name] and not os.access(values[setting.name], os.R_OK):
            raise SettingError(f"{setting.name} is {values[setting.name]!r}, which can't be read.")
    for name in ("OCEAN_TLS_CERTIFICATE", "OCEAN_SMTP_CERTIFICATE"):
        try:
            if values[name]:
                ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(values[name], password=lambda: b"")
        except (OSError, ValueError):
            raise SettingError(f"{name} is {values[name]!r}, not a chain and its key, without a password, in PEM.") from None
    authorities = values["OCEAN_ACME_CA"]
    try:
        if authorities:
            ssl.create_default_context(cafile=authorities)
    except (OSError, ValueError):
        raise SettingError(f"OCEAN_ACME_CA is {authorities!r}, which has no certificates in PEM.") from None


def _binding(values: Mapping[str, str], name: str) -> None:
    if values[name] and not all(values[name].partition(":")[::2]):
        raise SettingError(f"{name} is not KEYID:KEY.")


def _master(values: Mapping[str, str], name: str) -> None:
    try:
        if values[name]:
            keys.master_of(values[name])
    except ValueError as fault:
        raise SettingError(f"{name} can't be used: {fault}.") from None


def flag(values: Mapping[str, str], name: str) -> bool:
    if values[name] not in ("true", "false"):
        raise SettingError(f"{name} is {values[name]!r}, not true or false.")
    return values[name] == "true"


def store_url(values: Mapping[str, str]) -> str:
    """The store's address; without a setting, SQLite in the data folder."""
    return values["OCEAN_STORE"] or f"sqlite://{Path(values['OCEAN_DATA']).absolute() / 'ocean.db'}"


def blobs_url(values: Mapping[str, str]) -> str:
    return values["OCEAN_BLOBS"] or f"file://{Path(values['OCEAN_DATA']).absolute() / 'files'}"


def api_url(values: Mapping[str, str]) -> str:
    """The API's address as others see it, without a slash at its end."""
    return (values["OCEAN_API_URL"] or f"http://{values['OCEAN_API']}").rstrip("/")


def origin(values: Mapping[str, str], site: str = "") -> Origin:
    """Where pages are: the shared host, or a top folder's own."""
    shared = view_url(values)
    scheme, _, host = shared.partition("://")
    return Origin(site, shared, f"{scheme}://{{}}.{host}" if flag(values, "OCEAN_ORIGINS") else "")


def domain_url(values: Mapping[str, str], name: str) -> str:
    """The address of a domain's site, without a slash at its end: as the view host's own, by the same scheme and port."""
    here = urlsplit(view_url(values))
    return f"{here.scheme}://{name}{f':{here.port}' if here.port else ''}"


def own_names(values: Mapping[str, str]) -> tuple[str, ...]:
    """The names of this server that want a certificate: the view host's, where it ends TLS and was given none, and the mail host's."""
    host = (urlsplit(values["OCEAN_VIEW_URL"]).hostname or "").lower()
    if listener(values) is None:
        return ()
    mail = (values["OCEAN_MAIL_HOST"] or "").lower() if not values["OCEAN_SMTP_CERTIFICATE"] else ""
    found = []
    for name in ("" if values["OCEAN_TLS_CERTIFICATE"] else host, mail):
        try:
            if name:
                found.append(domains.canonical(name))
        except OceanError:  # an address, or localhost: no authority certifies it
            continue
    return tuple(dict.fromkeys(found))


def page_url(values: Mapping[str, str], path: str) -> str:
    """The whole address of a path on the shared host."""
    here = origin(values)
    link = here.path(path)
    return link if link != path else here.shared + path


def view_url(values: Mapping[str, str]) -> str:
    """The view host's address as others see it, without a slash at its end."""
    return (values["OCEAN_VIEW_URL"] or f"http://{values['OCEAN_VIEW']}").rstrip("/")


def _number(values: Mapping[str, str], name: str) -> None:
    if not values[name].isascii() or not values[name].isdigit():
        raise SettingError(f"{name} is {values[name]!r}, not a whole number.")


def _url(
    values: Mapping[str, str], name: str, schemes: tuple[str, ...] = ("http", "https"), says: str = "an http or https address"
) -> None:
    parts = urlsplit(values[name])
    if values[name] and (parts.scheme not in schemes or not parts.netloc):
        raise SettingError(f"{name} is not {says}." if NAMES[name].secret else f"{name} is {values[name]!r}, not {says}.")


def _contact(values: Mapping[str, str], name: str) -> None:
    kind, _, rest = values[name].partition(":")
    if values[name] and not ((kind == "mailto" and "@" in rest) or (kind == "https" and urlsplit(values[name]).hostname)):
        raise SettingError(f"{name} is {values[name]!r}, not mailto:you@example.com or an https address.")


def basis_points(values: Mapping[str, str], name: str = "OCEAN_IO_FEE") -> int:
    """A percentage in hundredths of a percent."""
    whole, _, part = values[name].partition(".")
    if not (whole + part).isdigit() or not values[name].isascii() or len(part) > 2 or not whole or int(whole) > 100:
        raise SettingError(f"{name} is {values[name]!r}, not a percentage with at most two decimals.")
    points = int(whole) * 100 + int(part.ljust(2, "0"))
    if points > 10_000:
        raise SettingError(f"{name} is over 100 percent.")
    return points


class Issuer(NamedTuple):
    """Whose ID tokens sign in, for whom they are made, and where the issuer's keys are, where that is not to be asked."""

    url: str
    client: str
    jwks: str


def issuers(values: Mapping[str, str], name: str = "OCEAN_OIDC") -> list[Issuer]:
    found = []
    for entry in (one.strip() for one in values[name].split(",")):
        if not entry:
            continue
        url, client, jwks = [*entry.split("|"), "", ""][:3]
        if urlsplit(url).scheme not in ("http", "https") or not client or entry.count("|") > 2:
            raise SettingError(f"{name} has {entry!r}, not ISSUER|CLIENT_ID or ISSUER|CLIENT_ID|JWKS_URL.")
        found.append(Issuer(url, client, jwks))
    return found


def _key(values: Mapping[str, str], name: str) -> None:
    if values[name] and not keys.is_public(values[name]):
        raise SettingError(f"{name} is not a public key (43 characters).")


def _domain(values: Mapping[str, str], name: str) -> None:
    try:
        if values[name] and values[name] != "localhost":
            domains.canonical(values[name])
    except OceanError:
        raise SettingError(f"{name} is {values[name]!r}, not a domain.") from None


class Relay(NamedTuple):
    """Who carries mail on; `user` is empty where none is asked for."""

    host: str
    port: int
    user: str
    password: str


def smarthost(values: Mapping[str, str], name: str = "OCEAN_SMARTHOST") -> Relay | None:
    if not values[name]:
        return None
    login, _, where = values[name].rpartition("@")
    user, _, password = login.partition(":")
    host, _, port = where.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or bool(user) != bool(password):
        raise SettingError(f"{name} is not HOST:PORT, or USER:PASSWORD@HOST:PORT.")
    return Relay(host.strip("[]"), int(port), user, password)


def mail_domain(values: Mapping[str, str]) -> str:
    """What mailboxes are names beneath; of a server that says none, a name that leads nowhere else (RFC 6761)."""
    return (values["OCEAN_MAIL_DOMAIN"] or "localhost").lower()


def mail_host(values: Mapping[str, str]) -> str:
    """What the mail host calls itself."""
    return (values["OCEAN_MAIL_HOST"] or mail_domain(values)).lower()


_CHECKS: dict[str, Callable[[Mapping[str, str], str], object]] = {
    "address": address,
    "listener": listener,
    "server": server,
    "binding": _binding,
    "networks": networks,
    "master": _master,
    "flag": flag,
    "number": _number,
    "url": _url,
    "store": lambda v, n: _url(v, n, ("postgres", "postgresql"), "an address such as postgres://USER:PASSWORD@HOST/DATABASE"),
    "contact": _contact,
    "percent": basis_points,
    "issuers": issuers,
    "key": _key,
    "domain": _domain,
    "smarthost": smarthost,
    "bus": lambda v, n: _url(v, n, ("nats", "tls"), "an address such as nats://HOST:4222"),
    "blobs": lambda v, n: _url(v, n, ("s3",), "an address such as s3://BUCKET/PREFIX"),
}
