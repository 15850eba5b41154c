"""`make bench`: our servers beside raw Sanic and soul-cli, in one run; ratios are what counts.

python -m ops.bench             the table
python -m ops.bench --flat      also reads, writes and questions at 10 thousand and at 1 million records
python -m ops.bench --pairs N   also N save-then-fetch pairs, none of which may be stale
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ops.bench import flat, functions, listeners, mail, money, pages, pairs, peers, probes, queries, searches, tls
from ops.bench.table import Row, show
from tests.cli.test_cli import ocean
from tests.conftest import start, stop


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--flat", action="store_true")
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=4)
    asked = parser.parse_args()
    wrk = probes.Wrk(asked.seconds)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="ocean-bench-") as folder:
        running = start(Path(folder) / "data")
        try:
            rows.append(Row("memory of three idle processes, MB", probes.memory(running.process.pid), None, None, 250, most=True))
            with peers.raw_sanic() as raw:
                rows += probes.against_raw(wrk, running, raw)
            rows += pages.against_nginx(wrk, running, Path(folder))
            rows.append(probes.counter(running))
            rows += money.transfers(wrk, running)
            rows += functions.rows(wrk, running)
            with peers.soul(Path(folder)) as soul:
                if soul:
                    rows += probes.against_soul(wrk, running, soul)
                    rows += queries.against_soul(wrk, running, soul, Path(folder) / "soul.db")
            with peers.datasette(Path(folder)) as datasette:
                rows += queries.against_datasette(wrk, running, datasette)
            rows.append(queries.imported(running, ocean, Path(folder)))
            rows += searches.relevance(running)
            rows.append(Row("ten-token statements parsed a second", probes.parse_rate(), None, None, 30_000))
            if asked.pairs:
                name = f"stale pages of {asked.pairs} saved and fetched"
                rows.append(Row(name, pairs.stale(running, asked.pairs), None, None, 0, most=True))
            if asked.flat:
                rows += flat.rows(wrk, running)
        finally:
            stop(running)
        rows += pages.rows()
        rows += tls.rows()
        rows += mail.rows()
        rows += listeners.rows(Path(folder))
        rows += queries.inside(Path(folder) / "inside", flat=asked.flat)
        rows += searches.rows(Path(folder) / "searched")
    show(rows)


if __name__ == "__main__":
    main()
