"""The command line, as it is typed."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from ocean.core import keys
from tests.conftest import Running, check, free_port, start, stop


def ocean(
    *words: str, url: str = "", key: str = "", home: Path | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OCEAN_URL": url, "OCEAN_KEY": key, "COLUMNS": "150", **({"HOME": str(home)} if home else {})}
    return subprocess.run(
        [sys.executable, "-m", "ocean.cli", *words], capture_output=True, text=True, timeout=60, env=environment, input=stdin
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    (folder / "img").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>one</h1>")
    (folder / "about.html").write_text("<p>about</p>")
    (folder / "img/dot.gif").write_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("secret")
    (folder / ".env").write_text("secret")
    (folder / ".well-known").mkdir()
    (folder / ".well-known/security.txt").write_text("Contact: mailto:a@example.com")
    (folder / "out").symlink_to("/etc/hostname")
    return folder


def test_publish_republish_and_roll_back(server: Running, secret: str, site: Path) -> None:
    run = lambda *words: ocean(*words, url=server.api, key=secret)  # noqa: E731
    plan = told(run("publish", str(site), "cli/site", "--dry-run", "--json"))
    assert plan["change"] == [".well-known/security.txt", "about.html", "img/dot.gif", "index.html"]
    assert requests.get(f"{server.view}/cli/site/", timeout=9).status_code == 404
    assert told(run("publish", str(site), "cli/site", "--json"))["uploaded"] == 4
    assert requests.get(f"{server.view}/cli/site/", timeout=9).text == "<h1>one</h1>"
    assert requests.get(f"{server.view}/cli/site/img/dot.gif", timeout=9).headers["content-type"] == "image/gif"
    for hidden in (".git/config", ".env"):
        assert requests.get(f"{server.view}/cli/site/{hidden}", timeout=9).status_code == 404
    (site / "index.html").write_text("<h1>two</h1>")
    (site / "about.html").unlink()
    again = run("publish", str(site), "cli/site")
    assert "1 uploaded, 1 changed, 1 removed, 2 as before." in again.stdout
    assert "up to date" in run("publish", str(site), "cli/site").stdout
    assert requests.get(f"{server.view}/cli/site/about", timeout=9).status_code == 404
    assert run("rollback", "cli/site").returncode == 0
    assert requests.get(f"{server.view}/cli/site/", timeout=9).text == "<h1>one</h1>"
    assert requests.get(f"{server.view}/cli/site/about", timeout=9).text == "<p>about</p>"
    (found,) = told(run("sites", "--json"))["results"]  # type: ignore[misc]
    assert (found["route"], found["files"]) == ("cli/site", 4)
    refused = ocean("publish", str(site), "cli/site", url=server.api, key=keys.generate().secret)
    assert (refused.returncode, "FORBIDDEN" in refused.stderr) == (1, True)


def test_exec_as_a_table_as_json_and_from_the_standard_input(server: Running, secret: str) -> None:
    run = lambda *words, **named: ocean(*words, url=server.api, key=secret, **named)  # noqa: E731
    assert run("exec", 'save cli @a name: "Ålice" n: 1').returncode == 0
    table = run("exec", "find cli").stdout
    assert "Ålice" in table
    assert told(run("exec", "find cli then count", "--json")) == {"count": 1}
    assert told(run("exec", "-", "--json", stdin="get cli @a"))["payload"] == {"name": "Ålice", "n": 1}
    failed = run("exec", "finde cli")
    assert (failed.returncode, "SYNTAX_ERROR" in failed.stderr, "Did you mean 'find'?" in failed.stderr) == (1, True, True)
    assert json.loads(run("exec", "get cli @none", "--json").stdout)["error"]["code"] == "NOT_FOUND"


def test_nobody_there_is_one_sentence_and_exit_2(server: Running) -> None:
    for url, says in (
        (f"http://127.0.0.1:{free_port()}", "does not answer"),
        (server.view, "is not an Infinite Ocean API"),
        ("nonsense", "begins with http"),
    ):
        done = ocean("exec", "whoami", url=url)
        assert (done.returncode, done.stderr.count("\n"), says in done.stderr) == (2, 1, True), done.stderr


def test_the_shell_completes_answers_and_remembers(server: Running, secret: str, tmp_path: Path) -> None:
    parent, child = pty.openpty()
    environment = {
        **os.environ,
        "OCEAN_URL": server.api,
        "OCEAN_KEY": secret,
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "ocean.cli", "shell"], stdin=child, stdout=child, stderr=child, env=environment, close_fds=True
    )
    os.close(child)
    seen = ""

    def until(text: str) -> None:
        nonlocal seen
        while text not in seen:
            assert select.select([parent], [], [], 20)[0], seen
            seen += os.read(parent, 65536).decode(errors="replace")
        seen = seen.split(text, 1)[1]

    until("ocean>")
    os.write(parent, b"save shelled/x @a n: 41\r")
    until("version")
    os.write(parent, b"whoa\t")
    until("mi")  # completed
    os.write(parent, b"\r")
    until("tier")
    os.write(parent, b"nonsense\r")
    until("SYNTAX_ERROR")
    until("ocean>")
    os.write(parent, b"\x04")
    assert process.wait(20) == 0
    os.close(parent)
    assert "save shelled/x @a n: 41" in (tmp_path / ".ocean_history").read_text()
    assert (tmp_path / ".ocean_history").stat().st_mode & 0o077 == 0


def test_backup_while_it_runs_and_restore(server: Running, secret: str, tmp_path: Path) -> None:
    server.drops("save kept @a n: 1\nsave kept @a n: 2\nadd 3 to kept @a views", secret)
    up = requests.post(server.api + "/blob", data=b"bytes", headers={"x-blob-route": "kept", "x-ocean-key": secret}, timeout=9).json()
    file = tmp_path / "ocean.backup"
    done = ocean("backup", str(file), "--data", str(server.data))
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert ocean("backup", str(file), "--data", str(server.data)).returncode == 2  # never over another
    again = tmp_path / "again"
    restored = ocean("restore", str(file), "--data", str(again))
    assert (restored.returncode, "the chain holds" in restored.stdout) == (0, True), restored.stderr
    assert ocean("restore", str(file), "--data", str(again)).returncode == 1
    assert "the chain holds" in ocean("verify", "--data", str(again)).stdout
    running = start(again)
    try:
        assert running.drops("get kept @a", secret).json()["payload"] == {"n": 2, "views": 3}
        assert requests.get(f"{running.api}/blob/{up['drop_id']}", timeout=9).content == b"bytes"
        assert running.drops("save kept @b 1", secret).ok
    finally:
        assert stop(running) == 0
    assert check(again)[1] is None


def test_settings_from_the_file_the_environment_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "ocean.toml").write_text('keys_per_hour = 7\nlog_requests = true\nstore = "postgres://me:hidden@db/ocean"\n')
    rows = {row["name"]: row["value"] for row in json.loads(ocean("settings", "--json", "--data", str(tmp_path)).stdout)}
    assert (rows["OCEAN_KEYS_PER_HOUR"], rows["OCEAN_LOG_REQUESTS"], rows["OCEAN_STORE"]) == ("7", "true", "(secret)")
    assert "hidden" not in ocean("settings", "--data", str(tmp_path)).stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", "colour"),
        ("api = 5", "OCEAN_API"),
        ("keys_per_hour = 'many'", "OCEAN_KEYS_PER_HOUR"),
        ("log_requests = 'maybe'", "OCEAN_LOG_REQUESTS"),
        ("trusted_proxies = 'x'", "OCEAN_TRUSTED_PROXIES"),
        ("view_url = 'ftp://x'", "OCEAN_VIEW_URL"),
        ("store = 'mysql://x'", "OCEAN_STORE"),
        ("= 1", "ocean.toml"),
    ],
)
def test_a_broken_setting_is_one_sentence_and_exit_2(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "ocean.toml").write_text(text)
    done = ocean("up", "--data", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n"), says in done.stderr) == (2, 1, True), done.stderr


def test_a_folder_that_cannot_be_written_and_a_store_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ports = [f"127.0.0.1:{free_port()}" for _ in range(4)]
    where = ["--api", ports[0], "--view", ports[1], "--mail", ports[2], "--smtp", ports[3]]
    for words, says in (
        (["--data", str(tmp_path / "file/x")], "can't be written"),
        (["--data", str(tmp_path), "--store", f"postgres://x@127.0.0.1:{free_port()}/x"], "store"),
    ):
        done = ocean("up", *words, *where)
        assert (done.returncode, done.stderr.count("\n"), says in done.stderr) == (2, 1, True), done.stderr


def test_keys_and_verify_of_nothing(tmp_path: Path) -> None:
    pair = json.loads(ocean("keys", "--json").stdout)
    assert keys.public_of(pair["secret"]) == pair["public"]
    done = ocean("verify", "--data", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_what_was_exported_is_imported_where_it_was(server: Running, secret: str, tmp_path: Path) -> None:
    run = lambda *words, **named: ocean(*words, url=server.api, key=secret, **named)  # noqa: E731
    run("exec", 'save co @1 a: "top"; save co/sub @1 a: "deep"; save co/sub a: "event"; save co @2 "text"')
    for kind in ("ndjson", "json", "csv"):
        file = tmp_path / f"co.{kind}"
        assert run("export", "co", str(file), "--format", kind).returncode == 0
        done = run("import", str(file), f"back/{kind}")
        assert (done.returncode, "4 records" in done.stdout) == (0, True), done.stderr
        told_ = told(run("exec", f"find back/{kind}/* then count; get back/{kind} @1; get back/{kind}/sub @1", "--json"))["results"]
        assert [told_[0]["count"], told_[1]["payload"], told_[2]["payload"]] == [4, {"a": "top"}, {"a": "deep"}]  # type: ignore[index]
        again = run("import", str(file), f"back/{kind}")
        assert again.returncode == 0
        assert told(run("exec", f"find back/{kind}/* then count", "--json")) == {"count": 5}  # the event once more
    dry = run("exec", "find co then remove dry")
    assert "2 records would change" in dry.stdout
    shown = run("exec", 'sql "SELECT a, count(*) FROM co GROUP BY a ORDER BY 2"')
    assert "count" in shown.stdout
    big = tmp_path / "big.ndjson"
    big.write_text('{"_key": "a", "n": 123456789012345678901234567890, "m": 18446744073709551616}\n')
    assert run("import", str(big), "big/kept").returncode == 0
    assert "123456789012345678901234567890" in run("exec", "get big/kept @a", "--json").stdout
    wrong = run("exec", 'sql "SELECT a FROM co WHERE )"')
    assert "line 1, column" in wrong.stderr


def test_the_index_is_made_anew(tmp_path: Path) -> None:
    running = start(tmp_path / "data")
    try:
        secret = keys.generate().secret
        running.drops('save d @a text: "lighthouse"', secret)
        refused = ocean("reindex", "--data", str(tmp_path / "data"))
        assert (refused.returncode, "stop it first" in refused.stderr) == (1, True)
    finally:
        stop(running)
    done = ocean("reindex", "--data", str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    assert "made anew" in done.stdout
    running = start(tmp_path / "data")
    try:
        answer = running.post("/search", {"prefix": "d", "text": "lighthouses", "wait": True}, secret).json()
        assert [result["key"] for result in answer["results"]] == ["a"]
    finally:
        stop(running)


def test_an_import_that_ended_is_over(server: Running, secret: str, tmp_path: Path) -> None:
    """Importing the same file again once did nothing, and said that it had; on another server it left out what the first one had."""
    file = tmp_path / "people.ndjson"
    file.write_text('{"_key": "a", "n": 1}\n{"_key": "b", "n": 2}\n')
    for _ in range(2):
        done = ocean("import", str(file), "again/people", url=server.api, key=secret, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert server.drops("find again/people then count", secret).json() == {"count": 2}
        assert server.drops("find again/people then remove", secret).json()["affected"] == 2
    assert list((tmp_path / ".cache" / "ocean" / "imports").iterdir()) == []
