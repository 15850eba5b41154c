"""Conditions to SQL. Values and field paths are bound, never pasted; types are not mixed."""

from __future__ import annotations

from typing import Any

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.core.drop import read_time
from ocean.errors import OceanError

OWN = {"key": "r.key", "created_at": "r.created_at", "drop_id": "r.drop_id", "route": "r.route", "source": "r.source"}
_BODY = "CASE WHEN r.counters IS NULL THEN r.body ELSE jsonb_patch(r.body, r.counters) END"
_ORDERED = {">": ">", ">=": ">=", "<": "<", "<=": "<="}


def path(name: str) -> str:
    """The JSON path of a dotted field name."""
    if '"' in name:
        raise OceanError("INVALID_VALUE", f"The field {name[:60]!r} has a quotation mark, which a condition can't name.")
    return "$" + "".join(f'."{part}"' for part in name.split("."))


def where(condition: Condition, args: list[Any]) -> str:
    """SQL that is true, false or NULL; `args` gets the values in order."""
    if isinstance(condition, AllOf | AnyOf):
        joined = (" AND " if isinstance(condition, AllOf) else " OR ").join(where(p, args) for p in condition.parts)
        return f"({joined})"
    if isinstance(condition, Not):
        return f"NOT coalesce({where(condition.part, args)}, 0)"
    return _test(condition, args)


def _test(test: Test, args: list[Any]) -> str:
    operator, value = test.operator, test.value
    if operator in ("!=", "not in", "missing"):
        opposite = {"!=": "=", "not in": "in", "missing": "exists"}[operator]
        return f"NOT coalesce({_test(Test(test.field, opposite, value), args)}, 0)"
    if operator == "between":
        low = _test(Test(test.field, ">=", value[0]), args)
        return f"({low} AND {_test(Test(test.field, '<=', value[1]), args)})"
    if operator == "in":
        if not value:
            return "0"
        return "(" + " OR ".join(_test(Test(test.field, "=", item), args) for item in value) + ")"
    if test.field in OWN:
        return _own(test, args)
    return _payload(test, args)


def _own(test: Test, args: list[Any]) -> str:
    column, operator, value = OWN[test.field], test.operator, test.value
    if operator == "exists":
        return f"{column} IS NOT NULL"
    if operator in ("contains", "starts with", "ends with"):
        return _text(column, operator, value, args)
    args.append(read_time(value) if test.field == "created_at" else value)
    if not isinstance(args[-1], str | int):
        raise OceanError("INVALID_VALUE", f"{test.field} is compared with text.")
    return f"{column} {operator} ?"


def _payload(test: Test, args: list[Any]) -> str:
    operator, value, at = test.operator, test.value, path(test.field)
    if operator == "exists":
        args.append(at)
        return f"json_type({_BODY}, ?) <> 'null'"
    if operator == "contains" and not isinstance(value, str):
        args.extend((at, value))
        return f"EXISTS (SELECT 1 FROM json_each({_BODY}, ?) e WHERE e.value = ?)"
    if operator in ("contains", "starts with", "ends with"):
        args.append(at)
        sql = _text(f"json_extract({_BODY}, ?)", operator, value, args)
        args.append(at)
        if operator != "contains":
            return f"({sql} AND json_type({_BODY}, ?) = 'text')"
        args.extend((at, at, value))
        element = f"(json_type({_BODY}, ?) = 'array' AND EXISTS (SELECT 1 FROM json_each({_BODY}, ?) e WHERE e.value = ?))"
        return f"(({sql} AND json_type({_BODY}, ?) = 'text') OR {element})"
    kinds = _kinds(value)
    args.append(at)
    if value is None or isinstance(value, bool):
        if operator != "=":
            raise OceanError("INVALID_VALUE", f"{test.field} can't be ordered against {value!r}.")
        return f"json_type({_BODY}, ?) = '{kinds}'"
    args.extend((value, at))
    return f"(json_extract({_BODY}, ?) {_ORDERED.get(operator, '=')} ? AND json_type({_BODY}, ?) IN ({kinds}))"


def _kinds(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'text'"
    if isinstance(value, int | float):
        if isinstance(value, int) and abs(value) >= 2**63:
            raise OceanError("INVALID_VALUE", "A condition can't compare whole numbers beyond 64 bits.")
        return "'integer','real'"
    raise OceanError("INVALID_VALUE", "A condition compares with text, a number, true, false or null.")


def _text(column: str, operator: str, value: Any, args: list[Any]) -> str:
    if not isinstance(value, str):
        raise OceanError("INVALID_VALUE", f"'{operator}' compares with text.")
    escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = {"contains": f"%{escaped}%", "starts with": f"{escaped}%", "ends with": f"%{escaped}"}[operator]
    args.append(pattern)
    return f"{column} LIKE ? ESCAPE '\\'"


def order(sorts: list[dict[str, Any]], args: list[Any]) -> str:
    parts: list[str] = []
    for sort in sorts:
        if sort["field"] in OWN:
            expression = OWN[sort["field"]]
        else:
            args.append(path(sort["field"]))
            expression = f"json_extract({_BODY}, ?)"
        parts.append(expression + (" DESC" if sort["descending"] else ""))
    return ", ".join([*parts, "r.seq"])
