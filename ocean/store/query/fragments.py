"""Pieces of SQL with their values: text is only ever ours, whatever comes from outside is bound."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, NamedTuple

from sqlglot import exp

MAX_WRITTEN = 1000  # statements whose text is kept
LONGEST = 8 * 1024  # characters of one of them: its form takes some forty times as many bytes
_MARK = re.compile("\x00(\\d+)\x00")


class Sql(NamedTuple):
    """SQL with a `?` for each of its values, in order."""

    text: str
    values: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return self.text


def sql(template: str, *parts: Any) -> Sql:
    """The template with each `{}` filled: by a piece of SQL, or by a `?` to which the value is bound."""
    texts: list[str] = []
    values: list[Any] = []
    for part in parts:
        if isinstance(part, Sql):
            texts.append(part.text)
            values.extend(part.values)
        else:
            texts.append("?")
            values.append(part)
    return Sql(template.format(*texts), tuple(values))


def joined(separator: str, parts: list[Sql]) -> Sql:
    return Sql(separator.join(part.text for part in parts), tuple(value for part in parts for value in part.values))


class Binds:
    """The values of a whole statement: pieces become leaves of its tree, and are put in order when it is written."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def leaf(self, piece: Sql) -> exp.Expr:
        """The piece as a leaf of a tree; its values are known by number until `write` has the final order."""
        first, *rest = piece.text.split("?")
        marked = first
        for value, after in zip(piece.values, rest, strict=True):
            marked += f"\x00{len(self._values)}\x00{after}"
            self._values.append(value)
        return exp.Var(this=marked)

    def write(self, tree: exp.Expr, dialect: str, *, quoted: bool = False) -> Sql:
        """The statement's text, and its values in the order that it names them.

        A tree that is put together of our own pieces (not `quoted`) has one of few forms, whatever its values: its text is kept.
        """
        if quoted:
            text, order = _written(tree, dialect, quoted=True)
        else:
            form = (dialect, _form(tree))
            known = _WRITTEN.get(form)
            if known is None:
                known = _written(tree, dialect, quoted=False)
                if len(known[0]) <= LONGEST:
                    if len(_WRITTEN) >= MAX_WRITTEN:
                        _WRITTEN.clear()
                    _WRITTEN[form] = known
            text, order = known
        return Sql(text, tuple([self._values[number] for number in order]))


_WRITTEN: dict[tuple[str, Hashable], tuple[str, tuple[int, ...]]] = {}


def _form(part: Any) -> Hashable:
    """What a tree's text follows from: its nodes, and the texts of its leaves, in which values are numbers."""
    if isinstance(part, exp.Expr):
        return (part.__class__, *[(name, _form(value)) for name, value in part.args.items() if value])
    return tuple([_form(one) for one in part]) if isinstance(part, list) else part


def _written(tree: exp.Expr, dialect: str, *, quoted: bool) -> tuple[str, tuple[int, ...]]:
    """The text, and the numbers of the values in its order."""
    order: list[int] = []

    def place(match: re.Match[str]) -> str:
        order.append(int(match[1]))
        return "?"

    return _MARK.sub(place, tree.sql(dialect=dialect, comments=False, identify=quoted, copy=False)), tuple(order)
