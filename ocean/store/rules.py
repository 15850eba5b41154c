"""What holds in folders, as it is kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from ocean.core import broadcasts
from ocean.core.access import Rule
from ocean.core.broadcasts import Stream
from ocean.core.patterns import Schema
from ocean.core.routes import ancestors
from ocean.store.engine import Engine, Row

T = TypeVar("T")
MAX_RULES = 20_000  # folders whose rule is kept in memory
READ_RULE = "SELECT route, rule, schema, indexed, cells, stream FROM rule WHERE route = ?"
CHANGED_RULES = "SELECT route, rule, schema, indexed, cells, stream FROM rule WHERE seq > ? ORDER BY seq"


async def claimed_by(engine: Engine, owner: str, limit: int) -> list[Row]:
    """`(route, rule)` of the folders of keys that one key has claimed."""
    return await engine.rows("SELECT route, rule FROM rule WHERE claimed_by = ? ORDER BY route LIMIT ?", (owner, limit))


def rule_of(text: str | None) -> Rule | None:
    """A rule as its table keeps it; None once it was taken back."""
    return Rule.from_json(orjson.loads(text)) if text else None


@dataclass(slots=True)
class Rules:
    """What holds in folders, in memory: their rules, and of those that have any schemas, indexed fields, cells, streams.

    True as of `at`.
    """

    at: int = -1
    known: dict[str, Rule | None] = field(default_factory=dict)
    schemas: dict[str, Schema] = field(default_factory=dict)
    indexed: dict[str, dict[str, int]] = field(default_factory=dict)
    cells: dict[str, dict[str, int]] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)

    def learn(self, rows: list[Row]) -> None:
        for route, rule, schema, indexed, cells, stream in rows:
            self.known[route] = rule_of(rule)
            self.schemas.pop(route, None)
            self.indexed.pop(route, None)
            self.cells.pop(route, None)
            self.streams.pop(route, None)
            if stream and (said := broadcasts.read(stream)) is not None:
                self.streams[route] = said
            if schema:
                self.schemas[route] = Schema.from_json(orjson.loads(schema))
            if indexed:
                self.indexed[route] = orjson.loads(indexed)
            if cells:
                self.cells[route] = orjson.loads(cells)

    def refresh(self, rows: list[Row], at: int) -> None:
        """Takes in what has changed since, without growing."""
        self.learn([row for row in rows if row[0] in self.known])
        self.at = at

    def trim(self) -> None:
        """Forgets all where it holds too many: most are of folders that nobody ever made."""
        if len(self.known) > MAX_RULES:
            self.known.clear()
            self.schemas.clear()
            self.indexed.clear()
            self.cells.clear()
            self.streams.clear()

    def say(self, schemas: Mapping[str, Schema | None], streams: Mapping[str, Stream | None]) -> None:
        """Takes in what was just written of folders."""
        _take(schemas, self.schemas)
        _take(streams, self.streams)

    def of(self, route: str) -> dict[str, Rule | None]:
        return {folder: self.known.get(folder) for folder in ancestors(route)}


def _take(said: Mapping[str, T | None], known: dict[str, T]) -> None:
    known.update({route: value for route, value in said.items() if value is not None})
    for route in [route for route, value in said.items() if value is None]:
        known.pop(route, None)
