"""Pages: a template filled beside Jinja2, Markdown, and a page that is kept beside nginx."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from jinja2 import Environment

from ocean.core import keys
from ocean.core.markdown import read
from ocean.core.templates import compile_template
from ops.bench.probes import Wrk
from ops.bench.table import Row
from tests.conftest import Running, free_port

_OURS = (
    "<article><h1>{{title}}</h1><p class='lead {{kind}}'>{{description}}</p>"
    "<table><tr data-array='rows'><td>{{name}}</td><td>{{price}}</td>"
    "<td><a href='{{url}}'>{{label}}</a></td></tr></table><footer>{{author.name}}</footer></article>"
)
_THEIRS = (
    "<article><h1>{{title}}</h1><p class='lead {{kind}}'>{{description}}</p><table>{% for row in rows %}<tr><td>"
    "{{row.name}}</td><td>{{row.price}}</td><td><a href='{{row.url}}'>{{row.label}}</a></td></tr>{% endfor %}</table>"
    "<footer>{{author.name}}</footer></article>"
)
_RECORD: dict[str, Any] = {
    "title": "Harbour & sea", "kind": "plain", "description": "What there is <today>.", "author": {"name": "Ann"},
    "rows": [{"name": f"Thing {n}", "price": n * 1.5, "url": f"https://example.org/{n}", "label": f"No. {n}"} for n in range(12)],
}  # fmt: skip
_PART = (
    "# Hello *world*\n\nText with `code`, [a link](https://example.org) and **more**.\n\n## Part\n\n- one\n- two\n\n```python\ndef f(x):\n"
    "    return x\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> Said.\n\n"
    "A paragraph that goes on for a while, as paragraphs do, about this and that.\n\n"
)
_CONFIG = """
worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; daemon off; user root;
events {{ worker_connections 2000; }}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder}; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port}; root {folder}; default_type text/html; }}
}}
"""


def rows() -> list[Row]:
    """In one process, without HTTP."""
    template, theirs = compile_template(_OURS), Environment(autoescape=True).from_string(_THEIRS)
    assert template.render(_RECORD, _link).count("<tr>") == theirs.render(_RECORD).count("<tr>") == 12
    text = (_PART * 400)[:100_000]
    read(text)
    return [
        Row(
            "a pattern's page of 12 rows a second",
            _rate(lambda: template.render(_RECORD, _link)),
            "jinja2",
            _rate(lambda: theirs.render(_RECORD)),
            0.5,
        ),
        Row("100 KB of Markdown, ms", 1000 / _rate(lambda: read(text)), None, None, 50, most=True),
    ]


def _link(route: str, key: str) -> str:
    return f"/{route}/{key}"


def _rate(work: Callable[[], Any]) -> float:
    """How often in a second; the best of three."""
    best = 0.0
    for _ in range(3):
        begun, count = time.perf_counter(), 0
        while time.perf_counter() - begun < 0.5:
            work()
            count += 1
        best = max(best, count / (time.perf_counter() - begun))
    return best


def against_nginx(wrk: Wrk, running: Running, folder: Path) -> list[Row]:
    """A page of 10 KB that is kept, and its 304, beside nginx with the same file."""
    running.post("/drop", {"route": "kept", "key": "index", "payload": "x" * 10240}, keys.generate().secret)
    with _nginx(folder / "nginx") as nginx:
        if nginx is None:
            return []
        ours, theirs = f"{running.view}/kept/", f"{nginx}/index.html"
        tags = [requests.get(address, timeout=9).headers["etag"] for address in (ours, theirs)]
        return [
            Row("cached 10 KB page", wrk(ours), "nginx", wrk(theirs), 0.6),
            Row(
                "the same, 304",
                wrk(ours, headers={"if-none-match": tags[0]}),
                "nginx",
                wrk(theirs, headers={"if-none-match": tags[1]}),
                0.6,
            ),
        ]


@contextmanager
def _nginx(folder: Path) -> Iterator[str | None]:
    path = shutil.which("nginx")
    if path is None:
        print("nginx is not here: pages are not compared with it")
        yield None
        return
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("x" * 10240)
    port = free_port()
    (folder / "conf").write_text(_CONFIG.format(folder=folder, port=port))
    process = subprocess.Popen([path, "-c", str(folder / "conf"), "-p", str(folder)])
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if requests.get(f"http://127.0.0.1:{port}/index.html", timeout=1).ok:
                    break
            except requests.ConnectionError:
                continue
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
