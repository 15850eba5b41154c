"""A name server and a certificate authority of somebody else's, on this machine: dnsmasq and pebble."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
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

VIEW = "view.ocean.test"  # the view host, in our DNS


class _Peer:
    """A program of somebody else's that runs beside us."""

    process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Names(_Peer):
    """dnsmasq: what it answers is what `set` gave it."""

    folder: Path
    port: int
    records: dict[str, list[str]] = field(default_factory=dict)

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.port}"

    def set(self, name: str, *records: str) -> None:
        """`A 127.0.0.1`, `CNAME view.ocean.test`, `TXT text`; none takes the name away."""
        self.records[name] = list(records)
        self.restart()

    def restart(self) -> None:
        self.stop()
        lines = []
        for name, records in self.records.items():
            for record in records:
                kind, _, value = record.partition(" ")
                if kind in ("A", "AAAA"):
                    lines.append(f"host-record={name},{value}")
                elif kind == "CNAME":
                    lines.append(f"cname={name},{value}")
                else:
                    lines.append(f"txt-record={name},{value}")
        file = self.folder / "dnsmasq.conf"
        file.write_text("\n".join(lines) + "\n")
        self.process = _run(
            ["/usr/sbin/dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={self.port}", "--listen-address=127.0.0.1",
             "--bind-interfaces", f"--conf-file={file}", "--local=/test/", "--user=root", "--cache-size=0"],
            self.folder / "dnsmasq.log",
        )  # fmt: skip
        wait_for(self.port)


@dataclass
class Authority(_Peer):
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
        self.process = _run(
            ["/usr/bin/pebble", "-config", str(file), "-dnsserver", self.names.server],
            self.folder / "pebble.log", {"PEBBLE_VA_NOSLEEP": "1", **self.more},
        )  # fmt: skip
        wait_for(self.port)


@contextmanager
def peers(
    folder: Path, http_port: int, tls_port: int, more: dict[str, str] | None = None, **config: object
) -> Iterator[tuple[Names, Authority]]:
    dns, acme, management = free_ports(3)
    names = Names(folder, dns, records={VIEW: ["A 127.0.0.1"]})
    authority = Authority(folder, names, acme, http_port, tls_port, management, more or {}, config)
    names.restart()
    authority.start()
    try:
        yield names, authority
    finally:
        authority.stop()
        names.stop()


def _run(command: list[str], log: Path, more: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        return subprocess.Popen(command, env={**os.environ, **(more or {})}, stdout=file, stderr=subprocess.STDOUT)


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing listens at {port}")


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
