"""find in full: groups, joins, pipes and cursors, the same on both engines."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest

from ocean.commands.dispatch import execute, parse
from ocean.commands.query import _query
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.core.filters import condition_of
from ocean.errors import OceanError
from ocean.http.answers import json_
from ocean.services.data import records
from ocean.services.query.find import find

ORDERS = [
    {"user_id": "u1", "category": "book", "amount": 10},
    {"user_id": "u2", "category": "book", "amount": 2.5},
    {"user_id": "u1", "category": "tea", "amount": 7, "gift": True},
    {"user_id": "u9", "category": "tea", "amount": "seven"},
    {"user_id": "u2", "amount": 1},
    {"user_id": "u3", "category": None, "amount": 100},
]
USERS = {"u1": {"name": "Ann", "team": "a"}, "u2": {"name": "Bob", "team": "b"}, "u3": {"name": "Cid"}, "u4": {"name": "Dee", "team": "a"}}
TEAMS = {"a": {"title": "Alpha"}, "b": {"title": "Beta"}}


def plain(answer: dict[str, Any]) -> Any:
    """As a client reads it."""
    return orjson.loads(json_(answer).body or b"")


async def ask(ocean: Ocean, who: Caller, text: str) -> dict[str, Any]:
    found: dict[str, Any] = plain(await execute(ocean, who, parse(text)))
    return found


async def rows(ocean: Ocean, who: Caller, text: str) -> list[Any]:
    return list((await ask(ocean, who, text))["results"])


@pytest.fixture
async def shop(ocean: Ocean, alice: Caller) -> Ocean:
    ops = [{"route": "orders", "key": f"o{i}", "payload": order} for i, order in enumerate(ORDERS)]
    ops += [{"route": "users", "key": key, "payload": user} for key, user in USERS.items()]
    ops += [{"route": "teams", "key": key, "payload": team} for key, team in TEAMS.items()]
    await execute(ocean, alice, parse("bulk (save orders @gone 1)"))
    from ocean.services.data import records

    await records.bulk(ocean, alice, ops=ops)
    await execute(ocean, alice, parse("remove orders @gone"))
    return ocean


async def test_group_and_its_aggregates(shop: Ocean, alice: Caller) -> None:
    assert await rows(shop, alice, "find orders group category sum amount count") == [
        {"category": "book", "sum_amount": 12.5, "count": 2},
        {"category": "tea", "sum_amount": 7, "count": 2},
        {"category": None, "sum_amount": 101, "count": 2},
    ]
    (all_,) = await rows(shop, alice, "find orders group sum amount avg amount min amount max amount count first category last gift")
    assert all_ == {
        "sum_amount": 120.5, "avg_amount": 24.1, "min_amount": 1, "max_amount": "seven", "count": 6, "first_category": "book",
        "last_gift": True,
    }  # fmt: skip
    (found,) = await rows(shop, alice, "find orders where category = 'tea' group category distinct amount distinct user_id")
    assert (sorted(map(str, found["distinct_amount"])), sorted(found["distinct_user_id"])) == (["7", "seven"], ["u1", "u9"])
    assert await rows(shop, alice, "find orders group user_id, category count sort count desc, user_id limit 2") == [
        {"user_id": "u1", "category": "book", "count": 1},
        {"user_id": "u1", "category": "tea", "count": 1},
    ]
    assert await rows(shop, alice, "find orders group user_id count having count > 1 sort user_id desc") == [
        {"user_id": "u2", "count": 2},
        {"user_id": "u1", "count": 2},
    ]
    assert await rows(shop, alice, 'find orders group gift count sort gift desc then pick gift as "is it", count') == [
        {"is it": True, "count": 1},
        {"is it": None, "count": 5},
    ]
    assert (await ask(shop, alice, "find orders group category count then count")) == {"count": 3}
    assert await rows(shop, alice, "find orders/* group route count") == [{"route": "orders", "count": 6}]
    times = await rows(shop, alice, "find users group min created_at last key first source")
    assert times[0]["min_created_at"].endswith("Z")
    assert (times[0]["last_key"], times[0]["first_source"]) == ("u4", alice.key)


async def test_joins_left_and_inner_on_a_key_and_on_a_field(shop: Ocean, alice: Caller) -> None:
    found = await rows(shop, alice, "find orders join users on user_id = key then pick *, name")
    assert [row["name"] for row in found] == ["Ann", "Bob", "Ann", None, "Bob", "Cid"]
    assert found[2] == {"user_id": "u1", "category": "tea", "amount": 7, "gift": True, "name": "Ann"}
    assert len(await rows(shop, alice, "find orders inner join users on user_id = key pick name")) == 5
    three = await rows(
        shop, alice,
        "find orders inner join users as u on user_id = key join teams on u.team = key where title exists "
        "pick u.name as who, title, amount",
    )  # fmt: skip
    assert three[0] == {"who": "Ann", "title": "Alpha", "amount": 10}
    assert len(three) == 4
    by_field = await rows(shop, alice, "find users inner join orders on key = user_id pick key, orders.key as order, amount sort amount")
    assert by_field[0] == {"key": "u2", "order": "o4", "amount": 1}
    same_team = await rows(shop, alice, "find users inner join users as other on team = team pick name, other.name as with sort name, with")
    assert len(same_team) == 5
    sums = await rows(shop, alice, "find orders join users on user_id = key group name sum amount sort sum_amount desc limit 1")
    assert sums == [{"name": "Cid", "sum_amount": 100}]
    (whole,) = await rows(shop, alice, "find orders join users on user_id = key where gift = true")
    assert whole == {"key": "o2", "user_id": "u1", "category": "tea", "amount": 7, "gift": True, "name": "Ann", "team": "a"}


async def test_stages_work_on_what_those_before_them_gave(shop: Ocean, alice: Caller) -> None:
    def keys_of(found: list[Any]) -> list[str]:
        return [row["key"] for row in found]

    assert keys_of(await rows(shop, alice, "find orders sort amount desc then first 3 then sort key then pick key")) == ["o0", "o3", "o5"]
    assert keys_of(await rows(shop, alice, "find orders then limit 4 then where category = 'tea'")) == ["o2", "o3"]
    assert keys_of(await rows(shop, alice, "find orders then last 2")) == ["o4", "o5"]
    assert keys_of(await rows(shop, alice, "find orders sort amount then last 2 then first")) == ["o5"]
    assert keys_of(await rows(shop, alice, "list orders then skip 1 then limit 2 then skip 1 then limit 5")) == ["o2"]
    assert (await ask(shop, alice, "find orders then first 4 then group category count then count")) == {"count": 2}
    assert (await ask(shop, alice, "find orders limit 4 then count")) == {"count": 4}
    assert await rows(shop, alice, "find orders pick amount then where amount > 5 then sort amount") == [
        {"amount": 7}, {"amount": 10}, {"amount": 100},
    ]  # fmt: skip
    assert await rows(shop, alice, "find orders then group category sum amount then where sum_amount > 10 then sort sum_amount desc") == [
        {"category": None, "sum_amount": 101},
        {"category": "book", "sum_amount": 12.5},
    ]
    for wrong in ("find orders then count then limit 1", "find orders having count > 1", "whoami then count", "find orders limit 0"):
        with pytest.raises(OceanError):
            await ask(shop, alice, wrong)


async def test_a_cursor_goes_on_just_behind_the_last_row(shop: Ocean, alice: Caller) -> None:
    for sort in ("", "sort amount", "sort amount desc", "sort category desc, amount", "sort key desc", "sort created_at, category"):
        whole = [row["key"] for row in await rows(shop, alice, f"find orders {sort}")]
        seen: list[str] = []
        cursor = None
        while True:
            more = f' after "{cursor}"' if cursor else ""
            answer = await ask(shop, alice, f"find orders {sort} limit 2{more}")
            seen += [row["key"] for row in answer["results"]]
            cursor = answer.get("next_cursor")
            if cursor is None:
                break
        assert seen == whole, sort
    forged = [
        base64.urlsafe_b64encode(json.dumps(v).encode()).decode() for v in ([3, 10**30, 5], [3, 1, 10**30], [3, "\ud800", 5], [[1], 2, 3])
    ]
    for wrong in ("x", "W10", "WzFd" * 9, *forged):
        with pytest.raises(OceanError):
            await ask(shop, alice, f'find orders sort amount after "{wrong}"')


async def test_nobody_joins_groups_or_counts_what_is_closed_or_priced(shop: Ocean, alice: Caller, bob: Caller) -> None:
    await execute(shop, alice, parse('save users @u5 name: "Paid" price 5; save closed @x user_id: "u1" n: 5'))
    await execute(shop, alice, parse(f"share closed with @{keys.generate().public} mode shared"))
    assert len(await rows(shop, alice, "find users")) == 5
    assert len(await rows(shop, bob, "find users")) == 4
    assert await rows(shop, bob, "find users group count") == [{"count": 4}]
    assert all(row["name"] != "Paid" for row in await rows(shop, bob, "find orders join users on user_id = key pick name"))
    for text in ("find closed group sum n", "find orders join closed on user_id = user_id", "find closed/* then count"):
        with pytest.raises(OceanError) as caught:
            await ask(shop, bob, text)
        assert caught.value.code == "FORBIDDEN"


@pytest.mark.parametrize("name", ["a b", "naïve", "x'y", "a;b", "--", "select", "日本", "a`b", "a$1", "?", "{}", "%s", ":x"])
async def test_hostile_names_of_fields_come_back_as_they_went(ocean: Ocean, alice: Caller, name: str) -> None:
    from ocean.services.data import records

    for i in (2, 1):
        await records.save(ocean, alice, route="odd", key=f"k{i}", payload={name: i, "same": "x"})
    quoted = orjson.dumps(name).decode()
    assert await rows(ocean, alice, f"find odd where {quoted} > 0 sort {quoted} pick {quoted}") == [{name: 1}, {name: 2}]
    assert await rows(ocean, alice, f"find odd group same sum {quoted}") == [{"same": "x", f"sum_{name}": 3}]
    assert await rows(ocean, alice, f"find odd group {quoted} count sort {quoted} desc limit 1") == [{name: 2, "count": 1}]
    assert await rows(ocean, alice, f"find odd pick same as {quoted} limit 1") == [{name: "x"}]
    joined = await rows(ocean, alice, f"find odd inner join odd as {quoted} on {quoted} = {quoted} pick key sort key")
    assert joined == [{"key": "k1"}, {"key": "k2"}]


async def test_a_kept_answer_ends_with_any_change_of_what_it_says_or_of_who_may_hear_it(shop: Ocean, alice: Caller, bob: Caller) -> None:
    import ocean.services.query.find as finding

    dear, finding.DEAR = finding.DEAR, -1.0  # everything is dear
    try:
        question = "find orders group count"
        assert await rows(shop, bob, question) == [{"count": 6}]
        assert await rows(shop, bob, question) == [{"count": 6}]
        assert len(shop.kept._answers) == 1
        await execute(shop, alice, parse("save orders @new n: 1"))
        assert await rows(shop, bob, question) == [{"count": 7}]
        await execute(shop, alice, parse("add 1 to orders @new n"))
        assert await rows(shop, bob, "find orders where n = 2 pick key") == [{"key": "new"}]
        await execute(shop, alice, parse("save orders @brief n: 9 keep 1"))
        assert await rows(shop, bob, question) == [{"count": 8}]
        soon = min(until for _, until, _, _ in shop.kept._answers.values())
        assert shop.kept.get(next(reversed(shop.kept._answers)), (await shop.reader.head())[1], soon) is None
        await execute(shop, alice, parse(f"share orders with @{alice.key} mode shared"))
        with pytest.raises(OceanError):
            await rows(shop, bob, question)
    finally:
        finding.DEAR = dear


async def test_a_cursor_of_another_order_is_refused(shop: Ocean, alice: Caller) -> None:
    cursor = (await ask(shop, alice, "find orders sort amount limit 2"))["next_cursor"]
    for order in ("", "sort category", "sort amount desc"):
        with pytest.raises(OceanError) as caught:
            await ask(shop, alice, f'find orders {order} limit 2 after "{cursor}"')
        assert caught.value.code == "INVALID_VALUE"


async def test_a_group_by_a_field_that_is_called_as_its_count_is_refused(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("save c @a count: 5"))
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, 'find c group "count" count')
    assert caught.value.code == "INVALID_VALUE"


async def test_a_query_asks_one_folder_alone_where_it_is_not_deep(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("save d @a n: 1; save d/e @b n: 2"))
    assert len((await _query(ocean, alice, prefix="d"))["results"]) == 2
    assert len((await _query(ocean, alice, prefix="d", deep=False))["results"]) == 1


async def test_a_cursor_before_a_change_is_where_the_change_begins(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("; ".join(f"save c @k{i} n: {i}" for i in range(6))))
    cursor = (await ask(ocean, alice, "find c sort n limit 2"))["next_cursor"]
    await ask(ocean, alice, f'find c sort n limit 2 after "{cursor}" then remove')
    assert await rows(ocean, alice, "find c sort n pick key") == [{"key": f"k{i}"} for i in (0, 1, 4, 5)]


async def test_a_field_of_a_row_is_called_by_its_whole_name(shop: Ocean, alice: Caller) -> None:
    await execute(shop, alice, parse("save d @a u: { v: 2 } n: 1; save d @b u: { v: 1 } n: 2; save d @c u: { v: 3 } n: 3"))
    assert [row["n"] for row in await rows(shop, alice, "find d group n sum u.v sort sum_u.v desc")] == [3, 1, 2]
    assert await rows(shop, alice, "find d pick u.v then where u.v = 3") == [{"u.v": 3}]
    joined = 'find orders inner join users as u on user_id = key pick u.name then where u.name = "Cid"'
    assert await rows(shop, alice, joined) == [{"u.name": "Cid"}]


async def test_a_list_in_a_pipe_has_what_a_list_has(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse("save l @a 1; save l 2"))
    assert (len((await ask(ocean, alice, "list l"))["entities"]), await ask(ocean, alice, "list l then count")) == (1, {"count": 1})


async def test_a_sum_that_no_number_holds_is_an_error_of_the_question(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse(f"save s @a n: {2**62}; save s @b n: {2**62}; save s @c n: {2**62}"))
    try:
        assert await rows(ocean, alice, "find s group sum n") == [{"sum_n": 3 * 2**62}]
    except OceanError as fault:
        if (ocean.engine.dialect.name, fault.code) != ("sqlite", "INVALID_VALUE"):
            raise


async def test_a_hundred_fields_are_picked_and_summed(ocean: Ocean, alice: Caller) -> None:
    from ocean.services.data import records

    await records.save(ocean, alice, route="wide", key="a", payload={f"f{i}": i for i in range(100)})
    names = ", ".join(f"f{i}" for i in range(100))
    assert await rows(ocean, alice, f"find wide pick {names}") == [{f"f{i}": i for i in range(100)}]
    sums = " ".join(f"sum f{i}" for i in range(99))
    assert (await rows(ocean, alice, f"find wide group {sums}"))[0]["sum_f98"] == 98


async def test_a_row_has_only_the_fields_that_it_was_made_of(shop: Ocean, alice: Caller) -> None:
    for wrong in (
        "find orders group category count having avg_amount > 3",
        "find orders pick amount then sort key",
        "find orders pick key as a, amount as a",
    ):
        with pytest.raises(OceanError) as caught:
            await ask(shop, alice, wrong)
        assert caught.value.code == "INVALID_VALUE"


async def test_the_prefix_of_a_query_takes_all_beneath(ocean: Ocean, alice: Caller) -> None:
    from ocean.commands.dispatch import COMMANDS

    await execute(ocean, alice, parse("save deep @a n: 1; save deep/er @b n: 2; save deepest @c n: 3"))
    assert await ask(ocean, alice, "find deep then count") == {"count": 1}
    assert await COMMANDS["query"].run(ocean, alice, prefix="deep", counted=True) == {"count": 2}
    with pytest.raises(OceanError) as caught:
        await ask(ocean, alice, 'status "abc123"')
    assert caught.value.code == "NOT_FOUND"


async def test_rows_that_were_cut_short_say_so(ocean: Ocean, alice: Caller) -> None:
    """A group of more than a hundred was cut without a word."""
    await records.bulk(ocean, alice, ops=[{"route": "many", "key": f"k{i}", "payload": {"n": i}} for i in range(101)])
    for question in ("group n count", "pick n"):
        answer = await ask(ocean, alice, f"find many {question}")
        assert (answer["count"], len(answer["results"]), answer["truncated"]) == (100, 100, True)
        assert "truncated" not in await ask(ocean, alice, f"find many where n < 100 {question}")
        assert "truncated" not in await ask(ocean, alice, f"find many {question} limit 50")
    assert "next_cursor" in await ask(ocean, alice, "find many")


async def test_a_filter_asks_universal_fields_as_primitives_does(ocean: Ocean, alice: Caller) -> None:
    await execute(
        ocean, alice,
        parse(
            'save places @near _locations: ({ lat: 55.68, lon: 12.57 }) _identifiers: ({ type: "email", value: "bob@example.com" }) n: 1;'
            "save places @far _locations: ({ lat: 48.85, lon: 2.35 }) n: 2"
        ),
    )  # fmt: skip
    near = {"_locations": {"$near": {"lat": 55.68, "lon": 12.57, "radius_km": 10}}}
    has = {"_identifiers": {"$has": {"type": "email", "value": "bob@example.com"}}}
    within = {"_locations": {"$within": {"min_lat": 40, "min_lon": 0, "max_lat": 50, "max_lon": 5}}}
    for filter_, keys_ in (
        (near, ["near"]), (has, ["near"]), (within, ["far"]), ({"$not": near}, ["far"]), ({"$or": [near, {"n": 2}]}, ["near", "far"]),
        ({"$and": [near, {"n": 2}]}, []),
    ):  # fmt: skip
        answer = plain(await _query(ocean, alice, prefix="places", filter=filter_, sort="n"))
        assert [record["key"] for record in answer["results"]] == keys_, filter_
    for wrong in ({"_locations": {"$near": 5}}, {"place": {"$near": {"lat": 1, "lon": 2, "radius_km": 1}}}, {"_texts": {"$within": {}}}):
        with pytest.raises(OceanError):
            await _query(ocean, alice, prefix="places", filter=wrong)
    assert [r["payload"]["n"] for r in plain(await _query(ocean, alice, prefix="places", sort="n desc"))["results"]] == [2, 1]


async def test_not_in_leaves_out_nulls_where_null_is_one_of_them(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse('save tiny @1 c: null; save tiny @2 c: "x"; save tiny @3 d: 1; save tiny @4 c: "y"'))
    for asked, keys_ in (("(null)", "234"), ('(null, "x")', "34"), ('("x")', "134")):
        assert "".join(row["key"] for row in await rows(ocean, alice, f"find tiny where c not in {asked} pick key")) == keys_
    filtered = await find(ocean, alice, prefix="tiny", where=condition_of({"c": {"$nin": [None, "x"]}}), counted=True)
    assert filtered["count"] == 2


async def test_true_and_false_are_joined_with_their_like(ocean: Ocean, alice: Caller) -> None:
    await execute(
        ocean,
        alice,
        parse("save l @t b: true; save l @f b: false; save l @one b: 1; save r @t b: true; save r @f b: false; save r @one b: 1"),
    )
    found = await rows(ocean, alice, "find l inner join r as o on b = b pick key, o.key as other")
    assert sorted((row["key"], row["other"]) for row in found) == [("f", "f"), ("one", "one"), ("t", "t")]


@pytest.mark.parametrize("skip", [10**30, int("1" + "0" * 400), -1])
async def test_a_skip_beyond_all_bounds_is_refused(ocean: Ocean, alice: Caller, skip: int) -> None:
    """Of four hundred digits it was a server error."""
    await execute(ocean, alice, parse("save l @t b: true"))
    with pytest.raises(OceanError) as caught:
        await find(ocean, alice, prefix="l", skip=skip)
    assert caught.value.code == "INVALID_VALUE"
