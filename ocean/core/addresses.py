"""Addresses of pages on the view host: one spelling for each, made here alone. Pure."""

from __future__ import annotations

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
