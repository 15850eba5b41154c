"""Schemas, patterns, universal fields, pipes that change data, and embeds: the same on both engines."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core import keys
from ocean.errors import OceanError
from ocean.services.access import access
from ocean.services.data.embeds import count_views
from tests.services.test_find import ask, rows


async def refused(ocean: Ocean, who: Caller, text: str) -> OceanError:
    with pytest.raises(OceanError) as caught:
        await execute(ocean, who, parse(text))
    return caught.value


@pytest.mark.parametrize(
    "said",
    [
        '_dates: "2026-03-15"', '_dates: ("2026-03-15")', '_dates: ({ start: "soon" })', "_texts: (5)", '_identifiers: ({ type: "email" })',
        "_locations: ({ lat: 91, lon: 0 })", '_amounts: ({ value: "5" })', '_blobs: ({ mime: "image/png" })',
        '_dates: ({ start: "2026-03-15" }, { end: "2026-03-16" })',
    ],
)  # fmt: skip
async def test_a_universal_field_that_nothing_is_found_by_is_told_of(ocean: Ocean, alice: Caller, bob: Caller, said: str) -> None:
    """It was passed over in silence."""
    name = said.split(":")[0]
    assert (await ask(ocean, alice, f"save work @1 {said}"))["warning"].startswith(f"Not all of {name!r}")
    assert name in (await ask(ocean, alice, "update work @1 n: 1"))["warning"]
    await access.share(ocean, alice, route="work", key=bob.key, mode="shared", permissions=["drop"])
    assert "warning" not in await ask(ocean, bob, "update work @1 n: 2"), "who may not read it learns nothing of it"


async def test_universal_fields_that_are_in_shape_are_not_warned_of(ocean: Ocean, alice: Caller) -> None:
    saved = await ask(
        ocean, alice, 'save work @1 _dates: ({ start: "2026-03-15" }) _texts: () _amounts: null _own: "x" _locations: ({ lat: 1, lon: 2 })'
    )
    assert "warning" not in saved
    assert "warning" not in await ask(ocean, alice, 'save work @2 _own: "x"'), "no field of ours"


async def test_a_schema_is_checked_on_save_update_and_bulk(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await ask(
        ocean, alice, 'define "users" fields { name: "text required", email: "text", age: "number", tags: { type: "text", array: true } }'
    )
    await ask(ocean, alice, 'save users @a name: "Ann" age: 5 tags: ("x")')
    for text, fields in (
        ("save users @b age: 5", ["name"]),
        ('save users @b name: 5 age: "old" email: true', ["name", "email", "age"]),
        ('update users @a age: "old"', ["age"]),
        ("update users @a name: null", ["name"]),
        ('bulk (save users @c name: "C", save users @d tags: "x" name: "D")', ["tags"]),
        ('save users "just text"', [""]),
        ('save users name: "event" tags: (1)', ["tags"]),
    ):
        fault = await refused(ocean, alice, text)
        assert (fault.code, [f["field"] for f in fault.details["errors"]]) == ("SCHEMA_VIOLATION", fields), text
    assert await rows(ocean, alice, "find users pick key") == [{"key": "a"}]
    status = await ask(ocean, alice, "status users")
    assert status["schema"]["fields"]["name"] == {"type": "text", "required": True}
    assert (await refused(ocean, bob, 'define "users" fields { x: "text" }')).code == "FORBIDDEN"
    assert (await refused(ocean, bob, 'undefine "users"')).code == "FORBIDDEN"
    await ask(ocean, alice, 'define "users" version "2" fields { name: "text required" }')
    assert (await ask(ocean, alice, "status users"))["schema"]["version"] == "2"
    assert (await refused(ocean, alice, "add 5 to users @a name")).code == "CONFLICT"
    assert (await refused(ocean, alice, "add 5 to users @new visits")).code == "SCHEMA_VIOLATION"  # a record without a name
    await execute(ocean, alice, parse(f"share users with @{alice.key} mode shared"))
    assert (await refused(ocean, bob, "validate users x: 1")).code == "NOT_FOUND"  # what it wants is not for everyone
    await ask(ocean, alice, 'undefine "users"')
    await ask(ocean, alice, "save users @b age: 5")
    assert (await refused(ocean, alice, 'undefine "users"')).code == "NOT_FOUND"
    assert (await refused(ocean, alice, "save users @_schema x: 1")).code == "INVALID_KEY"


async def test_patterns_belong_to_their_first_writer_and_validate(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await ask(
        ocean, alice, 'define todo version "1" fields { title: "text required", status: { type: "text", enum: ("pending", "done") } }'
    )
    assert [p["pattern"] for p in (await ask(ocean, bob, "patterns"))["results"]] == ["todo"]
    assert await ask(ocean, bob, 'validate todo title: "Ship" status: "pending"') == {"valid": True, "errors": []}
    wrong = await ask(ocean, bob, 'validate todo status: "odd"')
    assert (wrong["valid"], {e["field"] for e in wrong["errors"]}) == (False, {"title", "status"})
    assert (await refused(ocean, bob, 'define todo fields title: "number"')).code == "FORBIDDEN"
    assert (await refused(ocean, bob, "validate nothing x: 1")).code == "NOT_FOUND"
    await ask(ocean, alice, "undefine todo")
    assert (await ask(ocean, bob, "patterns"))["results"] == []
    for bad in (
        'define x fields a: "nonsense"',
        'define x fields a: { type: "text", odd: true }',
        'define "a" fields { b: { type: "text", enum: 5 } }',
    ):
        assert (await refused(ocean, alice, bad)).code == "INVALID_VALUE"


MEETINGS = """
save work/a @1 title: "Standup" _dates: ({ start: "2026-03-15T09:00:00Z" })
  _identifiers: ({ type: "email", value: "bob@x.org", role: "guest" })
save work/b @2 _dates: ({ start: "2026-02-20", end: "2026-03-02" }) _locations: ({ lat: 55.68, lon: 12.57, name: "Copenhagen" })
save other @3 _amounts: ({ value: 12.5, unit: "EUR" }, { value: 900, unit: "DKK" }) _texts: ("Møde om ØKONOMI")
save other @4 _dates: ({ start: "2026-04-01" }) _locations: ({ lat: 55.70, lon: 12.55 }) _identifiers: ({ type: "phone", value: "1" })
save other @5 _blobs: ({ url: "https://x.org/a.png", mime: "image/png" }) _dates: "not a list" n: 5
"""


async def found(ocean: Ocean, who: Caller, text: str) -> list[str]:
    return sorted(row["key"] for row in await rows(ocean, who, f"primitives {text}"))


async def test_records_are_found_by_their_universal_fields_wherever_they_are(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await execute(ocean, alice, parse(MEETINGS))
    for text, keys_ in (
        ('dates { $gte: "2026-03-01", $lt: "2026-04-01" }', ["1", "2"]),
        ('dates { $gt: "2026-03-20" }', ["4"]),
        ('dates { $gte: "2026-03-01" } locations { $near: { lat: 55.68, lon: 12.57, radius_km: 10 } }', ["2", "4"]),
        ('locations { $near: { lat: 55.68, lon: 12.57, radius_km: 1 } }', ["2"]),
        ("locations { $within: { min_lat: 55.69, min_lon: 12, max_lat: 56, max_lon: 13 } }", ["4"]),
        ('identifiers { $has: { type: "email", value: "bob@x.org" } }', ["1"]),
        ('identifiers { $type: "phone" }', ["4"]),
        ('identifiers { $value: "bob@x.org", $role: "host" }', []),
        ('identifiers { $or: ({ $type: "phone" }, { $has: { role: "guest" } }) }', ["1", "4"]),
        ("amounts { $gte: 10, $lt: 20 }", ["3"]),
        ('amounts { $gt: 100, unit: "EUR" }', []),
        ("amounts { DKK: { $gt: 100 } }", ["3"]),
        ('texts "økonomi"', ["3"]),
        ('blobs { mime: "image/png" }', ["5"]),
        ('blobs { mime: "image/png" } where n = 5', ["5"]),
        ('blobs { mime: "image/png" } where n > 5', []),
        ('dates { $gte: "2020-01-01" } in work/*', ["1", "2"]),
        ('dates { $gte: "2020-01-01" } limit 1', ["4"]),
    ):  # fmt: skip
        assert await found(ocean, bob, text) == keys_, text
    for wrong in ("dates { $odd: 1 }", "dates {}", "locations { $near: { lat: 95, lon: 0, radius_km: 1 } }", "amounts { EUR: 5 }",
                  "identifiers { $has: 5 }", "primitives limit 5", "identifiers { $or: () }", "blobs { odd: 1 }"):  # fmt: skip
        assert (await refused(ocean, bob, wrong if wrong.startswith("prim") else f"primitives {wrong}")).code == "INVALID_VALUE", wrong


async def test_universal_fields_follow_the_record_and_the_readers_access(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await execute(ocean, alice, parse(MEETINGS))
    await execute(
        ocean, alice, parse(f'share work/a with @{alice.key} mode shared; save {alice.key}/own @6 _dates: ({{ start: "2026-03-10" }})')
    )
    await execute(
        ocean,
        alice,
        parse(
            'save other @7 _dates: ({ start: "2026-03-11" }) price 5\nsave trust/team keys: ()\n'
            'save _memory @8 _dates: ({ start: "2026-03-12" })'
        ),
    )
    march = 'dates { $gte: "2026-03-01", $lt: "2026-04-01" }'
    assert await found(ocean, bob, march) == ["2"]
    assert await found(ocean, alice, march) == ["1", "2", "6", "7", "8"]
    await execute(ocean, alice, parse('update work/b @2 _dates: ({ start: "2027-01-01" }); remove other @7'))
    assert await found(ocean, alice, march) == ["1", "6", "8"]
    assert await found(ocean, bob, 'dates { $gte: "2027-01-01" }') == ["2"]
    ((marks,),) = await ocean.engine.rows("SELECT count(*) FROM mark m LEFT JOIN record r ON r.seq = m.seq WHERE r.seq IS NULL")
    assert marks == 0


async def test_a_pipe_that_changes_data_is_one_bulk_and_can_be_tried_dry(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await execute(ocean, alice, parse("\n".join(f"save people @p{i} n: {i} old: {'true' if i < 3 else 'false'}" for i in range(6))))
    await execute(ocean, alice, parse("save people n: 7; save people n: 8"))
    assert await ask(ocean, alice, "find people where n < 3 then update old: null seen: true dry") == {
        "affected": 3,
        "dry": True,
        "results": [],
    }
    done = await ask(ocean, alice, "find people where n < 3 then update old: null seen: true")
    assert (done["affected"], [r["key"] for r in done["results"]]) == (3, ["p0", "p1", "p2"])
    assert (await ask(ocean, alice, "get people @p1"))["payload"] == {"n": 1, "seen": True}
    assert (await ask(ocean, alice, "find people where key exists then first 2 then save backups/people @snapshot"))["affected"] == 2
    kept = (await ask(ocean, alice, "get backups/people @snapshot"))["payload"]
    assert kept[0] == {"route": "people", "key": "p3", "payload": {"n": 3, "old": False}}  # in the order of their newest versions
    assert (await ask(ocean, alice, "find people then save copies"))["affected"] == 8
    assert await ask(ocean, alice, "find copies then count") == {"count": 8}
    assert (await ask(ocean, alice, "find people group seen count then save sums"))["affected"] == 2
    assert {row["payload"]["count"] for row in await rows(ocean, alice, "find sums")} == {3, 5}
    assert (await refused(ocean, alice, "find people then update n: 1")).code == "INVALID_VALUE"  # events have no key
    assert (await refused(ocean, bob, "find people then remove")).code == "FORBIDDEN"
    assert (await ask(ocean, alice, "find people then remove dry"))["affected"] == 8
    assert (await ask(ocean, alice, "find people then remove"))["affected"] == 8
    assert await ask(ocean, alice, "find people then count") == {"count": 0}
    assert (await ask(ocean, alice, "find people then remove")) == {"affected": 0, "results": []}
    for wrong in ("find people then remove then count", "find people then count then remove", "find people pick n then remove"):
        assert (await refused(ocean, alice, wrong)).code == "INVALID_VALUE"


async def test_embeds_are_read_with_the_readers_own_rights_and_counted(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    embed = lambda route, key, more="": f'{{ "$embed": {{ route: "{route}", key: "{key}"{more} }} }}'  # noqa: E731
    await execute(
        ocean, alice, parse('save photos @sun url: "https://x/sun.jpg" title: "Sun"; save shut @s secret: 1; save dear @d n: 1 price 5')
    )
    await execute(ocean, alice, parse(f"share shut with @{alice.key} mode shared"))
    await execute(ocean, alice, parse(f"save loop @a next: {embed('loop', 'b')}; save loop @b next: {embed('loop', 'a')}"))
    viewed = embed("photos", "sun", ', mode: "view"')
    text = f"save gallery @g hero: {embed('photos', 'sun')} few: ({viewed}) no: {embed('none', 'x')} shut: {embed('shut', 's')} "
    text += f"dear: {embed('dear', 'd')} ring: {embed('loop', 'a')}"
    await execute(ocean, alice, parse(text))
    seen: dict[str, Any] = (await ask(ocean, bob, "get gallery @g"))["payload"]
    assert (seen["hero"]["$embedded"], seen["hero"]["mode"], seen["hero"]["payload"]["url"]) == (True, "data", "https://x/sun.jpg")
    assert (seen["few"][0]["summary"], seen["few"][0]["url"].endswith("/photos/sun"), "payload" in seen["few"][0]) == ("Sun", True, False)
    assert [seen[name]["error"]["code"] for name in ("no", "shut", "dear")] == ["NOT_FOUND", "NOT_FOUND", "RATE_LIMITED"]
    assert seen["ring"]["payload"]["next"] == {"$embed": {"route": "loop", "key": "b"}}
    from ocean.services.data import records

    deep = await records.get(ocean, bob, route="gallery", key="g", embed_depth=5)
    assert deep["payload"]["ring"]["payload"]["next"]["payload"]["next"]["cycle"] is True
    assert (await ask(ocean, alice, "get gallery @g"))["payload"]["shut"]["payload"] == {"secret": 1}
    raw = await records.get(ocean, bob, route="gallery", key="g", resolve=False)
    assert b'"$embed"' in orjson.dumps(raw["payload"])
    with pytest.raises(OceanError):
        await records.get(ocean, bob, route="gallery", key="g", embed_depth=6)
    await count_views(ocean)
    assert (await ask(ocean, bob, "get photos @sun"))["payload"]["embed_views"] == 3  # once an answer
    own = f"save mine @m embed_views: 7; save names @n x: {embed('mine', 'm')}; get names @n"
    await execute(ocean, alice, parse(own))
    await count_views(ocean)
    assert (await ask(ocean, bob, "get mine @m"))["payload"] == {"embed_views": 7}
    await execute(ocean, alice, parse(f"share photos with @{keys.generate().public} mode shared"))
    assert (await ask(ocean, bob, "get gallery @g"))["payload"]["hero"]["$embedded"] is False
    await execute(ocean, alice, parse("save dear @d n: 1; get gallery @g; save dear @d n: 2 price 9"))
    assert (await ask(ocean, bob, "get gallery @g"))["payload"]["dear"]["error"]["code"] == "RATE_LIMITED"


async def test_embeds_of_an_answer_have_a_budget(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    from ocean.services.data import records

    await records.save(ocean, alice, route="large", key="a", payload={"text": "x" * 1_000_000})
    embed = {"$embed": {"route": "large", "key": "a"}}
    await records.save(ocean, alice, route="many", key="m", payload={"all": [embed] * 150})
    seen = (await ask(ocean, bob, "get many @m"))["payload"]["all"]
    assert sum("$embedded" in item for item in seen) == 5
    assert seen[-1] == embed


async def test_how_many_hidden_folders_match_is_not_told(ocean: Ocean, alice: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    from ocean.services.query import primitives as asking

    monkeypatch.setattr(asking, "MAX_FOLDERS", 5)
    monkeypatch.setattr(asking, "FOLDERS", 3)
    from ocean.services.data import records

    who = {"_identifiers": [{"type": "email", "value": "bob@x.io"}]}
    await records.bulk(ocean, alice, ops=[{"route": f"{alice.key}/f{i}", "key": "k", "payload": who} for i in range(20)])
    await records.bulk(ocean, alice, ops=[{"route": f"open{i}", "key": "k", "payload": who} for i in range(4)])
    assert len(await found(ocean, bob, 'identifiers { $value: "bob@x.io" }')) == 4
    assert (await refused(ocean, alice, 'primitives identifiers { $value: "bob@x.io" }')).code == "LIMIT_REACHED"


async def test_an_update_of_a_name_with_a_dot_tells_that_it_reaches_into_nothing(ocean: Ocean, alice: Caller) -> None:
    await execute(ocean, alice, parse('save cp @1 address: { street: "a" }'))
    told = await ask(ocean, alice, 'update cp @1 address.street: "b"')
    assert told["warning"].startswith("'address.street' is a field with a dot in its name")
    assert "warning" not in await ask(ocean, alice, 'update cp @1 address: { street: "b" }')
