"""Conditions as an expression tree (sqlglot) over fields by name: what find runs, translate prints, and SQL is compared with.

A field is a quoted column; a dot in its name reaches inside. `=` and its like compare a field with a value and never mix types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import re2
from sqlglot import exp

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.core.filters import UNIVERSAL
from ocean.core.payloads import dumps
from ocean.errors import OceanError

MAX_TESTS = 200  # an engine's own limit on the depth of an expression lies not far above
MAX_LIST = 1000
MAX_FIELD = 512
ORDERED: dict[str, type[exp.Binary]] = {">": exp.GT, ">=": exp.GTE, "<": exp.LT, "<=": exp.LTE}
TEXT_TESTS = {"contains": "%{}%", "starts with": "{}%", "ends with": "%{}"}


class TextTest(exp.Expression):
    """`this` contains, starts with or ends with `expression`, case ignored; a list contains an element. `mode` is a key of TEXT_TESTS."""

    arg_types = {"this": True, "expression": True, "mode": True}


class UniversalTest(exp.Expression):
    """A universal field, `this`, has what is `wanted` of it, as JSON: see `store.query.marks`."""

    arg_types = {"this": True, "wanted": True}


def column(name: str) -> exp.Column:
    """A field as the tree has it. Raises INVALID_VALUE on a name that no field can have."""
    check_name(name)
    return exp.Column(this=exp.to_identifier(name, quoted=True))


def is_name(name: str) -> bool:
    """Whether a question can have a field of this name."""
    return len(name) <= MAX_FIELD and "\x00" not in name


def check_name(name: str) -> str:
    """The name. Raises INVALID_VALUE."""
    if not is_name(name):
        raise OceanError("INVALID_VALUE", f"{name[:60]!r} can't name a field.")
    return name


def literal(value: Any) -> exp.Expr:
    """Text, a number, true, false or null."""
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal(this=repr(value), is_string=False)


def value_of(node: exp.Expr) -> Any:
    """The value that `literal` made a node of."""
    if isinstance(node, exp.Null):
        return None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    text = str(node.this)
    if node.args.get("is_string"):
        return text
    return float(text) if any(mark in text for mark in ".einf") else int(text)


def predicate(condition: Condition) -> exp.Expr:
    """The tree of a condition. Raises INVALID_VALUE."""
    if sum(1 for _ in tests_of(condition)) > MAX_TESTS:
        raise OceanError("INVALID_VALUE", f"A condition has at most {MAX_TESTS} comparisons.")
    return _part(condition)


def tests_of(condition: Condition) -> Iterator[Test]:
    """All comparisons of a condition."""
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Not):
        yield from tests_of(condition.part)
    else:
        for part in condition.parts:
            yield from tests_of(part)


def _part(condition: Condition) -> exp.Expr:
    if isinstance(condition, AllOf | AnyOf):
        parts = [_part(p) for p in condition.parts]
        kind = exp.And if isinstance(condition, AllOf) else exp.Or
        tree = parts[0]
        for part in parts[1:]:
            tree = kind(this=tree, expression=part)
        return exp.Paren(this=tree) if len(parts) > 1 else tree
    if isinstance(condition, Not):
        return exp.Not(this=exp.Coalesce(this=_part(condition.part), expressions=[exp.false()]))
    return _test(condition)


def _test(test: Test) -> exp.Expr:
    name, operator, value = test.field, test.operator, test.value
    here = column(name)
    if operator == UNIVERSAL:
        return UniversalTest(this=here, wanted=dumps(value))
    if operator in ("exists", "missing"):
        is_null = exp.Is(this=here, expression=exp.Null())
        return is_null if operator == "missing" else exp.Not(this=is_null)
    if operator in ("in", "not in"):
        if len(value) > MAX_LIST:
            raise OceanError("INVALID_VALUE", f"A list to compare with has at most {MAX_LIST} values.")
        among = exp.In(this=here, expressions=[literal(_checked(item)) for item in value]) if value else exp.false()
        if operator == "in":
            return among
        if any(item is None for item in value):  # null is one of them, and a record that lacks the field has no null
            return exp.Not(this=exp.Coalesce(this=among, expressions=[exp.false()]))
        return exp.Paren(this=exp.Or(this=exp.Not(this=among), expression=exp.Is(this=column(name), expression=exp.Null())))
    if operator == "between":
        low, high = (literal(_orderable(name, item)) for item in value)
        return exp.Between(this=here, low=low, high=high)
    if operator in ORDERED:
        return ORDERED[operator](this=here, expression=literal(_orderable(name, value)))
    if operator == "matches":
        return exp.RegexpLike(this=here, expression=exp.Literal.string(regex(_text(operator, value))))
    if operator in TEXT_TESTS:
        wanted = _checked(value) if operator == "contains" else _text(operator, value)
        return TextTest(this=here, expression=literal(wanted), mode=operator)
    return (exp.EQ if operator == "=" else exp.NullSafeNEQ)(this=here, expression=literal(_checked(value)))


def _checked(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise OceanError("INVALID_VALUE", "A condition can't compare whole numbers beyond 64 bits.")
    if isinstance(value, list | dict):
        raise OceanError("INVALID_VALUE", "A condition compares with text, a number, true, false or null.")
    if isinstance(value, str) and "\x00" in value:
        raise OceanError("INVALID_VALUE", "A condition can't compare with the character U+0000.")
    return value


def _orderable(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        raise OceanError("INVALID_VALUE", f"{name[:60]} can't be ordered against {value!r}.")
    return _checked(value)


def _text(operator: str, value: Any) -> str:
    if not isinstance(value, str):
        raise OceanError("INVALID_VALUE", f"'{operator}' compares with text.")
    return str(_checked(value))


def like_pattern(mode: str, value: str) -> str:
    """What LIKE compares with, `\\` before what it would take as a sign. Raises INVALID_VALUE."""
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if len(escaped) > 1000:
        raise OceanError("INVALID_VALUE", f"'{mode}' takes at most 1000 characters.")
    return TEXT_TESTS[mode].format(escaped)


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


def regex(pattern: str) -> str:
    """A pattern that is matched in linear time (RE2's syntax, less what the other engine reads differently)."""
    if len(pattern) > 500 or "\\p" in pattern or "\\P" in pattern or "\\C" in pattern or "\\Q" in pattern:
        raise OceanError("INVALID_VALUE", "'matches' takes an expression of at most 500 characters, without \\p, \\C and \\Q.")
    if re.search(r"\(\?(?!:)", pattern.removeprefix("(?i)")):
        raise OceanError("INVALID_VALUE", "'matches' takes groups as (...) or (?:...), and (?i) only at the beginning.")
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error as fault:
        why = fault.args[0] if fault.args else ""
        why = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise OceanError("INVALID_VALUE", f"The expression {pattern[:60]!r} can't be read: {why}.", "RE2's syntax is taken.") from None
    return pattern
