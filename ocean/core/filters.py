"""Questions as JSON (`{"age": {"$gt": 21}}`) to the same plain values that Drops is read to."""

from __future__ import annotations

from typing import Any

from grammar.conditions import AllOf, AnyOf, Condition, Not, Test
from ocean.core.universal import FIELDS
from ocean.errors import OceanError

_OPERATORS = {
    "$eq": "=", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<=", "$in": "in", "$nin": "not in",
    "$contains": "contains", "$has": "contains", "$regex": "matches", "$startsWith": "starts with", "$endsWith": "ends with",
}  # fmt: skip
_SIGNS = {word: sign for sign, word in _OPERATORS.items() if sign != "$has"}
_AGGREGATES = ("$sum", "$avg", "$min", "$max", "$first", "$last", "$distinct")
MAX_DEPTH = 32
UNIVERSAL = "universal"  # a test of a universal field, as `primitives` has them


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
            parts.extend(_field(name, wanted, depth))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _field(name: str, wanted: Any, depth: int) -> list[Condition]:
    if not isinstance(wanted, dict):
        return [Test(name, "=", wanted)]
    if not wanted:
        raise OceanError("INVALID_VALUE", f"The filter asks nothing of {name[:60]!r}.", f"Known: {', '.join(_OPERATORS)}.")
    tests: list[Condition] = []
    for operator, value in wanted.items():
        if operator == "$exists":
            if not isinstance(value, bool):
                raise OceanError("INVALID_VALUE", f"$exists of {name[:60]!r} is true or false.")
            tests.append(Test(name, "exists" if value else "missing"))
        elif operator == "$not":
            tests.append(Not(condition_of({name: value}, depth + 1)))
        elif name in FIELDS and (operator in ("$near", "$within") or (operator == "$has" and isinstance(value, dict))):
            tests.append(Test(name, UNIVERSAL, {operator: value}))
        elif operator not in _OPERATORS:
            known = f"Known: {', '.join(_OPERATORS)}, $exists, $not; $near and $within of {', '.join(FIELDS)}."
            raise OceanError("UNKNOWN_FIELD", f"A filter has no operator {operator[:40]!r}.", known)
        elif operator in ("$in", "$nin") and not isinstance(value, list):
            raise OceanError("INVALID_VALUE", f"{operator} takes a list.")
        else:
            tests.append(Test(name, _OPERATORS[operator], value))
    return tests


def sorts_of(sort: Any) -> list[dict[str, Any]] | None:
    """`"name"`, `"-name"`, `"name desc"`, `{"name": "desc"}` or a list of these."""
    if sort is None:
        return None
    sorts: list[dict[str, Any]] = []
    for item in sort if isinstance(sort, list) else [sort]:
        words = item.split(" ") if isinstance(item, str) else []
        if len(words) == 2 and words[0] and words[1] in ("asc", "desc"):
            sorts.append({"field": words[0], "descending": words[1] == "desc"})
        elif isinstance(item, str) and item.removeprefix("-"):
            sorts.append({"field": item.removeprefix("-"), "descending": item.startswith("-")})
        elif isinstance(item, dict) and all(v in ("asc", "desc", 1, -1) for v in item.values()):
            sorts.extend({"field": k, "descending": v in ("desc", -1)} for k, v in item.items())
        else:
            raise OceanError("INVALID_VALUE", "'sort' is a field, -field, or {field: \"desc\"}, or a list of them.")
    return sorts


def picks_of(select: Any) -> list[str | dict[str, str]] | None:
    """`["a", "*", {"b": "c"}]`: the last is b, called c."""
    if select is None:
        return None
    picks: list[str | dict[str, str]] = []
    for item in select:
        if isinstance(item, str):
            picks.append(item)
        elif isinstance(item, dict) and all(isinstance(v, str) for v in item.values()):
            picks.extend({"field": k, "as": v} for k, v in item.items())
        else:
            raise OceanError("INVALID_VALUE", "'select' is a list of fields, or of {field: name}.")
    return picks


def grouping_of(group: Any, aggregate: Any) -> dict[str, Any]:
    """`"category"` or a list of fields; `{"total": {"$sum": "amount"}, "n": {"$count": true}}`."""
    by = [group] if isinstance(group, str) else group
    if not isinstance(by, list) or not all(isinstance(name, str) for name in by):
        raise OceanError("INVALID_VALUE", "'group' is a field, or a list of fields.")
    aggregates: list[dict[str, str]] = []
    for name, wanted in (aggregate or {}).items():
        operator, field = next(iter(wanted.items())) if isinstance(wanted, dict) and len(wanted) == 1 else (None, None)
        if operator == "$count":
            if field is not True and field not in (1, "*", {}):
                said = f"'$count' counts records, not a field: {name[:40]!r} is {{\"$count\": true}}."
                raise OceanError("INVALID_VALUE", said, 'Those that have the field: a filter of {"FIELD": {"$exists": true}}.')
            aggregates.append({"op": "count", "as": name})
        elif operator in _AGGREGATES and isinstance(field, str):
            aggregates.append({"op": operator[1:], "field": field, "as": name})
        else:
            raise OceanError(
                "INVALID_VALUE", f"'aggregate' has {name[:40]!r} as no {{\"$sum\": field}}.", f"{', '.join(_AGGREGATES)}, $count."
            )
    return {"by": by, "aggregates": aggregates or [{"op": "count"}]}


def joins_of(join: Any) -> list[dict[str, Any]] | None:
    """`{"route": "users", "on": {"user_id": "key"}, "as": "u", "kind": "inner"}`, or a list of these."""
    if join is None:
        return None
    joins: list[dict[str, Any]] = []
    for item in join if isinstance(join, list) else [join]:
        on = item.get("on") if isinstance(item, dict) else None
        sound = isinstance(on, dict) and on and all(isinstance(v, str) for v in on.values())
        if not sound or not set(item) <= {"route", "on", "as", "kind"} or item.get("kind", "left") not in ("left", "inner"):
            raise OceanError("INVALID_VALUE", '\'join\' is {"route", "on": {field: field}, "as"?, "kind"?: "left" or "inner"}.')
        if not isinstance(item.get("as", ""), str):
            raise OceanError("INVALID_VALUE", "A join's 'as' is a name.")
        named = {"as": item["as"]} if "as" in item else {}
        assert on is not None
        joins.append({"route": item.get("route"), "kind": item.get("kind", "left"), "on": [list(pair) for pair in on.items()], **named})
    return joins


def filter_of(condition: Condition) -> dict[str, Any]:
    """The filter that means what a condition does; `between` as its two bounds."""
    if isinstance(condition, AllOf):
        return {"$and": [filter_of(part) for part in condition.parts]}
    if isinstance(condition, AnyOf):
        return {"$or": [filter_of(part) for part in condition.parts]}
    if isinstance(condition, Not):
        return {"$not": filter_of(condition.part)}
    name, operator, value = condition.field, condition.operator, condition.value
    if operator == UNIVERSAL:
        return {name: value}
    if operator == "=" and not isinstance(value, dict):
        return {name: value}
    if operator in ("exists", "missing"):
        return {name: {"$exists": operator == "exists"}}
    if operator == "between":
        return {name: {"$gte": value[0], "$lte": value[1]}}
    return {name: {_SIGNS[operator]: value}}
