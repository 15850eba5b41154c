"""Which record a path shows, on both engines."""

from __future__ import annotations

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.pages.pages import Page, resolve
from ocean.store.purge import purge
from ocean.store.reader import now
from viewhost import themes


async def say(ocean: Ocean, who: Caller, text: str) -> None:
    await execute(ocean, who, parse(text))


async def page(ocean: Ocean, who: Caller, path: str, at: str | None = None) -> Page:
    return await resolve(ocean, who, path.strip("/").split("/"), path.endswith("/"), at)


async def code(ocean: Ocean, who: Caller, path: str) -> tuple[int, str]:
    with pytest.raises(OceanError) as caught:
        await page(ocean, who, path)
    return caught.value.status, caught.value.code


async def test_the_deepest_folder_that_has_the_key_wins(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @a/b "shallow"\nsave s/a @b "deep"\nsave s @a/c "only"')
    assert (await page(ocean, alice, "s/a/b")).body == b"deep"
    assert (await page(ocean, alice, "s/a/c")).body == b"only"


async def test_clean_addresses_and_types(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @about.html "about"\nsave s @data {n: 1}\nsave s @x.json "[1, 2]"\nsave s @plain "text"')
    assert (await page(ocean, alice, "s/about")).content_type == "text/html; charset=utf-8"
    assert (await page(ocean, alice, "s/data")).content_type == "application/json; charset=utf-8"
    assert (await page(ocean, alice, "s/x.json")).body == b"[1, 2]"
    assert (await page(ocean, alice, "s/plain")).content_type == "text/html; charset=utf-8"


async def test_a_folder_without_index_is_listed_and_one_that_was_unpublished_is_not_but_by_a_theme(
    ocean: Ocean, alice: Caller, bob: Caller
) -> None:
    await say(
        ocean,
        alice,
        f'save l @b "1"\nsave l @a "2" price 5\nsave l/deep @x 1\nsave l/shut @x 1\nshare l/shut with @{alice.key} mode shared',
    )
    listed = await page(ocean, bob, "l/")
    assert listed.listing is not None
    assert [(e.name, e.size, e.price) for e in listed.listing.entries] == [("deep/", None, None), ("a", None, 5), ("b", 3, None)]
    assert (await page(ocean, bob, "l")).location == "l/"
    await say(ocean, alice, 'save l @index "i"')
    assert (await page(ocean, bob, "l/")).body == b"i"
    await say(ocean, alice, "unpublish l @index")
    assert await code(ocean, bob, "l/") == (404, "NOT_FOUND")
    await say(ocean, alice, 'save l @_config theme: "blog"')
    assert (await page(ocean, bob, "l/")).status == 200  # a list was asked for
    assert (await page(ocean, bob, "l/index")).status == 404
    assert await code(ocean, bob, "nothing/") == (404, "NOT_FOUND")


async def test_the_nearest_404_page(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @404.html "top"\nsave s/a @404.html "inner"\nsave s/a @x 1')
    for path, body in (("s/nope", b"top"), ("s/a/nope", b"inner"), ("s/b/c/d", b"top")):
        shown = await page(ocean, alice, path)
        assert (shown.status, shown.body) == (404, body)


async def test_redirects_and_headers(ocean: Ocean, alice: Caller) -> None:
    rules = (
        "/old/* /new/:splat 302\\n/app/* /app.html 200\\n/index.html / 301!\\n/round /round2 200\\n/round2 /round 200\\n/gone /404.html 410"
    )
    await say(ocean, alice, f'save s @_redirects "{rules}"\nsave s @_headers "/*\\n  X-Frame-Options: DENY\\n/a.css\\n  X-A: 1"')
    await say(
        ocean,
        alice,
        'save s @app.html "app"\nsave s @a.css "b{}"\nsave s @index.html "i"\nsave s @404.html "none"\nsave s @old/stays "stays"',
    )
    moved = await page(ocean, alice, "s/old/x/y")
    assert (moved.status, moved.location) == (302, "/s/new/x/y")
    assert (await page(ocean, alice, "s/old/stays")).body == b"stays"
    assert (await page(ocean, alice, "s/app/anything")).body == b"app"
    assert (await page(ocean, alice, "s/index.html")).location == "/s/"
    assert (await page(ocean, alice, "s/a.css")).headers == {"x-frame-options": "DENY", "x-a": "1"}
    assert (await page(ocean, alice, "s/gone")).status == 410
    assert await code(ocean, alice, "s/round") == (404, "NOT_FOUND")
    assert (await page(ocean, alice, "s/_redirects")).status == 404


async def test_a_removed_page_stays_up_and_an_expired_one_is_gone(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @a "a"\nremove s @a\nsave s @b "b" keep 1000')
    assert (await page(ocean, alice, "s/a")).body == b"a"
    assert (await page(ocean, alice, "s/b")).until is not None
    await purge(ocean.engine, now() + 2_000_000)
    assert await code(ocean, alice, "s/b") == (410, "GONE")


async def test_a_site_as_it_was(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @index "one"')
    then = now()
    while now() == then:
        pass
    await say(ocean, alice, 'save s @index "two"')
    assert (await page(ocean, alice, "s/", show_time(then))).body == b"one"
    assert (await page(ocean, alice, "s/")).body == b"two"
    with pytest.raises(OceanError):
        await page(ocean, alice, "s/", "2020-01-01T00:00:00Z")


async def test_private_shared_and_priced_pages(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    nobody = Caller(None)
    await say(ocean, alice, f'save {alice.key} @index "mine"\nsave team @index "ours"\nshare team with @{alice.key} mode shared')
    await say(ocean, alice, 'save shop @index "dear" price 5')
    assert (await page(ocean, alice, f"{alice.key}/")).public is False
    assert await code(ocean, nobody, f"{alice.key}/") == (401, "KEY_REQUIRED")
    assert await code(ocean, nobody, f"{alice.key}/nothing") == (401, "KEY_REQUIRED")  # no telling what is there
    assert await code(ocean, bob, f"{alice.key}/") == (401, "KEY_REQUIRED")
    assert await code(ocean, bob, "team/") == (403, "FORBIDDEN")
    assert await code(ocean, bob, "team/nothing") == (403, "FORBIDDEN")
    assert (await code(ocean, bob, "shop/"))[0] == 402
    assert (await page(ocean, alice, "shop/")).public is False


async def test_csp_of_the_nearest_config(ocean: Ocean, alice: Caller) -> None:
    await say(
        ocean,
        alice,
        "save s @_config csp: \"default-src 'self'\"\nsave s @index 1\nsave s/a @index 2\nsave s/a @_config csp: \"default-src 'none'\"",
    )
    assert (await page(ocean, alice, "s/")).headers["content-security-policy"] == "default-src 'self'"
    assert (await page(ocean, alice, "s/a/")).headers["content-security-policy"] == "default-src 'none'"
    await say(ocean, alice, "save s @_config null")
    assert "content-security-policy" not in (await page(ocean, alice, "s/")).headers


async def test_a_page_is_kept_no_longer_than_the_settings_it_was_made_with(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save s @index "x"\nsave s @_config csp: "default-src \'none\'" keep 1000')
    shown = await page(ocean, alice, "s/")
    assert shown.until is not None
    assert "content-security-policy" in shown.headers


async def test_a_themed_site_says_itself_that_a_page_is_missing(ocean: Ocean, alice: Caller) -> None:
    await say(ocean, alice, 'save t @_config { theme: "blog", title: "Tides" }\nsave t @a "<p>a"\nsave bare @a "<p>a"')
    missing = await page(ocean, alice, "t/deep/nope")
    assert missing.status == 404
    assert missing.view is not None
    drawn = themes.draw(missing.view, "https://view.example").decode()
    assert "There is no such page" in drawn
    assert 'content="noindex"' in drawn
    assert 'href="/t/"' in drawn
    assert await code(ocean, alice, "bare/nope") == (404, "NOT_FOUND")
    await say(ocean, alice, 'save t @404.html "<p>ours"')
    assert (await page(ocean, alice, "t/deep/nope")).body == b"<p>ours"
