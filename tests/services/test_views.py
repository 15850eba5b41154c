"""Records as pages: patterns and templates, texts, lists, feeds; the same on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.errors import OceanError
from ocean.services.data import records
from ocean.services.pages import folderpages
from ocean.services.pages.drawn import Page
from ocean.services.pages.pages import resolve
from ocean.services.pages.views import FolderView, RecordView
from ocean.services.pages.visit import Wanted
from tests.services.test_find import ask
from tests.services.test_records_in_shape import refused
from viewhost import themes

TODO = """
define todo version "1" fields {
  title: { type: "text", required: true }, status: { type: "text", enum: ("pending", "done") }, due: { type: "date" },
  tags: { type: "text", array: true }
}
save views @"todo/full" "<article><h1>{{title}}</h1><p>{{description}}</p><time>{{due}}</time><div data-array='tags'>Tags</div></article>"
save todos @ship-v2 pattern: "todo" title: "Ship v2" status: "pending" due: "2026-04-01" tags: ("release", "important")
"""


async def say(ocean: Ocean, who: Caller, text: str) -> None:
    await execute(ocean, who, parse(text))


async def page(ocean: Ocean, path: str, who: Caller | None = None, **wanted: Any) -> Page:
    slash = path.endswith("/")
    return await resolve(ocean, who or Caller(None), path.strip("/").split("/"), slash, wanted=Wanted(**wanted))


async def view(ocean: Ocean, path: str, who: Caller | None = None, **wanted: Any) -> RecordView:
    found = (await page(ocean, path, who, **wanted)).view
    assert isinstance(found, RecordView)
    return found


async def folder(ocean: Ocean, path: str, who: Caller | None = None, **wanted: Any) -> FolderView:
    found = (await page(ocean, path, who, **wanted)).view
    assert isinstance(found, FolderView)
    return found


async def missing(ocean: Ocean, path: str, who: Caller | None = None) -> str:
    with pytest.raises(OceanError) as caught:
        await page(ocean, path, who)
    return caught.value.code


async def test_the_seeds_todo_from_define_to_page(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, TODO)
    found = await view(ocean, "todos/ship-v2")
    assert found.html == "<article><h1>Ship v2</h1><time>2026-04-01</time><div><span>release</span><span>important</span></div></article>"
    assert (found.card.title, found.card.published, found.named) == ("Ship v2", "2026-04-01", True)
    preview = await view(ocean, "todos/ship-v2", mode="preview")
    assert (preview.mode, preview.html, preview.card.title) == ("preview", None, "Ship v2")
    await say(ocean, alice, "save views @\"todo/preview\" '<b>{{title}}</b>'")
    assert (await view(ocean, "todos/ship-v2", mode="preview")).html == "<b>Ship v2</b>"
    await say(ocean, alice, 'define todo fields title: "text" views { full: "drop://views/other" }\nsave views @other \'<i>{{title}}</i>\'')
    assert (await view(ocean, "todos/ship-v2")).html == "<i>Ship v2</i>"
    await say(ocean, alice, "remove views @other")
    found = await view(ocean, "todos/ship-v2")  # by its types
    assert (found.html, [(f.label, f.kind) for f in found.fields]) == (None, [("Status", "text"), ("Due", "date"), ("Tags", "list")])


async def test_a_record_that_names_a_pattern_is_checked_when_it_is_saved(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, TODO)
    for text in (
        'save todos @x pattern: "todo" status: "pending"',
        'update todos @ship-v2 status: "later"',
        "update todos @ship-v2 title: null",
        'save todos pattern: "todo" title: 3',
        'save todos @y n: 1\nupdate todos @y pattern: "todo"',
        'bulk (save todos @z pattern: "todo" title: "T", save todos @w pattern: "todo")',
    ):
        fault = await refused(ocean, alice, text)
        assert (fault.code, "pattern 'todo'" in fault.message) == ("SCHEMA_VIOLATION", True), text
    await say(ocean, bob, 'save mine @a pattern: "nobody-made-it" x: 1\nsave mine @b pattern: "todo" title: "T"')
    await say(ocean, alice, 'save patterns @dear fields: { n: "number required" } price 5')
    await say(ocean, bob, 'save mine @c pattern: "dear"')  # what it asks for is its buyers' to know
    await say(ocean, bob, 'save patterns @broken fields: 3\nsave mine @d pattern: "broken"')
    ops = [
        {"op": "save", "route": "patterns", "key": "fresh", "payload": {"fields": {"n": "number required"}}},
        {"op": "save", "route": "mine", "key": "e", "payload": {"pattern": "fresh"}},
    ]
    with pytest.raises(OceanError) as caught:
        await records.bulk(ocean, bob, ops=ops)
    assert (caught.value.code, caught.value.details["index"]) == ("SCHEMA_VIOLATION", 1)


async def test_a_template_of_somebody_elses_runs_no_script(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, TODO)
    await say(ocean, bob, 'save hers @_config csp: "default-src \'self\'"\nsave hers @a pattern: "todo" title: "T"')
    assert (await page(ocean, "todos/ship-v2")).headers == {}
    assert (
        (await page(ocean, "hers/a"))
        .headers["content-security-policy"]
        .startswith("default-src 'self', default-src 'none'; img-src 'self'")
    )
    await say(ocean, alice, "save views @\"todo/full\" '<!doctype html><title>{{title}}</title><p>x'")
    found = await page(ocean, "hers/a")
    assert (found.view, found.body) == (None, b"<!doctype html><html><head><title>T</title></head><body><p>x</p></body></html>")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert (await page(ocean, "hers/a", bob)).view is not None  # who shows a key has none of it
    await records.save(ocean, alice, route="views", key="todo/full", payload="<p>{{title}}")


async def test_a_template_that_may_not_be_read_is_none(ocean: Ocean, alice: Caller) -> None:
    assert alice.key is not None
    await say(
        ocean, alice, f'define secret fields t: "text" views {{ full: "drop://{alice.key}/t" }}\nsave {alice.key} @t "<b>{{{{t}}}}</b>"'
    )
    await say(ocean, alice, 'save open @a pattern: "secret" t: "x"')
    assert (await view(ocean, "open/a")).html is None
    shown = await page(ocean, "open/a", alice)
    assert isinstance(shown.view, RecordView)
    assert (shown.view.html, shown.public) == ("<b>x</b>", False)


async def test_references_are_read_with_the_readers_rights(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, 'define post fields title: "text" author: "relation"')
    await say(
        ocean,
        alice,
        'save views @"post/full" \'<h1>{{title}}</h1><a data-ref=author>by {{name}}</a><a href="{{author}}">{{editor.payload.name}}</a>\'',
    )
    await say(ocean, alice, 'save people/staff @ann name: "Ann"\nsave blog @a pattern: "post" title: "T" author: "drop://people/staff/ann"')
    found = await page(ocean, "blog/a")
    assert isinstance(found.view, RecordView)
    assert found.view.html == '<h1>T</h1><a href="/people/staff/ann">by Ann</a>'
    assert "people/staff" in found.depends
    await say(
        ocean,
        alice,
        'save blog @b pattern: "post" title: "T" editor: { $embed: { route: "people/staff", key: "ann" } } author: "drop://no/one"',
    )
    assert (await view(ocean, "blog/b")).html == "<h1>T</h1>"  # what is not there leads nowhere
    await say(ocean, alice, 'update blog @b author: "drop://people/staff/@ann"')
    assert (await view(ocean, "blog/b")).html == '<h1>T</h1><a href="/people/staff/ann">by Ann</a><a href="/people/staff/ann">Ann</a>'
    assert ocean.views["people/staff", "ann", alice.key or ""] == 3
    await say(ocean, alice, f"share people/staff with @{alice.key} mode shared")
    found = await page(ocean, "blog/a")
    assert isinstance(found.view, RecordView)
    assert "Ann" not in (found.view.html or "")
    found = await page(ocean, "blog/a", alice)
    assert isinstance(found.view, RecordView)
    assert ("Ann" in (found.view.html or ""), found.public) == (True, False)


async def test_a_cycle_of_references_ends(ocean: Ocean, alice: Caller) -> None:
    await say(
        ocean, alice, 'define node fields title: "text"\nsave views @"node/full" \'<p data-ref=next>{{title}} {{next.payload.title}}</p>\''
    )
    await say(
        ocean, alice, 'save c @a pattern: "node" title: "A" next: "drop://c/b"\nsave c @b pattern: "node" title: "B" next: "drop://c/a"'
    )
    assert (await view(ocean, "c/a")).html == ""
    await say(ocean, alice, "save views @\"node/full\" '<p data-ref=next>{{title}}</p>'")
    assert (await view(ocean, "c/a")).html == "<p>B</p>"


async def test_texts_are_pages_of_a_site_with_a_theme(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, "save notes @\"a.md\" '---\ntitle: Tale\ndate: 2026-01-02\n---\n# Heading\n\nWords *here*.'")
    plain = await page(ocean, "notes/a.md")
    assert (plain.content_type, plain.view) == ("text/markdown; charset=utf-8", None)
    found = await view(ocean, "notes/a")  # a clean address is a page
    assert (found.card.title, found.card.published, found.card.summary, found.named) == ("Tale", "2026-01-02", "Words here.", True)
    assert (found.site.theme, found.site.drawn_by, found.address) == (None, "document", "/notes/a")
    await say(ocean, alice, 'save notes @_config theme: "blog" title: "Notes" nav: { About: "about", Bad: "javascript:1" } language: "de"')
    found = await view(ocean, "notes/a.md")
    assert (found.site.theme, found.site.title, found.site.nav, found.site.language) == ("blog", "Notes", (("About", "about"),), "de")
    await say(ocean, alice, 'save notes @index "<p>home"\nsave notes @"b/index.md" \'# B\'')
    assert (await page(ocean, "notes/")).body == b"<p>home"
    assert (await view(ocean, "notes/b/")).card.title == "B"
    assert (await page(ocean, "notes/b")).location == "b/"


async def test_records_are_pages_of_a_site_with_a_theme_and_else_json(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save shop @lamp title: "Lamp" price: { value: 40, unit: "EUR" } text: "A **lamp**." made: "2026-01-02"')
    assert (await page(ocean, "shop/lamp")).content_type == "application/json; charset=utf-8"
    await say(ocean, alice, 'save shop @_config theme: "catalogue"\nsave shop @"data.json" a: 1\nsave shop @n 3')
    found = await view(ocean, "shop/lamp")
    assert (found.card.kind, found.card.amount, found.html) == ("Product", "40 EUR", "<p>A <strong>lamp</strong>.</p>\n")
    assert [f.label for f in found.fields] == ["Made"]
    assert (await page(ocean, "shop/data.json")).content_type == "application/json; charset=utf-8"
    assert (await page(ocean, "shop/n")).body == b"3"
    await say(ocean, alice, 'save shop @_config theme: "nonsense"')
    assert (await page(ocean, "shop/lamp")).content_type == "application/json; charset=utf-8"


async def test_a_folder_is_a_list_newest_first_in_pages(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    ops = [{"route": "log", "key": f"d{i:02}", "payload": {"title": f"Day {i}", "date": f"2026-01-{i + 1:02}"}} for i in range(30)]
    more = [{"route": "log", "key": key, "payload": "x"} for key in ("style.css", "404.html", "_hidden", "sub/_x")]
    await records.bulk(ocean, alice, ops=ops + more)
    assert (await page(ocean, "log/")).listing is not None
    await say(
        ocean,
        alice,
        'save log @_config theme: "blog" title: "Days"\nsave log @"posts/p.md" "# P"\n'
        'save log @dear title: "Dear" date: "2030-01-01" price 5',
    )
    first = await folder(ocean, "log/")
    assert (first.title, first.number, first.more, len(first.entries)) == ("Days", 1, True, 24)
    assert [e.card.title for e in first.entries[:2]] == ["Day 29", "Day 28"]
    dear = next(e for e in (await folder(ocean, "log/", number=2)).entries if e.card.title == "Dear")
    assert (dear.price, dear.card.published != "2030-01-01") == (5, True)  # of what is priced its name alone
    assert (await folder(ocean, "log/", alice)).entries[0].card.published == "2030-01-01"
    second = await folder(ocean, "log/", number=2)
    assert ([e.card.title for e in second.entries][-3:], second.more, len(second.entries)) == (["Day 0", "Dear", "P"], False, 8)
    assert (await page(ocean, "log/", number=9)).status == 404
    posts = await folder(ocean, "log/posts/")
    assert (posts.title, [e.address for e in posts.entries]) == ("Posts", ["/log/posts/p"])
    assert (await page(ocean, "log/posts")).location == "posts/"
    assert (await page(ocean, "log/none/")).status == 404
    await say(ocean, alice, f"share log with @{alice.key} mode shared")
    assert await missing(ocean, "log/") == "KEY_REQUIRED"
    assert await missing(ocean, "log/feed.xml") == "KEY_REQUIRED"
    assert await missing(ocean, "log/feed.xml", bob) == "FORBIDDEN"
    assert not (await page(ocean, "log/feed.xml", alice)).public


async def test_feeds_and_a_sitemap_of_any_folder(ocean: Ocean, alice: Caller) -> None:
    await say(
        ocean,
        alice,
        'save news @a title: "A" date: "2026-01-02"\nsave news @b "<title>B</title><meta name=date content=2026-01-01><p>b"\n'
        'save news @"c.css" "x"',
    )
    for name, form in (("feed.xml", "atom"), ("feed.json", "json"), ("sitemap.xml", "sitemap")):
        found = await folder(ocean, f"news/{name}")
        assert (found.form, {e.address for e in found.entries}, found.address) == (form, {"/news/a", "/news/b"}, "/news/")
    await say(ocean, alice, 'save news @"feed.xml" "<mine/>"')
    assert (await page(ocean, "news/feed.xml")).body == b"<mine/>"
    assert await missing(ocean, "empty/feed.xml") == "NOT_FOUND"
    assert await missing(ocean, "feed.xml") == "NOT_FOUND"


async def test_a_template_with_a_fault_says_so_and_harms_nothing(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, TODO)
    await records.save(ocean, alice, route="views", key="todo/full", payload="<div>" * 500)
    assert await missing(ocean, "todos/ship-v2") == "INVALID_VALUE"
    await records.save(ocean, alice, route="views", key="todo/full", payload="<p>" + "x" * 20_000 + "{{title}}</p>")
    assert "Ship v2" in ((await view(ocean, "todos/ship-v2")).html or "")
    await records.save(ocean, alice, route="views", key="todo/full", payload={"not": "a text"})
    assert (await view(ocean, "todos/ship-v2")).html is None
    assert (await ask(ocean, alice, "patterns"))["count"] == 1


async def test_a_default_template_is_the_patterns_owners(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    """Anybody could take the name of a template that a pattern's owner had not written yet."""
    await say(ocean, alice, TODO)
    await say(ocean, bob, "save views @\"todo/preview\" '<b>bought elsewhere</b>'")
    assert (await view(ocean, "todos/ship-v2", mode="preview")).html is None


async def test_a_sites_own_policy_does_not_lift_that_of_a_foreign_template(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await say(ocean, alice, TODO)
    await say(ocean, bob, 'save hers @a pattern: "todo" title: "T"')
    await records.save(
        ocean, bob, route="hers", key="_headers", payload="/*\n  Content-Security-Policy: default-src 'self' 'unsafe-inline'"
    )
    policy = (await page(ocean, "hers/a")).headers["content-security-policy"]
    assert policy.startswith("default-src 'self' 'unsafe-inline', default-src 'none'")


async def test_a_reference_tells_nothing_of_what_is_not_for_the_reader(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    """A record that was there was told from one that was not."""
    assert alice.key is not None
    await say(ocean, alice, f'save {alice.key} @there name: "secret"')
    await say(ocean, bob, 'save spy @_config theme: "blog"')
    pages = []
    for key in ("there", "not-there"):
        await say(ocean, bob, f'save spy @x-{key} title: "T" who: "drop://{alice.key}/{key}"')
        found = await view(ocean, f"spy/x-{key}")
        pages.append((found.html, found.fields))
    assert pages[0] == pages[1] == (None, ())


async def test_a_list_leaves_no_page_out_for_the_files_beside_it(ocean: Ocean, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest thousand records were looked at, and what of them is no page left out."""
    monkeypatch.setattr(folderpages, "MOST", 5)
    monkeypatch.setattr(folderpages, "READ", 2)
    monkeypatch.setattr(folderpages, "KNOWN", 3)  # fewer than a list has
    ops: list[dict[str, Any]] = [{"route": "mix", "key": f"p{i}.md", "payload": f"# Page {i}"} for i in range(5)]
    ops += [{"route": "mix", "key": f"f{i}.css", "payload": "a{}"} for i in range(20)]
    await records.bulk(ocean, alice, ops=ops)
    await say(ocean, alice, 'save mix @_config theme: "blog"')
    assert {entry.card.title for entry in (await folder(ocean, "mix/")).entries} == {f"Page {i}" for i in range(5)}
    assert len((await folder(ocean, "mix/sitemap.xml")).entries) == 5
    await say(ocean, alice, 'save mix @lamp title: "Lamp"\nadd 5 to mix @lamp price')
    assert next(e.card.amount for e in (await folder(ocean, "mix/")).entries if e.card.title == "Lamp") == "5"
    await say(ocean, alice, "add 1 to mix @lamp price")
    assert next(e.card.amount for e in (await folder(ocean, "mix/")).entries if e.card.title == "Lamp") == "6"


async def test_a_template_is_foreign_if_anybody_else_wrote_any_of_it(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    """By its first writer alone, a guest's page that the folder's owner wrote over was the guest's own."""
    await say(ocean, alice, f"save book @first 1\nshare book with @{alice.key} mode moderated")
    await say(ocean, bob, 'save book @hello "hi"')
    await say(ocean, alice, "save book @hello '<script>x</script><p>{{title}}'")
    await say(ocean, alice, 'define taken fields title: "text" views { full: "drop://book/hello" }')
    await say(ocean, bob, 'save vic @r pattern: "taken" title: "T"')
    found = await page(ocean, "vic/r")
    assert isinstance(found.view, RecordView)
    assert (found.view.html, "default-src 'none'" in found.headers["content-security-policy"]) == ("<p>T</p>", True)


@pytest.mark.parametrize(
    "payload",
    [
        "---\nx: !!bool maybe\n---\n# hi", {"title": "x", "image": "http://[x"}, {"title": "x", "date": "0001-01-01T00:00:00+14:00"},
        {"title": "x", "date": "9999-12-31T23:59:59-14:00"}, {"title": "x", "_blobs": [{"url": "http://[x", "mime": "image/png"}]},
        {"price": {"value": "y" * 1_000_000}}, {f"f{n}": [[1] * 100] * 100 for n in range(20)},
    ],
)  # fmt: skip
async def test_no_record_makes_its_list_or_its_feeds_fail(ocean: Ocean, alice: Caller, payload: Any) -> None:
    await say(ocean, alice, 'save odd @_config theme: "blog"\nsave odd @fine title: "Fine" date: "2026-01-02"')
    await records.save(ocean, alice, route="odd", key="x.md" if isinstance(payload, str) else "x", payload=payload)
    for path in ("odd/", "odd/x", "odd/feed.xml", "odd/feed.json", "odd/sitemap.xml"):
        found = (await page(ocean, path)).view
        assert found is not None
        assert len(themes.draw(found, "http://view.example")) < 2_000_000


async def test_a_draft_is_no_page_but_in_a_preview(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save notes @_config theme: "blog"\nsave notes @"d.md" "---\ndraft: true\n---\n# D"\nsave notes @"e.md" "# E"')
    assert await missing(ocean, "notes/d") == "NOT_FOUND"
    assert [entry.card.title for entry in (await folder(ocean, "notes/")).entries] == ["E"]
    await say(ocean, alice, 'save notes/_preview/x @"d.md" "---\ndraft: true\n---\n# D"')
    assert (await view(ocean, "notes/_preview/x/d")).card.title == "D"


async def test_a_folder_lists_its_records_by_their_patterns_preview(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    """Without a theme too; others' markup is not put into the list, nor a template of theirs."""
    await say(ocean, alice, 'define todo fields title: "text" done: "boolean"')
    await say(ocean, alice, "save views @'todo/preview' '<b class=mine>{{title}}</b>'")
    await say(ocean, alice, 'save todos @milk pattern: "todo" title: "Milk <x>" done: false')
    await say(ocean, alice, 'save todos @tea pattern: "todo" title: "Tea" done: true')
    await say(ocean, bob, "save views @'foreign/preview' '<b class=theirs>{{title}}</b>'\ndefine foreign fields title: 'text'")
    drawn = await listed(ocean, "todos/")
    assert drawn.count('<b class="mine">') == 2
    assert "Milk &lt;x&gt;" in drawn
    assert 'href="/todos/milk"' in drawn
    await say(ocean, alice, 'save todos @odd pattern: "foreign" title: "Odd"')
    drawn = await listed(ocean, "todos/")
    assert "theirs" not in drawn
    assert 'href="/todos/odd"' in drawn
    await say(ocean, alice, 'save todos @text "no record"')
    assert (await resolve(ocean, bob, ["todos"], True)).listing is not None  # not all of it are records: a plain list


async def listed(ocean: Ocean, path: str) -> str:
    page = await resolve(ocean, Caller(None), path.strip("/").split("/"), True)
    assert page.view is not None
    return themes.draw(page.view, "https://view.example").decode()


async def test_a_record_that_names_a_pattern_that_there_is_not_is_saved_with_a_warning(ocean: Ocean, alice: Caller) -> None:
    """It may be a slip, and nobody would notice; it may be a field of that name."""
    await say(ocean, alice, "define todo fields title: 'text'")
    told = await records.save(ocean, alice, route="t", key="a", payload={"pattern": "tood", "title": "x"})
    assert told["warning"].startswith("There is no pattern 'tood'")
    for payload in ({"pattern": "todo", "title": "x"}, {"pattern": 7}, {"title": "x"}, "pattern"):
        assert "warning" not in await records.save(ocean, alice, route="t", key="b", payload=payload)
    assert "warning" in await records.save(ocean, alice, route="t", key="c", payload={"pattern": "a/../b"})
