"""Reads and writes by key at ten thousand records and at a million: they should cost the same."""

from __future__ import annotations

import requests

from ocean.core import keys
from ops.bench.probes import Wrk
from ops.bench.table import Row
from tests.conftest import Running

FEW, MANY = 10_000, 1_000_000
_READ = "request = function() return wrk.format('GET', '/entity/flat?key=k' .. math.random(0, {last})) end"
_WRITE = (
    "request = function() return wrk.format('POST', '/drop', nil, "
    '\'{{"route":"flat","key":"k\' .. math.random(0, {last}) .. \'","payload":{{"n":1}}}}\') end'
)


def rows(wrk: Wrk, running: Running) -> list[Row]:
    secret = keys.generate().secret
    headers = {"x-ocean-key": secret, "content-type": "application/json"}
    _fill(running, secret, 0, FEW)
    read_few = wrk(running.api, script=_READ.format(last=FEW - 1))
    write_few = wrk(running.api, headers=headers, script=_WRITE.format(last=FEW - 1))
    _fill(running, secret, FEW, MANY)
    read_many = wrk(running.api, script=_READ.format(last=MANY - 1))
    write_many = wrk(running.api, headers=headers, script=_WRITE.format(last=MANY - 1))
    return [
        Row("GET /entity among a million", read_many, "among ten thousand", read_few, 0.8),
        Row("POST /drop among a million", write_many, "among ten thousand", write_few, 0.8),
    ]


def _fill(running: Running, secret: str, start: int, end: int) -> None:
    step = 5000
    with requests.Session() as session:
        for first in range(start, end, step):
            ops = [{"op": "save", "route": "flat", "key": f"k{i}", "payload": {"n": i}} for i in range(first, min(first + step, end))]
            answer = session.post(f"{running.api}/bulk", json={"ops": ops}, headers={"x-ocean-key": secret}, timeout=120)
            assert answer.ok, answer.text
            print(f"\r{first + len(ops):,} records", end="", flush=True)
    print()
