"""Save each measurement as one CSV file.

Path: `RESULT_DIR/year=YYYY/month=MM/day=DD/speedtest_HH-MM-SS.csv`, in UTC, from the row's `timestamp`. A second row in
the same second gets the suffix `_2`, and so on.

A row whose date may be wrong (`Row.held`) goes to `RESULT_DIR/held/` instead, see `data.held`.

Format: a header line and one row, RFC 4180, UTF-8, LF. Null is an empty field, empty text is `""`, booleans are `true`
and `false`, instants are ISO 8601 in UTC. NUL becomes U+FFFD, because no CSV reader takes NUL. The common columns come
first, then the program's own fields.
"""

import csv
import errno
import io
import itertools
import os
import re
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from speedtest.data import files
from speedtest.data.partitions import day_folder, held_folder
from speedtest.measurement import COMMON_COLUMNS, Measurement

LARGEST_FILE = 1024 * 1024
"""In bytes; a larger file is not a file of rows."""

_MOVED = ("timestamp", "started_at", "slot")
_NEEDS_QUOTES = re.compile(r'[,"\r\n]')


class Row(msgspec.Struct, frozen=True):
    """A measurement in the form of its file."""

    timestamp: datetime
    data: bytes
    held: str | None = None
    """Of a row whose date may be wrong: the end of its file's name, unique in all folders."""


def encode(measurement: Measurement, *, held: str | None = None) -> Row:
    """Return a measurement as the bytes of its file."""
    data = _file(common_texts(measurement) | measurement.raw)
    return Row(measurement.timestamp.astimezone(UTC), data, held)


def redated(data: bytes, by: timedelta) -> Row:
    """Return the row of a file that `encode` made, with all its instants moved. The rest is unchanged.

    `raw_timestamp` is what the program said, also of a row that was moved before. Raises ValueError or OverflowError
    for a file without a timestamp, and for an instant outside the calendar.
    """
    csv.field_size_limit(LARGEST_FILE)
    text = io.StringIO(data.decode(), newline="")
    names, values = csv.reader(text, strict=True, quoting=csv.QUOTE_NOTNULL)
    columns: dict[str, str | None] = dict(zip(names, values, strict=True))
    columns["raw_timestamp"] = columns.get("raw_timestamp") or columns["timestamp"]
    moved = {name: datetime.fromisoformat(value) + by for name in _MOVED if (value := columns.get(name))}
    columns |= {name: _as_text(instant) for name, instant in moved.items()}
    return Row(moved["timestamp"], _file(columns))


def save(row: Row, result_dir: Path, suffix: str = "") -> Path:
    """Publish a row durably and return its path. Raises OSError if the disk refuses it.

    A process that writes beside the daemon has its own `suffix`, so that no two processes write the same file.
    """
    first = path(row, result_dir, suffix)
    names = (first if number == 1 else first.with_stem(f"{first.stem}_{number}") for number in itertools.count(1))
    return files.first_free(names, lambda path: files.publish(path, row.data, base=result_dir))


def path(row: Row, result_dir: Path, suffix: str = "") -> Path:
    """Return the path of a row's file. `suffix` ends its name, unless the row is held and has a name of its own."""
    folder = day_folder(held_folder(result_dir) if row.held else result_dir, row.timestamp.date())
    return folder / f"speedtest_{row.timestamp:%H-%M-%S}{f'_{row.held}' if row.held else suffix}.csv"


def common_texts(measurement: Measurement) -> dict[str, str | None]:
    """Return the common columns as text, in schema order."""
    return {name: _as_text(getattr(measurement, name)) for name in COMMON_COLUMNS}


def read_bounded(path: str, close: Callable[[int], object] = os.close) -> bytes | None:
    """Return all bytes of a regular file, None if it exceeds LARGEST_FILE. Raises OSError, also for a link or a pipe.

    `close` gets the descriptor after reading. The path is a `str`: a backlog has 50,000 files, and a `Path` costs more
    than reading such a file.
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
            raise OSError(errno.EIO, f"read {len(data)} bytes of a file of {status.st_size} bytes", path)
        return data
    finally:
        close(descriptor)


def _as_text(value: datetime | float | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return repr(value)


def _file(columns: Mapping[str, str | None]) -> bytes:
    header = ",".join(_field(name) for name in columns)
    values = ",".join(_field(value) for value in columns.values())
    return f"{header}\n{values}\n".replace("\0", "\ufffd").encode("utf-8", "replace")


def _field(text: str | None) -> str:
    if text is None:
        return ""
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
