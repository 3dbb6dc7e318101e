"""What a receiver has got: `RESULT_DIR/publishing/KEY.json` and `KEY.rows`. Both are durable when a call returns.

The rows on disk are the outbox: nothing is queued a second time. A row is known by its day and its source
(`data.csv_rows`), which stay the same when a conversion moves it from CSV to Parquet. So the ledger needs to say only:

- `KEY.rows`: rows that were taken and whose day is still open, one `YYYY-MM-DD SOURCE` on a line. Lines are only added;
  a last line that a kill has cut short says nothing.
- `KEY.json`: for each location and day, the highest Parquet file of which every row was taken; and the open days, in
  which rows may still wait. A Parquet file never changes, so the row lines of a day can go once it has no CSV file and
  all its Parquet files are taken.

If a row comes back as CSV after that (`data.watch_state` publishes an outage again after a kill), its day's Parquet
files still list it: the backlog looks there.
"""

import os
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import msgspec

from speedtest.data import files
from speedtest.data.csv_rows import file_of
from speedtest.logging import Events

events = Events(__name__)

FOLDER = "publishing"


class Taken(msgspec.Struct, kw_only=True):
    """The content of `KEY.json`."""

    lake: dict[str, int] = {}
    """By `LOCATION/YYYY-MM-DD`: the highest Parquet file of which every row was taken."""
    open_days: set[date] = set()
    """Days in which rows may wait. All others are looked at only when the whole lake is."""
    locations: set[str] = set()
    """The lines whose rows are sent: this one, and every one of which RESULT_DIR has had rows."""
    looked: datetime | None = None
    """When the whole lake was looked at last."""


class Ledger:
    """What one receiver has got. One process at a time has it open."""

    def __init__(self, result_dir: Path, key: str) -> None:
        """Read it. A ledger that is not valid counts as new, with a warning. Raises OSError if the disk refuses."""
        self._base = result_dir
        self._path = result_dir / FOLDER / f"{key}.json"
        self._rows = self._path.with_suffix(".rows")
        self.is_new = False
        """Whether the receiver has never been asked before."""
        self._written = b""
        self.taken = self._read()
        self._of_day: dict[date, set[str]] = {}
        self._files: dict[date, set[str]] = {}
        self._read_rows()

    @property
    def days(self) -> set[date]:
        """The days of the rows that are noted one by one. They are open, also if a kill left `open_days` behind."""
        return set(self._of_day)

    def has(self, day: date, source: str) -> bool:
        """Return whether a row of an open day was taken."""
        return source in self._of_day.get(day, ())

    def has_file(self, day: date, name: str) -> bool:
        """Return whether the only row of a CSV file of an open day was taken, without a look into the file.

        A later file may have the name of one that was converted. Its row then waits until it is Parquet.
        """
        return name in self._files.get(day, ())

    def add(self, rows: Iterable[tuple[date, str]]) -> None:
        """Note rows, each by day and source, as taken."""
        added = list(rows)
        if not added:
            return
        lines = "".join(f"{day} {source}\n" for day, source in added)
        descriptor = os.open(self._rows, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, files.FILE_MODE)
        try:
            left = memoryview(lines.encode())
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        for day, source in added:
            self._know(day, source)

    def highest(self, location: str, day: date) -> int:
        """Return the highest number of a Parquet file of which every row was taken; 0 if there is none."""
        return self.taken.lake.get(f"{location}/{day}", 0)

    def close(self, parts: Iterable[tuple[str, date, int]]) -> None:
        """Note Parquet files, each by location, day and number, as taken."""
        numbers = {f"{location}/{day}": number for location, day, number in parts}
        if numbers:
            self.taken.lake |= numbers
            self._write()

    def keep_open(self, days: set[date]) -> None:
        """Note which days are open now, and forget the rows of all others: those were looked at."""
        self.taken.open_days = days
        self._write()
        if gone := self._of_day.keys() - days:
            for day in gone:
                del self._of_day[day]
                self._files.pop(day, None)
            lines = "".join(f"{day} {source}\n" for day in sorted(self._of_day) for source in sorted(self._of_day[day]))
            files.replace(self._rows, lines.encode(), durable=True)

    def _know(self, day: date, source: str) -> None:
        self._of_day.setdefault(day, set()).add(source)
        if "#" not in source and " " in source:
            self._files.setdefault(day, set()).add(file_of(source))

    def _read(self) -> Taken:
        try:
            self._written = self._path.read_bytes()
            return msgspec.json.decode(self._written, type=Taken)
        except FileNotFoundError:
            pass
        except msgspec.MsgspecError as error:
            events.warning(
                "memory_lost",
                "%s cannot be read: %s; nobody knows any more what was sent, so this begins anew",
                self._path,
                error,
            )
        self.is_new = True
        return Taken()

    def _read_rows(self) -> None:
        try:
            data = self._rows.read_bytes()
        except FileNotFoundError:
            files.make_folder(self._rows.parent, base=self._base)
            files.publish(self._rows, b"", base=self._base)
            return
        whole, newline, cut = data.rpartition(b"\n")
        if cut:  # a kill has cut the last line short: the next one must not be added to it
            files.replace(self._rows, whole + newline, durable=True)
        for line in whole.decode(errors="replace").splitlines():
            day, _, source = line.partition(" ")
            try:
                self._know(date.fromisoformat(day), source)
            except ValueError:  # not a line of ours: then it says of no row that it was taken
                continue

    def _write(self) -> None:
        data = msgspec.json.encode(self.taken, order="deterministic") + b"\n"
        if data != self._written:
            files.replace(self._path, data, durable=True)
            self._written = data
