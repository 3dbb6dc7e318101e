"""Find the files of the lake that have no receipt of a store yet."""

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

import msgspec

from speedtest.data import receipts
from speedtest.data.partitions import Folders, days, locations, numbered


class LocalFile(msgspec.Struct, frozen=True):
    """A Parquet file of the lake: where it lies, and what it is called at a store."""

    location: str
    day: date
    number: int
    path: Path

    def key(self, number: int) -> str:
        """Return the key under this number: the path relative to UPLOAD_DIR."""
        day = f"year={self.day.year:04}/month={self.day.month:02}/day={self.day.day:02}"
        return f"location={self.location}/{day}/speedtest_{number:03}.parquet"


def waiting(folders: Folders, store: str) -> list[list[LocalFile]]:
    """Return the files without a receipt of this store: those of a day and a location together, the oldest day first.

    Raises OSError if a folder cannot be listed, `receipts.BadReceipt` if a receipt cannot be read.
    """
    found = sorted(_waiting(folders, store), key=lambda file: (file.day, file.location, file.number))
    return [list(files) for _, files in groupby(found, lambda file: (file.day, file.location))]


def _waiting(folders: Folders, store: str) -> Iterator[LocalFile]:
    for file, found in with_receipts(folders):
        if not any(receipt.store == store for receipt in found):
            yield file


def with_receipts(folders: Folders) -> Iterator[tuple[LocalFile, list[receipts.Receipt]]]:
    """Yield each file of the lake with its receipts."""
    for location, place in locations(folders.upload_dir).items():
        for day, folder in days(place):
            files = numbered(folder)
            found = receipts.of_day(receipts.folder_of(folders.result_dir, location, day)) if files else {}
            for number, name in files:
                yield LocalFile(location, day, number, folder / name), found.get(number, [])
