"""The result of a benchmark: figures with their budgets, and tables, for people and as JSON."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

type Cell = str | float | int | None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured value, with the most or the least that it may be."""

    what: str
    value: float
    unit: str
    sense: Literal["at most", "at least"] = "at most"
    budget: float | None = None
    aim: float | None = None

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        if self.aim is not None and self._keeps(self.aim):
            return "aim reached"
        return "within budget" if self._keeps(self.budget) else "OVER BUDGET"

    def _keeps(self, limit: float) -> bool:
        return self.value <= limit if self.sense == "at most" else self.value >= limit


class Table(msgspec.Struct, frozen=True):
    """A table of figures, one line for each thing that was measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        notes = [f"- {note}" for note in self.notes]
        return "\n".join([f"### {self.title}", "", grid(self.columns, self.rows), *([""] if notes else []), *notes, ""])


class Report(msgspec.Struct, frozen=True):
    """The results of one benchmark."""

    figures: Sequence[Figure]
    tables: Sequence[Table]


def summary(figures: Iterable[Figure]) -> Table:
    """Return all figures with their budgets and aims."""
    rows: list[list[Cell]] = [
        [f.what, f"{plain(f.value)} {f.unit}", limit(f.sense, f.budget), limit(f.sense, f.aim), f.verdict]
        for f in figures
    ]
    return Table("Figures and budgets", ["what", "measured", "budget", "aim", ""], rows)


def limit(sense: str, value: float | None) -> str:
    return "" if value is None else f"{'≤' if sense == 'at most' else '≥'} {plain(value)}"


def grid(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """Return a Markdown table with figures aligned to the right."""
    texts = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    lines = [
        "| " + " | ".join(text.ljust(width) if not at else text.rjust(width) for at, (text, width) in cells) + " |"
        for cells in (list(enumerate(zip(row, widths, strict=True))) for row in [list(columns), *texts])
    ]
    lines.insert(
        1,
        "|"
        + "|".join("-" * (width + 2) if not at else "-" * (width + 1) + ":" for at, width in enumerate(widths))
        + "|",
    )
    return "\n".join(lines)


def plain(cell: Cell) -> str:
    """Return a figure with three significant digits, without trailing zeros."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
