"""/openapi.json: valid, whole, and true."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import requests
from openapi_spec_validator import validate

from ocean.commands.command import PLACE
from ocean.commands.table import COMMANDS
from tests.conftest import Running, start, stop


def test_it_is_valid_and_has_every_address(server: Running) -> None:
    answer = requests.get(f"{server.api}/openapi.json", timeout=9)
    described = answer.json()
    validate(described)
    assert answer.headers["access-control-allow-origin"] == "*"
    there = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    for command in COMMANDS.values():
        for twin in command.twins:
            assert (twin.method, PLACE.sub(r"{\1}", twin.path)) in there
    assert {("POST", "/exec"), ("GET", "/stream/{route}"), ("POST", "/blob"), ("POST", "/webhook/{name}")} <= there


def test_every_answer_is_one_that_it_describes(tmp_path: Path, secret: str) -> None:
    """Schemathesis sends what the description allows, and what it does not: nothing fails, nothing is answered that is not described."""
    running = start(tmp_path / "data")
    try:
        assert running.drops('save my/data @user-1 name: "Alice"; save users @alice role: "admin"; save pages @home views: 1', secret).ok
        tried = [
            str(Path(sys.executable).parent / "schemathesis"), "run", f"{running.api}/openapi.json", "-H", f"x-ocean-key: {secret}",
            "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--max-examples", "3", "--exclude-path-regex", "^/(stream|broadcast/.*listen|jmap/events)", "--seed", "1", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(tried, capture_output=True, text=True, timeout=110, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-6000:]
        assert "generated" in done.stdout
    finally:
        stop(running)
