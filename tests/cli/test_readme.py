"""The README's tour works when it is pasted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import start, stop

README = Path(__file__).parents[2] / "README.md"


def tour() -> list[str]:
    text = README.read_text()
    part = text[text.index("## Five minutes") : text.index("## Running it")]
    return [line[4:] for line in part.splitlines() if line.startswith("    ") and "make up" not in line and "export PATH" not in line]


def test_every_line_of_the_tour_works(tmp_path: Path, secret: str) -> None:
    lines = tour()
    assert len(lines) > 15
    ocean = tmp_path / "bin" / "ocean"
    ocean.parent.mkdir()
    ocean.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ocean.cli "$@"\n')
    ocean.chmod(0o755)
    python = ocean.with_name("python")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    running = start(tmp_path / "data")
    environment = {
        **os.environ,
        "PATH": f"{ocean.parent}:{os.environ['PATH']}",
        "OCEAN_URL": running.api,
        "OCEAN_KEY": secret,
        "OCEAN_DATA": str(running.data),
    }
    places = {
        "http://127.0.0.1:8000": running.api,
        "http://127.0.0.1:8001": running.view,
        '"127.0.0.1", 8025': f'"127.0.0.1", {running.smtp}',
        "/tmp/": f"{tmp_path}/",
        "curl -N": "timeout 1 curl -sN",
    }
    try:
        for line in lines:
            for word, here in places.items():
                line = line.replace(word, here)
            kept = f"set -a\n{line}\ncode=$?\nenv -0 > {tmp_path}/env\nexit $code"  # what a line sets, the next one has
            done = subprocess.run(["bash", "-c", kept], capture_output=True, text=True, timeout=60, env=environment)
            environment = dict(one.split("=", 1) for one in (tmp_path / "env").read_text().split("\0") if one)
            ended = 124 if line.startswith("timeout") else 0  # a stream goes on until it is ended
            assert done.returncode == ended, (line, done.stdout, done.stderr)
            assert '"error"' not in done.stdout, (line, done.stdout)
    finally:
        assert stop(running) == 0
