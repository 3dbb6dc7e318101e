"""The files that figures come from: their number, their size, and a digest that anybody can compute again."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from speedtest.data import partitions
from speedtest.data.partitions import Folders, parquet_files
from speedtest.figures.types import Question


class Evidence(msgspec.Struct, frozen=True):
    """The files that may hold rows of a period."""

    parquet: int
    csv: int
    size: int
    digest: str
    """SHA-256 of the lines `SHA-256  PATH` that `sha256sum` prints for the files: first Parquet, then CSV, each sorted
    by path. Paths are relative to UPLOAD_DIR (Parquet) and RESULT_DIR (CSV)."""


def of(folders: Folders, asked: Question) -> Evidence:
    """Digest the files of a question. Raises OSError if one cannot be read."""
    parquet = list(_lines(folders.upload_dir, _parquet(folders.upload_dir, asked)))
    csv = list(_lines(folders.result_dir, _csv(folders.result_dir, asked)))
    digest = hashlib.sha256("".join(line for line, _ in parquet + csv).encode()).hexdigest()
    return Evidence(len(parquet), len(csv), sum(size for _, size in parquet + csv), digest)


def _lines(base: Path, paths: Iterator[Path]) -> Iterator[tuple[str, int]]:
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue  # converted meanwhile: its rows are in a Parquet file
        yield f"{hashlib.sha256(data).hexdigest()}  {path.relative_to(base)}\n", len(data)


def _parquet(uploads: Path, asked: Question) -> Iterator[Path]:
    for _, folder in _days(partitions.location_folder(uploads, asked.location), asked):
        yield from parquet_files(folder)


def _csv(result_dir: Path, asked: Question) -> Iterator[Path]:
    for base in (partitions.held_folder(result_dir), result_dir):
        for _, folder in _days(base, asked):
            yield from sorted(Path(entry.path) for entry in partitions.row_files(folder))


def _days(base: Path, asked: Question) -> Iterator[tuple[object, Path]]:
    return partitions.days(base, asked.since.date(), (asked.until - timedelta.resolution).date())
