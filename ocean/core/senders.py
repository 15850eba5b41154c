"""What a domain says of mail in its name: DMARC (RFC 7489) and MTA-STS (RFC 8461), read and applied. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_DMARC = re.compile(r"v\s*=\s*DMARC1\s*(;|$)")
_STS = re.compile(r"v=STSv1\s*(;|$)")
_STS_ID = re.compile(r";\s*id=([A-Za-z0-9]{1,32})\s*(;|$)")
MAX_POLICY = 64 * 1024  # bytes


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # read when it is first needed

    return PublicSuffixList()


def organisation(domain: str) -> str:
    """The domain that somebody registered, of one beneath it (RFC 7489, 3.2)."""
    return str(_suffixes().privatesuffix(domain) or domain)


def tags_of(text: str) -> dict[str, str]:
    """A list of `tag=value;` (RFC 6376, 3.2)."""
    return {name.strip().lower(): value.strip() for name, sign, value in (part.partition("=") for part in text.split(";")) if sign}


class Policy(NamedTuple):
    """What a domain asks to be done with what is not proven to be from it: `action` is none, quarantine or reject; `strict_*` whether
    only its very own name counts."""

    action: str
    strict_spf: bool
    strict_dkim: bool


def policy_of(records: Iterable[bytes], *, beneath: bool) -> Policy | None:
    """By the TXT records at `_dmarc.DOMAIN`, `beneath` where they are of the organisation above the domain. Of several none counts."""
    texts = [text for text in (record.decode("ascii", "replace") for record in records) if _DMARC.match(text)]
    if len(texts) != 1:
        return None
    tags = tags_of(texts[0])
    action = tags.get("sp", tags.get("p", "none")) if beneath else tags.get("p", "none")
    action = action.lower() if action.lower() in ("quarantine", "reject") else "none"
    return Policy(action, tags.get("aspf") == "s", tags.get("adkim") == "s")


def aligned(domain: str, shown: str, *, strict: bool) -> bool:
    """Whether a domain that was proven is that of the address a message shows."""
    return domain == shown if strict else organisation(domain) == organisation(shown)


def sts_id(records: Iterable[bytes]) -> str | None:
    """The id of a domain's policy, by the TXT records at `_mta-sts.DOMAIN`."""
    texts = [text for text in (record.decode("ascii", "replace") for record in records) if _STS.match(text)]
    found = _STS_ID.search(texts[0]) if len(texts) == 1 else None
    return found[1] if found else None


class Transport(NamedTuple):
    """How mail for a domain is to be carried: `mode` is enforce, testing or none; `seconds` that this holds."""

    mode: str
    hosts: tuple[str, ...]
    seconds: int

    def allows(self, host: str) -> bool:
        """Whether a host may be given mail for it: a name of the policy, or one label beneath a `*.` of it."""
        name = host.lower().rstrip(".")
        return any(name == one or (one.startswith("*.") and name.partition(".")[2] == one[2:]) for one in self.hosts)


def sts_policy(body: bytes) -> Transport | None:
    """The policy as https://mta-sts.DOMAIN/.well-known/mta-sts.txt says it; None where it is none."""
    if len(body) > MAX_POLICY:
        return None
    lines = [(name.strip(), value.strip()) for name, sign, value in _split(body.decode("ascii", "replace").splitlines()) if sign]
    said: dict[str, str] = {}
    for name, value in lines:
        said.setdefault(name, value)
    hosts = tuple(value.lower().rstrip(".") for name, value in lines if name == "mx")
    mode, age = said.get("mode", ""), said.get("max_age", "")
    if said.get("version") != "STSv1" or mode not in ("enforce", "testing", "none") or not re.fullmatch(r"[0-9]{1,10}", age):
        return None
    return Transport(mode, hosts, min(int(age), 31_557_600)) if hosts or mode == "none" else None


def _split(lines: Sequence[str]) -> Iterable[tuple[str, str, str]]:
    return (line.partition(":") for line in lines)
