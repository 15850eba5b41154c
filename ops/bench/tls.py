"""TLS: handshakes with many certificates beside one, and a start with many domains."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import statistics
import tempfile
import time
from pathlib import Path
from unittest import mock

from ocean import settings
from ocean.context import Ocean
from ocean.core import certs, keys
from ocean.services.pages.hosting import Hosting
from ocean.store import certificates, domains
from ocean.store.domains import LIVE, Domain, domain_id
from ocean.store.reader import now
from ocean.store.schema import migrate
from ops.bench.table import Row
from tests.conftest import free_ports, start, stop

NAMES = 1000
HANDSHAKES = 1000


def rows() -> list[Row]:
    one, many, begun, flat = _served(NAMES)
    return [
        Row(f"a TLS handshake with {NAMES} certificates, ms", many, "with one", one, 1.3, most=True),
        Row(f"knowing {NAMES} domains and certificates at start, s", begun, None, None, 3, most=True),
        Row(f"a look for a name among {NAMES}, us", flat, None, None, 10, most=True),
    ]


def _served(count: int) -> tuple[float, float, float, float]:
    """The medians of handshakes for one name and for each in turn, side by side (ms); how long the view host took to know its domains
    (s); a look for a name (us)."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        names = [f"site-{number}.test" for number in range(count)]
        _, tls = free_ports(2)
        own = {"OCEAN_TLS": f"127.0.0.1:{tls}", "OCEAN_VIEW_URL": "https://view.test", "OCEAN_ACME_DIRECTORY": "https://127.0.0.1:9/dir"}
        known, look = asyncio.run(_fill(data, names, own))
        with mock.patch.dict(os.environ, own):
            running = start(data)
        try:
            return *_handshakes(tls, names), known, look
        finally:
            stop(running)


async def _fill(data: Path, names: list[str], own: dict[str, str]) -> tuple[float, float]:
    values = settings.load({**own, "OCEAN_DATA": str(data)})
    data.mkdir(parents=True)
    await migrate(settings.store_url(values))
    ocean = await Ocean.open(values)
    owner, moment = keys.generate().public, now()
    claims, made = [], []
    for place, name in enumerate(names, 1):
        chain, key = certs.challenge_certificate(name, "", certs.moment(moment))
        later = moment + 60 * 86_400_000
        wrapped = ocean.master.wrap(key, f"certificate {name}")
        claims.append(tuple(Domain(domain_id(name, owner), name, owner, "site", LIVE, moment, moment, None, later, 0, "", place, 0)))
        made.append((name, chain, wrapped, moment, later, later, later, "", "", "", 0, None, "", place))
    await ocean.log.put(f"INSERT INTO domain ({domains._DOMAIN}) VALUES ({','.join('?' * 13)})", claims)
    await ocean.log.put(f"INSERT INTO certificate ({certificates._CERTIFICATE}) VALUES ({','.join('?' * 14)})", made)
    begun = time.perf_counter()
    known = Hosting(ocean)
    await known.follow()
    took = time.perf_counter() - begun
    begun = time.perf_counter()
    for name in names * (10_000 // len(names)):
        assert known.main(known.live[name]) == name
    look = (time.perf_counter() - begun) / (len(names) * (10_000 // len(names))) * 1e6
    await ocean.close()
    return took, look


def _handshakes(port: int, names: list[str]) -> tuple[float, float]:
    """One after another, so that both have the same of whatever else the machine does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    one: list[float] = []
    many: list[float] = []
    for number in range(HANDSHAKES * 2):
        for name, taken in ((names[0], one), (names[number % len(names)], many)):
            with socket.create_connection(("127.0.0.1", port), 9) as plain:
                begun = time.perf_counter()
                context.wrap_socket(plain, server_hostname=name).close()
                taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(one[HANDSHAKES:]), statistics.median(many[HANDSHAKES:])  # each certificate has been asked for once
