"""Receipts: `RESULT_DIR/receipts/location=…/year=…/month=…/day=…/speedtest_NNN.receipt.json`, one a delivered file.

A receipt says that the Parquet file of this place and number in UPLOAD_DIR was read back from a store, unchanged. It
stays for ever. Where the file itself is removed later, its receipt keeps the number taken and the list of sources, so
that no number is used twice and a CSV file that reappears is known. Receipts lie below RESULT_DIR, because some engines
that read UPLOAD_DIR whole fail on any file that is not Parquet (docs/decisions/folder.md). A file that was delivered to
a second store has a second receipt, `speedtest_NNN.receipt_2.json`.
"""

import itertools
import os
import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import msgspec

from speedtest.data import files
from speedtest.data.partitions import day_folder, days, location_folder, locations

FOLDER = "receipts"
_NAME = re.compile(r"speedtest_(\d{3,})\.receipt(?:_\d+)?\.json")


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What was delivered, where, and when."""

    store: str
    """The URL that DELIVER_TO had."""
    key: str
    """The object's name below that URL. Its number differs from the file's if that number was taken there."""
    sha256: str
    """Of the file."""
    object_sha256: str
    """Of the object. It differs from the file's only if the object was there before, with the same rows."""
    bytes: int
    rows: int
    delivered_at: datetime
    sources: list[str]
    """As in the file's metadata: see `data.parquet`."""


class BadReceipt(Exception):
    """A receipt cannot be read. Nothing is delivered, and its day is not converted, until a person repairs it."""

    def __init__(self, path: Path, why: Exception) -> None:
        """Name the file and say what to do."""
        until_then = "until then nothing is delivered, and its day is not converted"
        super().__init__(f"{path} cannot be read ({why}): restore it or move it away; {until_then}")


def folder_of(result_dir: Path, location: str, day: date) -> Path:
    """Return the folder of a day's receipts."""
    return day_folder(location_folder(result_dir / FOLDER, location), day)


def publish(result_dir: Path, location: str, day: date, number: int, receipt: Receipt) -> Path:
    """Save the receipt of the file with this number, durably, and return its path. Raises OSError."""
    folder = folder_of(result_dir, location, day)
    data = msgspec.json.format(msgspec.json.encode(receipt), indent=1) + b"\n"
    stem = f"speedtest_{number:03}.receipt"
    names = (folder / f"{stem}{'' if copy == 1 else f'_{copy}'}.json" for copy in itertools.count(1))
    return files.first_free(names, lambda path: files.publish(path, data, base=result_dir))


def of_day(folder: Path) -> dict[int, list[Receipt]]:
    """Return the receipts in a day's folder by the number of their file. Raises BadReceipt, or OSError."""
    found: dict[int, list[Receipt]] = {}
    for number, path in _files(folder):
        try:
            receipt = msgspec.json.decode(path.read_bytes(), type=Receipt)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise BadReceipt(path, error) from error
        found.setdefault(number, []).append(receipt)
    return found


def sources_of(folder: Path) -> set[str]:
    """Return all sources that a day's receipts list. Raises BadReceipt, or OSError."""
    return {source for found in of_day(folder).values() for receipt in found for source in receipt.sources}


def numbers_of(folder: Path) -> set[int]:
    """Return the numbers of the files that a day's folder has receipts for, by their names alone."""
    return {number for number, _ in _files(folder)}


def days_with(result_dir: Path, first: date = date.min, last: date = date.max) -> Iterator[tuple[str, date, Path]]:
    """Yield each location and day that has a receipts folder, with that folder."""
    for location, place in locations(result_dir / FOLDER).items():
        for day, folder in days(place, first, last):
            yield location, day, folder


def _files(folder: Path) -> list[tuple[int, Path]]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted((int(match[1]), folder / name) for name in names if (match := _NAME.fullmatch(name)))
