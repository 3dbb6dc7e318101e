"""Rows that the disk refused wait in memory, in order.

They are tried again every cycle, and printed on standard error if they must be given up.
"""

import sys
from collections import deque
from datetime import date
from pathlib import Path

import msgspec

from speedtest.data.results import Row, save
from speedtest.logging import Events

events = Events(__name__)

MOST_ROWS = 10_000
"""How many rows wait at most: two months at ten minutes, about 25 MB."""


class RowQueue:
    """The way of every row to the disk."""

    def __init__(self, result_dir: Path, most: int = MOST_ROWS, suffix: str = "") -> None:
        """Nothing waits yet."""
        self._suffix = suffix
        self._refused = False
        self._result_dir = result_dir
        self._most = most
        self._rows: deque[Row] = deque()

    def __len__(self) -> int:
        """Say how many rows wait."""
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Take a row."""
        self._rows.append(row)

    def keep(self, row: Row) -> Path | None:
        """Save a row, after those that wait; return where it is durable now, None if it has to wait as well."""
        self.add(row)
        return self.save().get(row)

    def save(self) -> dict[Row, Path]:
        """Save what waits, the oldest first; return what is durable now, and where.

        A day of which a row is refused is left for the next time, the other days are not: one folder that cannot be
        written holds up no other. The first refusal is logged, and that it is over; not each one in between. If too
        many wait, the oldest are printed on standard error, from where a person can recover them.
        """
        saved: dict[Row, Path] = {}
        refused_before = self._refused
        self._refused = False
        refused_days: set[date] = set()
        for row in list(self._rows):
            if row.timestamp.date() in refused_days:
                continue
            try:
                saved[row] = save(row, self._result_dir, self._suffix)
            except OSError as error:
                refused_days.add(row.timestamp.date())
                self._refuse(error, first=not (refused_before or self._refused))
            else:
                self._rows.remove(row)
        self._print_down_to(self._most)
        if refused_before and not self._refused:
            events.warning("rows_saved", "rows can be saved again: saved %d that waited", len(saved), rows=len(saved))
        return saved

    def _refuse(self, error: OSError, *, first: bool) -> None:
        self._refused = True
        if first:
            events.error(
                "row_refused",
                "could not save a row below %s: %s; measuring goes on and rows wait in memory until there is room",
                self._result_dir,
                error.strerror or error,
                path=str(self._result_dir),
            )

    def give_up(self) -> None:
        """Print what still waits, one JSON object a row, on standard error."""
        if self._rows:
            events.error("rows_printed", "could not save %d rows; they follow here as JSON: keep them", len(self._rows))
        self._print_down_to(0)

    def _print_down_to(self, most: int) -> None:
        while len(self._rows) > most:
            _print(self._rows.popleft())


def _print(row: Row) -> None:
    """Write a row so that a person can make the file again: its instant and the file's text."""
    line = msgspec.json.encode({"unsaved_row": row.data.decode(), "timestamp": row.timestamp})
    sys.stderr.write(line.decode() + "\n")
    sys.stderr.flush()
