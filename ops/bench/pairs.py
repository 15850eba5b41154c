"""A page fetched after its save was answered shows the new version: always."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from ocean.core import keys
from tests.conftest import Running


def stale(running: Running, pairs: int) -> int:
    """How many of `pairs` fetches did not show what was saved just before."""
    secret = keys.generate().secret
    api = http.client.HTTPConnection(urlsplit(running.api).netloc, timeout=9)
    view = http.client.HTTPConnection(urlsplit(running.view).netloc, timeout=9)
    missed = 0
    for i in range(pairs):
        api.request("POST", "/drop", f'{{"route":"pairs","key":"index","payload":"version {i}"}}', {"x-ocean-key": secret})
        assert api.getresponse().read()
        view.request("GET", "/pairs/", None, {})
        missed += view.getresponse().read() != f"version {i}".encode()
    return missed
