"""Functions through HTTP, beside a Python process that is started for each call, and asked one after another."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from ocean.core import keys
from ops.bench.probes import Wrk
from ops.bench.table import Row
from tests.conftest import Running

CODE = "def main(ocean, request): return {'hello': request.get('name', 'world')}"
READS = "def main(ocean, request): return [ocean.read('bench-fn', 'main')['version'] for _ in range(10)]"
PLAIN = "import json; print(json.dumps({'hello': json.loads('{\"name\": \"Ocean\"}')['name']}))"


def rows(wrk: Wrk, running: Running) -> list[Row]:
    secret = keys.generate().secret
    for route, code in (("bench-fn", CODE), ("bench-reads", READS)):
        assert running.post("/drop", {"route": route, "key": "main", "payload": code}, secret).ok
    call = f"{running.api}/run/bench-fn"
    rate = wrk(call, headers={"x-ocean-key": secret}, body='{"name": "Ocean"}', warm=1)
    plain = 1 / statistics.median(_timed() for _ in range(20))
    reads = wrk(f"{running.api}/run/bench-reads", headers={"x-ocean-key": secret}, body="{}", warm=1) * 10
    return [
        Row("functions run a second, warm", rate, "a Python process each", plain, 10),
        Row("records read a second by functions", reads, None, None, 2000),
    ]


def _timed() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", PLAIN], check=True, capture_output=True)
    return time.perf_counter() - begun
