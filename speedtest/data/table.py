"""Parse the CSV files of rows into one Arrow table with the columns of the lake and each row's source.

Files with the same header line, of one day or of several, are joined and parsed at once, because each call of Arrow's
reader costs as much as a day's rows. If that fails, or for a file with more than one row, Python's CSV reader reads
the files of that header one by one: files that cannot be read are returned with the reason, the others are kept. Both
ways give the same rows.

A row's source is `DIGEST NAME`: 16 hexadecimal digits of the BLAKE2b digest of its file, and the file's name without
`speedtest_` and `.csv`. If a file has several rows, `#0`, `#1`, … follow the name.
"""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from speedtest import engines
from speedtest.data import schema
from speedtest.data.files import digest
from speedtest.data.results import LARGEST_FILE, common_texts
from speedtest.values.names import is_location

SOURCE = "source"
"""The column with each row's source. It is not part of the lake."""

_TYPES: dict[schema.Kind, pa.DataType] = {
    "text": pa.string(),
    "float64": pa.float64(),
    "int64": pa.int64(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "instant": pa.timestamp("us", "UTC"),
}
SCHEMA = pa.schema([pa.field(column.name, _TYPES[column.kind]) for column in schema.COLUMNS])
_DAY = "day"
"""The column with the number of a row's day, among days parsed together. No returned table has it."""
_FILED = SCHEMA.append(pa.field(SOURCE, pa.string())).append(pa.field(_DAY, pa.int32()))
_KNOWN = {column.name: _TYPES[column.kind] for column in (*schema.COMMON, *schema.FLATTENED)}
_FLOATS = [number for number, kind in enumerate(_KNOWN.values()) if pa.types.is_floating(kind)]
_INSTANTS = [number for number, kind in enumerate(_KNOWN.values()) if pa.types.is_timestamp(kind)]
_CALENDAR = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
_QUOTED_FIELD = re.compile(rb',"[^"]*(?:""[^"]*)*"(?=[,\n])')


class Source(msgspec.Struct, frozen=True):
    """One CSV file as it was read."""

    name: str
    data: bytes


class Unreadable(Exception):
    """A file does not hold valid rows; the text says why."""


class _File(msgspec.Struct):
    """A file with a valid header: the number of its day, its lines after the header, and the source of its row."""

    day: int
    name: str
    body: bytes
    source: str


class _Header(msgspec.Struct):
    """The column names of a header line and the files that have it."""

    names: list[str]
    files: list[_File]


class Parsed(NamedTuple):
    """The rows of a day in time order, each with its source, and the names of unreadable files with the reasons."""

    table: pa.Table
    unreadable: dict[str, str]


def parse(sources: Iterable[Source], address: str) -> Parsed:
    """Parse the files of one day. `address` is the location of rows that name none."""
    return parse_days([sources], address)[0]


def parse_days(days: Sequence[Iterable[Source]], address: str) -> list[Parsed]:
    """Parse the files of several days together, with the results that `parse` gives for each day."""
    unreadable: list[dict[str, str]] = [{} for _ in days]
    headers = _by_header(days, unreadable)
    tables = [table for header in headers for table in _tables(header, unreadable)] or [_FILED.empty_table()]
    table = _with_addresses(pa.concat_tables(tables).combine_chunks(), address, unreadable)
    table = table.sort_by([(_DAY, "ascending"), ("timestamp", "ascending"), ("started_at", "ascending")])
    rows = Counter(table[_DAY].to_pylist())
    table = table.drop_columns([_DAY])
    starts = itertools.accumulate((rows[day] for day in range(len(days))), initial=0)
    return [
        Parsed(table.slice(start, rows[day]), names)
        for day, (start, names) in enumerate(zip(starts, unreadable, strict=False))
    ]


def _by_header(days: Sequence[Iterable[Source]], unreadable: list[dict[str, str]]) -> Iterable[_Header]:
    headers: dict[bytes, _Header | str] = {}
    for day, sources in enumerate(days):
        for source in sources:
            try:
                line, body = _split(source.data)
                if line not in headers:
                    headers[line] = _header(line)
            except Unreadable as why:
                unreadable[day][source.name] = str(why)
                continue
            header = headers[line]
            if isinstance(header, str):
                unreadable[day][source.name] = header
                continue
            stem = source.name.removeprefix("speedtest_").removesuffix(".csv")
            header.files.append(_File(day, source.name, body, f"{digest(source.data)} {stem}"))
    return [header for header in headers.values() if isinstance(header, _Header)]


def _split(data: bytes) -> tuple[bytes, bytes]:
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


def _header(line: bytes) -> _Header | str:
    """Return a header, still without files, or the reason why no file with it can be read."""
    try:
        lines = [found for found in _reader(line.removeprefix(b"\xef\xbb\xbf")) if found]
    except csv.Error as error:
        return f"the header cannot be read: {error}"
    if len(lines) > 1:
        return "the header is broken by a carriage return"
    names = [name or "" for name in lines[0]] if lines else []
    if "timestamp" not in names:
        return "the header has no column timestamp"
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        return f"the header has columns twice: {', '.join(twice)}"
    return _Header(names, [])


def _reader(text: bytes) -> Any:  # noqa: ANN401 (csv has no public name for what it returns)
    """Read RFC 4180. An empty field is None, a quoted empty field is empty text."""
    csv.field_size_limit(LARGEST_FILE)
    return csv.reader(io.StringIO(text.decode(), newline=""), strict=True, quoting=csv.QUOTE_NOTNULL)


def _tables(header: _Header, unreadable: list[dict[str, str]]) -> Iterable[pa.Table]:
    """Parse plain files at once and the others one by one; all one by one if parsing at once fails."""
    plain, alone = _separate(header)
    table = _parse_joined(header.names, plain)
    if table is not None:
        yield table
    else:
        alone = header.files
    if alone:
        yield _parse_alone(header.names, alone, unreadable)


def _separate(header: _Header) -> tuple[list[_File], list[_File]]:
    """Separate the files that seem to hold one row, as far as can be seen without a parser, from the others."""
    if "status" not in header.names:
        return [], header.files
    if _are_bare_lines(header.files, len(header.names)):
        return header.files, []
    plain: list[_File] = []
    alone: list[_File] = []
    for file in header.files:
        (plain if _is_one_row(file.body, len(header.names)) else alone).append(file)
    return plain, alone


def _are_bare_lines(files: Sequence[_File], fields: int) -> bool:
    """Check all files together for one row each and no quotes. Arrow refuses rows with different counts of commas."""
    joined = b"".join(file.body for file in files)
    commas, lines = joined.count(b","), joined.count(b"\n")
    return (commas, lines) == (len(files) * (fields - 1), len(files)) and b'"' not in joined and b"\r" not in joined


def _is_one_row(body: bytes, fields: int) -> bool:
    """Check without a parser: outside quoted fields the expected commas, one newline and no stray quote."""
    bare = _QUOTED_FIELD.sub(b",", body) if b'"' in body else body
    return bare.count(b",") == fields - 1 and bare.count(b"\n") == 1 and b'"' not in bare and b"\r" not in bare


def _parse_joined(names: list[str], files: Sequence[_File]) -> pa.Table | None:
    """Parse one-row files of one header at once; return None if that would lose anything."""
    joined = b"".join(file.body for file in files)
    if not joined or b"0x" in joined or b"0X" in joined:  # only Arrow reads 0x10 as a number
        return None
    strangers = [name for name in names if name not in _KNOWN]
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(joined),
            arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(joined) + 1),
            arrow_csv.ParseOptions(newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=_KNOWN | dict.fromkeys(strangers, pa.string()),
                include_columns=[*_KNOWN, *strangers],
                include_missing_columns=True,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["true", "True"],
                false_values=["false", "False"],
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = table.columns
    if table.num_rows != len(files) or table["timestamp"].null_count or not _all_sound(columns):
        return None
    rows = table.select(strangers).to_pylist() if strangers else [{}] * len(files)
    extra = pa.array([_as_extra(row) for row in rows], pa.string())
    sources = pa.array([file.source for file in files], pa.string())
    days = pa.array([file.day for file in files], pa.int32())
    return pa.Table.from_arrays([*columns[: len(_KNOWN)], extra, sources, days], schema=_FILED)


def _all_sound(columns: "Sequence[pa.ChunkedArray[Any]]") -> bool:
    """Return whether each number is finite and each instant is in Python's calendar. Arrow accepts more than that."""
    floats = _stacked(columns, _FLOATS)
    instants = _stacked(columns, _INSTANTS)
    first, last = (pa.scalar(limit, _TYPES["instant"]) for limit in _CALENDAR)
    in_calendar = pc.and_(pc.greater_equal(instants, first), pc.less_equal(instants, last))
    return all(pc.all(sound).as_py() is not False for sound in (pc.is_finite(floats), in_calendar))


def _stacked(columns: "Sequence[pa.ChunkedArray[Any]]", numbers: Sequence[int]) -> "pa.ChunkedArray[Any]":
    """Join columns of one type into a single column, to check all of them at once."""
    return pa.chunked_array([chunk for number in numbers for chunk in columns[number].chunks])


def _as_extra(row: Mapping[str, str | None]) -> str | None:
    present = {name: text for name, text in row.items() if text is not None}
    return msgspec.json.encode(present).decode() if present else None


def _parse_alone(names: list[str], files: Sequence[_File], unreadable: list[dict[str, str]]) -> pa.Table:
    """Read file by file. If any row of a file cannot be read, the whole file is unreadable."""
    rows: list[dict[str, Any]] = []
    for file in files:
        try:
            rows += _rows(names, file)
        except Unreadable as why:
            unreadable[file.day][file.name] = str(why)
    return pa.Table.from_pylist(rows, schema=_FILED)


def _rows(names: list[str], file: _File) -> list[dict[str, Any]]:
    try:
        lines = [line for line in _reader(file.body) if line]
    except csv.Error as error:
        raise Unreadable(f"the file is not valid CSV: {error}") from error
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        if len(line) != len(names):
            raise Unreadable(f"row {number + 1} has {len(line)} fields, but the header has {len(names)}")
        texts = {name: text for name, text in zip(names, line, strict=True) if text is not None}
        source = file.source if len(lines) == 1 else f"{file.source}#{number}"
        row = _row(texts)
        if "status" not in names:
            row = _common(row["timestamp"], texts) | row
        rows.append(row | {SOURCE: source, _DAY: file.day})
    return rows


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
    return values | {schema.EXTRA.name: _as_extra(extra)}


def _with_addresses(table: pa.Table, address: str, unreadable: list[dict[str, str]]) -> pa.Table:
    """Set the location of rows that name none; drop files whose location cannot be a folder's name."""
    index = table.schema.get_field_index("speedtest_address")
    filled = table["speedtest_address"].fill_null(pa.scalar(address))
    table = table.set_column(index, table.schema.field(index), filled)
    bad = {name for name in filled.unique().to_pylist() if not is_location(str(name))}
    if not bad:
        return table
    files = [(row[_DAY], file_of(row[SOURCE])) for row in table.select([_DAY, SOURCE]).to_pylist()]
    for (day, file), name in zip(files, filled.to_pylist(), strict=True):
        if name in bad:
            unreadable[day][file] = f"the speedtest_address {name!r} cannot be the name of a folder"
    return table.filter(pa.array([file not in unreadable[day] for day, file in files], pa.bool_()))


def file_of(source: str) -> str:
    """Return the file name of a source."""
    stem = source.split(" ", 1)[1].split("#", 1)[0]
    return f"speedtest_{stem}.csv"
