"""Sites published whole, on both engines: what is uploaded, what is switched, and the way back."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from ocean.commands.dispatch import execute, parse
from ocean.context import Caller, Ocean
from ocean.core.drop import show_time
from ocean.errors import OceanError
from ocean.services.files import blobs
from ocean.services.pages import deploys, previews
from ocean.services.pages.pages import Page, resolve
from ocean.store.reader import now

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
FIRST = {"index.html": b"<h1>one</h1>", "style.css": b"b{}", "img/logo.png": PNG, "about.html": b"<p>about</p>"}


def manifest(files: dict[str, bytes]) -> dict[str, Any]:
    return {path: {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body)} for path, body in files.items()}


async def publish(ocean: Ocean, who: Caller, files: dict[str, bytes], route: str = "site") -> tuple[int, dict[str, Any]]:
    """`(how many were uploaded, the answer)`."""
    plan = await deploys.plan(ocean, who, route=route, files=manifest(files))
    by_digest = {hashlib.sha256(body).hexdigest(): body for body in files.values()}
    for sha256 in plan["upload"]:
        received = blobs.Received()
        await received.take(by_digest[sha256])
        await deploys.stage(ocean, who, route, sha256, received)
        received.close()
    return len(plan["upload"]), await deploys.publish(ocean, who, route=route, files=manifest(files))


async def page(ocean: Ocean, who: Caller, path: str) -> Page:
    return await resolve(ocean, who, path.strip("/").split("/"), path.endswith("/"))


async def status(ocean: Ocean, who: Caller, path: str) -> int:
    try:
        return (await page(ocean, who, path)).status
    except OceanError as fault:
        return fault.status


async def test_only_what_changed_is_uploaded_and_all_of_it_is_switched(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    uploaded, answer = await publish(ocean, alice, FIRST)
    assert (uploaded, answer["changed"], answer["removed"]) == (4, 4, 0)
    assert (await page(ocean, bob, "site/")).body == b"<h1>one</h1>"
    assert (await page(ocean, bob, "site/about")).body == b"<p>about</p>"
    image = await page(ocean, bob, "site/img/logo.png")
    assert image.content_type == "image/png"
    assert image.file is not None
    assert await ocean.blobs.get(image.file.key) == PNG
    assert await publish(ocean, alice, FIRST) == (0, {"route": "site", "changed": 0, "removed": 0, "files": 4, "url": answer["url"]})
    second = {**FIRST, "index.html": b"<h1>two</h1>"}
    del second["about.html"]
    uploaded, answer = await publish(ocean, alice, second)
    assert (uploaded, answer["changed"], answer["removed"]) == (1, 1, 1)
    assert (await page(ocean, bob, "site/")).body == b"<h1>two</h1>"
    assert await status(ocean, bob, "site/about") == 404
    assert await ocean.blobs.names("staged") == []


async def test_rollback_walks_back_deploy_by_deploy_or_to_a_time(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    for body in (b"one", b"two", b"three"):
        await publish(ocean, alice, {**FIRST, "index.html": body})
        between = show_time(now()) if body == b"one" else between  # noqa: F821 - set in the first round
        while now() <= int(_millis(between)):
            pass
    for expected in (b"two", b"one"):
        await deploys.rollback(ocean, alice, route="site")
        assert (await page(ocean, bob, "site/")).body == expected
    with pytest.raises(OceanError) as caught:
        await deploys.rollback(ocean, alice, route="site")
    assert caught.value.code == "NOT_FOUND"
    await publish(ocean, alice, {"index.html": b"four"})
    assert await status(ocean, bob, "site/img/logo.png") == 404
    await deploys.rollback(ocean, alice, route="site", to=between)
    assert (await page(ocean, bob, "site/")).body == b"one"
    assert await status(ocean, bob, "site/img/logo.png") == 200
    (shown,) = (await deploys.sites(ocean, alice))["results"]
    assert (shown["route"], shown["files"]) == ("site", 4)
    assert (await deploys.sites(ocean, bob))["count"] == 0


def _millis(text: str) -> int:
    from ocean.core.drop import read_time

    return read_time(text)


async def test_another_key_can_neither_publish_roll_back_nor_unpublish(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await publish(ocean, alice, FIRST)
    await publish(ocean, alice, {**FIRST, "index.html": b"two"})
    for attempt in (
        publish(ocean, bob, {"index.html": b"mine now"}),
        deploys.rollback(ocean, bob, route="site"),
        deploys.unpublish(ocean, bob, route="site"),
    ):
        with pytest.raises(OceanError) as caught:
            await attempt
        assert caught.value.code == "FORBIDDEN"
    assert (await page(ocean, bob, "site/")).body == b"two"


async def test_bytes_that_are_not_what_they_say_are_refused(ocean: Ocean, alice: Caller) -> None:
    received = blobs.Received()
    await received.take(b"other")
    with pytest.raises(OceanError):
        await deploys.stage(ocean, alice, "site", hashlib.sha256(b"one").hexdigest(), received)
    received.close()
    with pytest.raises(OceanError) as caught:
        await deploys.publish(ocean, alice, route="site", files=manifest({"index.html": b"never sent"}))
    assert caught.value.code == "CONFLICT"
    with pytest.raises(OceanError):
        await deploys.plan(ocean, alice, route="site", files={"a": {"sha256": "x", "size": 1}})
    for path in ("../up", "_deploy", "_access", "a//b", ""):
        with pytest.raises(OceanError):
            await deploys.plan(ocean, alice, route="site", files={path: {"sha256": "0" * 64, "size": 1}})


async def test_unpublish_takes_down_a_page_or_all_of_them(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await publish(ocean, alice, FIRST)
    await execute(ocean, alice, parse("remove site @style.css"))
    assert await status(ocean, bob, "site/style.css") == 200  # the last live version stays up
    await execute(ocean, alice, parse("unpublish site @style.css"))
    assert await status(ocean, bob, "site/style.css") == 404
    await execute(ocean, alice, parse("unpublish site"))
    assert {await status(ocean, bob, f"site/{path}") for path in ("", "about", "img/logo.png", "index.html")} == {404}


async def test_what_was_staged_and_never_published_is_swept(ocean: Ocean, alice: Caller) -> None:
    received = blobs.Received()
    await received.take(b"x")
    await deploys.stage(ocean, alice, "site", received.sha256, received)
    received.close()
    assert await deploys.sweep(ocean, 0) == 0
    assert await deploys.sweep(ocean, 2**40) == 1
    assert await ocean.blobs.names("staged") == []


async def test_of_two_deploys_that_race_one_is_told(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await publish(ocean, alice, FIRST)
    racing = [publish(ocean, alice, {**FIRST, "index.html": body, f"{body.decode()}.html": body}) for body in (b"two", b"three")]
    results = await asyncio.gather(*racing, return_exceptions=True)
    refused = [result for result in results if isinstance(result, OceanError)]
    assert [fault.code for fault in refused] in ([], ["PRECONDITION_FAILED"])
    body = (await page(ocean, bob, "site/")).body
    assert {await status(ocean, bob, f"site/{name}") for name in ("two", "three") if name.encode() != body} == {404}


async def test_a_preview_is_beside_the_live_site_until_it_is_promoted(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await publish(ocean, alice, {"index.html": b"<h1>one</h1>", "same.css": b"a{}", "old.html": b"old"})
    first = (await previews.list_(ocean, alice, route="site"))["deploys"][0]
    made = await _preview(ocean, alice, {"index.html": b"<h1>two</h1>", "same.css": b"a{}"})
    name = made["preview"]
    assert (await page(ocean, bob, f"site/_preview/{name}/")).body == b"<h1>two</h1>"
    shown = await page(ocean, bob, f"site/_preview/{name}/same.css")
    assert (shown.body, shown.headers["x-robots-tag"]) == (b"a{}", "noindex")
    assert (await page(ocean, bob, "site/")).body == b"<h1>one</h1>"
    listed = await previews.list_(ocean, alice, route="site")
    assert [found["preview"] for found in listed["previews"]] == [name]
    for who, wrong in ((bob, name), (alice, "0" * 8)):
        with pytest.raises(OceanError):
            await previews.promote(ocean, who, route="site", preview=wrong)
    with pytest.raises(OceanError):
        await previews.list_(ocean, bob, route="site")
    done = await previews.promote(ocean, alice, route="site", preview=name)
    assert (done["changed"], done["removed"], done["files"]) == (1, 1, 2)
    assert (await page(ocean, bob, "site/")).body == b"<h1>two</h1>"
    for gone in ("site/old", f"site/_preview/{name}/"):
        with pytest.raises(OceanError):
            await page(ocean, bob, gone)
    listed = await previews.list_(ocean, alice, route="site")
    assert [(found["live"], found.get("promotes")) for found in listed["deploys"]] == [(True, name), (False, None)]
    assert listed["previews"] == []
    await deploys.rollback(ocean, alice, route="site", to=first["deploy"])
    assert (await page(ocean, bob, "site/")).body == b"<h1>one</h1>"
    assert (await page(ocean, bob, "site/old")).body == b"old"
    with pytest.raises(OceanError, match="nor a time"):
        await deploys.rollback(ocean, alice, route="site", to="01a2206e-eac1-704b-aea6-114d18f4ee22")


async def _preview(ocean: Ocean, who: Caller, files: dict[str, bytes]) -> dict[str, Any]:
    with pytest.raises(OceanError, match="was not uploaded"):
        await previews.preview(ocean, who, route="site", files=manifest(files))
    plan = await deploys.plan(ocean, who, route="site", files=manifest(files))
    for body in files.values():
        if (sha256 := hashlib.sha256(body).hexdigest()) in plan["upload"]:
            received = blobs.Received()
            await received.take(body)
            await deploys.stage(ocean, who, "site", sha256, received)
            received.close()
    return await previews.preview(ocean, who, route="site", files=manifest(files))


async def test_what_was_saved_by_hand_is_no_deploys_to_take_away(ocean: Ocean, alice: Caller) -> None:
    """A record beside the files of a site was gone with the next publish."""
    await publish(ocean, alice, {"index.html": b"one", "old.html": b"old"})
    await execute(ocean, alice, parse('save site @lamp title: "Lamp"'))
    _, answer = await publish(ocean, alice, {"index.html": b"two"})
    assert (answer["changed"], answer["removed"]) == (1, 1)
    assert await status(ocean, alice, "site/lamp") == 200
    assert await status(ocean, alice, "site/old") == 404
    made = await _preview(ocean, alice, {"index.html": b"three"})
    assert (await previews.promote(ocean, alice, route="site", preview=made["preview"]))["removed"] == 0
    assert await status(ocean, alice, "site/lamp") == 200


async def test_a_price_holds_in_a_preview_and_over_a_new_version(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    """A page that cost something was free in the preview, and everywhere once that was promoted."""
    await publish(ocean, alice, {"index.html": b"one", "paid": b"dear"})
    await execute(ocean, alice, parse('save site @paid "dear" price 5'))
    made = await _preview(ocean, alice, {"index.html": b"two", "paid": b"dear"})
    assert await status(ocean, bob, f"site/_preview/{made['preview']}/paid") == 402
    await previews.promote(ocean, alice, route="site", preview=made["preview"])
    assert await status(ocean, bob, "site/paid") == 402
    made = await _preview(ocean, alice, {"index.html": b"two", "paid": b"dearer"})
    await previews.promote(ocean, alice, route="site", preview=made["preview"])
    assert await status(ocean, bob, "site/paid") == 402
    await publish(ocean, alice, {"index.html": b"two", "paid": b"dearest"})
    assert await status(ocean, bob, "site/paid") == 402


async def test_a_preview_that_a_guest_wrote_into_is_not_promoted(ocean: Ocean, alice: Caller, bob: Caller) -> None:
    await publish(ocean, alice, {"index.html": b"one"})
    await execute(ocean, alice, parse(f"share site with @{alice.key} mode moderated"))
    made = await _preview(ocean, alice, {"index.html": b"two"})
    await execute(ocean, bob, parse(f'save site/_preview/{made["preview"]} @_redirects "/* https://evil.example/:splat 302!"'))
    with pytest.raises(OceanError, match="is another than the one that was published"):
        await previews.promote(ocean, alice, route="site", preview=made["preview"])
    assert (await page(ocean, bob, "site/")).body == b"one"
    assert await status(ocean, bob, "site/_preview/") == 404  # nobody is told which there are


@pytest.mark.parametrize(
    ("config", "said"), [(b'{"theme": "blog",}', "is not JSON"), (b"[]", "is no object"), (b'{"theme": "neon"}', "names a theme")]
)
async def test_settings_that_are_none_are_not_published(ocean: Ocean, alice: Caller, config: bytes, said: str) -> None:
    with pytest.raises(OceanError, match=said):
        await publish(ocean, alice, {"index.html": b"one", "_config": config})
    await publish(ocean, alice, {"index.html": b"one", "_config": b'{"theme": "blog"}'})
