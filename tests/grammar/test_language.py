"""Each statement parses and prints back; each error names its column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grammar import DropsSyntaxError
from grammar.values import show
from ocean.commands.table import COMMANDS, LANGUAGE

STATEMENTS = [
    'save my/data @user-1 name: "Alice" email: "alice@example.com"',
    "get my/data @user-1",
    'find my/data where name = "Alice" then pick name, email',
    'save myapp/sessions @sess-1 user: "alice" keep 3600',
    'find myapp/events where type = "signup" sort created_at desc limit 10',
    "find myapp/orders where amount > 100 sort amount desc",
    'find myapp/logs where message contains "error" limit 20',
    'find myapp/events where type = "signup" then count',
    'find users where age > 21 and status = "active"',
    'find users where name starts with "A"',
    'find users where role in ("admin", "editor")',
    "find users where email exists",
    "find users sort name limit 10 skip 20",
    "update products @sku-42 on_sale: null",
    "bulk (save ledger @tx1 amount: 100, save ledger @tx2 amount: -100)",
    "share feedback/inbox with @YOUR_KEY mode writeonly",
    "revoke agency/shop from CLIENT_KEY",
    "revoke agency/shop",
    "grant my/route to YOUR_KEY protected",
    'save myapp/premium @article-1 "full content here" price 5',
    "add 5 to pages @home views",
    "subtract 1 from pages @home stock",
    "save mysite @_config null",
    "list users then first",
    "list users then limit 10",
    'save views @todo/full "<p>{{title}}</p>"',
    "find a where not (x = 1 or y between 1 and 2)",
    "help",
    "help find",
    "whoami",
]


@pytest.mark.parametrize("text", STATEMENTS)
def test_a_statement_prints_back(text: str) -> None:
    assert [LANGUAGE.show(s) for s in LANGUAGE.parse(text)] == [text]


def test_every_example_of_the_table_parses_as_its_own_command() -> None:
    for command in COMMANDS.values():
        if command.forms:
            assert LANGUAGE.parse(command.example)[0].command == command.name


def test_bare_get() -> None:
    assert LANGUAGE.parse("users @alice") == LANGUAGE.parse("get users @alice")


def test_several_statements_and_comments() -> None:
    text = "-- first\nsave a @1 x: 1; get a @1\nfind a\n  where x = 1\n  then count -- last"
    assert [s.command for s in LANGUAGE.parse(text)] == ["save", "get", "find"]


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ("finde users", 1, 1, "Did you mean 'find'?"),
        ("find users wher x = 1", 1, 12, "Did you mean 'where'?"),
        ("get users", 1, 10, None),
        ('save a @1 x: "open', 1, 14, None),
        ("get a @1\nsave b @2 x: 1 x: 2", 2, 16, None),
        ("find a where x ~ 1", 1, 16, None),
        ("save a @1 x: {y: }", 1, 18, None),
        ("", 1, 1, None),
    ],
)
def test_an_error_names_its_place(text: str, line: int, column: int, hint: str | None) -> None:
    with pytest.raises(DropsSyntaxError) as caught:
        LANGUAGE.parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    if hint:
        assert caught.value.hint == hint


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_any_value_prints_and_parses_back(value: object) -> None:
    (statement,) = LANGUAGE.parse(f"save a @1 v: {show(value)}")
    assert statement.args["payload"] == {"v": value}


@given(st.text(max_size=60))
def test_any_text_parses_or_is_a_syntax_error(text: str) -> None:
    try:
        LANGUAGE.parse(text)
    except DropsSyntaxError as fault:
        place = (fault.line, fault.column)
    else:
        place = (1, 1)
    assert place >= (1, 1)


def test_deep_nesting_is_refused_not_crashed() -> None:
    for text in ("save a @1 x: " + "(" * 5000, "find a where " + "(" * 5000, "find a where " + "not " * 5000 + "x = 1"):
        with pytest.raises(DropsSyntaxError):
            LANGUAGE.parse(text)


def test_an_error_suggests_only_what_is_near() -> None:
    for text, hint in (("zzzzzz", None), ("delete users @a", "Did you mean 'remove'?"), ("save a @b name: Alice", 'Did you mean "Alice"?')):
        with pytest.raises(DropsSyntaxError) as caught:
            LANGUAGE.parse(text)
        assert caught.value.hint == hint
