"""What a receiver has not got yet, oldest day first: rows of Parquet files, and rows of CSV files.

A row is looked for where it lies, not by its time: an outage is saved after later tests, and rows that were held for
their dates come late (`data.held`). Held rows wait until they have their right date.

Of each day the names of CSV files are listed first and Parquet files second, as every reader does: a conversion makes a
row Parquet before it deletes its CSV file, so no row is missed. A row that is seen in both is sent once.

Each run looks at the days that were open at the end of the run before, and at those that have CSV files now. Once an
hour it looks at the whole lake, for rows that came and were converted in between.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from speedtest.data.partitions import (
    PARQUET_NAME,
    Folders,
    day_folder,
    days,
    held_folder,
    location_folder,
    parquet_files,
    row_files,
)
from speedtest.logging import Events
from speedtest.publishing import rows
from speedtest.publishing.ledger import Ledger
from speedtest.publishing.rows import PublishedRow

events = Events(__name__)

LOOK_AT_ALL = timedelta(hours=1)
FILES_AT_ONCE = 500
FIRST_ROWS = timedelta(hours=1)
"""A receiver that takes no history gets the rows that were saved so shortly before it was first asked."""


class Piece(msgspec.Struct, frozen=True):
    """Rows to send together, in time order. If `closes`, every row of a Parquet file was taken after them."""

    rows: list[PublishedRow]
    closes: tuple[str, date, int] | None = None
    """Location, day and number of the file."""


class Waiting(msgspec.Struct, frozen=True):
    """How much a receiver has not got yet."""

    rows: int
    """In CSV files."""
    parquet_files: int
    oldest: date | None
    held: int
    """Rows that wait for their right date, see `data.held`."""


class Backlog:
    """The rows that one receiver has not got yet."""

    def __init__(self, folders: Folders, ledger: Ledger, address: str) -> None:
        """Look at which days may have such rows. `address` is the location of rows that name none."""
        self._folders, self._ledger, self._address = folders, ledger, address
        taken = ledger.taken
        now = datetime.now(UTC)
        taken.locations.add(address)
        self._days = taken.open_days | ledger.days | {day for day, _ in days(folders.result_dir)}
        if taken.looked is None or not timedelta(0) <= now - taken.looked < LOOK_AT_ALL:
            taken.looked = now
            self._days |= {
                day
                for location in taken.locations
                for day, folder in days(location_folder(folders.upload_dir, location))
                if any(number > ledger.highest(location, day) for number, _ in _numbered(folder))
            }
        self._open: set[date] = set()

    def skip_history(self) -> None:
        """Count all rows as taken but those saved within `FIRST_ROWS`: for a receiver that takes no history."""
        earliest = (datetime.now(UTC) - FIRST_ROWS).timestamp()
        closed = [(location, day, number) for location, day, number, _ in self._unclosed()]
        old: list[tuple[date, str]] = []
        for day in sorted(self._days):
            for folder, name in self._csv_names(day):
                try:
                    is_old = (folder / name).stat().st_mtime < earliest
                except FileNotFoundError:
                    continue
                if is_old:
                    old += [(day, row.source) for row in rows.of_csv(folder, name, day, self._address) or ()]
        self._ledger.add(old)
        self._ledger.close(closed)

    def pieces(self) -> Iterator[Piece]:
        """Yield the rows to send. The caller notes each piece as taken before it asks for the next.

        A file that cannot be read is logged, and waits. Raises OSError if a folder cannot be read.
        """
        for day in sorted(self._days):
            names = list(self._unsent(day))
            published = list(self._published(day))
            try:
                for location, number, path in published:
                    if number > self._ledger.highest(location, day):
                        yield self._of_parquet(location, day, number, path)
                listed = set().union(*(rows.sources_in(path) for _, _, path in published)) if names else set()
            except rows.Broken as broken:
                events.error("file_unreadable", "could not send the rows of %s: %s", day, broken)
                continue
            yield from self._of_csv(day, names, listed)

    def settle(self) -> None:
        """Note which days are still open. Call it when every piece was taken, or when the receiver takes no more."""
        open_days = {day for day in self._days if self._csv_names(day)}
        open_days |= {day for _, day, _, _ in self._unclosed()}
        self._ledger.keep_open(open_days)

    def waiting(self) -> Waiting:
        """Count what was not taken yet."""
        counts = {day: sum(1 for _ in self._unsent(day)) for day in sorted(self._days)}
        unclosed = [day for _, day, _, _ in self._unclosed()]
        found = sorted({day for day, count in counts.items() if count} | {*unclosed})
        held = sum(len(_listed(folder)) for _, folder in days(held_folder(self._folders.result_dir)))
        return Waiting(sum(counts.values()), len(unclosed), found[0] if found else None, held)

    def _unsent(self, day: date) -> Iterator[tuple[Path, str]]:
        """Yield folder and name of each CSV file of a day that may have rows to send."""
        return ((folder, name) for folder, name in self._csv_names(day) if not self._ledger.has_file(day, name))

    def _unclosed(self) -> Iterator[tuple[str, date, int, Path]]:
        for day in sorted(self._days):
            for location, number, path in self._published(day):
                if number > self._ledger.highest(location, day):
                    yield location, day, number, path

    def _csv_names(self, day: date) -> list[tuple[Path, str]]:
        folder = day_folder(self._folders.result_dir, day)
        return [(folder, name) for name in sorted(_listed(folder))]

    def _published(self, day: date) -> Iterator[tuple[str, int, Path]]:
        """Yield location, number and path of a day's Parquet files."""
        for location in sorted(self._ledger.taken.locations):
            folder = day_folder(location_folder(self._folders.upload_dir, location), day)
            yield from ((location, number, path) for number, path in _numbered(folder))

    def _of_parquet(self, location: str, day: date, number: int, path: Path) -> Piece:
        found = [row for row in rows.of_parquet(path, day) if not self._ledger.has(day, row.source)]
        return Piece(found, (location, day, number))

    def _of_csv(self, day: date, names: list[tuple[Path, str]], listed: set[str]) -> Iterator[Piece]:
        """Yield the rows of CSV files that no Parquet file lists."""
        for some in itertools.batched(names, FILES_AT_ONCE, strict=False):
            found = [row for folder, name in some for row in rows.of_csv(folder, name, day, self._address) or ()]
            found = [row for row in found if not (self._ledger.has(day, row.source) or row.source in listed)]
            self._ledger.taken.locations |= {row.location for row in found}
            if found:
                yield Piece(sorted(found, key=lambda row: row.timestamp))


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in parquet_files(folder):
        if match := PARQUET_NAME.fullmatch(path.name):
            yield int(match[1]), path


def _listed(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in row_files(folder)]
    except FileNotFoundError:
        return []
