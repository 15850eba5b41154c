"""What a SELECT of the user's own may hold: it is read within bounds, and nothing of it is run that is not on a list here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.postgres import PostgresParser

from ocean.errors import OceanError

MAX_TEXT = 10_000  # characters
MAX_NODES = 2_000
MAX_NUMBER = 40  # characters of a number
TRIES = 20  # steps of the parser for each token, beside
MORE_TRIES = 2_000

_SHAPE = (
    exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Subquery, exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order,
    exp.Ordered, exp.Limit, exp.Offset, exp.With, exp.CTE, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star,
    exp.Distinct, exp.Window, exp.WindowSpec, exp.Filter, exp.Paren, exp.Tuple, exp.Literal, exp.Boolean, exp.Null, exp.DataType, exp.Dot,
    exp.Case, exp.If, exp.Cast, exp.Var,
)  # fmt: skip
_OPERATORS = (
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In,
    exp.Between, exp.Like, exp.ILike, exp.RegexpLike, exp.Exists, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe,
)  # fmt: skip
_FUNCTIONS = (
    exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Lower, exp.Upper, exp.Length, exp.Trim, exp.Substring, exp.Coalesce, exp.Nullif,
    exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sqrt, exp.Ln, exp.Sign, exp.Greatest, exp.Least, exp.RowNumber, exp.Rank, exp.DenseRank,
    exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue,
)  # fmt: skip
_ALLOWED = frozenset((*_SHAPE, *_OPERATORS, *_FUNCTIONS))
_CASTS = frozenset({
    exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.INT, exp.DType.BIGINT, exp.DType.DOUBLE, exp.DType.FLOAT, exp.DType.DECIMAL,
    exp.DType.BOOLEAN,
})  # fmt: skip
_NOT_HERE = ("locks", "into", "hint", "laterals", "pivots", "match", "connect", "kind", "sample", "settings", "format", "cluster", "sort",
             "distribute", "version", "joins_", "when", "only", "partition", "changes", "rows_from", "ordinality")  # fmt: skip


class _Bounded(Postgres):
    """PostgreSQL's SQL, whose parser gives up: it tries some texts in ways without number (twenty joins without ON take it a minute)."""

    class Parser(PostgresParser):
        _tries = 0

        def _advance(self, times: int = 1) -> None:
            self._tries += 1
            if self._tries > TRIES * len(self._tokens) + MORE_TRIES:
                raise ParseError("It can be read in too many ways")
            super()._advance(times)


_BARE = re.compile(r"\b(?:from|join)\s+([\w~.-]+(?:/[\w~.-]+)+)", re.IGNORECASE)  # a folder without quotes


def read(text: str) -> exp.Query:
    if len(text) > MAX_TEXT or "\x00" in text:
        raise OceanError("SQL_ERROR", f"The statement is longer than {MAX_TEXT} characters, or has U+0000.")
    try:
        trees = [tree for tree in sqlglot.parse(text, read=_Bounded) if tree is not None]
    except SqlglotError as failed:
        first = getattr(failed, "errors", None) or [{}]
        place = {name: first[0][key] for name, key in (("line", "line"), ("column", "col")) if first[0].get(key)}
        said = first[0].get("description") or "It can't be read"
        said = "Something is missing" if said.startswith("Required keyword") else said  # its own words are of its own classes
        near = f" near {first[0]['highlight'][:40]!r}" if first[0].get("highlight") else ""
        bare = _BARE.search(text)
        hint = f'A folder stands in quotes: "{bare[1][:60]}"' if bare else "One SELECT over folders: SELECT name FROM users"
        raise OceanError("SQL_ERROR", f"{said.rstrip('.')}{near}.", hint, **place) from None
    except RecursionError:
        raise OceanError("SQL_ERROR", "The statement is nested too deep.") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Select | exp.Union | exp.Intersect | exp.Except):
        raise OceanError("SQL_ERROR", "One SELECT is wanted.", "SELECT name FROM users WHERE age > 21", **_second(text, trees))
    return trees[0]


def _second(text: str, trees: list[Any]) -> dict[str, int]:
    """Where what is not wanted begins: a second statement, or the first one, which is no SELECT."""
    if len(trees) > 1:
        before = text[: text.index(";") + 1] if ";" in text else ""
        return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}
    return {"line": 1, "column": 1}


def check(text: str, tree: exp.Query) -> None:
    """Raises SQL_ERROR on what is not on the lists."""
    nodes = list(tree.walk())
    if len(nodes) > MAX_NODES:
        raise fault(text, "The statement is too long.")
    for node in nodes:
        if type(node) not in _ALLOWED:
            raise fault(text, f"{_called(node)} is not allowed here.", node)
        if isinstance(node, exp.Limit | exp.Offset) and not _is_count(node.expression):
            raise fault(text, f"{node.key.upper()} is a whole number here.", node)
        if isinstance(node, exp.Literal) and not node.is_string and len(node.name) > MAX_NUMBER:
            raise fault(text, f"A number has at most {MAX_NUMBER} characters here.")
        if isinstance(node, exp.Cast) and node.to.this not in _CASTS:
            raise fault(text, f"A cast to {node.to.sql()[:40]} is not allowed here.", node)
        if isinstance(node, exp.With) and node.args.get("recursive"):
            raise fault(text, "WITH RECURSIVE is not allowed here.", node)
        if isinstance(node, exp.Table | exp.Select) and any(node.args.get(k) for k in _NOT_HERE):
            raise fault(text, "A part of the SELECT is not allowed here.", node)
        if isinstance(node, exp.Distinct) and node.args.get("on"):
            raise fault(text, "DISTINCT ON is not allowed here.", node, "Number the rows of each: row_number() OVER (PARTITION BY ...).")
        if isinstance(node, exp.Join):
            _check_join(text, node)
        if isinstance(node, exp.Table):
            _check_table(text, node)
        if isinstance(node, exp.Subquery) and node.args.get("alias") is not None and node.args["alias"].args.get("columns"):
            raise fault(text, "A SELECT's columns have the names that it gives them.", node, "SELECT a AS b inside the parentheses")


def _check_join(text: str, join: exp.Join) -> None:
    if join.args.get("method"):
        raise fault(text, f"{join.args['method']} JOIN is not allowed here.", join, "Say by what: JOIN b USING (field)")
    if join.kind not in ("", "INNER", "CROSS", "OUTER") or join.side not in ("", "LEFT", "RIGHT", "FULL"):
        raise fault(text, f"{join.side} {join.kind} JOIN is not allowed here.".lstrip(), join)


def _check_table(text: str, table: exp.Table) -> None:
    alias = table.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise fault(text, "A folder's columns have the names of its fields.", table, "Rename them where they are selected: a AS b")
    if table.args.get("joins") or isinstance(table.parent, exp.Paren | exp.Subquery):
        raise fault(text, "Joins in parentheses are not allowed here.", table, "Join one after another, or a SELECT in parentheses.")


def fault(text: str, message: str, node: exp.Expr | None = None, hint: str | None = None) -> OceanError:
    """SQL_ERROR with the place of a node."""
    place = _position(text, node)
    return OceanError("SQL_ERROR", message, hint, **({"line": place[0], "column": place[1]} if place else {}))


def _is_count(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit() and len(node.name) <= 18


def _called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"The function {node.name[:40]}"
    return f"The function {node.sql_name()}" if isinstance(node, exp.Func) else node.key.upper()


def _position(text: str, node: exp.Expr | None) -> tuple[int, int] | None:
    """Line and column of a node, from 1."""
    found = next(_starts(text, node), None) if node is not None else None
    if found is None:
        return None
    before = text[:found]
    return before.count("\n") + 1, found - (before.rfind("\n") + 1) + 1


def _starts(text: str, node: exp.Expr) -> Iterator[int]:
    if isinstance(node, exp.Placeholder) and "?" in text:
        yield text.index("?")
    name = node.name if isinstance(node, exp.Anonymous) else node.sql_name() if isinstance(node, exp.Func) else ""
    if name and (match := re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)):
        yield match.start()
    for part in node.find_all(exp.Identifier):
        if "start" in part.meta:
            yield int(part.meta["start"])
