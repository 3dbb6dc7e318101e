"""One complete day of CSV files → one numbered Parquet file for each location: `location=…/…/speedtest_NNN.parquet`.

The crash promise: every row is in the lake exactly once, whatever happens between two instructions.
- The link that gives a Parquet file its name is the commit; the file is synced and has been read back before it.
- Its metadata lists the source of each of its rows, so a conversion that was cut short is known from the disk alone:
  a row whose source is listed in any location's files of that day is in the lake and is not written again.
- Only then are exactly the CSV files unlinked that were read at the beginning. A Parquet file is never changed, removed
  or numbered over; one that cannot be read stops its day.
- A CSV file that is not what it should be is moved to `RESULT_DIR/quarantine/`, unchanged, the reason beside it.
All this happens under `UPLOAD_DIR/.convert.lock`. File work is done in order by one thread; another parses and encodes
the next day meanwhile.

Metadata keys: `speedsnake.schema_version`; `speedsnake.sources`, a line each: `DIGEST NAME` (see `data.table`).
"""

import contextlib
import errno
import itertools
import logging
import os
import re
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from speedtest.data import files, schema
from speedtest.data.results import complete_days, day_folder, row_files
from speedtest.data.table import LARGEST_FILE, SCHEMA, SOURCE, Derive, Source, parse

logger = logging.getLogger(__name__)

SOURCES_KEY = "speedsnake.sources"
VERSION_KEY = "speedsnake.schema_version"
FILE_NAME = re.compile(r"speedtest_(\d{3,})\.parquet")
_NUMBERED = re.compile(r"speedtest_(\d{3,})\.")


class Damaged(Exception):
    """A Parquet file in the lake cannot be read; its day is left as it is until a person has looked."""

    def __init__(self, path: Path, why: Exception) -> None:
        """Name the file and say what to do."""
        super().__init__(
            f"{path} cannot be read ({why}); nothing of its day is converted until it is restored or moved away"
        )


class Lake(msgspec.Struct, frozen=True):
    """Where rows come from and go to, the location of rows that name none, and what knows original rows."""

    result_dir: Path
    upload_dir: Path
    address: str
    derive: Derive

    @property
    def quarantine(self) -> Path:
        """Return the folder of files that cannot be read."""
        return self.result_dir / "quarantine"


class _Day(msgspec.Struct):
    """A day under way: its CSV files as they were read, once, and what becomes of them."""

    date: date
    folder: Path
    sources: list[Source] = []
    listed: set[str] = set()
    """Sources that a Parquet file of this day lists already."""
    unreadable: dict[str, str] = {}
    """Files that are no rows, and why."""
    complete: bool = True
    """False if the disk would not give a file: it stays where it is."""


type _Encoded = list[tuple[str, pa.Table, pa.Buffer]]
"""A day's rows, ready to be published: each location, its rows and the bytes of its file."""


type Begun = Callable[[date], None]
"""Hears of each day as its conversion begins."""


def convert(lake: Lake, today: date, begun: Begun | None = None) -> int:
    """Convert every day before `today` (UTC), oldest first; return how many could not be converted, each logged."""
    failed = 0
    hidden: list[OSError] = []
    with ThreadPoolExecutor(1, "encode") as worker:
        ahead: tuple[_Day, Future[_Encoded]] | None = None
        for date_, folder in complete_days(lake.result_dir, today, hidden.append):
            if begun:
                begun(date_)
            day = _read(lake, date_, folder)
            started = (day, worker.submit(_encode, day, lake)) if day else None
            failed += started is None
            failed += ahead is not None and not _finish(lake, *ahead)
            ahead = started
        failed += ahead is not None and not _finish(lake, *ahead)
    for error in hidden:
        logger.error("could not convert what is in %s: %s; mend its owner or mode", error.filename, error.strerror)
    return failed + len(hidden)


def _read(lake: Lake, date_: date, folder: Path) -> _Day | None:
    """Look what of a day is in the lake already and read its files; None, logged, if that cannot be told."""
    day = _Day(date_, folder)
    try:
        for location in _locations(lake.upload_dir):
            day.listed |= recover(day_folder(location, date_))
        _freeze(day)
    except (OSError, Damaged) as error:
        _log_failure(day, error)
        return None
    return day


def _finish(lake: Lake, day: _Day, encoded: Future[_Encoded]) -> bool:
    """Publish a day's rows, then remove their files; say whether all of the day is done."""
    try:
        parts = encoded.result()
        for name, why in sorted(day.unreadable.items()):
            _quarantine(lake, day, name, why)
        for location, table, data in parts:
            path = _publish(lake, day, location, table, data)
            logger.info(
                "converted %s: %d rows", day.date, table.num_rows, extra={"path": str(path), "rows": table.num_rows}
            )
        _remove(lake, day)
    except (OSError, pa.ArrowException) as error:
        _log_failure(day, error)
        return False
    except Exception:
        logger.exception("could not convert %s in a way that nobody foresaw; please report it", day.date)
        return False
    return day.complete


def _log_failure(day: _Day, error: Exception) -> None:
    logger.error("could not convert %s: %s", day.date, error, extra={"path": str(day.folder)})


def _locations(upload_dir: Path) -> list[Path]:
    try:
        with os.scandir(upload_dir) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.name.startswith("location="))
    except FileNotFoundError:
        return []


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a day's folder in the lake, in the order of their numbers."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    numbered = sorted((int(match[1]), name) for name in names if (match := FILE_NAME.fullmatch(name)))
    return [folder / name for _, name in numbered]


def sources_of(path: Path) -> set[str]:
    """Return the sources that a Parquet file lists. Raises Damaged if it cannot be read."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return set(metadata.get(SOURCES_KEY.encode(), b"").decode().splitlines())
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise Damaged(path, error) from error


def recover(folder: Path) -> set[str]:
    """Clear a day's folder in the lake of what a killed conversion left half written; return the sources listed there.

    Raises Damaged for a Parquet file that cannot be read, OSError for a folder.
    """
    published = parquet_files(folder)
    files.sweep(sorted(folder.glob(".speedtest_*.parquet.tmp")))
    if published:  # perhaps by a conversion that was killed before it synced the folder
        files.sync_folder(folder)
    return set().union(*(sources_of(path) for path in published))


def _freeze(day: _Day) -> None:
    """Read each of the day's files once, in the order of their names."""
    rows = sorted(entry.name for entry in row_files(day.folder))
    for name in rows:
        try:
            data = read_bounded(f"{day.folder}/{name}")
        except OSError as error:
            logger.error("could not read %s/%s: %s; it stays there for the next time", day.folder, name, error.strerror)
            day.complete = False
            continue
        if data is None:
            day.unreadable[name] = f"it is larger than {LARGEST_FILE} bytes"
        else:
            day.sources.append(Source(name, data))
    for name in sorted(set(os.listdir(day.folder)) - set(rows)):
        if not name.startswith(".speedtest_"):
            logger.warning("left %s alone: it is not the file of a row", day.folder / name)


def read_bounded(path: str) -> bytes | None:
    """Return a regular file's bytes, all of them, None if there are too many. A link or a pipe is refused.

    The path is plain text: a backlog has 50,000 of them, and a `Path` costs more than reading such a file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        if status.st_size > LARGEST_FILE:
            return None
        data = os.read(descriptor, status.st_size + 1)
        if len(data) != status.st_size:
            raise OSError(errno.EIO, f"{len(data)} of its {status.st_size} bytes could be read", path)
        return data
    finally:
        os.close(descriptor)


def _encode(day: _Day, lake: Lake) -> _Encoded:
    """Parse a day's files and encode what is not in the lake yet. Runs in the second thread: touches no file."""
    table, unreadable = parse(day.sources, lake.address, lake.derive)
    day.unreadable |= unreadable
    if day.listed:
        table = table.filter(pc.invert(pc.is_in(table[SOURCE], pa.array(sorted(day.listed)))))
    locations = sorted(name for name in pc.unique(table["speedtest_address"]).to_pylist() if name is not None)
    if len(locations) == 1:
        return [(locations[0], table, encode(table))]
    parts = [(name, table.filter(pc.equal(table["speedtest_address"], name))) for name in locations]
    return [(name, part, encode(part)) for name, part in parts]


_WHOLE = [column.name for column in schema.COLUMNS if column.kind in {"instant", "int64", "int32"}]
_ASKED_FOR: Any = [column.name for column in schema.COMMON]


def encode(table: pa.Table) -> pa.Buffer:
    """Return the bytes of the Parquet file of these rows, their sources listed in its metadata.

    The choices are those that make a day of 144 rows small: no dictionaries (zstd finds what repeats, also in a day of
    17,280 rows), differences of whole numbers and instants, and statistics of the columns that questions are about.
    """
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        use_dictionary=False,
        column_encoding=dict.fromkeys(_WHOLE, "DELTA_BINARY_PACKED"),
        write_statistics=_ASKED_FOR,
        store_schema=False,
    ) as writer:
        writer.write_table(table.drop_columns([SOURCE]))
        writer.add_key_value_metadata(_metadata(table))
    return sink.getvalue()


def _metadata(table: pa.Table) -> dict[str, str]:
    sources = "\n".join(str(source) for source in table[SOURCE].to_pylist())
    return {VERSION_KEY: str(schema.SCHEMA_VERSION), SOURCES_KEY: sources}


def verify(data: bytes, table: pa.Table) -> None:
    """Compare what was read back with the rows that went in: count, columns, every value, the list of sources.

    Raises OSError if anything differs.
    """
    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            found = file.read(use_threads=False)  # Arrow's threads may abort a process that ends just then
            metadata = {key.decode(): text.decode() for key, text in (file.metadata.metadata or {}).items()}
    except Exception as error:  # whatever a damaged file does to its reader
        raise OSError(errno.EIO, f"what was written is no Parquet file: {error}") from error
    if not (found.schema.equals(SCHEMA) and found.equals(table.drop_columns([SOURCE]))):
        raise OSError(errno.EIO, "the rows that were read back are not the rows that were written")
    if metadata != _metadata(table):
        raise OSError(errno.EIO, "the list of sources that was read back is not the one that was written")


def _publish(lake: Lake, day: _Day, location: str, table: pa.Table, data: pa.Buffer) -> Path:
    folder = day_folder(lake.upload_dir / f"location={location}", day.date)
    for number in itertools.count(_highest_number(folder) + 1):
        path = folder / f"speedtest_{number:03}.parquet"
        try:
            files.publish(path, data.to_pybytes(), base=lake.upload_dir, verify=lambda back: verify(back, table))
        except FileExistsError:
            continue
        return path
    raise AssertionError("counting never ends")


def _highest_number(folder: Path) -> int:
    """Return the highest number that a file of this day ever had here; what stands in for a file keeps its number."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return max((int(match[1]) for name in names if (match := _NUMBERED.match(name))), default=0)


def _quarantine(lake: Lake, day: _Day, name: str, why: str) -> None:
    """Move a file that is no row out of the way, the reason beside it; a name that is taken gets the next suffix."""
    folder = day_folder(lake.quarantine, day.date)
    source = day.folder / name
    reason = msgspec.json.format(msgspec.json.encode({"file": name, "reason": why}), indent=2) + b"\n"
    for number in itertools.count(1):
        target = folder / (name if number == 1 else f"{source.stem}_{number}.csv")
        try:
            files.publish(target.with_name(f"{target.name}.reason.json"), reason, base=lake.result_dir)
            files.move(source, target, base=lake.result_dir)
        except FileExistsError:
            continue
        logger.warning("moved a file to quarantine: %s", why, extra={"path": str(target)})
        return


def _remove(lake: Lake, day: _Day) -> None:
    """Unlink exactly the files whose rows are in the lake, then the folders that this left empty."""
    for source in day.sources:
        if source.name not in day.unreadable:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{day.folder}/{source.name}")  # noqa: PTH108 (a Path for each doubles the cost)
    files.sync_folder(day.folder)
    for folder in (day.folder, *day.folder.parents):
        if folder == lake.result_dir:
            return
        try:
            folder.rmdir()
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
            return
