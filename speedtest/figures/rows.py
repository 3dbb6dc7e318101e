"""The rows for the views. Only the columns that a view needs are read, and a long period a month at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from speedtest.data import lake, partitions
from speedtest.data.elsewhere import Elsewhere, only_at_store
from speedtest.data.partitions import Folders
from speedtest.data.receipts import BadReceipt
from speedtest.data.table_cache import TableCache
from speedtest.figures import span
from speedtest.figures.marks import Marks
from speedtest.figures.types import Far
from speedtest.measurement import COMMON_COLUMNS

_SHOWN = COMMON_COLUMNS[: COMMON_COLUMNS.index("attempt") + 1]
_NOT_SHOWN = frozenset({"exit_code", "commit_hash"})
_OF_THE_WATCH = COMMON_COLUMNS[COMMON_COLUMNS.index("line") : COMMON_COLUMNS.index("router_latency_ms") + 1]
_OF_THE_MACHINE = ("link", "link_mbps", "other_traffic_mbps", "other_bytes", "cpu_percent", "memory_percent")
_OF_A_PROVIDER = {
    "isp": ("isp", "client_isp"),
    "external_ip": ("interface_externalIp", "client_ip"),
    "vpn": ("interface_isVpn",),
}
"""The columns of the views about the provider, and the lake's columns that they come from: the first that has a value.
"""
COLUMNS = (
    *(name for name in _SHOWN if name not in _NOT_SHOWN),
    "server_id",
    "server_name",
    *_OF_A_PROVIDER,
    *_OF_THE_WATCH,
    *_OF_THE_MACHINE,
    "server_d",
)
_NOT_SUMMED = frozenset({"started_at", "speedtest_address", "attempt", "other_traffic_mbps", "memory_percent"})
OF_A_SUMMARY = tuple(name for name in COLUMNS if name not in _NOT_SUMMED)
"""The columns that `summary.summarise` needs. `Rows.locations` needs all `COLUMNS`."""
_DAY = timedelta(days=1)
_AT_ONCE = timedelta(days=35)
"""A little more than `state.newest` looks back, so that a state is one read."""
_NOWHERE = Path("/nonexistent")
"""No folder of Parquet files: only CSV files are read."""


class Pieces:
    """The rows of a period in time order, piece by piece, so that few are in memory at once. They can be read once."""

    def __init__(self, read: Callable[[datetime, datetime], pd.DataFrame], borders: Sequence[datetime]) -> None:
        """Read the first and the last piece that have rows. `read` returns the rows between two borders."""
        self._read = read
        self._periods = list(itertools.pairwise(borders))
        self._ends: dict[int, pd.DataFrame] = {}
        numbers = range(len(self._periods))
        first, last = self._some(numbers), self._some(numbers[::-1])
        self._numbers = numbers[first : last + 1] if first is not None and last is not None else numbers[:0]

    def ends(self) -> tuple[datetime, datetime] | None:
        """Return the times of the first and the last row, None if there is no row."""
        if not self._numbers:
            return None
        first, last = self._ends[self._numbers[0]]["timestamp"], self._ends[self._numbers[-1]]["timestamp"]
        return first.iloc[0].to_pydatetime(), last.iloc[-1].to_pydatetime()

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Yield the pieces, oldest first."""
        for number in self._numbers:
            yield self._ends.pop(number) if number in self._ends else self._read(*self._periods[number])

    def _some(self, numbers: Iterable[int]) -> int | None:
        """Return the first of these pieces that has rows, None if none has."""
        for number in numbers:
            rows = self._ends[number] if number in self._ends else self._read(*self._periods[number])
            if len(rows):
                self._ends[number] = rows
                return number
        return None


class Rows:
    """Reads rows. Keeps the tables of Parquet files in memory, so that the next question opens only new files."""

    def __init__(self, folders: Folders, keep: int = 0, columns: Sequence[str] = COLUMNS) -> None:
        """Read these columns. Keep the tables of at most `keep` Parquet files."""
        self.folders = folders
        self._columns = columns
        self._opened = TableCache(keep)
        self._kept = keep * _DAY
        self._marks = Marks()
        self._waits: tuple[str, dict[str, tuple[date, int]]] | None = None

    def of(self, since: datetime, until: datetime, location: str | None = None, isp: str | None = None) -> pd.DataFrame:
        """Return the rows from `since` (included) to `until` (not included), in time order, all at once.

        With `isp`, only the rows that name this provider.

        Raises `data.parquet.Damaged` or OSError if a file cannot be read; the error names the file.
        """
        return self._read(since, until, location, isp, self._opened)

    def extras(self, since: datetime, until: datetime, location: str) -> list[str]:
        """Return `extra` of each test of a short period that has it. Raises the errors of `of`."""
        read = lake.read(
            since=since,
            until=until,
            location=location,
            columns=["extra"],
            upload_dir=self.folders.upload_dir,
            result_dir=self.folders.result_dir,
        )
        return [str(text) for text in read["extra"].dropna()]

    def pieces(self, since: datetime, until: datetime, location: str, isp: str | None = None) -> "Pieces":
        """Return the rows that `of` returns, a month at a time. Raises its errors, now and while pieces are read."""
        opened = self._opened if until - since <= self._kept else TableCache()
        return Pieces(lambda first, last: self._read(first, last, location, isp, opened), _borders(since, until))

    def _read(
        self, since: datetime, until: datetime, location: str | None, isp: str | None, opened: TableCache
    ) -> pd.DataFrame:
        read = lake.read(
            since=since,
            until=until,
            location=location,
            columns=[name for column in self._columns for name in _OF_A_PROVIDER.get(column, (column,))],
            upload_dir=self.folders.upload_dir,
            result_dir=self.folders.result_dir,
            opened=opened,
        )
        rows = _with_provider(read)
        return rows if isp is None else rows[rows["isp"] == isp]

    def locations(self) -> list[str]:
        """Return the locations that have rows, the one with the newest rows first.

        Of the CSV files, only the last two days are read.
        """
        newest = {name: self._marks.newest(str(folder))[0] for name, folder in self._places().items()}
        for name, (day, _) in self._waiting().items():
            newest[name] = max(day, newest.get(name) or day)
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

    def elsewhere(self, location: str, since: datetime | None, until: datetime) -> Elsewhere | None:
        """Return the days of a period whose rows are only at a store, None if there are none.

        Without `since`, all before `until` count. A receipt that cannot be read is passed over: rows are not in it.
        """
        first = since.astimezone(UTC).date() if since else date.min
        try:
            return only_at_store(self.folders, first, until.astimezone(UTC).date(), {location})
        except BadReceipt:
            return None

    def _days(self, location: str) -> tuple[list[date], list[date]]:
        """Return the days of a location with Parquet files, and the days of any location with CSV files."""
        place = partitions.location_folder(self.folders.upload_dir, location)
        return [day for day, _ in partitions.days(place)], partitions.csv_days(self.folders.result_dir)

    def _has(self, location: str, day: date) -> bool:
        return len(self.of(_midnight(day), _midnight(day) + _DAY, location)) > 0

    def mark(self) -> str:
        """Return a text that changes when there are new rows. This is cheap, however many rows there are."""
        folders = (*self.folders.csv, *self._places().values())
        return " ".join(self._marks.newest(str(folder))[1] for folder in folders)

    def mark_of(self, location: str) -> str:
        """Return a text that changes when a location has new rows."""
        place = partitions.location_folder(self.folders.upload_dir, location)
        return f"{self._marks.newest(str(place))[1]} {self._waiting().get(location)}"

    def _places(self) -> dict[str, Path]:
        return partitions.locations(self.folders.upload_dir)

    def _waiting(self) -> dict[str, tuple[date, int]]:
        """Return the locations in the CSV files of the last two days: their last day, and how many rows they have."""
        mark = " ".join(self._marks.newest(str(folder))[1] for folder in self.folders.csv)
        if self._waits is None or self._waits[0] != mark:
            found: dict[str, tuple[date, int]] = {}
            for day in span.near(partitions.csv_days(self.folders.result_dir))[-2:]:
                rows = lake.read(
                    since=_midnight(day),
                    until=_midnight(day) + _DAY,
                    columns=["speedtest_address"],
                    upload_dir=_NOWHERE,
                    result_dir=self.folders.result_dir,
                    opened=self._opened,
                )
                for name, number in rows["speedtest_address"].value_counts().items():
                    found[str(name)] = day, int(number) + (found[str(name)][1] if str(name) in found else 0)
            self._waits = mark, found
        return self._waits[1]


def _borders(since: datetime, until: datetime) -> list[datetime]:
    """Return the borders of the pieces of a period. A short one is one piece."""
    borders = [since]
    while borders[-1] + _AT_ONCE < until:
        borders.append(borders[-1] + _AT_ONCE)
    return [*borders, until]


def _is_asked(day: date, since: datetime | None, until: datetime) -> bool:
    return (since is None or day >= since.date()) and (day < until.date() or until.date() >= span.tomorrow() - _DAY)


def _with_provider(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the columns about the provider in the place of the lake's. An empty text is no name and no address."""
    for name, columns in _OF_A_PROVIDER.items():
        if not set(columns) <= set(rows.columns):
            continue
        first, *others = (rows.pop(column) for column in columns)
        for other in others:
            is_missing = first.isna() | (first == "")
            first = first.mask(is_missing, other) if is_missing.any() else first
        rows[name] = first.mask(first == "", None) if others and (first == "").any() else first
    return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
