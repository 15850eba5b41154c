"""Domains: one spelling of a name, what DNS has to say, and certificates as bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import certs
from ocean.core.domains import (
    Ours,
    Seen,
    Wanted,
    above,
    beneath,
    canonical,
    covers,
    has_token,
    lacks,
    leads_here,
    main_one,
    needs_token,
    shown,
    sibling,
    wanted,
)  # fmt: skip
from ocean.errors import OceanError

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OURS = Ours("view.example.net", frozenset({"192.0.2.1", "2001:db8::1"}))
BARE = Ours("", frozenset({"192.0.2.1"}))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("MyCoolSite.com", "mycoolsite.com"), ("mycoolsite.com.", "mycoolsite.com"), (" a.b ", "a.b"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"), ("ＥＸＡＭＰＬＥ.com", "example.com"), ("faß.de", "xn--fa-hia.de"),
        ("a\u3002c.com", "a.c.com"),
        ("a.test\u3002", "a.test"), ("a.test\uff0e", "a.test"), ("a\uff61test\u3002", "a.test"), ("KÖLN.de", "xn--kln-sna.de"),
    ],
)  # fmt: skip
def test_a_name_has_one_spelling(given: str, kept: str) -> None:
    assert canonical(given) == kept
    assert canonical(kept) == kept
    assert canonical(shown(kept)) == kept


@pytest.mark.parametrize(
    "given",
    ["", ".", "com", "a.com..", "a.com.\u3002", "a.com\u3002\u3002", "a..com", "-a.com", "a-.com", "a_b.com", "1.2.3.4", "[::1]",
     "x.localhost", "a.onion",
     "1.in-addr.arpa",
     "*.a.com", "a.com/x",
     "a b.com", "a.com:80", "user@a.com", "xn--zz.com", "☃.net",
     "a" * 64 + ".com", "a." * 130 + "com", "a\x00.com", "é" * 300 + ".com", "a.123"],
)  # fmt: skip
def test_what_is_no_name(given: str) -> None:
    with pytest.raises(OceanError) as caught:
        canonical(given)
    assert caught.value.code == "INVALID_VALUE"


@given(st.text(max_size=80))
def test_whatever_is_taken_is_a_spelling_already(text: str) -> None:
    try:
        name = canonical(text)
    except OceanError:
        return
    assert canonical(name) == name == name.lower()
    assert canonical(name.upper() + ".") == name
    assert all(part and part.isascii() for part in name.split("."))


def test_names_and_their_kin() -> None:
    assert [beneath(n, "a.b") for n in ("a.b", "x.a.b", "xa.b", "b")] == [True, True, False, False]
    assert above("c.b.a.org") == ["b.a.org", "a.org"]
    assert above("a.org") == []
    assert (sibling("a.org"), sibling("www.a.org")) == ("www.a.org", "a.org")
    assert shown("xn--bcher-kva.example") == "bücher.example"
    assert shown("xn--zz.example") == "xn--zz.example"
    assert main_one("a.org", {"a.org": 1}) == "a.org"
    assert main_one("a.org", {"a.org": 2, "www.a.org": 1}) == "www.a.org"
    assert main_one("www.a.org", {"a.org": 1, "www.a.org": 1}) == "a.org"
    assert [covers(["a.org", "*.b.org"], n) for n in ("a.org", "x.b.org", "b.org", "x.y.b.org", "c.org", "org")] == [
        True,
        True,
        *[False] * 4,
    ]


ALIAS = Seen(("view.example.net",), frozenset({"192.0.2.9"}))
ADDRESS = Seen((), frozenset({"192.0.2.1"}))
APEX = Seen((), frozenset({"192.0.2.1", "2001:db8::1"}), apex=True)


def test_an_alias_of_ours_is_enough_and_an_address_is_not() -> None:
    """An address may have been somebody else's before; an alias names us."""
    assert lacks("a.org", ALIAS, OURS, "t", strict=False) == ""
    assert "TXT record of _ocean.a.org" in lacks("a.org", ALIAS, OURS, "t", strict=True)
    assert "TXT record" in lacks("a.org", ADDRESS, OURS, "t", strict=False)
    assert lacks("a.org", ADDRESS._replace(texts=frozenset({"ocean-domain=t"})), OURS, "t", strict=False) == ""
    assert "TXT record" in lacks("a.org", ADDRESS._replace(texts=frozenset({"ocean-domain=other"})), OURS, "t", strict=False)
    assert "TXT record" in lacks("a.org", ADDRESS, BARE, "t", strict=False)
    assert lacks("a.org", Seen(fault="DNS is away."), OURS, "t", strict=False) == "DNS is away."
    assert lacks("a.org", ALIAS, OURS._replace(fault="Ours is away."), "t", strict=False) == "Ours is away."


def test_where_it_leads_is_said() -> None:
    nowhere = lacks("a.org", Seen(), OURS, "t", strict=False)
    assert nowhere == "a.org does not lead anywhere yet; it has to lead to view.example.net."
    assert "has to lead to 192.0.2.1" in lacks("a.org", Seen(), BARE, "t", strict=False)
    many = Seen((), frozenset(f"198.51.100.{n}" for n in range(6)))
    assert lacks("a.org", many, OURS, "t", strict=False).startswith(
        "a.org leads to 198.51.100.0, 198.51.100.1, 198.51.100.2, 198.51.100.3 and others, not"
    )
    both = Seen((), frozenset({"192.0.2.1", "198.51.100.7"}))
    assert lacks("a.org", both, OURS, "t", strict=False) == "a.org leads to 198.51.100.7 too, not to view.example.net alone."
    assert not leads_here(both, OURS)


def test_the_records_to_set() -> None:
    assert wanted("a.org", Seen(), OURS, "t", strict=False) == [Wanted("CNAME", "a.org", "view.example.net", False)]
    assert wanted("a.org", ALIAS, OURS, "t", strict=True) == [
        Wanted("CNAME", "a.org", "view.example.net", True), Wanted("TXT", "_ocean.a.org", "ocean-domain=t", False),
    ]  # fmt: skip
    assert wanted("a.org", APEX._replace(addresses=frozenset()), OURS, "t", strict=False) == [
        Wanted("A", "a.org", "192.0.2.1", False), Wanted("AAAA", "a.org", "2001:db8::1", False),
        Wanted("TXT", "_ocean.a.org", "ocean-domain=t", False),
    ]  # fmt: skip
    assert [one.type for one in wanted("a.org", Seen(), BARE, "t", strict=False)] == ["A", "TXT"]
    assert [(one.type, one.there) for one in wanted("a.org", ADDRESS, OURS, "t", strict=False)] == [
        ("A", True),
        ("AAAA", False),
        ("TXT", False),
    ]
    assert not needs_token(Seen(), OURS, strict=False)
    assert needs_token(ADDRESS, OURS, strict=False)
    assert has_token(Seen(texts=frozenset({"x", "ocean-domain=t"})), "t")


def _signed(name: str, key: str, *, begins: datetime = NOW - timedelta(days=1), days: int = 90, named: bool = True) -> str:
    private = serialization.load_pem_private_key(key.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    nobody = x509.Name([])
    made = x509.CertificateBuilder(nobody, nobody, private.public_key(), x509.random_serial_number(), begins, begins + timedelta(days=days))
    if named:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name), x509.RFC822Name("a@b.org")]), critical=False)
    return made.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_a_chain_is_looked_into_before_it_is_kept() -> None:
    key, other = certs.new_key(), certs.new_key()
    chain = _signed("a.org", key)
    times = certs.check_chain(chain, "a.org", key, NOW)
    assert certs.moment(times.renew) == NOW - timedelta(days=1) + timedelta(days=60)
    assert (certs.moment(times.ends) - certs.moment(times.begins)).days == 90
    assert certs.names_of(chain) == ("a.org",)
    assert certs.names_of(_signed("a.org", key, named=False)) == ()
    for text, name, used, says in (
        (chain, "b.org", key, "is not for b.org"), (chain, "a.org", other, "is not for a.org"),
        ("nonsense", "a.org", key, "no certificate"),
        (_signed("a.org", key, begins=NOW - timedelta(days=100)), "a.org", key, "not valid now"),
        (_signed("a.org", key, begins=NOW + timedelta(days=3)), "a.org", key, "not valid now"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=says):
            certs.check_chain(text, name, used, NOW)


def test_a_signing_request_is_for_one_name_and_a_challenge_carries_its_digest() -> None:
    request = x509.load_pem_x509_csr(certs.signing_request("a.org", certs.new_key()))
    assert request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == ["a.org"]
    chain, _ = certs.challenge_certificate("a.org", "token.thumbprint", NOW)
    found = x509.load_pem_x509_certificate(chain.encode())
    digest = found.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
    assert digest.critical
    assert isinstance(digest.value, x509.UnrecognizedExtension)
    assert (len(digest.value.value), digest.value.value[:2]) == (34, b"\x04\x20")
