"""What a newcomer ran into, once."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from ocean.cli.processes import StartError, check_free
from ocean.cli.shell import goes_on
from ocean.core import keys
from tests.cli.test_cli import ocean
from tests.conftest import Running, free_port


def test_a_secret_key_in_a_route_is_kept_as_its_public_half(server: Running) -> None:
    pair = keys.generate()
    saved = server.post("/drop", {"route": f"{pair.secret}/notes", "key": "a", "payload": {"n": 1}}, pair.secret)
    assert (saved.status_code, saved.json()["route"]) == (201, f"{pair.public}/notes")
    assert server.drops(f"get {pair.secret}/notes @a", pair.secret).json()["route"] == f"{pair.public}/notes"
    assert server.drops(f"find {pair.secret}/* then count", pair.secret).json() == {"count": 1}
    assert requests.get(f"{server.view}/{pair.secret}/notes/a?_key={pair.secret}", timeout=9).status_code == 404  # an address is sent on
    for route in (f"x.{pair.secret}/notes", f"a/x{pair.secret}"):
        refused = server.post("/drop", {"route": route, "payload": 1}, pair.secret)
        assert (refused.json()["error"]["code"], pair.secret in refused.text) == ("INVALID_ROUTE", False)


def test_a_key_in_the_address_where_a_browser_sets_no_headers(server: Running) -> None:
    pair = keys.generate()
    server.drops('save addr @a n: 1; save addr @index "mine"', pair.secret)
    server.drops(f"share addr with @{pair.public} mode shared", pair.secret)
    for path in ("/entity/addr?key=a&_key=", "/entities/addr?_key=", "/entities/addr?key=", "/whoami?key=", "/whoami?_key="):
        assert requests.get(server.api + path + pair.secret, timeout=9).status_code == 200, path
    assert requests.get(f"{server.api}/entity/addr?key=a&_key={keys.generate().secret}", timeout=9).status_code == 403
    page = requests.get(f"{server.view}/addr/", headers={"x-ocean-key": pair.secret}, timeout=9)
    assert (page.status_code, page.text, page.headers["cache-control"]) == (200, "mine", "private, no-store")
    assert requests.get(f"{server.view}/addr/", timeout=9).status_code == 401
    written = requests.post(f"{server.api}/drop?_key={pair.secret}", json={"route": "addr", "payload": 1}, timeout=9)
    assert written.json()["error"]["code"] == "UNKNOWN_FIELD"  # never where a header could be set


def test_a_pair_that_came_to_nothing_is_not_counted_and_the_way_out_is_told(server: Running) -> None:
    body = {"route": f"first{free_port()}/of-all", "payload": 1}
    assert server.post("/drop", body).status_code == 201
    refused = server.post("/drop", body)
    assert refused.status_code == 403
    assert "without a key" in refused.json()["error"]["message"]
    assert "OCEAN_KEY" in refused.json()["error"]["hint"]


def test_json_without_its_type_is_json_all_the_same(server: Running, secret: str) -> None:
    answer = requests.post(server.api + "/exec", data='{"query": "whoami"}', headers={"x-ocean-key": secret}, timeout=9)
    assert answer.json()["tier"] == "balance"


def test_a_credential_that_is_cut_short_is_told_so(server: Running, secret: str) -> None:
    told = requests.get(server.api + "/whoami", headers={"x-ocean-key": secret[:-3]}, timeout=9).json()["error"]
    assert (told["code"], "this one has 40" in told["hint"]) == ("INVALID_CREDENTIAL", True)


def test_a_grant_to_what_is_no_key_is_told(server: Running, secret: str) -> None:
    server.drops("save granted @a 1", secret)
    assert "nobody has this grant" in server.drops("share granted with @bob", secret).json()["warning"]


def test_a_site_does_not_go_back_to_before_it_was_there(server: Running, secret: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("one")
    run = lambda *words: ocean(*words, url=server.api, key=secret)  # noqa: E731
    run("publish", str(tmp_path), "back/site")
    before = run("rollback", "back/site", "--to", "2001-01-01T00:00:00Z")
    assert (before.returncode, "was not there" in before.stderr) == (1, True)
    ahead = run("rollback", "back/site", "--to", "2999-01-01T00:00:00Z")
    assert (ahead.returncode, "has not come yet" in ahead.stderr) == (1, True)
    assert requests.get(f"{server.view}/back/site/", timeout=9).text == "one"
    (tmp_path / "index.html").write_text("two")
    (tmp_path / "new.html").write_text("new")
    planned = run("publish", str(tmp_path), "back/site", "--dry-run").stdout
    assert "~ index.html" in planned
    assert "+ new.html" in planned


def test_a_page_with_a_slash_behind_it_leads_to_the_page(server: Running, secret: str) -> None:
    server.drops('save slashed @about "<p>about"', secret)
    found = requests.get(f"{server.view}/slashed/about/", timeout=9)
    assert (found.text, found.url) == ("<p>about", f"{server.view}/slashed/about")


def test_two_addresses_on_one_port_are_refused_before_anything_starts() -> None:
    port = free_port()
    values = {"OCEAN_API": f"127.0.0.1:{port}", "OCEAN_VIEW": f"0.0.0.0:{port}"}
    with pytest.raises(StartError, match="both name port"):
        check_free(values, ("OCEAN_API", "OCEAN_VIEW"))
    check_free(values, ("OCEAN_API",))


def test_of_several_statements_the_failing_one_is_named_and_the_others_shown(server: Running, secret: str) -> None:
    done = ocean("exec", "save several @a n: 41; get several @b", url=server.api, key=secret)
    assert (done.returncode, "several" in done.stdout, "Statement 2 failed" in done.stderr) == (1, True, True)


@pytest.mark.parametrize(
    ("text", "more"),
    [("save a @b {", True), ("save a @b x: 1", False), ('save a @b "one', True), ("bulk (save a @b 1,", True), ("find a where (", True)],
)
def test_the_shell_waits_for_the_rest_of_a_statement(text: str, *, more: bool) -> None:
    assert goes_on(text) is more
