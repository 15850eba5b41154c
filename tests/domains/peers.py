"""A name server and a certificate authority of somebody else's, on this machine: dnsmasq and pebble."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import free_ports
from tests.names import Names, Peer, run, wait_for

VIEW = "view.ocean.test"  # the view host, in our DNS


@dataclass
class Authority(Peer):
    """pebble: a certificate authority that speaks ACME, and looks for answers at the ports it is given."""

    folder: Path
    names: Names
    port: int
    http_port: int
    tls_port: int
    management: int
    more: dict[str, str] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    @property
    def ca(self) -> Path:
        """Signs the authority's own certificate."""
        return self.folder / "ca.pem"

    def roots(self) -> str:
        """What it signs others' certificates with, PEM: new with each start."""
        base = f"https://127.0.0.1:{self.management}"
        return "".join(requests.get(f"{base}/{what}/0", verify=self.ca, timeout=9).text + "\n" for what in ("roots", "intermediates"))

    def start(self) -> None:
        chain, key = self.folder / "own.pem", self.folder / "own.key"
        if not chain.exists():
            _self_signed(chain, key, self.ca)
        file = self.folder / "pebble.json"
        told = {
            "listenAddress": f"127.0.0.1:{self.port}", "managementListenAddress": f"127.0.0.1:{self.management}", "certificate": str(chain),
            "privateKey": str(key), "httpPort": self.http_port, "tlsPort": self.tls_port, "ocspResponderURL": "", **self.config,
        }  # fmt: skip
        file.write_text(json.dumps({"pebble": told}))
        self.process = run(
            ["/usr/bin/pebble", "-config", str(file), "-dnsserver", self.names.server],
            self.folder / "pebble.log", {"PEBBLE_VA_NOSLEEP": "1", **self.more},
        )  # fmt: skip
        wait_for(self.port)


@contextmanager
def peers(
    folder: Path, http_port: int, tls_port: int, more: dict[str, str] | None = None, **config: object
) -> Iterator[tuple[Names, Authority]]:
    dns, acme, management = free_ports(3)
    names = Names(folder, "127.0.0.1", dns, {VIEW: ["A 127.0.0.1"]})
    authority = Authority(folder, names, acme, http_port, tls_port, management, more or {}, config)
    names.restart()
    authority.start()
    try:
        yield names, authority
    finally:
        authority.stop()
        names.stop()


def _self_signed(chain: Path, key_file: Path, ca: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    chain.write_bytes(pem)
    ca.write_bytes(pem)
    plain = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
