"""Read one CSV file of rows with Python's own reader, without pyarrow: what a file may look like, and its values.

RFC 4180, UTF-8, a header line and usually one row. A null is an empty field, `""` is empty text. A file that does not
hold valid rows is refused as a whole, with the reason. `data.table` reads many files at once and gives the same rows.

A row's source is `DIGEST NAME`: 16 hexadecimal digits of the BLAKE2b digest of its file, and the file's name without
`speedtest_` and `.csv`. If a file has several rows, `#0`, `#1`, … follow the name.
"""

import csv
import io
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from speedtest import engines
from speedtest.data import schema
from speedtest.data.files import digest
from speedtest.data.results import LARGEST_FILE, common_texts

_KNOWN = frozenset(column.name for column in (*schema.COMMON, *schema.FLATTENED))


class Unreadable(Exception):
    """A file does not hold valid rows; the text says why."""


class Source(msgspec.Struct, frozen=True):
    """One CSV file as it was read."""

    name: str
    data: bytes


class SourcedRow(msgspec.Struct, frozen=True):
    """A row with the values of its columns, those without a value left out, and its source."""

    source: str
    values: dict[str, Any]


def rows_of(source: Source) -> list[SourcedRow]:
    """Return the rows of a file. Raises Unreadable, also if only one of several rows cannot be read."""
    line, body = split(source.data)
    return rows(names_of(line), body, source_of(source))


def source_of(source: Source) -> str:
    """Return what the rows of a file are known by."""
    stem = source.name.removeprefix("speedtest_").removesuffix(".csv")
    return f"{digest(source.data)} {stem}"


def file_of(source: str) -> str:
    """Return the file name of a source."""
    stem = source.split(" ", 1)[1].split("#", 1)[0]
    return f"speedtest_{stem}.csv"


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the header line and the text after it. Raises Unreadable for a file that cannot hold valid rows."""
    if not data:
        raise Unreadable("the file is empty")
    if b"\0" in data:
        raise Unreadable("the file contains NUL bytes")
    if not data.endswith(b"\n"):
        raise Unreadable("the file is cut short: its last line does not end with a newline")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file is not UTF-8: {error.reason} at byte {error.start}") from error
    line, _, body = data.partition(b"\n")
    if line.count(b'"') % 2:
        line, body = _split_quoted(data)
    if not body.strip():
        raise Unreadable("the file has no row")
    return line, body


def _split_quoted(data: bytes) -> tuple[bytes, bytes]:
    """Split a file whose header has a newline in a quoted name."""
    quotes = end = 0
    for line in io.BytesIO(data):
        quotes += line.count(b'"')
        end += len(line)
        if quotes % 2 == 0:
            return data[:end].rstrip(b"\r\n"), data[end:]
    raise Unreadable("a quoted name in the header has no closing quote")


def names_of(line: bytes) -> list[str]:
    """Return the column names of a header line. Raises Unreadable if no file with it can be read."""
    try:
        lines = [found for found in _reader(line.removeprefix(b"\xef\xbb\xbf")) if found]
    except csv.Error as error:
        raise Unreadable(f"the header cannot be read: {error}") from error
    if len(lines) > 1:
        raise Unreadable("the header is broken by a carriage return")
    names = [name or "" for name in lines[0]] if lines else []
    if "timestamp" not in names:
        raise Unreadable("the header has no column timestamp")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise Unreadable(f"the header has columns twice: {', '.join(twice)}")
    return names


def _reader(text: bytes) -> Any:  # noqa: ANN401 (csv has no public name for what it returns)
    """Read RFC 4180. An empty field is None, a quoted empty field is empty text."""
    csv.field_size_limit(LARGEST_FILE)
    return csv.reader(io.StringIO(text.decode(), newline=""), strict=True, quoting=csv.QUOTE_NOTNULL)


def as_extra(row: Mapping[str, str | None]) -> str | None:
    """Return fields without a column as the text of `extra`; None if there is none."""
    present = {name: text for name, text in row.items() if text is not None}
    return msgspec.json.encode(present).decode() if present else None


def rows(names: list[str], body: bytes, source: str) -> list[SourcedRow]:
    """Return the rows of a file: the names of its header, the lines after it, and what its rows are known by.

    Raises Unreadable if any row cannot be read: then the whole file is unreadable.
    """
    try:
        lines = [line for line in _reader(body) if line]
    except csv.Error as error:
        raise Unreadable(f"the file is not valid CSV: {error}") from error
    found: list[SourcedRow] = []
    for number, line in enumerate(lines):
        if len(line) != len(names):
            raise Unreadable(f"row {number + 1} has {len(line)} fields, but the header has {len(names)}")
        texts = {name: text for name, text in zip(names, line, strict=True) if text is not None}
        values = _row(texts)
        if "status" not in names:
            values = _common(values["timestamp"], texts) | values
        found.append(SourcedRow(source if len(lines) == 1 else f"{source}#{number}", values))
    return found


def _common(timestamp: datetime, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the common columns that can be derived from a row of the original program, which had none."""
    derived = engines.derive(timestamp, texts)
    common = common_texts(derived) if derived else {}
    return {name: schema.parse(text, schema.BY_NAME[name].kind) for name, text in common.items() if text is not None}


def _row(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a row's values. Text that does not fit its column and fields without a column go into `extra`."""
    values: dict[str, Any] = {}
    extra: dict[str, str | None] = {}
    for name, text in texts.items():
        if name not in _KNOWN:
            extra[name] = text
            continue
        try:
            values[name] = schema.parse(text, schema.BY_NAME[name].kind)
        except ValueError:
            extra[name] = text
    if "timestamp" not in values:
        raise Unreadable(f"a row has no valid timestamp: {texts.get('timestamp', '')!r}")
    return values | {schema.EXTRA.name: as_extra(extra)}
