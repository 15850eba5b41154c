"""Certificates as bytes: keys, signing requests, what a chain says, and the one that answers a TLS-ALPN challenge. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ocean.core.domains import covers

ACME_TLS = "acme-tls/1"  # the protocol that a TLS-ALPN challenge is asked by (RFC 8737, 6.2)
_ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")  # RFC 8737, 6.1
_CLOCKS_DIFFER = timedelta(days=1)


class Times(NamedTuple):
    """Milliseconds since the epoch; `renew` is when two thirds of its life are over."""

    begins: int
    ends: int
    renew: int


def new_key() -> str:
    """A private key of P-256, PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def signing_request(name: str, key: str) -> bytes:
    """PEM, for one name."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(_names(name), critical=False)
    return builder.sign(_private(key), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def names_of(chain: str) -> tuple[str, ...]:
    """The names that a chain's first certificate is for. Raises ValueError where it is none."""
    return _names_in(x509.load_pem_x509_certificate(chain.encode()))


def check_chain(chain: str, name: str, key: str, now: datetime) -> Times:
    """The times of a certificate. Raises ValueError, with a sentence, where it is none for this name and key, or not valid now."""
    try:
        (leaf, *_) = x509.load_pem_x509_certificates(chain.encode())
        ours = _private(key).public_key() == leaf.public_key()
    except Exception:  # whatever an authority can answer that is no certificate
        raise ValueError("what it gave is no certificate") from None
    if not ours or not covers(_names_in(leaf), name):
        raise ValueError(f"the certificate it gave is not for {name}")
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begins - _CLOCKS_DIFFER <= now < ends:
        raise ValueError("the certificate it gave is not valid now")
    return Times(*(int(moment.timestamp() * 1000) for moment in (begins, ends, begins + (ends - begins) * 2 / 3)))


def challenge_certificate(name: str, answer: str, now: datetime) -> tuple[str, str]:
    """`(chain, key)` of the certificate that answers a TLS-ALPN challenge: signed by itself, with the digest of the key authorisation
    (RFC 8737, 3)."""
    key = ec.generate_private_key(ec.SECP256R1())
    digest = x509.UnrecognizedExtension(_ACME_IDENTIFIER, b"\x04\x20" + hashlib.sha256(answer.encode()).digest())
    nobody = x509.Name([])
    begins, ends = now - _CLOCKS_DIFFER, now + _CLOCKS_DIFFER
    builder = x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number(), begins, ends)
    made = builder.add_extension(_names(name), critical=False).add_extension(digest, critical=True).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode(), _pem(key)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _names(name: str) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([x509.DNSName(name)])


def _names_in(leaf: x509.Certificate) -> tuple[str, ...]:
    """In lower case; none where it has no such extension."""
    found = [extension.value for extension in leaf.extensions if isinstance(extension.value, x509.SubjectAlternativeName)]
    return tuple(name.value.lower() for names in found for name in names if isinstance(name, x509.DNSName))


def _private(key: str) -> ec.EllipticCurvePrivateKey:
    found = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
