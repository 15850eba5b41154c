"""The language at its edges: each statement here prints back, each error here has its column."""

from __future__ import annotations

import pytest

from grammar import DropsSyntaxError, Language
from grammar.conditions import AnyOf, Not, Test, show_condition
from ocean.commands.table import LANGUAGE

PRINTS = [
    ('find a where x matches "^a"', None),
    ("find a where x in (1, 'b')", 'find a where x in (1, "b")'),
    ("find a where x not in [1, 2]", "find a where x not in (1, 2)"),
    (
        "find a where .x.y ends with 'z' or (not y missing and z contains 5)",
        'find a where x.y ends with "z" or (not (y missing) and z contains 5)',
    ),
    ('find a where "odd name" = 1', None),
    ("find a where not not x = 1", "find a where not (not (x = 1))"),
    ('find a sort "odd name" desc, key', None),
    ("find a sort x asc", "find a sort x"),
    ('find a pick *, .x, "odd name"', 'find a pick *, x, "odd name"'),
    ('save a @"odd key" null', None),
    ('save a @k "text" price 2.5 keep 60', 'save a @k "text" keep 60 price 2.5'),
    ("save a 5", None),
    ("save a -1.5e3", "save a -1500.0"),
    ("save a {}", None),
    ("save a ()", None),
    ("save a { b: (1, { c: true }) }", "save a b: (1, { c: true })"),
    ("save a { input }", "save a input: null"),
    ('save a "x": 1, y: 2', "save a x: 1 y: 2"),
    ("save a 5: 1", 'save a "5": 1'),
    (r'save a "tab\t quote\" slash\/ \u00e9 \ud83d\udca7"', 'save a "tab\\t quote\\" slash/ é 💧"'),
    ("update a @k { x: 1 }", "update a @k x: 1"),
    ("grant a to @KEY shared", "grant a to KEY shared"),
    ('get "a/b" @k', "get a/b @k"),
    ("list a limit 5 then first 3", None),
    ("find a then where x = 1 then sort y then skip 1 then limit 2 then pick z", None),
    ("bulk (save a @1 1; remove a @2)", "bulk (save a @1 1, remove a @2)"),
    ("unpublish site", None),
    ('rollback site to "2026-03-10"', None),
    ("save a @k then: 1", None),
    ("save a @k where: 1 limit: 2", None),
    ("find a // a comment", "find a"),
]


@pytest.mark.parametrize(("text", "printed"), PRINTS)
def test_it_prints_back(text: str, printed: str | None) -> None:
    statements = LANGUAGE.parse(text)
    shown = LANGUAGE.show(statements[0])
    assert shown == (printed or text)
    assert LANGUAGE.parse(shown) == statements


ERRORS = [
    ("find a where", 13),
    ("find a where x", 15),
    ("find a where x in 5", 19),
    ("find a where x starts 5", 23),
    ("find a where x between 1 or 2", 26),
    ("find a where @x = 1", 14),
    ("find a where a..b = 1", 14),
    ("find a where (x = 1", 20),
    ("find a where x = y", 18),
    ("find a sort", 12),
    ("find a limit x", 14),
    ("find a limit 1.5", 14),
    ("find a limit 1234567890123456789", 14),
    ("find a then", 12),
    ("find a then jump", 13),
    ("save a x: (1 2)", 14),
    ("save a x: { y: 1", 17),
    ('save a x: "\\q"', 12),
    ('save a x: "\\ud800"', 11),
    ("save a x: 1e999", 11),
    ("save a price x", 8),
    ("get a @", 8),
    ("get a k", 7),
    ("get @k", 5),
    ("share a with", 13),
    ("add x to a @k f", 5),
    ("save a @k x: 1 y", 16),
    ("bulk save a 1", 6),
    ("bulk (save a 1", 15),
    ("bulk (save a 1 save b 2)", 16),
    ("bulk (bulk (save a 1))", 12),
    ("whoami then count then", 23),
    ("save a x: " + "9" * 401, 11),
    ("find a" + " then count" * 51, 563),
    ("rollback a to x", 15),
    ("find a pick 'x", 13),
    ("save a !", 8),
    ("save a { 5 x }", None),
    ("{", 1),
    ("save a x: {: 1}", 12),
    ("save a 1 price 12345678901234567890123", 16),
    ("save a x: { b: 1, b: 2 }", 19),
    ("update a @k 5", 13),
    ("save a 1 price 1 x", 18),
    ("find\na", 5),
]


@pytest.mark.parametrize(("text", "column"), ERRORS)
def test_an_error_has_its_column(text: str, column: int | None) -> None:
    if column is None:
        assert LANGUAGE.parse(text)
        return
    with pytest.raises(DropsSyntaxError) as caught:
        LANGUAGE.parse(text)
    assert (caught.value.line, caught.value.column) == (1, column), str(caught.value)


def test_too_many_statements_and_too_deep_a_value() -> None:
    with pytest.raises(DropsSyntaxError):
        LANGUAGE.parse("whoami\n" * 1001)
    with pytest.raises(DropsSyntaxError):
        LANGUAGE.parse("save a x: " + "{a:" * 70)


def test_a_language_without_a_bare_form_and_with_forms_that_share_a_word() -> None:
    small = Language({"one": ("go N:integer",), "two": ("go WORD:word",), "three": ("go far WORD:word",), "four": ("go",)}, {})
    assert [small.parse(text)[0].command for text in ("go 5", "go home", "go far away", "go")] == ["one", "two", "three", "four"]
    assert "go" in small.words
    for wrong in ("a @k", "go far", "go 5 6"):
        with pytest.raises(DropsSyntaxError):
            small.parse(wrong)


def test_conditions_print_inside_one_another() -> None:
    assert show_condition(Not(AnyOf((Test("a", "=", 1), Test("b", "exists"))))) == "not (a = 1 or b exists)"


def test_a_bracket_too_many_does_not_swallow_the_next_line() -> None:
    with pytest.raises(DropsSyntaxError) as caught:
        LANGUAGE.parse("get a @k )\nget b @k")
    assert (caught.value.line, caught.value.column) == (1, 10)


def test_groups_without_fields_quoted_aggregates_and_recipients() -> None:
    for text in (
        "find a group sum n, count",
        'find a group "sum", b sum n count',
        'find a then send email to email subject "S" body "B"',
        'find a then send email to "b@example.com" subject "S" body "B"',
        "export a pick b, c.d",
        "find a inner join b as x on c = x.d and e = key left join f on g = h",
    ):
        (statement,) = LANGUAGE.parse(text)
        assert LANGUAGE.parse(LANGUAGE.show(statement)) == [statement]
    for wrong in (
        "find a join b on c > d",
        "every : run x",
        "define 'a' fields",
        "find a group",
        "run a { } async async",
        "rsvp a @k 'e' @x",
    ):
        with pytest.raises(DropsSyntaxError):
            LANGUAGE.parse(wrong)


def test_the_tables_of_a_language() -> None:
    assert "where" in LANGUAGE.clauses
    assert "find" in LANGUAGE.words
    assert LANGUAGE.forms["get"][0].fits({"route": "a", "key": "b"})
    assert LANGUAGE.stages["count"].words == ("count",)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("find a where x == 3", "Write =."),
        ("find a where x => 3", "Write >=."),
        ('find a where x like "b%"', 'Write contains "a", starts with "a" or matches "^a".'),
        ("find a where x is null", "Write missing or exists."),
        ("find a where x not between 1 and 5", "Write not (x ...), with the comparison."),
        ("find a where x not starts with 'b'", "Write not (x ...), with the comparison."),
        ("find a order by x", "Write sort name, or sort name desc."),
        ("find a where x = 1 AND y = 2", "Write and."),
        ("find a where x = 1 && y = 2", "Write and."),
        ("find a sort by name", "Leave out 'by'."),
        ("find a group by name", "Leave out 'by'."),
        ("find a limit 3 offset 5", "Write skip and a number."),
        ("save a @k x: True", "Did you mean 'true'?"),
        ("save a @k x: None", "Did you mean 'null'?"),
        ("get order", None),
        ("find a sort b y", None),
        ("find a then pick x limit 1", "Did you mean 'then limit'?"),
    ],
)
def test_what_others_say_is_told_in_our_words(text: str, hint: str | None) -> None:
    with pytest.raises(DropsSyntaxError) as raised:
        LANGUAGE.parse(text)
    assert raised.value.hint == hint
