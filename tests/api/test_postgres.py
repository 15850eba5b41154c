"""The three processes on PostgreSQL: the same walk through a save, a find, a stream, a page and a site."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from tests.cli.test_cli import ocean, told
from tests.conftest import start, stop
from tests.postgres import fresh_database


def test_the_whole_walk_on_postgres(postgres: str, tmp_path: Path, secret: str) -> None:
    running = start(tmp_path / "data", "--store", fresh_database(postgres))
    try:
        assert running.drops('save my/data @user-1 name: "Alice" age: 31', secret).json()["version"] == 1
        assert running.drops("add 1 to my/data @user-1 views", secret).json()["value"] == 1
        found = running.drops('find my/data where age > 21 and name starts with "a"', secret).json()["results"]
        assert [record["payload"] for record in found] == [{"name": "Alice", "age": 31, "views": 1}]
        with requests.get(running.api + "/stream/my/*?last=1", stream=True, timeout=20) as stream:
            for raw in stream.iter_lines():
                if raw == b"event: caught-up":
                    running.drops("save my/data @user-2 n: 2", secret)
                if raw.startswith(b"data:") and b"user-2" in raw:
                    assert json.loads(raw[6:])["payload"] == {"n": 2}
                    break
        for i in range(30):
            running.drops(f'save page @index "v{i}"', secret)
            assert requests.get(running.view + "/page/", timeout=9).text == f"v{i}"
        site = tmp_path / "site"
        site.mkdir()
        (site / "index.html").write_text("<h1>one</h1>")
        (site / "dot.gif").write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
        assert told(ocean("publish", str(site), "site", "--json", url=running.api, key=secret))["uploaded"] == 2
        assert requests.get(running.view + "/site/dot.gif", timeout=9).content.startswith(b"GIF89a")
        answers = [running.post("/drop", {"route": "once", "payload": i}, secret).status_code for i in range(50)]
        assert set(answers) == {201}
    finally:
        assert stop(running) == 0
