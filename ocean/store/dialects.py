"""Where the engines' SQL differs: reading fields out of stored JSON, by type, without ever mixing types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol

BODY = "r.body"
# Evaluated once a query, by the index on (route, seq).
_OUTSIDE = (
    "r.route NOT IN (SELECT x.route FROM {source} JOIN record x ON x.route = {name} "
    "UNION SELECT x.route FROM {source} JOIN record x ON x.route > {name} || '/' AND x.route < {name} || '0')"
)


class Dialect(Protocol):
    """Each method gives a fragment that is true, false or NULL, and adds its values to `args` in order."""

    name: str
    for_update: str

    def json(self) -> str:
        """The sign of a value that is JSON text, as the column keeps it."""

    def exists(self, at: Sequence[str], args: list[Any]) -> str: ...
    def equal(self, at: Sequence[str], values: Sequence[Any], args: list[Any]) -> str:
        """The field is one of `values`: text, numbers, true, false or null."""

    def ordered(self, at: Sequence[str], operator: str, value: str | float, args: list[Any]) -> str: ...
    def like(self, at: Sequence[str], pattern: str, args: list[Any]) -> str:
        """The field is text like `pattern` (in lower case, `\\` before a literal `%` or `_`), case ignored."""

    def matches(self, at: Sequence[str], pattern: str, args: list[Any]) -> str: ...
    def element(self, at: Sequence[str], value: Any, args: list[Any]) -> str:
        """The field is a list with the element `value`."""

    def column_like(self, column: str, pattern: str, args: list[Any]) -> str: ...
    def column_matches(self, column: str, pattern: str, args: list[Any]) -> str: ...
    def outside(self, folders: Sequence[str], args: list[Any]) -> str:
        """The record's route is none of `folders`, nor beneath one."""

    def sort(self, at: Sequence[str], descending: bool, args: list[Any]) -> str:
        """Missing and null first, then false and true, numbers, text byte by byte, and the rest."""


def _sqlite_path(at: Sequence[str]) -> str:
    """`store.query` lets no name by that has a quotation mark or a backslash: SQLite's paths know no way to write them."""
    return "$" + "".join(f'."{part}"' for part in at)


class Sqlite:
    """JSONB in a BLOB (SQLite 3.45 and later)."""

    name = "sqlite"
    for_update = ""

    def json(self) -> str:
        return "jsonb(?)"

    def _type(self, at: Sequence[str], args: list[Any]) -> str:
        args.append(_sqlite_path(at))
        return f"json_type({BODY}, ?)"

    def _value(self, at: Sequence[str], args: list[Any]) -> str:
        args.append(_sqlite_path(at))
        return f"json_extract({BODY}, ?)"

    def exists(self, at: Sequence[str], args: list[Any]) -> str:
        return f"{self._type(at, args)} <> 'null'"

    def equal(self, at: Sequence[str], values: Sequence[Any], args: list[Any]) -> str:
        parts = []
        numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
        texts = [v for v in values if isinstance(v, str)]
        for group, kinds in ((texts, "'text'"), (numbers, "'integer','real'")):
            if group:
                parts.append(f"({self._type(at, args)} IN ({kinds}) AND {self._value(at, args)} IN ({','.join('?' * len(group))}))")
                args.extend(group)
        for constant, kind in ((None, "null"), (True, "true"), (False, "false")):
            if any(v is constant for v in values):
                parts.append(f"{self._type(at, args)} = '{kind}'")
        return "(" + " OR ".join(parts) + ")"

    def ordered(self, at: Sequence[str], operator: str, value: str | float, args: list[Any]) -> str:
        kinds = "'text'" if isinstance(value, str) else "'integer','real'"
        sql = f"({self._type(at, args)} IN ({kinds}) AND {self._value(at, args)} {operator} ?)"
        args.append(value)
        return sql

    def like(self, at: Sequence[str], pattern: str, args: list[Any]) -> str:
        return f"({self._type(at, args)} = 'text' AND {self.column_like(self._value(at, args), pattern, args)})"

    def matches(self, at: Sequence[str], pattern: str, args: list[Any]) -> str:
        return f"({self._type(at, args)} = 'text' AND {self.column_matches(self._value(at, args), pattern, args)})"

    def element(self, at: Sequence[str], value: Any, args: list[Any]) -> str:
        is_list = self._type(at, args)
        args.append(_sqlite_path(at))
        head = f"({is_list} = 'array' AND EXISTS (SELECT 1 FROM json_each({BODY}, ?) e WHERE "
        if value is None or isinstance(value, bool):
            return head + f"e.type = '{json.dumps(value)}'))"
        args.append(value)
        kinds = "'text'" if isinstance(value, str) else "'integer','real'"
        return head + f"e.type IN ({kinds}) AND e.value = ?))"

    def column_like(self, column: str, pattern: str, args: list[Any]) -> str:
        args.append(pattern)
        # LIKE folds ASCII alone, which is all that a pattern in ASCII needs; `lowered` is ours (store.sqlite).
        return f"{column if pattern.isascii() else f'lowered({column})'} LIKE ? ESCAPE '\\'"

    def column_matches(self, column: str, pattern: str, args: list[Any]) -> str:
        sql = f"matches({column}, ?)"
        args.append(pattern)
        return sql

    def outside(self, folders: Sequence[str], args: list[Any]) -> str:
        args.extend([json.dumps(folders)] * 2)
        return _OUTSIDE.format(source="json_each(?) f", name="f.value")

    def sort(self, at: Sequence[str], descending: bool, args: list[Any]) -> str:
        down = " DESC" if descending else ""
        rank = (
            f"CASE {self._type(at, args)} WHEN 'null' THEN 0 WHEN 'false' THEN 1 WHEN 'true' THEN 2 WHEN 'integer' THEN 3"
            " WHEN 'real' THEN 3 WHEN 'text' THEN 4 WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END"
        )
        return f"{rank}{down}, {self._value(at, args)}{down}"


class Postgres:
    """JSONB; text compared byte by byte (COLLATE "C"), case folded by ICU."""

    name = "postgres"
    for_update = " FOR UPDATE"

    def json(self) -> str:
        return "?::text::jsonb"

    def _field(self, at: Sequence[str], args: list[Any]) -> str:
        args.extend(at)
        return f"({BODY}{' -> ?::text' * len(at)})"

    def _text(self, at: Sequence[str], args: list[Any]) -> str:
        return f"({self._field(at, args)} #>> '{{}}')"

    def exists(self, at: Sequence[str], args: list[Any]) -> str:
        return f"{self._field(at, args)} <> 'null'::jsonb"

    def equal(self, at: Sequence[str], values: Sequence[Any], args: list[Any]) -> str:
        sql = f"{self._field(at, args)} = ANY(?::text[]::jsonb[])"
        args.append([json.dumps(v, ensure_ascii=False) for v in values])
        return sql

    def ordered(self, at: Sequence[str], operator: str, value: str | float, args: list[Any]) -> str:
        kind = f"jsonb_typeof({self._field(at, args)})"
        if isinstance(value, str):
            sql = f"({kind} = 'string' AND {self._text(at, args)} COLLATE \"C\" {operator} ?::text)"
            args.append(value)
        else:
            sql = f"({kind} = 'number' AND {self._field(at, args)} {operator} ?::text::jsonb)"
            args.append(json.dumps(value))
        return sql

    def like(self, at: Sequence[str], pattern: str, args: list[Any]) -> str:
        kind = f"jsonb_typeof({self._field(at, args)})"
        return f"({kind} = 'string' AND {self.column_like(self._text(at, args), pattern, args)})"

    def matches(self, at: Sequence[str], pattern: str, args: list[Any]) -> str:
        kind = f"jsonb_typeof({self._field(at, args)})"
        return f"({kind} = 'string' AND {self.column_matches(self._text(at, args), pattern, args)})"

    def element(self, at: Sequence[str], value: Any, args: list[Any]) -> str:
        kind = f"jsonb_typeof({self._field(at, args)})"
        sql = f"({kind} = 'array' AND {self._field(at, args)} @> ?::text::jsonb)"
        args.append(json.dumps([value], ensure_ascii=False))
        return sql

    def column_like(self, column: str, pattern: str, args: list[Any]) -> str:
        args.append(pattern)
        return f'lower({column} COLLATE "und-x-icu") COLLATE "C" LIKE ?::text ESCAPE \'\\\''

    def column_matches(self, column: str, pattern: str, args: list[Any]) -> str:
        args.append(pattern.replace("\\b", "\\y").replace("\\z", "\\Z"))
        return f'{column} COLLATE "C" ~ ?::text'

    def outside(self, folders: Sequence[str], args: list[Any]) -> str:
        args.extend([list(folders)] * 2)
        return _OUTSIDE.format(source="unnest(?::text[]) f", name="f")

    def sort(self, at: Sequence[str], descending: bool, args: list[Any]) -> str:
        down = " DESC NULLS LAST" if descending else " NULLS FIRST"
        rank = (
            f"CASE jsonb_typeof({self._field(at, args)}) WHEN 'null' THEN 0 WHEN 'boolean' THEN 1 WHEN 'number' THEN 3"
            " WHEN 'string' THEN 4 WHEN 'array' THEN 5 WHEN 'object' THEN 5 ELSE 0 END"
        )
        number = f"CASE WHEN jsonb_typeof({self._field(at, args)}) IN ('number', 'boolean') THEN {self._field(at, args)} END"
        text = f"CASE WHEN jsonb_typeof({self._field(at, args)}) = 'string' THEN {self._text(at, args)} END"
        return f'{rank}{down}, {number}{down}, ({text}) COLLATE "C"{down}'
