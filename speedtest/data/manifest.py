"""The list of the files that hold rows, each with its SHA-256: what was there, so that nobody can change it unseen.

Format: a line `SHA-256  PATH` for each file, as `sha256sum` prints and `sha256sum --check` reads it. First come
Parquet files by path below UPLOAD_DIR, then CSV files by path below RESULT_DIR, each sorted. The digest of a list is
the SHA-256 of its bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import msgspec

from speedtest.data import partitions
from speedtest.data.partitions import Folders, parquet_files


class Manifest(msgspec.Struct, frozen=True):
    """A list of files."""

    parquet: tuple[str, ...]
    """Their lines."""
    csv: tuple[str, ...]
    size: int
    """Bytes of all files."""

    @property
    def text(self) -> str:
        """The list as text."""
        return "".join(self.parquet + self.csv)

    @property
    def digest(self) -> str:
        """The SHA-256 of the list."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def of(folders: Folders, location: str | None, first: date = date.min, last: date = date.max) -> Manifest:
    """Return the files that may hold rows of these days, of one location or of all.

    The CSV files are those of all locations: they are not apart. Raises OSError if a file cannot be read.
    """
    places = partitions.locations(folders.upload_dir)
    wanted = [folder for name, folder in places.items() if location in (None, name)]
    published = (
        path for place in wanted for _, day in partitions.days(place, first, last) for path in parquet_files(day)
    )
    parquet = list(_lines(folders.upload_dir, published))
    csv = list(_lines(folders.result_dir, _csv(folders, first, last)))
    size = sum(size for _, size in parquet + csv)
    return Manifest(tuple(line for line, _ in parquet), tuple(line for line, _ in csv), size)


def entries(text: str) -> dict[str, str]:
    """Return the SHA-256 of each path in a list. Raises ValueError if a line is none of a list."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        digest, separator, path = line.partition("  ")
        if len(digest) != hashlib.sha256().digest_size * 2 or not separator or not path:
            raise ValueError(line)
        found[path] = digest
    return found


def _lines(base: Path, paths: Iterable[Path]) -> Iterator[tuple[str, int]]:
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # converted meanwhile: its rows are in a Parquet file
        yield f"{hashlib.sha256(data).hexdigest()}  {path.relative_to(base)}\n", len(data)


def _csv(folders: Folders, first: date, last: date) -> Iterator[Path]:
    for base in (partitions.held_folder(folders.result_dir), folders.result_dir):
        for _, folder in partitions.days(base, first, last):
            yield from sorted(Path(entry.path) for entry in partitions.row_files(folder))
