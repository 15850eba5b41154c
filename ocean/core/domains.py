"""Custom domains: one spelling of a name, and what DNS must say before a site is served under it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import idna

from ocean.errors import OceanError

MAX_NAME = 253 - len("_ocean.")  # characters (RFC 1035, 2.3.4, without the root's dot): its proof has a name too
PROOF_AT = "_ocean"  # the label that a domain's proof stands beneath
PROOF_IS = "ocean-domain="
_SUCH = "Such as example.com or www.example.com."


def canonical(text: str) -> str:
    """A domain in the one spelling it is kept in: lower case, IDNA 2008 in its ASCII form (UTS 46), no dot at its end.

    Raises INVALID_VALUE for what is no name of a host in public DNS.
    """
    given = text.strip()
    try:
        if not given or len(given) > MAX_NAME + 1:
            raise idna.IDNAError
        name = idna.encode(given, uts46=True, std3_rules=True, strict=True).decode().lower().removesuffix(".")  # dots of other scripts too
    except (idna.IDNAError, UnicodeError):
        raise _no_name(text) from None
    labels = name.split(".")
    if len(labels) < 2 or "" in labels or len(name) > MAX_NAME or labels[-1].isdigit() or labels[-1] in ("localhost", "arpa", "onion"):
        raise _no_name(text)
    return name


def _no_name(text: str) -> OceanError:
    return OceanError("INVALID_VALUE", f"{text[:80]!r} is not the name of a domain.", _SUCH)


def shown(name: str) -> str:
    """A domain as people read it."""
    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def beneath(name: str, other: str) -> bool:
    """Whether `name` is `other`, or lies beneath it."""
    return name == other or name.endswith("." + other)


def above(name: str) -> list[str]:
    """The names that `name` lies beneath, from the nearest."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(1, len(labels) - 1)]


def sibling(name: str) -> str:
    """The name that people take for the same: with `www.`, or without."""
    return name.removeprefix("www.") if name.startswith("www.") else f"www.{name}"


class Ours(NamedTuple):
    """Where a domain has to lead: to the name of the view host, or to its addresses. `host` is empty where it has no name; `fault` is a
    sentence where it is not known."""

    host: str
    addresses: frozenset[str]
    fault: str = ""


class Seen(NamedTuple):
    """What DNS says of a domain: the names that it is an alias of, where it leads, the texts of its proof, whether a zone begins there.

    `fault` is a sentence where DNS did not answer.
    """

    aliases: tuple[str, ...] = ()
    addresses: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    apex: bool = False
    fault: str = ""


class Wanted(NamedTuple):
    """A record that the domain's owner has to set; `there` as it was last seen."""

    type: str
    name: str
    value: str
    there: bool


def wanted(name: str, seen: Seen, ours: Ours, token: str, *, strict: bool) -> list[Wanted]:
    """The records to set. `strict`: others have, or had, a say in this name, so an alias alone proves nothing."""
    if not ours.host or seen.apex or (seen.addresses and leads_here(seen, ours) and ours.host not in seen.aliases):
        return by_address(name, seen, ours, token)
    alias = [Wanted("CNAME", name, ours.host, ours.host in seen.aliases)]
    return [*alias, _proof(name, seen, token)] if needs_token(seen, ours, strict=strict) else alias


def by_address(name: str, seen: Seen, ours: Ours, token: str) -> list[Wanted]:
    """The same without an alias, which DNS takes for no name that a zone begins with."""
    places = [Wanted("AAAA" if ":" in a else "A", name, a, a in seen.addresses) for a in sorted(ours.addresses, key=_v4_first)]
    return [*places, _proof(name, seen, token)]


def _proof(name: str, seen: Seen, token: str) -> Wanted:
    return Wanted("TXT", f"{PROOF_AT}.{name}", PROOF_IS + token, has_token(seen, token))


def needs_token(seen: Seen, ours: Ours, *, strict: bool) -> bool:
    """An alias of our own name says that its owner means us; an address may have been somebody else's before."""
    if strict or not ours.host:
        return True
    return ours.host not in seen.aliases and (seen.apex or bool(seen.addresses & ours.addresses))


def has_token(seen: Seen, token: str) -> bool:
    return PROOF_IS + token in seen.texts


def leads_here(seen: Seen, ours: Ours) -> bool:
    """Whether the domain leads to us and to nobody else."""
    return (bool(ours.host) and ours.host in seen.aliases) or (bool(seen.addresses) and seen.addresses <= ours.addresses)


def lacks(name: str, seen: Seen, ours: Ours, token: str, *, strict: bool) -> str:
    """What is missing yet, as a sentence; empty where the domain is proven to be meant for us."""
    if seen.fault or ours.fault:
        return seen.fault or ours.fault
    if not leads_here(seen, ours):
        return _leads_elsewhere(name, seen, ours)
    if needs_token(seen, ours, strict=strict) and not has_token(seen, token):
        why = " Another key has this name, had it, or asks for it too, so its owner has to say whose it is." if strict else ""
        return f"The TXT record of {PROOF_AT}.{name} is not there yet, or has another value.{why}"
    return ""


def _leads_elsewhere(name: str, seen: Seen, ours: Ours) -> str:
    here = ours.host or " or ".join(sorted(ours.addresses))
    others = sorted(seen.addresses - ours.addresses)
    if not seen.addresses:
        return f"{name} does not lead anywhere yet; it has to lead to {here}."
    also = " too" if seen.addresses & ours.addresses else ""
    return f"{name} leads to {_several(others)}{also}, not to {here} alone."


def _several(values: list[str]) -> str:
    return ", ".join(values[:4]) + (" and others" if len(values) > 4 else "")


def _v4_first(address: str) -> tuple[bool, str]:
    return (":" in address, address)


def main_one(name: str, created: dict[str, int]) -> str:
    """Of a name and its sibling, the one that the site is at: the one that was added first. `created`: when each was, of one site."""
    other = sibling(name)
    if other not in created:
        return name
    return min((name, other), key=lambda one: (created[one], one.startswith("www."), one))


def covers(names: Iterable[str], host: str) -> bool:
    """Whether a certificate of these names is one for `host` (RFC 9525, 6.3: a wildcard is one whole label, the first)."""
    _, _, rest = host.partition(".")
    return any(name == host or (rest and name == f"*.{rest}") for name in names)
