"""sql: one SELECT, the same on both engines, and nothing beside it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.query.sql import sql
from tests.services.test_find import plain, shop

__all__ = ["shop"]
GROUPED = "SELECT category, count(*) AS n, sum(amount) FROM orders WHERE amount > 2 GROUP BY category ORDER BY n DESC, category"
CASES = "SELECT CASE WHEN amount > 5 THEN 'much' ELSE 'little' END AS a, count(*) FROM orders GROUP BY a ORDER BY a"
SHUT = (
    "SELECT secret FROM shut",
    "SELECT (SELECT max(secret) FROM shut) AS s FROM users",
    "WITH x AS (SELECT * FROM shut) SELECT * FROM x",
    "SELECT key FROM users UNION SELECT secret FROM shut",
    "SELECT key FROM users WHERE EXISTS (SELECT 1 FROM shut)",
)


async def rows(ocean: Ocean, who: Caller, query: str) -> list[Any]:
    found: list[Any] = plain(await sql(ocean, who, query=query))["rows"]
    return found


async def test_a_select_over_folders(shop: Ocean, alice: Caller) -> None:
    answer = plain(await sql(shop, alice, query="SELECT name, team FROM users WHERE team = 'a' ORDER BY name"))
    assert (answer["columns"], answer["rows"]) == (["name", "team"], [["Ann", "a"], ["Dee", "a"]])
    assert await rows(shop, alice, GROUPED) == [
        ["book", 2, 12.5], ["tea", 1, 7], [None, 1, 100],
    ]  # fmt: skip
    joined = "SELECT u.name, t.title FROM users u JOIN teams AS t ON t.key = u.team ORDER BY u.name"
    assert await rows(shop, alice, joined) == [["Ann", "Alpha"], ["Bob", "Beta"], ["Dee", "Alpha"]]
    window = (
        "SELECT key, row_number() OVER (PARTITION BY category ORDER BY key) AS place FROM orders WHERE category IS NOT NULL ORDER BY key"
    )
    assert [row[1] for row in await rows(shop, alice, window)] == [1, 2, 1, 2]
    several = "WITH a AS (SELECT team FROM users), b AS (SELECT team FROM a WHERE team = 'a') SELECT count(*) FROM b"
    assert await rows(shop, alice, several) == [[2]]
    cte = "WITH big AS (SELECT user_id, amount FROM orders WHERE amount >= 7) SELECT count(*) AS n, max(amount) FROM big"
    assert await rows(shop, alice, cte) == [[3, 100]]
    assert await rows(shop, alice, "SELECT name FROM users WHERE key IN (SELECT user_id FROM orders WHERE gift = true)") == [["Ann"]]
    exists = "SELECT u.name FROM users u WHERE EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.key AND o.amount > 50)"
    assert await rows(shop, alice, exists) == [["Cid"]]
    assert await rows(shop, alice, "SELECT key FROM users UNION SELECT key FROM teams ORDER BY 1 LIMIT 2") == [["a"], ["b"]]
    assert await rows(shop, alice, "SELECT upper(name) || '!' AS loud FROM users WHERE name LIKE 'A%' OR name ILIKE 'bO%' ORDER BY 1") == [
        ["ANN!"], ["BOB!"],
    ]  # fmt: skip
    assert await rows(shop, alice, CASES) == [
        ["little", 3], ["much", 3],
    ]  # fmt: skip
    star = plain(await sql(shop, alice, query="SELECT * FROM users ORDER BY key"))
    assert (star["columns"], star["rows"][0], star["rows"][2]) == (["key", "name", "team"], ["u1", "Ann", "a"], ["u3", "Cid", None])
    both = plain(
        await sql(shop, alice, query='SELECT o.*, u.name AS who FROM "orders" o LEFT JOIN users u ON u.key = o.user_id ORDER BY o.key')
    )
    third = dict(zip(both["columns"], both["rows"][2], strict=True))  # JSONB of PostgreSQL has an order of its own
    assert third == {"key": "o2", "user_id": "u1", "category": "tea", "amount": third["amount"], "gift": True, "who": "Ann"}


async def test_fields_inside_others_lists_and_counters(ocean: Ocean, alice: Caller) -> None:
    await execute(
        ocean, alice, parse('save deep/er @a { at: { city: "Oslo", zip: 150 }, tags: ("x", "y"), ok: true }; add 3 to deep/er @a views')
    )
    found = await rows(ocean, alice, 'SELECT d.at.city, "at.zip" + 1 AS zip, tags, ok, views FROM "deep/er" d')
    assert found == [["Oslo", 151, ["x", "y"], True, 3]]
    assert await rows(ocean, alice, "SELECT at.city FROM \"deep/er\" WHERE at.zip = 150 AND created_at > '2020-01-01'") == [["Oslo"]]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("DELETE FROM users", "One SELECT"),
        ("SELECT 1; SELECT 2", "One SELECT"),
        ("SELECT name FROM users WHERE (", "missing"),
        ("SELECT name frm users x y", "unexpected"),
        ("SELECT load_extension('x')", "load_extension"),
        ("SELECT pg_read_file('/etc/passwd') FROM users", "pg_read_file"),
        ("SELECT * FROM pg_catalog.pg_tables", "one name"),
        ("WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT n FROM t", "RECURSIVE"),
        ("SELECT name FROM users, teams", "could be of several"),
        ("SELECT name FROM users FOR UPDATE", "not allowed"),
        ("SELECT name INTO x FROM users", "not allowed"),
        ("SELECT name FROM users LIMIT (SELECT 5)", "LIMIT"),
        ("SELECT randomblob(1000000000) FROM users", "randomblob"),
        ("SELECT * FROM generate_series(1, 1000000)", ""),
        ("SELECT CAST(name AS bytea) FROM users", "cast"),
        ("PRAGMA table_info(record)", "One SELECT"),
        ("SELECT count(*) FROM users WHERE name ~ '(a'", "expression"),
        ("ATTACH 'x' AS y", ""),
    ],
)
async def test_anything_else_is_refused(shop: Ocean, alice: Caller, query: str, says: str) -> None:
    with pytest.raises(OceanError) as caught:
        await rows(shop, alice, query)
    assert caught.value.code in ("SQL_ERROR", "INVALID_VALUE")
    assert says.lower() in caught.value.message.lower()


async def test_an_error_has_its_place(shop: Ocean, alice: Caller) -> None:
    for query, place in (("SELECT\n  evil(name) FROM users", (2, 3)), ("SELECT name FROM users WHERE )", (1, 30))):
        with pytest.raises(OceanError) as caught:
            await rows(shop, alice, query)
        assert (caught.value.details["line"], caught.value.details["column"]) == place


async def test_a_table_of_the_store_is_only_a_folder_of_that_name(shop: Ocean, alice: Caller) -> None:
    for table in ("record", "drops", "rule", "head", "sqlite_master"):
        assert await rows(shop, alice, f"SELECT count(*) FROM {table}") == [[0]]


async def test_every_scan_has_the_readers_access_and_price(shop: Ocean, alice: Caller, bob: Caller) -> None:
    await execute(shop, alice, parse('save users @paid name: "Paid" price 5; save shut @a secret: "s"'))
    await execute(shop, alice, parse(f"share shut with @{keys.generate().public} mode shared"))
    assert await rows(shop, alice, "SELECT count(*) FROM users") == [[5]]
    assert await rows(shop, bob, "SELECT count(*), min(name) FROM users WHERE name LIKE '%'") == [[4, "Ann"]]
    for query in SHUT:
        with pytest.raises(OceanError) as caught:
            await rows(shop, bob, query)
        assert caught.value.code == "FORBIDDEN"


@pytest.mark.parametrize("name", ["a b", "x'y", "a;b", "--", "select", "日本", "a`b", "?", "{}", "%s", ":x", "f0", "r"])
async def test_hostile_names_are_only_names(ocean: Ocean, alice: Caller, name: str) -> None:
    from ocean.services.data import records

    await records.save(ocean, alice, route="odd", key="k", payload={name: "it's", "n": 1})
    answer = plain(
        await sql(
            ocean, alice, query=f'SELECT "{name}", "{name}" AS "{name}2", n AS "{name}n" FROM odd AS "{name}" WHERE "{name}" = \'it\'\'s\''
        )
    )
    assert (answer["columns"], answer["rows"]) == ([name, f"{name}2", f"{name}n"], [["it's", "it's", 1]])


async def test_types_are_not_mixed_and_ten_thousand_rows_are_the_most(ocean: Ocean, alice: Caller) -> None:
    from ocean.services.data import records

    await records.bulk(ocean, alice, ops=[{"route": "many", "payload": {"n": i}} for i in range(10_000)])
    await records.save(ocean, alice, route="many", payload={"n": "text"})
    assert await rows(ocean, alice, "SELECT count(*) FROM many WHERE n > '9999z'") == [[1]]
    answer = plain(await sql(ocean, alice, query="SELECT key FROM many"))
    assert (len(answer["rows"]), answer["truncated"]) == (10_000, True)


HOLES = (
    "SELECT 0 AS n UNION ALL SELECT 1 ORDER BY 1 LIMIT 1 OFFSET (SELECT count(*) FROM drops)",
    "SELECT 0 AS n UNION ALL SELECT 1 ORDER BY (SELECT count(*) FROM rule)",
    "SELECT n FROM (SELECT 0 AS n UNION ALL SELECT 1 ORDER BY (SELECT max(payload) FROM drops)) t",
    "SELECT n FROM (SELECT 1 AS n LIMIT (SELECT count(*) FROM record)) t",
    "SELECT key FROM users ORDER BY (SELECT payload FROM drops LIMIT 1)",
    "SELECT 1 AS a FROM users GROUP BY (SELECT payload FROM drops LIMIT 1)",
    "SELECT sum(1) OVER (ORDER BY (SELECT payload FROM drops LIMIT 1)) AS s FROM users",
    "WITH record AS (SELECT 1 AS x) SELECT x, (SELECT count(*) FROM drops) AS y FROM record",
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM drops WHERE payload LIKE '%secret%') THEN 1 ELSE 0 END AS found",
)


@pytest.mark.parametrize("query", HOLES)
async def test_no_place_of_a_statement_reads_the_stores_own_tables(shop: Ocean, alice: Caller, bob: Caller, query: str) -> None:
    """What is named like one of them is at most a folder of that name, which is empty; in some places no folder can be read at all."""
    await execute(shop, alice, parse('save shut @a secret: "s3cret"'))
    found: list[Any] = []
    with contextlib.suppress(OceanError):
        found = await rows(shop, bob, query)
    assert "s3cret" not in str(found)
    assert all(value in (0, 1, 2, 4, None) or isinstance(value, str) for row in found for value in row), found


async def test_a_name_that_a_select_gives_is_never_a_table_of_the_store(shop: Ocean, alice: Caller) -> None:
    assert await rows(shop, alice, "WITH record AS (SELECT name FROM users) SELECT count(*) FROM record") == [[4]]
    named = "WITH drops AS (SELECT name AS payload FROM users) SELECT min(payload) FROM drops"
    assert await rows(shop, alice, named) == [["Ann"]]
    assert await rows(
        shop, alice, "SELECT * FROM (SELECT * FROM (SELECT name, count(*) FROM users GROUP BY name) a) b ORDER BY name LIMIT 1"
    ) == [["Ann", 1]]


async def test_text_does_not_grow_without_an_end(shop: Ocean, alice: Caller) -> None:
    query = "SELECT name AS v FROM users WHERE key = 'u1'"
    for _ in range(7):
        query = f"SELECT {'||'.join(['v'] * 16)} AS v FROM ({query}) t"
    assert await rows(shop, alice, f"SELECT length(v) AS n FROM ({query}) t") == [[1_000_000]]
    for refused in (
        "SELECT replace(name, 'A', name) FROM users",
        "SELECT string_agg(name, ',') FROM users",
        "SELECT power(9, 9) FROM users",
        f"SELECT name FROM users LIMIT {'9' * 5000}",
        f"SELECT {'9' * 5000} FROM users",
        f"SELECT {'||'.join(['name'] * 400)} FROM users",
        "SELECT name FROM users OFFSET -1",
    ):
        with pytest.raises(OceanError) as caught:
            await rows(shop, alice, refused)
        assert caught.value.code == "SQL_ERROR"


async def test_time_is_cut_and_taken_apart_the_same_on_both_engines(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse('save sales @a at: "2026-03-05T09:07:08Z" n: 1; save sales @b at: "2026-03-31T23:00:00Z" n: 2'))
    await execute(ocean, alice, parse('save sales @c at: "2025-12-31" n: 4; save sales @d at: "soon" n: 8; save sales @e n: 16'))
    month = "SELECT date_trunc('month', at) AS month, sum(n) AS n FROM sales WHERE at LIKE '2026%' GROUP BY month"
    assert await rows(ocean, alice, month) == [["2026-03-01T00:00:00.000Z", 3]]
    parts = "extract(year FROM at), extract(month FROM at), extract(hour FROM at), extract(second FROM at), date(at)"
    assert await rows(ocean, alice, f"SELECT {parts} FROM sales ORDER BY key") == [
        [2026, 3, 9, 8, "2026-03-05"], [2026, 3, 23, 0, "2026-03-31"], [2025, 12, None, None, "2025-12-31"],
        [None, None, None, None, None], [None, None, None, None, None],
    ]  # fmt: skip
    assert await rows(ocean, alice, "SELECT count(*) FROM sales WHERE created_at <= now() AND created_at > current_date") == [[5]]
    inner = "date(date_trunc('month', at)), extract(year FROM date_trunc('day', at)), date(now()) = current_date"
    assert await rows(ocean, alice, f"SELECT {inner} FROM sales WHERE key = 'a'") == [["2026-03-01", 2026, True]]
    for wrong in ("date_trunc('fortnight', at)", "extract(epoch FROM at)", "date(date(date(date(at))))"):
        with pytest.raises(OceanError) as caught:
            await rows(ocean, alice, f"SELECT {wrong} FROM sales")
        assert caught.value.code == "SQL_ERROR"


async def test_folders_are_joined_by_a_field_of_both(shop: Ocean, alice: Caller) -> None:
    await execute(shop, alice, parse('save left/a @1 id: 1 n: "x"; save left/b @1 id: 1 m: "y"; save left/b @2 id: 2 m: "z"'))
    assert await rows(shop, alice, 'SELECT a.n, b.m FROM "left/a" a JOIN "left/b" b USING (id)') == [["x", "y"]]


@pytest.mark.parametrize(
    ("query", "place"),
    [("DELETE FROM users", (1, 1)), ("SELECT 1;\n  SELECT 2", (1, 10)), ("SELECT name FROM users\nWHERE name = ?", (2, 14))],
)
async def test_each_fault_says_where_it_is(shop: Ocean, alice: Caller, query: str, place: tuple[int, int]) -> None:
    with pytest.raises(OceanError) as caught:
        await rows(shop, alice, query)
    assert (caught.value.code, (caught.value.details["line"], caught.value.details["column"])) == ("SQL_ERROR", place)


async def test_a_division_is_one_of_numbers_on_every_engine_and_by_nothing_it_is_null(ocean: Ocean, alice: Caller) -> None:
    """5 / 2 was 2 on one engine and 2.5 on the other; 1 / 0 null or an error."""
    await execute(ocean, alice, parse("save d @a n: 5"))
    found = await sql(ocean, alice, query="SELECT n / 2, 5 / 2, n / 0, (n + 1) / (n - 2), n % 2 FROM d")
    assert found["rows"] == [[2.5, 2.5, None, 2, 1]]


async def test_a_cursor_is_not_translated(ocean: Ocean, alice: Caller) -> None:
    """It was left out without a word."""
    with pytest.raises(OceanError) as caught:
        await execute(ocean, alice, parse("""translate 'find users sort name after "x"' to sql"""))
    assert (caught.value.code, "cursor" in caught.value.message) == ("INVALID_VALUE", True)


async def test_a_translated_statement_can_be_asked_here(ocean: Ocean, alice: Caller) -> None:
    """An export's `_key` was a column of nulls."""
    await execute(ocean, alice, parse("save e @a n: 5"))
    assert (await sql(ocean, alice, query="SELECT _key, n FROM e WHERE _key = 'a'"))["rows"] == [["a", 5]]
    await execute(ocean, alice, parse('save e @b _key: "own"'))
    assert (await sql(ocean, alice, query="SELECT _key FROM e WHERE key = 'b'"))["rows"] == [["own"]]
    with pytest.raises(OceanError) as caught:
        await sql(ocean, alice, query="SELECT * FROM rep/sales")
    assert caught.value.hint == 'A folder stands in quotes: "rep/sales"'
