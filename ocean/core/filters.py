"""JSON filters (`{"age": {"$gt": 21}}`) as the conditions that Drops writes."""

from __future__ import annotations

from typing import Any

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.errors import OceanError

_OPERATORS = {
    "$eq": "=", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=", "$in": "in", "$nin": "not in",
    "$contains": "contains", "$regex": "matches",
}  # fmt: skip
MAX_DEPTH = 32


def condition_of(filter_: Any, depth: int = 0) -> Condition:
    """The condition of a filter. Raises INVALID_VALUE or UNKNOWN_FIELD."""
    if not isinstance(filter_, dict) or not filter_ or depth > MAX_DEPTH:
        raise OceanError("INVALID_VALUE", "A filter is an object with at least one field, at most 32 deep.")
    parts: list[Condition] = []
    for name, wanted in filter_.items():
        if name in ("$and", "$or"):
            if not isinstance(wanted, list) or not wanted:
                raise OceanError("INVALID_VALUE", f"{name} is a list of filters.")
            inner = tuple(condition_of(f, depth + 1) for f in wanted)
            parts.append(AllOf(inner) if name == "$and" else AnyOf(inner))
        elif name == "$not":
            parts.append(Not(condition_of(wanted, depth + 1)))
        elif name.startswith("$"):
            raise OceanError("UNKNOWN_FIELD", f"A filter has no operator {name[:40]!r}.")
        else:
            parts.extend(_field(name, wanted))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _field(name: str, wanted: Any) -> list[Condition]:
    if not isinstance(wanted, dict):
        return [Test(name, "=", wanted)]
    tests: list[Condition] = []
    for operator, value in wanted.items():
        if operator == "$exists":
            tests.append(Test(name, "exists" if value else "missing"))
        elif operator not in _OPERATORS:
            raise OceanError("UNKNOWN_FIELD", f"A filter has no operator {operator[:40]!r}.")
        elif operator in ("$in", "$nin") and not isinstance(value, list):
            raise OceanError("INVALID_VALUE", f"{operator} takes a list.")
        else:
            tests.append(Test(name, _OPERATORS[operator], value))
    return tests


def sorts_of(sort: Any) -> list[dict[str, Any]]:
    """`"name"`, `"-name"`, `{"name": "desc"}` or a list of these."""
    if sort is None:
        return []
    sorts: list[dict[str, Any]] = []
    for item in sort if isinstance(sort, list) else [sort]:
        if isinstance(item, str) and item.removeprefix("-"):
            sorts.append({"field": item.removeprefix("-"), "descending": item.startswith("-")})
        elif isinstance(item, dict) and all(v in ("asc", "desc", 1, -1) for v in item.values()):
            sorts.extend({"field": k, "descending": v in ("desc", -1)} for k, v in item.items())
        else:
            raise OceanError("INVALID_VALUE", "'sort' is a field, -field, or {field: \"desc\"}, or a list of them.")
    return sorts
