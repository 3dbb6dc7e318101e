"""Read the lake: the rows of Parquet files and of unconverted CSV files as one pandas DataFrame, each row once.

Held rows (see `data.held`) are listed and read first, then other CSV files, then Parquet files. A CSV row is dropped if
a Parquet file lists its source, and a held row if a file read after it has or replaces it. Because of this order, a
conversion or a daemon that moves rows meanwhile can neither hide a row nor show it twice. A day of CSV files that was
kept in memory counts as read now, if its folder has not changed (see `data.day_cache`).
"""

import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from speedtest import environment
from speedtest.data import held
from speedtest.data.csv_rows import Source, file_of
from speedtest.data.day_cache import Day
from speedtest.data.parquet import Damaged, sources_of
from speedtest.data.partitions import (
    day_folder,
    days,
    held_folder,
    location_folder,
    locations,
    parquet_files,
    row_files,
)
from speedtest.data.results import read_bounded
from speedtest.data.table import SCHEMA, SOURCE, parse
from speedtest.data.table_cache import TableCache
from speedtest.logging import Events

if TYPE_CHECKING:
    import pandas as pd

events = Events(__name__)

_DAY = timedelta(days=1)
_DAYS_AT_ONCE = 7
_TRIES = 3
"""How often a reader starts again because a file was removed meanwhile."""
_ALWAYS = ("timestamp", "started_at", "speedtest_address")
"""Columns by which rows are filtered and sorted."""


def read(  # noqa: PLR0913 (each narrows the query, all by name)
    *,
    since: datetime | date | None = None,
    until: datetime | date | None = None,
    location: str | Iterable[str] | None = None,
    columns: Iterable[str] | None = None,
    upload_dir: str | os.PathLike[str] | None = None,
    result_dir: str | os.PathLike[str] | None = None,
    opened: TableCache | None = None,
) -> "pd.DataFrame":
    """Return every row from `since` (included) to `until` (not included) at these locations, in time order.

    Instants without a zone, and dates, are UTC. The folders default to those of the environment. Only the days in the
    period are opened, and one day on either side, because the original program filed rows by local time. Rows of the
    original program have their common columns, converted or not. A caller that reads repeatedly can pass the same
    `opened` each time; it keeps Parquet files in memory.

    The columns are those of `data.schema`, or only the named ones: fewer are faster and need less memory. Whole numbers
    and booleans have pandas' nullable types. Raises `data.parquet.Damaged` or OSError, naming the file, if a file
    cannot be read.
    """
    asked = _Asked(since, until, location, upload_dir, result_dir)
    names = SCHEMA.names if columns is None else list(columns)
    return _table(asked, names, opened).to_pandas(types_mapper=nullable().get)


def nullable() -> "dict[pa.DataType, pd.api.extensions.ExtensionDtype]":
    """Return the types of pandas that can hold null where pandas by itself would choose others."""
    import pandas as pd  # noqa: PLC0415 (the children of the daemon do without it, see `read_table`)

    return {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}


def read_table(  # noqa: PLR0913 (each narrows the query, all by name)
    *,
    since: datetime | date | None = None,
    until: datetime | date | None = None,
    location: str | Iterable[str] | None = None,
    columns: Iterable[str],
    upload_dir: str | os.PathLike[str] | None = None,
    result_dir: str | os.PathLike[str] | None = None,
) -> pa.Table:
    """Return the rows that `read` returns as an Arrow table, without pandas: 50 MiB and half a second less."""
    return _table(_Asked(since, until, location, upload_dir, result_dir), list(columns), None)


def _table(asked: "_Asked", names: list[str], opened: TableCache | None) -> pa.Table:
    needed = list(dict.fromkeys([*names, *_ALWAYS]))
    return _rows(asked, asked.around, needed, TableCache() if opened is None else opened).select(names)


def read_days(
    *,
    since: datetime | date | None = None,
    until: datetime | date | None = None,
    location: str | Iterable[str] | None = None,
    upload_dir: str | os.PathLike[str] | None = None,
    result_dir: str | os.PathLike[str] | None = None,
) -> Iterator[pa.Table]:
    """Yield the rows that `read` returns, with all columns, in tables of a few days each.

    Only one table is in memory at a time. Each is consistent in itself. A day that begins meanwhile is left out.
    """
    asked = _Asked(since, until, location, upload_dir, result_dir)
    filed = {day for base in (held_folder(asked.results), asked.results) for day, _ in days(base, *asked.around)}
    filed |= {*_published(asked.uploads, *asked.around, asked.locations)}
    for few in itertools.batched(sorted(filed), _DAYS_AT_ONCE, strict=False):
        yield _rows(asked, (few[0], few[-1]), SCHEMA.names, TableCache())


class _Asked(msgspec.Struct, frozen=True):
    """The arguments of a query."""

    since: datetime | date | None
    until: datetime | date | None
    location: str | Iterable[str] | None
    upload_dir: str | os.PathLike[str] | None
    result_dir: str | os.PathLike[str] | None

    @property
    def uploads(self) -> Path:
        return Path(self.upload_dir or environment.value("UPLOAD_DIR", os.environ))

    @property
    def results(self) -> Path:
        return Path(self.result_dir or environment.value("RESULT_DIR", os.environ))

    @property
    def locations(self) -> set[str] | None:
        if self.location is None:
            return None
        return {self.location} if isinstance(self.location, str) else set(self.location)

    @property
    def around(self) -> tuple[date, date]:
        """The first and the last day under which its rows may be filed."""
        return _days_around(_instant(self.since), _instant(self.until))


def _rows(asked: _Asked, around: tuple[date, date], columns: list[str], opened: TableCache) -> pa.Table:
    """Return the rows filed from the first to the last of these days, in time order.

    A delivery may remove old files that a store has, while they are read here. Then everything is read once more.
    """
    for _ in range(_TRIES):
        try:
            return _rows_now(asked, around, columns, opened)
        except (Damaged, FileNotFoundError) as error:
            path = error.path if isinstance(error, Damaged) else error.filename
            if path is None or Path(path).exists():
                raise
    return _rows_now(asked, around, columns, opened)


def _rows_now(asked: _Asked, around: tuple[date, date], columns: list[str], opened: TableCache) -> pa.Table:
    wanted = asked.locations
    replaced = held.replaced(asked.results)
    kept_back = _waiting(asked, days(held_folder(asked.results), *around), columns, opened)
    waiting = _waiting(asked, days(asked.results, *around), columns, opened)
    published = _published(asked.uploads, *around, wanted)
    if kept_back:
        waiting += _still_held(asked, kept_back, replaced, waiting, published)
    tables = [_unlisted(found, published[day]).select(columns) for day, found in waiting if found.table.num_rows]
    paths = [path for paths in published.values() for path in paths]
    tables.append(opened.read(paths, columns))
    return _only(pa.concat_tables(tables), _instant(asked.since), _instant(asked.until), wanted)


def _instant(when: datetime | date | None) -> datetime | None:
    if when is None:
        return None
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day, tzinfo=UTC)
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _days_around(first: datetime | None, last: datetime | None) -> tuple[date, date]:
    """Return the first and the last day under which rows from `first` to before `last` may be filed."""
    earliest = (first - _DAY).date() if first and first.date() > date.min else date.min
    latest = (last + _DAY - timedelta.resolution).date() if last and last.date() < date.max else date.max
    return earliest, latest


type _Waiting = list[tuple[date, Day]]
"""Rows of CSV files, with their sources, day by day."""


def _waiting(asked: _Asked, found: Iterable[tuple[date, Path]], columns: list[str], opened: TableCache) -> _Waiting:
    """Return the rows of the CSV files in these folders."""
    return [
        (day, opened.days.day(folder, columns, partial(_day, asked.uploads, day, folder, columns)))
        for day, folder in found
    ]


def _day(uploads: Path, day: date, folder: Path, columns: list[str]) -> Day:
    """Read a day's CSV files, and then which of their rows are in Parquet files of any location."""
    table, unreadable = parse(_sources(folder), environment.value("SPEEDTEST_LOCATION_UUID", os.environ))
    for name, why in unreadable.items():
        events.warning("file_unreadable", "left out the rows of %s: %s", folder / name, why)
    return Day(table.select([*columns, SOURCE]), _listed_on({day}, uploads), complete=not unreadable)


def _sources(folder: Path) -> Iterator[Source]:
    """Read a day's CSV files. One that vanishes meanwhile was converted."""
    try:
        names = sorted(entry.name for entry in row_files(folder))
    except FileNotFoundError:
        return
    for name in names:
        try:
            data = read_bounded(f"{folder}/{name}")
        except FileNotFoundError:
            continue
        if data is not None:
            yield Source(name, data)


def _still_held(
    asked: _Asked, kept_back: _Waiting, replaced: set[str], waiting: _Waiting, published: dict[date, list[Path]]
) -> _Waiting:
    """Return the held rows without those that a file read after them has or replaces.

    While a held file exists, no Parquet file has its row. So only if one has gone, the lists of Parquet files are read.
    """
    sources = {source for _, found in waiting for source in _sources_in(found.table)}
    base = held_folder(asked.results)
    kept = [(day, source) for day, found in kept_back for source in _sources_in(found.table)]
    if not all((day_folder(base, day) / file_of(source)).exists() for day, source in kept):
        sources |= _listed_on({day for day, _ in waiting + kept_back}, asked.uploads)
        sources |= _listed(path for paths in published.values() for path in paths)
    replaced = replaced | held.replaced_by(sources)
    return [(day, found._replace(table=_without(found.table, sources, replaced))) for day, found in kept_back]


def _sources_in(table: pa.Table) -> list[str]:
    return [str(source) for source in table[SOURCE].to_pylist()]


def _without(table: pa.Table, sources: set[str], digests: set[str]) -> pa.Table:
    stays = [source not in sources and source.split(" ")[0] not in digests for source in _sources_in(table)]
    return table.filter(pa.array(stays, pa.bool_()))


def _published(uploads: Path, first: date, last: date, wanted: set[str] | None) -> dict[date, list[Path]]:
    """Return the current Parquet files of these locations by day, or of all; an empty list for a day without any."""
    places = locations(uploads) if wanted is None else {name: location_folder(uploads, name) for name in sorted(wanted)}
    published: dict[date, list[Path]] = defaultdict(list)
    for place in places.values():
        for day, folder in days(place, first, last):
            published[day] += parquet_files(folder)
    return published


def _listed_on(wanted: set[date], uploads: Path) -> set[str]:
    """Return the sources in the Parquet files of these days, of all locations: any of them may list a waiting row."""
    places = locations(uploads).values()
    return _listed(path for place in places for day in wanted for path in parquet_files(day_folder(place, day)))


def _listed(paths: Iterable[Path]) -> set[str]:
    return set().union(*map(sources_of, paths))


def _unlisted(found: Day, published: Iterable[Path]) -> pa.Table:
    """Drop the rows that are in Parquet files as well: in those when the day was read, or in one published since."""
    listed = found.listed | _listed(published)
    is_listed = pc.is_in(found.table[SOURCE], pa.array(sorted(listed), pa.string()))
    return found.table.filter(pc.invert(is_listed)).drop_columns([SOURCE])


def _only(table: pa.Table, first: datetime | None, last: datetime | None, wanted: set[str] | None) -> pa.Table:
    """Return the matching rows in time order. The table is copied only if it must be filtered or sorted."""
    if wanted is not None:
        is_wanted = pc.is_in(table["speedtest_address"], pa.array(sorted(wanted), pa.string()))
        table = table if pc.all(is_wanted, min_count=0).as_py() else table.filter(is_wanted)
    table = _in_order(table)
    start = _before(table, first) if first is not None else 0
    end = _before(table, last) if last is not None else table.num_rows
    return table.slice(start, max(0, end - start))


def _in_order(table: pa.Table) -> pa.Table:
    """Sort by time, unless the rows are in order already, as in the files of one location."""
    times = table["timestamp"]
    if len(times) == 0 or pc.all(pc.less(times[:-1], times[1:]), min_count=0).as_py():
        return table
    return table.sort_by([("timestamp", "ascending"), ("started_at", "ascending")])


def _before(table: pa.Table, instant: datetime) -> int:
    """Return how many rows are older than an instant."""
    earlier = pc.less(table["timestamp"], pa.scalar(instant, SCHEMA.field("timestamp").type))
    return pc.sum(earlier, min_count=0).as_py()  # pyrefly: ignore[bad-argument-type] (the stubs forget booleans)
