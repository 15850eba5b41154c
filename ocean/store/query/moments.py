"""SQL's functions of time over text as RFC 3339 has it in UTC, which is how records keep time: the same on every engine."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

_TRUNCATED = {  # unit -> how much of the text stays, and what follows
    "YEAR": (4, "-01-01T00:00:00.000Z"), "MONTH": (7, "-01T00:00:00.000Z"), "DAY": (10, "T00:00:00.000Z"),
    "HOUR": (13, ":00:00.000Z"), "MINUTE": (16, ":00.000Z"),
}  # fmt: skip
_EXTRACTED = {"YEAR": (1, 4), "MONTH": (6, 2), "DAY": (9, 2), "HOUR": (12, 2), "MINUTE": (15, 2), "SECOND": (18, 2)}
_DATE, _TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
_UNITS = ", ".join(name.lower() for name in _EXTRACTED)
_OURS = (exp.CurrentTimestamp, exp.CurrentDate, exp.Date, exp.TsOrDsToDate, exp.TimestampTrunc, exp.DateTrunc, exp.Extract)
MAX_DEPTH = 3  # each level has what is in it twice
Refuse = Callable[[str, exp.Expr], Exception]


def replaced(tree: exp.Expr, moment: str, refuse: Refuse) -> exp.Expr:
    """The tree with date_trunc, extract, date, now and current_date as pieces of text (`moment` is now); NULL where text is no time."""

    def change(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.CurrentTimestamp):
            return exp.Literal.string(moment)
        if isinstance(node, exp.CurrentDate):
            return exp.Literal.string(moment[:10])
        if isinstance(node, exp.Date | exp.TsOrDsToDate):
            return _part(node.this, 1, 10, _DATE)
        if isinstance(node, exp.TimestampTrunc | exp.DateTrunc):
            unit = _unit(node.args.get("unit"))
            if unit not in _TRUNCATED:
                raise refuse(f"date_trunc knows {', '.join(name.lower() for name in _TRUNCATED)}.", node)
            length, rest = _TRUNCATED[unit]
            return exp.DPipe(this=_part(node.this, 1, length, _TIME if length > 10 else _DATE), expression=exp.Literal.string(rest))
        if isinstance(node, exp.Extract):
            unit = _unit(node.this)
            if unit not in _EXTRACTED:
                raise refuse(f"extract knows {_UNITS}.", node)
            start, length = _EXTRACTED[unit]
            return exp.Cast(this=_part(node.expression, start, length, _TIME if start > 10 else _DATE), to=exp.DataType.build("int"))
        return node

    for node in reversed(list(tree.walk())):  # the inner ones first
        if isinstance(node, _OURS):
            if _depth(node) > MAX_DEPTH:
                raise refuse(f"Functions of time stand at most {MAX_DEPTH} deep in one another.", node)
            node.replace(change(node))
    return tree


def _depth(node: exp.Expr) -> int:
    depth, around = 1, node.parent
    while around is not None:
        depth += isinstance(around, _OURS)
        around = around.parent
    return depth


def _unit(node: exp.Expr | None) -> str:
    return node.name.upper() if node is not None else ""


def _part(text: exp.Expr, start: int, length: int, form: str) -> exp.Expr:
    """Some characters of a text that has this form."""
    piece = exp.Substring(this=text.copy(), start=exp.Literal.number(start), length=exp.Literal.number(length))
    fits = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(form))
    return exp.Case(ifs=[exp.If(this=fits, true=piece)])
