"""The mail host's TLS: a certificate of the operator's, the one that this server got for the host's name, or one of its own making."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ocean.context import Ocean
from ocean.services.pages.hosting import pem_of
from ocean.settings import mail_host
from ocean.store.certificates import certificate


async def context(ocean: Ocean) -> ssl.SSLContext:
    """TLS 1.2 and newer. Mail goes by it to whoever offers it, whatever name the certificate has: one of our own making is better than
    none."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    given = ocean.settings["OCEAN_SMTP_CERTIFICATE"]
    if given:
        made.load_cert_chain(given, password=lambda: b"")
        return made
    name = mail_host(ocean.settings)
    found = await certificate(ocean.engine, name)
    pem = (pem_of(ocean, found) if found is not None and found.chain else None) or _own(name)
    with tempfile.NamedTemporaryFile(dir=ocean.data) as file:  # the library reads keys from files alone
        Path(file.name).write_bytes(pem)
        made.load_cert_chain(file.name)
    return made


def _own(name: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    begin = datetime.now(UTC) - timedelta(days=1)
    built = (
        x509.CertificateBuilder().subject_name(called).issuer_name(called).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + timedelta(days=730))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False).sign(key, hashes.SHA256())
    )  # fmt: skip
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form) + built.public_bytes(serialization.Encoding.PEM)
