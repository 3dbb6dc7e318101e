"""The files that figures come from: their number, their size, and a digest that anybody can compute again."""

from datetime import timedelta

import msgspec

from speedtest.data import manifest
from speedtest.data.partitions import Folders
from speedtest.figures.types import Question


class Evidence(msgspec.Struct, frozen=True):
    """The files that may hold rows of a period."""

    parquet: int
    csv: int
    size: int
    digest: str
    """SHA-256 of the list that `data.manifest` makes: the lines that `sha256sum` prints for the files."""


def of(folders: Folders, asked: Question) -> Evidence:
    """Digest the files of a question. Raises OSError if one cannot be read."""
    last = (asked.until - timedelta.resolution).date()
    found = manifest.of(folders, asked.location, asked.since.date(), last)
    return Evidence(len(found.parquet), len(found.csv), found.size, found.digest)
