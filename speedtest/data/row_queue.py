"""Keep the rows that the disk refuses in memory, in order.

The daemon retries them every cycle. Rows that must be given up are printed on standard error.
"""

import sys
from collections import deque
from datetime import date
from pathlib import Path

import msgspec

from speedtest.data.results import Row, save
from speedtest.logging import Events
from speedtest.values import amounts

events = Events(__name__)

MOST_ROWS = 10_000
"""How many rows can wait: two months at an interval of ten minutes, about 25 MB."""


type _Folder = tuple[date, bool]


class RowQueue:
    """Saves every row, and keeps those that the disk refuses."""

    def __init__(self, result_dir: Path, most: int = MOST_ROWS, suffix: str = "") -> None:
        """Start with an empty queue."""
        self._suffix = suffix
        self._refused = False
        self._result_dir = result_dir
        self._most = most
        self._rows: deque[Row] = deque()

    def __len__(self) -> int:
        """Return how many rows wait."""
        return len(self._rows)

    def add(self, row: Row) -> None:
        """Add a row at the end."""
        self._rows.append(row)

    def keep(self, row: Row) -> Path | None:
        """Save the waiting rows, then this one; return its path if it is durable now, None if it must wait."""
        self.add(row)
        return self.save().get(row)

    def save(self) -> dict[Row, Path]:
        """Save the waiting rows, oldest first; return those that are durable now, with their paths.

        If a row is refused, the other rows of its day wait for the next call, but other days are still saved: a folder
        that cannot be written does not block another. The log records the first refusal and the end of refusals, not
        each one. If too many rows wait, the oldest are printed on standard error, where a person can recover them.
        """
        saved: dict[Row, Path] = {}
        refused_before = self._refused
        self._refused = False
        refused: set[_Folder] = set()
        for row in list(self._rows):
            if _folder(row) in refused:
                continue
            try:
                saved[row] = save(row, self._result_dir, self._suffix)
            except OSError as error:
                refused.add(_folder(row))
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
                "could not save a row in %s: %s; measuring continues, rows wait in memory: make room or fix the disk",
                self._result_dir,
                error.strerror or error,
                path=str(self._result_dir),
            )

    def give_up(self) -> None:
        """Print the waiting rows on standard error, one JSON object for each."""
        if self._rows:
            events.error(
                "rows_printed",
                "could not save %s, which follow as JSON: keep them",
                amounts.count(len(self._rows), "row"),
            )
        self._print_down_to(0)

    def _print_down_to(self, most: int) -> None:
        while len(self._rows) > most:
            _print(self._rows.popleft())


def _folder(row: Row) -> _Folder:
    """Return what tells the row's folder from others."""
    return row.timestamp.date(), row.held is not None


def _print(row: Row) -> None:
    """Print a row's timestamp and the text of its file, so that a person can create the file again."""
    line = msgspec.json.encode({"unsaved_row": row.data.decode(), "timestamp": row.timestamp})
    sys.stderr.write(line.decode() + "\n")
    sys.stderr.flush()
