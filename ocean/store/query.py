"""Conditions to SQL. Values and field paths are bound, never pasted; types are not mixed."""

from __future__ import annotations

import re
from typing import Any

import re2

from grammar.conditions import AllOf, AnyOf, Condition, Not
from ocean.core.drop import read_time
from ocean.errors import OceanError
from ocean.store.dialects import Dialect

OWN = {"key": "r.key", "created_at": "r.created_at", "drop_id": "r.drop_id", "route": "r.route", "source": "r.source"}
MAX_TESTS = 200  # an engine's own limit on the depth of an expression lies not far above
MAX_LIST = 1000
MAX_FIELD = 512
_ORDERED = (">", ">=", "<", "<=")
_OPPOSITE = {"!=": "=", "not in": "in", "missing": "exists"}
_LIKE = {"contains": "%{}%", "starts with": "{}%", "ends with": "%{}"}


def where(condition: Condition, dialect: Dialect, args: list[Any]) -> str:
    """SQL that is true, false or NULL; `args` gets the values in order. Raises INVALID_VALUE."""
    return _Compiler(dialect, args).part(condition)


def order(sorts: list[dict[str, Any]], dialect: Dialect, args: list[Any]) -> str:
    """What stands behind ORDER BY; the order of writing decides between equals."""
    if len(sorts) > 16:
        raise OceanError("INVALID_VALUE", "A find is sorted by at most 16 fields.")
    parts: list[str] = []
    for sort in sorts:
        if sort["field"] in OWN:
            parts.append(OWN[sort["field"]] + (" DESC" if sort["descending"] else ""))
        else:
            parts.append(dialect.sort(_path(sort["field"]), sort["descending"], args))
    return ", ".join([*parts, "r.seq"])


def _path(name: str) -> list[str]:
    if len(name) > MAX_FIELD or any(mark in name for mark in '\x00"\\'):
        raise OceanError("INVALID_VALUE", f"{name[:60]!r} can't name a field.")
    return name.split(".")


class _Compiler:
    def __init__(self, dialect: Dialect, args: list[Any]) -> None:
        self.dialect = dialect
        self.args = args
        self.tests = 0

    def part(self, condition: Condition) -> str:
        if isinstance(condition, AllOf | AnyOf):
            joined = (" AND " if isinstance(condition, AllOf) else " OR ").join(map(self.part, condition.parts))
            return f"({joined})"
        if isinstance(condition, Not):
            return f"NOT coalesce({self.part(condition.part)}, false)"
        return self.test(condition.field, condition.operator, condition.value)

    def test(self, field: str, operator: str, value: Any) -> str:
        self.tests += 1
        if self.tests > MAX_TESTS:
            raise OceanError("INVALID_VALUE", f"A condition has at most {MAX_TESTS} comparisons.")
        if operator in _OPPOSITE:
            return f"NOT coalesce({self.test(field, _OPPOSITE[operator], value)}, false)"
        if operator == "between":
            return f"({self.test(field, '>=', value[0])} AND {self.test(field, '<=', value[1])})"
        if operator == "in":
            if len(value) > MAX_LIST:
                raise OceanError("INVALID_VALUE", f"A list to compare with has at most {MAX_LIST} values.")
            if not value:
                return "false"
        for item in value if operator == "in" else [] if operator == "exists" else [value]:
            _check_value(item)
        if operator in (*_LIKE, "matches") and not (operator == "contains" or isinstance(value, str)):
            raise OceanError("INVALID_VALUE", f"'{operator}' compares with text.")
        if operator in _ORDERED and (value is None or isinstance(value, bool)):
            raise OceanError("INVALID_VALUE", f"{field[:60]} can't be ordered against {value!r}.")
        return self.own(field, operator, value) if field in OWN else self.payload(_path(field), operator, value)

    def own(self, field: str, operator: str, value: Any) -> str:
        column = OWN[field]
        if operator == "exists":
            return f"{column} IS NOT NULL"
        values = value if operator == "in" else [value]
        if not all(isinstance(v, str) for v in values):
            raise OceanError("INVALID_VALUE", f"{field} is compared with text.")
        if field == "created_at":
            if operator in (*_LIKE, "matches"):
                raise OceanError("INVALID_VALUE", "created_at is a time: compare it with =, <, > or between.")
            values = [read_time(v) for v in values]
        elif operator in _LIKE:
            return self.dialect.column_like(column, _pattern(operator, value), self.args)
        elif operator == "matches":
            return self.dialect.column_matches(column, _regex(value), self.args)
        self.args.extend(values)
        if operator == "in":
            return f"{column} IN ({','.join('?' * len(values))})"
        return f"{column} {operator} ?"

    def payload(self, at: list[str], operator: str, value: Any) -> str:
        dialect, args = self.dialect, self.args
        if operator == "exists":
            return dialect.exists(at, args)
        if operator == "contains":
            element = dialect.element(at, value, args)
            return f"({element} OR {dialect.like(at, _pattern(operator, value), args)})" if isinstance(value, str) else element
        if operator in _LIKE:
            return dialect.like(at, _pattern(operator, value), args)
        if operator == "matches":
            return dialect.matches(at, _regex(value), args)
        if operator in _ORDERED:
            return dialect.ordered(at, operator, value, args)
        return dialect.equal(at, value if operator == "in" else [value], args)


def _check_value(value: Any) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        raise OceanError("INVALID_VALUE", "A condition can't compare whole numbers beyond 64 bits.")
    if isinstance(value, list | dict):
        raise OceanError("INVALID_VALUE", "A condition compares with text, a number, true, false or null.")
    if isinstance(value, str) and "\x00" in value:
        raise OceanError("INVALID_VALUE", "A condition can't compare with the character U+0000.")


def _pattern(operator: str, value: str) -> str:
    escaped = value.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    if len(escaped) > 1000:
        raise OceanError("INVALID_VALUE", f"'{operator}' takes at most 1000 characters.")
    return _LIKE[operator].format(escaped)


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 1 << 20


def _regex(pattern: str) -> str:
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
