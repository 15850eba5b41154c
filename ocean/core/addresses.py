"""Addresses of pages on the view host: one spelling for each, made here alone. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

_PLAIN = "~!$&'()*+,;=:@"  # beside letters and digits, what a segment has as it is (RFC 3986, pchar)
_ENDINGS = (".md", ".html")


def path_of(text: str) -> str:
    """A path of decoded segments, as an address has it."""
    return quote(text, safe="/" + _PLAIN)


def address_of_folder(folder: str) -> str:
    return f"/{path_of(folder)}/"


def address_of_record(route: str, key: str) -> str:
    """The canonical address of a record's page: without the ending of a text, and a folder's for its `index`."""
    path = f"{route}/{key}"
    ending = next((ending for ending in _ENDINGS if path.endswith(ending) and not path.endswith("/" + ending)), "")
    folder, _, last = path.removesuffix(ending).rpartition("/")
    return address_of_folder(folder) if last == "index" else f"/{path_of(f'{folder}/{last}')}"


_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")  # of a host name (RFC 1123)


class Origin(NamedTuple):
    """Where a page is looked at: on the host that all share, or on one of a folder's own, its `site`: a top folder's, or any with a domain.

    `shared` is the shared host's address; `own` those of top folders, with {} for the folder, empty where there are none; `domain` the
    address of this origin, where it is a domain, and `owner` the key that has it.
    """

    site: str = ""
    shared: str = ""
    own: str = ""
    domain: str = ""
    owner: str = ""

    @property
    def address(self) -> str:
        return self.domain or (self.own.format(self.site) if self.site else self.shared)

    def path(self, there: str) -> str:
        """A path on the shared host as a link from here: a path of this origin, or an address on another."""
        top, slash, rest = there.removeprefix("/").partition("/")
        if self.site and f"{there}/".startswith(f"/{self.site}/"):
            return there.removeprefix(f"/{self.site}") or "/"
        if self.own and has_origin(top):
            return f"{self.own.format(top)}/{rest}" if slash else self.own.format(top)
        return self.shared + there if self.site else there


def has_origin(folder: str) -> bool:
    """Whether a top folder's name can be a host's."""
    return _LABEL.fullmatch(folder) is not None
