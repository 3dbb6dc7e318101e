"""The rows for the views. Only the columns that a view needs are read."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from speedtest.data import lake, partitions
from speedtest.data.partitions import Folders
from speedtest.data.table_cache import TableCache
from speedtest.figures import span
from speedtest.figures.types import Far
from speedtest.measurement import COMMON_COLUMNS

_NOT_SHOWN = frozenset({"exit_code", "duration_seconds", "commit_hash", "clock_synced", "raw_timestamp"})
_OF_A_PROVIDER = {
    "isp": ("isp", "client_isp"),
    "external_ip": ("interface_externalIp", "client_ip"),
    "vpn": ("interface_isVpn",),
}
"""The columns of the views about the provider, and the lake's columns that they come from: the first that has a value.
"""
COLUMNS = (
    *(name for name in COMMON_COLUMNS if name not in _NOT_SHOWN),
    "server_id",
    "server_name",
    *_OF_A_PROVIDER,
)
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

    def of(self, since: datetime, until: datetime, location: str | None = None, isp: str | None = None) -> pd.DataFrame:
        """Return the rows from `since` (included) to `until` (not included), in time order.

        With `isp`, only the rows that name this provider.

        Raises `data.parquet.Damaged` or OSError if a file cannot be read; the error names the file.
        """
        read = lake.read(
            since=since,
            until=until,
            location=location,
            columns=[name for column in self._columns for name in _OF_A_PROVIDER.get(column, (column,))],
            upload_dir=self.folders.upload_dir,
            result_dir=self.folders.result_dir,
            opened=self._opened,
        )
        rows = _with_provider(read)
        return rows if isp is None else rows[rows["isp"] == isp]

    def locations(self) -> list[str]:
        """Return the locations that have rows, the one with the newest rows first.

        Of the CSV files, only the last two days are read.
        """
        newest = {name: _last_day(folder) for name, folder in partitions.locations(self.folders.upload_dir).items()}
        for day in span.near(partitions.csv_days(self.folders.result_dir))[-2:]:
            rows = self.of(_midnight(day), _midnight(day) + _DAY)
            newest |= dict.fromkeys(rows["speedtest_address"].dropna().unique(), day)
        dated = [(day, name) for name, day in newest.items() if day]
        return [name for _, name in sorted(dated, key=lambda each: (-each[0].toordinal(), each[1]))]

    def first(self, location: str) -> datetime | None:
        """Return the start (midnight UTC) of the first day that has rows of a location, None if no day has.

        Days that are far from all others do not count (see `figures.span`).
        """
        converted, waiting = self._days(location)
        near = set(span.near(sorted({*converted, *waiting})))
        first = next((day for day in converted if day in near), None)
        for day in waiting:
            if day in near and (first is None or day <= first) and self._has(location, day):
                return _midnight(day)
        return _midnight(first) if first else None

    def far(self, location: str, since: datetime | None, until: datetime) -> Far | None:
        """Return how many rows of a location are far from all others, None if none is.

        Without `since`, those before the first day count too. Those in the future count if `until` is today.
        """
        days = sorted({day for part in self._days(location) for day in part})
        near = set(span.near(days))
        asked = (day for day in days if day not in near and _is_asked(day, since, until))
        found = [self.of(_midnight(day), _midnight(day) + _DAY, location)["timestamp"] for day in asked]
        times = pd.concat(found) if found else pd.Series([])
        if times.empty:
            return None
        return Far(len(times), times.min().to_pydatetime(), times.max().to_pydatetime())

    def _days(self, location: str) -> tuple[list[date], list[date]]:
        """Return the days of a location with Parquet files, and the days of any location with CSV files."""
        place = partitions.location_folder(self.folders.upload_dir, location)
        return [day for day, _ in partitions.days(place)], partitions.csv_days(self.folders.result_dir)

    def _has(self, location: str, day: date) -> bool:
        return len(self.of(_midnight(day), _midnight(day) + _DAY, location)) > 0

    def mark(self) -> str:
        """Return a text that changes when there are new rows. This is cheap, however large the lake is."""
        places = partitions.locations(self.folders.upload_dir).values()
        return " ".join(_mark(folder) for folder in (*self.folders.csv, *places))


def _is_asked(day: date, since: datetime | None, until: datetime) -> bool:
    return (since is None or day >= since.date()) and (day < until.date() or until.date() >= span.tomorrow() - _DAY)


def _with_provider(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the columns about the provider in the place of the lake's. An empty text is no name and no address."""
    for name, columns in _OF_A_PROVIDER.items():
        if not set(columns) <= set(rows.columns):
            continue
        first, *others = (rows.pop(column) for column in columns)
        for other in others:
            first = first.where(first.notna() & (first != ""), other)
        rows[name] = first.where(first.notna() & (first != ""), None) if others else first
    return rows


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
    for limit in (span.tomorrow(), date.max):  # a day in the future is the newest only if there is no other
        for year in filter(None, years):
            if days := list(partitions.days(base, date(year, 1, 1), min(date(year, 12, 31), limit))):
                return days[-1]
    return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
