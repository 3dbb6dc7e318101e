"""Keep the rows of days with CSV files in memory, so that a question about each of many locations reads them once.

A new file, and one that is moved away, changes the time of the day's folder. A folder that changed a moment ago is not
kept, because the next change could have the same time.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

_SETTLED_NS = 2 * 10**9
_MOST_BYTES = 32 << 20


class Day(NamedTuple):
    """The rows of a day's CSV files, and those of their sources that a Parquet file of any location listed then."""

    table: pa.Table
    listed: set[str]
    complete: bool
    """Whether every file could be read."""


class DayCache:
    """Reads days. Keeps 32 MiB of them at most."""

    def __init__(self) -> None:
        """Start without days."""
        self._days: dict[tuple[Path, tuple[str, ...]], tuple[int, Day]] = {}

    def day(self, folder: Path, columns: list[str], read: Callable[[], Day]) -> Day:
        """Return the rows in a day's folder with these columns, which `read` reads."""
        now = time.time_ns()
        try:
            changed = folder.stat().st_mtime_ns
        except FileNotFoundError:
            return read()
        key = folder, tuple(columns)
        kept = self._days.get(key)
        if kept and kept[0] == changed:
            return kept[1]
        found = read()
        if found.complete and changed < now - _SETTLED_NS:
            self._keep(key, changed, found)
        return found

    def _keep(self, key: tuple[Path, tuple[str, ...]], changed: int, found: Day) -> None:
        self._days.pop(key, None)
        if sum(day.table.nbytes for _, day in self._days.values()) + found.table.nbytes > _MOST_BYTES:
            self._days.clear()
        if found.table.nbytes <= _MOST_BYTES:
            self._days[key] = changed, found
