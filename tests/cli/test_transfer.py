"""`ocean import`, `ocean export` and tables in the terminal, where files and names are not as one would like them."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from ocean.cli.client import Client
from ocean.cli.reading import Batch, Place, batches
from ocean.cli.sending import HalfError, Sending
from ocean.core import keys
from ocean.core.keys import public_of
from tests.cli.test_cli import ocean
from tests.conftest import Running


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name,age\nAda,36\nBob\n", "line 3, has 1 cells; its first line has 2"),
        (b"name,age\nAda,36,7\n", "line 2, has 3 cells"),
        (b'name,age\n"Ada" x,36\n', "line 2, is not CSV"),
        (b"name,name\nAda,36\n", "the column 'name' twice"),
        (b"name\nJos\xe9\n", "is not UTF-8"),
    ],
)
def test_a_broken_csv_is_told_by_its_line_and_nothing_is_saved(
    server: Running, secret: str, tmp_path: Path, content: bytes, says: str
) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    done = ocean("import", str(file), "broken/csv", url=server.api, key=secret, home=tmp_path)
    assert done.returncode == 1, done.stdout
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert server.post("/query", {"prefix": "broken/csv"}).json()["results"] == []


def test_an_export_to_a_folder_that_is_not_there(server: Running, secret: str, tmp_path: Path) -> None:
    done = ocean("export", "some/data", str(tmp_path / "no" / "file"), url=server.api, key=secret)
    assert done.returncode != 0
    assert "is not there" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_export_that_fails_leaves_the_file_of_before(server: Running, secret: str, tmp_path: Path) -> None:
    route = f"kept{uuid.uuid4().hex[:8]}/closed"
    assert server.drops(f"save {route} @a x: 1", secret).ok
    assert server.drops(f"share {route} with @{keys.public_of(secret)} mode shared", secret).ok
    file = tmp_path / "kept.ndjson"
    file.write_text("of before")
    assert ocean("export", route, str(file), url=server.api).returncode == 1
    assert file.read_text() == "of before"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.ndjson"]


def test_a_table_shows_every_column(server: Running, secret: str) -> None:
    for statement in ('save table/a @k1 name: "Ada" key: "hers" n: 1', 'save table/b @k2 name: "Bob" n: 1'):
        assert server.drops(statement, secret).ok
    text = ocean("exec", "sql \"SELECT a.name, b.name FROM 'table/a' a JOIN 'table/b' b ON a.n = b.n\"".replace("'", '\\"'), url=server.api)
    assert "Ada" in text.stdout
    assert "Bob" in text.stdout, text.stdout + text.stderr
    shown = ocean("exec", "list table/a", url=server.api).stdout
    assert "k1" in shown
    assert "hers" in shown


def test_a_key_that_begins_with_a_dash_is_no_option(server: Running) -> None:
    public = public_of("osk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACE")
    assert public.startswith("-")
    for command in (("mail", "give", "dashed-box"), ("io", "grant")):
        done = ocean(*command, public, *(("5",) if command[0] == "io" else ()), "--data", str(server.data), url=server.api)
        assert done.returncode == 0, done.stderr


def test_what_was_queued_is_not_called_changed(server: Running, secret: str) -> None:
    assert server.drops('save queued/a @k mail: "ada@example.com"', secret).ok
    given = ocean("mail", "give", "queued-box", public_of(secret), "--data", str(server.data), url=server.api, key=secret)
    assert given.returncode == 0, given.stderr
    sent = ocean("exec", 'find queued/a then send email to .mail subject "Hi" body "There"', url=server.api, key=secret)
    assert "1 message queued." in sent.stdout, sent.stdout + sent.stderr
    called = ocean("exec", 'find queued/a then call "http://127.0.0.1:9/x"', url=server.api, key=secret)
    assert "1 call queued." in called.stdout, called.stdout + called.stderr
    hooked = ocean("exec", 'when queued/a changes call "http://127.0.0.1:9/x"', url=server.api, key=secret)
    assert hooked.returncode == 0


def test_a_record_that_is_refused_is_named_and_the_rest_goes_on_behind_what_is_saved(server: Running, secret: str, tmp_path: Path) -> None:
    lines = [f'{{"_key": "k{n}", "n": {n}}}' for n in range(4500)]
    file = tmp_path / "many.ndjson"
    file.write_text("\n".join([*lines[:1700], '{"_key": "bad//key"}', *lines[1700:]]))
    refused = ocean("import", str(file), "told/well", url=server.api, key=secret, home=tmp_path)
    assert refused.returncode == 1
    assert "Record 1701" in refused.stderr
    assert "The first 1000 records of the file are in told/well" in refused.stderr
    assert "--skip 1000" in refused.stderr
    assert server.drops("find told/well then count", secret).json() == {"count": 1000}
    file.write_text("\n".join(lines))
    done = ocean("import", str(file), "told/well", "--skip", "1000", url=server.api, key=secret, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.drops("find told/well then count", secret).json() == {"count": 4500}
    assert server.drops("get told/well @k5", secret).json()["version"] == 1


def _exported(file: Path, expires_at: str) -> Path:
    """An export of 2,500 records, of which every second one has a time that it ends at."""
    records = ({"route": "r", "key": f"k{n}", "payload": {"n": n}, **({"expires_at": expires_at} if n % 2 else {})} for n in range(2500))
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_batches_are_cut_alike_whatever_has_expired_meanwhile(tmp_path: Path) -> None:
    lasting = _exported(tmp_path / "lasting.ndjson", "2999-01-01T00:00:00Z")
    over = _exported(tmp_path / "over.ndjson", "2001-01-01T00:00:00Z")
    cuts = [[(b.first, b.records) for b in batches(file, "ndjson", Place("r", None), None, 300)] for file in (lasting, over)]
    assert cuts[0] == cuts[1] == [(300, 1000), (1300, 1000), (2300, 200)]
    (first, *_) = batches(over, "ndjson", Place("r", None), None, 300)
    assert first.numbers == list(range(301, 1301, 2))
    assert [op["key"] for op in first.ops] == [f"k{n - 1}" for n in first.numbers]


def test_a_batch_that_landed_unheard_is_not_a_conflict(
    server: Running, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("OCEAN_URL", server.api), ("OCEAN_KEY", secret), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)

    def saved(ttl: int, number: int) -> Batch:
        return Batch(0, 1, [{"op": "save", "route": "unheard", "key": f"k{number}", "payload": 1, "ttl": ttl}], [1], 10)

    with Sending(Client(), ["file", "unheard"], ["bytes"]) as first:
        first.send(0, saved(1000, 0))
        first.send(1, saved(1000, 1))
    (state,) = (tmp_path / ".cache" / "ocean" / "imports").iterdir()
    state.write_text(json.dumps({**json.loads(state.read_text()), "landed": 0}))  # it was cut off before it noted them
    with Sending(Client(), ["file", "unheard"], ["bytes"]) as again:
        for number in range(3):
            again.send(number, saved(900, number))  # there is less time left by now
        again.end()
    found = server.drops("list unheard", secret).json()["entities"]
    assert sorted((one["key"], one["version"]) for one in found) == [("k0", 1), ("k1", 1), ("k2", 1)]
    assert not state.exists()


def test_an_import_with_a_skip_that_was_cut_off_goes_on_where_it_was(
    server: Running, secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it began anew, and saved its events once more."""
    for name, value in (("OCEAN_URL", server.api), ("OCEAN_KEY", secret), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    batch = Batch(1000, 1, [{"op": "save", "route": "skipped", "payload": 1}], [1001], 10)
    with Sending(Client(), ["file", "skipped"], ["bytes", 1000], instead=True) as first:
        first.send(0, batch)
        first._land(0)
    with Sending(Client(), ["file", "skipped"], ["bytes", 1000], instead=True) as again:
        assert again.landed == 1
    with pytest.raises(HalfError):
        Sending(Client(), ["file", "skipped"], ["other bytes", 0])
    with Sending(Client(), ["file", "skipped"], ["other bytes", 1001], instead=True) as mended:
        assert mended.landed == 0
        mended.end()


def test_a_file_that_was_mended_is_not_saved_twice(server: Running, secret: str, tmp_path: Path) -> None:
    lines = [f'{{"n": {n}}}' for n in range(2500)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join([*lines[:2100], '{"_key": "bad//key"}', *lines[2100:]]))
    assert "--skip 2000" in ocean("import", str(file), "mended/a", url=server.api, key=secret, home=tmp_path).stderr
    file.write_text("\n".join(lines))
    refused = ocean("import", str(file), "mended/a", url=server.api, key=secret, home=tmp_path)
    assert refused.returncode == 1
    assert "--skip 2000" in refused.stderr
    assert "--anew" in refused.stderr
    assert server.drops("find mended/a then count", secret).json() == {"count": 2000}
    done = ocean("import", str(file), "mended/a", "--skip", "2000", url=server.api, key=secret, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert server.drops("find mended/a then count", secret).json() == {"count": 2500}
    again = ocean("import", str(file), "mended/a", url=server.api, key=secret, home=tmp_path)  # one that ended saves all of it again
    assert again.returncode == 0, again.stderr
    assert server.drops("find mended/a then count", secret).json() == {"count": 5000}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("null.ndjson", '{"n": 1}\nnull\n', "Record 2 is null"),
        ("key.ndjson", '{"n": 1}\n{"n": ""}\n', "Record 2 has no field 'n'"),
        ("odd.txt", "n,m\n1,2\n", "--format"),
    ],
)
def test_what_is_no_record_is_told_before_anything_is_saved(
    server: Running, secret: str, tmp_path: Path, name: str, text: str, says: str
) -> None:
    (tmp_path / name).write_text(text)
    done = ocean("import", str(tmp_path / name), "norecord/a", "--key", "n", url=server.api, key=secret, home=tmp_path)
    assert done.returncode == 1
    assert says in done.stderr
    assert server.post("/query", {"prefix": "norecord/a"}, secret).json()["results"] == []


def test_a_byte_order_mark_is_no_fault_and_a_key_is_wanted(server: Running, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "marked.ndjson"
    file.write_text('{"_key": "a", "n": 1}\n', encoding="utf-8-sig")
    refused = ocean("import", str(file), "marked/a", url=server.api, key="", home=tmp_path)
    assert refused.returncode != 0
    assert "needs a key" in refused.stderr
    assert ocean("import", str(file), "marked/a", url=server.api, key=secret, home=tmp_path).returncode == 0


def test_a_file_that_breaks_off_saves_nothing(server: Running, secret: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.ndjson"
    file.write_text("\n".join([f'{{"n": {n}}}' for n in range(1500)] + ["{"]))
    done = ocean("import", str(file), "told/broken", url=server.api, key=secret, home=tmp_path)
    assert "line 1501, is not JSON" in done.stderr
    assert server.post("/query", {"prefix": "told/broken"}).json()["results"] == []


def test_a_table_says_where_there_is_more(server: Running, secret: str) -> None:
    assert server.post("/bulk", {"ops": [{"route": "more", "key": f"k{n}", "payload": {"n": n}} for n in range(150)]}, secret).ok
    assert "There is more" in ocean("exec", "find more", url=server.api).stderr
    assert "There is more" not in ocean("exec", "find more limit 200", url=server.api).stderr


def test_a_table_of_semicolons_has_columns_and_one_without_keys_says_so(server: Running, secret: str, tmp_path: Path) -> None:
    """It was one column called `name;age`."""
    file = tmp_path / "spreadsheet.csv"
    file.write_text("name;age\nAnn;31\nBob;19\n")
    done = ocean("import", str(file), "told/semi", url=server.api, key=secret, home=tmp_path)
    assert ("2 records" in done.stdout, "--key FIELD" in done.stderr) == (True, True)
    assert server.drops("find told/semi sort age pick name, age", secret).json()["results"] == [
        {"name": "Bob", "age": 19},
        {"name": "Ann", "age": 31},
    ]
    done = ocean("import", str(file), "told/keyed", "--key", "name", url=server.api, key=secret, home=tmp_path)
    assert "--key" not in done.stderr


def test_keys_of_a_csv_are_what_they_look_like(server: Running, secret: str, tmp_path: Path) -> None:
    """Numbers were read and written again: 1.1 and 1.10 became one record."""
    said = ('@"1.1" t: "one"', '@"1.10" t: "ten"', '@"1e2" t: "exp"', '@true t: "yes"', '@"=1" t: "="')
    server.drops("; ".join(f"save ver/a {one}" for one in said), secret)
    file = tmp_path / "a.csv"
    assert ocean("export", "ver/a", str(file), "--format", "csv", url=server.api, key=secret).returncode == 0
    assert ocean("import", str(file), "ver/b", url=server.api, key=secret, home=tmp_path).returncode == 0
    found = [
        {one["key"]: one["payload"]["t"] for one in server.drops(f"list {name}", secret).json()["entities"]} for name in ("ver/a", "ver/b")
    ]
    assert found[0] == found[1]
    assert len(found[0]) == 5
    file.write_text("id,n\n007,1\n7,2\n")
    assert ocean("import", str(file), "ver/c", "--key", "id", url=server.api, key=secret, home=tmp_path).returncode == 0
    assert [one["key"] for one in server.drops("list ver/c", secret).json()["entities"]] == ["007", "7"]


@pytest.mark.parametrize("key", ["true", '{"a": 1}', "[1]"])
def test_a_key_that_is_neither_text_nor_a_number_is_told(server: Running, secret: str, tmp_path: Path, key: str) -> None:
    file = tmp_path / "a.ndjson"
    file.write_text(f'{{"_key": {key}, "n": 1}}\n')
    done = ocean("import", str(file), "odd/keys", url=server.api, key=secret, home=tmp_path)
    assert (done.returncode, "Record 1 has a key that is neither" in done.stderr) == (1, True)


def test_a_csv_of_many_columns_and_long_cells_is_read(tmp_path: Path) -> None:
    """Its names were each looked for among all the others: a minute and more for 60,000."""
    file = tmp_path / "wide.csv"
    file.write_text(",".join(f"c{n}" for n in range(60_000)) + "\n" + ",".join(["x" * 200_000, *["1"] * 59_999]) + "\n")
    begun = time.monotonic()
    (batch,) = batches(file, "csv", Place("r", None), None, 0)
    assert len(batch.ops[0]["payload"]) == 60_000
    assert time.monotonic() - begun < 20
