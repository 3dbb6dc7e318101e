"""Rows as they are published: their values by column, and the id by which a receiver knows them."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import msgspec

from speedtest.data import files
from speedtest.data.csv_rows import Source, SourcedRow, Unreadable, rows_of
from speedtest.data.results import read_bounded
from speedtest.logging import Events
from speedtest.values.names import is_location

events = Events(__name__)


class PublishedRow(msgspec.Struct, frozen=True):
    """A row with the values of its columns; those without a value are left out."""

    day: date
    """The UTC day under which it is filed."""
    source: str
    """See `data.csv_rows`."""
    values: dict[str, Any]

    @property
    def id(self) -> str:
        """The same for the same row, whenever it is sent and whether it lies in CSV or in Parquet."""
        return files.digest(f"{self.day} {self.source}".encode())

    @property
    def timestamp(self) -> datetime:
        """When it was measured."""
        return self.values["timestamp"]

    @property
    def location(self) -> str:
        """The line."""
        return self.values["speedtest_address"]


def of_csv(folder: Path, name: str, day: date, address: str) -> list[PublishedRow] | None:
    """Return the rows of a CSV file; `address` is the location of rows that name none. None if the file has gone.

    A file that does not hold valid rows has none: the conversion moves it to quarantine and says why. Raises OSError if
    the disk refuses.
    """
    try:
        data = read_bounded(f"{folder}/{name}")
    except FileNotFoundError:
        return None
    try:
        found = rows_of(Source(name, data)) if data is not None else list[SourcedRow]()
    except Unreadable as why:
        events.debug("file_unreadable", "left out %s: %s", folder / name, why)
        return []
    rows = [PublishedRow(day, row.source, {"speedtest_address": address} | _without_nulls(row.values)) for row in found]
    return rows if all(is_location(row.location) for row in rows) else []


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class Broken(Exception):
    """A Parquet file cannot be read; the text names it and says what to do."""


def of_parquet(path: Path, day: date) -> list[PublishedRow]:
    """Return the rows of a Parquet file of the lake. Raises Broken if it cannot be read."""
    from speedtest.data import rows_of_parquet  # noqa: PLC0415 (pyarrow: only who is a day behind needs its 40 MiB)

    try:
        found = rows_of_parquet.read(path)
    except rows_of_parquet.Damaged as damaged:
        raise Broken(str(damaged)) from damaged
    return [PublishedRow(day, source, _without_nulls(row)) for source, row in found]


def sources_in(path: Path) -> set[str]:
    """Return the sources that a Parquet file lists. Raises Broken if it cannot be read."""
    from speedtest.data.parquet import Damaged, sources_of  # noqa: PLC0415 (the same)

    try:
        return sources_of(path)
    except Damaged as damaged:
        raise Broken(str(damaged)) from damaged
