"""The folders below `RESULT_DIR` and `UPLOAD_DIR`: locations, days, and the files of rows in a day.

`RESULT_DIR/year=YYYY/month=MM/day=DD/` holds the rows of all locations as CSV; `UPLOAD_DIR/location=NAME/` holds the
same folders with Parquet. Days are UTC days.
"""

import itertools
import os
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import msgspec

FILE_NAME = re.compile(r"speedtest_[0-9A-Za-z_-]+\.csv")
PARQUET_NAME = re.compile(r"speedtest_(\d{3,})\.parquet")
_NUMBERED = re.compile(r"speedtest_(\d{3,})\.")
SOURCES_KEY = "speedsnake.sources"
"""The key of a Parquet file's metadata that lists where each row comes from; see `data.parquet`."""
_LOCATION = "location="
_PARTS = (re.compile(r"year=(\d{4})"), re.compile(r"month=(\d{2})"), re.compile(r"day=(\d{2})"))


type Refused = Callable[[OSError], None]
"""Called with the error of a folder that cannot be listed."""


class Folders(msgspec.Struct, frozen=True):
    """The two folders that hold all rows."""

    result_dir: Path
    upload_dir: Path

    @property
    def quarantine(self) -> Path:
        """The folder of CSV files that do not hold valid rows."""
        return self.result_dir / "quarantine"

    @property
    def csv(self) -> tuple[Path, Path]:
        """The folders that have days with CSV files of rows."""
        return self.result_dir, held_folder(self.result_dir)


def held_folder(result_dir: Path) -> Path:
    """Return the folder of rows whose dates may be wrong; it has folders of days like RESULT_DIR. See `data.held`."""
    return result_dir / "held"


def csv_days(result_dir: Path) -> list[date]:
    """Return the days that hold CSV files, held ones too, oldest first."""
    return sorted({day for base in (result_dir, held_folder(result_dir)) for day, _ in days(base)})


def location_folder(upload_dir: Path, name: str) -> Path:
    """Return the folder of a location's Parquet files."""
    return upload_dir / f"{_LOCATION}{name}"


def locations(upload_dir: Path) -> dict[str, Path]:
    """Return the folder of each location, sorted by the location's name."""
    try:
        with os.scandir(upload_dir) as entries:
            found = sorted(entry.path for entry in entries if entry.name.startswith(_LOCATION))
    except FileNotFoundError:
        return {}
    return {Path(path).name.removeprefix(_LOCATION): Path(path) for path in found}


def day_folder(base: Path, day: date) -> Path:
    """Return the Hive partition of a UTC day."""
    return base / f"year={day.year:04}" / f"month={day.month:02}" / f"day={day.day:02}"


def complete_days(result_dir: Path, today: date, refused: Refused) -> Iterator[tuple[date, Path]]:
    """Yield the days before `today` (UTC) that hold a file of rows, oldest first, with their folders.

    `refused` gets the error of a folder that cannot be listed; the other folders are still listed.
    """
    for day, folder in days(result_dir, refused=refused):
        try:
            holds_rows = day < today and any(True for _ in row_files(folder))
        except FileNotFoundError:  # a conversion has deleted it because it was empty
            continue
        except OSError as error:
            refused(error)
            continue
        if holds_rows:
            yield day, folder


def days(
    base: Path, first: date = date.min, last: date = date.max, refused: Refused | None = None
) -> Iterator[tuple[date, Path]]:
    """Yield the day partitions in a folder from `first` to `last`, oldest first. Other months are not opened.

    Links and folders with other names are ignored. `refused` gets the error of a folder that cannot be listed; without
    `refused` the error is raised.
    """
    for year, year_folder in _partitions(base, 0, refused):
        for month, month_folder in _partitions(year_folder, 1, refused):
            if not (first.year, first.month) <= (year, month) <= (last.year, last.month):
                continue
            for number, folder in _partitions(month_folder, 2, refused):
                try:
                    day = date(year, month, number)
                except ValueError:
                    continue
                if first <= day <= last:
                    yield day, folder


def row_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files of rows in a day's folder: regular files with such a name, no links."""
    with os.scandir(folder) as entries:
        yield from (e for e in entries if FILE_NAME.fullmatch(e.name) and e.is_file(follow_symlinks=False))


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a day's folder of the lake, sorted by number."""
    return [folder / name for _, name in numbered(folder)]


def numbered(folder: Path) -> list[tuple[int, str]]:
    """Return the number and the name of each Parquet file in a day's folder of the lake, sorted by number."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted((int(match[1]), name) for name in names if (match := PARQUET_NAME.fullmatch(name)))


def highest_number(folder: Path) -> int:
    """Return the highest number in a day's folder. It counts any `speedtest_NNN.*`, also one that replaces a file."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return max((int(match[1]) for name in names if (match := _NUMBERED.match(name))), default=0)


def temporaries(result_dir: Path) -> Iterator[Path]:
    """Yield the files that a killed daemon left half written."""
    for _, folder in itertools.chain(days(result_dir), days(held_folder(result_dir))):
        yield from sorted(folder.glob(".speedtest_*.csv.tmp"))


def _partitions(folder: Path, level: int, refused: Refused | None) -> list[tuple[int, Path]]:
    try:
        with os.scandir(folder) as entries:
            found = [
                (int(match[1]), Path(entry.path))
                for entry in entries
                if (match := _PARTS[level].fullmatch(entry.name)) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []
    except OSError as error:
        if not refused:
            raise
        refused(error)
        return []
    return sorted(found)
