"""One Measurement → one CSV file.

The place: `RESULT_DIR/year=YYYY/month=MM/day=DD/speedtest_HH-MM-SS.csv`, in UTC, by the row's `timestamp`. A second row
in the same second gets the suffix `_2`, and so on.

The format: a header line and one line, RFC 4180, UTF-8, LF. Null is an empty field, empty text is `""`, booleans are
`true` and `false`, instants are ISO 8601 in UTC; a NUL, which no CSV reader takes, is U+FFFD. First the common columns,
then the program's own fields.
"""

import errno
import itertools
import os
import re
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from speedtest.data import files
from speedtest.data.partitions import day_folder
from speedtest.measurement import COMMON_COLUMNS, Measurement

LARGEST_FILE = 1024 * 1024
"""Bytes; a larger file is no row of ours."""

_NEEDS_QUOTES = re.compile(r'[,"\r\n]')


class Row(msgspec.Struct, frozen=True):
    """A measurement as it will lie on disk."""

    timestamp: datetime
    data: bytes


def encode(measurement: Measurement) -> Row:
    """Return the measurement as the bytes of its file."""
    columns = common_texts(measurement) | measurement.raw
    header = ",".join(_field(name) for name in columns)
    values = ",".join(_field(value) for value in columns.values())
    text = f"{header}\n{values}\n".replace("\0", "\ufffd")
    return Row(measurement.timestamp.astimezone(UTC), text.encode("utf-8", "replace"))


def save(row: Row, result_dir: Path, suffix: str = "") -> Path:
    """Publish a row and return its path; it is durable then. Raises OSError if the disk refuses it.

    Who writes beside the daemon has a `suffix` of its own in its files' names: no two write the same file then.
    """
    folder = day_folder(result_dir, row.timestamp.date())
    stem = f"speedtest_{row.timestamp:%H-%M-%S}{suffix}"
    names = (folder / (f"{stem}.csv" if number == 1 else f"{stem}_{number}.csv") for number in itertools.count(1))
    return files.first_free(names, lambda path: files.publish(path, row.data, base=result_dir))


def common_texts(measurement: Measurement) -> dict[str, str | None]:
    """Return the common columns as text, in their order."""
    return {name: _as_text(getattr(measurement, name)) for name in COMMON_COLUMNS}


def read_bounded(path: str, close: Callable[[int], object] = os.close) -> bytes | None:
    """Return a regular file's bytes, all of them, None if there are too many. A link or a pipe is refused.

    `close` gets the descriptor when all is read. The path is plain text: a backlog has 50,000 of them, and a `Path`
    costs more than reading such a file.
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
        close(descriptor)


def _as_text(value: datetime | float | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return repr(value)


def _field(text: str | None) -> str:
    if text is None:
        return ""
    if not text or _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text
