"""The table that a bench prints."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and what it stands beside. `target` is for the ratio, or for `ours` where nothing is beside; `most`: an upper bound."""

    name: str
    ours: float
    beside: str | None
    theirs: float | None
    target: float
    most: bool = False

    @property
    def value(self) -> float:
        return self.ours / self.theirs if self.theirs else self.ours

    @property
    def met(self) -> bool:
        return self.value <= self.target if self.most else self.value >= self.target


def show(rows: list[Row]) -> None:
    table = Table("", "ours", "beside", "theirs", "ratio", "target", "", header_style="bold cyan", border_style="dim")
    for row in rows:
        ratio = f"{row.value:.2f}" if row.theirs else ""
        target = f"{'≤' if row.most else '≥'} {row.target:g}"
        mark = "[green]met[/]" if row.met else "[red]not met[/]"
        table.add_row(row.name, f"{row.ours:,.4g}" if row.ours < 1000 else f"{row.ours:,.0f}", row.beside or "",
                      f"{row.theirs:,.0f}" if row.theirs else "", ratio, target, mark)  # fmt: skip
    Console(width=150).print(table)
