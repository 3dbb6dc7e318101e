"""The rows for the views. Only the columns that a view needs are read."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from speedtest.data import lake, partitions
from speedtest.data.partitions import Folders
from speedtest.data.table_cache import TableCache
from speedtest.measurement import COMMON_COLUMNS

_NOT_SHOWN = frozenset({"exit_code", "duration_seconds", "commit_hash", "clock_synced", "raw_timestamp"})
COLUMNS = (*(name for name in COMMON_COLUMNS if name not in _NOT_SHOWN), "server_id", "server_name")
OF_A_SUMMARY = tuple(name for name in COLUMNS if name not in ("started_at", "speedtest_address", "attempt"))
"""The columns that `summary.summarise` needs. `Rows.locations` needs all `COLUMNS`."""
_DAY = timedelta(days=1)


class Rows:
    """Reads rows. Keeps the tables of Parquet files in memory, so that the next question opens only new files."""

    def __init__(self, folders: Folders, keep: int = 0, columns: Sequence[str] = COLUMNS) -> None:
        """Read these columns. Keep the tables of at most `keep` Parquet files."""
        self.folders = folders
        self._columns = columns
        self._opened = TableCache(keep)

    def of(self, since: datetime, until: datetime, location: str | None = None) -> pd.DataFrame:
        """Return the rows from `since` (included) to `until` (not included), in time order.

        Raises `data.parquet.Damaged` or OSError if a file cannot be read; the error names the file.
        """
        return lake.read(
            since=since,
            until=until,
            location=location,
            columns=self._columns,
            upload_dir=self.folders.upload_dir,
            result_dir=self.folders.result_dir,
            opened=self._opened,
        )

    def locations(self) -> list[str]:
        """Return the locations that have rows, the one with the newest rows first.

        Of the CSV files, only the last two days are read.
        """
        newest = {name: _last_day(folder) for name, folder in partitions.locations(self.folders.upload_dir).items()}
        for day in partitions.csv_days(self.folders.result_dir)[-2:]:
            rows = self.of(_midnight(day), _midnight(day) + _DAY)
            newest |= dict.fromkeys(rows["speedtest_address"].dropna().unique(), day)
        dated = [(day, name) for name, day in newest.items() if day]
        return [name for _, name in sorted(dated, key=lambda each: (-each[0].toordinal(), each[1]))]

    def first(self, location: str) -> datetime | None:
        """Return the start (midnight UTC) of the first day that has rows of a location, None if no day has."""
        place = partitions.location_folder(self.folders.upload_dir, location)
        converted = next((day for day, _ in partitions.days(place)), None)
        for day in partitions.csv_days(self.folders.result_dir):
            if converted and day > converted:
                break
            if len(self.of(_midnight(day), _midnight(day) + _DAY, location)):
                return _midnight(day)
        return _midnight(converted) if converted else None

    def mark(self) -> str:
        """Return a text that changes when there are new rows. This is cheap, however large the lake is."""
        places = partitions.locations(self.folders.upload_dir).values()
        return " ".join(_mark(folder) for folder in (*self.folders.csv, *places))


def _last_day(place: Path) -> date | None:
    newest = _newest(place)
    return newest[0] if newest else None


def _mark(base: Path) -> str:
    """Return the newest day, and when its folder last changed."""
    try:
        newest = _newest(base)
        return f"{newest[0]}@{newest[1].stat().st_mtime_ns}" if newest else "-"
    except FileNotFoundError:  # a conversion has just removed an empty folder: the rows have changed
        return "changing"


def _newest(base: Path) -> tuple[date, Path] | None:
    """Return the newest day in a folder, and that day's folder. Earlier years are not searched."""
    years = sorted((int(folder.name[-4:]) for folder in base.glob("year=[0-9][0-9][0-9][0-9]")), reverse=True)
    for year in filter(None, years):
        if days := list(partitions.days(base, date(year, 1, 1), date(year, 12, 31))):
            return days[-1]
    return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
