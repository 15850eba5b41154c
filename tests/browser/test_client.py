"""/ocean.js in a real browser: the same walk as any page would go, files, streams over a line that breaks, and notifications."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from ocean.core import keys
from tests.browser.test_browser import browser  # noqa: F401 - a fixture
from tests.conftest import Running, start, stop
from tests.cut import Cut
from tests.services.sealed import Receiver


@pytest.fixture
def page(browser: Browser, server: Running) -> Iterator[Page]:  # noqa: F811
    pair = keys.generate()
    assert server.drops(f'save pages/c{pair.public[:8].lower()} @index "<h1>client</h1>"', pair.secret).ok
    context = browser.new_context()
    made = context.new_page()
    faults: list[str] = []
    made.on("pageerror", lambda fault: faults.append(str(fault)))
    made.goto(f"{server.view}/pages/c{pair.public[:8].lower()}/")
    yield made
    assert faults == []
    context.close()


def run(page: Page, api: str, body: str, argument: Any = None) -> Any:
    """The value of `body`, with `ocean` and `OceanError` at hand."""
    script = f"""async ([api, argument]) => {{
        const {{ Ocean, OceanError }} = await import(api + "/ocean.js");
        const ocean = new Ocean({{ url: api }});
        {body}
    }}"""
    return page.evaluate(script, [api, argument])


def test_a_page_saves_finds_searches_and_is_told_of_errors(page: Page, server: Running) -> None:
    found = run(page, server.api, """
        let pair;
        ocean.onkey = (made) => { pair = made; };
        const saved = await ocean.save("js/data", { name: "Alice", age: 31 }, { key: "user-1" });
        await ocean.update("js/data", "user-1", { age: null, city: "Aarhus" });
        await ocean.add("js/data", "user-1", "views", 2);
        await ocean.bulk([{ op: "save", route: "js/data", key: "user-2", payload: { name: "Bob" } }]);
        const fault = await ocean.get("js/data", "nobody").catch((error) => error);
        return {
            keyed: ocean.key === pair.private && pair.public === saved.keypair.public,
            who: (await ocean.whoami()).key === pair.public,
            got: (await ocean.get("js/data", "user-1")).payload,
            found: (await ocean.find("js/data", { filter: { name: { $startsWith: "a" } } })).results.map((one) => one.key),
            listed: (await ocean.list("js/data")).entities.length,
            searched: (await ocean.search("js/data", "alise", { wait: true })).results[0].key,
            rows: (await ocean.sql('SELECT name FROM "js/data" ORDER BY name')).rows,
            counted: (await ocean.exec("find js/data then count")).count,
            history: (await ocean.get("js/data", "user-1", { history: true })).versions.length,
            removed: (await ocean.remove("js/data", "user-2")).deleted,
            fault: [fault instanceof OceanError, fault.code, fault.status, fault.message],
        };
    """)  # fmt: skip
    assert found.pop("fault")[:3] == [True, "NOT_FOUND", 404]
    assert found == {
        "keyed": True, "who": True, "got": {"name": "Alice", "city": "Aarhus", "views": 2}, "found": ["user-1"], "listed": 2,
        "searched": "user-1", "rows": [["Alice"], ["Bob"]], "counted": 2, "history": 2, "removed": True,
    }  # fmt: skip


def test_a_page_uploads_a_file_and_sees_how_far_it_is(page: Page, server: Running) -> None:
    size, sent, back = run(page, server.api, """
        const steps = [];
        const file = new File([new Uint8Array(300000)], "a.bin", { type: "application/x-thing" });
        const blob = await ocean.upload("js/files", file, { onprogress: (sent, total) => steps.push([sent, total]) });
        const back = await (await fetch(ocean.blobUrl(blob.drop_id))).arrayBuffer();
        return [blob.blob.size, steps.at(-1), back.byteLength];
    """)  # fmt: skip
    assert (size, sent, back) == (300000, [300000, 300000], 300000)


def test_a_stream_goes_on_where_the_line_broke(page: Page, server: Running) -> None:
    secret = keys.generate().secret
    for number in range(40):
        assert server.drops(f"save js/line n: {number}", secret).ok
    with Cut(urlsplit(server.api).port or 0, 3000, 3) as line:
        found, told = run(page, server.api, """
            const reader = new Ocean({ url: argument.line });
            const stop = new AbortController();
            const found = [], told = [];
            for await (const record of reader.stream("js/line", { from: 0, signal: stop.signal, on: (event) => told.push(event) })) {
                found.push(record.payload.n);
                if (found.length === 40) await new Ocean({ url: api, key: argument.secret }).save("js/line", { n: 40 });
                if (found.length === 41) stop.abort();
            }
            return [found, told];
        """, {"line": line.url, "secret": secret})  # fmt: skip
        assert found == list(range(41))
        assert "caught-up" in told
        assert line.lines >= 4


def test_a_page_broadcasts_and_listens(page: Page, server: Running) -> None:
    heard = run(page, server.api, """
        ocean.key = argument;
        const stop = new AbortController();
        const said = [];
        const listening = (async () => {
            for await (const told of ocean.listen("js/radio", { signal: stop.signal, on: (event) => said.push(event) })) {
                stop.abort();
                return told.payload;
            }
        })();
        while (!said.includes("join")) await new Promise((done) => setTimeout(done, 10));
        const there = (await ocean.presence("js/radio")).count;
        await ocean.broadcast("js/radio", { song: 1 });
        return [await listening, there];
    """, keys.generate().secret)  # fmt: skip
    assert heard == [{"song": 1}, 1]


def test_the_page_of_the_api_sends_a_request(browser: Browser, server: Running) -> None:  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(f"{server.api}/docs")
    page.wait_for_selector("section")
    assert page.locator("details").count() > 40
    block = page.locator("details", has_text="/query").first
    block.locator("summary").click()
    block.locator("button").click()
    page.wait_for_function("() => [...document.querySelectorAll('pre')].some((pre) => pre.textContent.includes('results'))")
    page.fill("#filter", "vapid")
    assert page.locator("details:visible").count() == 1
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert faults == []
    context.close()


@contextmanager
def push_service() -> Iterator[tuple[str, queue.SimpleQueue[bytes]]]:
    """A push service on this machine: what it is given waits in a queue."""
    got: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.put(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(201)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{service.server_address[1]}/browser", got
        service.shutdown()


def test_a_page_subscribes_to_push_and_shows_what_comes(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    """Chromium takes its messages from its maker's push service alone. So the subscription that `ocean.js` asks the browser for is one
    with a service of this machine; what comes there is opened with the browser's half of the keys, and handed to the browser's service
    worker as its own service would."""
    monkeypatch.setenv("OCEAN_PUSH_CONTACT", "mailto:ops@example.com")
    server = start(tmp_path / "data")
    receiver = Receiver.new()
    try:
        secret = keys.generate().secret
        assert server.drops('save pages/push @index "<h1>push</h1>"', secret).ok
        context = browser.new_context()
        context.grant_permissions(["notifications"], origin=server.view)
        page = context.new_page()
        page.goto(f"{server.view}/pages/push/")
        with push_service() as (endpoint, got):
            subscribed = run(page, server.api, """
                PushManager.prototype.subscribe = async function (options) {
                    if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new Error("no VAPID key");
                    return { toJSON: () => argument.subscription };
                };
                ocean.key = argument.secret;
                const made = await ocean.push.subscribe();
                const who = (await ocean.whoami()).key;
                const followed = await ocean.push.follow("pages/news");
                const message = { title: "New message", body: "You have one", url: "/pages/push/", tag: "m" };
                const sent = await ocean.push.send({ to: [who], ...message });
                return [made.kind, followed.kind, sent.queued];
            """, {"secret": secret, "subscription": {"endpoint": endpoint, "keys": receiver.keys}})  # fmt: skip
            assert subscribed == ["browser", "folder", 1]
            told = receiver.open(got.get(timeout=20)).decode()
            assert json.loads(told)["title"] == "New message"
            shown = _deliver(page, server.view, told)
            assert shown == [["New message", "You have one", "m"]]
            assert server.drops('save pages/news @1 title: "Fresh" text: "from the folder"', secret).ok
            told = receiver.open(got.get(timeout=20)).decode()
            shown = _deliver(page, server.view, told)
            assert ["Fresh", "from the folder", "pages/news"] in shown
        context.close()
    finally:
        stop(server)


def _deliver(page: Page, origin: str, text: str) -> Any:
    """Hands a message to the page's service worker; the notifications that it shows."""
    session = page.context.new_cdp_session(page)
    registrations: queue.SimpleQueue[str] = queue.SimpleQueue()
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: [registrations.put(one["registrationId"]) for one in event["registrations"]],
    )
    before = page.evaluate(_SHOWN)
    session.send("ServiceWorker.enable")
    page.wait_for_function("async () => !!(await navigator.serviceWorker.getRegistration())?.active")
    session.send("ServiceWorker.deliverPushMessage", {"origin": origin, "registrationId": registrations.get(timeout=10), "data": text})
    page.wait_for_function(f"async (before) => (await ({_SHOWN})()).length > before", arg=len(before))
    session.detach()
    return page.evaluate(_SHOWN)


_SHOWN = """async () => {
    const there = await navigator.serviceWorker.ready;
    return (await there.getNotifications()).map((one) => [one.title, one.body, one.tag]);
}"""
