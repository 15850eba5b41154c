"""A site's own rules: what they mean, and what they may not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocean.core import site

REDIRECTS = """
# comments and blank lines are passed over
/old              /new
/blog/*           /posts/:splat          302
/:year/:name      /archive/:name/:year   301   # a comment behind
/app/*            /app.html              200
/force            /there                 301!
/away             https://example.com/x  307
/away/*           https://example.com:8080/:splat
/bad              javascript:alert(1)
/bad2             //evil.example/
/bad3             /x                     299
not-a-path        /x
/:a/:a            /twice
/mid*dle          /x
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/old", ("/new", 301)),
        ("/old/", None),
        ("/blog/a/b", ("/posts/a/b", 302)),
        ("/blog", ("/posts/", 302)),
        ("/2026/hello", ("/archive/hello/2026", 301)),
        ("/app/x/y", ("/app.html", 200)),
        ("/away", ("https://example.com/x", 307)),
        ("/away/a/b", ("https://example.com:8080/a/b", 301)),
        ("/bad", None),
        ("/bad2", None),
        ("/bad3", None),
        ("/nothing", None),
        ("/b/b", ("/archive/b/b", 301)),
    ],
)
def test_redirects(path: str, expected: tuple[str, int] | None) -> None:
    assert site.redirect(site.redirects(REDIRECTS), path, forced=False) == expected


def test_only_forced_rules_stand_before_pages() -> None:
    rules = site.redirects(REDIRECTS)
    assert site.redirect(rules, "/force", forced=True) == ("/there", 301)
    assert site.redirect(rules, "/old", forced=True) is None


def test_a_target_filled_from_the_path_never_leaves_the_site() -> None:
    rules = site.redirects("/go/*  /:splat")
    assert site.redirect(rules, "/go/a", forced=False) == ("/a", 301)
    assert site.redirect(rules, "/go//evil.example", forced=False) is None


HEADERS = """
/*
  X-Team: ocean
  Set-Cookie: a=b
  Content-Length: 5
/assets/*
  Cache-Control: public, max-age=31536000
  X-Team: assets
  Bad Name: x
  X-Newline: ok
/index.html
  # a comment
  X-Robots-Tag: noindex
"""


def test_headers() -> None:
    rules = site.headers(HEADERS)
    assert site.headers_for(rules, "/") == {"x-team": "ocean"}
    assert site.headers_for(rules, "/assets/a.css") == {"x-team": "assets", "cache-control": "public, max-age=31536000", "x-newline": "ok"}
    assert site.headers_for(rules, "/index.html") == {"x-team": "ocean", "x-robots-tag": "noindex"}


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_is_rules_and_nothing_it_gives_breaks_a_header(text: str, path: str) -> None:
    found = site.redirect(site.redirects(text), "/" + path, forced=False)
    shown = [*site.headers_for(site.headers(text), "/" + path).values(), *([found[0]] if found else [])]
    assert all(value.isascii() and value.isprintable() for value in shown)
